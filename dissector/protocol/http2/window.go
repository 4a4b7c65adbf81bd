package http2

import (
	"encoding/binary"

	"shark/dissector"
)

// window is how much DATA a side may send (RFC 9113, section 5.2): over the connection,
// and on a stream: initial and the stream's own credit.
type window struct {
	initial int64
	changed int64              // when initial did
	asked   [maxSettings]int64 // of SETTINGS that it has not acknowledged: the new initial, or unchanged
	n       int                // of them
	early   int                // acknowledgements to come of what it has acted upon already

	left   int64
	empty  bool  // the connection's is used up
	since  int64 // when it was
	opened int64 // when it was no longer
	total  int64 // for how long it was before, ns
}

// stall is for how long a side of a stream could send no DATA, in ns.
type stall struct {
	empty  bool  // the stream's window is used up
	since  int64 // when it was
	waited int64 // since its last DATA
	total  int64 // before
}

const (
	firstWindow     = 1<<16 - 1 // of connections and, before SETTINGS, of streams
	maxWindow       = 1<<31 - 1
	settingsInitial = 4 // INITIAL_WINDOW_SIZE (section 6.5.2)
	unchanged       = -1
)

func newWindow() window { return window{initial: firstWindow, left: firstWindow} }

// blocked returns for how long the connection's window was used up until now.
func (w *window) blocked(now int64) int64 {
	if w.empty {
		return w.total + max(0, now-w.since)
	}
	return w.total
}

// apply acts upon the oldest SETTINGS.
func (w *window) apply(now int64) {
	if v := w.asked[0]; v != unchanged {
		w.initial, w.changed = v, now
	}
	w.n--
	copy(w.asked[:w.n], w.asked[1:])
}

// settings reads what a side asks of the other one, which does so from its
// acknowledgement on (section 6.5.3).
func (p *parser) settings(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	p.blind = p.blind || f.length > maxControl
	if !p.blind && len(buf) < f.span() {
		return short(m, f.span())
	}
	m.Skip = true
	p.welcome(from, f, m)
	switch w := &p.windows[from]; {
	case p.blind:
	case !f.has(flagAck):
		p.ask(&p.windows[from.Other()], buf[headerLen:f.span()])
	case w.early > 0:
		w.early--
	case w.n > 0:
		w.apply(m.Start)
	}
	return f.span(), nil
}

func (p *parser) ask(w *window, payload []byte) {
	if w.n == maxSettings {
		p.blind = true
		return
	}
	initial := int64(unchanged)
	for ; len(payload) > 0; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) == settingsInitial {
			initial = int64(binary.BigEndian.Uint32(payload[2:]))
		}
	}
	w.asked[w.n] = initial
	w.n++
	p.blind = p.blind || initial > maxWindow
}

// windowUpdate lets the other side send more (section 6.9).
func (p *parser) windowUpdate(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int, error) {
	if !p.blind && len(buf) < f.span() {
		return short(m, f.span())
	}
	m.Skip = true
	if p.blind {
		return f.span(), nil
	}
	w, more := &p.windows[from.Other()], int64(binary.BigEndian.Uint32(buf[headerLen:])&maxWindow)
	if f.stream == 0 {
		w.left += more
		p.blind = w.left > maxWindow
		if w.empty && w.left > 0 {
			w.total, w.empty, w.opened = w.blocked(m.Start), false, m.Start
		}
		return f.span(), nil
	}
	if st := p.streams.get(f.stream); st.kept && !st.reset {
		h := &st.half[from.Other()]
		h.credit += more
		p.blind = w.initial+h.credit > maxWindow
		if w.initial+h.credit > 0 {
			h.reopen(w, m.Start)
		}
	}
	return f.span(), nil
}

// spend takes a frame of DATA, padding and all, off the windows. What does not fit in them
// tells that they are others than thought.
func (p *parser) spend(from dissector.Side, f frame, st *stream, m *dissector.Message) {
	if p.blind || f.length == 0 {
		return
	}
	w, n := &p.windows[from], int64(f.length)
	h := &st.half[from]
	if !st.reset { // what was under way then is the connection's alone
		for w.n > 0 && w.initial+h.credit < n { // its acknowledgement is still to come
			w.apply(m.Start)
			w.early++
		}
		// A stream of which no request was seen began before HTTP/2 did, with settings
		// that stand in the headers of an upgrade; or it was forgotten.
		p.blind = !st.half[dissector.Client].begun || w.initial+h.credit < n
	}
	if p.blind = p.blind || w.left < n; p.blind {
		return
	}
	w.left -= n
	if !st.reset {
		if h.resume(w, m.Start) {
			Exhausted.SetString(&m.Values, "connection")
		}
		h.credit -= n
		h.pause(w, f, m)
	}
	if w.left == 0 {
		w.empty, w.since = true, m.Start
	}
}

// resume counts what a side waited before this DATA of it. It tells whether others had
// used up the window of the connection.
func (h *half) resume(w *window, now int64) (others bool) {
	h.reopen(w, w.changed) // no WINDOW_UPDATE did
	h.share(w, now)
	if h.stall == nil || h.stall.waited == 0 {
		h.cut = false
		return false
	}
	// Where others used up the connection's window, this side may have had nothing to send
	// then. It had, if it did so sooner after that than it had waited.
	if s := h.stall; h.cut || now-w.opened <= s.waited {
		s.total += s.waited
		others = !h.cut
	}
	h.stall.waited, h.cut = 0, false
	return others
}

// pause notes that a frame that is not the last one of a side used up a window.
func (h *half) pause(w *window, f frame, m *dissector.Message) {
	if f.has(flagEndStream) {
		return
	}
	if w.initial+h.credit <= 0 {
		h.cut = true
		h.stalled().empty, h.stall.since = true, m.Start
		Exhausted.SetString(&m.Values, "stream")
	} else if w.left == 0 {
		h.cut = true
		Exhausted.SetString(&m.Values, "connection")
	}
}

// reopen says that a side may go on with its stream, if it could not.
func (h *half) reopen(w *window, now int64) {
	if s := h.stall; s != nil && s.empty {
		s.waited += max(0, now-s.since)
		s.empty = false
		h.mark = w.blocked(now)
	}
}

// share counts what a side waited for the window of the connection.
func (h *half) share(w *window, now int64) {
	if all := w.blocked(now); all != h.mark {
		h.stalled().waited += max(0, all-h.mark)
		h.mark = all
	}
}

func (h *half) stalled() *stall {
	if h.stall == nil {
		h.stall = new(stall)
	}
	return h.stall
}

// setStall sets for how long a side waited, now that it has ended what it sends. What
// it did not go on with counts, too, if it was in the midst of it.
func (p *parser) setStall(from dissector.Side, h *half, m *dissector.Message) {
	if p.blind && h.body > 0 {
		WindowsUnknown.Set(&m.Values, true)
	}
	if p.blind {
		return
	}
	if h.cut {
		w := &p.windows[from]
		h.reopen(w, m.Start)
		h.share(w, m.Start)
		h.stalled().total += h.stall.waited
		h.cut = false
	}
	if h.stall == nil || h.stall.total < 1000 {
		return
	}
	if from == dissector.Client {
		RequestStall.Set(&m.Values, h.stall.total/1000)
	} else {
		ResponseStall.Set(&m.Values, h.stall.total/1000)
	}
}
