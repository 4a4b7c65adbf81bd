package amqp1

import (
	"strings"

	"shark/dissector"
)

// The sections of a message (part 3, 3.2) come in their order, the body and the footer
// last. Those before the body are read, as far as they are whole in a frame or can be
// joined; a section may be parted anywhere.

// view is what is known of the sections' bytes at a frame: those that were kept of the
// frames before, and those of this one.
func (p *parser) view(d *delivery, frame []byte) []byte {
	if len(d.kept) == 0 {
		return frame
	}
	p.section = append(append(p.section[:0], d.kept...), frame...)
	return p.section
}

// head is what is at the front of a section.
type head struct {
	kind uint64
	size int // of all of it, or of what comes before the content of a body
	need int // bytes that must be there to know, 0 if the front is no section
}

// readHead reads the front of b, the front of a section. A section before the body
// must be there in full.
func readHead(b []byte) (h head) {
	if len(b) == 0 || b[0] != described {
		h.need = 1 - min(1, len(b))
		return h
	}
	d, n, need := readPlain(b[1:])
	if n == 0 {
		h.need = behind(1, need)
		return h
	}
	n++
	switch h.kind = d.descriptor(); {
	case h.kind >= data && h.kind <= value:
		h.size, h.need = bodyStart(b, n, h.kind)
	case h.kind >= header && h.kind <= appProperties:
		size, total, need := readConstructor(b[n:])
		if size == 0 {
			h.need = behind(n, need)
			return h
		}
		if total > maxHead {
			h.size, h.need = 0, 0
			return h
		}
		h.size = n + size + int(total)
		h.need = h.size
	}
	return h
}

// unread tells whether the section at a place is not read any more: it is none, it is
// not one that may come behind the last one, or it takes the sections over their limit.
// A frame has few sections that are looked at, then, and it costs little to begin with
// the first of them each time that more of it is there.
func (h *head) unread(at int, last uint64) bool {
	return h.need == 0 || h.kind != 0 && h.kind <= last || at+h.need > maxHead
}

// bodyStart returns where the content of a body section begins, whose value begins at n.
func bodyStart(b []byte, n int, kind uint64) (size, need int) {
	if len(b) <= n {
		return 0, n + 1
	}
	switch b[n] {
	case binary8, string8, symbol8, binary32, string32, symbol32:
		head, _, need := readConstructor(b[n:])
		if head == 0 {
			return 0, n + need
		}
		return n + head, n + head
	}
	if kind == data {
		return 0, 0
	}
	return n, n
}

// ready tells whether all sections before the body that the frame may hold are in buf;
// if not m.Need says how much is.
func (p *parser) ready(d *delivery, buf []byte, off int, f frame, m *dissector.Message) bool {
	if d.inBody {
		return true
	}
	have := min(len(buf), f.end)
	b := p.view(d, buf[off:have])
	base, last := off-len(d.kept), d.section
	for at := 0; ; {
		h := readHead(b[at:])
		if h.unread(at, last) || h.kind >= data && h.size > 0 {
			return true
		}
		if at+h.need > len(b) {
			m.Need = min(base+at+h.need, f.end)
			return have == f.end
		}
		at, last = at+h.size, h.kind
	}
}

// sections reads the sections of a frame up to the body and returns where in the frame
// that begins, its end if it does not.
func (p *parser) sections(d *delivery, buf []byte, off int, f frame, m *dissector.Message) int {
	if d.inBody {
		return off
	}
	kept := len(d.kept)
	b := p.view(d, buf[off:min(len(buf), f.end)])
	for at := 0; ; {
		h := readHead(b[at:])
		switch {
		case h.unread(at, d.section):
			d.inBody = true
			m.Resumed = m.Resumed || !d.alien
			p.release(d)
			return max(off, off-kept+at)
		case h.kind >= data && h.size > 0:
			d.inBody = true
			p.release(d)
			return max(off, off-kept+at+h.size)
		case at+h.need > len(b): // it goes on in another frame
			if !p.keep(d, b[at:]) {
				d.inBody, m.Resumed = true, true
				p.release(d)
				return max(off, off-kept+at)
			}
			return f.end
		}
		it, n, _ := readItem(b[at : at+h.size])
		if n == h.size {
			p.set(d, h.kind, it, m)
		}
		at, d.section = at+h.size, h.kind
	}
}

// set sets the fields that a section gives.
func (p *parser) set(d *delivery, kind uint64, it item, m *dissector.Message) {
	v := &m.Values
	var f [13]item
	switch kind {
	case header:
		if it.list(f[:5]) && !f[0].isNull() {
			Durable.Set(v, f[0].isTrue())
		}
	case properties:
		if it.list(f[:]) {
			p.setProperties(d, &f, m)
		}
	case appProperties:
		left := maxProperties
		it.pairs(func(name, value item) bool {
			p.text = value.appendText(p.text[:0], maxValue)
			if value.isNull() {
				p.text = p.text[:0]
			}
			AppProperties.Add(v, cut(name.text(), maxValue), p.text)
			left--
			return left > 0
		})
	}
}

// setProperties sets the fields that the properties give (part 3, 3.2.4).
func (p *parser) setProperties(d *delivery, f *[13]item, m *dissector.Message) {
	v := &m.Values
	if !f[0].isNull() {
		p.text = f[0].appendText(p.text[:0], maxName)
		MessageID.Set(v, p.text)
	}
	setText(v, To, f[2].text())
	setText(v, Subject, f[3].text())
	setText(v, ReplyTo, f[4].text())
	if !f[5].isNull() {
		p.text = f[5].appendText(p.text[:0], maxName)
		CorrelationID.Set(v, p.text)
	}
	setText(v, ContentType, f[6].text())
	if d.about == "" {
		d.about = string(cut(f[2].text(), maxName))
	}
	if subject := f[3].text(); len(subject) > 0 {
		d.about = strings.TrimSpace(d.about + " " + string(cut(subject, maxName)))
	}
}
