package memcached

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// parser reads one connection.
type parser struct {
	hush  bool // a command that asks for silence was the last, or came before it
	reply reply
	opaques
}

// What a request's Notes tell the parser of its reply: its kind, whether commands
// that asked for silence came before it, and from bit 32 on a hash of its opaque.
const (
	kindMask = 0xff
	known    = 1 << 8
	afterQ   = 1 << 9
)

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose()
		if from == dissector.Server {
			p.reply = reply{}
		}
	}
	switch {
	case len(buf) == 0:
		return 0, dissector.ErrShort
	case from == dissector.Server && p.reply.list != none:
		return p.more(buf, m)
	case buf[0] == magicRequest || buf[0] == magicResponse:
		return p.binary(from, buf, m)
	}
	line, end, err := readLine(buf, m)
	if err != nil {
		return 0, err
	}
	if from == dissector.Client {
		return p.command(line, end, buf, m)
	}
	return p.answer(line, end, buf, m)
}

// readLine returns the line at the front of buf without its end, and where that is.
func readLine(buf []byte, m *dissector.Message) (line []byte, end int, err error) {
	line, end, err = wire.Line(buf, maxLine, m)
	if err == nil && !printable(line) || err != nil && !printable(buf[:min(len(buf), maxError)]) {
		return nil, 0, errMalformed
	}
	return line, end, err
}

// printable tells whether b has no control characters but a return at its end.
func printable(b []byte) bool {
	for i, c := range b {
		if c < ' ' && (c != '\r' || i != len(b)-1) || c == 0x7f {
			return false
		}
	}
	return true
}

// command takes a command line and, if it has one, its data block.
func (p *parser) command(line []byte, end int, buf []byte, m *dissector.Message) (int64, error) {
	if len(line) == 0 {
		return 0, errMalformed
	}
	c := readCommand(line)
	span := int64(end)
	if c.known && c.size > 0 {
		span += c.data + 2
		if err := blockEnd(buf, span); err != nil {
			return 0, err
		}
		m.SetBody(end, c.data)
		ValueSize.Set(&m.Values, c.data)
	}
	c.set(m)
	if m.Notes = uint64(c.kind); c.known {
		m.Notes |= known
	}
	if c.meta {
		m.Notes |= hash(flag(c.rest, c.min, 'O')) << 32
	}
	if p.hush {
		m.Notes |= afterQ
	}
	if p.hush = c.quiet; c.quiet {
		m.Role = dissector.OneWay
	}
	return span, nil
}

// blockEnd checks that a data block that is at hand ends as it must.
func blockEnd(buf []byte, span int64) error {
	if span <= int64(len(buf)) && (buf[span-2] != '\r' || buf[span-1] != '\n') {
		return errMalformed
	}
	return nil
}

// hash folds an opaque into 32 bits, 0 if there is none.
func hash(b []byte) uint64 {
	if b == nil {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return uint64(max(h, 1))
}

// set sets the fields of a command.
func (c *command) set(m *dissector.Message) {
	v := &m.Values
	dissector.Operation.Set(v, escape(c.name, maxName))
	limit := maxSummary
	if m.Detail {
		limit = maxDetail
	}
	if c.key == nil {
		if rest := bytes.TrimSpace(c.rest); len(rest) > 0 {
			dissector.Summary.Set(v, escape(rest, limit))
		}
		return
	}
	key := escape(c.key, maxKey)
	Key.Set(v, key)
	Keys.Set(v, int64(c.keys()))
	if c.many && c.n > c.syntax.key {
		key = escape(bytes.TrimSpace(c.rest[bytes.Index(c.rest, c.key):]), limit)
	}
	dissector.Summary.Set(v, key)
}

// escape returns b with the bytes that are no text as \xNN, and with ... where more
// than limit bytes of it are.
func escape(b []byte, limit int) []byte {
	cut := len(b) > limit
	b = b[:min(len(b), limit)]
	clean := !cut
	for _, c := range b {
		clean = clean && c >= ' ' && c < 0x7f
	}
	if clean {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, c := range b {
		if c >= ' ' && c < 0x7f {
			out = append(out, c)
			continue
		}
		const digits = "0123456789abcdef"
		out = append(out, '\\', 'x', digits[c>>4], digits[c&15])
	}
	if cut {
		out = append(out, "..."...)
	}
	return out
}
