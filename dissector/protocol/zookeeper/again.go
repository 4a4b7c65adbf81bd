package zookeeper

import "shark/dissector"

// The kinds of calls whose xid comes again with each of them.
const (
	kindPing = iota
	kindAuth
	kindWatches
	kindConnect
	kinds
)

// again counts the calls of one kind, so that each has a key of its own: the server
// answers those of one kind in order.
type again struct {
	sent, answered uint32
	at             int64 // ns; when the latest request or answer came
	void           bool  // after a loss: which answer is whose cannot be told
	stale          bool  // the answer of the one that is under way may be lost
}

// Keys of a kind: with its number in order, or, where nothing else can be told, one that
// nothing answers.
const (
	kindShift = 40
	alone     = 1 << 33
)

func (a *again) ask(kind int, m *dissector.Message) {
	if a.stale {
		a.void, a.stale = true, false
	}
	if a.void && m.Start-a.at >= idleTime {
		a.void, a.answered = false, a.sent
	}
	a.at = m.Start
	a.sent++
	key := uint64(kind+1)<<kindShift | uint64(a.sent)
	if a.void {
		key |= alone
		m.Resumed = true
	}
	m.SetKey(key)
}

func (a *again) answer(kind int, m *dissector.Message) {
	a.at = m.Start
	a.stale = false
	if a.void || a.answered == a.sent {
		m.SetKey(uint64(kind+1)<<kindShift | 2*alone)
		return
	}
	a.answered++
	m.SetKey(uint64(kind+1)<<kindShift | uint64(a.answered))
}

// lose takes note that something a side said is missing.
func (p *parser) lose(side dissector.Side, at int64) {
	for i := range p.again {
		a := &p.again[i]
		switch {
		case side == dissector.Client:
			a.void, a.stale, a.at = true, false, at
		case a.sent-a.answered == 1 && !a.void:
			a.stale = true
		case a.sent != a.answered:
			a.void = true
		}
	}
}
