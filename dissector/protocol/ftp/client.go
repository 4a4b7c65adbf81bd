package ftp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// request reads a command.
func (p *parser) request(buf []byte, m *dissector.Message) (int64, error) {
	line, n, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	v := &m.Values
	verb, argument := verbOf(line)
	kind, known := verbs[verb]
	switch {
	case known && !printable(argument), !known && (!p.whole || p.lost || !printable(line)):
		return 0, errMalformed
	case !known && len(verb) != 3 && len(verb) != 4: // RFC 959 section 5.3
		verb = "UNKNOWN" // its words are not shown: they may be a password
	}
	p.begun = true
	dissector.Operation.SetString(v, verb)
	if !known {
		if verb == "UNKNOWN" || len(argument) > 0 {
			m.Notes = kindUnknown
		}
		return int64(n), nil
	}
	shown := wire.Clip(argument, maxArgument)
	switch kind {
	case kindUser:
		p.user = bytes.Clone(shown)
		User.Set(v, shown)
	case kindSecret:
		if verb == "PASS" && len(p.user) > 0 {
			User.Set(v, p.user)
		}
		p.user = nil
		shown = []byte(hidden)
	case kindSite:
		shown = site(argument)
	case kindAuth:
		switch string(bytes.ToUpper(argument)) {
		case "TLS", "SSL", "TLS-C", "TLS-P":
			kind, m.Next = kindAuthTLS, "tlsx"
		}
	case kindData:
		address, ok := tuple(argument)
		if verb == "EPRT" {
			address, ok = extended(argument)
		}
		if ok && verb != "PASV" && verb != "EPSV" {
			Data.SetString(v, address)
		}
	}
	if len(shown) > 0 && len(argument) > 0 {
		Argument.Set(v, shown)
		dissector.Summary.Set(v, shown)
	}
	m.Notes = kind
	return int64(n), nil
}

// site returns what is shown of SITE. Each server has commands of its own for accounts
// and passwords: of what looks like one only the first word is.
func site(argument []byte) []byte {
	words := bytes.Fields(argument)
	for _, word := range words {
		word = bytes.ToUpper(word)
		for _, part := range []string{"PASS", "PSWD", "PW", "ADDUSER"} {
			if bytes.Contains(word, []byte(part)) && len(words) > 1 {
				return append(bytes.Clone(wire.Clip(words[0], maxArgument)), " "+hidden...)
			}
		}
	}
	return wire.Clip(argument, maxArgument)
}
