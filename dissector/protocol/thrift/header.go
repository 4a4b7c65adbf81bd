package thrift

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strconv"
	"sync"
)

// headered is what a THeader says (HeaderFormat.md).
type headered struct {
	id      uint32
	name    string // of the transport
	payload []byte // nil when it is in a form that is not read
}

const transformZlib = 1

// readHeader reads the THeader at the front of a frame of size bytes, of which b is at
// hand. A compressed payload is inflated into room, as far as that goes, and only once:
// nobody compresses twice.
func readHeader(b []byte, size int64, room []byte) (t headered, err error) {
	if len(b) < 10 || b[0] != 0x0f || b[1] != 0xff {
		return t, errMalformed
	}
	t.id, t.name = binary.BigEndian.Uint32(b[4:]), "header"
	end := 10 + 4*int(binary.BigEndian.Uint16(b[8:]))
	if end > len(b) || int64(end) >= size {
		return t, errMalformed
	}
	r := bytesReader{b: b[:end], off: 10}
	protocol, transforms := r.varint(), r.varint()
	if r.short || r.bad || protocol != 0 && protocol != 2 || transforms > 4 {
		return t, errMalformed
	}
	t.payload = b[end:]
	zipped := false
	for range transforms {
		n := r.varint()
		if r.short || r.bad {
			return t, errMalformed
		}
		if n != transformZlib || zipped || t.payload == nil {
			t.name, t.payload = "header (transform "+strconv.FormatUint(n, 10)+")", nil
			continue
		}
		t.name, t.payload, zipped = "header (zlib)", inflate(t.payload, room), true
	}
	return t, nil
}

// inflate returns the beginning of what was compressed, at most as much as there is room
// for.
func inflate(b, room []byte) []byte {
	u := inflaters.Get().(*inflater)
	defer inflaters.Put(u)
	n := 0
	if u.begin(b) == nil {
		n, _ = io.ReadFull(u.z, room) // only a part of it is read, and not all of it is at hand
	}
	u.src.Reset(nil)
	if n == 0 {
		return nil
	}
	return room[:n]
}

// inflater keeps a reader, which is dear to make.
type inflater struct {
	src bytes.Reader
	z   io.ReadCloser // nil until it is used
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// begin sets the reader on what was compressed.
func (u *inflater) begin(b []byte) (err error) {
	u.src.Reset(b)
	if u.z != nil {
		return u.z.(zlib.Resetter).Reset(&u.src, nil)
	}
	z, err := zlib.NewReader(&u.src)
	if err == nil {
		u.z = z
	}
	return err
}
