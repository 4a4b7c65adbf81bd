package nats

import (
	"bytes"

	"shark/dissector"
)

// probe knows a line by its name and arguments, and a payload by its end. PING, PONG and
// +OK are other protocols' words too.
func probe(head []byte) dissector.Guess {
	eol := bytes.IndexByte(head[:min(len(head), maxProbe)], '\n')
	if eol < 0 {
		return probePart(head)
	}
	line, ended := bytes.CutSuffix(head[:eol], []byte("\r"))
	c, ok := readCommand(line)
	if !ok || !ended {
		return dissector.No
	}
	if rest := head[eol+1:]; c.payload && int64(len(rest)) >= c.size+2 && string(rest[c.size:c.size+2]) != "\r\n" {
		return dissector.No
	}
	switch c.name {
	case "CONNECT", "PUB", "HPUB", "SUB":
		return dissector.Request
	case "UNSUB", "PING":
		return dissector.MaybeRequest
	case "INFO", "MSG", "HMSG":
		return dissector.Response
	case "-ERR":
		if len(c.args) > 1 && c.args[0] == '\'' && c.args[len(c.args)-1] == '\'' {
			return dissector.Response
		}
		return dissector.No
	}
	return dissector.MaybeResponse
}

// probePart judges a line whose end is not there yet: the JSON of INFO is long.
func probePart(head []byte) dissector.Guess {
	part := head[:min(len(head), maxProbe)]
	switch {
	case bytes.HasPrefix(part, []byte(`INFO {"`)):
		return dissector.Response
	case bytes.HasPrefix(part, []byte(`CONNECT {"`)):
		return dissector.Request
	case len(head) >= maxProbe:
		return dissector.No
	}
	word, rest, whole := bytes.Cut(part, []byte(" "))
	word = bytes.TrimSuffix(word, []byte("\r"))
	for _, c := range rest {
		if c < ' ' && c != '\r' || c == 0x7f {
			return dissector.No
		}
	}
	for _, names := range []map[string]bool{fromClient, fromServer} {
		for name := range names {
			if whole && name == string(word) || !whole && len(word) <= len(name) && name[:len(word)] == string(word) {
				return dissector.More
			}
		}
	}
	return dissector.No
}
