package kfl

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"

	"shark/dissector/field"
)

// scope is the variables that macros have declared, innermost first.
type scope struct {
	names [3]string
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		for _, n := range s.names {
			if n == name {
				return true
			}
		}
	}
	return false
}

// visit calls name for every outermost name in e (an identifier, or identifiers
// joined by dots) that no macro has declared, and call for every call.
type visit struct {
	name  func(root ast.Expr, full string)
	call  func(e ast.Expr)
	macro func()
}

func (v visit) walk(e ast.Expr, s *scope) {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		root, full := chain(e)
		switch {
		case root == nil:
			v.walk(e.AsSelect().Operand(), s)
		case !s.has(root.AsIdent()):
			v.name(root, full)
		}
	case ast.CallKind:
		c := e.AsCall()
		v.call(e)
		if c.IsMemberFunction() {
			v.walk(c.Target(), s)
		}
		for _, a := range c.Args() {
			v.walk(a, s)
		}
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			v.walk(x, s)
		}
	case ast.MapKind:
		for _, x := range e.AsMap().Entries() {
			v.walk(x.AsMapEntry().Key(), s)
			v.walk(x.AsMapEntry().Value(), s)
		}
	case ast.StructKind:
		for _, x := range e.AsStruct().Fields() {
			v.walk(x.AsStructField().Value(), s)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		v.macro()
		v.walk(c.IterRange(), s)
		v.walk(c.AccuInit(), s)
		inner := &scope{[3]string{c.IterVar(), c.IterVar2(), c.AccuVar()}, s}
		for _, x := range []ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()} {
			v.walk(x, inner)
		}
	}
}

// chain returns the identifier that a chain of selections starts with and the
// chain as it is written; nil when it starts with something else.
func chain(e ast.Expr) (root ast.Expr, full string) {
	var parts []string
	for e.Kind() == ast.SelectKind {
		parts = append(parts, e.AsSelect().FieldName())
		e = e.AsSelect().Operand()
	}
	if e.Kind() != ast.IdentKind {
		return nil, ""
	}
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(e.AsIdent(), "."))
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteByte('.')
		b.WriteString(parts[i])
	}
	return e, b.String()
}

// lookup returns the field that a name, or the longest beginning of it that ends
// at a dot, stands for.
func (e *Env) lookup(full string) *field.Field {
	for {
		if f := e.cat.Lookup(full); f != nil {
			return f
		}
		i := strings.LastIndexByte(full, '.')
		if i < 0 {
			return nil
		}
		full = full[:i]
	}
}

// references is what an expression refers to.
type references struct {
	fields []*field.Field // each once, in the order they are written
	macros bool
}

func (e *Env) references(x ast.Expr) references {
	var r references
	seen := make(map[*field.Field]bool)
	visit{
		name: func(_ ast.Expr, full string) {
			if f := e.lookup(full); f != nil && !seen[f] {
				seen[f] = true
				r.fields = append(r.fields, f)
			}
		},
		call:  func(ast.Expr) {},
		macro: func() { r.macros = true },
	}.walk(x, nil)
	return r
}

// celTypes are the names of CEL's types, which are values too.
var celTypes = map[string]bool{
	"bool": true, "bytes": true, "double": true, "int": true, "list": true, "map": true,
	"null_type": true, "string": true, "type": true, "uint": true,
}

// unknown reports the names and functions of a parsed expression that do not
// exist.
func (e *Env) unknown(s *source, x ast.Expr, at func(ast.Expr) int) (problems []Problem) {
	visit{
		name: func(root ast.Expr, full string) {
			if full == nowName || celTypes[full] || strings.HasPrefix(full, "google.protobuf.") {
				return
			}
			if f := e.lookup(full); f != nil && (f.Name == full || f.Kind == field.Map) {
				return
			}
			problems = append(problems, s.problem(at(root), e.noName(full)))
		},
		call: func(x ast.Expr) {
			f := x.AsCall().FunctionName()
			if e.cel.HasFunction(f) && !slices.Contains(unbounded, f) {
				return
			}
			msg, ok := oldFunctions[f]
			if !ok {
				msg = e.noFunction(f)
			}
			problems = append(problems, s.problem(at(x), msg))
		},
		macro: func() {},
	}.walk(x, nil)
	return problems
}
