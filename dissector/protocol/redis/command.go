package redis

import (
	"bytes"

	"shark/dissector"
)

// command is what was seen of a command so far.
type command struct {
	args    int // seen, the name among them
	name    []byte
	verb    *verb
	line    []byte // at most about maxCommand bytes
	rest    int    // offset in line behind the name
	detail  bool   // arguments are shown at length
	full    bool   // line takes no more
	where   int    // as in verb, but for what the arguments have told
	streams bool
	key     []byte
	exact   bool // its words are known: those of an array, or of a line whose quotes match
	hide    int  // words up to a secret, and with it
	spare   int  // words that are none, whatever they look like
	shut    bool // the rest may be one
	sub     word // the second word, for what it changes
	third   word
}

// word is a short word in capitals; longer ones are cut, and then match nothing.
type word struct {
	b [24]byte
	n int
}

func (w *word) set(b []byte) { w.n = upper(w.b[:], b) }
func (w *word) is(s string) bool {
	return string(w.b[:w.n]) == s
}

// upper copies b to dst in capitals and returns how much fit.
func upper(dst, b []byte) int {
	n := copy(dst, b)
	for i, c := range dst[:n] {
		if 'a' <= c && c <= 'z' {
			dst[i] = c - 0x20
		}
	}
	return n
}

func (c *command) reset(detail bool) {
	c.args, c.line, c.detail, c.full, c.key = 0, c.line[:0], detail, false, c.key[:0]
	c.verb, c.name, c.rest, c.hide, c.spare = stranger, c.name[:0], 0, 0, 0
	c.exact, c.shut = false, false
	c.sub.n, c.third.n = 0, 0
}

// argument takes element i of a command: the array, which is -1, then only strings.
func (c *command) argument(e *element, i int64) bool {
	if i < 0 {
		c.exact = e.kind == '*'
		return c.exact
	}
	if e.kind != '$' || e.n < 0 {
		return false
	}
	c.add(e.data, e.n)
	return true
}

// add takes the next word of the command, n bytes long, of which b was seen.
func (c *command) add(b []byte, n int64) {
	i := c.args
	c.args++
	if i == 0 {
		c.begin(b)
		if !c.exact && quoted(b) { // it may be AUTH
			c.line, c.shut = append(append(c.line, ' '), masked...), true
		}
		return
	}
	if c.verb.words && i == 1 {
		c.sub.set(b)
	} else if c.verb.words && i == 2 {
		c.third.set(b)
	}
	if c.shut {
		return
	}
	if len(c.key) == 0 {
		c.findKey(i, b)
	}
	if c.verb.secrets {
		if mask := c.hidden(i, b); mask != "" {
			b, n = []byte(mask), int64(len(mask))
		}
	}
	if c.full {
		return
	}
	if !c.detail {
		b = b[:min(len(b), maxArg)]
	}
	c.line = appendWord(append(c.line, ' '), b, n > int64(len(b)))
	if len(c.line) > maxCommand {
		c.line, c.full = append(c.line[:maxCommand], "..."...), true
	}
}

// begin takes the name.
func (c *command) begin(b []byte) {
	hash, name := verbHash(0), c.name[:0]
	for _, ch := range b[:min(len(b), maxVerb)] {
		if 'a' <= ch && ch <= 'z' {
			ch -= 0x20
		}
		name = append(name, ch)
		hash = hash.add(ch)
	}
	c.name, c.verb = name, findVerb(name, hash)
	c.where, c.streams, c.detail = c.verb.where, c.verb.streams, c.detail || c.verb.script
	c.line = append(c.line, name...)
	c.rest = len(c.line)
}

// findKey looks whether argument i is the key, or tells where it is.
func (c *command) findKey(i int, b []byte) {
	switch {
	case i == c.verb.counted:
		if n, ok := number(b, false); ok && n > 0 {
			c.where = i + 1
		}
	case c.streams && i < maxArgs && len(b) == 7 && bytes.EqualFold(b, []byte("streams")):
		c.where, c.streams = i+1, false
	case i == c.where:
		c.key = append(c.key, b[:min(len(b), maxKey)]...)
	}
}

// set sets the fields of a command, or what is known of it.
func (c *command) set(m *dissector.Message) {
	v := &m.Values
	Type.Set(v, c.name)
	Command.Set(v, c.line)
	dissector.Operation.Set(v, c.name)
	if len(c.key) > 0 {
		Key.Set(v, c.key)
		dissector.Summary.Set(v, c.key)
		return
	}
	if rest := bytes.TrimLeft(c.line[c.rest:], " "); len(rest) > 0 {
		dissector.Summary.Set(v, rest[:min(len(rest), maxSummary)])
	}
}
