package kfl

import (
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"shark/dissector/field"
)

// fragment is a piece of SQL with the values of its parameters, in order.
type fragment struct {
	sql    string
	args   []any
	fields []*field.Field // whose columns it reads
	depth  int
	kind   field.Kind // Bool, Int, Text or Time
}

// planner turns parts of one checked expression into SQL.
type planner struct {
	env   *Env
	tree  *ast.AST
	now   ref.Val
	fixed map[int64]bool // ids of nodes without fields and macros
}

// exact returns SQL that gives, on every row, what CEL gives; false when there
// is none. Whatever has such SQL can have no error in CEL, so taking it out of
// a conjunction changes no outcome.
func (p *planner) exact(x ast.Expr) (fragment, bool) {
	if p.fixed[x.ID()] {
		return p.fold(x)
	}
	switch x.Kind() {
	case ast.IdentKind:
		if f := p.env.cat.Lookup(x.AsIdent()); f != nil {
			sql, ok := p.env.column(f)
			return fragment{sql: sql, fields: []*field.Field{f}, kind: f.Kind}, ok
		}
	case ast.CallKind:
		f, ok := p.call(x.AsCall())
		return f, ok && f.depth <= maxSQLDepth
	}
	return fragment{}, false
}

const second = 1_000_000_000 // ns

// constant returns a parameter for a value. Texts with NUL stay out: SQLite's
// functions end at it.
func constant(v ref.Val) (fragment, bool) {
	switch v := v.(type) {
	case types.Bool:
		if v {
			return fragment{sql: "1", kind: field.Bool}, true
		}
		return fragment{sql: "0", kind: field.Bool}, true
	case types.Int:
		return fragment{sql: "?", args: []any{int64(v)}, kind: field.Int}, true
	case types.String:
		ok := utf8.ValidString(string(v)) && !strings.Contains(string(v), "\x00")
		return fragment{sql: "?", args: []any{string(v)}, kind: field.Text}, ok
	case types.Timestamp:
		s := v.Unix()
		ok := s > math.MinInt64/second && s < math.MaxInt64/second // 1677 to 2262
		return fragment{sql: "?", args: []any{v.UnixNano()}, kind: field.Time}, ok
	}
	return fragment{}, false
}

// fold evaluates an expression without fields and macros.
func (p *planner) fold(x ast.Expr) (fragment, bool) {
	if x.Kind() == ast.LiteralKind {
		return constant(x.AsLiteral())
	}
	prg, err := p.env.newProgram(p.part(x), p.now)
	if err != nil {
		return fragment{}, false
	}
	v, err := prg.eval(noRow{})
	if err != nil {
		return fragment{}, false
	}
	return constant(v)
}

// markFixed fills fixed.
func (p *planner) markFixed(x ast.Expr) bool {
	fixed := false
	switch x.Kind() {
	case ast.LiteralKind:
		fixed = true
	case ast.IdentKind:
		fixed = x.AsIdent() == nowName
	case ast.CallKind:
		c := x.AsCall()
		fixed = !c.IsMemberFunction() || p.markFixed(c.Target())
		for _, a := range c.Args() {
			fixed = p.markFixed(a) && fixed
		}
	case ast.ListKind:
		fixed = true
		for _, a := range x.AsList().Elements() {
			fixed = p.markFixed(a) && fixed
		}
	}
	p.fixed[x.ID()] = fixed
	return fixed
}

// part returns a node as a tree of its own.
func (p *planner) part(x ast.Expr) *ast.AST {
	return ast.NewCheckedAST(ast.NewAST(x, p.tree.SourceInfo()), p.tree.TypeMap(), p.tree.ReferenceMap())
}

// comparisons are CEL's operators in SQL.
var comparisons = map[string]string{
	operators.Equals: " = ", operators.NotEquals: " <> ",
	operators.Less: " < ", operators.LessEquals: " <= ", operators.Greater: " > ", operators.GreaterEquals: " >= ",
}

