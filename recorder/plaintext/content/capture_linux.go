package content

import (
	"fmt"
	"os"
	"sync"
	"time"

	"shark/bpf/plaintext"
	"shark/packet"
	"shark/recorder/plaintext/object"
)

// Options of a Capture.
type Options struct {
	Ring int // bytes of the kernel's ring, a power of two; 0: 16 MiB
}

// Capture records plaintext.
type Capture struct {
	set        *plaintext.Set
	interfaces []packet.Interface

	// What follows is Run's alone.
	streams *streams
	held    []held
	arena   []byte // payloads of held
	spare   []byte // another arena
	buf     []byte // packets for the sink
	records []packet.Record
	damaged uint64
	told    uint64 // losses that the sink knows of
	asked   time.Time

	mu     sync.Mutex
	files  map[*Attachment]Attached
	status Status // as of the last tick
}

// Open loads the programs. What the kernel does not have, or does not allow, is an error that
// wraps errors.ErrUnsupported. Nothing is looked at yet.
func Open(o Options) (*Capture, error) {
	set, err := plaintext.Open(plaintext.Options{Ring: o.Ring})
	if err != nil {
		return nil, err
	}
	c := &Capture{set: set, files: make(map[*Attachment]Attached)}
	c.interfaces = []packet.Interface{{Link: linkRaw, Name: Interface, Description: "read and written in clear by TLS libraries"}}
	c.streams = newStreams(maxConnections, c.put)
	return c, nil
}

// Attachment is a file that is looked at.
type Attachment struct {
	c *Capture
	a *plaintext.Attachment
}

// Attach looks at the calls of a file's TLS library in all processes that execute it and may be
// looked at; name is for people. The file can be closed afterwards. Of what a file is,
// package object tells.
func (c *Capture) Attach(name string, f *os.File, o *object.Object) (*Attachment, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", name, err)
	}
	p, err := probes(f, info.Size(), o)
	if err != nil {
		return nil, fmt.Errorf("attach to %s (%s): %w", name, o.Library, err)
	}
	a, err := c.set.Attach(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), p)
	if err != nil {
		return nil, fmt.Errorf("attach to %s (%s): %w", name, o.Library, err)
	}
	at := &Attachment{c, a}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[at] = Attached{name, o.Library}
	return at, nil
}

// Close ends the look at the file.
func (a *Attachment) Close() error {
	a.c.mu.Lock()
	delete(a.c.files, a)
	a.c.mu.Unlock()
	if err := a.a.Close(); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

// Policy says which processes may be looked at. At first none may.
func (c *Capture) Policy() *plaintext.Policy { return c.set.Policy() }

// Close ends the recording. Run has returned, and attachments are closed.
func (c *Capture) Close() error { return c.set.Close() }
