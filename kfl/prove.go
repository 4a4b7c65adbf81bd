package kfl

import (
	"math"
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"

	"shark/dissector/field"
)

// Side is one of the two ends of an entry.
type Side uint8

// The sides.
const (
	NoSide Side = iota
	SrcSide
	DstSide
)

// Proof is what is true of every row that an expression selects, found without looking at
// rows. It may say too little, never too much.
type Proof struct {
	From, To int64 // timestamps are in [From, To], ns since 1970
	// Flags are lists of flags: of each, one is set.
	Flags [][]string
	// Unset are flags that are not set.
	Unset []string
	Ends  []End
}

// End is a condition that one of an entry's ends fulfils: which one, it does not tell.
type End struct{ parts []endPart }

type endPart struct {
	side Side
	prg  *program
}

// May tells whether an end of an entry, on the side that the condition is about, may
// fulfil it. The row has the fields of both sides, each as it would be if the end were there.
func (e *End) May(row Row) bool {
	return slices.ContainsFunc(e.parts, func(p endPart) bool {
		ok, err := p.prg.match(row)
		return ok || err != nil // in a disjunction others may be true all the same
	})
}

// Prove finds a proof. side tells of which side a field is, if nothing but the address
// there and its owner decide its value.
func (p *Plan) Prove(side func(*field.Field) Side) Proof {
	proof := Proof{From: math.MinInt64, To: math.MaxInt64}
	if p.planner == nil {
		return proof
	}
	for _, x := range conjuncts(p.planner.tree.Expr()) {
		if p.planner.proveFlag(x, &proof) || p.planner.proveTime(x, &proof) {
			continue
		}
		if end, ok := p.planner.proveEnd(x, side); ok {
			proof.Ends = append(proof.Ends, end)
		}
	}
	return proof
}

// flag returns the name of a flag.
func (p *planner) flag(x ast.Expr) (string, bool) {
	if x.Kind() != ast.IdentKind {
		return "", false
	}
	f := p.env.cat.Lookup(x.AsIdent())
	return x.AsIdent(), f != nil && p.env.cat.IsFlag(f)
}

// proveFlag reads a flag, flags joined by || or a flag that is not set.
func (p *planner) proveFlag(x ast.Expr, proof *Proof) bool {
	if x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.LogicalNot {
		name, ok := p.flag(x.AsCall().Args()[0])
		if ok {
			proof.Unset = append(proof.Unset, name)
		}
		return ok
	}
	var names []string
	for _, x := range disjuncts(x) {
		name, found := "", false
		for _, part := range conjuncts(x) {
			if flag, ok := p.flag(part); ok {
				name, found = flag, true
			}
		}
		if !found {
			return false
		}
		names = append(names, name)
	}
	proof.Flags = append(proof.Flags, names)
	return x.Kind() == ast.IdentKind
}

// proveTime reads a comparison of the timestamp with a time that is known.
func (p *planner) proveTime(x ast.Expr, proof *Proof) bool {
	if x.Kind() != ast.CallKind || len(x.AsCall().Args()) != 2 {
		return false
	}
	a, b, name := x.AsCall().Args()[0], x.AsCall().Args()[1], x.AsCall().FunctionName()
	if p.fixed[a.ID()] {
		a, b, name = b, a, mirrored[name]
	}
	if a.Kind() != ast.IdentKind || a.AsIdent() != field.Timestamp.Name || !p.fixed[b.ID()] {
		return false
	}
	f, ok := p.fold(b)
	if !ok || f.kind != field.Time {
		return false
	}
	t := f.args[0].(int64)
	switch name {
	case operators.Greater, operators.GreaterEquals:
		proof.From = max(proof.From, t)
	case operators.Less, operators.LessEquals:
		proof.To = min(proof.To, t)
	case operators.Equals:
		proof.From, proof.To = max(proof.From, t), min(proof.To, t)
	default:
		return false
	}
	return true
}

// mirrored are the comparisons with their operands exchanged.
var mirrored = map[string]string{
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals, operators.Equals: operators.Equals,
}

// proveEnd reads a condition on one side, or several of them joined by ||. Where && joins
// more inside, one of one side is enough.
func (p *planner) proveEnd(x ast.Expr, side func(*field.Field) Side) (end End, ok bool) {
	for _, x := range disjuncts(x) {
		found := false
		for _, part := range conjuncts(x) {
			s := p.sideOf(part, side)
			if s == NoSide {
				continue
			}
			prg, err := p.env.newProgram(p.part(part), p.now)
			if err != nil {
				continue
			}
			end.parts, found = append(end.parts, endPart{s, prg}), true
			break
		}
		if !found {
			return End{}, false
		}
	}
	return end, true
}

// sideOf returns the side that all fields of an expression are of.
func (p *planner) sideOf(x ast.Expr, side func(*field.Field) Side) Side {
	all := NoSide
	for i, f := range p.env.references(x).fields {
		s := side(f)
		if i > 0 && s != all {
			return NoSide
		}
		all = s
	}
	return all
}

// disjuncts returns the parts that || joins at the top, in order.
func disjuncts(x ast.Expr) []ast.Expr { return joined(x, operators.LogicalOr) }

// Needs tells whether the expression names a field for which some is true.
func (p *Plan) Needs(some func(*field.Field) bool) bool {
	return p.whole != nil && slices.ContainsFunc(p.whole.fields, some)
}
