package http3

// The types of frames that are read (RFC 9114 section 7.2).
const (
	frameData     = 0x00
	frameHeaders  = 0x01
	frameSettings = 0x04
	frameGoAway   = 0x07
)

// maxFrameHead is how long a frame's type and length are at most (section 7.1).
const maxFrameHead = 16

// frames cuts the bytes of a side of a stream into frames, whatever pieces they come in.
type frames struct {
	head [maxFrameHead]byte // its type and length, as far as they came
	had  int                // how far
	kind uint64             // of the frame at hand
	size uint64             // of its payload
	left uint64             // bytes of that which did not come yet
	in   bool               // there is a frame at hand
	keep bool               // its payload is kept
	kept []byte             // the payload so far
	lost bool               // where frames begin is not known any more
}

// varint reads a number at the front of b (RFC 9000 section 16); n is 0 if b ends inside of it.
func varint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	if n = 1 << (b[0] >> 6); len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}

// open takes the type and length of a frame from the front of b and returns how many bytes that
// took: all of them if there are more to come. most says how much payload of a frame of a type
// is kept; larger ones are not.
func (f *frames) open(b []byte, most func(kind uint64) uint64) int {
	had := f.had
	f.had += copy(f.head[had:], b)
	head := f.head[:f.had]
	kind, n := varint(head)
	size, more := varint(head[n:])
	if n == 0 || more == 0 {
		return f.had - had
	}
	f.kind, f.size, f.left, f.in, f.had = kind, size, size, true, 0
	f.keep = size <= most(kind)
	return n + more - had
}

// next takes what comes of the payload at hand from the front of b, and tells how much that is
// and whether it is all.
func (f *frames) next(b []byte) (n int, done bool) {
	n = int(min(uint64(len(b)), f.left))
	if f.keep {
		f.kept = append(f.kept, b[:n]...)
	}
	f.left -= uint64(n)
	f.in = f.left > 0
	return n, !f.in
}

// payload returns the payload that was kept, nil if it was not, and forgets it: it is good until
// the next frame.
func (f *frames) payload() []byte {
	if !f.keep {
		return nil
	}
	b := f.kept
	if f.kept = b[:0]; cap(b) > keepPayload {
		f.kept = nil
	}
	return b
}

// keepPayload is how much memory is kept from frame to frame, in bytes.
const keepPayload = 1 << 10

// pass passes over n bytes that were not captured, if they are of a payload that nobody keeps.
func (f *frames) pass(n uint64) bool {
	if f.lost || !f.in || f.keep || n > f.left {
		return false
	}
	f.left -= n
	f.in = f.left > 0
	return true
}

// lose says that where frames begin is not known.
func (f *frames) lose() { *f = frames{lost: true} }
