package sip

import (
	"bytes"
	"iter"

	"shark/dissector/wire"
)

// head is what is read of a message's head.
type head struct {
	request       bool
	method        []byte // of a response that of its CSeq
	uri           []byte
	code          int64
	reason        []byte
	via, callID   []byte
	cseq          []byte // number and method
	from, to      []byte
	contact       []byte
	agent, server []byte
	authHeader    []byte
	contentType   []byte
	length        int64
	hasLength     bool
}

// startLine reads the first line (RFC 3261 sections 7.1 and 7.2).
func (h *head) startLine(line []byte) bool {
	first, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return false
	}
	if isVersion(first) {
		code, reason, _ := bytes.Cut(rest, []byte(" "))
		h.code, ok = wire.Digits(code, 10)
		h.reason = reason
		return ok && len(code) == 3 && h.code >= 100 && h.code < 700
	}
	uri, version, ok := bytes.Cut(rest, []byte(" "))
	h.request, h.method, h.uri = true, first, uri
	return ok && isVersion(version) && isMethod(first) && bytes.IndexByte(uri, ':') > 0 && printable(uri)
}

func isVersion(b []byte) bool { return bytes.EqualFold(b, []byte("SIP/2.0")) }

// isMethod tells whether b is a token (RFC 3261 section 25.1) in capitals: methods are.
func isMethod(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxMethod && b[0] >= 'A'
}

// read reads the headers behind the start line.
func (h *head) read(block []byte) {
	for name, value := range headers(block) {
		h.header(name, value)
	}
	if number, method, ok := bytes.Cut(h.cseq, []byte(" ")); ok {
		h.cseq = append(append(bytes.Clone(number), ' '), bytes.TrimSpace(method)...)
		if !h.request {
			h.method = bytes.TrimSpace(method)
		}
	}
}

// header takes a header, by its name or by the compact form of it (section 7.3.3). Of
// those that may come more than once, the first counts.
func (h *head) header(name, value []byte) {
	var field *[]byte
	switch string(bytes.ToLower(name)) {
	case "via", "v":
		field = &h.via
	case "call-id", "i":
		field = &h.callID
	case "cseq":
		field = &h.cseq
	case "from", "f":
		field = &h.from
	case "to", "t":
		field = &h.to
	case "contact", "m":
		field = &h.contact
	case "user-agent":
		field = &h.agent
	case "server":
		field = &h.server
	case "authorization", "proxy-authorization":
		field = &h.authHeader
	case "content-type", "c":
		field = &h.contentType
	case "content-length", "l":
		h.length, h.hasLength = wire.Digits(value, 10)
	}
	if field != nil && *field == nil {
		*field = value
	}
}

// headers gives the headers of a block whose lines all end; what is folded
// (section 7.3.1) is one line.
func headers(block []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(block) > 0 {
			end, folded := 0, false
			for {
				eol := bytes.IndexByte(block[end:], '\n')
				if eol < 0 {
					return
				}
				end += eol + 1
				if end == len(block) || block[end] != ' ' && block[end] != '\t' {
					break
				}
				folded = true
			}
			line := block[:end]
			block = block[end:]
			name, value, ok := bytes.Cut(line, []byte(":"))
			if !ok {
				continue
			}
			if folded {
				value = bytes.Join(bytes.Fields(value), []byte(" "))
			}
			if !yield(bytes.TrimSpace(name), bytes.TrimSpace(value)) {
				return
			}
		}
	}
}

// address splits the value of From, To or Contact into the URI and the parameters
// behind it (section 20.10).
func address(value []byte) (uri, parameters []byte) {
	if i := outside(value, '<'); i < len(value) {
		uri, parameters, _ = bytes.Cut(value[i+1:], []byte(">"))
		return uri, parameters
	}
	value = value[:outside(value, ',')]
	uri, parameters, _ = bytes.Cut(value, []byte(";"))
	return bytes.TrimSpace(uri), append([]byte(";"), parameters...)
}

// parameter returns the value of a parameter of the first element of a list.
func parameter(list []byte, name string) []byte {
	list = list[:outside(list, ',')]
	for {
		i := outside(list, ';')
		if i == len(list) {
			return nil
		}
		list = list[i+1:]
		key, value, _ := bytes.Cut(list[:outside(list, ';')], []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(key), []byte(name)) {
			return bytes.TrimSpace(value)
		}
	}
}

// outside returns where c is in b, outside of quoted strings, or else the length of b.
func outside(b []byte, c byte) int {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			quoted = !quoted
		case b[i] == '\\' && quoted:
			i++
		case b[i] == c && !quoted:
			return i
		}
	}
	return len(b)
}

// withoutPassword hides the password of a URI (section 19.1.1).
func withoutPassword(uri []byte) []byte {
	scheme, rest, ok := bytes.Cut(uri, []byte(":"))
	user, host, hasUser := bytes.Cut(rest, []byte("@"))
	name, _, hasPassword := bytes.Cut(user, []byte(":"))
	if !ok || !hasUser || !hasPassword {
		return uri
	}
	return bytes.Join([][]byte{scheme, []byte(":"), name, []byte(":***@"), host}, nil)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// clip cuts b to maxText bytes, and says so.
func clip(b []byte) []byte { return wire.Clip(b, maxText) }
