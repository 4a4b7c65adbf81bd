package index

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"

	"shark/dissector/field"
)

// Row is an entry being read, in place. It is good until the query goes on, and
// for one goroutine.
type Row struct {
	db      *DB
	session *session
	stmt    *sqlite.Stmt
	columns columns // of stmt
	id      int64
	flags   uint64
	err     error // of a look-up; it ends the query
}

// columns are where spots stand in a statement, by table and column; 0 is nowhere.
type columns [][]int

func (c columns) of(at spot) int {
	if of := c[at.table]; of != nil {
		return of[at.column]
	}
	return 0
}

// add gives a spot its place.
func (c columns) add(s *Schema, at spot, col int) {
	if c[at.table] == nil {
		c[at.table] = make([]int, max(len(s.tables[at.table].columns), len(s.commons)))
	}
	c[at.table][at.column] = col
}

// maxMemo bounds the decoded lists and maps that a connection keeps: most rows
// share theirs with many others.
const maxMemo = 1024

type memoKey struct {
	of   *common
	text string
}

// memo decodes a list or map of endpoints. It is shared and must not be changed.
func (s *session) memo(c *common, text string) any {
	k := memoKey{c, text}
	v, known := s.memos[k]
	if !known {
		if len(s.memos) == maxMemo {
			clear(s.memos)
		}
		v = c.decode(text)
		s.memos[k] = v
	}
	return v
}

// section is a statement that looks up, by id, what the query did not fetch: the
// variables of every entry, or the fields of one table.
type section struct {
	stmt *sqlite.Stmt
	at   int64 // entry the statement stands on; 0 for none
	none bool  // that entry has no row here
}

// ID returns the entry's id.
func (r *Row) ID() int64 { return r.id }

// Err returns what went wrong while values were looked up. The query ends with it.
func (r *Row) Err() error { return r.err }

// Value returns the value of a field: a bool, int64, float64, string, []byte,
// []string, map[string]string or time.Time by its kind; the kind's zero where the
// entry has none. Lists and maps must not be changed.
func (r *Row) Value(f *field.Field) any {
	v, _ := r.Get(f)
	return v
}

// Get is Value; it also tells whether the entry has the field.
func (r *Row) Get(f *field.Field) (v any, has bool) {
	switch p := r.db.schema.place(f); p.way {
	case wayFlag:
		return r.flags&p.mask != 0, r.flags&p.mask != 0
	case wayDerive:
		text, has := r.text(f.From)
		return checked(f, f.Derive(text)), has
	case wayColumn:
		if p.mask != 0 && r.flags&p.mask == 0 {
			return zero(f.Kind), false
		}
		stmt, col := r.cell(p.at)
		if stmt == nil || stmt.ColumnIsNull(col) {
			return zero(f.Kind), false
		}
		if p.at.table == tableEntries {
			if c := &r.db.schema.commons[p.at.column]; c.decode != nil {
				return r.session.memo(c, text(stmt, col)), true
			}
		}
		return decode(stmt, col, f.Kind), true
	}
	return zero(f.Kind), false
}

// text returns the stored text of a field, or the lines of a map.
func (r *Row) text(f *field.Field) (string, bool) {
	p := r.db.schema.place(f)
	if p.way == wayDerive {
		v, has := r.Get(f)
		s, _ := v.(string)
		return s, has
	}
	if p.way != wayColumn || p.mask != 0 && r.flags&p.mask == 0 {
		return "", false
	}
	stmt, col := r.cell(p.at)
	if stmt == nil || stmt.ColumnIsNull(col) {
		return "", false
	}
	return text(stmt, col), true
}

// cell finds where a value stands: in the query's own row, or in a look-up's. It
// returns nil when the entry has no row there.
func (r *Row) cell(at spot) (*sqlite.Stmt, int) {
	if col := r.columns.of(at); col != 0 {
		return r.stmt, col
	}
	x := r.session.sections[at.table]
	if x == nil || x.at != r.id {
		if x = r.lookup(at.table, x); x == nil {
			return nil, 0
		}
	}
	if x.none {
		return nil, 0
	}
	return x.stmt, at.column
}

