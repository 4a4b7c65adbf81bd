package xmpp

import (
	"bytes"

	"shark/dissector"
)

// stanza takes a stanza (RFC 6120 section 8).
func (p *parser) stanza(from dissector.Side, name string, t *tag, b []byte, m *dissector.Message) {
	v := &m.Values
	kind, _ := t.attribute("type")
	id, hasID := t.attribute("id")
	asks := string(kind) == "get" || string(kind) == "set"
	answers := string(kind) == "result" || string(kind) == "error"
	m.Role = dissector.OneWay
	if name == "iq" && hasID && (asks && from == dissector.Client || answers && from == dissector.Server) {
		p.pair(from, id, m)
	}
	if m.Role == dissector.OneWay || asks {
		dissector.Operation.SetString(v, name)
		p.names(t, m)
		if hasID {
			ID.Set(v, id)
		}
		if len(kind) > 0 {
			Type.Set(v, kind)
		}
	}
	if name == "iq" && answers {
		dissector.Status.Set(v, kind)
	}
	if string(kind) == "error" {
		p.failed(b, 2, m)
	}
	p.about(name, b, m)
}

// asked is what is awaited by an id.
type asked struct {
	key   uint64 // of the question
	n     int    // questions without an answer
	doubt bool   // there was more than one: which answer is whose cannot be told
}

// pair gives an iq the key by which it pairs, one of its own for each use of an id. An
// answer to what was asked unseen stays one-way, and so do a second question by an id
// that is in use and the answers by that id: the earlier answer may be out of sight.
func (p *parser) pair(from dissector.Side, id []byte, m *dissector.Message) {
	hash := uint64(14695981039346656037) // FNV-1a
	for _, c := range id {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	a, waits := p.asked[hash]
	if from == dissector.Server {
		if a.n--; a.n > 0 {
			p.asked[hash] = a
		} else {
			delete(p.asked, hash)
		}
		if !waits || a.doubt {
			return
		}
	} else {
		if p.asked == nil || len(p.asked) >= maxAsked {
			p.asked = make(map[uint64]asked)
		}
		a.n, a.doubt = a.n+1, waits
		if !waits {
			p.uses++
			a.key = p.uses
		}
		p.asked[hash] = a
		if waits {
			return
		}
	}
	m.Role = dissector.BySide
	m.SetKey(a.key)
	p.goes[from].key, p.goes[from].keyed = a.key, true
}

// about sets what a stanza is about: the namespace in an iq, or whom it goes to.
func (p *parser) about(name string, b []byte, m *dissector.Message) {
	v := &m.Values
	summary := append([]byte(nil), Type.Get(v)...)
	if name == "iq" {
		for depth, t := range children(b) {
			if namespace, ok := t.attribute("xmlns"); ok && depth == 1 && string(local(t.name)) != "error" {
				Namespace.Set(v, namespace)
				summary = append(append(summary, ' '), namespace...)
			}
			break
		}
	} else if to := To.Get(v); len(to) > 0 {
		summary = append(append(summary, " to "...), to...)
	} else if from := From.Get(v); len(from) > 0 {
		summary = append(append(summary, " from "...), from...)
	}
	if summary = bytes.TrimSpace(summary); len(summary) > 0 && dissector.Operation.Get(v) != nil {
		dissector.Summary.Set(v, summary)
	}
}
