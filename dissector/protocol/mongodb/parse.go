package mongodb

import (
	"encoding/binary"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	walks    [2]walk      // of each side
	unpacked [2]allowance // the same
	exhaust  exhaust
	uses     uses
}

// exhaust is the reply that the server said it goes on with unasked.
type exhaust struct {
	on                        bool
	id                        uint32 // request id of the latest reply: the next one's responseTo
	cmd, database, collection []byte
}

// What a request's Notes hold for its reply.
const (
	isCommand   = 1 << iota // a reply holds a document that says how it went
	mayContinue             // OP_QUERY's exhaust: replies follow until the cursor is at its end
)

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	w := &p.walks[from]
	w.m = m
	if m.Gap > 0 {
		w.active = false
		p.uses.lose(from)
		if from == dissector.Server {
			p.exhaust.on = false
		}
	}
	base := w.pos
	if !w.active {
		if base = 0; len(buf) < headerSize {
			m.Need = headerSize
			return 0, dissector.ErrShort
		}
		if err := p.open(w, from, buf); err != nil {
			return 0, err
		}
	} else {
		w.pair()
		w.run(buf, base)
	}
	if w.done() {
		w.active = false
		p.close(w, from)
		return w.h.size - base, nil
	}
	if w.pos == base {
		m.Need = w.need
		return 0, dissector.ErrShort
	}
	w.active, m.Open = true, true
	return w.pos - base, nil
}

// pair says with what the message pairs. Each piece has to say so.
func (w *walk) pair() {
	if w.role == dissector.OneWay {
		w.m.Role = dissector.OneWay
		return
	}
	w.m.SetKey(w.key)
}

// open begins a message.
func (p *parser) open(w *walk, from dissector.Side, buf []byte) error {
	h, ok := readHeader(buf)
	if !ok || !sentBy(from, h.opcode) {
		return errMalformed
	}
	head := min(h.size, maxHead)
	if h.opcode == opCompressed {
		head = min(h.size, maxPacked)
	}
	if int64(len(buf)) < head {
		w.m.Need = int(head)
		return dissector.ErrShort
	}
	v := &w.m.Values
	w.begin(h, headerSize)
	b := buf[:min(int64(len(buf)), h.size)]
	if h.opcode == opCompressed {
		c, ok := readCompressed(b)
		if !ok || !sentBy(from, c.opcode) || c.opcode == opCompressed {
			return errMalformed
		}
		Compressor.SetString(v, compressors[c.id])
		b = c.unpack(b, &p.unpacked[from])
		w.h.opcode, w.end = c.opcode, headerSize+c.size
	}
	Opcode.SetString(v, opcodes[w.h.opcode].name)
	if !p.body(w, from, b) {
		if h.opcode != opCompressed {
			return errMalformed
		}
		w.m.Resumed = true // what cannot be unpacked
		w.depth = 0
		w.pair()
	}
	if w.role != dissector.OneWay {
		p.uses.take(from, &w.h, w.key)
	}
	if w.run(b, 0); h.opcode == opCompressed && !w.done() {
		w.m.Resumed = true // it goes on behind the limits
		w.depth = 0
	}
	return nil
}

// body begins what is behind the header by its opcode. It is false when b, which has
// all of a small message, does not hold it.
func (p *parser) body(w *walk, from dissector.Side, b []byte) bool {
	m := w.m
	if from == dissector.Client {
		RequestID.Set(&m.Values, int64(int32(w.h.requestID)))
		m.Notes = isCommand
		w.key = p.uses.key(w.h.requestID)
	} else {
		RequestID.Set(&m.Values, int64(int32(w.h.responseTo)))
		p.answers(w)
	}
	switch w.h.opcode {
	case opMsg:
		return p.msg(w, from, b)
	case opReply:
		return p.reply(w, b)
	}
	return w.legacy(b)
}

// answers finds what a reply answers: a request, or nothing where the server goes on
// unasked.
func (p *parser) answers(w *walk) {
	m := w.m
	if p.exhaust.on && w.h.responseTo == p.exhaust.id {
		w.role = dissector.OneWay
		w.answered.command = append(w.answered.command[:0], p.exhaust.cmd...)
		w.called(p.exhaust.cmd)
		if len(p.exhaust.database) > 0 {
			w.in(p.exhaust.database)
		}
		if len(p.exhaust.collection) > 0 {
			w.on(p.exhaust.collection)
		}
		return
	}
	w.key = p.uses.peek(w.h.responseTo)
	m.SetKey(w.key)
	if peer := m.Peer(); peer != nil {
		w.answered.command = append(w.answered.command[:0], Command.Get(&peer.Values)...)
	}
}

// goesOn notes that the server says another reply will follow unasked.
func (p *parser) goesOn(w *walk) {
	e := &p.exhaust
	switch peer := w.m.Peer(); {
	case w.role == dissector.OneWay:
	case peer == nil:
		e.on = false
		return
	default:
		e.cmd = append(e.cmd[:0], Command.Get(&peer.Values)...)
		e.database = append(e.database[:0], Database.Get(&peer.Values)...)
		e.collection = append(e.collection[:0], Collection.Get(&peer.Values)...)
	}
	e.on, e.id = true, w.h.requestID
}

// msg begins an OP_MSG.
func (p *parser) msg(w *walk, from dissector.Side, b []byte) bool {
	if len(b) < headerSize+4+1+5 {
		return false
	}
	flags := binary.LittleEndian.Uint32(b[headerSize:])
	if flags&0xffff&^knownFlags != 0 {
		return false
	}
	if flags&checksumPresent != 0 {
		w.end -= checksumSize
	}
	switch {
	case from == dissector.Server && flags&moreToCome != 0:
		p.goesOn(w)
	case from == dissector.Server:
		p.exhaust.on = p.exhaust.on && w.role != dissector.OneWay
	case flags&moreToCome != 0:
		w.role = dissector.OneWay
	}
	w.pair()
	w.pos += 4
	return w.push(sections, w.end)
}

// close sets what is known at the end of a message.
func (p *parser) close(w *walk, from dissector.Side) {
	if from == dissector.Client {
		w.askedAll()
		return
	}
	w.answeredAll()
	if w.role == dissector.OneWay {
		w.askedAll()
	}
}
