package index

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"

	"zombiezen.com/go/sqlite"
)

// A guide says of a gathered database where in the file lies what questions read, so that
// whoever reads it from afar asks for all of it at once, instead of for one page after the
// other. It may come from a stranger: it decides what is read early, never what is answered.
type guide struct {
	// Common is what every question reads: ranges, each [from, to) in bytes.
	Common [][2]int64 `json:"common"`
	// Rows are the rows of the tables that have ids of entries, in steps of their ids: the
	// rows from id on are at byte at or later. The last step is the end.
	Rows map[string][]guideStep `json:"rows"`
	// Times are when the entries with some ids begin, ascending, ns since 1970.
	Times []guideStep `json:"times"`
}

// guideStep is an id and what it is about.
type guideStep [2]int64

const (
	// guideSteps is how many steps a table has at most.
	guideSteps = 2048
	// guidePages is how many pages a step has at least.
	guidePages = 16
	// maxGuide bounds a guide that is read, in bytes.
	maxGuide = 512 << 10
	// maxCommon is how large the tables may be that are read whole, in bytes; maxAhead is
	// how much of a table is read at once because rows of a time lie there.
	maxCommon, maxAhead = 12 << 20, 16 << 20
	// maxDepth is how many levels a b-tree of ours has at most: each has some thousands of
	// children.
	maxDepth = 8
)

// guideMaker reads the inner pages of the b-trees of a file.
type guideMaker struct {
	f     *os.File
	guide guide
}

