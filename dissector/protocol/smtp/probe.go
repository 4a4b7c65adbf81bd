package smtp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// probe knows the commands by which a session and an envelope begin, a greeting that
// says SMTP, and a reply with an enhanced status code. What else there is of commands
// and replies is good in other protocols too, such as FTP.
func probe(head []byte) dissector.Guess {
	eol := bytes.IndexByte(head[:min(len(head), maxProbe)], '\n')
	if eol < 0 {
		return probePart(head)
	}
	line, ended := bytes.CutSuffix(head[:eol], []byte("\r"))
	if !ended || !printable(line) {
		return dissector.No
	}
	if code, text, _, ok := replyLine(line); ok {
		return probeReply(code, text)
	}
	verb, argument, known := verbOf(line)
	if !known {
		return dissector.No
	}
	bare := len(argument) == 0
	switch verbs[verb] {
	case kindHello:
		if bare || bytes.ContainsAny(argument, `"<>/`) {
			return dissector.No
		}
		return dissector.Request
	case kindMail:
		return certain(path(argument, "FROM:"))
	case kindRcpt:
		return certain(path(argument, "TO:"))
	case kindChunk:
		if _, _, ok := chunk(argument); !ok {
			return dissector.No
		}
	case kindAuth:
		if bare {
			return dissector.No
		}
	case kindData, kindReset, kindStartTLS, kindOther:
		if !bare && !oneName[verb] || bytes.IndexByte(argument, ' ') >= 0 {
			return dissector.No
		}
	}
	if word := line[:len(verb)]; !bytes.Equal(word, bytes.ToUpper(word)) && !bytes.Equal(word, bytes.ToLower(word)) {
		return dissector.No // such as a line of mail that begins with "Help"
	}
	return dissector.MaybeRequest
}

// oneName are the commands of which a probe takes an argument.
var oneName = map[string]bool{"VRFY": true, "EXPN": true, "ETRN": true, "ATRN": true}

func certain(_ []byte, ok bool) dissector.Guess {
	if !ok {
		return dissector.No
	}
	return dissector.Request
}

// probeReply judges a line of a reply.
func probeReply(code int64, text []byte) dissector.Guess {
	_, _, isEnhanced := enhanced(code, text)
	upper := bytes.ToUpper(text)
	switch {
	case isEnhanced && code != 220,
		code == 220 && (bytes.Contains(upper, []byte("SMTP")) || bytes.Contains(upper, []byte("LMTP"))):
		return dissector.Response
	}
	return dissector.MaybeResponse
}

// probePart judges a line whose end is not there yet.
func probePart(head []byte) dissector.Guess {
	part := bytes.TrimSuffix(head, []byte("\r"))
	if len(head) >= maxProbe || !printable(part) {
		return dissector.No
	}
	digits := [4]byte{'2', '0', '0', ' '}
	copy(digits[:], part)
	if _, _, _, ok := replyLine(digits[:]); ok || wire.MayBeVerb(part, verbs) {
		return dissector.More
	}
	return dissector.No
}
