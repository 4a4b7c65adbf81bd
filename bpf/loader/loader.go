//go:build linux

// Package loader has what the loaders of the programs share.
//
// In: programs and maps that are loaded. Out: links, which end together; records of a ring of the
// kernel, in its memory, until a deadline; counters of all processors as one; and errors that say
// when a kernel does not have what is wanted.
package loader

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Unsupported says what could not be done. What the kernel does not have, or does not allow, wraps
// errors.ErrUnsupported: EPERM is how a kernel in lockdown says no.
func Unsupported(what string, err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EPERM) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w: %w", what, errors.ErrUnsupported, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Links are what programs are attached by.
type Links []link.Link

// Trace attaches programs to the tracepoints that they name: all of them, or none.
func Trace(programs ...*ebpf.Program) (Links, error) {
	var all Links
	for _, p := range programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, errors.Join(Unsupported("attach "+p.String(), err), all.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

// Close detaches the programs, the last one first.
func (l Links) Close() error {
	var errs []error
	for i := len(l) - 1; i >= 0; i-- {
		errs = append(errs, l[i].Close())
	}
	return errors.Join(errs...)
}

// Ring is a ring of the kernel that is read. It is for one goroutine, but for Close.
type Ring struct {
	reader *ringbuf.Reader
	record ringbuf.Record
}

// OpenRing opens a ring to be read.
func OpenRing(m *ebpf.Map) (*Ring, error) {
	r, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", m, err)
	}
	return &Ring{reader: r}, nil
}

// Read waits for a record until the deadline, which is an error that wraps os.ErrDeadlineExceeded.
// Records that do not wake the reader are found at the deadline. The bytes are good until the
// next call. After Close the error wraps os.ErrClosed.
func (r *Ring) Read(deadline time.Time) ([]byte, error) {
	r.reader.SetDeadline(deadline)
	if err := r.reader.ReadInto(&r.record); err != nil {
		return nil, err
	}
	return r.record.RawSample, nil
}

// Close ends Read, for good.
func (r *Ring) Close() error { return r.reader.Close() }

// Counters reads an array of counters, each of which every processor has one of: their sums, by
// number.
func Counters(m *ebpf.Map, to ...*uint64) error {
	for i := range to {
		var each []uint64
		if err := m.Lookup(uint32(i), &each); err != nil {
			return fmt.Errorf("read %s: %w", m, err)
		}
		*to[i] = 0
		for _, n := range each {
			*to[i] += n
		}
	}
	return nil
}
