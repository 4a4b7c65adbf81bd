package hpack

// table is the dynamic table (RFC 7541, section 2.3.2): the newest entries that
// fit. Entries that the encoder has evicted may still be here; a correct encoder
// does not refer to them.
type table struct {
	limit   int     // size above which the oldest entries go
	limited bool    // limit is known; else it is MaxTableSize
	size    int     // of the entries, as section 4.1 counts it
	first   int     // index in entries of the oldest that still counts
	entries []entry // oldest first
	data    []byte  // names and values, from position base on
	base    int
}

type entry struct {
	off         int // position of the name in all that was ever added
	name, value int // lengths
	known       bool
}

func (e *entry) size() int { return e.name + e.value + entryOverhead }

// at returns the field of an index above 0, counted from the static table on
// (section 2.3.3).
func (t *table) at(i int) Field {
	if i <= len(static) {
		return Field{Name: static[i-1].name, Value: static[i-1].value, Known: true}
	}
	k := len(t.entries) - (i - len(static))
	if k < t.first {
		return Field{}
	}
	e := &t.entries[k]
	if !e.known {
		return Field{}
	}
	b := t.data[e.off-t.base:]
	return Field{Name: b[:e.name], Value: b[e.name : e.name+e.value], Known: true}
}

// add puts a field in front. The field may alias the table's own data, which
// stays in place until compact is called.
func (t *table) add(f Field) {
	e := entry{off: t.base + len(t.data), name: len(f.Name), value: len(f.Value), known: f.Known}
	t.data = append(append(t.data, f.Name...), f.Value...)
	t.entries = append(t.entries, e)
	t.size += e.size()
	t.evict()
}

// resize follows a size update of the encoder (section 6.3).
func (t *table) resize(n int) {
	t.limit, t.limited = min(n, MaxTableSize), true
	t.evict()
}

func (t *table) evict() {
	limit := MaxTableSize
	if t.limited {
		limit = t.limit
	}
	for t.size > limit {
		t.size -= t.entries[t.first].size()
		t.first++
	}
}

// compact gives back the room of evicted entries once they are as many as those
// that are left, which makes its cost per entry constant.
func (t *table) compact() {
	gone := t.first
	if gone == 0 || gone < len(t.entries)-gone {
		return
	}
	end := t.base + len(t.data)
	if gone < len(t.entries) {
		end = t.entries[gone].off
	}
	n := copy(t.data, t.data[end-t.base:])
	t.data, t.base = t.data[:n], end
	n = copy(t.entries, t.entries[gone:])
	t.entries, t.first = t.entries[:n], 0
}
