// Package kfl is the query language: CEL, boolean and statically typed against
// a catalogue of fields.
//
// An expression is compiled into a Plan. What SQL can answer exactly becomes
// its Where; what is left, the residual, is CEL evaluated on the rows that Where
// lets through. Both together select the rows that CEL alone would select.
//
// On top of CEL (https://github.com/google/cel-spec) the language has:
//
//   - An empty expression, which every row matches.
//   - Comments from # or // to the end of the line.
//   - A field that a row does not have reads as its kind's zero value.
//   - now(), the time given to Compile: it does not move while a plan lives.
//   - The functions of Functions.
//   - A regular expression is a literal: it is compiled once, and its size is
//     known.
//
// A row on which the evaluation fails, such as m["k"] without the key k, does
// not match: use "k" in m, or map_get.
package kfl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"shark/dissector/field"
)

// The limits of the language.
const (
	// MaxLength is the length of the longest expression, in bytes. The time CEL's
	// checker takes grows with its square.
	MaxLength = 16 << 10
	// MaxDepth is how deep parentheses, calls and their like may nest.
	MaxDepth = 100
	// MaxNodes is the number of nodes of the largest expression, with its macros
	// written out.
	MaxNodes = 10_000
	// MaxCost limits the evaluation of an expression with macros (exists, all,
	// map and so on) on one row, in CEL's units: about one per step. Without
	// macros, a row takes time linear in its size and the expression's.
	MaxCost = 200_000
	// MaxRegexp is the size of the largest regular expression, in instructions of
	// its program.
	MaxRegexp = 10_000

	// maxSQLDepth is how deep the SQL of one part may nest. SQLite takes 1000.
	maxSQLDepth = 100
	// maxProblems is how many problems an Error reports.
	maxProblems = 8
)

// ErrCost says that a row was given up at MaxCost.
var ErrCost = errors.New("the filter costs too much on this row")

// Columns tells which fields SQL can read.
type Columns interface {
	// Column returns the SQL expression of a field of kind Bool, Int, Text or
	// Time, and false for a field that has none. The expression
	//
	//   - needs no parentheses around it and has no parameters;
	//   - is never NULL: where a row does not have the field, it is the zero value;
	//   - is, by kind, 0 or 1, an integer, a text of valid UTF-8 without NUL, or
	//     an integer of nanoseconds since 1970;
	//   - compares texts by their bytes (collation BINARY, UTF-8 database).
	Column(f *field.Field) (sql string, ok bool)
}

// Env compiles expressions against one catalogue. It may be used by several
// goroutines.
type Env struct {
	cat   *field.Catalogue
	cols  Columns
	cel   *cel.Env
	names []string // of all variables, sorted
}

// NewEnv makes an Env. With cols nil, nothing becomes SQL.
func NewEnv(cat *field.Catalogue, cols Columns) (*Env, error) {
	opts := append(library(),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableMacroCallTracking(),
		cel.ParserRecursionLimit(MaxDepth),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ExpressionNodeLimit(MaxNodes),
	)
	e := &Env{cat: cat, cols: cols}
	for _, f := range cat.Fields() {
		opts = append(opts, cel.VariableWithDoc(f.Name, celType(f.Kind), f.Doc))
		e.names = append(e.names, f.Name)
	}
	slices.Sort(e.names)
	var err error
	if e.cel, err = cel.NewEnv(opts...); err != nil {
		return nil, fmt.Errorf("query language: %w", err)
	}
	return e, nil
}

// Catalogue returns the fields that the Env knows.
func (e *Env) Catalogue() *field.Catalogue { return e.cat }

// Names returns the names of the fields that begin with prefix, sorted.
func (e *Env) Names(prefix string) []string {
	from, _ := slices.BinarySearch(e.names, prefix)
	to := from
	for to < len(e.names) && strings.HasPrefix(e.names[to], prefix) {
		to++
	}
	return slices.Clone(e.names[from:to])
}

// column returns the SQL of a field that SQL can compare.
func (e *Env) column(f *field.Field) (string, bool) {
	if e.cols == nil {
		return "", false
	}
	switch f.Kind {
	case field.Bool, field.Int, field.Text, field.Time:
		return e.cols.Column(f)
	}
	return "", false
}

func celType(k field.Kind) *cel.Type {
	switch k {
	case field.Bool:
		return cel.BoolType
	case field.Int:
		return cel.IntType
	case field.Float:
		return cel.DoubleType
	case field.Bytes:
		return cel.BytesType
	case field.List:
		return types.NewListType(cel.StringType)
	case field.Map:
		return types.NewMapType(cel.StringType, cel.StringType)
	case field.Time:
		return cel.TimestampType
	}
	return cel.StringType
}