func (p *planner) call(c ast.CallExpr) (fragment, bool) {
	name, operands := c.FunctionName(), c.Args()
	if c.IsMemberFunction() {
		operands = append([]ast.Expr{c.Target()}, operands...)
	}
	if name == operators.In {
		return p.in(operands[0], operands[1])
	}
	args := make([]fragment, len(operands))
	for i, x := range operands {
		var ok bool
		if args[i], ok = p.exact(x); !ok {
			return fragment{}, false
		}
	}
	if sql, ok := comparisons[name]; ok {
		return build(field.Bool, "(", args[0], sql, args[1], ")"), args[0].kind == args[1].kind
	}
	switch name {
	case operators.LogicalAnd, operators.LogicalOr:
		word := map[string]string{operators.LogicalAnd: " AND ", operators.LogicalOr: " OR "}[name]
		return build(field.Bool, "(", args[0], word, args[1], ")"), len(args) == 2
	case operators.LogicalNot:
		return build(field.Bool, "(NOT ", args[0], ")"), true
	case operators.Conditional:
		return build(args[1].kind, "CASE WHEN ", args[0], " THEN ", args[1], " ELSE ", args[2], " END"), args[1].kind == args[2].kind
	}
	for _, a := range args {
		if a.kind != field.Text {
			return fragment{}, false
		}
	}
	return texts(name, args)
}

// texts translates the functions of texts. LIKE is never used: it ignores case
// and has wildcards.
func texts(name string, a []fragment) (fragment, bool) {
	switch {
	case name == "size" && len(a) == 1:
		return build(field.Int, "length(", a[0], ")"), true
	case name == "lowerAscii" && len(a) == 1:
		return build(field.Text, "lower(", a[0], ")"), true
	case name == "upperAscii" && len(a) == 1:
		return build(field.Text, "upper(", a[0], ")"), true
	case len(a) != 2:
		return fragment{}, false
	case name == "contains":
		return build(field.Bool, "(instr(", a[0], ", ", a[1], ") > 0)"), true
	case a[1].sql != "?":
		return fragment{}, false
	}
	n := int64(utf8.RuneCountInString(a[1].args[0].(string)))
	length := fragment{sql: "?", args: []any{n}}
	switch {
	case name == "startsWith":
		return build(field.Bool, "(substr(", a[0], ", 1, ", length, ") = ", a[1], ")"), true
	case name == "endsWith" && n == 0:
		return fragment{sql: "1", kind: field.Bool}, true // substr(x, -0) would be all of x
	case name == "endsWith":
		length.args[0] = -n
		return build(field.Bool, "(substr(", a[0], ", ", length, ") = ", a[1], ")"), true
	}
	return fragment{}, false
}

// in translates membership in a list that is written out.
func (p *planner) in(x, list ast.Expr) (fragment, bool) {
	if list.Kind() != ast.ListKind || len(list.AsList().OptionalIndices()) > 0 {
		return fragment{}, false
	}
	of, ok := p.exact(x)
	if !ok {
		return fragment{}, false
	}
	parts := []any{"(", of, " IN ("}
	for i, item := range list.AsList().Elements() {
		f, ok := p.exact(item)
		if !ok || f.kind != of.kind {
			return fragment{}, false
		}
		if i > 0 {
			parts = append(parts, ", ")
		}
		parts = append(parts, f)
	}
	return build(field.Bool, append(parts, "))")...), true
}

// build joins texts and fragments.
func build(kind field.Kind, parts ...any) fragment {
	out := fragment{kind: kind}
	var b strings.Builder
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			b.WriteString(part)
		case fragment:
			b.WriteString(part.sql)
			out.args = append(out.args, part.args...)
			for _, f := range part.fields {
				if !slices.Contains(out.fields, f) {
					out.fields = append(out.fields, f)
				}
			}
			out.depth = max(out.depth, part.depth+1)
		}
	}
	out.sql = b.String()
	return out
}

// narrow returns SQL that is true of every row of which x is true, and false
// only of rows of which x is false (and not an error); nothing when it knows
// none. isExact tells that it is SQL for x itself.
func (p *planner) narrow(x ast.Expr) (f fragment, isExact, ok bool) {
	if f, ok := p.exact(x); ok {
		return f, true, true
	}
	if x.Kind() != ast.CallKind {
		return fragment{}, false, false
	}
	c := x.AsCall()
	switch c.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		f, ok = p.narrowPair(c)
	case operators.Conditional:
		f, ok = p.narrowChoice(c)
	case "matches", "ip_in_range":
		f, ok = p.narrowText(c)
	}
	return f, false, ok && f.depth <= maxSQLDepth
}

