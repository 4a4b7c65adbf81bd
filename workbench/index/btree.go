package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// SQLite takes rows one at a time, at some microseconds each. Here the rows of a
// table come with ascending ids and the entries of an index sorted, so that a
// b-tree can be laid out page after page, each written once. What the pages look
// like is said by https://www.sqlite.org/fileformat2.html, section 1.6.

const (
	tableLeaf   = 0x0d
	tableBranch = 0x05
	indexLeaf   = 0x0a
	indexBranch = 0x02

	leafHeader   = 8 // bytes
	branchHeader = 12

	// A row of more than maxLocal bytes goes on in overflow pages, of which each
	// takes overflow bytes; minLocal or more of it stay.
	maxLocal = pageSize - 35
	minLocal = (pageSize-12)*32/255 - 23
	overflow = pageSize - 4
)

// page is a page of a b-tree that is being filled: pointers to its cells from the
// front, the cells from the back.
type page struct {
	kind   byte
	header int // bytes
	cells  int
	start  int // of the last cell
	buf    [pageSize]byte
}

func newPage(kind byte, header int) page {
	return page{kind: kind, header: header, start: pageSize}
}

// fits tells whether a cell of n bytes has room.
func (p *page) fits(n int) bool { return p.header+2*(p.cells+1)+n <= p.start }

// room makes room for a cell, which must fit, and returns it to be filled.
func (p *page) room(n int) []byte {
	p.start -= n
	binary.BigEndian.PutUint16(p.buf[p.header+2*p.cells:], uint16(p.start))
	p.cells++
	return p.buf[p.start : p.start+n : p.start+n]
}

// pop takes the last cell away again; it is valid until there is another.
func (p *page) pop() []byte {
	end := pageSize
	if p.cells--; p.cells > 0 {
		end = int(binary.BigEndian.Uint16(p.buf[p.header+2*(p.cells-1):]))
	}
	cell := p.buf[p.start:end:end]
	p.start = end
	return cell
}

// finish returns the bytes of the page and empties it; they are valid until there
// is a cell again.
func (p *page) finish() []byte {
	clear(p.buf[p.header+2*p.cells : p.start])
	clear(p.buf[:p.header])
	p.buf[0] = p.kind
	binary.BigEndian.PutUint16(p.buf[3:], uint16(p.cells))
	binary.BigEndian.PutUint16(p.buf[5:], uint16(p.start))
	p.cells, p.start = 0, pageSize
	return p.buf[:]
}

// branch is a page above others. All its children but the last have a cell: the
// child's number and the key that divides it from the next child.
type branch struct {
	page
	last child
}

// child is a page that is written. What is after it comes after its key: in a
// table the largest id in it, in an index an entry that is nowhere else.
type child struct {
	number uint32
	key    []byte
}

// add gives the last child its cell, if that fits, and makes c the last.
func (b *branch) add(c child) bool {
	n := 4 + len(b.last.key)
	if !b.fits(n) {
		return false
	}
	cell := b.room(n)
	binary.BigEndian.PutUint32(cell, b.last.number)
	copy(cell[4:], b.last.key)
	b.last = c
	return true
}

// split finishes a page that is full. The child that has its last cell becomes its
// last, so that the next page begins with two, the one that was last and c: no page
// may be without a cell. It returns the page as a child of the level above.
func (b *branch) split(c child, p *pages) (child, error) {
	cell := b.pop()
	full := child{key: slices.Clone(cell[4:])}
	next := b.last
	b.last.number = binary.BigEndian.Uint32(cell)
	var err error
	full.number, err = p.write(b.finish())
	b.last = next
	b.add(c)
	return full, err
}

// finish is that of page, with the last child.
func (b *branch) finish() []byte {
	out := b.page.finish()
	binary.BigEndian.PutUint32(out[leafHeader:], b.last.number)
	return out
}

// tree is a b-tree that is being filled from its smallest key on.
type tree struct {
	pages    *pages
	root     uint32
	leaf     page
	kind     byte      // of the branches
	branches []*branch // the one being filled of each level, from the leaves up
}

// rise makes a page that is written the last child of a level of branches.
func (t *tree) rise(level int, c child) error {
	if level == len(t.branches) {
		t.branches = append(t.branches, &branch{page: newPage(t.kind, branchHeader), last: c})
		return nil
	}
	b := t.branches[level]
	if b.add(c) {
		return nil
	}
	full, err := b.split(c, t.pages)
	if err != nil {
		return err
	}
	return t.rise(level+1, full)
}

