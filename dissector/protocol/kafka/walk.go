package kafka

import "shark/dissector"

// walk is the message that a side is amidst. Records are passed over unseen, and what stands
// behind them is read when it comes: a piece of the message ends where that begins. What was
// read stays until all is, and is read anew with each piece, so it has a limit.
type walk struct {
	active       bool
	left         int64 // bytes of the message that are to come
	correlation  uint32
	key, version int
	client       []byte // of a request, its own memory
	body         body
	kept         []byte // of the message, what was read

	// Of records that are passed over, those of the piece at hand count themselves as they pass.
	before  int64 // bytes of the piece before them
	passing batches
	passed  tally // of those of earlier pieces
}

// prefix is the length of what stands before a message: its size.
const prefix = 4

// begin begins with the frame at hand, whose body is at off.
func (w *walk) begin(frame []byte, off int, m *dissector.Message) {
	w.passed = tally{}
	w.body.begin(frame, off, w.version, apiOf(w.key).flexible(w.version), m)
}

// goOn reads the next piece.
func (w *walk) goOn(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	n := int(min(w.left, maxHead, int64(maxRead-len(w.kept))))
	if len(buf) < n {
		m.Need = n
		return 0, dissector.ErrShort
	}
	w.kept = append(w.kept, buf[:n]...)
	w.body.again(w.kept, m)
	return w.read(from, n, w.left, m), nil
}

// read reads the body as far as it is at hand: its last n bytes are of this piece, of whose
// message left bytes are left. It returns how many of these the piece has.
func (w *walk) read(from dissector.Side, n int, left int64, m *dissector.Message) int64 {
	b := &w.body
	w.run(from)
	span := int64(n + b.ahead)
	if b.ahead > 0 {
		if b.scan {
			here := len(b.b) - b.off
			w.before = int64(n - here)
			w.passing = batches{partial: b.partial, left: int64(here + b.ahead)}
			m.Watch = w
		}
		b.b = b.b[:b.off]
		b.holes = append(b.holes, b.off)
		if span == left { // it ends with what is passed over
			b.again(b.b, m)
			w.run(from)
		}
	}
	if w.active = b.short && span < left && len(b.holes) <= maxHoles && len(b.b) < maxRead; !w.active {
		span = left
	}
	w.finish(from, m)
	if w.active {
		w.left, m.Open = left-span, true
		w.kept = append(w.kept[:0], b.b...)
	} else {
		w.kept = w.kept[:0]
	}
	return span
}

// run reads the body.
func (w *walk) run(from dissector.Side) {
	switch api := apiOf(w.key); {
	case from == dissector.Server:
		if w.body.flex && w.key != keyApiVersions { // KIP-511: its response has the old header always
			w.body.tags()
		}
		w.body.answer(api)
	case api.request != nil && w.version <= int(api.max):
		api.request(&w.body)
	}
}

// finish says what was found so far, and to what the piece belongs.
func (w *walk) finish(from dissector.Side, m *dissector.Message) {
	switch {
	case from == dissector.Server:
		w.body.conclude()
	case !w.active: // what is said once stays, so it waits for all topics
		w.body.summarise(w.client)
	}
	if !w.active && m.Watch == nil {
		w.count(m)
	}
	if w.body.unacknowledged {
		m.Role = dissector.OneWay
	} else {
		m.SetKey(uint64(w.correlation))
	}
}

// count says what records the message has.
func (w *walk) count(m *dissector.Message) {
	if w.body.carries {
		w.passed.add(&w.body.found)
		w.passed.set(m, !w.body.bad)
	}
}

// Pass implements dissector.Watcher.
func (w *walk) Pass(b []byte) {
	n := min(w.before, int64(len(b)))
	w.before -= n
	w.passing.pass(b[n:])
}

// Miss implements dissector.Watcher. What stands before records was at hand.
func (w *walk) Miss(n int64) { w.passing.miss(n) }

// Passed implements dissector.Watcher.
func (w *walk) Passed(m *dissector.Message) {
	w.passing.end()
	w.passed.add(&w.passing.tally)
	if !w.active {
		w.count(m)
	}
}
