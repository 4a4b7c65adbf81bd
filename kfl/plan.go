package kfl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types/ref"

	"shark/dissector/field"
)

// Plan is a compiled expression. It may be used by several goroutines.
type Plan struct {
	// Where is a condition for SQL, with a ? for each of Args in order: an int64
	// or a string. It is empty when SQL has nothing to say.
	Where string
	Args  []any
	// Hints are sentences about what probably is not meant.
	Hints []string

	expr    string
	sql     []*field.Field
	rest    *program // nil when Where says it all
	whole   *program // nil when every row matches
	planner *planner // nil when every row matches
	explain []step
}

// step is one conjunct in the order of evaluation.
type step struct {
	expr   string
	narrow string // SQL that narrows rows for CEL
	inSQL  bool
}

// plan splits a checked expression.
func (e *Env) plan(expr string, tree *ast.AST, now ref.Val) (*Plan, error) {
	p := &planner{env: e, tree: tree, now: now, fixed: make(map[int64]bool)}
	p.markFixed(tree.Expr())
	plan := &Plan{expr: expr, planner: p}
	var err error
	if plan.whole, err = e.newProgram(tree, now); err != nil {
		return nil, err
	}
	var (
		where, narrow []fragment
		rest          []ast.Expr
		inSQL, inCEL  []step
	)
	parts := conjuncts(tree.Expr())
	for _, x := range parts {
		f, isExact, ok := p.narrow(x)
		s := step{expr: p.write(x), inSQL: isExact}
		switch {
		case isExact:
			where = append(where, f)
			inSQL = append(inSQL, s)
			continue
		case ok:
			narrow = append(narrow, f)
			s.narrow = f.sql
		}
		rest = append(rest, x)
		inCEL = append(inCEL, s)
	}
	if where = append(where, narrow...); len(where) > 0 {
		all := joinSQL(where)
		plan.Where, plan.Args, plan.sql = all.sql, all.args, all.fields
	}
	plan.explain = append(inSQL, inCEL...)
	switch len(rest) {
	case 0:
	case len(parts):
		plan.rest = plan.whole
	default:
		id := ast.MaxID(tree)
		plan.rest, err = e.newProgram(p.part(p.join(rest, &id)), now)
	}
	return plan, err
}

// write returns a node as KFL.
func (p *planner) write(x ast.Expr) string {
	s, err := cel.ExprToString(x, p.tree.SourceInfo())
	if err != nil {
		return "…"
	}
	return strings.ReplaceAll(s, nowName, "now()")
}

// Residual tells whether rows that Where lets through still need Match.
func (p *Plan) Residual() bool { return p.rest != nil }

// Match evaluates the residual on a row that Where let through. When the
// evaluation fails, the row does not match and the error says why, such as a key
// that a map does not have, or ErrCost: callers go on, and may count them.
func (p *Plan) Match(row Row) (bool, error) {
	if p.rest == nil {
		return true, nil
	}
	return p.rest.match(row)
}

// MatchAll evaluates the whole expression on a row, as CEL alone. Its errors are
// those of Match.
func (p *Plan) MatchAll(row Row) (bool, error) {
	if p.whole == nil {
		return true, nil
	}
	return p.whole.match(row)
}

// Fields returns the fields that Match may ask a row for.
func (p *Plan) Fields() []*field.Field {
	if p.rest == nil {
		return nil
	}
	return slices.Clone(p.rest.fields)
}

// AllFields returns the fields that MatchAll may ask a row for: all that the
// expression names.
func (p *Plan) AllFields() []*field.Field {
	if p.whole == nil {
		return nil
	}
	return slices.Clone(p.whole.fields)
}

// SQLFields returns the fields whose columns Where reads.
func (p *Plan) SQLFields() []*field.Field { return slices.Clone(p.sql) }

// String returns the expression as it was written.
func (p *Plan) String() string { return p.expr }

// Explain says what is answered by SQL and what by CEL, in the order of
// evaluation, a line each.
func (p *Plan) Explain() string {
	if p.whole == nil {
		return "every row matches\n"
	}
	var b strings.Builder
	for i, s := range p.explain {
		where := "CEL"
		if s.inSQL {
			where = "SQL"
		}
		fmt.Fprintf(&b, "%d. %s  %s\n", i+1, where, s.expr)
		if s.narrow != "" {
			fmt.Fprintf(&b, "        on rows with %s\n", s.narrow)
		}
	}
	if p.Where != "" {
		fmt.Fprintf(&b, "where  %s\n", p.Where)
	}
	if len(p.Args) > 0 {
		args := make([]string, len(p.Args))
		for i, a := range p.Args {
			args[i] = fmt.Sprintf("%#v", a)
		}
		fmt.Fprintf(&b, "with   %s\n", strings.Join(args, ", "))
	}
	if p.rest != nil {
		names := make([]string, len(p.rest.fields))
		for i, f := range p.rest.fields {
			names[i] = f.Name
		}
		fmt.Fprintf(&b, "reads  %s\n", strings.Join(names, ", "))
	}
	for _, h := range p.Hints {
		fmt.Fprintf(&b, "hint   %s\n", h)
	}
	return b.String()
}
