// Package secret finds where, in a statement of SQL or its like, passwords and keys may
// stand, so that they are kept nowhere.
//
// A statement goes in as it was sent, with the words and signs of its language; what may
// be shown of it comes out: all of it, or all up to the first word behind which a secret
// may stand. Literals and comments are not told apart from the rest: whoever is wrong
// about a single quote shows the secret and hides all else. When in doubt, more is hidden
// than need be. Nothing of the bytes is changed or kept.
package secret

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Mask stands for what is not shown.
const Mask = "***"

const (
	maxURL  = 512 // bytes in which a URL's user and password are looked for
	maxName = 512 // bytes of a name

	blanks = " \t\r\n"
)

// Dialect says what is peculiar to a language of statements.
type Dialect struct {
	// Words are those behind which passwords and keys stand, in small letters, by their
	// first letter; a longer one comes before one that it begins with.
	Words    ['z' + 1][]string
	Sign     byte     // that a name may hold besides letters, digits and _; 0 for none
	List     string   // what stands between and around the names that SELECT lists, besides blanks, commas, dots and stars
	Close    string   // what ends a quoted name
	Value    string   // the bytes that literals begin with, and what ends a statement
	Verbs    []string // of statements on rows, besides select, insert, update and delete
	Comments []string // what comments begin with, besides -- and /*
	Quote    string   // what errors quote statements with, besides quotes
	// Literal tells whether a statement may have a literal of another form; nil: there is
	// none.
	Literal func(statement []byte) bool
}

// quotes are those that servers put around what they quote.
const quotes = "'\"`\u2018\u2019\u201a\u201c\u201d\u201e«»"

// Shown returns how much of a statement may be shown, and what stands for the rest; that
// is empty where all may be. cut says that the statement goes on behind its bytes.
func (d *Dialect) Shown(statement []byte, cut bool) (n int, mask string) {
	end := d.find(statement, cut)
	switch {
	case end < 0:
		return len(statement), ""
	case d.named(statement[end-1]):
		return end, " " + Mask
	}
	return end, Mask
}

// Discreet returns the text of an error, or of what a server says else, without what it
// quotes of a statement that was shown with a mask. Behind the first quote nothing is
// sure: the secret may have quotes in it.
func (d *Dialect) Discreet(text, shown []byte) []byte {
	if !bytes.Contains(shown, []byte(Mask)) {
		return text
	}
	i := bytes.IndexAny(text, quotes+d.Quote)
	if i < 0 {
		return text
	}
	return append(bytes.Clone(text[:i]), "'"+Mask+"'"...)
}

// find returns the end of the first word in a statement behind which a secret may stand,
// -1 if there is none.
func (d *Dialect) find(statement []byte, cut bool) int {
	judged, names, bare := false, 0, false
	url := -1 // where the password of one begins
	for i, c := range statement {
		if i == url {
			return url
		}
		if c == ':' && url < 0 {
			if n := userInfo(statement[i:], cut); n > 0 {
				url = i + n
			}
			continue
		}
		if c = lower(c); int(c) >= len(d.Words) {
			continue
		}
		for _, w := range d.Words[c] {
			if !HasFold(statement[i:], w) {
				continue
			}
			if !judged && !cut {
				names, bare = d.listed(statement), d.valueless(statement, i)
			}
			judged = true
			if end := i + len(w); !bare && (i >= names || !d.lists(statement[end:])) {
				return end
			}
			break
		}
	}
	return url
}

// userInfo returns how long the beginning of a URL is, from the colon of :// to that
// before a password (RFC 3986 section 3.2.1); 0 if there is none.
func userInfo(b []byte, cut bool) int {
	if !bytes.HasPrefix(b, []byte("://")) {
		return 0
	}
	n := bytes.IndexAny(b[3:min(len(b), 3+maxURL)], ":/@"+blanks)
	if n < 0 || b[3+n] != ':' {
		return 0
	}
	n += 4
	port := n
	for port < len(b) && digit(b[port]) {
		port++
	}
	if port > n && port < len(b) && b[port] == '/' || !cut && bytes.IndexByte(b[n:min(len(b), n+maxURL)], '@') < 0 {
		return 0
	}
	return n
}

// listed returns how far a statement holds only the names that SELECT lists.
func (d *Dialect) listed(statement []byte) int {
	if !HasFold(statement, "select") {
		return 0
	}
	i := 0
	for i < len(statement) && (inName(statement[i]) || strings.IndexByte(blanks+",.*", statement[i]) >= 0 || strings.IndexByte(d.List, statement[i]) >= 0) {
		i++
	}
	return i
}

// lists tells whether a name in the list of a SELECT ends at the front of rest, or
// behind a few letters more: another one follows, or FROM.
func (d *Dialect) lists(rest []byte) bool {
	rest = rest[:min(len(rest), maxName)]
	for len(rest) > 0 && d.named(rest[0]) {
		rest = rest[1:]
	}
	rest = bytes.TrimLeft(rest, d.Close+blanks)
	return len(rest) > 0 && rest[0] == ',' || HasFold(rest, "from") && len(rest) > 4 && rest[4] <= ' '
}

// valueless tells whether a statement on rows has no literal, and from the word at i on
// no number and nothing set or compared but to parameters.
func (d *Dialect) valueless(statement []byte, i int) bool {
	rows := false
	for _, verb := range append([]string{"select", "insert", "update", "delete"}, d.Verbs...) {
		rows = rows || HasFold(statement, verb)
	}
	statement = bytes.TrimRight(statement, ";"+blanks)
	if !rows || bytes.ContainsAny(statement, d.Value) || d.Literal != nil && d.Literal(statement) {
		return false
	}
	for _, comment := range append([]string{"--", "/*"}, d.Comments...) {
		if bytes.Contains(statement, []byte(comment)) {
			return false
		}
	}
	for i++; i < len(statement); i++ {
		if digit(statement[i]) && !d.named(statement[i-1]) || statement[i] == '=' && !parameter(statement[i+1:]) {
			return false
		}
	}
	return true
}

// parameter tells whether a value is one.
func parameter(b []byte) bool {
	b = bytes.TrimLeft(b, blanks)
	return len(b) > 0 && strings.IndexByte("?$:@%", b[0]) >= 0
}

// HasFold tells whether b begins with a word in small letters, whatever its case.
func HasFold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// inName tells whether c may be in a name of any language.
func inName(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || digit(c) || c == '_' || c >= utf8.RuneSelf
}

// named tells whether c may be in a name.
func (d *Dialect) named(c byte) bool { return inName(c) || d.Sign != 0 && c == d.Sign }
