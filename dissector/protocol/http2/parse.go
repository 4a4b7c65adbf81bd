package http2

import (
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http/hpack"
	"shark/dissector/protocol/http/section"
)

// parser is the state of one connection.
type parser struct {
	sides   [2]side
	streams streams
	list    section.List // the header list that is being read
	joined  []byte       // a header block put together from several frames
	add     func(*hpack.Field)
	leaving []uint32 // streams that the GOAWAY at hand is still to be told of
	refused refusal
	failing bool      // a GOAWAY had an error code
	windows [2]window // what each side may send
	blind   bool      // the windows are unknown
	opening opening
}

// side is what one side has said so far.
type side struct {
	hpack hpack.Decoder
	begun bool   // a frame of it was seen
	holed bool   // some of its frames were not
	top   uint32 // highest id of a stream that it opened
	away  away
}

func newParser() *parser {
	p := new(parser)
	p.sides[dissector.Client].holed, p.sides[dissector.Server].holed = true, true // until a beginning is seen
	p.windows = [2]window{newWindow(), newWindow()}
	p.list.Version, p.list.UnknownField = version, Unknown
	p.add = p.list.Add
	return p
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose(from)
	}
	if n := min(len(buf), len(preface)); n >= 3 && buf[0] == preface[0] && string(buf[:n]) == preface[:n] {
		if n < len(preface) {
			m.Need = len(preface)
			return 0, dissector.ErrShort
		}
		p.open(from, m)
		return int64(n), nil
	}
	if from == dissector.Server && p.opening == asked && !p.sides[from].begun && isPlain(buf) {
		return p.plainly(buf, m)
	}
	if len(buf) < headerLen {
		m.Need = headerLen
		return 0, dissector.ErrShort
	}
	f := readFrame(buf)
	if err := f.check(); err != nil {
		p.lose(from)
		return 0, err
	}
	if from == dissector.Server && f.kind == frameSettings && !f.has(flagAck) && !p.sides[from].begun {
		p.begin(from)
	}
	p.blind = p.blind || p.sides[from].holed
	span, err := p.frame(from, f, buf, m)
	switch err {
	case nil:
		p.sides[from].begun = true
	case dissector.ErrShort:
	default:
		p.lose(from)
	}
	return int64(span), err
}

// short asks for need bytes.
func short(m *dissector.Message, need int) (int, error) {
	m.Need = need
	return 0, dissector.ErrShort
}

// begin says that a side's first bytes were seen.
func (p *parser) begin(from dissector.Side) {
	s := &p.sides[from]
	s.hpack.Begin()
	s.begun, s.holed = true, false
}

// lose says that frames of a side may be missing.
func (p *parser) lose(from dissector.Side) {
	s := &p.sides[from]
	s.hpack.Lose()
	s.begun, s.holed = true, true
	p.blind = true
	p.streams.lose(from)
}

func (p *parser) frame(from dissector.Side, f frame, buf []byte, m *dissector.Message) (span int, err error) {
	switch f.kind {
	case frameData:
		return p.data(from, f, buf, m)
	case frameHeaders, framePushPromise:
		if p.refused.span > 0 {
			return p.late(m)
		}
		return p.headers(from, f, buf, m)
	case frameRSTStream:
		return p.reset(from, f, buf, m)
	case frameGoAway:
		return p.goAway(from, f, buf, m)
	case frameSettings:
		return p.settings(from, f, buf, m)
	case frameWindowUpdate:
		return p.windowUpdate(from, f, buf, m)
	case frameContinuation: // of a block whose beginning was not read
		p.sides[from].hpack.Lose()
	}
	m.Skip = true
	return f.span(), nil
}

func (p *parser) data(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	off, n := headerLen, f.length
	if f.has(flagPadded) {
		if len(buf) <= headerLen {
			return short(m, headerLen+1)
		}
		pad := int(buf[headerLen])
		if pad >= n {
			return 0, errPadding
		}
		off, n = off+1, n-1-pad
	}
	st := p.streams.get(f.stream)
	p.spend(from, f, st, m)
	if st.reset {
		m.Skip = true
		return f.span(), nil
	}
	half := &st.half[from]
	half.begun = true
	half.body += int64(n)
	piece(f.stream, half, m)
	m.Resumed = m.Resumed || !half.headed
	m.SetBody(off, int64(n))
	p.goOn(from, f, half, m)
	p.streams.put(st)
	return f.span(), nil
}

// piece makes m a piece of a side's message on a stream.
func piece(id uint32, h *half, m *dissector.Message) {
	m.SetKey(uint64(id))
	StreamID.Set(&m.Values, int64(id))
	if h.holed {
		Holed.Set(&m.Values, true)
		m.Resumed = true
	}
}

// goOn leaves the message of m open, or ends it with END_STREAM.
func (p *parser) goOn(from dissector.Side, f frame, h *half, m *dissector.Message) {
	m.Open = !f.has(flagEndStream)
	if !m.Open {
		h.ended = true
		p.end(from, h, m)
	}
}

// end sets how much body a side sent, where all of it was seen, and how long it waited.
func (p *parser) end(from dissector.Side, h *half, m *dissector.Message) {
	p.setStall(from, h, m)
	if !h.headed || h.holed {
		return
	}
	if from == dissector.Client {
		http.RequestBodySize.Set(&m.Values, h.body)
	} else {
		http.ResponseBodySize.Set(&m.Values, h.body)
	}
}

// reset ends a stream early. What arrives on it later was sent before the other
// side knew, and belongs to no exchange any more.
func (p *parser) reset(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	if len(buf) < f.span() {
		return short(m, f.span())
	}
	st := p.streams.get(f.stream)
	if !st.kept || st.reset {
		m.Skip = true
		return f.span(), nil
	}
	half := &st.half[from]
	piece(f.stream, half, m)
	m.Cancel = true
	code := binary.BigEndian.Uint32(buf[headerLen:])
	Reset.SetString(&m.Values, errorName(code))
	if code == refusedStream && from == dissector.Server {
		Unprocessed.Set(&m.Values, true)
	}
	if code != 0 {
		dissector.Status.SetString(&m.Values, "RST_STREAM "+errorName(code))
		dissector.Failed.Set(&m.Values, true)
	}
	p.endStream(from, st, m)
	return f.span(), nil
}

// endStream ends what both sides sent on a stream, the last word being m of from.
func (p *parser) endStream(from dissector.Side, st *stream, m *dissector.Message) {
	if half := &st.half[from]; !half.ended {
		p.end(from, half, m)
	}
	if other := &st.half[from.Other()]; !other.ended && other.body > 0 { // what it sent ends here, too
		p.end(from.Other(), other, m)
	}
	*st = stream{id: st.id, kept: true, reset: true}
}
