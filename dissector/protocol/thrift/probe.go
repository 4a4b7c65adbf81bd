package thrift

import (
	"encoding/binary"

	"shark/dissector"
)

// probe knows a message by its head, and by its values as far as they are at hand. The
// binary protocol's version is proof; what has only a few bits of its own, or none, has
// to end where its frame does, or where the next message begins.
func probe(head []byte) dissector.Guess {
	if len(head) < 8 {
		return dissector.More
	}
	if !isFramed(head) {
		return probeMessage(head, false, false)
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size < 8 || size > maxFrame {
		return dissector.No
	}
	frame := head[4:min(int64(len(head)), 4+size)]
	whole := int64(len(frame)) == size
	if frame[0] != 0x0f {
		return probeMessage(frame, true, whole)
	}
	if len(frame) < 10 || frame[1] != 0xff {
		if len(frame) < 2 || frame[1] == 0xff {
			return dissector.More
		}
		return dissector.No
	}
	if need := min(size, maxHead); int64(len(frame)) < need {
		return dissector.More
	}
	t, err := readHeader(frame, size, make([]byte, maxHead))
	if err != nil || t.payload == nil {
		return dissector.No
	}
	h, err := readHead(t.payload)
	if err != nil {
		return dissector.No
	}
	return role(h.kind)
}

func role(kind int) dissector.Guess {
	if kind == call || kind == oneWay {
		return dissector.Request
	}
	return dissector.Response
}

// probeMessage looks at a message, in a frame or without, all of which may be at hand.
func probeMessage(b []byte, framed, whole bool) dissector.Guess {
	h, err := readHead(b)
	switch {
	case err == dissector.ErrShort && !whole:
		return dissector.More
	case err != nil:
		return dissector.No
	}
	var w walker
	w.begin(h.protocol, h.kind)
	values := b[h.size:]
	span, done, err := w.walk(values)
	switch {
	case err != nil && err != dissector.ErrShort:
		return dissector.No
	case done && framed:
		if whole && span == int64(len(values)) {
			return role(h.kind)
		}
		return dissector.No
	case whole: // the frame ends before the message does
		return dissector.No
	case h.protocol == binaryProtocol:
		return role(h.kind)
	case done && begins(values[span:], h.protocol):
		return role(h.kind)
	case done:
		return dissector.No
	case h.protocol == compactProtocol && framed && w.notes.seen && len(h.name) > 2 && len(b) >= maxHead:
		return role(h.kind)
	case len(b) < maxWait:
		return dissector.More
	}
	return dissector.No
}

// begins tells whether b, which comes behind a message, is nothing or begins another one.
func begins(b []byte, protocol int) bool {
	if len(b) == 0 {
		return true
	}
	h, err := readHead(b)
	return err == dissector.ErrShort || err == nil && h.protocol == protocol
}