// makeGuide makes the guide of the gathered database in a file.
func makeGuide(ctx context.Context, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	uri, err := fileURI(path)
	if err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(uri, sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	m := &guideMaker{f: f, guide: guide{Rows: make(map[string][]guideStep)}}
	roots := map[string]int64{"sqlite_schema": 1}
	if err := query(conn, `SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'`, func(r *sqlite.Stmt) error {
		roots[r.ColumnText(0)] = r.ColumnInt64(1)
		return nil
	}); err != nil {
		return nil, err
	}
	common := int64(0)
	for _, name := range []string{"sqlite_schema", "meta", "interfaces", "points", "endpoints", "words", "links"} {
		if common, err = m.whole(roots[name], common); err != nil {
			return nil, err
		}
		delete(roots, name)
	}
	for name, root := range roots {
		if err := m.steps(name, root); err != nil {
			return nil, err
		}
	}
	if err := m.times(conn); err != nil {
		return nil, err
	}
	m.guide.Common = united(m.guide.Common)
	return json.Marshal(&m.guide)
}

// whole adds a table to what every question reads, unless that gets too large: then its
// inner pages only. It returns how large it is by now.
func (m *guideMaker) whole(root, size int64) (int64, error) {
	leaves, err := m.leaves(root)
	if err != nil {
		return 0, err
	}
	if n := int64(len(leaves)) * pageSize; size+n <= maxCommon {
		for _, l := range leaves {
			m.common(l[1])
		}
		size += n
	}
	return size, nil
}

// common adds a page to what every question reads.
func (m *guideMaker) common(page int64) {
	m.guide.Common = append(m.guide.Common, [2]int64{(page - 1) * pageSize, page * pageSize})
}

// leaves returns the leaves of a table, with the first id that each may have, and adds what
// is above them to what every question reads.
func (m *guideMaker) leaves(root int64) ([]guideStep, error) {
	level := []guideStep{{math.MinInt64, root}}
	for range maxDepth {
		var next []guideStep
		for _, s := range level {
			children, err := m.children(s)
			if err != nil || children == nil { // all leaves are at one depth
				return level, err
			}
			m.common(s[1])
			next = append(next, children...)
		}
		level = next
	}
	return nil, fmt.Errorf("%w: a table is too deep", ErrDamaged)
}

// children returns the children of a page; nil if it is a leaf.
func (m *guideMaker) children(of guideStep) ([]guideStep, error) {
	var buf [pageSize]byte
	if _, err := m.f.ReadAt(buf[:], (of[1]-1)*pageSize); err != nil {
		return nil, err
	}
	h := buf[:]
	if of[1] == 1 {
		h = buf[headerSize:]
	}
	if h[0] != tableBranch {
		return nil, nil
	}
	n := int(binary.BigEndian.Uint16(h[3:]))
	out := make([]guideStep, 0, n+1)
	id := of[0]
	for i := range n {
		at := int(binary.BigEndian.Uint16(h[branchHeader+2*i:]))
		key, used := varint(buf[min(at+4, len(buf)):])
		if used == 0 {
			return nil, fmt.Errorf("%w: page %d", ErrDamaged, of[1])
		}
		out = append(out, guideStep{id, int64(binary.BigEndian.Uint32(buf[at:]))})
		id = key + 1
	}
	return append(out, guideStep{id, int64(binary.BigEndian.Uint32(h[8:]))}), nil
}

// varint reads a number as SQLite writes it; used is 0 if there is none.
func varint(b []byte) (n int64, used int) {
	u := uint64(0)
	for i, c := range b {
		if i == 8 {
			return int64(u<<8 | uint64(c)), 9
		}
		if u = u<<7 | uint64(c&0x7f); c < 0x80 {
			return int64(u), i + 1
		}
	}
	return 0, 0
}

// steps notes where the rows of a table are. Of one whose pages are not in order nothing is
// known.
func (m *guideMaker) steps(name string, root int64) error {
	leaves, err := m.leaves(root)
	if err != nil {
		return err
	}
	if len(leaves) < 2 || !slices.IsSortedFunc(leaves, func(a, b guideStep) int { return int(a[1] - b[1]) }) {
		return nil
	}
	each := max(guidePages, (len(leaves)+guideSteps-1)/guideSteps)
	var steps []guideStep
	for i := 0; i < len(leaves); i += each {
		steps = append(steps, guideStep{leaves[i][0], (leaves[i][1] - 1) * pageSize})
	}
	steps[0][0] = 0
	m.guide.Rows[name] = append(steps, guideStep{math.MaxInt64, leaves[len(leaves)-1][1] * pageSize})
	return nil
}

// times notes when the entries begin where a step of theirs does.
func (m *guideMaker) times(conn *sqlite.Conn) error {
	steps := m.guide.Rows["entries"]
	for _, s := range steps[:max(len(steps)-1, 0)] {
		if err := query(conn, `SELECT id, ts FROM entries WHERE id >= ? ORDER BY id LIMIT 1`, func(r *sqlite.Stmt) error {
			m.guide.Times = append(m.guide.Times, guideStep{r.ColumnInt64(0), r.ColumnInt64(1)})
			return nil
		}, s[0]); err != nil {
			return err
		}
	}
	return nil
}

// united sorts ranges and joins those that touch.
func united(list [][2]int64) [][2]int64 {
	slices.SortFunc(list, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	out := list[:0]
	for _, r := range list {
		if last := len(out) - 1; last >= 0 && r[0] <= out[last][1] {
			out[last][1] = max(out[last][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// readGuide reads a guide. What makes no sense guides nowhere.
func readGuide(text []byte) *guide {
	g := new(guide)
	if len(text) > maxGuide || json.Unmarshal(text, g) != nil {
		return new(guide)
	}
	return g
}

// between returns two ids of entries that probably are before and after time t.
func (g *guide) between(t int64) (before, after int64) {
	i, _ := slices.BinarySearchFunc(g.Times, t, func(s guideStep, t int64) int {
		if s[1] < t {
			return -1
		}
		return 1
	})
	if i > 0 {
		before = g.Times[i-1][0]
	}
	if i < len(g.Times) {
		after = g.Times[i][0]
	}
	return before, after
}

// rows returns where the rows of a table lie that have ids of [lo, hi], at most so many
// bytes; ok is false if they are more, or nobody knows.
func (g *guide) rows(table string, lo, hi, most int64) (r [2]int64, ok bool) {
	steps := g.Rows[table]
	if len(steps) < 2 || lo > hi {
		return r, false
	}
	byID := func(s guideStep, id int64) int {
		if s[0] <= id {
			return -1
		}
		return 1
	}
	first, _ := slices.BinarySearchFunc(steps, lo, byID)
	after, _ := slices.BinarySearchFunc(steps, hi, byID)
	r = [2]int64{steps[max(first-1, 0)][1], steps[min(after, len(steps)-1)][1]}
	return r, r[0] < r[1] && r[1]-r[0] <= most
}
