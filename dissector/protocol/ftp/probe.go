package ftp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// probe knows the commands and replies that no other protocol has, in one of the first
// lines. A line that others have too, such as USER or a 220, may be FTP.
func probe(head []byte) dissector.Guess {
	head = head[:min(len(head), maxProbe)]
	guess := dissector.No
	rest := head
	for range maxProbeLines {
		line, next, ended := bytes.Cut(rest, []byte("\n"))
		if !ended {
			break
		}
		line, crlf := bytes.CutSuffix(line, []byte("\r"))
		this := probeLine(line)
		switch {
		case !crlf || this == dissector.No && guess == dissector.No:
			return guess
		case this == dissector.Request || this == dissector.Response:
			if guess == dissector.No || sure(guess) == this {
				return this
			}
			return guess
		case guess == dissector.No:
			guess = this
		}
		rest = next
	}
	if guess != dissector.No || len(rest) < len(head) {
		return guess
	}
	return probePart(head)
}

func sure(guess dissector.Guess) dissector.Guess {
	if guess == dissector.MaybeRequest {
		return dissector.Request
	}
	return dissector.Response
}

// probeLine judges a whole line.
func probeLine(line []byte) dissector.Guess {
	if !printable(line) {
		return dissector.No
	}
	if code, text, _, ok := replyLine(line); ok {
		if certainReply(code, text) {
			return dissector.Response
		}
		return dissector.MaybeResponse
	}
	verb, argument := verbOf(line)
	if _, known := verbs[verb]; !known {
		return dissector.No
	}
	if certainCommand(verb, argument) {
		return dissector.Request
	}
	return dissector.MaybeRequest
}

// certainReply tells whether only FTP says so.
func certainReply(code int64, text []byte) bool {
	switch code {
	case 220:
		upper := bytes.ToUpper(text)
		return bytes.Contains(upper, []byte("FTP")) && !bytes.Contains(upper, []byte("SMTP"))
	case 227:
		_, ok := passive(text)
		return ok
	case 229:
		_, ok := extendedPassive(text)
		return ok
	case 215:
		return bytes.Contains(text, []byte("Type:"))
	case 257:
		return len(text) > 0 && text[0] == '"'
	case 150:
		return bytes.Contains(text, []byte("data connection"))
	}
	return code == 331
}

// certainCommand tells whether only FTP says so.
func certainCommand(verb string, argument []byte) bool {
	switch verb {
	case "PASV", "SYST", "CDUP", "FEAT":
		return len(argument) == 0
	case "EPSV":
		return len(argument) == 0 || len(argument) == 1 || bytes.EqualFold(argument, []byte("ALL"))
	case "PORT":
		_, ok := tuple(argument)
		return ok
	case "EPRT":
		_, ok := extended(argument)
		return ok
	case "PBSZ":
		_, ok := wire.Digits(argument, 5)
		return ok
	case "PROT":
		return len(argument) == 1 && bytes.ContainsAny(argument, "CSEPcsep")
	case "AUTH":
		return bytes.EqualFold(argument, []byte("TLS"))
	case "CWD", "STOR", "RNFR", "RNTO", "MLSD":
		return len(argument) > 0
	}
	return false
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
