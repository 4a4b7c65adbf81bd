//go:build linux

// Package keylog gets the secrets of TLS sessions from the function by which a library hands
// them to its own key log.
//
// In: executable files, where that function is in each, and where the object that it gets has
// the client's random, if that is known. Out: an event for each secret, from a ring of 256 KiB
// that nothing else uses; while the place of the random is not known, a dump of the object
// with each secret, from another ring; and counters, one for each thing that may become of a hit.
package keylog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"shark/bpf/loader"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package keylog Keylog keylog.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -I..

// The layout of an event and a dump: struct keylog_event, struct keylog_dump.
const (
	RandomSize = 32
	ObjectSize = 1024
	Words      = 32
	BehindSize = 256

	labelSize  = 64
	secretSize = 64
	eventSize  = 224
	dumpSize   = eventSize + ObjectSize + Words*BehindSize
)

// MaxFiles is how many files can be attached to at a time.
const MaxFiles = 1024

// Event is a secret that a process handed to its key log.
type Event struct {
	Process
	TID    uint32
	Comm   string
	Time   time.Duration    // since boot
	File   uint32           // the number that Attach got
	Random [RandomSize]byte // zeros in a dump
	Label  string
	Secret []byte
}

// Dump is an event with what is in the object that the library logged it for, and behind each of
// its first words. What could not be read is zeros.
type Dump struct {
	Event
	Object [ObjectSize]byte
	Behind [Words][BehindSize]byte
}

// Place is where an object has the client's random: at Offset, or at Offset of what the pointer at
// Pointer points to. Unless Known, there are dumps instead of events.
type Place struct {
	Known   bool
	Deref   bool
	Pointer uint32
	Offset  uint32
}

// Counters says what became of hits. All but the first three are secrets that are missing.
type Counters struct {
	Secrets, Dumps, Denied                 uint64
	NoFile, BadLabel, BadSecret, BadRandom uint64
	SecretsFull, DumpsFull                 uint64
}

// Set is the programs, loaded.
type Set struct {
	all            *ebpf.Collection
	multi          bool
	secrets, dumps *ringbuf.Reader
}

// Options of a set.
type Options struct {
	PerfEvents bool // attach by perf events, even where there is uprobe_multi
}

// Open loads the programs. What the kernel does not have, or does not allow, is an error that
// wraps errors.ErrUnsupported.
func Open(o Options) (*Set, error) {
	spec, err := LoadKeylog()
	if err != nil {
		return nil, fmt.Errorf("read the programs for key logs: %w", err)
	}
	s := &Set{multi: !o.PerfEvents && features.HaveBPFLinkUprobeMulti() == nil}
	unused := "_multi"
	if s.multi {
		unused = "_single"
	}
	delete(spec.Programs, "c"+unused)
	delete(spec.Programs, "go"+unused)
	if s.all, err = ebpf.NewCollection(spec); err != nil {
		return nil, loader.Unsupported("load the programs for key logs", err)
	}
	if s.secrets, err = ringbuf.NewReader(s.all.Maps["secrets"]); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ring of secrets: %w", err), s.Close())
	}
	if s.dumps, err = ringbuf.NewReader(s.all.Maps["dumps"]); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ring of dumps: %w", err), s.Close())
	}
	return s, nil
}

// Multi says whether probes are attached by uprobe_multi, which needs no more than BPF and
// PERFMON and is gone in a moment, or by perf events.
func (s *Set) Multi() bool { return s.multi }

// Attach sets a probe at an offset of a file, which stays until the link is closed. The function
// there is one of the C libraries, or Go's. Events have the number.
func (s *Set) Attach(f *os.File, offset uint64, golang bool, number uint32) (link.Link, error) {
	ex, err := link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, err
	}
	name := "c_"
	if golang {
		name = "go_"
	}
	var l link.Link
	if s.multi {
		l, err = ex.UprobeMulti(nil, s.all.Programs[name+"multi"], &link.UprobeMultiOptions{
			Addresses: []uint64{offset}, Cookies: []uint64{uint64(number)},
		})
	} else {
		l, err = ex.Uprobe("", s.all.Programs[name+"single"], &link.UprobeOptions{Address: offset, Cookie: uint64(number)})
	}
	if err != nil {
		return nil, loader.Unsupported("set a probe", err)
	}
	return l, nil
}

// Put says where objects of a file have the random. It goes before Attach.
func (s *Set) Put(number uint32, p Place) error {
	v := []uint32{0, p.Pointer, p.Offset, 0}
	switch {
	case p.Known && p.Deref:
		v[0] = 2
	case p.Known:
		v[0] = 1
	}
	if err := s.all.Maps["places"].Put(number, v); err != nil {
		return fmt.Errorf("put where file %d has the random: %w", number, err)
	}
	return nil
}

