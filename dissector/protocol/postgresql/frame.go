package postgresql

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/wire"
)

// frame is a message of the protocol: a type, a length that counts itself, a body
// (section 54.7, Message Formats).
type frame struct {
	kind byte
	size int64  // of all of it
	body []byte // or the first bytes of it
}

// read reads the message at the front of buf, with at least the first want bytes of
// its body, or all of it. When they are not there, need is the length of buf from
// which on they are.
func read(buf []byte, want func(kind byte) int) (f frame, need int, err error) {
	if len(buf) < 5 {
		return f, 5, dissector.ErrShort
	}
	n := int64(binary.BigEndian.Uint32(buf[1:]))
	if n < 4 || n >= maxFrame {
		return f, 0, errMalformed
	}
	f.kind, f.size = buf[0], n+1
	if need = 5 + int(min(n-4, int64(want(f.kind)))); len(buf) < need {
		return f, need, dissector.ErrShort
	}
	f.body = buf[5:min(int64(len(buf)), f.size)]
	return f, 0, nil
}

// text takes the string at the front of b, which a zero byte ends, off b.
func text(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+1:], true
}

// number takes a 16-bit number off b.
func number(b []byte) (n int, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, false
	}
	return int(binary.BigEndian.Uint16(b)), b[2:], true
}

// shorten cuts b to limit bytes, at the end of a character, and says so.
func shorten(b []byte, limit int, cut bool) []byte {
	if len(b) <= limit && !cut {
		return b
	}
	head := wire.Whole(b[:min(len(b), limit)])
	return append(head[:len(head):len(head)], wire.CutMark...)
}

// line makes one line of the beginning of a text.
func line(b []byte) []byte {
	b = bytes.TrimSpace(b)
	cut := len(b) > maxSummary
	out := make([]byte, 0, maxSummary+3)
	for _, c := range b {
		if c < ' ' {
			c = ' '
		}
		if c == ' ' && len(out) > 0 && out[len(out)-1] == ' ' {
			continue
		}
		if len(out) == maxSummary {
			return shorten(out, maxSummary, true)
		}
		out = append(out, c)
	}
	return shorten(out, maxSummary, cut && len(out) == maxSummary)
}