func (p *planner) narrowPair(c ast.CallExpr) (fragment, bool) {
	a, _, okA := p.narrow(c.Args()[0])
	b, _, okB := p.narrow(c.Args()[1])
	switch {
	case c.FunctionName() == operators.LogicalOr:
		return build(field.Bool, "(", a, " OR ", b, ")"), okA && okB
	case okA && okB:
		return build(field.Bool, "(", a, " AND ", b, ")"), true
	case okA:
		return a, true
	}
	return b, okB
}

func (p *planner) narrowChoice(c ast.CallExpr) (fragment, bool) {
	cond, ok := p.exact(c.Args()[0])
	if !ok {
		return fragment{}, false
	}
	any := fragment{sql: "1", kind: field.Bool}
	a, _, okA := p.narrow(c.Args()[1])
	b, _, okB := p.narrow(c.Args()[2])
	if !okA {
		a = any
	}
	if !okB {
		b = any
	}
	return build(field.Bool, "CASE WHEN ", cond, " THEN ", a, " ELSE ", b, " END"), okA || okB
}

// narrowText finds what a text must have inside it to match a regular
// expression, or what it must begin with to be an address of a range.
func (p *planner) narrowText(c ast.CallExpr) (fragment, bool) {
	operands := c.Args()
	if c.IsMemberFunction() {
		operands = append([]ast.Expr{c.Target()}, operands...)
	}
	pattern, ok := text(operands[1])
	if !ok {
		return fragment{}, false
	}
	of, ok := p.exact(operands[0])
	if !ok || of.kind != field.Text {
		return fragment{}, false
	}
	if c.FunctionName() == "ip_in_range" {
		prefix, err := parseRange(pattern)
		if err != nil || !prefix.Addr().Is4() || prefix.Bits() < 8 {
			return fragment{}, false
		}
		head, _ := constant(types.String(octets(prefix)))
		return texts("startsWith", []fragment{of, head})
	}
	part, ok := constant(types.String(needle(pattern)))
	return build(field.Bool, "(instr(", of, ", ", part, ") > 0)"), ok && part.args[0] != ""
}

// needle returns a text that is in every match of a regular expression, or
// nothing.
func needle(pattern string) string {
	// Without its first ^ an expression matches more, and no match of it lacks
	// what all those have. Where the ^ is repeated, as in "^*", the rest does not
	// compile.
	re, err := regexp.Compile(strings.TrimPrefix(pattern, "^"))
	if err != nil {
		return ""
	}
	literal, _ := re.LiteralPrefix()
	return literal
}

// octets returns what all addresses of a range begin with: "10." for 10.0.0.0/12.
func octets(prefix netip.Prefix) string {
	s := prefix.Masked().Addr().String()
	if prefix.Bits() == 32 {
		return s
	}
	parts := strings.SplitAfter(s, ".")
	return strings.Join(parts[:prefix.Bits()/8], "")
}

// conjuncts returns the parts that && joins at the top, in order.
func conjuncts(x ast.Expr) []ast.Expr { return joined(x, operators.LogicalAnd) }

// joined returns the parts that an operator joins at the top, in order.
func joined(x ast.Expr, by string) []ast.Expr {
	if x.Kind() == ast.CallKind && x.AsCall().FunctionName() == by {
		var out []ast.Expr
		for _, a := range x.AsCall().Args() {
			out = append(out, joined(a, by)...)
		}
		return out
	}
	return []ast.Expr{x}
}

// join makes one tree of conjuncts, balanced.
func (p *planner) join(parts []ast.Expr, id *int64) ast.Expr {
	if len(parts) == 1 {
		return parts[0]
	}
	mid := len(parts) / 2
	*id++
	x := ast.NewExprFactory().NewCall(*id, operators.LogicalAnd, p.join(parts[:mid:mid], id), p.join(parts[mid:], id))
	p.tree.SetType(x.ID(), cel.BoolType)
	p.tree.SetReference(x.ID(), ast.NewFunctionReference("logical_and"))
	return x
}

// joinSQL is join for SQL.
func joinSQL(parts []fragment) fragment {
	if len(parts) == 1 {
		return parts[0]
	}
	mid := len(parts) / 2
	return build(field.Bool, "(", joinSQL(parts[:mid]), " AND ", joinSQL(parts[mid:]), ")")
}
