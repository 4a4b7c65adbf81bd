package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
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

func boolCell(b bool) cell {
	if b {
		return intCell(1)
	}
	return intCell(0)
}

// textCell stores s as valid text.
func textCell(s string) cell {
	b := []byte(s)
	if !cleanText(b) {
		b = appendText(nil, b)
	}
	return cell{kind: cellText, b: b}
}

// tables puts rows into a new database file. In every table ids come in
// ascending order: pages could be written one after the other.
type tables struct {
	conn    *sqlite.Conn
	inserts []*sqlite.Stmt
}

// pageSize is that of the database, in bytes; cacheSize what SQLite may hold of
// it and of an index being sorted, in KiB.
const (
	pageSize  = 16384
	cacheSize = 16 << 10
)

// createTables makes the file. Nothing but this program reads it before it is
// finished, so it keeps no journal.
func createTables(ctx context.Context, path string, s *Schema) (*tables, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	conn.SetInterrupt(ctx.Done())
	t := &tables{conn: conn}
	setup := []string{
		fmt.Sprintf(`PRAGMA page_size=%d`, pageSize), `PRAGMA encoding='UTF-8'`,
		`PRAGMA journal_mode=off`, `PRAGMA synchronous=off`, `PRAGMA locking_mode=exclusive`,
		fmt.Sprintf(`PRAGMA cache_size=-%d`, cacheSize),
		fmt.Sprintf(`PRAGMA application_id=%d`, applicationID), fmt.Sprintf(`PRAGMA user_version=%d`, formatVersion),
		`BEGIN EXCLUSIVE`,
	}
	if err := t.run(append(setup, s.statements()...)); err != nil {
		return nil, errors.Join(err, t.close())
	}
	for i := range s.tables {
		stmt, err := conn.Prepare(insertSQL(&s.tables[i]))
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.inserts = append(t.inserts, stmt)
	}
	return t, nil
}

func insertSQL(t *table) string {
	return fmt.Sprintf("INSERT INTO %s VALUES (?%s)", quote(t.name), strings.Repeat(",?", len(t.columns)))
}

func (t *tables) run(statements []string) error {
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(t.conn, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

// insert adds a row; cells are all columns but the id.
func (t *tables) insert(table int, id int64, cells []cell) error {
	stmt := t.inserts[table]
	stmt.BindInt64(1, id)
	for i, c := range cells {
		switch at := i + 2; c.kind {
		case cellInt:
			stmt.BindInt64(at, c.n)
		case cellFloat:
			stmt.BindFloat(at, math.Float64frombits(uint64(c.n)))
		case cellText:
			stmt.BindText(at, string(c.b))
		case cellBlob:
			stmt.BindBytes(at, c.b)
		default:
			stmt.BindNull(at)
		}
	}
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// finish builds the indexes and closes the file.
func (t *tables) finish() error {
	err := t.run(append(append([]string{}, indexes...), `PRAGMA analysis_limit=1000`, `ANALYZE`, `COMMIT`))
	return errors.Join(err, t.close())
}

// close closes the file as it is.
func (t *tables) close() error {
	t.conn.SetInterrupt(nil)
	return t.conn.Close()
}
