package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"shark/dissector"
)

// walk goes over the frames that bytes of unknown place begin with, and adds up what
// speaks for them.
type walk struct {
	bits   int  // of evidence
	text   int  // bytes of text that were masked
	masked bool // by the first frame
	open   bool
	plain  bool // the open message is text
}

// probe walks over frames. The first bytes of a connection are never WebSocket's, and few
// bits of a header are fixed: so frames are believed where the connection is known to
// speak it. Only masked text is certain: nothing else gives text under a key that stands
// before it.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	switch head[0] {
	case 0x80 | opText, 0x80 | opBinary, 0xc0 | opText, 0xc0 | opBinary, opText, opBinary, 0x40 | opText, 0x40 | opBinary,
		0x80 | opClose, 0x80 | opPing, 0x80 | opPong:
	default:
		return dissector.No
	}
	var w walk
	if !w.frames(head[:min(len(head), dissector.MaxProbe)]) {
		return dissector.No
	}
	switch {
	case w.text >= certain:
		return dissector.Request
	case w.bits < enough:
		return dissector.More
	case w.masked:
		return dissector.MaybeRequest
	}
	return dissector.MaybeResponse
}

// frames walks to the end of b, and tells whether all of it may be frames.
func (w *walk) frames(b []byte) bool {
	for n := range maxFrames {
		f, _, err := readFrame(b)
		if err == dissector.ErrShort {
			return true
		}
		if err != nil || n > 0 && f.masked != w.masked || !w.fits(&f) {
			return false
		}
		w.masked = f.masked
		w.bits += 5 // opcode and flags, as one of 256, and the mask's flag
		payload := b[f.size:min(int64(len(b)), int64(f.size)+f.length)]
		if !w.look(&f, payload) {
			return false
		}
		if b = b[f.size+len(payload):]; len(b) == 0 {
			return true
		}
	}
	return true
}

// fits tells whether a frame may follow those before it.
func (w *walk) fits(f *frame) bool {
	if f.control() {
		return true
	}
	if w.open != (f.opcode == opContinuation) {
		return false
	}
	w.open = !f.fin
	if f.opcode != opContinuation {
		w.plain = f.opcode == opText && !f.packed
	}
	return f.fin || f.length > 0
}

// look judges a payload, or the beginning of one.
func (w *walk) look(f *frame, b []byte) bool {
	whole := int64(len(b)) == f.length
	if f.opcode == opClose && f.length == 1 {
		return false
	}
	if f.opcode == opClose && len(b) >= 2 {
		two := f.unmask(make([]byte, 0, 2), b[:2], 0)
		code := binary.BigEndian.Uint16(two)
		w.bits += 4
		return code >= 1000 && code < 5000
	}
	if f.control() || !w.plain {
		return true
	}
	text := f.unmask(make([]byte, 0, len(b)), b, 0)
	if whole && f.fin && f.opcode == opText && !utf8.Valid(text) {
		return false
	}
	before := w.bits
	for _, c := range text {
		switch {
		case c >= ' ' && c < 0x7f:
			w.bits++
		case c < ' ' && c != '\t' && c != '\n' && c != '\r':
			w.bits -= 4
		}
	}
	if whole && w.bits-before == len(text) && f.key != [4]byte{} {
		w.text += len(text)
	}
	return true
}
