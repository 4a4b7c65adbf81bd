package amqp

import (
	"strings"

	"shark/dissector"
)

// probe knows a method frame that is good to its last octet and that only one side
// sends. Methods that both send, such as basic.ack, prove the place but not the
// sender. Nor does the protocol header, which is also a server's way to refuse another
// version (specification, 4.2.2): who sent it is known by the handshake, or when the
// server answers connection.start. With heartbeats more is asked for.
func probe(head []byte) dissector.Guess {
	if strings.HasPrefix(header, string(head[:min(len(head), len(header))])) {
		if len(head) < len(header) {
			return dissector.More
		}
		return dissector.Either
	}
	var m dissector.Message
	var a args
	so := dissector.More
	for off := 0; off < len(head); {
		if head[off] != methodFrame && head[off] != heartbeatFrame {
			return dissector.No
		}
		f, err := readFrame(head, off, &m)
		if err == dissector.ErrShort {
			return so
		}
		if err != nil || f.size > maxProbe || f.kind == heartbeatFrame && f.channel != 0 || !known(f, head[off+frameHead:]) {
			return dissector.No
		}
		b, next, err := f.payload(head, off, &m)
		if err == dissector.ErrShort {
			return so
		}
		if err != nil {
			return dissector.No
		}
		off = next
		if f.kind == heartbeatFrame {
			continue
		}
		md := readMethod(f, b, client|server, &a)
		switch {
		case md == nil || off < len(head) && !follows(head[off]):
			return dissector.No
		case md.from == client:
			return dissector.Request
		case md.from == server:
			return dissector.Response
		}
		so = dissector.Either
	}
	return so
}

// follows tells whether a frame may begin with c.
func follows(c byte) bool { return c >= methodFrame && c <= bodyFrame || c == heartbeatFrame }

// known tells whether b may begin the payload of a frame: with a method that
// there is, or with nothing.
func known(f frame, b []byte) bool {
	if f.kind != methodFrame || len(b) < 4 {
		return f.kind == heartbeatFrame || f.size >= 4
	}
	r := newReader(b)
	md := methods[newID(r.short(), r.short())]
	return md != nil && (md.id>>16 == 10) == (f.channel == 0)
}
