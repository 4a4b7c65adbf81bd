package tds

import (
	"encoding/binary"
)

// Tokens of a response (section 2.2.7).
const (
	tokenReturnStatus = 0x79
	tokenColumns      = 0x81
	tokenOrder        = 0xa9
	tokenError        = 0xaa
	tokenInfo         = 0xab
	tokenReturnValue  = 0xac
	tokenLoginAck     = 0xad
	tokenFeatures     = 0xae
	tokenRow          = 0xd1
	tokenNullRow      = 0xd2 // NBCROW
	tokenEnv          = 0xe3
	tokenSSPI         = 0xed
	tokenDone         = 0xfd
	tokenDoneProc     = 0xfe
	tokenDoneInProc   = 0xff
)

// Bits of the status of DONE (section 2.2.7.6).
const (
	doneError  = 2
	doneCount  = 0x10
	doneAttn   = 0x20
	doneServer = 0x100
)

// tokens reads the tokens of a response as its packets come: what is short waits for its
// end, values are passed over.
type tokens struct {
	*session
	carry   []byte   // a token, or a part of one, that goes on in the next packet
	skip    int64    // bytes to pass over; none while something waits
	retry   int      // length of carry from which on another try is worth it
	columns []column // of the rows
	defined int      // columns that are still to be defined
	at      int      // column of the row that is due; -1 outside of rows
	nulls   []byte   // a bit for each column, set where it has no value; empty where all have one
	empty   int      // columns whose values take no bytes
	chunked bool     // inside a value in chunks
	bad     bool     // what follows cannot be read
	result  result
}

func (t *tokens) reset() {
	*t = tokens{session: t.session, carry: t.carry[:0], columns: t.columns[:0], nulls: t.nulls[:0], at: -1}
}

// feed takes the payload of a packet; last says that it is the message's last one. What
// waits for its end is tried again when it has grown by a quarter, or at the end.
func (t *tokens) feed(b []byte, last bool) {
	if n := min(t.skip, int64(len(b))); n > 0 {
		t.skip -= n
		b = b[n:]
	}
	if t.bad || len(b) == 0 && len(t.carry) == 0 {
		return
	}
	data := b
	if len(t.carry) > 0 {
		t.carry = append(t.carry, b...)
		data = t.carry
	}
	if len(data) < t.retry && !last {
		return
	}
	used := t.run(data)
	rest := data[used:]
	switch {
	case t.bad || len(rest) > maxCarry:
		t.bad, t.carry = true, t.carry[:0]
	case used > 0 || len(t.carry) == 0:
		t.carry = append(t.carry[:0], rest...)
	}
	t.retry = len(rest) + len(rest)/4
}

// run reads what it can of b and returns how much that is. A value that is to be passed
// over and ends behind b stops it.
func (t *tokens) run(b []byte) int {
	used := 0
	for used < len(b) && !t.bad {
		if n := min(t.skip, int64(len(b)-used)); n > 0 {
			t.skip -= n
			used += int(n)
			continue
		}
		r := newReader(b[used:])
		t.one(&r)
		if r.Bad {
			return used
		}
		used = len(b) - len(r.B)
	}
	return used
}

// one reads the next thing: a token, the definition of a column, the length of a value.
// Where r ends before it does, nothing has changed.
func (t *tokens) one(r *reader) {
	switch {
	case t.chunked:
		n := r.Little32()
		if !r.Bad {
			t.chunked, t.skip = n > 0, int64(n)
		}
	case t.defined > 0:
		t.define(r)
	case t.at >= 0:
		t.value(r)
	default:
		t.token(r)
	}
	t.finishRow()
}

// finishRow leaves a row behind its last value.
func (t *tokens) finishRow() {
	for t.at >= 0 && !t.chunked {
		if t.at < len(t.columns) {
			if len(t.nulls) == 0 || t.nulls[t.at/8]>>(t.at%8)&1 == 0 {
				return
			}
			t.at++
			continue
		}
		t.at = -1
	}
}

