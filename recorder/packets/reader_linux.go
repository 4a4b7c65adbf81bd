package packets

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shark/packet"
)

// reader empties the rings of all sockets: the one goroutine that calls the Sink.
type reader struct {
	c          *Capture
	sink       Sink
	sockets    map[int32]*socket
	leaving    []*socket
	interfaces []packet.Interface
	batch      []packet.Record
	known      offloads
	counted    time.Time
}

func (r *reader) run(ctx context.Context) error {
	var list [64]unix.EpollEvent
	var end time.Time // of what was before the context's
	for {
		timeout := counting
		if !end.IsZero() || len(r.leaving) > 0 {
			timeout = retire
		}
		ready, err := r.c.reader.wait(list[:], int(timeout.Milliseconds()))
		if err != nil {
			return err
		}
		if err := r.take(); err != nil {
			return err
		}
		for i := range ready {
			if s := r.sockets[ready[i].Fd]; s != nil {
				if ready[i].Events&unix.EPOLLERR != 0 {
					s.clear()
				}
				if err := r.empty(s); err != nil {
					return err
				}
			}
		}
		now := time.Now()
		if err := r.look(now); err != nil {
			return err
		}
		switch {
		case ctx.Err() == nil:
		case end.IsZero():
			end = now.Add(linger)
		case now.After(end):
			return r.finish()
		}
	}
}

// take takes what the follower has.
func (r *reader) take() error {
	r.c.mu.Lock()
	fresh, leaving := r.c.fresh, r.c.leaving
	r.c.fresh, r.c.leaving = nil, nil
	r.interfaces = r.c.interfaces
	r.c.mu.Unlock()
	for _, s := range fresh {
		if err := r.c.reader.add(s.fd); err != nil {
			return err
		}
		r.sockets[int32(s.fd)] = s
	}
	now := time.Now().UnixNano()
	for _, s := range leaving {
		s.leaves, s.last = true, now+int64(linger)
		r.leaving = append(r.leaving, s)
	}
	return nil
}

// empty gives all that a ring has to the sink. A ring that is filled as fast does not hold up the
// others: it is gone round once.
func (r *reader) empty(s *socket) error {
	in := frames{iface: s.slot, link: s.link, known: r.known}
	for range len(s.mem) / s.block {
		block, losing := s.full()
		if block == nil {
			return nil
		}
		s.touched = true
		in.begin(block)
		for more := true; more; {
			n := 0
			for more = true; n < batch; n++ {
				if more = in.next(&r.batch[:n+1][n]); !more {
					break
				}
			}
			if n > 0 {
				s.received.Add(uint64(n))
				r.c.received.Add(uint64(n))
				r.sink.Write(r.batch[:n], r.interfaces)
			}
		}
		r.lose(s, uint64(in.left))
		s.release()
		if losing {
			if err := r.count(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// count asks the kernel what it dropped.
func (r *reader) count(s *socket) error {
	s.touched = false
	n, err := s.drops()
	r.lose(s, n)
	return err
}

// lose tells the sink of packets that it does not get.
func (r *reader) lose(s *socket, n uint64) {
	if n == 0 {
		return
	}
	s.received.Add(n)
	s.dropped.Add(n)
	r.c.received.Add(n)
	r.c.dropped.Add(n)
	r.sink.Lost(s.slot, n, r.interfaces)
}

// look counts drops when it is time, and lets go of sockets that left.
func (r *reader) look(now time.Time) error {
	if now.Sub(r.counted) >= counting {
		r.counted = now
		for _, s := range r.sockets {
			if s.touched {
				if err := r.count(s); err != nil {
					return err
				}
			}
		}
	}
	left := func(s *socket) bool { return s.last < now.UnixNano() }
	for _, s := range r.leaving {
		if left(s) {
			if err := r.end(s); err != nil {
				return err
			}
		}
	}
	r.leaving = slices.DeleteFunc(r.leaving, left)
	return nil
}

// end reads a socket for the last time, and has it closed.
func (r *reader) end(s *socket) error {
	if err := r.empty(s); err != nil {
		return err
	}
	if err := r.count(s); err != nil {
		return err
	}
	delete(r.sockets, int32(s.fd))
	if err := r.c.reader.remove(s.fd); err != nil {
		return err
	}
	r.c.mu.Lock()
	r.c.gone = append(r.c.gone, s)
	r.c.mu.Unlock()
	r.c.follower.events.wake()
	return nil
}

// finish ends all sockets.
func (r *reader) finish() error {
	if err := r.take(); err != nil {
		return err
	}
	for _, s := range r.sockets {
		if err := r.end(s); err != nil {
			return err
		}
	}
	return nil
}
