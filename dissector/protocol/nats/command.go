package nats

import (
	"bytes"

	"shark/dissector/wire"
)

// command is a line of the protocol.
type command struct {
	name                       string
	args                       []byte // as they were sent
	subject, sid, reply, queue []byte
	header, size               int64 // bytes of the headers, and of headers and payload
	payload                    bool
}

// fromClient and fromServer are the names that each side sends.
var (
	fromClient = map[string]bool{"CONNECT": true, "PUB": true, "HPUB": true, "SUB": true, "UNSUB": true, "PING": true, "PONG": true}
	fromServer = map[string]bool{"INFO": true, "MSG": true, "HMSG": true, "+OK": true, "-ERR": true, "PING": true, "PONG": true}
)

// readCommand reads a line without its end.
func readCommand(line []byte) (c command, ok bool) {
	name, args := line, []byte(nil)
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		name, args = line[:i], bytes.TrimSpace(line[i:])
	}
	if len(name) > len("CONNECT") {
		return c, false
	}
	c.name, c.args = string(bytes.ToUpper(name)), args
	var w [6][]byte
	n := 0
	switch c.name {
	case "CONNECT", "INFO":
		return c, len(args) > 1 && args[0] == '{' && args[len(args)-1] == '}'
	case "-ERR":
		return c, len(args) > 0
	case "PING", "PONG", "+OK":
		return c, len(args) == 0
	}
	for word := range bytes.FieldsSeq(args) {
		if n == len(w)-1 {
			return c, false
		}
		w[n] = word
		n++
	}
	return c, c.words(w[:n])
}

// words takes the arguments of what has words for them.
func (c *command) words(w [][]byte) bool {
	n := len(w)
	switch c.name {
	case "PUB": // subject [reply] size
		return n >= 2 && n <= 3 && c.about(w[0], nil, w[1:n-1]) && c.sizes(w[n-1:])
	case "HPUB": // subject [reply] header size
		return n >= 3 && n <= 4 && c.about(w[0], nil, w[1:n-2]) && c.sizes(w[n-2:])
	case "MSG": // subject sid [reply] size
		return n >= 3 && n <= 4 && c.about(w[0], w[1], w[2:n-1]) && c.sizes(w[n-1:])
	case "HMSG": // subject sid [reply] header size
		return n >= 4 && n <= 5 && c.about(w[0], w[1], w[2:n-2]) && c.sizes(w[n-2:])
	case "SUB": // subject [queue] sid
		if n == 3 {
			c.queue = w[1]
		}
		return n >= 2 && n <= 3 && c.about(w[0], w[n-1], nil)
	case "UNSUB": // sid [messages]
		if n < 1 || n > 2 {
			return false
		}
		c.sid = w[0]
		_, ok := wire.Digits(w[n-1], 10)
		return n == 1 || ok
	}
	return false
}

func (c *command) about(subject, sid []byte, reply [][]byte) bool {
	c.subject, c.sid = subject, sid
	if len(reply) == 1 {
		c.reply = reply[0]
	}
	return isSubject(subject) && (c.reply == nil || isSubject(c.reply))
}

// sizes takes one number, or the one of the headers before it.
func (c *command) sizes(w [][]byte) bool {
	c.payload = true
	var ok bool
	if c.size, ok = wire.Digits(w[len(w)-1], 10); !ok || c.size > maxPayload {
		return false
	}
	if len(w) == 2 {
		c.header, ok = wire.Digits(w[0], 10)
	}
	return ok && c.header <= c.size
}

// isSubject tells whether b is made of tokens with dots between them.
func isSubject(b []byte) bool {
	last := byte('.')
	for _, ch := range b {
		if ch <= ' ' || ch == 0x7f || ch == '.' && last == '.' {
			return false
		}
		last = ch
	}
	return last != '.'
}

// matches tells whether a subject matches one that may have wildcards.
func matches(pattern, subject []byte) bool {
	for {
		p, restP, moreP := bytes.Cut(pattern, []byte("."))
		s, restS, moreS := bytes.Cut(subject, []byte("."))
		switch {
		case string(p) == ">" && !moreP:
			return true
		case string(p) != "*" && !bytes.Equal(p, s) || moreP != moreS:
			return false
		case !moreP:
			return true
		}
		pattern, subject = restP, restS
	}
}

// api returns what a subject asks of JetStream: its words in capitals.
func api(subject []byte) []byte {
	rest, ok := bytes.CutPrefix(subject, []byte("$JS.API."))
	if !ok {
		return nil
	}
	n := 0
	for word := range bytes.SplitSeq(rest, []byte(".")) {
		if len(word) == 0 || !apiWords[string(word)] {
			break
		}
		n += len(word) + 1
	}
	return rest[:max(0, n-1)]
}

// apiWords are the words of the subjects of the JetStream API.
var apiWords = map[string]bool{
	"INFO": true, "STREAM": true, "CONSUMER": true, "CREATE": true, "UPDATE": true, "NAMES": true, "LIST": true, "DELETE": true,
	"PURGE": true, "SNAPSHOT": true, "RESTORE": true, "MSG": true, "GET": true, "NEXT": true, "DURABLE": true, "PEER": true,
	"REMOVE": true, "LEADER": true, "STEPDOWN": true, "DIRECT": true, "ACCOUNT": true, "META": true, "PAUSE": true, "UNPIN": true,
	"SERVER": true, "MOVE": true, "CANCEL_MOVE": true,
}
