package mongodb

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
)

// level is what a walk is in.
type level uint8

const (
	sections level = iota // of an OP_MSG
	commands              // documents behind each other, each a command or its arguments
	replies               // the same of replies
	counted               // documents that are only counted
	command               // the elements of a command
	reply                 // the elements of a reply
	cursor                // the elements of a reply's cursor
	items                 // an array that is only counted
)

// frame is a level, and where it ends in the message.
type frame struct {
	level level
	end   int64
}

// walk reads one message of a side, as far as it came: what is not looked at is
// passed over, so that a message of any size takes the memory of its largest value
// that is.
type walk struct {
	active   bool
	m        *dissector.Message // what the current piece is read into
	h        header
	pos, end int64 // in the message, its header included
	stack    [8]frame
	depth    int
	need     int // bytes from pos on that another step wants
	role     dissector.Role
	key      uint64
	first    bool // the next element of the command says what it is
	count    *int64
	others   int64 // documents that are counted for nobody
	asked    asked
	answered answered
}

// begin starts to read a message, whose body begins at pos.
func (w *walk) begin(h header, pos int64) {
	w.h, w.pos, w.end, w.depth, w.need = h, pos, h.size, 0, 0
	w.role, w.first = dissector.BySide, true
	w.asked.reset()
	w.answered.reset()
}

func (w *walk) push(l level, end int64) bool {
	if w.depth == len(w.stack) {
		return false
	}
	w.stack[w.depth] = frame{l, end}
	w.depth++
	return true
}

// done tells whether nothing is left to look at.
func (w *walk) done() bool { return w.depth == 0 || w.pos >= w.end }

// run reads on in b, of which the first byte is at base in the message.
func (w *walk) run(b []byte, base int64) {
	w.need = 0
	for !w.done() && w.need == 0 && w.pos-base < int64(len(b)) {
		if f := w.stack[w.depth-1]; w.pos >= f.end {
			w.depth--
			continue
		}
		if !w.step(b[w.pos-base:]) {
			w.m.Resumed = true // what the rest of the message says is unknown
			w.depth = 0
		}
	}
}

// step reads what is next, at the front of b; it returns false where that is broken.
func (w *walk) step(b []byte) bool {
	f := w.stack[w.depth-1]
	left := f.end - w.pos
	switch f.level {
	case sections:
		return w.section(b, left)
	case commands, replies, counted:
		return w.document(b, f.level, left)
	}
	if b[0] == 0 {
		w.pos++
		w.depth--
		return left == 1
	}
	e, need, ok := readElement(b, left)
	if !ok || need > 0 {
		w.need = need
		return ok
	}
	if f.level == items {
		*w.count++
		w.pos += int64(e.head) + e.size
		return true
	}
	if wanted := int64(e.head) + min(e.size, w.limit()); int64(len(b)) < wanted {
		w.need = int(wanted)
		return true
	}
	e.value = e.value[:min(int64(len(e.value)), w.limit())]
	if in, enter := w.element(f.level, &e); enter && w.push(in, w.pos+int64(e.head)+e.size) {
		w.pos += int64(e.head) + 4
		return true
	}
	w.pos += int64(e.head) + e.size
	return true
}

// limit is how many bytes of a value are looked at.
func (w *walk) limit() int64 {
	if w.m.Detail {
		return maxDetail
	}
	return maxValue
}

// section begins a section of an OP_MSG.
func (w *walk) section(b []byte, left int64) bool {
	if len(b) < 5 {
		w.need = 5
		return left >= 5
	}
	size := int64(int32(binary.LittleEndian.Uint32(b[1:])))
	if size < 5 || size > left-1 {
		return false
	}
	end := w.pos + 1 + size
	switch b[0] {
	case 0: // body
		in := command
		if w.m.From == dissector.Server {
			in = reply
		}
		w.pos += 5
		return w.push(in, end)
	case 1: // document sequence
		at := bytes.IndexByte(b[5:min(len(b), 5+maxKey)], 0)
		if at < 0 {
			w.need = len(b) + 1
			return len(b) < 5+maxKey
		}
		if w.count = &w.others; w.m.From == dissector.Client && carried[string(b[5:5+at])] {
			w.count = w.asked.counts()
		}
		w.pos += int64(5 + at + 1)
		return w.pos <= end && w.push(counted, end)
	}
	return false
}

// document begins one of several documents behind each other.
func (w *walk) document(b []byte, l level, left int64) bool {
	if len(b) < 4 {
		w.need = 4
		return left >= 5
	}
	size := int64(int32(binary.LittleEndian.Uint32(b)))
	if size < 5 || size > left {
		return false
	}
	if l != counted {
		in := command
		if l == replies {
			in = reply
		}
		w.pos += 4
		return w.push(in, w.pos-4+size)
	}
	if *w.count == 0 && w.count != &w.others {
		wanted := min(size, w.limit())
		if int64(len(b)) < wanted {
			w.need = int(wanted)
			return true
		}
		w.statement(b[:wanted])
	}
	*w.count++
	w.pos += size
	return true
}

// element looks at one element and tells into what it leads, if it is to be entered.
func (w *walk) element(l level, e *element) (level, bool) {
	switch l {
	case command:
		return w.commandElement(e)
	case reply:
		return w.replyElement(e)
	}
	return w.cursorElement(e)
}
