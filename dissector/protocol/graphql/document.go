package graphql

// document is what a GraphQL document asks for.
type document struct {
	kind, name string
	fields     []string // at the root, each once
}

// readDocument reads a document (https://spec.graphql.org/October2021/#sec-Document) as far
// as it takes to tell what it asks for. Of several operations it takes the one of a name.
// ok says that all of the text is a document.
func readDocument(text, name string) (doc document, ok bool) {
	l := lexer{text: text}
	l.next()
	found, chosen := false, false
	for l.kind != end {
		op, isOp, good := l.definition()
		if !good {
			return doc, false
		}
		if isOp && !chosen && (!found || name != "" && op.name == name) {
			doc, chosen = op, name != "" && op.name == name
		}
		found = found || isOp
	}
	return doc, found
}

// definition reads an operation or a fragment.
func (l *lexer) definition() (op document, isOp, ok bool) {
	if l.is("{") {
		op.kind = "query"
		return op, true, l.selections(&op.fields, 0)
	}
	switch l.token {
	case "query", "mutation", "subscription":
		op.kind = l.token
		l.next()
		if l.kind == name {
			op.name = l.token
			l.next()
		}
		if l.is("(") && !l.brackets() {
			return op, true, false
		}
		return op, true, l.directives() && l.selections(&op.fields, 0)
	case "fragment":
		l.next()
		if l.kind != name || l.token == "on" {
			return op, false, false
		}
		l.next()
		return op, false, l.condition() && l.directives() && l.selections(nil, 0)
	}
	return op, false, false
}

// condition reads "on" and a type.
func (l *lexer) condition() bool {
	if l.kind != name || l.token != "on" {
		return false
	}
	if l.next(); l.kind != name {
		return false
	}
	l.next()
	return true
}

// selections reads a selection set, and notes its fields.
func (l *lexer) selections(fields *[]string, depth int) bool {
	if !l.is("{") || depth > maxDepth {
		return false
	}
	l.next()
	for n := 0; ; n++ {
		switch {
		case l.is("}"):
			l.next()
			return n > 0
		case l.is("..."):
			if !l.spread(depth) {
				return false
			}
		case l.kind == name:
			if !l.field(fields, depth) {
				return false
			}
		default:
			return false
		}
	}
}

// spread reads a fragment's name, or a fragment inside.
func (l *lexer) spread(depth int) bool {
	l.next()
	if l.kind == name && l.token != "on" {
		l.next()
		return l.directives()
	}
	if l.kind == name && !l.condition() {
		return false
	}
	return l.directives() && l.selections(nil, depth+1)
}

// field reads a field, which may have another name, arguments, and selections.
func (l *lexer) field(fields *[]string, depth int) bool {
	called := l.token
	l.next()
	if l.is(":") {
		if l.next(); l.kind != name {
			return false
		}
		called = l.token
		l.next()
	}
	if fields != nil && len(*fields) < maxFields {
		*fields = append(*fields, called)
	}
	if l.is("(") && !l.brackets() || !l.directives() {
		return false
	}
	return !l.is("{") || l.selections(nil, depth+1)
}

func (l *lexer) directives() bool {
	for l.is("@") {
		if l.next(); l.kind != name {
			return false
		}
		l.next()
		if l.is("(") && !l.brackets() {
			return false
		}
	}
	return true
}

// brackets passes over arguments or the definitions of variables.
func (l *lexer) brackets() bool {
	var open []byte
	for {
		switch {
		case l.is("("), l.is("["), l.is("{"):
			if len(open) > maxDepth {
				return false
			}
			open = append(open, l.token[0])
		case l.is(")"), l.is("]"), l.is("}"):
			if closing[open[len(open)-1]] != l.token[0] {
				return false
			}
			open = open[:len(open)-1]
		case l.kind == end, l.kind == bad:
			return false
		}
		l.next()
		if len(open) == 0 {
			return true
		}
	}
}

var closing = map[byte]byte{'(': ')', '[': ']', '{': '}'}

// Kinds of tokens.
const (
	end = iota
	bad
	name
	value // a number or a string
	mark
)

// lexer takes a document apart (October2021, section 2.1). Its token is the one at hand.
type lexer struct {
	text  string
	at    int
	kind  int
	token string
}

func (l *lexer) is(m string) bool { return l.kind == mark && l.token == m }

// next moves on to the next token.
func (l *lexer) next() {
	l.ignore()
	from := l.at
	if from == len(l.text) {
		l.kind, l.token = end, ""
		return
	}
	switch c := l.text[from]; {
	case isName(c) && !isDigit(c):
		l.run(isName)
		l.kind = name
	case isDigit(c), c == '-':
		l.at++
		l.run(func(c byte) bool { return isName(c) || c == '.' || c == '+' || c == '-' })
		l.kind = value
	case c == '"':
		l.kind = value
		if !l.quoted() {
			l.kind, l.at = bad, len(l.text)
		}
	default:
		l.mark(c)
	}
	l.token = l.text[from:l.at]
}

func (l *lexer) run(in func(byte) bool) {
	for l.at < len(l.text) && in(l.text[l.at]) {
		l.at++
	}
}

// ignore passes over blanks, commas, comments and a byte order mark.
func (l *lexer) ignore() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; c {
		case ' ', '\t', '\n', '\r', ',':
			l.at++
		case '#':
			l.run(func(c byte) bool { return c != '\n' && c != '\r' })
		case 0xef:
			if len(l.text)-l.at < 3 || l.text[l.at:l.at+3] != "\ufeff" {
				return
			}
			l.at += 3
		default:
			return
		}
	}
}

func (l *lexer) mark(c byte) {
	l.kind = mark
	switch c {
	case '!', '$', '&', '(', ')', ':', '=', '@', '[', ']', '{', '|', '}':
		l.at++
	case '.':
		if len(l.text)-l.at < 3 || l.text[l.at:l.at+3] != "..." {
			l.kind, l.at = bad, len(l.text)
			return
		}
		l.at += 3
	default:
		l.kind, l.at = bad, len(l.text)
	}
}

// quoted passes over a string, or a block string.
func (l *lexer) quoted() bool {
	block := len(l.text)-l.at >= 3 && l.text[l.at:l.at+3] == `"""`
	if block {
		l.at += 3
	} else {
		l.at++
	}
	for ; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '\\':
			l.at++
		case !block && c == '\n':
			return false
		case c == '"' && !block:
			l.at++
			return true
		case c == '"' && len(l.text)-l.at >= 3 && l.text[l.at:l.at+3] == `"""`:
			l.at += 3
			return true
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isName(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || isDigit(c)
}
