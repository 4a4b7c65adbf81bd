package index

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// cell is one value of a row: b for text and bytes, n for whole numbers and, as
// its bits, for a fraction.
type cell struct {
	kind cellKind
	n    int64
	b    []byte
}

type cellKind uint8

const (
	cellNull cellKind = iota
	cellInt
	cellFloat
	cellText
	cellBlob
)

func intCell(n int64) cell   { return cell{kind: cellInt, n: n} }
func blobCell(b []byte) cell { return cell{kind: cellBlob, b: b} }

// textCell stores s as valid text.
func textCell(s string) cell {
	b := []byte(s)
	if !cleanText(b) {
		b = appendText(nil, b)
	}
	return cell{kind: cellText, b: b}
}

// tables puts rows into a new database file. In every table ids come in
// ascending order. SQLite made the tables, we fill them.
type tables struct {
	ctx     context.Context
	names   []string // of tables
	pages   *pages
	trees   []*tableTree // by table
	indexes []*columnIndex
	stats   *tableTree // sqlite_stat1
	layout  layout
	row     []byte
}

// columnIndex is an index on its way.
type columnIndex struct {
	name          string
	table, column int
	keys          keys
	tree          *indexTree
}

// createTables makes the file, with tables and indexes that are empty.
func (w *Writer) createTables(ctx context.Context, path string) (*tables, error) {
	empty, err := w.opts.Schema.blank()
	if err != nil {
		return nil, err
	}
	t := &tables{ctx: ctx}
	if t.pages, err = createPages(path, empty.file); err != nil {
		return nil, err
	}
	for i := range w.opts.Schema.tables {
		name := w.opts.Schema.tables[i].name
		t.names = append(t.names, name)
		t.trees = append(t.trees, newTableTree(t.pages, empty.roots[name]))
	}
	for _, x := range indexes {
		t.indexes = append(t.indexes, &columnIndex{x.name, x.table, x.column, keys{w: w, max: maxKeys}, newIndexTree(t.pages, empty.roots[x.name])})
	}
	t.stats = newTableTree(t.pages, empty.roots["sqlite_stat1"])
	return t, nil
}

// insert adds a row; cells are all columns but the id.
func (t *tables) insert(table int, id int64, cells []cell) error {
	t.layout.begin()
	for i := range cells {
		t.layout.cell(&cells[i])
	}
	return t.insertLaid(t.trees[table], id)
}

// insertLaid adds the row that is laid out.
func (t *tables) insertLaid(tree *tableTree, id int64) error {
	t.row = t.layout.append(t.row[:0])
	return tree.insert(id, t.row)
}

// insertEntry adds a row of the table entries, of which types and values are
// without those of its link. It comes first.
func (t *tables) insertEntry(id, link int64, types, values []byte) error {
	l := &t.layout
	l.begin()
	l.int(link)
	front := 1 + len(l.types) // with the length of all types, which there are few of
	head, back := front+len(types)-1, len(l.values)
	n := head + back + len(values)
	if n > maxLocal || head >= 1<<7 {
		l.types, l.values = append(l.types, types[1:]...), append(l.values, values...)
		return t.insertLaid(t.trees[tableEntries], id)
	}
	row, err := t.trees[tableEntries].place(id, n, n)
	if err != nil {
		return err
	}
	row[0] = byte(head)
	copy(row[1:], l.types)
	copy(row[front:], types[1:])
	copy(row[head:], l.values)
	copy(row[head+back:], values)
	return nil
}

// note puts a value of a row into the index of its column.
func (t *tables) note(table, column int, value, id int64) error {
	for _, x := range t.indexes {
		if x.table == table && x.column == column {
			return x.keys.add(value, id)
		}
	}
	return nil
}

// finish completes the tables, builds the indexes, makes the file last and closes it.
func (t *tables) finish() error {
	err := t.fill()
	if err == nil {
		err = t.pages.f.Sync()
	}
	return errors.Join(err, t.pages.close())
}

func (t *tables) fill() error {
	for _, x := range t.indexes {
		if err := x.keys.each(t.ctx, x.tree.insert); err != nil {
			return err
		}
		if err := x.tree.finish(); err != nil {
			return err
		}
	}
	if err := t.analyze(); err != nil {
		return err
	}
	for _, tree := range append(t.trees, t.stats) {
		if err := tree.finish(); err != nil {
			return err
		}
	}
	return t.pages.finish()
}

// analyze writes what ANALYZE would: of each table how many rows it has, of each
// index also how many of them have the same value. Of empty ones it says nothing.
func (t *tables) analyze() error {
	for i, tree := range t.trees {
		if tree.rows == 0 {
			continue
		}
		index, stat := cell{}, strconv.FormatInt(tree.rows, 10)
		for _, x := range t.indexes {
			if x.table == i {
				index, stat = textCell(x.name), fmt.Sprint(tree.rows, x.tree.each(tree.rows))
			}
		}
		l := &t.layout
		l.begin()
		l.types = l.types[:0] // the table has no column that is its id
		for _, c := range []cell{textCell(t.names[i]), index, textCell(stat)} {
			l.cell(&c)
		}
		if err := t.insertLaid(t.stats, t.stats.rows+1); err != nil {
			return err
		}
	}
	return nil
}

// abort closes the file as it is.
func (t *tables) abort() error { return t.pages.close() }
