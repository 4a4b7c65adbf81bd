package zookeeper

import "encoding/binary"

// jute reads a record. Behind the bytes at hand, or behind the record's end, it reads
// zeros: cut and bad say so.
type jute struct {
	b    []byte // of the record, what is at hand
	off  int
	size int  // of the record
	cut  bool // more is to be read than is at hand
	bad  bool // it does not fit into the record, or makes no sense
}

// left tells whether the next n bytes are at hand.
func (j *jute) left(n int) bool {
	switch {
	case j.bad || j.cut:
		return false
	case n < 0 || n > j.size-j.off:
		j.bad = true
		return false
	case n > len(j.b)-j.off:
		j.cut = true
		return false
	}
	return true
}

func (j *jute) i32() int32 {
	if !j.left(4) {
		return 0
	}
	n := binary.BigEndian.Uint32(j.b[j.off:])
	j.off += 4
	return int32(n)
}

func (j *jute) i64() int64 {
	if !j.left(8) {
		return 0
	}
	n := binary.BigEndian.Uint64(j.b[j.off:])
	j.off += 8
	return int64(n)
}

func (j *jute) boolean() bool {
	if !j.left(1) {
		return false
	}
	c := j.b[j.off]
	j.off++
	j.bad = j.bad || c > 1
	return c == 1
}

// text reads a string; one that is null reads as empty.
func (j *jute) text() []byte {
	n := int(j.i32())
	if n == -1 || !j.left(n) {
		return nil
	}
	j.off += n
	return j.b[j.off-n : j.off]
}

// path reads the path of a node, which begins with a slash and has no zero in it.
func (j *jute) path() []byte {
	at := j.off + 4
	if j.i32(); !j.bad && !j.cut && at < len(j.b) && at < j.size && j.b[at] != '/' {
		j.bad = true // seen even where most of it is not at hand
	}
	if j.cut || j.bad {
		return nil
	}
	j.off = at - 4
	p := j.text()
	if !j.cut && (len(p) == 0 || p[0] != '/') {
		j.bad = true
	}
	for _, c := range p {
		if c == 0 {
			j.bad = true
			break
		}
	}
	return p
}

// buffer passes over bytes and says where they are, and how many; -1 for null.
func (j *jute) buffer() (at, n int) {
	n = int(j.i32())
	at = j.off
	if j.bad || j.cut || n == -1 {
		return at, n
	}
	if n < -1 || n > j.size-j.off {
		j.bad = true
		return at, 0
	}
	if j.off += n; j.off > len(j.b) {
		j.cut = true
	}
	return at, n
}

// each reads the items of a list and returns how many there are.
func (j *jute) each(item func()) int {
	n := int(j.i32())
	if n < -1 || n > j.size-j.off {
		j.bad = true
	}
	if n > maxRecords && !j.bad {
		j.cut = true
		return n
	}
	for i := 0; i < n && !j.bad && !j.cut; i++ {
		item()
	}
	return max(0, n)
}

// end tells whether the record was read to its end, or as far as it is at hand, and
// was good.
func (j *jute) end() bool { return !j.bad && (j.cut || j.off == j.size) }
