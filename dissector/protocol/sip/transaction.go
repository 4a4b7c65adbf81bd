package sip

import (
	"bytes"

	"shark/dissector"
)

// place says what a message is in its transaction (RFC 3261 section 17).
func (p *parser) place(from dissector.Side, h *head, m *dissector.Message) {
	asker := from
	if !h.request {
		asker = from.Other()
	}
	key, ok := h.key(asker)
	switch {
	case !ok:
		m.Role = dissector.OneWay
		return
	case !h.request && h.code < 200:
		m.Role = dissector.Interim
		m.SetKey(key)
		return
	}
	again := false
	if before, known := p.known[key]; h.request {
		again = known
		if !known {
			p.remember(key, transaction{gaps: p.gaps[from.Other()]})
		} else {
			Retransmission.Set(&m.Values, true)
		}
	} else {
		again = p.answered(from, key, before, h, m)
	}
	if again || h.request && string(h.method) == "ACK" {
		m.Role = dissector.OneWay
		return
	}
	m.Role = dissector.Asks
	if !h.request {
		m.Role = dissector.Answers
	}
	m.SetKey(key)
}

// answered remembers a final response, and tells whether there was one before. Where
// bytes are missing since the request, interim responses may be.
func (p *parser) answered(from dissector.Side, key uint64, before transaction, h *head, m *dissector.Message) bool {
	_, parameters := address(h.to)
	answer := mix(uint64(h.code), parameter(parameters, "tag"))
	if before.answer != 0 {
		if before.answer == answer {
			Retransmission.Set(&m.Values, true)
		}
		return true
	}
	m.Resumed = m.Resumed || before.gaps != p.gaps[from]
	p.remember(key, transaction{answer, p.gaps[from]})
	return false
}

// remember keeps a transaction. When there are too many, all are forgotten: what is sent
// again then counts as new.
func (p *parser) remember(key uint64, t transaction) {
	if p.known == nil || len(p.known) >= maxTransactions {
		p.known = make(map[uint64]transaction)
	}
	p.known[key] = t
}

// key is what a response has of its request (section 17.1.3). The Call-ID and the number
// are there for clients older than the branch: without one, what both sides ask may
// have the same, so that who asks is part of the key. Peers keep their sides in
// datagrams too, whatever each message is.
func (h *head) key(asker dissector.Side) (uint64, bool) {
	if len(h.via) == 0 || len(h.callID) == 0 || bytes.IndexByte(h.cseq, ' ') < 0 {
		return 0, false
	}
	return mix(mix(mix(1+uint64(asker), parameter(h.via, "branch")), h.callID), h.cseq), true
}

// mix hashes b, which is FNV-1a, behind what was hashed before. It is never 0.
func mix(h uint64, b []byte) uint64 {
	h ^= 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h^0xff)*1099511628211 | 1<<63
}
