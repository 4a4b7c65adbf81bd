package thrift

import (
	"encoding/binary"

	"shark/dissector"
)

// level is a value that the walk is in.
type level struct {
	kind  byte  // tStruct, tList or tMap
	elem  byte  // of a list or map: what comes next
	other byte  // of a map: what comes after that
	left  int64 // values of a list or map that are yet to come
	field int16 // of a struct: the latest field
}

// walker walks over the struct of a message, as far as its bytes are at hand. On its way
// it takes note of what tells how a call was answered.
type walker struct {
	compact bool
	kind    int // of the message
	levels  [maxDepth]level
	depth   int
	notes   notes
}

// notes are what the walk has seen.
type notes struct {
	seen  bool  // a field
	first int16 // the first field
	text  []byte
	cut   bool // there is more of the text
	code  int64
}

func (w *walker) begin(protocol, kind int) {
	w.compact, w.kind, w.depth = protocol == compactProtocol, kind, 1
	w.levels[0] = level{kind: tStruct}
	w.notes = notes{text: w.notes.text[:0]}
}

// walk goes on at the front of b and returns how far it came, which may be behind the
// end of b, and whether the struct has ended.
func (w *walker) walk(b []byte) (span int64, done bool, err error) {
	for w.depth > 0 && span < int64(len(b)) {
		n, err := w.step(b[span:])
		if err == dissector.ErrShort && span > 0 {
			return span, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		span += n
	}
	return span, w.depth == 0, nil
}

// step passes the next field or item, or the end of what the walk is in, which may take
// no bytes: but every struct ends with one.
func (w *walker) step(b []byte) (int64, error) {
	l := &w.levels[w.depth-1]
	if l.kind == tStruct {
		return w.structField(l, b)
	}
	if l.left == 0 {
		w.depth--
		return 0, nil
	}
	kind := l.elem
	if size, fixed := w.fixed(kind); fixed && l.kind == tList {
		n := l.left
		l.left = 0
		return n * size, nil
	}
	n, err := w.value(kind, b)
	if err != nil {
		return 0, err
	}
	if l.kind == tMap {
		l.elem, l.other = l.other, l.elem
	}
	l.left--
	return n, nil
}

// fixed tells how many bytes every value of a type has, if it is the same.
func (w *walker) fixed(kind byte) (int64, bool) {
	if w.compact {
		switch kind {
		case tI16, tI32, tI64:
			return 0, false
		case tTruth: // in a container a truth takes a byte
			return 1, true
		}
	}
	if int(kind) < len(binarySizes) && binarySizes[kind] > 0 {
		return binarySizes[kind], true
	}
	return 0, false
}

// structField reads a field's head with its value, or the end of a struct.
func (w *walker) structField(l *level, b []byte) (int64, error) {
	if b[0] == tStop {
		w.depth--
		return 1, nil
	}
	kind, id, n := b[0], int16(0), 3
	if w.compact {
		r := bytesReader{b: b, off: 1}
		if kind&15 >= byte(len(compactTypes)) || kind&15 == 0 {
			return 0, errMalformed
		}
		if id = l.field + int16(kind>>4); kind>>4 == 0 {
			id = int16(zigzag(r.varint()))
		}
		if r.short || r.bad {
			return 0, r.err()
		}
		kind, n = compactTypes[kind&15], r.off
	} else {
		if len(b) < 3 {
			return 0, dissector.ErrShort
		}
		id = int16(binary.BigEndian.Uint16(b[1:]))
	}
	w.note(id)
	if kind == tTruth {
		l.field = id
		return int64(n), nil
	}
	if len(b) == n {
		return 0, dissector.ErrShort
	}
	before := l.field
	l.field = id
	v, err := w.value(kind, b[n:])
	if err != nil {
		l.field = before
		return 0, err
	}
	return int64(n) + v, nil
}

func (r *bytesReader) err() error {
	if r.short {
		return dissector.ErrShort
	}
	return errMalformed
}

// value passes a value of a type: texts and numbers whole, of others what says what they
// hold.
func (w *walker) value(kind byte, b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, dissector.ErrShort
	}
	switch kind {
	case tStruct:
		return 0, w.push(level{kind: tStruct})
	case tString:
		return w.text(b)
	case tList, tSet:
		return w.list(b)
	case tMap:
		return w.table(b)
	}
	if size, fixed := w.fixed(kind); fixed {
		if kind == tI32 && w.codeHere() {
			if len(b) < 4 {
				return 0, dissector.ErrShort
			}
			w.notes.code = int64(int32(binary.BigEndian.Uint32(b)))
		}
		return size, nil
	}
	if !w.compact {
		return 0, errMalformed
	}
	r := bytesReader{b: b}
	n := zigzag(r.varint())
	if r.short || r.bad {
		return 0, r.err()
	}
	if w.codeHere() && kind == tI32 {
		w.notes.code = n
	}
	return int64(r.off), nil
}

