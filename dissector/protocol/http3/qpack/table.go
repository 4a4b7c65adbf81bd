package qpack

import "shark/dissector/protocol/http/hpack"

// entryOverhead is what an entry counts besides its name and value (section 3.2.1).
const entryOverhead = 32

// table is the dynamic table (section 3.2): the newest entries that fit. Those that the encoder
// has evicted may still be here; a correct encoder does not refer to them.
type table struct {
	entries  []hpack.Field // the oldest first
	inserted uint64        // how many there ever were
	capacity int
	size     int // of the entries
}

// unknown is the field of an entry that was never seen, or is not kept.
var unknown = func() hpack.Field { _, f := hpack.Nameless(nil, nil); return f }()

// at returns the entry of an absolute index.
func (t *table) at(i uint64) (hpack.Field, error) {
	if i >= t.inserted {
		return hpack.Field{}, errIndex
	}
	if back := t.inserted - i; back <= uint64(len(t.entries)) {
		return t.entries[uint64(len(t.entries))-back], nil
	}
	return unknown, nil
}

// resize sets the capacity (section 4.3.1).
func (t *table) resize(n int) {
	t.capacity = min(n, MaxTableSize)
	t.evict()
}

// insert adds an entry.
func (t *table) insert(f hpack.Field) {
	t.entries = append(t.entries, f)
	t.inserted++
	t.size += f.Size()
	t.evict()
}

func (t *table) evict() {
	gone := 0
	for ; t.size > t.capacity; gone++ {
		t.size -= t.entries[gone].Size()
	}
	if gone > 0 { // the array that they stand in goes with them as it grows
		clear(t.entries[:gone])
		t.entries = t.entries[gone:]
	}
}

// Instructions takes the next bytes of the encoder's stream, behind its type (section 4.3).
func (d *Decoder) Instructions(b []byte) {
	if d.lost {
		return
	}
	if len(d.rest) > 0 {
		d.rest = append(d.rest, b...)
		b = d.rest
	}
	for len(b) > 0 {
		n, err := d.instruction(b)
		if err == hpack.ErrTruncated && len(b) < maxInstruction {
			break
		}
		if err != nil {
			d.Lose()
			return
		}
		b = b[n:]
	}
	d.rest = append(d.rest[:0], b...)
	if len(b) == 0 && cap(d.rest) > keepScratch {
		d.rest = nil
	}
}

// instruction follows the instruction at the front of b and returns its length.
func (d *Decoder) instruction(b []byte) (n int, err error) {
	t := &d.table
	switch c := b[0]; {
	case c&0x80 != 0: // insert with name reference
		i, n, err := hpack.ReadInt(b, 6)
		if err != nil {
			return 0, err
		}
		f, err := d.relative(uint64(i), c&0x40 != 0)
		if err != nil {
			return 0, err
		}
		return d.insert(f.Name(), f.Known, b, n)
	case c&0x40 != 0: // insert with literal name
		name, n, err := hpack.AppendString(nil, b, 5)
		if err != nil {
			return 0, err
		}
		return d.insert(name, true, b, n)
	case c&0x20 != 0: // set dynamic table capacity
		size, n, err := hpack.ReadInt(b, 5)
		if err == nil {
			t.resize(size)
		}
		return n, err
	}
	i, n, err := hpack.ReadInt(b, 5) // duplicate
	if err != nil {
		return 0, err
	}
	f, err := d.relative(uint64(i), false)
	if err == nil {
		t.insert(f)
	}
	return n, err
}

// relative returns the entry that an instruction refers to: by how many come behind it, or that
// of the static table.
func (d *Decoder) relative(i uint64, fixed bool) (hpack.Field, error) {
	if !fixed && i >= d.table.inserted {
		return hpack.Field{}, errIndex
	}
	if fixed {
		return d.at(i, true, 0, false)
	}
	return d.table.at(d.table.inserted - 1 - i)
}

// insert inserts an entry whose value stands at b[n:].
func (d *Decoder) insert(name []byte, known bool, b []byte, n int) (int, error) {
	value, more, err := hpack.AppendString(nil, b[n:], 7)
	if err != nil {
		return 0, err
	}
	var f hpack.Field
	if known {
		_, f = hpack.AppendField(nil, name, value)
	} else {
		_, f = hpack.Nameless(nil, value)
	}
	d.table.insert(f)
	return n + more, nil
}
