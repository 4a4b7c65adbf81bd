package http2

import (
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/protocol/http/hpack"
	"shark/dissector/protocol/http/section"
)

// headers reads HEADERS or PUSH_PROMISE with the CONTINUATIONs that follow
// (RFC 9113, sections 6.2, 6.6 and 6.10).
func (p *parser) headers(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	block, span, err := p.block(f, buf, m)
	if err != nil && err != hpack.ErrTooLarge {
		return 0, err
	}
	id := f.stream
	if f.kind == framePushPromise {
		if err != nil {
			p.sides[from].hpack.Lose()
			m.Skip = true
			return span, nil
		}
		id = promised(f, buf)
	}
	st := p.streams.get(id)
	if st.gone && from == dissector.Server { // it was processed all the same
		*st = stream{id: id, kept: st.kept}
	}
	p.list.Start(m, from, p.expect(from, f, st))
	if err == nil {
		err = p.sides[from].hpack.Decode(block, p.add)
	}
	if err == hpack.ErrTooLarge { // the frame is good all the same
		p.list.Unknown++
		p.sides[from].hpack.Lose()
	} else if err != nil {
		p.list.Drop()
		return 0, err
	}
	if st.reset {
		p.list.Drop()
		m.Values.Reset()
		m.Skip = true
		return span, nil
	}
	p.list.Finish(span)
	p.settle(from, f, st, m)
	if from == dissector.Client && span <= len(buf) && p.sides[dissector.Server].away.refuses(st) {
		p.refused = refusal{f.stream, span}
		m.Again = true
	}
	return span, nil
}

// block returns the whole header block that begins with frame f at the front of
// buf, and the span of its frames. With hpack.ErrTooLarge the span is that of f.
func (p *parser) block(f frame, buf []byte, m *dissector.Message) (block []byte, span int, err error) {
	if f.span() > maxBlock {
		return nil, f.span(), hpack.ErrTooLarge
	}
	need := func(n int) ([]byte, int, error) {
		m.Need = n
		return nil, 0, dissector.ErrShort
	}
	if len(buf) < f.span() {
		return need(f.span())
	}
	if block, err = f.block(buf[headerLen:f.span()]); err != nil || f.has(flagEndHeaders) {
		return block[:len(block):len(block)], f.span(), err
	}
	span = f.span()
	for n := 1; ; n++ {
		if len(buf) < span+headerLen {
			return need(span + headerLen)
		}
		c := readFrame(buf[span:])
		if c.kind != frameContinuation || c.stream != f.stream {
			return nil, 0, errBlockOpen
		}
		if n > maxContinuations || span+c.span() > maxBlock {
			return nil, f.span(), hpack.ErrTooLarge
		}
		if len(buf) < span+c.span() {
			return need(span + c.span())
		}
		span += c.span()
		if c.has(flagEndHeaders) {
			break
		}
	}
	p.joined = append(p.joined[:0], block...)
	for pos := f.span(); pos < span; {
		c := readFrame(buf[pos:])
		p.joined = append(p.joined, buf[pos+headerLen:pos+c.span()]...)
		pos += c.span()
	}
	return p.joined, span, nil
}

// promised returns the stream that a whole PUSH_PROMISE promises.
func promised(f frame, buf []byte) uint32 {
	off := headerLen
	if f.has(flagPadded) {
		off++
	}
	return binary.BigEndian.Uint32(buf[off:]) & (1<<31 - 1)
}

// expect says what a header list can be, before it is read.
func (p *parser) expect(from dissector.Side, f frame, st *stream) section.Kind {
	switch {
	case f.kind == framePushPromise:
		return section.Promise
	case st.half[from].begun:
		return section.Trailers
	case !f.has(flagEndStream), // trailers end the stream
		!p.sides[from].holed,
		from == dissector.Client && f.stream > p.sides[from].top:
		return section.Head
	}
	return section.Open
}

// settle makes m a piece of its stream's message.
func (p *parser) settle(from dissector.Side, f frame, st *stream, m *dissector.Message) {
	mine := &st.half[from]
	l := &p.list
	switch {
	case l.Kind == section.Promise:
		st.half[dissector.Client] = half{begun: true, ended: true}
		m.Role, m.Flow = dissector.Asks, m.Flow.Reverse() // as if the client had
		Pushed.Set(&m.Values, true)
	case l.Kind == section.Head && l.Interim():
		m.Role = dissector.Interim
	default:
		if l.Kind == section.Head && !mine.begun {
			mine.headed, mine.holed = true, false
			mine.mark = p.windows[from].blocked(m.Start)
		}
		mine.begun = true
		m.Resumed = m.Resumed || !mine.headed
		p.goOn(from, f, mine, m)
	}
	if from == dissector.Client {
		p.sides[from].top = max(p.sides[from].top, st.id)
	}
	piece(st.id, mine, m)
	p.streams.put(st)
}
