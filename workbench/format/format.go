// Package format writes entries in the formats of other programs: HAR 1.2 for browsers
// and what speaks with them, logs like Zeek's for what reads those, Parquet for columns
// of data.
//
// In: rows of the index, in order of time. Out: a file, or a folder of logs. What a
// format has no place for is counted, and what is not known is written as the format
// writes that: nothing is made up. Memory does not grow with the number of entries.
package format

import (
	"strings"
	"time"

	"shark/dissector/field"
	"shark/workbench/index"
)

// Writer writes entries. Close ends what was written; it does not close the file.
type Writer interface {
	Write(*index.Row) error
	Close() error
	// Skipped is how many entries the format has no place for.
	Skipped() int64
}

// values reads the values of a row by the names of their fields.
type values struct {
	catalogue *field.Catalogue
	known     map[string]*field.Field
}

func newValues(c *field.Catalogue) values { return values{c, make(map[string]*field.Field)} }

// value returns the value of a field, and whether the entry has it.
func (v values) value(r *index.Row, name string) (any, bool) {
	f, ok := v.known[name]
	if !ok {
		f = v.catalogue.Lookup(name)
		v.known[name] = f
	}
	if f == nil {
		return nil, false
	}
	return r.Get(f)
}

func (v values) text(r *index.Row, name string) string {
	x, _ := v.value(r, name)
	s, _ := x.(string)
	return s
}

func (v values) number(r *index.Row, name string) int64 {
	x, _ := v.value(r, name)
	n, _ := x.(int64)
	return n
}

func (v values) is(r *index.Row, name string) bool {
	x, _ := v.value(r, name)
	return x == true
}

func (v values) list(r *index.Row, name string) []string {
	x, _ := v.value(r, name)
	list, _ := x.([]string)
	return list
}

func (v values) pairs(r *index.Row, name string) map[string]string {
	x, _ := v.value(r, name)
	m, _ := x.(map[string]string)
	return m
}

func (v values) time(r *index.Row) time.Time {
	return r.Value(field.Timestamp).(time.Time).UTC()
}

// who is the name of one end, src or dst: with its namespace if it has one; empty when
// it is not known.
func (v values) who(r *index.Row, side string) string {
	name, space := v.text(r, side+".name"), v.text(r, side+".namespace")
	if name == "" || space == "" {
		return name
	}
	return strings.Join([]string{space, name}, "/")
}
