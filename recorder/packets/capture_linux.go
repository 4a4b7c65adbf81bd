package packets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"shark/packet"
	"shark/packet/filter"
)

// Capture captures packets. What it opened stays open until Run returns, or Close.
type Capture struct {
	o        Options
	programs map[packet.LinkType]program
	reader   *events
	follower *follower

	received, dropped atomic.Uint64

	mu         sync.Mutex // of what follows
	interfaces []packet.Interface
	slots      map[packet.Interface]uint32
	fresh      []*socket // for the reader to begin with
	leaving    []*socket // for it to end with
	gone       []*socket // for the follower to close
	view       Status    // but for the counters
	viewed     []*socket // those of view.Interfaces, nil where there is none
	ended      bool
}

// program is the rules for a link type.
type program struct {
	code []filter.Instruction
	err  error
}

// Open begins to capture: what comes from then on is kept in the rings until Run reads them. It
// fails if nothing can be captured at all; what cannot, Status tells. The caller calls Run, or
// Close.
func Open(o Options) (*Capture, error) {
	c, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("capture packets: %w", err)
	}
	return c, nil
}

func open(o Options) (*Capture, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := &Capture{o: o, slots: make(map[packet.Interface]uint32), programs: make(map[packet.LinkType]program)}
	if len(o.Rules) > 0 {
		for _, link := range []packet.LinkType{linkEthernet, linkRaw} {
			code, err := filter.Assemble(link, o.Rules...)
			c.programs[link] = program{code, err}
			if err != nil && link == linkEthernet {
				return nil, err
			}
		}
	}
	var err error
	if c.reader, err = newEvents(); err != nil {
		return nil, err
	}
	if c.follower, err = newFollower(c); err != nil {
		return nil, errors.Join(err, c.reader.close())
	}
	if err := c.follower.step(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if s := c.Status(); s.RingBytes == 0 {
		for _, n := range s.Namespaces {
			err = errors.Join(err, n.Err)
		}
		for _, i := range s.Interfaces {
			err = errors.Join(err, i.Err)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Run gives packets to the sink until the context ends, and then those that came before. It
// returns when nothing is open any more; it may run once.
func (c *Capture) Run(ctx context.Context, sink Sink) error {
	ctx, cancel := context.WithCancel(ctx) // where one part fails the other ends, too
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		c.reader.wake()
		c.follower.events.wake()
	})
	defer stop()
	var follower sync.WaitGroup
	var followed error
	follower.Go(func() {
		followed = c.follower.run(ctx)
		cancel()
	})
	r := &reader{c: c, sink: sink, sockets: make(map[int32]*socket), batch: make([]packet.Record, 0, batch), known: make(offloads)}
	err := r.run(ctx)
	cancel()
	follower.Wait()
	return errors.Join(err, followed, c.Close())
}

// Close ends a capture that does not run.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	c.ended = true
	return errors.Join(c.follower.close(), c.reader.close())
}

// Status tells what is captured.
func (c *Capture) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.view
	s.Received, s.Dropped = c.received.Load(), c.dropped.Load()
	s.Interfaces = append([]InterfaceStatus(nil), s.Interfaces...)
	for i, from := range c.viewed {
		if from != nil {
			s.Interfaces[i].Received, s.Interfaces[i].Dropped = from.received.Load(), from.dropped.Load()
		}
	}
	return s
}

// admit gives a socket that was opened to the reader.
func (c *Capture) admit(s *socket) error {
	desc := packet.Interface{
		Link: s.link, SnapLen: c.snapLen(), Name: NameOf(&s.device), Description: fmt.Sprintf("netns %d", s.device.Namespace.Inode),
		Filter: c.o.Filter, OS: "Linux",
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slot, ok := c.slots[desc]
	if !ok {
		if len(c.interfaces) >= maxInterfaces {
			return fmt.Errorf("capture %s: more than %d interfaces were met: restart to capture more", s.device.Name, maxInterfaces)
		}
		slot = uint32(len(c.interfaces))
		c.slots[desc] = slot
		c.interfaces = append(c.interfaces, desc)
	}
	s.slot = slot
	c.fresh = append(c.fresh, s)
	c.reader.wake()
	return nil
}

// snapLen is how much of a packet is kept at most, whatever it is.
func (c *Capture) snapLen() (most uint32) {
	for _, r := range c.o.Rules {
		most = max(most, min(r.SnapLen, MaxSnapLen))
	}
	if len(c.o.Rules) == 0 {
		return MaxSnapLen
	}
	return most
}

// events waits for descriptors, and can be woken.
type events struct{ epoll, eventfd int }

func newEvents() (*events, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(ep))
	}
	e := &events{ep, fd}
	if err := e.add(fd); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *events) add(fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
}

func (e *events) remove(fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, fd, nil))
}

// wait returns which descriptors have something, after so many milliseconds at most.
func (e *events) wait(into []unix.EpollEvent, milliseconds int) ([]unix.EpollEvent, error) {
	n, err := unix.EpollWait(e.epoll, into, milliseconds)
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i := range into[:n] {
		if into[i].Fd == int32(e.eventfd) {
			var count [8]byte
			_, _ = unix.Read(e.eventfd, count[:])
		}
	}
	return into[:n], nil
}

func (e *events) wake() { _, _ = unix.Write(e.eventfd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (e *events) close() error { return errors.Join(unix.Close(e.eventfd), unix.Close(e.epoll)) }
