package pcapng

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"shark/packet"
)

// Open opens a capture file.
func Open(path string) (*Reader, error) { return openShown(path, nil) }

// openShown opens a capture file, of which what is read is shown to see, unless that is nil.
func openShown(path string, see func([]byte)) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var src io.Reader = f
	if see != nil {
		src = watched{f, see}
	}
	r, err := NewReader(src, path)
	if err != nil {
		_ = f.Close() // it was only read from
		return nil, err
	}
	r.file = f
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && r.unpack == nil {
		r.seekable, r.points = true, []Point{r.here()}
	}
	return r, nil
}

// watched is a reader of which somebody else sees what is read.
type watched struct {
	io.Reader
	see func([]byte)
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.see(p[:n])
	return n, err
}

// NewReader reads a capture from any stream, such as standard input; name is
// what damage and errors call it. It reads the file header at once, and an
// input that is no capture is an error that wraps ErrFormat. The caller keeps
// src and closes it after the Reader.
func NewReader(src io.Reader, name string) (*Reader, error) {
	in, unpack, err := openPacking(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &Reader{name: name, src: in, unpack: unpack}
	if err := r.readHeader(in); err != nil {
		if unpack != nil {
			unpack.closeAll()
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if unpack != nil {
		unpack.start()
		r.src = unpack
	}
	return r, nil
}

// readHeader finds out the format.
func (r *Reader) readHeader(in *bufio.Reader) error {
	head, err := in.Peek(12)
	if len(head) < 12 {
		var bad *packingError
		switch {
		case errors.As(err, &bad):
			r.torn = bad
		case err != nil && err != io.EOF:
			return err
		}
	}
	switch {
	case len(head) == 0 && r.torn != nil:
		return fmt.Errorf("%w: %w", ErrFormat, r.torn)
	case len(head) == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	case len(head) < 4:
		return fmt.Errorf("%w: it is %d bytes long", ErrFormat, len(head))
	}
	if isSectionHeader(head) {
		return r.readNgHeader(in, head)
	}
	return r.readPcapHeader(in)
}

// readNgHeader checks the version of the first section; the block itself is
// parsed with the others.
func (r *Reader) readNgHeader(in *bufio.Reader, head []byte) error {
	ng := new(ngFile)
	r.format = ng
	if len(head) < 12 {
		return nil // reported as damage by the first ReadBatch
	}
	big, ok := byteOrder(head[8:])
	if !ok {
		return fmt.Errorf("%w: a section header without a byte-order magic", ErrFormat)
	}
	head, _ = in.Peek(16)
	if len(head) == 16 {
		if major := load16(head[12:], big); major != 1 {
			return fmt.Errorf("%w: pcapng version %d.%d is not known", ErrFormat, major, load16(head[14:], big))
		}
	}
	return nil
}

func (r *Reader) readPcapHeader(in *bufio.Reader) error {
	head, err := in.Peek(pcapHeader)
	if len(head) < 4 {
		return err
	}
	p, ok := newPcap(head)
	if !ok {
		return fmt.Errorf("%w: it begins with % x", ErrFormat, head[:4])
	}
	r.format = p
	if len(head) < pcapHeader {
		r.over = true
		reason := "the file ends in its header"
		if r.torn != nil {
			reason = r.torn.Error()
		}
		r.addDamage(0, int64(len(head)), reason)
		return nil
	}
	p.readHeader(head)
	r.meta.addInterface(packet.Interface{Link: p.link, SnapLen: p.snapLen})
	_, _ = in.Discard(pcapHeader) // as much was peeked at
	r.base = pcapHeader
	return nil
}
