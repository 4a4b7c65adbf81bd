package http3

import (
	"shark/dissector"
	"shark/dissector/protocol/http/hpack"
	"shark/dissector/protocol/http/section"
	"shark/dissector/protocol/http3/qpack"
)

// exchange reads the next bytes of a request or a response, to the end of a frame.
func (p *parser) exchange(id uint64, t *turn) error {
	st := p.streams.get(id)
	h := &st.half[t.from]
	if st.over || h.ended {
		t.skip()
		return nil
	}
	if t.from == dissector.Server && !st.half[dissector.Client].begun && p.sides[dissector.Client].waits && t.mayWait() {
		return dissector.ErrShort // what it answers is still to be told
	}
	before := *h
	if at := p.sides[t.from].record.Place; h.at.Packet == 0 || at.Packet < h.at.Packet {
		h.at = at
	}
	told, err := p.frame(st, t)
	if err != nil {
		*h = before
		return err
	}
	last := t.last && t.used == len(t.data)
	if told || last && (h.begun || h.waiting > 0 || t.used > 0) {
		t.m.Size -= int64(t.frame)
		p.piece(t.from, st, t.m, last)
		return nil
	}
	t.m.Skip = true
	h.waiting += int64(t.used)
	if last {
		h.ended = true
	}
	p.streams.put(st)
	return nil
}

// frame reads the next frame of an exchange, or more of it, and tells whether that is a piece
// of its message.
func (p *parser) frame(st *stream, t *turn) (told bool, err error) {
	h := &st.half[t.from]
	if h.lost {
		t.used = len(t.data)
		return true, nil
	}
	if !h.in {
		if t.used = h.open(t.data, keptOfExchange); !h.in {
			return h.begun, nil
		}
	}
	at := t.used
	n, done := h.next(t.data[at:])
	t.used += n
	switch {
	case h.kind == frameData && h.left+uint64(n) > 0:
		h.body += int64(n)
		t.m.SetBody(t.frame+at, int64(n))
		return true, nil
	case h.kind == frameHeaders && done:
		return true, p.headers(st, t)
	}
	return h.begun, nil
}

// keptOfExchange is how long a payload may be to be kept, by the type of its frame.
func keptOfExchange(kind uint64) uint64 {
	if kind == frameHeaders {
		return maxSection
	}
	return 0
}

// headers reads a whole field section: the head of a message, that of an interim response, or
// trailers (section 4.1).
func (p *parser) headers(st *stream, t *turn) error {
	h := &st.half[t.from]
	kind := section.Head
	if h.headed {
		kind = section.Trailers
	}
	p.list.Start(t.m, t.from, kind)
	switch err := p.section(h, t); err {
	case nil:
	case dissector.ErrShort:
		p.list.Drop()
		return err
	default: // what is known of it is told; the stream goes on
		p.list.Unknown++
	}
	p.list.Finish(int(h.size))
	if kind == section.Head && p.list.Interim() {
		t.m.Role = dissector.Interim
	} else {
		h.headed = true
	}
	return nil
}

// section decodes a field section. Where it refers to what comes later, that is looked for in
// what has come, and waited for.
func (p *parser) section(h *half, t *turn) error {
	if !h.keep {
		return hpack.ErrTooLarge
	}
	d, block := &p.sides[t.from].decoder, h.payload()
	err := d.Decode(block, p.add)
	if err != qpack.ErrBlocked {
		return err
	}
	p.lookAhead(t)
	if err = d.Decode(block, p.add); err != qpack.ErrBlocked {
		return err
	}
	if t.mayWait() {
		return dissector.ErrShort
	}
	return d.DecodeKnown(block, p.add)
}

// mayWait tells whether there is a use in waiting for more of a side, and asks for it.
func (t *turn) mayWait() bool {
	t.m.Need = t.frame + len(t.data) + len(t.behind) + 1
	return !t.final && len(t.behind) < maxBlocked
}
