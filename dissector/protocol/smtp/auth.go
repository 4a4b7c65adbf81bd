package smtp

import (
	"bytes"
	"encoding/base64"

	"shark/dissector"
	"shark/dissector/wire"
)

// auth is an AUTH exchange (RFC 4954).
type auth struct {
	mechanism []byte
	wantsUser bool // the next line of the client is the name of the user
}

// startAuth reads the argument of AUTH: a mechanism, and maybe the first of what it
// sends.
func (p *parser) startAuth(argument []byte, m *dissector.Message) {
	mechanism, first, more := bytes.Cut(argument, []byte(" "))
	if len(mechanism) > 0 && !isMechanism(bytes.ToUpper(mechanism)) { // it may be a secret in the wrong place
		mechanism, more = []byte("***"), false
	}
	p.auth = auth{mechanism: bytes.ToUpper(mechanism)}
	v := &m.Values
	shown := bytes.Clone(p.auth.mechanism)
	if more {
		shown = append(shown, " ***"...)
	}
	if len(shown) > 0 {
		Argument.Set(v, shown)
		dissector.Summary.Set(v, shown)
		Mechanism.Set(v, p.auth.mechanism)
	}
	switch {
	case !more:
		p.auth.wantsUser = string(p.auth.mechanism) == "PLAIN"
	case string(p.auth.mechanism) == "PLAIN", string(p.auth.mechanism) == "LOGIN":
		p.auth.name(first, m)
	}
}

// isMechanism tells whether b can be the name of a mechanism (RFC 4422 section 3.1).
func isMechanism(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 20
}

// secret reads a line that the client sends because the server asked for it.
func (p *parser) secret(buf []byte, m *dissector.Message) (int64, error) {
	line, n, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	if !printable(line) {
		return 0, errMalformed
	}
	v := &m.Values
	shown := append(bytes.Clone(p.auth.mechanism), " ***"...)
	if string(line) == "*" {
		shown = append(bytes.Clone(p.auth.mechanism), " *"...) // given up
	} else if p.auth.wantsUser {
		p.auth.name(line, m)
	}
	p.auth.wantsUser = false
	dissector.Operation.SetString(v, "AUTH")
	Argument.Set(v, shown)
	dissector.Summary.Set(v, shown)
	Mechanism.Set(v, p.auth.mechanism)
	m.Notes = kindAuth
	p.sent(kindAuth)
	return int64(n), nil
}

// name sets the name of the user, where the mechanism tells it in clear: LOGIN by
// itself, PLAIN between zero bytes (RFC 4616 section 2).
func (a *auth) name(encoded []byte, m *dissector.Message) {
	b, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return
	}
	if string(a.mechanism) == "PLAIN" {
		parts := bytes.Split(b, []byte{0})
		if len(parts) != 3 {
			return
		}
		b = parts[1]
	}
	if len(b) > 0 && printable(b) {
		User.Set(&m.Values, wire.Clip(b, maxName))
	}
}

// challenged reads what the server asks for. LOGIN asks for "Username:" first.
func (a *auth) challenged(text []byte) {
	if string(a.mechanism) == "LOGIN" {
		prompt, err := base64.StdEncoding.DecodeString(string(text))
		a.wantsUser = err == nil && len(prompt) >= 4 && bytes.EqualFold(prompt[:4], []byte("user"))
	}
}
