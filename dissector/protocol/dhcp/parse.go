package dhcp

import (
	"bytes"
	"encoding/hex"
	"net/netip"

	"shark/dissector"
	"shark/dissector/field"
)

// parser reads what two ports say to each other.
type parser struct {
	text []byte
}

// probe wants a whole message with options that are as they must be.
func probe(b []byte) dissector.Guess {
	if isV4(b) {
		return probe4(b)
	}
	return probe6(b)
}

// isV4 tells the versions apart.
func isV4(b []byte) bool {
	return len(b) >= fixedLen && string(b[fixedLen-len(cookie):fixedLen]) == cookie
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	var err error
	if m.Flow.Src.Is4() {
		err = p.v4(from, buf, m)
	} else {
		err = p.v6(from, buf, m)
	}
	if err != nil {
		return 0, err
	}
	return int64(len(buf)), nil
}

// asked decides whether a message that wants an answer can get it in its
// conversation: not if it is sent to all, or by one that has no address.
func asked(m *dissector.Message) {
	src, dst := m.Flow.Src.IP(), m.Flow.Dst.IP()
	if src.IsUnspecified() || dst.IsMulticast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		m.Role = dissector.OneWay
	}
}

// answered does the same for an answer.
func answered(m *dissector.Message) {
	if m.Peer() == nil {
		m.Role = dissector.OneWay
	}
}

// outcome sets how a call is answered. A message that is alone is its own operation.
func outcome(m *dissector.Message, kind, status string, failed bool) {
	if m.Role == dissector.OneWay {
		dissector.Operation.SetString(&m.Values, kind)
	}
	dissector.Status.SetString(&m.Values, status)
	dissector.Failed.Set(&m.Values, failed)
}

// setOnce sets a text of a limited length, unless it is set.
func setOnce(m *dissector.Message, f field.TextField, b []byte, limit int) {
	if len(b) > 0 && !m.Has(f) {
		f.Set(&m.Values, b[:min(len(b), limit)])
	}
}

// address sets a field to an address of four or sixteen bytes, unless it is set or the
// address is zero.
func (p *parser) address(m *dissector.Message, f field.TextField, b []byte) {
	a, ok := netip.AddrFromSlice(b)
	if !ok || a.IsUnspecified() || m.Has(f) {
		return
	}
	p.text = a.AppendTo(p.text[:0])
	f.Set(&m.Values, p.text)
}

// addresses adds a list of addresses of n bytes each.
func (p *parser) addresses(m *dissector.Message, f field.ListField, b []byte, n int) {
	for i := 0; i < maxListed && len(b) >= n; i++ {
		a, _ := netip.AddrFromSlice(b[:n])
		p.text = a.AppendTo(p.text[:0])
		f.Add(&m.Values, p.text)
		b = b[n:]
	}
}

// hex sets a field to the digits of an identifier, unless it is set.
func (p *parser) hex(m *dissector.Message, f field.TextField, b []byte) {
	p.text = hex.AppendEncode(p.text[:0], b[:min(len(b), maxID)])
	setOnce(m, f, p.text, len(p.text))
}

// mac sets the client's hardware address.
func (p *parser) mac(m *dissector.Message, b []byte) {
	p.text = p.text[:0]
	for i, c := range b {
		if i > 0 {
			p.text = append(p.text, ':')
		}
		p.text = hex.AppendEncode(p.text, []byte{c})
	}
	setOnce(m, ClientMAC, p.text, len(p.text))
}

// summary says who asks for or gets what.
func (p *parser) summary(m *dissector.Message) {
	p.text = p.text[:0]
	for _, word := range []struct {
		before string
		f      field.TextField
	}{{"", ClientMAC}, {"", Hostname}, {"uses ", ClientAddress}, {"asks for ", Requested}, {"gets ", Address}, {"by ", Relay}} {
		if s := word.f.Get(&m.Values); len(s) > 0 {
			if len(p.text) > 0 {
				p.text = append(p.text, ' ')
			}
			p.text = append(append(p.text, word.before...), s...)
		}
	}
	if len(p.text) > 0 {
		dissector.Summary.Set(&m.Values, p.text)
	}
}

// withoutCredentials hides what a URL says of who asks: the user and the password before
// the host (RFC 3986 section 3.2.1), and the values of a query that are named so. What
// is no URL stays as it is.
func withoutCredentials(url []byte) []byte {
	scheme, rest, ok := bytes.Cut(url, []byte("://"))
	if !ok {
		return url
	}
	out := append(bytes.Clone(scheme), "://"...)
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	const masked = "***"
	if i := bytes.LastIndexByte(rest[:end], '@'); i >= 0 {
		out, rest, end = append(out, masked...), rest[i:], end-i
	}
	out, rest = append(out, rest[:end]...), rest[end:]
	path, query, ok := bytes.Cut(rest, []byte("?"))
	if out = append(out, path...); !ok {
		return out
	}
	for i, part := range bytes.Split(query, []byte("&")) {
		separator := byte('&')
		if i == 0 {
			separator = '?'
		}
		out = append(out, separator)
		if name, _, ok := bytes.Cut(part, []byte("=")); ok && secretName(name) {
			out = append(append(append(out, name...), '='), masked...)
		} else {
			out = append(out, part...)
		}
	}
	return out
}

// secretName tells whether what is named so is a credential.
func secretName(name []byte) bool {
	name = bytes.ToLower(name)
	for _, part := range []string{"pass", "pwd", "token", "secret"} {
		if bytes.Contains(name, []byte(part)) {
			return true
		}
	}
	return false
}