// lookup moves a section to the row's entry.
func (r *Row) lookup(table int, x *section) *section {
	if r.err != nil {
		return nil
	}
	if x == nil {
		stmt, err := r.session.conn.Prepare(r.db.schema.lookupSQL(table))
		if err != nil {
			r.err = err
			return nil
		}
		x = &section{stmt: stmt}
		r.session.sections[table] = x
	}
	x.at = 0
	if err := x.stmt.Reset(); err != nil {
		r.err = err
		return nil
	}
	x.stmt.BindInt64(1, r.id)
	found, err := x.stmt.Step()
	if err != nil {
		r.err = fmt.Errorf("entry %d: %w", r.id, blamed(err))
		return nil
	}
	x.at, x.none = r.id, !found
	return x
}

// lookupSQL selects all columns of a section.
func (s *Schema) lookupSQL(table int) string {
	if table != tableEntries {
		cols := make([]string, len(s.tables[table].columns))
		for i, c := range s.tables[table].columns {
			if cols[i] = "NULL"; c.field != nil {
				cols[i] = s.raw(spot{table, i})
			}
		}
		n := need{tables: map[int]bool{table: true}}
		return "SELECT " + strings.Join(cols, ", ") + s.from(n) + fmt.Sprintf(" WHERE e.id = ? AND %s.id = e.id", alias(table))
	}
	cols := make([]string, len(s.commons))
	for i, c := range s.commons {
		cols[i] = c.sql
	}
	return "SELECT " + strings.Join(cols, ", ") + s.from(need{ends: endSrc | endDst}) + " WHERE e.id = ?"
}

// text reads text. A stranger's file may hold any bytes.
func text(stmt *sqlite.Stmt, col int) string {
	s := stmt.ColumnText(col)
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return string(appendText(nil, []byte(s)))
	}
	return s
}

// decode reads a value that is there.
func decode(stmt *sqlite.Stmt, col int, k field.Kind) any {
	switch k {
	case field.Bool:
		return stmt.ColumnInt64(col) != 0
	case field.Int:
		return stmt.ColumnInt64(col)
	case field.Float:
		return stmt.ColumnFloat(col)
	case field.Bytes:
		return columnBytes(stmt, col)
	case field.List:
		if l := listOf(text(stmt, col)); l != nil {
			return l
		}
		return []string{}
	case field.Map:
		return field.ParseLines(text(stmt, col))
	case field.Time:
		return time.Unix(0, stmt.ColumnInt64(col)).UTC()
	}
	return text(stmt, col)
}

// zero is what an absent field reads as.
func zero(k field.Kind) any {
	switch k {
	case field.Bool:
		return false
	case field.Int:
		return int64(0)
	case field.Float:
		return float64(0)
	case field.Bytes:
		return []byte{}
	case field.List:
		return []string{}
	case field.Map:
		return map[string]string{}
	case field.Time:
		return time.Unix(0, 0).UTC()
	}
	return ""
}

// checked returns v if it is of the kind that f says, else the kind's zero.
func checked(f *field.Field, v any) any {
	ok := false
	switch v := v.(type) {
	case bool:
		ok = f.Kind == field.Bool
	case int64:
		ok = f.Kind == field.Int
	case float64:
		ok = f.Kind == field.Float && !math.IsNaN(v)
	case string:
		ok = f.Kind == field.Text
	case []byte:
		ok = f.Kind == field.Bytes
	case []string:
		ok = f.Kind == field.List && v != nil
	case map[string]string:
		ok = f.Kind == field.Map && v != nil
	case time.Time:
		ok = f.Kind == field.Time
	}
	if !ok {
		return zero(f.Kind)
	}
	return v
}
