package index

import (
	"fmt"

	"shark/dissector/field"
)

// place is how a field of the catalogue is had from the database.
type place struct {
	way  way
	at   spot   // wayColumn; in tableEntries the column is a position in commons
	mask uint64 // wayFlag: any of these flags; wayColumn: unless 0, only on entries with one of them
}

type way uint8

const (
	wayNone   way = iota // it never has a value
	wayFlag              // flags of the entry
	wayColumn            // an expression over the tables
	wayDerive            // worked out from another field
)

// place finds a field.
func (s *Schema) place(f *field.Field) place {
	if p, ok := s.places[f]; ok {
		return p
	}
	return s.find(f)
}

func (s *Schema) find(f *field.Field) place {
	if at, ok := s.stored[f]; ok {
		return place{way: wayColumn, at: at}
	}
	if f.From != nil {
		return place{way: wayDerive}
	}
	if s.catalogue.IsFlag(f) {
		if bit, ok := s.bits[f.Name]; ok {
			return place{way: wayFlag, mask: 1 << bit}
		}
		return place{}
	}
	if f.Alias != field.None {
		return place{way: wayColumn, at: spot{tableEntries, s.byName[string(f.Alias)]}, mask: s.only(f)}
	}
	if i, ok := s.byName[f.Name]; ok && s.commons[i].kind == f.Kind {
		return place{way: wayColumn, at: spot{tableEntries, i}}
	}
	return place{}
}

// only returns the flags of the protocols that declare f; 0 when every entry
// may have it.
func (s *Schema) only(f *field.Field) (mask uint64) {
	for _, g := range s.catalogue.GroupsOf(f) {
		if !g.Flag {
			return 0
		}
		if bit, ok := s.bits[g.Name]; ok {
			mask |= 1 << bit
		} else {
			mask |= 1 << maxFlags // which no entry has
		}
	}
	return mask
}

// Column returns SQL for the value of a field, which is never NULL: whole
// numbers, also for truth values and for times in nanoseconds, or text. It has
// none for the other kinds and for what is worked out from another field.
func (s *Schema) Column(f *field.Field) (sql string, ok bool) {
	var zero string
	switch f.Kind {
	case field.Bool, field.Int, field.Time:
		zero = "0"
	case field.Text:
		zero = "''"
	default:
		return "", false
	}
	switch p := s.place(f); p.way {
	case wayFlag:
		return fmt.Sprintf("(e.flags & %d <> 0)", int64(p.mask)), true
	case wayColumn:
		sql := "ifnull(" + s.raw(p.at) + ", " + zero + ")"
		if p.mask != 0 {
			sql = fmt.Sprintf("CASE WHEN e.flags & %d <> 0 THEN %s ELSE %s END", int64(p.mask), sql, zero)
		}
		return "(" + sql + ")", true
	case wayDerive:
		return "", false
	}
	return zero, true
}

// raw is SQL for what stands at a spot, NULL where an entry has no such value.
func (s *Schema) raw(at spot) string {
	if at.table == tableEntries {
		return s.commons[at.column].sql
	}
	return s.own(at, "("+wordSQL("e.summary")+")", "("+wordSQL("e.operation")+")")
}

// inView is raw where e is the view of all entries.
func (s *Schema) inView(at spot) string {
	if at.table == tableEntries {
		return "e." + quote(s.commons[at.column].name)
	}
	return s.own(at, "e.summary", "e.operation")
}

// own is raw for a protocol's own table, with the entry's summary and operation.
func (s *Schema) own(at spot, summary, operation string) string {
	t := &s.tables[at.table]
	column := alias(at.table) + "." + quote(t.columns[at.column].name)
	switch t.columns[at.column].field.Kind {
	case field.Text, field.List:
		return textSQL(column, summary, operation)
	case field.Map:
		return linesSQL(column, alias(at.table)+"."+quote(t.columns[at.column+1].name))
	}
	return column
}

// need is what a statement has to join.
type need struct {
	ends   ends
	tables map[int]bool
}

// add notes what a field is read from.
func (s *Schema) add(n *need, f *field.Field) {
	for f.From != nil {
		f = f.From
	}
	p := s.place(f)
	if p.way != wayColumn {
		return
	}
	s.addSpot(n, p.at)
}

func (s *Schema) addSpot(n *need, at spot) {
	if at.table == tableEntries {
		n.ends |= s.commons[at.column].ends
		return
	}
	if n.tables == nil {
		n.tables = make(map[int]bool)
	}
	n.tables[at.table] = true
}

// from is the FROM clause. The joins are crossed, so that rows come in the order
// of the entries' ids without sorting.
func (s *Schema) from(n need) string {
	sql := " FROM entries e"
	if n.ends != 0 {
		sql += " CROSS JOIN links l ON l.id = e.link"
	}
	if n.ends&endSrc != 0 {
		sql += " CROSS JOIN endpoints s ON s.id = l.src"
	}
	if n.ends&endDst != 0 {
		sql += " CROSS JOIN endpoints d ON d.id = l.dst"
	}
	return sql + s.joins(n)
}

// joins joins the protocols' tables.
func (s *Schema) joins(n need) (sql string) {
	for t := fixedTables; t < len(s.tables); t++ {
		if n.tables[t] {
			sql += fmt.Sprintf(" LEFT JOIN %s %s ON %[2]s.id = e.id", quote(s.tables[t].name), alias(t))
		}
	}
	return sql
}
