package owner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"shark/bpf/loader"
)

// defaultRing is how many bytes of events may wait to be read.
const defaultRing = 1 << 20

// interval is how often waiting events are looked for, unless the kernel says that there are
// many, or a new process.
const interval = 50 * time.Millisecond

// Options say what to look at.
type Options struct {
	Netns  uint32 // inode of the only network namespace whose sockets are told of; 0: all
	Cgroup string // folder of the cgroup (version 2) whose UDP sockets' ends are told; empty: none are
	Ring   int    // bytes of events that may wait, a power of two; 0: 1 MiB
}

// Programs are those that are attached. They are for one goroutine, but for Lost.
type Programs struct {
	maps     ownerMaps
	links    loader.Links
	existing *link.Iter
	reader   *ringbuf.Reader
	missing  []Feature
	record   ringbuf.Record
}

// purposes say what each program is for, in the order they are attached.
var purposes = []struct{ program, why string }{
	{"destroyed", "ends of TCP sockets"},
	{"exited", "ends of processes"},
	{"state", "who connects and listens"},
	{"sent", "who first sends on a socket"},
	{"received", "who first receives on a socket"},
	{"closed", "ends of UDP sockets"},
	{"existing", "sockets that were there before"},
}

// Open loads the programs and attaches them. That none can be is an error that wraps
// errors.ErrUnsupported.
func Open(o Options) (*Programs, error) {
	spec, err := loadOwner()
	if err != nil {
		return nil, fmt.Errorf("socket owners: %w", err)
	}
	if o.Ring == 0 {
		o.Ring = defaultRing
	}
	spec.Maps[ownerMapEvents].MaxEntries = uint32(o.Ring)
	if err := spec.Variables[ownerVarOnlyNetns].Set(o.Netns); err != nil {
		return nil, fmt.Errorf("socket owners: %w", err)
	}
	p := new(Programs)
	if err := spec.LoadAndAssign(&p.maps, nil); err != nil {
		return nil, fmt.Errorf("socket owners: maps: %w", unsupported(err))
	}
	for _, x := range purposes {
		if err := p.attach(spec, x.program, o.Cgroup); err != nil {
			p.missing = append(p.missing, Feature{x.program, x.why, unsupported(err)})
		}
	}
	if len(p.links) == 0 && p.existing == nil {
		return nil, errors.Join(fmt.Errorf("socket owners: no program can be attached: %w", p.missing[0]), p.Close())
	}
	if p.reader, err = ringbuf.NewReader(p.maps.Events); err != nil {
		return nil, errors.Join(fmt.Errorf("socket owners: %w", err), p.Close())
	}
	return p, nil
}

// unsupported makes what a kernel answers when it lacks something, or does not allow it, one
// error: in lockdown that is EPERM.
func unsupported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return fmt.Errorf("%w here: %w", errors.ErrUnsupported, err)
}

// attach loads one program on the maps and attaches it.
func (p *Programs) attach(spec *ebpf.CollectionSpec, name, cgroup string) error {
	if name == ownerProgClosed && cgroup == "" {
		return errors.New("no cgroup is named")
	}
	one := spec.Copy()
	for other := range one.Programs {
		if other != name {
			delete(one.Programs, other)
		}
	}
	c, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{
		ownerMapEvents: p.maps.Events, ownerMapLosses: p.maps.Losses, ownerMapProcesses: p.maps.Processes, ownerMapSockets: p.maps.Sockets,
	}})
	if err != nil {
		return err
	}
	defer c.Close() // a link keeps its program
	program := c.Programs[name]
	var l link.Link
	switch name {
	case ownerProgExisting:
		p.existing, err = link.AttachIter(link.IterOptions{Program: program})
		return err
	case ownerProgClosed:
		l, err = link.AttachCgroup(link.CgroupOptions{Path: cgroup, Attach: ebpf.AttachCgroupInetSockRelease, Program: program})
	default:
		l, err = link.AttachTracing(link.TracingOptions{Program: program})
	}
	if err != nil {
		return err
	}
	p.links = append(p.links, l)
	return nil
}

// Missing lists what this kernel does not offer.
func (p *Programs) Missing() []Feature { return p.missing }

// Existing tells of the sockets that there are, once for each process that has them open.
// Events that come first of the same socket know better.
func (p *Programs) Existing(tell func(*Event)) error {
	if p.existing == nil {
		return fmt.Errorf("existing sockets: %w", errors.ErrUnsupported)
	}
	r, err := p.existing.Open()
	if err != nil {
		return fmt.Errorf("existing sockets: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxExisting*socketSize))
	if err != nil {
		return fmt.Errorf("existing sockets: %w", err)
	}
	var e Event
	for ; len(data) >= socketSize; data = data[socketSize:] {
		if e.decode(data[:socketSize]) {
			e.Existing = true
			tell(&e)
		}
	}
	return nil
}

// maxExisting bounds how many existing sockets are told of.
const maxExisting = 1 << 20

// Run gives the events in their order until the context ends, and then those that wait. The
// Event is good for the call only. After all that are there, and many times a second, idle is
// called, if it is not nil.
func (p *Programs) Run(ctx context.Context, tell func(*Event), idle func()) error {
	stop := context.AfterFunc(ctx, func() { p.reader.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for ctx.Err() == nil {
		p.reader.SetDeadline(time.Now().Add(interval))
		if err := p.read(tell, maxTurn); err != nil {
			return err
		}
		if idle != nil {
			idle()
		}
	}
	p.reader.SetDeadline(time.Unix(1, 0))
	return errors.Join(ctx.Err(), p.read(tell, maxTurn))
}

// maxTurn is how many events are read before idle is called even if there are more.
const maxTurn = 1 << 14

// read gives events until none is there, but no more than some.
func (p *Programs) read(tell func(*Event), most int) error {
	var e Event
	for range most {
		err := p.reader.ReadInto(&p.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("socket owners: %w", err)
		}
		if e.decode(p.record.RawSample) {
			tell(&e)
		}
		if p.record.Remaining == 0 {
			return nil
		}
	}
	return nil
}

// Lost returns what was lost so far.
func (p *Programs) Lost() (l Lost, err error) {
	err = loader.Counters(p.maps.Losses, &l.Sockets, &l.Ends, &l.Processes, &l.Exits, &l.Storage)
	return l, err
}

// Close detaches the programs.
func (p *Programs) Close() error {
	var err error
	if p.reader != nil {
		err = p.reader.Close()
	}
	err = errors.Join(err, p.links.Close())
	if p.existing != nil {
		err = errors.Join(err, p.existing.Close())
	}
	return errors.Join(err, p.maps.Close())
}