// push goes down into a value.
func (w *walker) push(l level) error {
	if w.depth == maxDepth {
		return errMalformed
	}
	w.levels[w.depth] = l
	w.depth++
	return nil
}

// text passes a text, and keeps the one that says what went wrong.
func (w *walker) text(b []byte) (int64, error) {
	n, size, err := w.length(b)
	if err != nil {
		return 0, err
	}
	if n > maxString {
		return 0, errMalformed
	}
	if w.textHere() {
		want := min(n, maxText)
		if int64(len(b)-size) < want {
			return 0, dissector.ErrShort
		}
		w.notes.text, w.notes.cut = append(w.notes.text[:0], b[size:size+int(want)]...), want < n
	}
	return int64(size) + n, nil
}

// length reads a length or count, and says how many bytes that took.
func (w *walker) length(b []byte) (n int64, size int, err error) {
	if w.compact {
		r := bytesReader{b: b}
		n := r.varint()
		if r.short || r.bad {
			return 0, 0, r.err()
		}
		if n > maxString {
			return 0, 0, errMalformed
		}
		return int64(n), r.off, nil
	}
	if len(b) < 4 {
		return 0, 0, dissector.ErrShort
	}
	n = int64(int32(binary.BigEndian.Uint32(b)))
	if n < 0 {
		return 0, 0, errMalformed
	}
	return n, 4, nil
}

// list reads what stands before the items of a list or set.
func (w *walker) list(b []byte) (int64, error) {
	elem, n, size := b[0], int64(0), 1
	if w.compact {
		if elem&15 >= byte(len(compactTypes)) || elem&15 == 0 {
			return 0, errMalformed
		}
		n, elem = int64(b[0]>>4), compactTypes[b[0]&15]
	}
	if !w.compact || n == 15 {
		count, more, err := w.length(b[1:])
		if err != nil {
			return 0, err
		}
		n, size = count, 1+more
	}
	if n > maxItems || n > 0 && !known(elem) {
		return 0, errMalformed
	}
	return int64(size), w.push(level{kind: tList, elem: elem, left: n})
}

// table reads what stands before the keys and values of a map.
func (w *walker) table(b []byte) (int64, error) {
	var key, elem byte
	var n int64
	size := 0
	if w.compact {
		count, more, err := w.length(b)
		if err != nil || count == 0 {
			return int64(more), err
		}
		if len(b) == more {
			return 0, dissector.ErrShort
		}
		types := b[more]
		if types>>4 >= byte(len(compactTypes)) || types&15 >= byte(len(compactTypes)) {
			return 0, errMalformed
		}
		key, elem, n, size = compactTypes[types>>4], compactTypes[types&15], count, more+1
	} else {
		if len(b) < 6 {
			return 0, dissector.ErrShort
		}
		count, _, err := w.length(b[2:])
		if err != nil {
			return 0, err
		}
		key, elem, n, size = b[0], b[1], count, 6
	}
	if n > maxItems || n > 0 && (!known(key) || !known(elem)) {
		return 0, errMalformed
	}
	return int64(size), w.push(level{kind: tMap, elem: key, other: elem, left: 2 * n})
}

// known tells whether a container may hold a type.
func known(kind byte) bool {
	switch kind {
	case tBool, tByte, tDouble, tI16, tI32, tI64, tString, tStruct, tMap, tSet, tList, tUUID, tTruth:
		return true
	}
	return false
}

// note takes note of a field that begins.
func (w *walker) note(id int16) {
	if w.depth == 1 && !w.notes.seen {
		w.notes.seen, w.notes.first = true, id
	}
}

// textHere tells whether the text that comes says what went wrong: the first field of
// Thrift's own exception, or the first text of a declared one, which is any field of a
// result but the first.
func (w *walker) textHere() bool {
	switch w.kind {
	case exception:
		return w.depth == 1 && w.levels[0].field == 1
	case reply:
		return w.depth == 2 && w.levels[0].field > 0 && w.levels[1].kind == tStruct && len(w.notes.text) == 0
	}
	return false
}

// codeHere tells whether the number that comes is the type of Thrift's own exception.
func (w *walker) codeHere() bool {
	return w.kind == exception && w.depth == 1 && w.levels[0].field == 2
}
