package ssh

import (
	"bytes"

	"shark/dissector"
)

// probe wants an identification string, or else a KEXINIT, and reads on until it knows
// who sends it: a client by its KEXINIT or by the message behind it, a server only by
// that. It answers what the client has said, so that this was captured before. Until then
// an identification string, which nothing else begins with, is either side's.
func probe(head []byte) dissector.Guess {
	b, more := head, dissector.More
	if !begins(b, "\x00\x00") {
		if !begins(b, "SSH-") && !bytes.Contains(b[:min(len(b), maxText)], []byte("\nSSH-")) {
			return dissector.No
		}
		_, size, err := ident(b)
		switch {
		case err == dissector.ErrShort:
			return dissector.More
		case err != nil:
			return dissector.No
		}
		b, more = b[size:], dissector.Either
	}
	number, payload, span, err := packet(b)
	switch {
	case err == dissector.ErrShort:
		return more
	case err != nil || number != msgKexInit:
		return dissector.No
	}
	k, err := readKexInit(payload, span <= int64(len(b)))
	switch {
	case err == dissector.ErrShort:
		return more
	case err != nil:
		return dissector.No
	}
	who := k.sender()
	if who == dissector.Request {
		return who
	}
	if span > int64(len(b)) {
		return more
	}
	number, _, _, err = packet(b[span:])
	switch {
	case err == dissector.ErrShort:
		return more
	case err != nil:
		return dissector.No
	case who != dissector.Response && (number == msgKexInitDH || number == msgGexRequest):
		return dissector.Request
	case number == msgKexReplyDH:
		return dissector.Response
	}
	return dissector.No
}

// begins tells whether b begins so, as far as it goes.
func begins(b []byte, with string) bool {
	n := min(len(b), len(with))
	return string(b[:n]) == with[:n]
}
