package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"zombiezen.com/go/sqlite"
)

// filled has write fill a new database and returns it as SQLite sees it.
func filled(t *testing.T, write func(*tables) error) *sqlite.Conn {
	t.Helper()
	dir := t.TempDir()
	w := &Writer{dir: dir, opts: Options{Schema: testSchema(t)}}
	path := filepath.Join(dir, "x.db")
	rows, err := w.createTables(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(rows); err != nil {
		t.Fatal(err)
	}
	if err := rows.finish(); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// scalar returns the only value of a query.
func scalar(t *testing.T, conn *sqlite.Conn, sql string) (out string) {
	t.Helper()
	err := query(conn, sql, func(r *sqlite.Stmt) error {
		out = r.ColumnText(0)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func TestValuesAsSQLiteReadsThem(t *testing.T) {
	ints := []int64{0, 1, 2, -1, -2, math.MaxInt64, math.MinInt64}
	for _, bits := range []int{7, 8, 15, 16, 23, 24, 31, 32, 47, 48, 55, 56, 62} {
		n := int64(1) << bits
		ints = append(ints, n-1, n, n+1, -n-1, -n, -n+1)
	}
	var cells []cell
	var want []string
	for _, n := range ints {
		cells, want = append(cells, intCell(n)), append(want, fmt.Sprintf("integer %d", n))
	}
	for _, f := range []float64{0, 1.5, -2.25, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		cells, want = append(cells, cell{kind: cellFloat, n: int64(math.Float64bits(f))}), append(want, fmt.Sprintf("real %v", f))
	}
	cells, want = append(cells, cell{kind: cellFloat, n: int64(math.Float64bits(math.NaN()))}, cell{}), append(want, "null ", "null ")
	for _, n := range []int{0, 1, 56, 57, 58, 127, 8185, 8186, maxLocal - 20, maxLocal, pageSize, 3 * pageSize, 1 << 20} {
		b := bytes.Repeat([]byte("é2"), n/3+1)[:n/3*3]
		cells = append(cells, cell{kind: cellText, b: b}, blobCell(b))
		want = append(want, "text "+string(b), "blob "+string(b))
	}
	conn := filled(t, func(rows *tables) error {
		for i, c := range cells {
			if err := rows.insert(tableMeta, int64(i), []cell{textCell("x"), c}); err != nil {
				return err
			}
		}
		return nil
	})
	i := 0
	err := query(conn, `SELECT id, typeof(value), value FROM meta ORDER BY id`, func(r *sqlite.Stmt) error {
		got := r.ColumnText(1) + " " + r.ColumnText(2)
		if r.ColumnText(1) == "real" {
			got = fmt.Sprintf("real %v", r.ColumnFloat(2))
		}
		if i >= len(want) || r.ColumnInt64(0) != int64(i) || got != want[i] {
			t.Errorf("row %d: %.60q", i, got)
		}
		i++
		return nil
	})
	if err != nil || i != len(want) {
		t.Errorf("%d rows, %v; want %d", i, err, len(want))
	}
	if got := scalar(t, conn, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
}

// Every length at which a row goes on in one overflow page more, or less of it
// stays in its leaf.
func TestRowsOfAllLengths(t *testing.T) {
	var lengths []int
	for _, near := range []int{maxLocal, maxLocal + overflow, minLocal + overflow, minLocal + 2*overflow, 5 * overflow} {
		for d := -30; d <= 30; d++ {
			lengths = append(lengths, near+d)
		}
	}
	conn := filled(t, func(rows *tables) error {
		for i, n := range lengths {
			if err := rows.insert(tableMeta, int64(i), []cell{textCell(""), blobCell(bytes.Repeat([]byte{byte(i)}, n))}); err != nil {
				return err
			}
		}
		return nil
	})
	if got := scalar(t, conn, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
	for i, n := range lengths {
		want := fmt.Sprintf("%X", bytes.Repeat([]byte{byte(i)}, n))
		if got := scalar(t, conn, fmt.Sprintf(`SELECT hex(value) FROM meta WHERE id = %d`, i)); got != want {
			t.Errorf("%d bytes do not come back", n)
		}
	}
}

// Large ids and one row a leaf fill the pages above the leaves fast.
func TestTablesOfManyPages(t *testing.T) {
	const first = 1 << 60
	perBranch := (pageSize - branchHeader) / (2 + 4 + 9)
	long := blobCell(make([]byte, maxLocal/2+100))
	for _, n := range []int{0, 1, 2, 3, perBranch, perBranch + 1, perBranch + 2, perBranch + 3, 2*perBranch + 1} {
		conn := filled(t, func(rows *tables) error {
			for i := range n {
				if err := rows.insert(tableMeta, first+int64(i), []cell{textCell(""), long}); err != nil {
					return err
				}
			}
			return nil
		})
		if got := scalar(t, conn, `PRAGMA integrity_check`); got != "ok" {
			t.Errorf("%d rows: %s", n, got)
		}
		if got, want := scalar(t, conn, `SELECT count(*) || ' ' || ifnull(sum(id - (1 << 60)), 0) FROM meta`), fmt.Sprint(n, n*(n-1)/2); got != want {
			t.Errorf("%d rows: there are %s, not %s", n, got, want)
		}
		if n > 0 && scalar(t, conn, fmt.Sprintf(`SELECT count(*) FROM meta WHERE id = (1 << 60) + %d`, n-1)) != "1" {
			t.Errorf("%d rows: the last is not found", n)
		}
	}
}

func TestIndexesOfManyPages(t *testing.T) {
	const perLeaf = (pageSize - leafHeader) / (2 + maxEntry) // at least
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, perLeaf, perLeaf + 1, perLeaf + 2, 2 * perLeaf, 3*perLeaf + 5, scaled(480_000)} {
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(rng.Uint64())
			if i%3 == 0 && i > 0 {
				values[i] = values[rng.IntN(i)]
			}
		}
		conn := filled(t, func(rows *tables) error {
			for i, v := range values {
				id := 1<<60 + int64(i)
				err := rows.insert(tableConnections, id, []cell{intCell(v), intCell(1), blobCell(nil)})
				if err := errors.Join(err, rows.note(tableConnections, connectionsConn, v, id)); err != nil {
					return err
				}
			}
			return nil
		})
		// This looks up each row in the index, and whether that has others.
		if got := scalar(t, conn, `PRAGMA integrity_check`); got != "ok" {
			t.Errorf("%d rows: %s", n, got)
		}
		if got := scalar(t, conn, `EXPLAIN QUERY PLAN SELECT id FROM connections WHERE conn = 1`); n > 0 && got == "" {
			t.Errorf("%d rows: no plan", n)
		}
	}
}

func TestRowsMustAscend(t *testing.T) {
	filled(t, func(rows *tables) error {
		var l layout
		l.begin()
		row := l.append(nil)
		tree := rows.trees[tableMeta]
		if err := tree.insert(7, row); err != nil {
			return err
		}
		for _, id := range []int64{7, 6, -1} {
			if err := tree.insert(id, row); err == nil {
				t.Errorf("row %d after row 7 is taken", id)
			}
		}
		return nil
	})
}

func TestVarintsOfAllLengths(t *testing.T) {
	numbers := []uint64{0, 1, math.MaxInt64, math.MaxUint64, 1 << 63}
	for bits := range 64 {
		n := uint64(1) << bits
		numbers = append(numbers, n-1, n, n+1, n|n>>1)
	}
	for _, n := range numbers {
		got, want := make([]byte, varintSize(n)), appendVarint(nil, n)
		if putVarint(got, n); !bytes.Equal(got, want) {
			t.Errorf("%#x: % x, want % x", n, got, want)
		}
	}
}

// failing takes so many bytes and no more.
type failing struct {
	room int
	took []byte
}

var errFull = errors.New("disk full")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.room {
		return 0, errFull
	}
	f.room -= len(b)
	f.took = append(f.took, b...)
	return len(b), nil
}

// What fails in the goroutine that writes pages is told to the one that makes them.
func TestPagesThatCannotBeWritten(t *testing.T) {
	for _, most := range []int{0, 1, 3} { // batches
		out := &failing{room: most*writeBatch + 1}
		p := newPages(out, 0)
		page, err := make([]byte, pageSize), error(nil)
		for n := 0; err == nil && n < 1000; n++ {
			page[0] = byte(n)
			_, err = p.write(page)
		}
		if !errors.Is(err, errFull) || !errors.Is(p.flush(), errFull) || !errors.Is(p.flush(), errFull) {
			t.Errorf("%v, then %v", err, p.err)
		}
		if len(out.took) != most*writeBatch || p.sum == 0 {
			t.Errorf("%d bytes were written", len(out.took))
		}
		for i := range len(out.took) / pageSize {
			if out.took[i*pageSize] != byte(i) {
				t.Errorf("page %d is another", i)
			}
		}
	}
}

// The page at 1 GiB is SQLite's own: neither rows nor what they go on in may be there.
func TestLockPageStaysFree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file with a hole of 1 GiB takes that much room on Windows")
	}
	for _, before := range []uint32{0, 1, 2, 3} {
		long := bytes.Repeat([]byte("x"), 5*pageSize)
		conn := filled(t, func(rows *tables) error {
			p := rows.pages
			p.next = lockPage - before
			if err := p.f.Truncate(int64(p.next-1) * pageSize); err != nil {
				return err
			}
			if _, err := p.f.Seek(0, io.SeekEnd); err != nil {
				return err
			}
			for i := range 20 {
				if err := rows.insert(tableMeta, int64(i), []cell{textCell(""), {kind: cellText, b: long}}); err != nil {
					return err
				}
			}
			return nil
		})
		if got, want := scalar(t, conn, `SELECT count(*) || ' ' || sum(length(value)) FROM meta`), fmt.Sprint(20, 20*len(long)); got != want {
			t.Errorf("%d pages before: %s, want %s", before, got, want)
		}
	}
}

func TestKeysAreSorted(t *testing.T) {
	w := &Writer{dir: t.TempDir()}
	const most, n = 1000, 100*1000 + 700 // more runs than are merged at once
	k := keys{w: w, max: most}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		if err := k.add(int64(rng.IntN(1000))-500, int64(n-i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.runs) != n/most || len(k.held) != n%most {
		t.Errorf("%d runs and %d keys are held", len(k.runs), len(k.held))
	}
	count, last := 0, key{math.MinInt64, 0}
	err := k.each(context.Background(), func(value, id int64) error {
		if value < last.value || value == last.value && id <= last.id {
			return fmt.Errorf("%d %d after %d %d", value, id, last.value, last.id)
		}
		count, last = count+1, key{value, id}
		return nil
	})
	if err != nil || count != n {
		t.Errorf("%d keys, %v; want %d", count, err, n)
	}
	if left, err := filepath.Glob(filepath.Join(w.dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The columns that have an index are those that its SQL says.
func TestIndexedColumns(t *testing.T) {
	for _, x := range indexes {
		table := fixed()[x.table]
		want := fmt.Sprintf("CREATE INDEX %s ON %s(%s)", x.name, table.name, table.columns[x.column].name)
		if x.sql != want || slices.Index([]string{"entries", "connections"}, table.name) < 0 {
			t.Errorf("%s: it is made as %s", x.sql, want)
		}
	}
}
