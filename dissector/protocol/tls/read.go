package tls

import "shark/dissector/wire"

// reader takes numbers and vectors from the front of a message.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

func (r *reader) uint(size int) int {
	n := 0
	for _, c := range r.Take(size) {
		n = n<<8 | int(c)
	}
	return n
}

// vector takes a run of bytes that its length in size bytes stands before.
func (r *reader) vector(size int) []byte { return r.Take(r.uint(size)) }

// Numbers is a list of 16-bit numbers as it is on the wire.
type Numbers []byte

// Len returns how many numbers there are.
func (l Numbers) Len() int { return len(l) / 2 }

// At returns the number at a place below Len.
func (l Numbers) At(i int) uint16 { return uint16(l[2*i])<<8 | uint16(l[2*i+1]) }

// isGrease tells whether n is one of the values that clients mix in to keep
// servers tolerant (RFC 8701).
func isGrease(n uint16) bool { return n&0x0f0f == 0x0a0a && n>>8 == n&0xff }