// define reads a column of COLMETADATA (section 2.2.7.4).
func (t *tokens) define(r *reader) {
	if t.old {
		r.Take(4)
	} else {
		r.Take(6)
	}
	c, ok := t.typeInfo(r, true)
	if !ok && !r.Bad {
		t.bad = true
		return
	}
	if c.table {
		parts := 1
		if !t.old {
			parts = r.u8()
		}
		for ; parts > 0 && !r.Bad; parts-- {
			r.text16()
		}
	}
	r.text8()
	if r.Bad {
		return
	}
	t.columns = append(t.columns, c)
	t.defined--
	if c.form == fixed && c.size == 0 {
		t.empty++
		t.bad = t.empty > maxEmpty
	}
}

// value reads the length of a row's value.
func (t *tokens) value(r *reader) {
	c := &t.columns[t.at]
	n := int64(c.size)
	switch c.form {
	case length8:
		n = int64(r.u8())
	case length16:
		if n = int64(r.u16()); n == 0xffff {
			n = 0
		}
	case length32:
		if pointer := r.u8(); pointer > 0 {
			r.Take(pointer + 8)
			n = int64(r.Little32())
		}
	case variant:
		n = int64(r.Little32())
	case chunks:
		size := r.Little64()
		t.chunked = !r.Bad && size != 1<<64-1
	}
	if !r.Bad {
		t.skip = n
		t.at++
	}
}

// token reads a token, of COLMETADATA and of rows only what they begin with.
func (t *tokens) token(r *reader) {
	kind := r.u8()
	switch kind {
	case tokenColumns:
		t.begin(r)
	case tokenRow, tokenNullRow:
		var nulls []byte
		if kind == tokenNullRow {
			nulls = r.Take((len(t.columns) + 7) / 8)
		}
		if !r.Bad {
			t.at, t.nulls = 0, append(t.nulls[:0], nulls...)
		}
	case tokenReturnStatus:
		n := int32(r.Little32())
		if !r.Bad {
			t.result.returned, t.result.hasReturn = int64(n), true
		}
	case tokenReturnValue:
		t.returnValue(r)
	case tokenFeatures:
		t.features(r)
	case tokenDone, tokenDoneProc, tokenDoneInProc:
		t.done(r)
	case 0xe4, 0xee: // SESSIONSTATE, FEDAUTHINFO
		n := r.Little32()
		if !r.Bad {
			t.skip = int64(n)
			t.result.challenged = t.result.challenged || kind == 0xee
		}
	case 0xa4, 0xa5, tokenOrder, tokenError, tokenInfo, tokenLoginAck, tokenEnv, tokenSSPI:
		if body := r.Take(r.u16()); !r.Bad {
			t.result.take(byte(kind), body, t.session)
		}
	default:
		t.bad = true
	}
}

// begin reads how many columns a result has.
func (t *tokens) begin(r *reader) {
	n := r.u16()
	switch {
	case r.Bad:
	case n == 0xffff: // no metadata: that of before
	case n > maxColumns:
		t.bad = true
	default:
		t.columns, t.defined, t.empty = t.columns[:0], n, 0
		if t.result.columns == 0 {
			t.result.columns = n
		}
	}
}

// returnValue reads a parameter that the procedure gives back (section 2.2.7.19).
func (t *tokens) returnValue(r *reader) {
	r.Take(2)
	r.text8()
	r.Take(1)
	if t.old {
		r.Take(4)
	} else {
		r.Take(6)
	}
	c, ok := t.typeInfo(r, false)
	if !ok && !r.Bad {
		t.bad = true
		return
	}
	b, null := c.value(r)
	if !r.Bad && !null && len(b) == 4 && t.result.handle == 0 {
		t.result.handle = int64(int32(binary.LittleEndian.Uint32(b)))
	}
}

// features passes over FEATUREEXTACK (section 2.2.7.11).
func (t *tokens) features(r *reader) {
	for r.u8() != 0xff && !r.Bad {
		r.Take(int(min(r.Little32(), 1<<31-1)))
	}
}

// done reads the end of a statement's results.
func (t *tokens) done(r *reader) {
	status := r.u16()
	r.Take(2)
	var n int64
	if t.old {
		n = int64(r.Little32())
	} else {
		n = int64(r.Little64())
	}
	if r.Bad {
		return
	}
	d := &t.result
	if status&^0x1ff != 0 {
		t.bad = true
		return
	}
	if status&doneCount != 0 && n >= 0 {
		d.rows += n
		d.counted = true
	}
	d.failed = d.failed || status&(doneError|doneServer) != 0
	d.ended = true
	d.stopped = d.stopped || status&doneAttn != 0
}
