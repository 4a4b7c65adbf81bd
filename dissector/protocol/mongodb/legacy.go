package mongodb

import (
	"bytes"
	"encoding/binary"
	"strings"

	"shark/dissector"
)

// The opcodes before OP_MSG (MongoDB Wire Protocol, legacy opcodes).

// reply begins an OP_REPLY.
func (p *parser) reply(w *walk, b []byte) bool {
	const size = headerSize + 20
	if len(b) < size {
		return false
	}
	v := &w.m.Values
	flags := binary.LittleEndian.Uint32(b[16:])
	id, n := int64(binary.LittleEndian.Uint64(b[20:])), int64(int32(binary.LittleEndian.Uint32(b[32:])))
	if flags&^replyFlags != 0 || n < 0 {
		return false
	}
	peer := (*dissector.Message)(nil)
	if w.role != dissector.OneWay {
		peer = w.m.Peer()
	}
	exhausting := w.role == dissector.OneWay || peer != nil && peer.Notes&mayContinue != 0
	if p.exhaust.on = false; exhausting && id != 0 {
		p.goesOn(w)
	}
	w.pair()
	if id != 0 {
		CursorID.Set(v, id)
	}
	w.pos = size
	switch {
	case flags&replyNoCursor != 0:
		w.answered.err.set, w.answered.err.code = true, codeCursorNotFound
	case flags&replyQueryFailure != 0 || peer != nil && peer.Notes&isCommand != 0:
		w.answered.err.set = flags&replyQueryFailure != 0
		return w.push(replies, w.end)
	case exhausting || peer != nil:
		w.answered.judged, w.answered.ok = true, true
		w.answered.returned, w.answered.holds = n, true
	}
	w.pos = w.end
	return true
}

// legacy begins a request of the opcodes before OP_MSG. All but a command and the
// documents of an insert is read at once.
func (w *walk) legacy(b []byte) bool {
	switch w.h.opcode {
	case opInsert, opUpdate, opDelete, opKillCursors:
		w.role = dissector.OneWay
	}
	w.pair()
	if w.h.opcode == opCommandReply {
		return w.push(replies, w.end)
	}
	r := fixedReader{b: b, at: headerSize}
	if w.h.opcode == opKillCursors {
		return w.killCursors(&r)
	}
	if w.h.opcode != opCommand {
		r.skip(4)
	}
	name := r.cstring()
	if r.bad {
		return false
	}
	w.first = false
	if w.h.opcode == opCommand {
		w.in(name)
		w.called(r.cstring())
		w.pos = int64(r.at)
		return !r.bad && w.push(commands, w.end)
	}
	if w.h.opcode == opQuery {
		return w.query(&r, name)
	}
	w.namespace(name)
	w.m.Notes = 0
	switch w.h.opcode {
	case opInsert:
		w.called([]byte("insert"))
		w.pos, w.count = int64(r.at), w.asked.counts()
		return w.push(counted, w.end)
	case opUpdate, opDelete:
		w.called([]byte(strings.ToLower(strings.TrimPrefix(opcodes[w.h.opcode].name, "OP_"))))
		r.skip(4)
		w.selector(&r)
	default:
		w.called([]byte("getMore"))
		r.skip(4)
		if id := r.take(8); !r.bad {
			CursorID.Set(&w.m.Values, int64(binary.LittleEndian.Uint64(id)))
		}
	}
	w.pos = w.end
	return !r.bad
}

// query begins an OP_QUERY: a command, or a find before there was one.
func (w *walk) query(r *fixedReader, name []byte) bool {
	w.namespace(name)
	r.skip(8)
	if r.bad || len(r.b)-r.at < 5 {
		return false
	}
	if bytes.HasSuffix(name, []byte(".$cmd")) {
		w.pos, w.first = int64(r.at), true
		size := int64(int32(binary.LittleEndian.Uint32(r.b[r.at:])))
		return size >= 5 && size <= w.end-w.pos && w.push(commands, w.pos+size)
	}
	w.m.Notes = 0
	if binary.LittleEndian.Uint32(r.b[headerSize:])&queryExhaust != 0 {
		w.m.Notes = mayContinue
	}
	w.called([]byte("find"))
	w.selector(r)
	w.pos = w.end
	return !r.bad
}

// selector reads the document that says what a legacy request is about.
func (w *walk) selector(r *fixedReader) {
	b := r.b[min(r.at, len(r.b)):]
	if len(b) < 5 {
		r.bad = true
		return
	}
	size := int64(int32(binary.LittleEndian.Uint32(b)))
	if size < 5 || size > w.end-int64(r.at) {
		r.bad = true
		return
	}
	e := element{typ: typeDocument, size: size, value: b[:min(size, int64(len(b)), w.limit())]}
	for _, key := range []string{"$query", "query"} { // what a find wraps to say more
		if d := open(e.value); len(d.rest) > 0 {
			if in, ok := d.next(); ok && string(in.key) == key && in.typ == typeDocument {
				e = in
			}
		}
	}
	w.filter(&e)
}

func (w *walk) killCursors(r *fixedReader) bool {
	w.called([]byte("killCursors"))
	r.skip(4)
	r.skip(4)
	if id := r.take(8); !r.bad {
		CursorID.Set(&w.m.Values, int64(binary.LittleEndian.Uint64(id)))
	}
	w.pos = w.end
	return true
}

// fixedReader reads what is in front of documents. A read past the end sets bad.
type fixedReader struct {
	b   []byte
	at  int
	bad bool
}

func (r *fixedReader) take(n int) []byte {
	if r.bad || n > len(r.b)-r.at {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *fixedReader) skip(n int) { r.take(n) }

// cstring reads a text up to the zero byte behind it.
func (r *fixedReader) cstring() []byte {
	b := r.b[min(r.at, len(r.b)):]
	end := bytes.IndexByte(b[:min(len(b), maxKey)], 0)
	if end < 0 {
		r.bad = true
		return nil
	}
	r.at += end + 1
	return b[:end]
}
