package memcached

import (
	"bytes"

	"shark/dissector"
)

// probe knows a command by its name and arguments, a reply by its words, a binary
// message by its header. Words that other line protocols have too are believed only
// where the port or the connection is memcached's.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	switch c := head[0]; {
	case c == magicRequest || c == magicResponse:
		return probeBinary(head)
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		if g := probeText(head); g != dissector.No {
			return g
		}
	}
	if seq, ok := readFrame(head); ok && seq == 0 {
		return probeFramed(head[frameSize:])
	}
	return dissector.No
}

// probeFramed probes what a UDP frame holds, which is all there is.
func probeFramed(b []byte) dissector.Guess {
	g := probeText(b)
	if b[0] == magicRequest || b[0] == magicResponse {
		g = probeBinary(b)
	}
	switch g {
	case dissector.More:
		return dissector.No
	case dissector.MaybeRequest: // the frame is proof enough
		return dissector.Request
	case dissector.MaybeResponse:
		return dissector.Response
	}
	return g
}

func probeBinary(head []byte) dissector.Guess {
	if len(head) < headerSize {
		return dissector.More
	}
	h, ok := readHeader(head)
	if !ok || !h.strict() {
		return dissector.No
	}
	if rest := int64(len(head)) - headerSize - h.body; rest > 0 && head[headerSize+h.body] != h.magic {
		return dissector.No
	}
	if h.magic == magicRequest {
		return dissector.Request
	}
	return dissector.Response
}

func probeText(head []byte) dissector.Guess {
	eol := bytes.IndexByte(head[:min(len(head), maxProbe)], '\n')
	if eol < 0 {
		return probePart(head)
	}
	line, ended := bytes.CutSuffix(head[:eol], []byte("\r"))
	if !printable(line) {
		return dissector.No
	}
	g := probeCommand(line, head[eol+1:])
	if g == dissector.No {
		g = probeReply(line, head[eol+1:])
	}
	if !ended { // memcached takes it so, but no client sends it so
		switch g {
		case dissector.Request:
			return dissector.MaybeRequest
		case dissector.Response:
			return dissector.No
		}
	}
	return g
}

// probePart asks for the rest of a line that begins with a word of memcached's.
func probePart(head []byte) dissector.Guess {
	word, _, whole := bytes.Cut(head[:min(len(head), maxProbe)], []byte(" "))
	if !printable(head[:min(len(head), maxProbe)]) {
		return dissector.No
	}
	word = bytes.TrimSuffix(word, []byte("\r"))
	syn, ok := commands[string(word[:min(len(word), maxName)])]
	_, answer := words[string(word[:min(len(word), maxName)])]
	switch {
	case len(head) >= maxProbe && ok && syn.many && twoKeys(head):
		return dissector.Request
	case len(head) >= maxProbe:
		return dissector.No
	case whole && !ok && !answer:
		return dissector.No
	case whole:
		return dissector.More
	}
	return prefix(word)
}

// twoKeys tells whether a line that goes on has at least two keys.
func twoKeys(head []byte) bool { return bytes.Count(head[:maxProbe], []byte(" ")) > 2 }

// prefix asks for more of a word that may become one of memcached's.
func prefix(word []byte) dissector.Guess {
	for name := range commands {
		if len(word) <= len(name) && name[:len(word)] == string(word) {
			return dissector.More
		}
	}
	for name := range words {
		if len(word) <= len(name) && name[:len(word)] == string(word) {
			return dissector.More
		}
	}
	if _, ok := decimal(word); ok {
		return dissector.More
	}
	return dissector.No
}

// probeCommand judges a whole line, behind which comes rest.
func probeCommand(line, rest []byte) dissector.Guess {
	c := readCommand(line)
	if !c.known || bytes.IndexByte(line, '\t') >= 0 {
		return dissector.No
	}
	if c.size > 0 && int64(len(rest)) >= c.data+2 && string(rest[c.data:c.data+2]) != "\r\n" {
		return dissector.No
	}
	if c.shared && !(string(c.name) == "get" && c.n > 1) && !(c.kind == deletion && c.quiet) {
		return dissector.MaybeRequest
	}
	return dissector.Request
}

// words are the first words of replies: true for those that no other line protocol
// has.
var words = map[string]bool{
	"STORED": true, "NOT_STORED": true, "EXISTS": true, "VALUE": true, "STAT": true, "VERSION": true,
	"CLIENT_ERROR": true, "SERVER_ERROR": true, "VA": true, "ME": true,
	"NOT_FOUND": false, "DELETED": false, "TOUCHED": false, "END": false, "RESET": false, "OK": false, "ERROR": false,
	"BUSY": false, "BADCLASS": false, "NOSPARE": false, "NOTFULL": false, "UNSAFE": false, "SAME": false,
	"ITEM": false, "PREFIX": false, "HD": false, "EN": false, "NS": false, "EX": false, "NF": false, "MN": false,
}

// refused is what a server that has too many connections says to one more, asked or not.
const refused = "ERROR Too many open connections"

// probeReply judges a whole line of the server, behind which comes rest.
func probeReply(line, rest []byte) dissector.Guess {
	word, text := firstWord(line)
	n := 0
	var arg [4][]byte
	for w := range bytes.FieldsSeq(text) {
		if n < len(arg) {
			arg[n] = w
		}
		n++
	}
	if string(line) == refused {
		return dissector.Response
	}
	switch string(word) {
	case "STORED", "NOT_STORED", "EXISTS":
		return sure(n == 0)
	case "CLIENT_ERROR", "SERVER_ERROR":
		return sure(n > 0)
	case "STAT":
		return sure(n > 0)
	case "VERSION":
		return sure(n == 1 && text[0] >= '0' && text[0] <= '9')
	case "VALUE":
		_, flags := decimal(arg[1])
		_, cas := decimal(arg[3])
		return sure((n == 3 || n == 4 && cas) && len(arg[0]) <= maxKey && flags && block(arg[2], rest))
	case "VA":
		return sure(n > 0 && flags(text, 1) && block(arg[0], rest))
	case "ME":
		return sure(n > 1 && bytes.IndexByte(arg[1], '=') > 0)
	case "NOT_FOUND", "DELETED", "TOUCHED", "END", "RESET", "OK", "ERROR", "EN", number:
		return perhaps(n == 0)
	case "HD", "NS", "EX", "NF", "MN":
		return perhaps(flags(text, 0))
	case "ITEM", "PREFIX", "BUSY", "BADCLASS", "NOSPARE", "NOTFULL", "UNSAFE", "SAME", "KEY":
		return perhaps(n > 0)
	}
	return dissector.No
}

func sure(ok bool) dissector.Guess {
	if ok {
		return dissector.Response
	}
	return dissector.No
}

func perhaps(ok bool) dissector.Guess {
	if ok {
		return dissector.MaybeResponse
	}
	return dissector.No
}

// block tells whether rest begins with a data block of the length that b says.
func block(b, rest []byte) bool {
	n, ok := decimal(b)
	if !ok || n < 0 || n > maxValue {
		return false
	}
	return int64(len(rest)) < n+2 || string(rest[n:n+2]) == "\r\n"
}
