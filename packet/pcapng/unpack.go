package pcapng

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"shark/packet/packing"
)

// packingError says that packed bytes are cut or corrupt, as opposed to an
// error of reading them.
type packingError struct {
	packing packing.Kind
	err     error
}

func (e *packingError) Error() string {
	if errors.Is(e.err, io.ErrUnexpectedEOF) {
		return string(e.packing) + " data is cut short"
	}
	return fmt.Sprintf("%s data is corrupt: %v", e.packing, e.err)
}

func (e *packingError) Unwrap() error { return e.err }

// layer is one layer of packing.
type layer struct {
	packing packing.Kind
	r       io.Reader
	in      *packing.Input
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	var inner *packingError
	switch {
	case l.in.Err != nil:
		err = l.in.Err
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
	in := &packing.Input{R: src}
	r := bufio.NewReaderSize(in, unpackInput)
	var u *unpacker
	for depth := 0; ; depth++ {
		kind := packing.Of(r)
		if kind == packing.None {
			return r, u, nil
		}
		if depth == maxPacking {
			u.closeAll()
			return nil, nil, fmt.Errorf("%w: packed more than %d times", ErrFormat, maxPacking)
		}
		if u == nil {
			u = new(unpacker)
		}
		open, err := packing.Open(kind, r)
		if err != nil {
			u.closeAll()
			if in.Err != nil {
				return nil, nil, in.Err
			}
			return nil, nil, fmt.Errorf("%w: %w", ErrFormat, &packingError{kind, err})
		}
		u.layers = append(u.layers, open)
		r = bufio.NewReaderSize(&layer{kind, open, in}, unpackInput)
		u.src = r
	}
}

// unpacker unpacks in a goroutine of its own, a few pieces ahead of its reader.
type unpacker struct {
	src    io.Reader
	layers []io.Closer
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
	for _, l := range u.layers {
		_ = l.Close() // it was only read from
	}
	u.layers = nil
}
