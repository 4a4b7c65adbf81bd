package kfl

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"shark/dissector/field"
)

// Compile makes a plan of an expression; now is what now() will be. What is
// wrong with the expression is an *Error.
func (e *Env) Compile(expr string, now time.Time) (plan *Plan, err error) {
	defer func() {
		if r := recover(); r != nil { // in CEL, on what it does not expect
			plan, err = nil, &Error{Problems: []Problem{{Line: 1, Column: 1, Message: fmt.Sprintf("internal error: %v", r)}}}
		}
	}()
	if len(expr) > MaxLength {
		return nil, &Error{Problems: []Problem{{Line: 1, Column: 1, Message: fmt.Sprintf("the filter is longer than %d bytes", MaxLength)}}}
	}
	if !valid(expr) {
		return nil, &Error{Problems: []Problem{{Line: 1, Column: 1, Message: "the filter is not text in UTF-8"}}}
	}
	s := newSource(expr)
	if s.blank() {
		return &Plan{expr: expr}, nil
	}
	checked, err := e.check(s)
	if err != nil {
		return nil, err
	}
	plan, err = e.plan(expr, checked, types.Timestamp{Time: now.UTC()})
	if err != nil {
		return nil, fail(s.problem(0, err.Error()))
	}
	plan.Hints = e.hints(s, checked, plan)
	return plan, nil
}

// check parses and type-checks.
func (e *Env) check(s *source) (*ast.AST, error) {
	// Issues.Err would write out every error with its line, which may be long.
	parsed, iss := e.cel.Parse(s.clean)
	if len(iss.Errors()) > 0 {
		return nil, s.syntax(e, iss)
	}
	tree := parsed.NativeRep()
	at := func(x ast.Expr) int { return s.place(tree, x) }
	if problems := e.unknown(s, tree.Expr(), at); len(problems) > 0 {
		return nil, fail(problems...)
	}
	checked, iss := e.cel.Check(parsed)
	if len(iss.Errors()) > 0 {
		return nil, s.types(e, tree, iss)
	}
	tree = checked.NativeRep()
	if t := tree.GetType(tree.Expr().ID()); !t.IsExactType(cel.BoolType) {
		return nil, fail(s.problem(s.toks[0].at, e.notBool(tree.Expr(), t)))
	}
	if problems := badConstants(s, tree, at); len(problems) > 0 {
		return nil, fail(problems...)
	}
	return tree, nil
}

// place returns where a node is written: for a call, where its name is, for a
// name with dots, where it starts.
func (s *source) place(tree *ast.AST, x ast.Expr) int {
	if root, _ := chain(x); root != nil {
		x = root
	}
	r, ok := tree.SourceInfo().GetOffsetRange(x.ID())
	if !ok {
		return 0
	}
	at := int(r.Start)
	for i, t := range s.toks {
		if t.at == at && t.text == "(" && i > 0 && s.toks[i-1].kind == ident {
			return s.toks[i-1].at
		}
	}
	return at
}

func (e *Env) notBool(x ast.Expr, t *types.Type) string {
	return fmt.Sprintf("a filter is true or false, this is %s%s", article(cel.FormatCELType(t)), e.use(x))
}

// badConstants finds regular expressions, ranges, times and durations that can
// never be read.
func badConstants(s *source, tree *ast.AST, at func(ast.Expr) int) (problems []Problem) {
	visit{
		name:  func(ast.Expr, string) {},
		macro: func() {},
		call: func(x ast.Expr) {
			c := x.AsCall()
			args := c.Args()
			if len(args) == 0 {
				return
			}
			last, ok := text(args[len(args)-1])
			var err error
			switch name := c.FunctionName(); {
			case name == "matches" && !ok:
				err = errors.New("a regular expression is written out, in quotes")
			case name == "matches":
				err = badRegexp(last)
			case !ok:
				return
			}
			switch c.FunctionName() {
			case "ip_in_range":
				_, err = parseRange(last)
			case "timestamp":
				if types.IsError(types.String(last).ConvertToType(types.TimestampType)) {
					err = fmt.Errorf("%q is not a time in RFC 3339, such as 2026-03-14T22:00:00Z", last)
				}
			case "duration":
				if types.IsError(types.String(last).ConvertToType(types.DurationType)) {
					err = fmt.Errorf("%q is not a duration, such as 90s, 5m or 1h30m", last)
				}
			}
			if err != nil {
				problems = append(problems, s.problem(at(args[len(args)-1]), err.Error()))
			}
		},
	}.walk(tree.Expr(), nil)
	return problems
}

func badRegexp(pattern string) error {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if prog, err := syntax.Compile(tree.Simplify()); err != nil || len(prog.Inst) > MaxRegexp {
		return errors.New("the regular expression is too large")
	}
	return nil
}

// text returns the value of a string literal.
func text(x ast.Expr) (string, bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}
	v, ok := x.AsLiteral().(types.String)
	return string(v), ok
}

// hints finds what compiles and probably means something else.
func (e *Env) hints(s *source, tree *ast.AST, plan *Plan) (hints []string) {
	own := false
	for _, f := range plan.whole.fields {
		own = own || !e.cat.IsFlag(f) && e.ofProtocol(f)
	}
	if ok, err := plan.whole.match(noRow{}); ok && err == nil && own {
		hints = append(hints, "this also matches entries of other protocols, where these fields read as zero or empty: add the protocol, as in http && …")
	}
	visit{
		name:  func(ast.Expr, string) {},
		macro: func() {},
		call: func(x ast.Expr) {
			switch args := x.AsCall().Args(); x.AsCall().FunctionName() {
			case operators.Equals, operators.NotEquals:
				if v, ok := text(args[1]); ok && s.rawAt(tree, args[1]) && regexp.QuoteMeta(v) != v {
					hints = append(hints, fmt.Sprintf("r%q is compared as it is written: for a regular expression write x.matches(r%q)", v, v))
				}
			case operators.Index, operators.In, "map_get":
				hints = append(hints, headerHint(x)...)
			}
		},
	}.walk(tree.Expr(), nil)
	return hints
}

// ofProtocol tells whether f is of entries that a flag tells from others.
func (e *Env) ofProtocol(f *field.Field) bool {
	return slices.ContainsFunc(e.cat.GroupsOf(f), func(g field.Group) bool { return g.Flag })
}

// rawAt tells whether a literal is written r"…".
func (s *source) rawAt(tree *ast.AST, x ast.Expr) bool {
	r, ok := tree.SourceInfo().GetOffsetRange(x.ID())
	return ok && int(r.Start) < len(s.text) && (s.text[r.Start] == 'r' || s.text[r.Start] == 'R')
}

// headerHint warns of a header name with capitals: they are kept in lower case.
func headerHint(x ast.Expr) []string {
	args := x.AsCall().Args()
	m, key := args[0], args[1]
	if x.AsCall().FunctionName() == operators.In {
		m, key = key, m
	}
	_, full := chain(m)
	k, ok := text(key)
	if !ok || !strings.HasSuffix(full, ".headers") || k == strings.ToLower(k) {
		return nil
	}
	return []string{fmt.Sprintf("names of headers are kept in lower case: write %q", strings.ToLower(k))}
}

// noRow has no fields.
type noRow struct{}

func (noRow) Value(*field.Field) any { return nil }
