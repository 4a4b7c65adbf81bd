package index

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shark/dissector/field"
)

const hexDigits = "0123456789abcdef"

// appendQuoted appends a JSON string of valid UTF-8. Beyond what JSON asks for,
// it escapes U+2028 and U+2029, which end lines in JavaScript, and DEL and the C1
// controls, which terminals act upon.
func appendQuoted[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			r, n = decodeRune(s, i)
			if r != utf8.RuneError && r > 0x9f && r != 0x2028 && r != 0x2029 || r == utf8.RuneError && n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[from:i]...)
		b = appendEscape(b, r)
		i += n
		from = i
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func decodeRune[T string | []byte](s T, i int) (rune, int) {
	return utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
}

func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Encoder writes entries as JSON: an object of the KFL variables that the entry
// has, nested at the dots, in the order of the catalogue. Numbers by which
// entries refer to things are texts, times RFC 3339 in UTC with nanoseconds.
type Encoder struct{ root node }

// node is a variable, or an object of variables whose names begin alike.
type node struct {
	name  string
	field *field.Field
	place place
	only  uint64 // unless 0: only entries with one of these flags may have it
	text  bool   // a number that JSON carries as text
	zero  bool   // the zero of its kind is a value too
	inner []*node
}

// identifiers are numbers by which entries refer to things: they may be larger
// than what JavaScript can count to.
var identifiers = []string{"id", "conn_id", "flow_id", "conn_group_id", "flow_group_id"}

// telling are the variables of every entry whose zero says something.
var telling = []string{
	"index", "failed", "has_request", "has_response", "complete", "elapsed_time", "first_byte_time",
	"request_size", "response_size", "total_size",
}

// JSON returns an Encoder for some fields; for all of them when none is given.
func (s *Schema) JSON(fields ...*field.Field) *Encoder {
	if len(fields) == 0 {
		fields = s.catalogue.Fields()
	}
	e := new(Encoder)
	for _, f := range fields {
		p := s.place(f)
		if p.way == wayNone {
			continue
		}
		n := e.root.at(strings.Split(f.Name, "."))
		n.field, n.place, n.text = f, p, slices.Contains(identifiers, f.Name)
		n.only = s.only(f)
		n.zero = p.way == wayColumn && (p.at.table != tableEntries || f.Alias != field.None || slices.Contains(telling, f.Name))
	}
	return e
}

// at returns the node of a name, made where it is not there yet.
func (n *node) at(name []string) *node {
	if len(name) == 0 {
		return n
	}
	for _, in := range n.inner {
		if in.name == name[0] {
			return in.at(name[1:])
		}
	}
	in := &node{name: name[0]}
	n.inner = append(n.inner, in)
	return in.at(name[1:])
}

// Append appends the entry that r stands on.
func (e *Encoder) Append(b []byte, r *Row) ([]byte, error) {
	b, _ = e.root.members(b, r)
	return b, r.err
}

// members appends an object of what the entry has, and whether that is anything.
func (n *node) members(b []byte, r *Row) (out []byte, some bool) {
	b = append(b, '{')
	for _, in := range n.inner {
		if in.only != 0 && in.only&r.flags == 0 {
			continue
		}
		from := len(b)
		if some {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, in.name), ':')
		has := false
		if in.inner != nil {
			b, has = in.members(b, r)
		} else {
			b, has = in.value(b, r)
		}
		if !has {
			b = b[:from]
		}
		some = some || has
	}
	return append(b, '}'), some
}

// value appends a variable's value, if the entry has it.
func (n *node) value(b []byte, r *Row) ([]byte, bool) {
	p := n.place
	if p.way != wayColumn {
		v, has := r.Get(n.field)
		return n.boxed(b, v, has)
	}
	stmt, col := r.cell(p.at)
	if stmt == nil || stmt.ColumnIsNull(col) {
		return b, false
	}
	switch n.field.Kind {
	case field.Bool:
		v := stmt.ColumnInt64(col) != 0
		return strconv.AppendBool(b, v), v || n.zero
	case field.Int:
		v := stmt.ColumnInt64(col)
		return n.number(b, v), v != 0 || n.zero
	case field.Text:
		v := text(stmt, col)
		return appendQuoted(b, v), v != "" || n.zero
	}
	v, has := r.Get(n.field)
	return n.boxed(b, v, has)
}

func (n *node) number(b []byte, v int64) []byte {
	if n.text {
		return append(strconv.AppendInt(append(b, '"'), v, 10), '"')
	}
	return strconv.AppendInt(b, v, 10)
}

// boxed appends a value of any kind.
func (n *node) boxed(b []byte, v any, has bool) ([]byte, bool) {
	if !has {
		return b, false
	}
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v), v || n.zero
	case int64:
		return n.number(b, v), v != 0 || n.zero
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return b, false
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64), v != 0 || n.zero
	case string:
		return appendQuoted(b, v), v != "" || n.zero
	case []byte:
		b = append(b, '"')
		return append(base64.StdEncoding.AppendEncode(b, v), '"'), len(v) > 0 || n.zero
	case time.Time:
		return append(v.AppendFormat(append(b, '"'), `2006-01-02T15:04:05.000000000Z`), '"'), true
	case []string:
		return appendStrings(b, v), len(v) > 0 || n.zero
	case map[string]string:
		return appendMap(b, v), len(v) > 0 || n.zero
	}
	return b, false
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, s)
	}
	return append(b, ']')
}

// appendMap appends an object with its keys in order.
func appendMap(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, k), ':')
		b = appendQuoted(b, m[k])
	}
	return append(b, '}')
}
