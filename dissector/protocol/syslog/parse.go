package syslog

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
)

// parser reads one connection.
type parser struct {
	framing framing // of the stream, once it is known: senders do not change it
	text    []byte
}

// framing is how messages are told apart in a stream (RFC 6587 section 3.4).
type framing uint8

const (
	unknown framing = iota
	counted
	lines
)

// ends are what ends a message that is not counted (RFC 6587 section 3.4.2).
const ends = "\n\x00"

// probe believes in a header of RFC 5424 or RFC 3164, and on syslog's ports in a
// priority with text behind it.
func probe(head []byte) dissector.Guess {
	b, size, ok := count(head)
	if !ok {
		return dissector.No
	}
	if len(b) == 0 {
		return dissector.More
	}
	if size > 0 {
		if len(b) > size && !mayFollow(b[size]) {
			return dissector.No
		}
		b = b[:min(len(b), size)]
	}
	_, n, ok := priority(b)
	switch {
	case !ok:
		return dissector.No
	case n == 0 || n == len(b):
		return dissector.More
	}
	h, _ := readHeader(b[:min(len(b), maxHead)])
	switch {
	case h.format != bare:
		return dissector.Request
	case b[n] < ' ' || b[n] == 0x7f:
		return dissector.No
	}
	return dissector.MaybeRequest
}

// mayFollow tells whether c may stand behind a counted message.
func mayFollow(c byte) bool { return c >= '1' && c <= '9' || c == '\n' }

// count takes the length before a counted message (RFC 6587 section 3.4.1); size is 0
// when there is none. b is empty where the bytes end in it.
func count(head []byte) (b []byte, size int, ok bool) {
	for i, c := range head {
		switch {
		case i == 0 && c == '<':
			return head, 0, true
		case i > 0 && c == ' ':
			return head[i+1:], size, true
		case c < '0' || c > '9' || i == 0 && c == '0' || i >= maxCount:
			return nil, 0, false
		}
		size = size*10 + int(c-'0')
	}
	return nil, 0, true
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	switch {
	case from == dissector.Server:
		return 0, errMalformed
	case m.Transport == dissector.UDP:
		return p.datagram(buf, m)
	case m.Has(Severity):
		return p.goOn(buf, m), nil
	case len(buf) == 0:
		return 0, dissector.ErrShort
	case bytes.IndexByte([]byte("\r"+ends), buf[0]) >= 0: // between messages
		m.Skip = true
		return 1, nil
	}
	b, size, ok := count(buf)
	switch {
	case !ok || size > 0 && p.framing == lines || buf[0] == '<' && p.framing == counted:
		return 0, errMalformed
	case len(b) == 0:
		return 0, dissector.ErrShort
	case size > 0:
		return p.counted(buf, len(buf)-len(b), size, m)
	}
	return p.line(buf, m)
}

// datagram reads a message that fills a datagram (RFC 5426 section 3.1). Some senders
// count it all the same.
func (p *parser) datagram(buf []byte, m *dissector.Message) (int64, error) {
	b, _, ok := count(buf)
	if !ok || !p.message(b, len(buf)-len(b), m) {
		return 0, errMalformed
	}
	return int64(len(buf)), nil
}

// counted reads a message of size bytes that begins at off.
func (p *parser) counted(buf []byte, off, size int, m *dissector.Message) (int64, error) {
	if want := off + min(size, maxHead); len(buf) < want {
		m.Need = want
		return 0, dissector.ErrShort
	}
	if len(buf) > off+size && !mayFollow(buf[off+size]) || !p.message(buf[off:min(len(buf), off+min(size, maxHead))], off, m) {
		return 0, errMalformed
	}
	p.framing = counted
	head := int(m.Notes)
	m.SetBody(head, int64(off+size-head))
	return int64(off + size), nil
}

// line reads a message that fills a line. Of a long one only the front is waited for.
func (p *parser) line(buf []byte, m *dissector.Message) (int64, error) {
	head := buf[:min(len(buf), maxHead)]
	end := bytes.IndexAny(head, ends)
	switch {
	case end >= 0:
		head = head[:end]
	case len(head) < maxHead:
		return 0, dissector.ErrShort
	}
	if !p.message(head, 0, m) {
		return 0, errMalformed
	}
	p.framing = lines
	if end >= 0 {
		return int64(end) + 1, nil
	}
	m.Open = true
	return int64(len(head)), nil
}

// goOn passes over the rest of a long line.
func (p *parser) goOn(buf []byte, m *dissector.Message) int64 {
	m.Role = dissector.OneWay
	end := bytes.IndexAny(buf, ends)
	if end < 0 {
		m.Open = true
		m.SetBody(0, int64(len(buf)))
		return int64(len(buf))
	}
	m.SetBody(0, int64(end))
	return int64(end) + 1
}

// message sets the fields of a message, of which b is the front. It begins at off in
// what was sent. Where its text begins is noted.
func (p *parser) message(b []byte, off int, m *dissector.Message) bool {
	b = bytes.TrimRight(b, "\r"+ends)
	h, ok := readHeader(b)
	if !ok || len(b) == h.size && h.format == bare {
		return false
	}
	m.Role = dissector.OneWay
	text := b[h.size:]
	m.Notes = uint64(off + h.size)
	m.SetBody(off+h.size, int64(len(text)))
	v := &m.Values
	dissector.Operation.SetString(v, priorities[h.pri])
	Facility.SetString(v, facilities[h.pri>>3])
	Severity.SetString(v, severities[h.pri&7])
	SeverityCode.Set(v, int64(h.pri&7))
	Format.SetString(v, h.format)
	set := func(f field.TextField, b []byte) {
		if len(b) > 0 {
			f.Set(v, b)
		}
	}
	set(Timestamp, h.time)
	set(Hostname, h.host)
	set(AppName, h.app)
	set(ProcID, h.proc)
	set(MsgID, h.msgID)
	set(Text, text[:min(len(text), maxText)])
	p.structured(h.data, m)
	p.summary(&h, text, m)
	return true
}

// structured sets the parameters of structured data.
func (p *parser) structured(b []byte, m *dissector.Message) {
	if len(b) == 0 {
		return
	}
	n := 0
	structured(b, func(id, name, value []byte) {
		if n++; n > maxParams {
			return
		}
		p.text = append(p.text[:0], id...)
		if name != nil {
			p.text = append(append(p.text, '.'), name...)
		}
		Data.Add(&m.Values, p.text, unescape(value))
	})
}

// unescape takes the backslashes away that stand before what must not stand alone in
// a value (RFC 5424 section 6.3.3).
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && bytes.IndexByte([]byte(`"\]`), b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// summary says who logs what, in one line.
func (p *parser) summary(h *header, text []byte, m *dissector.Message) {
	p.text = append(p.text[:0], h.host...)
	if len(h.app) > 0 {
		if len(p.text) > 0 {
			p.text = append(p.text, ' ')
		}
		p.text = append(p.text, h.app...)
	}
	if len(h.proc) > 0 {
		p.text = append(append(append(p.text, '['), h.proc...), ']')
	}
	if len(p.text) > 0 {
		p.text = append(p.text, ':', ' ')
	}
	for _, c := range bytes.TrimSpace(text[:min(len(text), maxSummary)]) {
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		p.text = append(p.text, c)
	}
	dissector.Summary.Set(&m.Values, bytes.TrimSpace(p.text))
}
