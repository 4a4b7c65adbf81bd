//go:build linux

// Package plaintext sees what programs read and write through their TLS libraries, in clear.
//
// In: files and the offsets of the functions in them that read, write and close, and which
// processes may be looked at. Out: an event for each piece of up to 16 KiB that was read or
// written, with its place in the connection's stream and the socket that the call used; and a
// counter for each reason why bytes are missing. The kernel holds one ring (16 MiB unless
// asked otherwise) and tables of fixed size.
package plaintext

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"shark/bpf/loader"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type plaintext_event -go-package plaintext Plaintext plaintext.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -I..

const (
	// DefaultRing is the size of the ring in bytes; others are powers of two from MinRing.
	DefaultRing = 16 << 20
	// MinRing holds some records of the largest size.
	MinRing = 64 << 10
	// MaxFiles is how many files can be attached to at a time.
	MaxFiles = 4096

	wakeAt = 256 << 10 // bytes in the ring that wake the reader
)

// Mode is how a probed function is called.
type Mode uint32

// The modes, to be added up. A function that has none reads, is called as C calls, with
// (object, buffer, length), and returns how many bytes it moved.
const (
	Write Mode = 1 << iota
	Ex         // returns 1, and the number where its fourth argument points
	Flags      // its fourth argument are the flags of recv
	Go         // called as Go calls
	Mixed      // its objects are files and plain sockets as well
)

// Probe is a place in a file.
type Probe struct {
	Offset uint64
	Mode   Mode
}

// Random is where a file's objects keep the client's random: at Offset, or with Deref at Offset
// in what the pointer at Pointer points to.
type Random struct {
	Deref           bool
	Pointer, Offset uint32
}

// Probes are the places to look at in a file.
type Probes struct {
	Calls   []Probe // entries of functions that read and write
	Returns []Probe // return instructions of those of Go; C's need none
	Closes  []Probe // entries of functions that end a connection: (object)
	Random  *Random
}

// Loss is what is missing for one reason.
type Loss struct{ Calls, Bytes uint64 }

// Counters count what was seen, missing bytes by the reason.
type Counters struct {
	Reads, Writes, Bytes uint64

	Ring   Loss // pieces: the ring was full
	Memory Loss // pieces: the process's memory could not be read
	Long   Loss // calls of more than 16 MiB: what is beyond
	Buffer Loss // calls that go on with another's bytes
	Unsure Loss // calls on objects not known to be TLS yet

	Calls uint64 // whose beginning was not seen
	Room  uint64 // calls that found no room in the tables
}

// Options of a Set.
type Options struct {
	Ring int // bytes; 0: DefaultRing
}

// Set is the programs, loaded, and what they are attached to.
type Set struct {
	objects PlaintextObjects
	links   loader.Links
	data    *loader.Ring

	mu   sync.Mutex
	used [MaxFiles]bool
}

// Open loads the programs. What the kernel does not have, or does not allow, is an error that
// wraps errors.ErrUnsupported.
func Open(o Options) (*Set, error) {
	if o.Ring == 0 {
		o.Ring = DefaultRing
	}
	if o.Ring < MinRing || o.Ring&(o.Ring-1) != 0 {
		return nil, fmt.Errorf("a ring of %d bytes: it has to be a power of two from %d", o.Ring, MinRing)
	}
	spec, err := LoadPlaintext()
	if err != nil {
		return nil, fmt.Errorf("programs for plaintext: %w", err)
	}
	spec.Maps["data"].MaxEntries = uint32(o.Ring)
	if err := spec.Variables["wake_at"].Set(uint32(min(wakeAt, o.Ring/4))); err != nil {
		return nil, fmt.Errorf("programs for plaintext: %w", err)
	}
	s := new(Set)
	if err := spec.LoadAndAssign(&s.objects, nil); err != nil {
		return nil, loader.Unsupported("load the programs for plaintext", err)
	}
	if s.links, err = loader.Trace(s.objects.OnSend, s.objects.OnReceive); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.data, err = loader.OpenRing(s.objects.Data); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Attachment is a file that is looked at.
type Attachment struct {
	Number uint32 // that its events have

	set   *Set
	links loader.Links
}

// Attach looks at the calls of all processes that run the code of a file, by any of its names.
func (s *Set) Attach(path string, p Probes) (*Attachment, error) {
	ex, err := link.OpenExecutable(path)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", path, err)
	}
	a := &Attachment{set: s}
	if a.Number, err = s.number(); err != nil {
		return nil, err
	}
	if err := s.random(a.Number, p.Random); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	var c, golang []Probe
	for _, call := range p.Calls {
		if call.Mode&Go != 0 {
			golang = append(golang, call)
		} else {
			c = append(c, call)
		}
	}
	// The returns first, so that no call is seen that does not end.
	for _, set := range []struct {
		attach  func([]string, *ebpf.Program, *link.UprobeMultiOptions) (link.Link, error)
		program *ebpf.Program
		probes  []Probe
	}{
		{ex.UretprobeMulti, s.objects.OnLeave, c},
		{ex.UprobeMulti, s.objects.OnLeave, p.Returns},
		{ex.UprobeMulti, s.objects.OnClose, p.Closes},
		{ex.UprobeMulti, s.objects.OnEnter, append(c, golang...)},
	} {
		if len(set.probes) == 0 {
			continue
		}
		var o link.UprobeMultiOptions
		for _, probe := range set.probes {
			o.Addresses = append(o.Addresses, probe.Offset)
			o.Cookies = append(o.Cookies, uint64(probe.Mode)<<32|uint64(a.Number))
		}
		l, err := set.attach(nil, set.program, &o)
		if err != nil {
			return nil, errors.Join(loader.Unsupported("attach to "+path, err), a.Close())
		}
		a.links = append(a.links, l)
	}
	return a, nil
}

