package http3

import (
	"cmp"
	"maps"
	"slices"

	"shark/dissector"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/quic/record"
)

// stream is what is remembered of an exchange.
type stream struct {
	id   uint64
	over bool // a side ended it early
	half [2]half
}

// half is one side of an exchange.
type half struct {
	frames
	begun  bool // a piece of its message was told
	headed bool // the head of its message was
	ended  bool
	holed  bool  // bytes of it are missing
	body   int64 // bytes of DATA

	waiting int64        // bytes that no piece was told of yet
	at      record.Place // the first of its packets
}

// streams are the exchanges of a connection that are not over, and those that were ended early.
type streams struct {
	by        map[uint64]*stream
	forgotten uint64 // those below it that are not there
}

// get returns a stream, a new one if nothing is remembered of it.
func (ss *streams) get(id uint64) *stream {
	if st := ss.by[id]; st != nil {
		return st
	}
	return &stream{id: id, over: id < ss.forgotten}
}

// put remembers a stream until both sides have ended it.
func (ss *streams) put(st *stream) {
	if st.half[dissector.Client].ended && st.half[dissector.Server].ended {
		delete(ss.by, st.id)
		return
	}
	if ss.by == nil {
		ss.by = make(map[uint64]*stream)
	}
	if len(ss.by) >= maxStreams && ss.by[st.id] == nil {
		ss.forget()
	}
	ss.by[st.id] = st
}

// forget makes room: the oldest ones are passed over from now on.
func (ss *streams) forget() {
	for _, id := range slices.Sorted(maps.Keys(ss.by))[:maxStreams/4] {
		delete(ss.by, id)
		ss.forgotten = id + 1
	}
}

// unfinished appends the exchanges that are going on to ids, the newest first.
func (ss *streams) unfinished(ids []uint64) []uint64 {
	for id, st := range ss.by {
		if !st.over && (st.half[0].begun || st.half[1].begun) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint64) int { return cmp.Compare(b, a) })
	return ids
}

// end ends what a side says in an exchange: how much body it sent is known where all of it was
// seen.
func (p *parser) end(from dissector.Side, h *half, m *dissector.Message) {
	h.ended = true
	if !h.headed || h.holed {
		return
	}
	if from == dissector.Client {
		http.RequestBodySize.Set(&m.Values, h.body)
	} else {
		http.ResponseBodySize.Set(&m.Values, h.body)
	}
}

// miss takes note of n bytes of a side's message that were not captured.
func (p *parser) miss(from dissector.Side, id uint64, n int64, m *dissector.Message) {
	st := p.streams.get(id)
	h := &st.half[from]
	if st.over || h.ended {
		return
	}
	if h.holed = true; !h.pass(uint64(n)) {
		h.lose()
	}
	m.Lost += n
	p.piece(from, st, m, false)
}

// lapse takes note that nothing is known of what comes next in a side's message.
func (p *parser) lapse(from dissector.Side, id uint64, m *dissector.Message) {
	st := p.streams.get(id)
	h := &st.half[from]
	if st.over || h.ended {
		return
	}
	h.holed = true
	h.lose()
	m.Resumed = true
	p.piece(from, st, m, false)
}

// reset ends an exchange early: whoever sent RESET_STREAM says no more in it.
func (p *parser) reset(from dissector.Side, id, code uint64, m *dissector.Message) {
	st := p.streams.get(id)
	if st.over || st.half[from].ended {
		return
	}
	if !st.half[0].begun && !st.half[1].begun { // nothing of it can be told
		st.over = true
		p.streams.put(st)
		return
	}
	if code == requestRejected && from == dissector.Server {
		Unprocessed.Set(&m.Values, true)
	}
	p.cancel(from, st, code, m)
}

// stop reads STOP_SENDING: a client that wants to hear no more ends the exchange, a server that
// does may go on (RFC 9114 section 4.1).
func (p *parser) stop(from dissector.Side, id, code uint64, m *dissector.Message) {
	st := p.streams.get(id)
	if from == dissector.Server || st.over || st.half[dissector.Server].ended || !st.half[from].begun {
		return
	}
	p.cancel(from, st, code, m)
}

// cancel makes m the end of an exchange, with an error code.
func (p *parser) cancel(from dissector.Side, st *stream, code uint64, m *dissector.Message) {
	name := errorName(code)
	Reset.SetString(&m.Values, name)
	if !harmless(code) {
		dissector.Status.SetString(&m.Values, "RESET_STREAM "+name)
		dissector.Failed.Set(&m.Values, true)
	}
	p.piece(from, st, m, false)
	m.Cancel = true
	for side := range st.half {
		if h := &st.half[side]; !h.ended && (h.body > 0 || dissector.Side(side) == from) {
			p.end(dissector.Side(side), h, m)
		}
	}
	p.streams.by[st.id] = &stream{id: st.id, over: true}
}
