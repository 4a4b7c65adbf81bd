package tds

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
)

const (
	seenText = 32  // characters of a text to tell it by
	seenMost = 512 // bytes of a packet to tell it by
)

// probe knows a packet by its header and by what its type must begin with.
func probe(head []byte) dissector.Guess {
	if len(head) < headerSize {
		if len(head) > 0 && names[head[0]] == "" && head[0] != typeResponse || len(head) > 1 && head[1]&^allStatus != 0 ||
			len(head) > 3 && binary.BigEndian.Uint16(head[2:]) > maxPacket {
			return dissector.No
		}
		return dissector.More
	}
	h, ok := readHeader(head)
	if !ok || h.window != 0 || names[h.kind] == "" && h.kind != typeResponse || !h.last() && h.length < 512 {
		return dissector.No
	}
	b := head[headerSize:min(len(head), h.length)]
	if len(head) < h.length && len(head) < seenMost {
		return dissector.More
	}
	if after := head[headerSize+len(b):]; len(after) > 0 && after[0] != h.kind && names[after[0]] == "" && !isTLS(after[:min(len(after), 5)]) {
		return dissector.No
	}
	all := len(head) >= h.length
	if h.kind == typeResponse {
		return probeResponse(b, all)
	}
	return probeRequest(h, b, all)
}

func when(ok bool, g dissector.Guess) dissector.Guess {
	if ok {
		return g
	}
	return dissector.No
}

func probeRequest(h header, b []byte, all bool) dissector.Guess {
	n := headersLen(b)
	if (h.kind == typeBatch || h.kind == typeRPC) && n == 0 && h.id > 1 {
		return dissector.No // it goes on with a message: packets are numbered from 1
	}
	switch h.kind {
	case typePrelogin:
		if isTLS(b) { // either side's
			return dissector.No
		}
		_, ok := options(b)
		return when(ok && all, dissector.Request)
	case typeLogin:
		return when(isLogin(h, b), dissector.Request)
	case typeBatch:
		return when(isText(b[n:], n > 0), dissector.Request)
	case typeRPC:
		return when(isCall(b[n:], n > 0), dissector.Request)
	case typeTransaction:
		return when(n > 0 && len(b) >= n+2 && transactions[int(binary.LittleEndian.Uint16(b[n:]))] != "", dissector.Request)
	case typeAttention:
		return when(h.length == headerSize && h.last(), dissector.MaybeRequest)
	case typeSSPI:
		return when(bytes.HasPrefix(b, []byte("NTLMSSP\x00")), dissector.Request)
	}
	return dissector.No
}

// isLogin tells whether b begins LOGIN7: its length, a version, and texts behind what has a
// fixed place.
func isLogin(h header, b []byte) bool {
	if len(b) < 86 || versions[b[7]] == "" || b[6] > 0x0b || b[5] != 0 || b[4] > 4 {
		return false
	}
	n, payload := int64(binary.LittleEndian.Uint32(b)), int64(h.length-headerSize)
	return (n == payload || n > payload && !h.last()) && binary.LittleEndian.Uint16(b[36:]) >= 86
}

// isText tells whether b begins a statement: letters of two bytes each. Without headers
// before it more of them are wanted.
func isText(b []byte, headers bool) bool {
	n := min(len(b)/2, seenText)
	for i := range n {
		c := rune(b[2*i]) | rune(b[2*i+1])<<8
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || !headers && c > 0x7e {
			return false
		}
	}
	return n >= 4 || headers && n >= 1
}

// isCall tells whether b begins the call of a procedure.
func isCall(b []byte, headers bool) bool {
	if len(b) < 6 {
		return false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n == 0xffff {
		return procedures[int(binary.LittleEndian.Uint16(b[2:]))] != "" && binary.LittleEndian.Uint16(b[4:])&^7 == 0
	}
	if n == 0 || n > 1046 {
		return false
	}
	b = b[2:]
	return isText(b[:min(len(b), 2*n)], headers)
}

// probeResponse takes the tokens at the front of a message: nothing else may be there,
// and at its end, if it is at hand, they must end too.
func probeResponse(b []byte, all bool) dissector.Guess {
	if len(b) == 0 {
		return dissector.No
	}
	if _, ok := options(b); ok && all {
		return dissector.Response
	}
	return when(fits(b, all, false) || fits(b, all, true), dissector.Response)
}

// fits tells whether b begins a response as a version has them.
func fits(b []byte, all, old bool) bool {
	t := tokens{session: &session{old: old}, at: -1}
	t.feed(b, true)
	known := t.result.hasError || t.result.hasInfo || t.result.loggedIn || len(t.columns) > 0 && t.defined == 0 || t.result.ended
	return !t.bad && known && (!all || len(t.carry) == 0 && t.skip == 0 || t.defined > 0 || t.at >= 0)
}
