package smtp

import (
	"bytes"

	"shark/dissector/wire"
)

// verbs are the commands that there are, with what their kind is.
var verbs = map[string]uint64{
	"EHLO": kindHello, "HELO": kindHello, "LHLO": kindHello,
	"MAIL": kindMail, "SEND": kindMail, "SOML": kindMail, "SAML": kindMail,
	"RCPT": kindRcpt, "DATA": kindData, "BDAT": kindChunk, "BURL": kindLast, "AUTH": kindAuth, "RSET": kindReset, "STARTTLS": kindStartTLS,
	"QUIT": kindOther, "NOOP": kindOther, "VRFY": kindOther, "EXPN": kindOther, "HELP": kindOther, "TURN": kindOther, "ATRN": kindOther,
	"ETRN": kindOther, "XCLIENT": kindOther, "XFORWARD": kindOther, "VERB": kindOther, "XEXCH50": kindOther,
}

// verbOf splits a line into the command, in capitals, and its argument. known is false
// for what is no command of the table.
func verbOf(line []byte) (verb string, argument []byte, known bool) {
	word, argument := line, []byte(nil)
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		word, argument = line[:i], bytes.TrimSpace(line[i:])
	}
	if len(word) > len("STARTTLS") {
		return "", nil, false
	}
	verb = string(bytes.ToUpper(word))
	_, known = verbs[verb]
	return verb, argument, known
}

// path takes the address behind FROM: or TO: (RFC 5321 section 4.1.2); some put a space
// before it, or leave the brackets out.
func path(argument []byte, keyword string) (address []byte, ok bool) {
	if len(argument) < len(keyword) || !bytes.EqualFold(argument[:len(keyword)], []byte(keyword)) {
		return nil, false
	}
	rest := bytes.TrimLeft(argument[len(keyword):], " ")
	if len(rest) == 0 || rest[0] != '<' {
		address, _, _ = bytes.Cut(rest, []byte(" "))
		return wire.Clip(address, maxName), len(address) > 0
	}
	quoted := false
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return wire.Clip(rest[1:i], maxName), true
		}
	}
	return nil, false
}

// printable tells whether a line is text.
func printable(b []byte) bool { return wire.Printable(b, "\t") }
