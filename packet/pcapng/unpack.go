package pcapng

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packingError says that packed bytes are cut or corrupt, as opposed to an
// error of reading them.
type packingError struct {
	packing string
	err     error
}

func (e *packingError) Error() string {
	if errors.Is(e.err, io.ErrUnexpectedEOF) {
		return e.packing + " data is cut short"
	}
	return fmt.Sprintf("%s data is corrupt: %v", e.packing, e.err)
}

func (e *packingError) Unwrap() error { return e.err }

// source remembers the error of the input itself, which would otherwise be
// taken for corrupt packing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// layer is one layer of packing.
type layer struct {
	packing string
	r       io.Reader
	in      *source
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	var inner *packingError
	switch {
	case l.in.err != nil:
		err = l.in.err
	case errors.As(err, &inner):
		err = inner
	default:
		err = &packingError{l.packing, err}
	}
	return n, err
}

// openPacking takes the layers of packing off src. The unpacker is nil when
// there are none.
func openPacking(src io.Reader) (*bufio.Reader, *unpacker, error) {
	in := &source{r: src}
	r := bufio.NewReaderSize(in, unpackInput)
	var u *unpacker
	for depth := 0; ; depth++ {
		packing := packingOf(r)
		if packing == "" {
			return r, u, nil
		}
		if depth == maxPacking {
			u.closeAll()
			return nil, nil, fmt.Errorf("%w: packed more than %d times", ErrFormat, maxPacking)
		}
		if u == nil {
			u = new(unpacker)
		}
		open, err := u.open(packing, r)
		if err != nil {
			u.closeAll()
			if in.err != nil {
				return nil, nil, in.err
			}
			return nil, nil, fmt.Errorf("%w: %w", ErrFormat, &packingError{packing, err})
		}
		r = bufio.NewReaderSize(&layer{packing, open, in}, unpackInput)
		u.src = r
	}
}

// packingOf names the packing of what r gives, by its magic number (RFC 1952
// section 2.3.1, RFC 8878 section 3.1).
func packingOf(r *bufio.Reader) string {
	head, _ := r.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case len(head) < 4:
		return ""
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
		return "zstd"
	}
	return ""
}

// unpacker unpacks in a goroutine of its own, a few pieces ahead of its reader.
type unpacker struct {
	src    io.Reader
	close  []func()
	full   chan piece
	free   chan []byte
	quit   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
	rest   []byte // of the piece being read
	piece  []byte
	reason error // why there are no more pieces
}

type piece struct {
	data []byte
	err  error
}

// open adds a layer over r.
func (u *unpacker) open(packing string, r io.Reader) (io.Reader, error) {
	if packing == "gzip" {
		return gzip.NewReader(r)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	u.close = append(u.close, z.Close)
	return z, nil
}

func (u *unpacker) start() {
	u.full = make(chan piece, unpackAhead)
	u.free = make(chan []byte, unpackAhead+1)
	u.quit = make(chan struct{})
	for range unpackAhead {
		u.free <- make([]byte, unpackSize)
	}
	u.done.Go(u.run)
}

// run fills pieces until the input ends or the unpacker is stopped.
func (u *unpacker) run() {
	defer u.closeAll()
	for {
		var buf []byte
		select {
		case buf = <-u.free:
		case <-u.quit:
			return
		}
		p := u.next(buf)
		select {
		case u.full <- p:
		case <-u.quit:
			return
		}
		if p.err != nil {
			return
		}
	}
}

// next fills one piece as far as it goes. io.ReadFull would hide why it ended.
func (u *unpacker) next(buf []byte) piece {
	for n, idle := 0, 0; ; {
		m, err := u.src.Read(buf[n:])
		n += m
		if idle++; m > 0 {
			idle = 0
		}
		if err == nil && idle > 100 {
			err = io.ErrNoProgress
		}
		if err != nil || n == len(buf) {
			return piece{buf[:n], err}
		}
	}
}

// Read gives the unpacked bytes.
func (u *unpacker) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.reason != nil {
			return 0, u.reason
		}
		if u.piece != nil {
			u.free <- u.piece[:cap(u.piece)]
			u.piece = nil
		}
		next := <-u.full
		u.piece, u.rest, u.reason = next.data, next.data, next.err
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// stop tells the goroutine to end; wait waits until it has.
func (u *unpacker) stop() { u.once.Do(func() { close(u.quit) }) }
func (u *unpacker) wait() { u.done.Wait() }

func (u *unpacker) closeAll() {
	for _, f := range u.close {
		f()
	}
	u.close = nil
}