// finish writes the last page of each level; the topmost is the root.
func (t *tree) finish() error {
	top := t.leaf.finish()
	for level := 0; level < len(t.branches); level++ {
		number, err := t.pages.write(top)
		if err != nil {
			return err
		}
		if err := t.rise(level, child{number: number}); err != nil {
			return err
		}
		top = t.branches[level].finish()
	}
	return t.pages.rewrite(t.root, top)
}

// tableTree is the b-tree of a table.
type tableTree struct {
	tree
	last int64 // id of the last row
	rows int64
}

func newTableTree(p *pages, root uint32) *tableTree {
	return &tableTree{tree: tree{pages: p, root: root, leaf: newPage(tableLeaf, leafHeader), kind: tableBranch}, last: math.MinInt64}
}

// insert adds a row as it is to stand in its page. Its id must be above that of the
// row before.
func (t *tableTree) insert(id int64, row []byte) error {
	local := localSize(len(row))
	if local == len(row) {
		c, err := t.place(id, len(row), len(row))
		copy(c, row)
		return err
	}
	c, err := t.place(id, len(row), local+4)
	if err != nil {
		return err
	}
	first, err := t.pages.chain(row[local:])
	binary.BigEndian.PutUint32(c[copy(c, row[:local]):], first)
	return err
}

// place makes room for a row of n bytes, of which a leaf takes local ones, and
// returns it to be filled.
func (t *tableTree) place(id int64, n, local int) ([]byte, error) {
	if id <= t.last {
		return nil, fmt.Errorf("row %d comes after row %d", id, t.last)
	}
	size := varintSize(uint64(n))
	head := size + varintSize(uint64(id))
	if !t.leaf.fits(head + local) {
		number, err := t.pages.write(t.leaf.finish())
		if err != nil {
			return nil, err
		}
		if err := t.rise(0, child{number, appendVarint(nil, uint64(t.last))}); err != nil {
			return nil, err
		}
	}
	t.last = id
	t.rows++
	c := t.leaf.room(head + local)
	putVarint(c[:size], uint64(n))
	putVarint(c[size:head], uint64(id))
	return c[head:], nil
}

// varintSize returns how many bytes appendVarint adds.
func varintSize(v uint64) int { return min((bits.Len64(v|1)+6)/7, 9) }

// putVarint fills b, of varintSize bytes, as appendVarint does.
func putVarint(b []byte, v uint64) {
	last := len(b) - 1
	if last == 8 {
		b[last] = byte(v)
		v >>= 8
	} else {
		b[last] = byte(v) & 0x7f
		v >>= 7
	}
	for i := last - 1; i >= 0; i-- {
		b[i] = byte(v) | 0x80
		v >>= 7
	}
}

// localSize returns how much of a row of n bytes stands in its leaf.
func localSize(n int) int {
	if n <= maxLocal {
		return n
	}
	if k := minLocal + (n-minLocal)%overflow; k <= maxLocal {
		return k
	}
	return minLocal
}

// indexTree is the b-tree of an index of one column of whole numbers.
type indexTree struct {
	tree
	layout   layout
	last     int64 // value of the last entry
	distinct int64 // values
}

func newIndexTree(p *pages, root uint32) *indexTree {
	return &indexTree{tree: tree{pages: p, root: root, leaf: newPage(indexLeaf, leafHeader), kind: indexBranch}}
}

// insert adds the entry of a row. It must come after the one before, by value and
// id.
func (t *indexTree) insert(value, id int64) error {
	if value != t.last || t.distinct == 0 {
		t.distinct++
		t.last = value
	}
	var buf [maxEntry]byte
	cell := t.layout.entry(buf[:0], value, id)
	if !t.leaf.fits(len(cell)) {
		// An entry that divides two pages is in neither.
		c := child{key: slices.Clone(t.leaf.pop())}
		var err error
		if c.number, err = t.pages.write(t.leaf.finish()); err != nil {
			return err
		}
		if err := t.rise(0, c); err != nil {
			return err
		}
	}
	copy(t.leaf.room(len(cell)), cell)
	return nil
}

// each returns how many of n rows have the same value: rounded up, but 1 where few
// share theirs, as SQLite has it.
func (t *indexTree) each(n int64) int64 {
	if same := (n + t.distinct - 1) / max(t.distinct, 1); same != 2 || n*10 > t.distinct*11 {
		return same
	}
	return 1
}
