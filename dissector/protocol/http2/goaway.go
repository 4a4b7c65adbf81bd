package http2

import (
	"bytes"
	"encoding/binary"
	"slices"

	"shark/dissector"
)

// away is what a side said of its going away (RFC 9113, section 6.8).
type away struct {
	n     int    // GOAWAYs
	last  uint32 // stream of the other side that it may have processed
	code  uint32
	debug []byte
}

// refusal is a head that comes when the server is no longer going to process it.
type refusal struct {
	stream uint32
	span   int // of its frames; 0: there is none
}

// goAway reads GOAWAY, once for each call that it is about: those that the server does not
// process end here, as safe to send again, and it is remarked on those that are going on.
func (p *parser) goAway(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	a := &p.sides[from].away
	if f.length > maxControl {
		m.Skip = true
		return f.span(), nil
	}
	if len(buf) < f.span() {
		return short(m, f.span())
	}
	if len(p.leaving) == 0 {
		if a.n >= maxGoAways {
			m.Skip = true
			return f.span(), nil
		}
		a.read(buf[headerLen:f.span()])
		p.failing = p.failing || a.code != 0
		p.leaving = p.streams.unfinished(p.leaving)
	}
	if len(p.leaving) == 0 {
		m.Skip = !p.turnAway(from, a, m)
		return f.span(), nil
	}
	last := len(p.leaving) - 1
	st := p.streams.get(p.leaving[last])
	p.leaving = p.leaving[:last]
	m.Again = last > 0
	p.tell(a, st, m)
	return f.span(), nil
}

// tell makes m what a GOAWAY says of the call of a stream.
func (p *parser) tell(a *away, st *stream, m *dissector.Message) {
	m.SetKey(uint64(st.id))
	m.Remark = true
	refused := a == &p.sides[dissector.Server].away && a.refuses(st)
	if refused || a.code != 0 || !p.failing {
		a.say(m)
	}
	if !refused {
		return
	}
	m.Cancel = true
	Unprocessed.Set(&m.Values, true)
	dissector.Status.SetString(&m.Values, "GOAWAY "+errorName(a.code))
	dissector.Failed.Set(&m.Values, true)
	p.endStream(dissector.Server, st, m)
	st.gone = true
}

// say sets what a side said when it went away.
func (a *away) say(m *dissector.Message) {
	GoAway.SetString(&m.Values, errorName(a.code))
	if len(a.debug) > 0 {
		GoAwayDebug.Set(&m.Values, a.debug)
	}
}

// late ends a call that the client began before it had read the GOAWAY that refuses it:
// its head is read for this once more.
func (p *parser) late(m *dissector.Message) (int, error) {
	r := p.refused
	p.refused = refusal{}
	p.tell(&p.sides[dissector.Server].away, p.streams.get(r.stream), m)
	return r.span, nil
}

// read takes the payload of a GOAWAY.
func (a *away) read(payload []byte) {
	a.n++
	a.last = binary.BigEndian.Uint32(payload) & (1<<31 - 1)
	a.code = binary.BigEndian.Uint32(payload[4:])
	a.debug = bytes.Clone(payload[8:min(len(payload), 8+maxDebug)])
}

// refuses tells whether the server, which is a, says that it did not process a stream.
func (a *away) refuses(st *stream) bool {
	return a.n > 0 && st.id%2 == 1 && st.id > a.last && !st.half[dissector.Server].begun
}

// unfinished appends to ids those of the streams that are going on, in descending order.
func (ss *streams) unfinished(ids []uint32) []uint32 {
	for i := range ss.slots {
		if st := &ss.slots[i]; st.kept && !st.reset {
			ids = append(ids, st.id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(b) - int(a) })
	return ids
}
