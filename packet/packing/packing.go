// Package packing takes gzip and zstd off what is read, which it knows by its
// first bytes, never by a name.
package packing

import (
	"bufio"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Kind is a way of packing, by the name people know it by.
type Kind string

// The packings that are taken off.
const (
	None Kind = ""
	Gzip Kind = "gzip"
	Zstd Kind = "zstd"
)

// maxWindow is the largest zstd window, that of `zstd --long`, in bytes.
const maxWindow = 128 << 20

// Of tells how what r gives is packed, by its magic number (RFC 1952 section
// 2.3.1, RFC 8878 section 3.1). It reads nothing off r.
func Of(r *bufio.Reader) Kind {
	head, _ := r.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case len(head) < 4:
		return None
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
		return Zstd
	}
	return None
}

// Open unpacks what r gives. Closing the result leaves r open.
func Open(kind Kind, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// Input remembers the error of reading R, which would otherwise be taken for
// corrupt packing.
type Input struct {
	R   io.Reader
	Err error // nil at the end of R
}

// Read implements io.Reader.
func (s *Input) Read(p []byte) (int, error) {
	n, err := s.R.Read(p)
	if err != nil && err != io.EOF {
		s.Err = err
	}
	return n, err
}
