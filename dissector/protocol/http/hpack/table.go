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
	data    []byte  // their lines, from position base on
	base    int
}

// entry says where the line of a field stands.
type entry struct {
	off          int   // position of the line in all that was ever added
	name, line   int32 // lengths; the line's holds the name's
	known, plain bool  // as in Field
}

func (e *entry) size() int { return int(e.line) - lineOverhead + entryOverhead }

// unknown is the field of an entry that was never seen.
var unknown = Field{Line: []byte(separator + lineEnd)}

// at returns the field of an index above 0 of this table; it may use f for it.
func (t *table) at(i int, f *Field) *Field {
	k := len(t.entries) - i
	if k < t.first {
		return &unknown
	}
	e := &t.entries[k]
	from := e.off - t.base
	f.Line, f.name, f.Known, f.Plain = t.data[from:from+int(e.line)], int(e.name), e.known, e.plain
	return f
}

// add makes an entry of a field whose line is the end of the table's data.
func (t *table) add(f *Field) {
	t.entries = append(t.entries, entry{
		off:  t.base + len(t.data) - len(f.Line),
		name: int32(f.name), line: int32(len(f.Line)),
		known: f.Known, plain: f.Plain,
	})
	t.size += f.Size()
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
