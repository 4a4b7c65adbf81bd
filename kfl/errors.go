package kfl

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"

	"shark/dissector/field"
)

// Error says why an expression does not compile.
type Error struct {
	Problems []Problem // in the order of their places; never empty
}

// Problem is one thing that is wrong with an expression.
type Problem struct {
	Line, Column int    // from 1, in characters
	Message      string // what is wrong and what to write
	Excerpt      string // the line, or what is around the place in a long one
	Caret        int    // place in Excerpt, in characters from 0
}

// Error gives every problem with its line and a caret under its place.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d:%d: %s", p.Line, p.Column, p.Message)
		if p.Excerpt == "" {
			continue
		}
		pad := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, string([]rune(p.Excerpt)[:p.Caret]))
		fmt.Fprintf(&b, "\n  %s\n  %s^", p.Excerpt, pad)
	}
	return b.String()
}

// excerptAround is how many characters of a long line are shown on each side.
const excerptAround = 60

func (s *source) problem(at int, message string) Problem {
	text, line, column := s.line(at)
	p := Problem{Line: line, Column: column, Message: message, Caret: min(column-1, len(text))}
	if cut := p.Caret - excerptAround; cut > 0 {
		text, p.Caret = append([]rune("…"), text[cut:]...), excerptAround+1
	}
	if len(text) > p.Caret+excerptAround {
		text = append(text[:p.Caret+excerptAround:p.Caret+excerptAround], '…')
	}
	p.Excerpt = strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, string(text))
	return p
}

// fail makes an Error of problems.
func fail(problems ...Problem) error {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	out := problems[:0]
	for _, p := range problems {
		if len(out) == 0 || p != out[len(out)-1] {
			out = append(out, p)
		}
	}
	return &Error{Problems: out[:min(len(out), maxProblems)]}
}

// offset returns the place of one of CEL's errors.
func (s *source) offset(err *cel.Error) int {
	line, at := 1, 0
	for i, r := range s.text {
		if line == err.Location.Line() {
			break
		}
		if r == '\n' {
			line, at = line+1, i+1
		}
	}
	return min(at+max(err.Location.Column(), 0), len(s.text))
}

var (
	unexpected = regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '((?s).*)' expecting`)
	noViable   = regexp.MustCompile(`^Syntax error: no viable alternative at input '((?s).*)'$`)
	badToken   = regexp.MustCompile(`^Syntax error: token recognition error at: '((?s).*)'$`)
	missing    = regexp.MustCompile(`^Syntax error: missing '(.)' at`)
	overload   = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	mismatch   = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)
	noRange    = regexp.MustCompile(`^expression of type '(.*)' cannot be range of a comprehension`)
)

// syntax explains why the parser gave up.
func (s *source) syntax(e *Env, iss *cel.Issues) error {
	if problems := s.explain(e); len(problems) > 0 {
		return fail(problems...)
	}
	first := iss.Errors()[0]
	for _, err := range iss.Errors() {
		gaveUp := strings.Contains(first.Message, "recovery")
		if gaveUp || s.offset(err) < s.offset(first) && !strings.Contains(err.Message, "recovery") {
			first = err
		}
	}
	msg := first.Message
	switch m := unexpected.FindStringSubmatch(msg); {
	case m != nil && m[1] == "<EOF>":
		msg = "the filter ends too early"
	case m != nil:
		msg = "unexpected " + quote(m[1])
	case missing.MatchString(msg):
		msg = "a " + missing.FindStringSubmatch(msg)[1] + " is missing"
	case noViable.MatchString(msg), strings.Contains(msg, "recovery"):
		msg = "this is not an expression"
	case badToken.MatchString(msg):
		if tok := badToken.FindStringSubmatch(msg)[1]; strings.ContainsAny(tok, `"'`) {
			msg = "the text has no closing quote"
		} else {
			msg = "unexpected " + quote(tok)
		}
	case strings.Contains(msg, "recursion"):
		msg = fmt.Sprintf("the filter nests deeper than %d", MaxDepth)
	case strings.Contains(msg, "expression count"):
		msg = fmt.Sprintf("the filter has more than %d parts", MaxNodes)
	default:
		msg = lowerFirst(strings.TrimPrefix(msg, "Syntax error: "))
	}
	return fail(s.problem(s.offset(first), msg))
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// types explains why the checker gave up.
func (s *source) types(e *Env, parsed *ast.AST, iss *cel.Issues) error {
	byID := make(map[int64]ast.Expr)
	ast.PreOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(x ast.Expr) { byID[x.ID()] = x }))
	var problems []Problem
	for _, err := range iss.Errors() {
		x, msg := byID[err.ExprID], lowerFirst(err.Message)
		if m := overload.FindStringSubmatch(err.Message); m != nil {
			msg = operatorName(m[1]) + " does not take " + m[2] + e.callHint(x)
		} else if m := mismatch.FindStringSubmatch(err.Message); m != nil {
			msg = fmt.Sprintf("%s belongs here, this is %s%s", article(m[1]), article(m[2]), e.use(x))
		} else if m := noRange.FindStringSubmatch(err.Message); m != nil {
			msg = fmt.Sprintf("exists, all, filter and map go over a list or a map, this is %s%s", article(m[1]), e.use(x))
		}
		at := s.offset(err)
		if x != nil {
			at = s.place(parsed, x)
		}
		problems = append(problems, s.problem(at, msg))
	}
	return fail(problems...)
}

// operatorName is how CEL's internal name of an operator is written: "_>=_".
func operatorName(name string) string {
	switch name {
	case "@in":
		return "in"
	case "_[_]":
		return "[ ]"
	case "_?_:_":
		return "? :"
	}
	return strings.Trim(name, "_")
}

// callHint says what a call's fields are and how such fields are used.
func (e *Env) callHint(x ast.Expr) string {
	if x == nil || x.Kind() != ast.CallKind {
		return ""
	}
	c := x.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	hints := ""
	for _, a := range args {
		if f := e.fieldAt(a); f != nil {
			hints += fmt.Sprintf("; %s is %s, as in %s", f.Name, article(f.Kind.String()), usage(f))
			if number := e.cat.Lookup(f.Name + "_code"); number != nil && f.Kind == field.Text && number.Kind == field.Int {
				hints += "; the number is " + number.Name
			}
		}
	}
	return hints
}

// use says how the field x is used; nothing when x is not a field.
func (e *Env) use(x ast.Expr) string {
	if f := e.fieldAt(x); f != nil {
		return "; compare it, as in " + usage(f)
	}
	return ""
}

// fieldAt returns the field that x is, or nil.
func (e *Env) fieldAt(x ast.Expr) *field.Field {
	if x == nil {
		return nil
	}
	_, full := chain(x)
	return e.cat.Lookup(full)
}

// article puts a or an before a type.
func article(s string) string {
	if strings.HasPrefix(s, "int") {
		return "an " + s
	}
	return "a " + s
}

// usage is a condition on f that compiles.
func usage(f *field.Field) string {
	switch f.Kind {
	case field.Int, field.Float:
		return f.Name + " > 0"
	case field.Text:
		return f.Name + ` == "text"`
	case field.Bytes:
		return "size(" + f.Name + ") > 0"
	case field.List:
		return `"text" in ` + f.Name + " or " + f.Name + `.exists(x, x.contains("text"))`
	case field.Map:
		return `map_get(` + f.Name + `, "key", "") == "text"`
	case field.Time:
		return f.Name + ` >= timestamp("2026-03-14T22:00:00Z")`
	}
	return f.Name
}