// Drop forgets a file.
func (s *Set) Drop(number uint32) error {
	if err := s.all.Maps["places"].Delete(number); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget file %d: %w", number, err)
	}
	return nil
}

// Process is a process, and no other that has its number later, while it is where it is.
type Process struct {
	TGID, NetNS uint32
	Cgroup      uint64
	Started     time.Duration // since boot
}

// key is struct keylog_process.
func (p Process) key() (k [24]byte) {
	binary.NativeEndian.PutUint64(k[:], uint64(p.Started))
	binary.NativeEndian.PutUint64(k[8:], p.Cgroup)
	binary.NativeEndian.PutUint32(k[16:], p.TGID)
	binary.NativeEndian.PutUint32(k[20:], p.NetNS)
	return k
}

// Deny has the kernel copy nothing more of a process while it stays where it is.
func (s *Set) Deny(p Process) error {
	if err := s.all.Maps["denied"].Put(p.key(), uint8(1)); err != nil {
		return fmt.Errorf("deny process %d: %w", p.TGID, err)
	}
	return nil
}

// AllowAll takes back what Deny said.
func (s *Set) AllowAll() error {
	var keys [][24]byte
	var key [24]byte
	var value uint8
	it := s.all.Maps["denied"].Iterate()
	for it.Next(&key, &value) {
		keys = append(keys, key)
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("list denied processes: %w", err)
	}
	for _, k := range keys {
		if err := s.all.Maps["denied"].Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("allow a process: %w", err)
		}
	}
	return nil
}

// Counters reads the counters.
func (s *Set) Counters() (c Counters, err error) {
	err = loader.Counters(s.all.Maps["counters"],
		&c.Secrets, &c.Dumps, &c.Denied, &c.NoFile, &c.BadLabel, &c.BadSecret, &c.BadRandom, &c.SecretsFull, &c.DumpsFull)
	return c, err
}

// ReadSecrets gives f each event, until Interrupt.
func (s *Set) ReadSecrets(f func(*Event)) error {
	return read(s.secrets, func(b []byte) bool {
		e, ok := decode(b)
		if ok {
			f(&e)
		}
		return ok
	})
}

// ReadDumps gives f each dump, which is f's to keep, until Interrupt.
func (s *Set) ReadDumps(f func(*Dump)) error {
	return read(s.dumps, func(b []byte) bool {
		d, ok := decodeDump(b)
		if ok {
			f(d)
		}
		return ok
	})
}

func read(r *ringbuf.Reader, f func([]byte) bool) error {
	var record ringbuf.Record
	for {
		switch err := r.ReadInto(&record); {
		case errors.Is(err, ringbuf.ErrFlushed):
			return nil
		case err != nil:
			return fmt.Errorf("read a ring of the kernel: %w", err)
		}
		if !f(record.RawSample) {
			return fmt.Errorf("an event of %d bytes, which has another layout", len(record.RawSample))
		}
	}
}

// Interrupt ends ReadSecrets and ReadDumps when they have given what is in the rings; another
// goroutine may call it.
func (s *Set) Interrupt() error { return errors.Join(s.secrets.Flush(), s.dumps.Flush()) }

// Close unloads the programs. Links are closed before.
func (s *Set) Close() error {
	var errs []error
	for _, r := range []*ringbuf.Reader{s.secrets, s.dumps} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	s.all.Close()
	return errors.Join(errs...)
}

// decode reads an event by the offsets of struct keylog_event.
func decode(b []byte) (e Event, ok bool) {
	if len(b) < eventSize {
		return e, false
	}
	n := binary.NativeEndian
	e = Event{
		Time: time.Duration(n.Uint64(b)), File: n.Uint32(b[8:]), TID: n.Uint32(b[16:]),
		Process: Process{n.Uint32(b[12:]), n.Uint32(b[20:]), n.Uint64(b[24:]), time.Duration(n.Uint64(b[32:]))},
		Comm:    text(b[48:64]), Random: [RandomSize]byte(b[64:96]), Label: text(b[96 : 96+labelSize]),
	}
	e.Secret = bytes.Clone(b[160:][:min(n.Uint32(b[40:]), secretSize)])
	return e, true
}

func decodeDump(b []byte) (*Dump, bool) {
	e, ok := decode(b)
	if !ok || len(b) < dumpSize {
		return nil, false
	}
	d := &Dump{Event: e, Object: [ObjectSize]byte(b[eventSize:])}
	for i := range d.Behind {
		copy(d.Behind[i][:], b[eventSize+ObjectSize+i*BehindSize:])
	}
	return d, true
}

// text returns a C string.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
