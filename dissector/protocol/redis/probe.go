package redis

import (
	"bytes"

	"shark/dissector"
)

// maxProbe is how many bytes a probe asks for at most.
const maxProbe = 256

// probe knows a command by its name in an array of strings, and a reply by a
// first byte whose line is just what Redis would send. The few inline commands
// it takes are none of another protocol's words; PING and "+OK" are also NATS's,
// where only the port can tell.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	switch head[0] {
	case '*':
		return probeArray(head)
	case '+', '-':
		return probeLine(head)
	case '$', '!', '=', ':', '_', '#', ',', '(', '%', '~', '>', '|':
		return probeReply(head)
	}
	if c := head[0] | 0x20; c >= 'a' && c <= 'z' {
		return probeInline(head)
	}
	return dissector.No
}

// probeArray tells a command from a reply that is an array.
func probeArray(head []byte) dissector.Guess {
	array, need := read(head, 0)
	if need != 0 {
		return wait(head, need)
	}
	if array.n <= 0 { // an empty or null reply; no client sends one
		return dissector.Response
	}
	first, need := read(head, int(array.next))
	if need > len(head)+maxProbe {
		return dissector.Response // it is sure to be a string, and too long for a command
	}
	if need != 0 {
		return wait(head, need)
	}
	if first.kind != '$' || !commandLike(first.data) {
		return dissector.Response
	}
	// A subscription is confirmed with the name of its command; only a reply has
	// an integer in it.
	for pos, i := first.next, int64(1); i < array.n; i++ {
		e, need := read(head, int(pos))
		if need == malformed {
			return dissector.No
		}
		if need > 0 && i == 2 && array.n == 3 && bytes.HasSuffix(bytes.ToUpper(first.data), []byte("SUBSCRIBE")) && len(head) < maxProbe {
			return dissector.More
		}
		if need > 0 {
			break
		}
		if e.kind != '$' || e.n < 0 {
			return dissector.Response
		}
		if pos = e.next; pos >= int64(len(head)) {
			break
		}
	}
	return dissector.Request
}

// commandLike takes the known names, and unknown ones in capitals.
func commandLike(b []byte) bool {
	var buf [24]byte
	if len(b) < 2 || len(b) > len(buf) {
		return false
	}
	name := buf[:upper(buf[:], b)]
	if commands[string(name)] || module(name) {
		return true
	}
	if len(b) < 3 {
		return false
	}
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// wait asks for more bytes of what may still become an element, by what read needs.
func wait(head []byte, need int) dissector.Guess {
	if need > 0 && len(head) < maxProbe {
		return dissector.More
	}
	return dissector.No
}

// probeReply takes any other reply, the inner one checked where there is one.
func probeReply(head []byte) dissector.Guess {
	e, need := read(head, 0)
	if need > len(head)+1 {
		return dissector.Response // a string whose length line is right
	}
	if need != 0 {
		return wait(head, need)
	}
	switch e.kind {
	case ',':
		return yes(decimal(e.data))
	case '(':
		_, ok := number(e.data[:min(len(e.data), 18)], true)
		return yes(ok)
	case '%', '~', '>', '|':
		if e.n <= 0 {
			return dissector.Response
		}
		_, need := read(head, int(e.next))
		if need > len(head)+1 {
			return dissector.Response
		}
		if need != 0 {
			return wait(head, need)
		}
	}
	return dissector.Response
}

func yes(ok bool) dissector.Guess {
	if ok {
		return dissector.Response
	}
	return dissector.No
}

func decimal(b []byte) bool {
	switch string(b) {
	case "inf", "-inf", "nan":
		return true
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return len(b) > 0
}

// statuses are the status replies: few commands have one of their own.
var statuses = set(
	"OK", "PONG", "QUEUED", "RESET", "NOKEY", "CONTINUE", "none", "string", "list", "set", "zset",
	"hash", "stream", "vectorset",
)

// probeLine takes a status or an error. POP3 and others begin lines so too, but
// go on in other words, but for "+OK" and "-ERR".
func probeLine(head []byte) dissector.Guess {
	eol := bytes.Index(head[:min(len(head), maxProbe)], []byte("\r\n"))
	if eol < 0 {
		if len(head) < maxProbe && printable(head) {
			return dissector.More
		}
		return dissector.No
	}
	line := head[1:eol]
	if head[0] == '+' {
		if string(line) == "OK" {
			return dissector.MaybeResponse
		}
		return yes(statuses[string(line)] || monitored(line) || bytes.HasPrefix(line, []byte("FULLRESYNC ")) ||
			bytes.HasPrefix(line, []byte("CONTINUE ")) || bytes.HasPrefix(line, []byte("Background ")))
	}
	code, text, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(code) < 3 || len(text) < 3 || text[0] == '\'' || text[0] == '[' {
		return dissector.No
	}
	for _, c := range code {
		if c < 'A' || c > 'Z' {
			return dissector.No
		}
	}
	if string(code) == "ERR" && printable(text) {
		return dissector.MaybeResponse
	}
	return yes(printable(text))
}

// inlines are the commands taken when they come inline.
var inlines = set("PING", "INFO", "MONITOR", "COMMAND", "CONFIG", "DBSIZE", "FLUSHALL", "FLUSHDB", "LASTSAVE",
	"LLEN", "HGETALL", "SMEMBERS", "LRANGE", "ZRANGE", "CLUSTER", "SLOWLOG", "PSYNC", "ROLE", "SELECT", "EXISTS")

func probeInline(head []byte) dissector.Guess {
	eol := bytes.IndexByte(head[:min(len(head), maxProbe)], '\n')
	line := head
	if eol >= 0 {
		line = bytes.TrimSuffix(head[:eol], []byte("\r"))
	}
	name, rest, more := bytes.Cut(line, []byte(" "))
	var buf [16]byte
	if len(name) > len(buf) || !printable(line) {
		return dissector.No
	}
	verb := buf[:upper(buf[:], name)]
	switch {
	case eol < 0 && !more:
		return wait(head, len(head)+1)
	case !inlines[string(verb)] || len(rest) > 0 && (rest[0] == '{' || bytes.Contains(rest, []byte("HTTP/"))):
		return dissector.No
	case eol < 0:
		return wait(head, len(head)+1)
	case string(verb) == "PING": // IRC's, too
		return dissector.MaybeRequest
	}
	return dissector.Request
}
