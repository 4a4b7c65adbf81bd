package kfl

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"shark/dissector/field"
)

// Row is what an expression is evaluated on.
type Row interface {
	// Value returns the value of a field, stored, derived or worked out: by its
	// kind a bool, int64, float64, string, []byte, []string, map[string]string,
	// or int64 nanoseconds or time.Time for a Time; nil when the row does not have
	// it. It is asked only when the evaluation gets to the field, and once for a
	// field and evaluation. What it returns must not change while it is evaluated.
	Value(f *field.Field) any
}

// program is one expression ready to be evaluated by several goroutines.
type program struct {
	cel    cel.Program
	fields []*field.Field // that it reads, in the order they are written
	slots  map[string]int // name to index in fields
	now    ref.Val
	pool   sync.Pool // of *activation
}

// newProgram plans a checked expression.
func (e *Env) newProgram(a *ast.AST, now ref.Val) (*program, error) {
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	refs := e.references(a.Expr())
	if refs.macros {
		opts = append(opts, cel.CostLimit(MaxCost))
	}
	prg, err := e.cel.PlanProgram(a, opts...)
	if err != nil {
		return nil, err
	}
	p := &program{cel: prg, fields: refs.fields, slots: make(map[string]int), now: now}
	for i, f := range refs.fields {
		p.slots[f.Name] = i
	}
	p.pool.New = func() any { return &activation{p: p, vals: make([]ref.Val, len(p.fields))} }
	return p, nil
}

// match evaluates the program. An error means that the row does not match.
func (p *program) match(row Row) (bool, error) {
	out, err := p.eval(row)
	if err != nil {
		return false, err
	}
	return out == types.True, nil
}

func (p *program) eval(row Row) (ref.Val, error) {
	a := p.pool.Get().(*activation)
	a.row = row
	out, _, err := p.cel.Eval(a)
	a.row = nil
	clear(a.vals)
	p.pool.Put(a)
	var cancelled interpreter.EvalCancelledError
	if err != nil && errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return nil, ErrCost
	}
	return out, err
}

// activation gives CEL the values of one row, as it asks for them.
type activation struct {
	p    *program
	row  Row
	vals []ref.Val // already asked for
}

// Parent implements interpreter.Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	i, ok := a.p.slots[name]
	if !ok {
		if name == nowName {
			return a.p.now, true
		}
		return nil, false
	}
	if a.vals[i] == nil {
		f := a.p.fields[i]
		a.vals[i] = toCEL(f, a.row.Value(f))
	}
	return a.vals[i], true
}

// zeros are the values of absent fields by kind.
var zeros = [...]ref.Val{
	field.Bool:  types.False,
	field.Int:   types.IntZero,
	field.Float: types.Double(0),
	field.Text:  types.String(""),
	field.Bytes: types.Bytes(nil),
	field.List:  types.NewStringList(types.DefaultTypeAdapter, nil),
	field.Map:   types.NewStringStringMap(types.DefaultTypeAdapter, nil),
	field.Time:  types.Timestamp{Time: time.Unix(0, 0).UTC()},
}

// toCEL makes a CEL value of a row's value; of the wrong type, an error.
func toCEL(f *field.Field, v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return zeros[f.Kind]
	case string:
		if f.Kind == field.Text {
			return types.String(v)
		}
	case int64:
		switch f.Kind {
		case field.Int:
			return types.Int(v)
		case field.Time:
			return types.Timestamp{Time: time.Unix(0, v).UTC()}
		}
	case bool:
		if f.Kind == field.Bool {
			return types.Bool(v)
		}
	case map[string]string:
		if f.Kind == field.Map {
			return types.NewStringStringMap(types.DefaultTypeAdapter, v)
		}
	case []string:
		if f.Kind == field.List {
			return types.NewStringList(types.DefaultTypeAdapter, v)
		}
	case float64:
		if f.Kind == field.Float {
			return types.Double(v)
		}
	case []byte:
		if f.Kind == field.Bytes {
			return types.Bytes(v)
		}
	case time.Time:
		if f.Kind == field.Time {
			return types.Timestamp{Time: v.UTC()}
		}
	}
	return types.WrapErr(fmt.Errorf("field %s: the row has a %T where a %s belongs", f.Name, v, f.Kind))
}