// Close ends the look at the file.
func (a *Attachment) Close() error {
	err := a.links.Close()
	a.set.mu.Lock()
	a.set.used[a.Number] = false
	a.set.mu.Unlock()
	return err
}

// number takes a number that no attachment has.
func (s *Set) number() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.used {
		if !s.used[i] {
			s.used[i] = true
			return uint32(i), nil
		}
	}
	return 0, fmt.Errorf("attached to %d files, which is the limit", MaxFiles)
}

func (s *Set) random(number uint32, r *Random) error {
	var v struct{ Known, Deref, Pointer, Offset uint32 }
	if r != nil {
		v.Known, v.Pointer, v.Offset = 1, r.Pointer, r.Offset
		if r.Deref {
			v.Deref = 1
		}
	}
	if err := s.objects.Randoms.Put(number, v); err != nil {
		return fmt.Errorf("say where the random is: %w", err)
	}
	return nil
}

// Policy says which processes are looked at: by process, else by default.
type Policy struct{ objects *PlaintextObjects }

// MaxProcesses is of how many processes something can be said at a time.
const MaxProcesses = 16384

// ErrCrowded says that something is said of as many processes as can be.
var ErrCrowded = fmt.Errorf("no more than %d processes are told apart", MaxProcesses)

// Policy is the set's.
func (s *Set) Policy() *Policy { return &Policy{&s.objects} }

// Default says whether processes are looked at of which nothing else is said. At first they
// are not.
func (p *Policy) Default(look bool) error {
	return said(p.objects.PolicyDefault.Put(uint32(0), bits(look)))
}

// Process says whether a process is looked at; ForgetProcess takes that back. The error wraps
// ErrCrowded where there is no room for it.
func (p *Policy) Process(tgid uint32, look bool) error {
	err := p.objects.PolicyTgid.Put(tgid, bits(look))
	if errors.Is(err, unix.E2BIG) {
		return ErrCrowded
	}
	return said(err)
}

// ForgetProcess takes back what was said of a process.
func (p *Policy) ForgetProcess(tgid uint32) error {
	return said(p.objects.PolicyTgid.Delete(tgid))
}

func said(err error) error {
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("say which processes to look at: %w", err)
	}
	return nil
}

func bits(look bool) uint32 {
	if look {
		return 1
	}
	return 0
}

// Read waits for an event until the deadline, which is an error that wraps
// os.ErrDeadlineExceeded. Events that do not wake the reader are found at the deadline: it
// should be near.
func (s *Set) Read(deadline time.Time, e *Event) error {
	b, err := s.data.Read(deadline)
	if err != nil {
		return err
	}
	return decode(b, e)
}

// Close detaches and unloads the programs. Attachments are closed before.
func (s *Set) Close() error {
	err := s.links.Close()
	if s.data != nil {
		err = errors.Join(err, s.data.Close())
	}
	return errors.Join(err, s.objects.Close())
}

// Counters reads the counters.
func (s *Set) Counters() (c Counters, err error) {
	err = loader.Counters(s.objects.Counters,
		&c.Reads, &c.Writes, &c.Bytes,
		&c.Ring.Calls, &c.Ring.Bytes, &c.Memory.Calls, &c.Memory.Bytes, &c.Long.Calls, &c.Long.Bytes,
		&c.Buffer.Calls, &c.Buffer.Bytes, &c.Unsure.Calls, &c.Unsure.Bytes, &c.Calls, &c.Room,
	)
	return c, err
}
