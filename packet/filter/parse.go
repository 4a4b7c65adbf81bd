package filter

import (
	"fmt"
	"strings"
)

// parser turns tokens into the tree by recursive descent. The grammar is that of
// libpcap; where that needs to know what follows a parenthesis, the parser looks
// at the token after the closing one.
type parser struct {
	expr   string
	tokens []token
	at     int
	close  []int // for the token "(" at i, the index of its ")"; 0 when it has none
	depth  int
	err    *Error
}

// qualifier is what stands before an id, and what a bare id after "and" or "or"
// inherits.
type qualifier struct {
	proto proto
	dir   direction
	kind  string // "host", "net", "port", "portrange", "proto", "protochain"; "": host
}

// nothing is the qualifier where there is none to inherit.
var nothing = qualifier{proto: protoUnset}

func parse(expr string) (node, error) {
	if len(expr) > maxLength {
		return nil, &Error{Expr: expr, Pos: maxLength, Reason: fmt.Sprintf("the expression is longer than %d bytes", maxLength)}
	}
	tokens, lexErr := lex(expr)
	if lexErr != nil {
		return nil, lexErr
	}
	if len(tokens) == 1 {
		return nil, nil
	}
	p := &parser{expr: expr, tokens: tokens}
	p.matchParens()
	n, _ := p.expression(nothing)
	if t := p.peek(); p.err == nil && t.kind != tokEnd {
		p.fail(t, `"and", "or" or the end is expected here, not %s`, t)
	}
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

func (p *parser) matchParens() {
	p.close = make([]int, len(p.tokens))
	var open []int
	for i := range p.tokens {
		switch t := &p.tokens[i]; {
		case t.is("("):
			open = append(open, i)
		case t.is(")") && len(open) > 0:
			p.close[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
}

func (p *parser) peek() *token { return &p.tokens[p.at] }

// ahead returns the token n places after the next one.
func (p *parser) ahead(n int) *token { return &p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) next() *token {
	t := p.peek()
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

// accept takes the next token if it is this keyword or symbol.
func (p *parser) accept(text string) bool {
	if !p.peek().is(text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(text string) {
	if t := p.peek(); !p.accept(text) {
		p.fail(t, "%q is expected here, not %s", text, t)
	}
}

// fail records the first error and moves to the end, where everything stops.
func (p *parser) fail(t *token, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Expr: p.expr, Pos: t.pos, Reason: fmt.Sprintf(format, args...)}
	}
	p.at = len(p.tokens) - 1
}

// enter counts a level of nesting; leave ends it.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "the expression is nested more than %d deep", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// expression reads terms and ids joined by "and" and "or". q is what a leading
// parenthesis inherits; the qualifier returned is the last one's.
func (p *parser) expression(q qualifier) (node, qualifier) {
	c := &chain{place: place(p.peek().pos)}
	c.first, q = p.term(q)
	for p.err == nil {
		isAnd := p.accept("and")
		if !isAnd && !p.accept("or") {
			break
		}
		var n node
		if p.idFollows() {
			n = p.id(q)
		} else {
			n, q = p.term(q)
		}
		c.rest = append(c.rest, joined{isAnd, n})
	}
	if len(c.rest) == 0 {
		return c.first, q
	}
	return c, q
}

// idFollows tells whether a bare id, perhaps negated or in parentheses, comes
// next and not a term.
func (p *parser) idFollows() bool {
	i, opened := p.at, 0
	for p.tokens[i].is("!") || p.tokens[i].is("(") {
		if p.tokens[i].is("(") {
			opened++
		}
		i++
	}
	switch p.tokens[i].kind {
	case tokName, tokIPv4, tokIPv6, tokMAC:
		return true
	case tokNumber:
		for i++; opened > 0 && p.tokens[i].is(")"); i++ {
			opened--
		}
		return !isOperator(&p.tokens[i])
	}
	return false
}

// isOperator tells whether t can follow a number in a relation.
func isOperator(t *token) bool {
	return t.kind == tokSymbol && strings.Contains("+ - * / % & | ^ << >> < > = >= <= !=", t.text)
}

// term reads a condition that needs no qualifier from its left.
func (p *parser) term(q qualifier) (node, qualifier) {
	t := p.peek()
	at := place(t.pos)
	p.enter()
	defer p.leave()
	if p.err != nil {
		return nil, q
	}
	switch {
	case t.is("!"):
		p.next()
		n, q := p.term(q)
		return &negation{at, n}, q
	case t.is("(") && p.close[p.at] == 0:
		p.fail(t, "this parenthesis is not closed")
		return nil, q
	case t.is("(") && !isOperator(&p.tokens[p.close[p.at]+1]):
		p.next()
		n, _ := p.expression(q)
		p.expect(")")
		return n, q // what comes next inherits from before the parenthesis
	case t.kind == tokNumber, t.is("len"), t.is("-"), t.is("("), t.kind == tokProto && p.ahead(1).is("["):
		return p.relation(), nothing
	case t.kind == tokProto:
		return p.afterProto()
	}
	if isQualifier(t) {
		return p.qualified(t, protoNone)
	}
	return p.primitive(t, protoNone), nothing
}

// afterProto reads what begins with a protocol word: the word alone, or
// qualifiers and an id.
func (p *parser) afterProto() (node, qualifier) {
	t := p.next()
	switch n := p.peek(); {
	case isQualifier(n):
		return p.qualified(t, t.proto)
	case n.is("broadcast"), n.is("multicast"), n.is("type"), n.is("subtype"), n.is("dir"):
		return p.primitive(n, t.proto), nothing
	case t.proto == protoLink:
		p.fail(n, `"host", "src", "dst", "proto", "broadcast", "multicast" or "[" is expected after %s, not %s`, t, n)
	case t.proto == protoRadio:
		p.fail(t, "radio information is in no supported link type")
	}
	return &protocol{place(t.pos), t.proto}, nothing
}

func isQualifier(t *token) bool {
	if t.kind != tokWord {
		return false
	}
	switch t.text {
	case "src", "dst", "host", "net", "port", "portrange", "proto", "protochain", "gateway",
		"addr1", "addr2", "addr3", "addr4", "ra", "ta":
		return true
	}
	return false
}

// qualified reads direction and kind, and the id they stand before.
func (p *parser) qualified(first *token, proto proto) (node, qualifier) {
	q := qualifier{proto: proto}
	t := p.next()
	if t.text == "src" || t.text == "dst" {
		q.dir = p.direction(t.text)
		t = p.peek()
		switch t.text {
		case "host", "net", "port", "portrange":
			if t.kind == tokWord {
				q.kind = p.next().text
			}
		case "proto", "protochain", "gateway":
			if t.kind == tokWord {
				p.fail(t, "%s has no direction", t)
			}
		}
	} else {
		q.kind = t.text
	}
	switch q.kind {
	case "gateway":
		p.fail(t, `"gateway" needs host names, which are not looked up`)
	case "addr1", "addr2", "addr3", "addr4", "ra", "ta":
		p.fail(t, "%s is of 802.11, which is not supported", t)
	}
	if p.err != nil {
		return nil, q
	}
	return p.id(q), q
}

// direction reads what follows "src" or "dst": perhaps "or dst", "and src".
func (p *parser) direction(word string) direction {
	opposite := map[string]string{"src": "dst", "dst": "src"}[word]
	for _, op := range []string{"or", "and"} {
		if !p.accept(op) {
			continue
		}
		p.expect(opposite)
		if op == "or" {
			return dirEither
		}
		return dirBoth
	}
	if word == "src" {
		return dirSrc
	}
	return dirDst
}

// id reads an address, port, protocol or a list of them in parentheses.
func (p *parser) id(q qualifier) node {
	p.enter()
	defer p.leave()
	t := p.next()
	at := place(t.pos)
	switch {
	case p.err != nil:
		return nil
	case t.is("!"):
		return &negation{at, p.id(q)}
	case t.is("("):
		c := &chain{place: place(p.peek().pos)}
		if p.peek().is("(") { // at the head of a list only a number may have its own
			c.first = p.numberID(q)
		} else {
			c.first = p.id(q)
		}
		for p.err == nil && !p.accept(")") {
			isAnd := p.accept("and")
			if !isAnd {
				if t := p.peek(); !p.accept("or") {
					p.fail(t, `"and", "or" or ")" is expected here, not %s`, t)
				}
			}
			c.rest = append(c.rest, joined{isAnd, p.id(q)})
		}
		return c
	}
	return p.resolve(t, q)
}

// numberID reads a number in parentheses.
func (p *parser) numberID(q qualifier) node {
	t, _ := p.number()
	if p.err != nil {
		return nil
	}
	return p.resolve(t, q)
}

// number reads a number, perhaps in parentheses, and returns its token.
func (p *parser) number() (t *token, num uint32) {
	opened := 0
	for p.accept("(") {
		opened++
	}
	t = p.next()
	if t.kind != tokNumber {
		p.fail(t, "a number is expected here, not %s", t)
	}
	for ; opened > 0 && p.err == nil; opened-- {
		p.expect(")")
	}
	return t, t.num
}

// plainNumber reads a number that may have no parentheses.
func (p *parser) plainNumber() uint32 {
	t := p.next()
	if t.kind != tokNumber {
		p.fail(t, "a number is expected here, not %s", t)
	}
	return t.num
}

// primitive reads the conditions that are a keyword, some with a number.
func (p *parser) primitive(t *token, proto proto) node {
	n := &primitive{place: place(t.pos), word: t.text, proto: proto}
	if t.kind != tokWord {
		p.fail(t, "a condition is expected here, not %s%s", t, hint(t))
		return nil
	}
	p.next()
	switch t.text {
	case "broadcast", "multicast", "inbound", "outbound", "pppoed":
	case "less", "greater", "ifindex":
		n.hasNum, n.num = true, p.plainNumber()
	case "vlan", "mpls", "pppoes", "geneve":
		if f := p.peek(); f.kind == tokNumber || f.is("(") {
			_, n.num = p.number()
			n.hasNum = true
		}
	case "byte":
		n.num = p.plainNumber()
		op := p.next()
		switch {
		case op.is("="), op.is("<"), op.is(">"):
			n.op = op.text[0]
		default:
			p.fail(op, `"=", "<" or ">" is expected here, not %s`, op)
		}
		n.value = p.plainNumber()
	case "llc":
		if f := p.peek(); f.kind == tokName || f.is("rnr") {
			p.next()
			n.llc = strings.ToLower(f.text)
			if llcTypes[n.llc].mask == 0 {
				p.fail(f, "%s is not a type of LLC frame", f)
			}
		}
	case "and", "or", "mask":
		p.fail(t, "a condition is expected here, not %s", t)
	default:
		p.fail(t, "%s is of link types that are not supported", t)
	}
	return n
}

// hint says what is often meant where a condition does not begin like one.
func hint(t *token) string {
	switch t.kind {
	case tokName, tokIPv4, tokIPv6:
		return fmt.Sprintf(` (perhaps "host %s"?)`, t.text)
	case tokMAC:
		return fmt.Sprintf(` (perhaps "ether host %s"?)`, t.text)
	}
	return ""
}
