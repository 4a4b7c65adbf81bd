package redis

import (
	"bytes"
	"unicode/utf8"

	"shark/dissector"
)

// command is what was seen of a command so far.
type command struct {
	args    int // seen, the name among them
	verb    [32]byte
	verbLen int
	line    []byte // at most about maxCommand bytes
	rest    int    // offset in line behind the name
	detail  bool   // arguments are shown at length
	full    bool   // line takes no more
	where   int    // argument that is the key; 0 when there is none or it is not known yet
	counted int    // EVAL and others: the argument that counts the keys
	streams bool   // XREAD: the key is behind the word STREAMS
	key     [maxKey]byte
	keyLen  int
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

func (c *command) reset(detail bool) { *c = command{line: c.line[:0], detail: detail} }

func (c *command) name() []byte { return c.verb[:c.verbLen] }

// argument takes element i of a command: the array, which is -1, then only strings.
func (c *command) argument(e element, i int64) bool {
	if i < 0 {
		return e.kind == '*'
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
	switch {
	case i == 0:
		c.verbLen = upper(c.verb[:], b)
		c.where, c.counted, c.streams = keyPlace(c.name())
		c.detail = c.detail || carriesCode(c.name())
	case i == 1:
		c.sub.set(b)
	case i == 2:
		c.third.set(b)
	}
	c.findKey(i, b)
	if c.full {
		return
	}
	if i > 0 {
		c.line = append(c.line, ' ')
	}
	if i == 0 {
		c.line = append(c.line, c.name()...)
		c.rest = len(c.line)
	} else {
		if !c.detail {
			b = b[:min(len(b), maxArg)]
		}
		c.line = appendWord(c.line, b, n > int64(len(b)))
	}
	if len(c.line) > maxCommand {
		c.line, c.full = append(c.line[:maxCommand], "..."...), true
	}
}

// carriesCode tells the commands that bring a script: what it does is looked for
// in its text.
func carriesCode(name []byte) bool {
	switch string(name) {
	case "EVAL", "EVAL_RO", "SCRIPT", "FUNCTION":
		return true
	}
	return false
}

// findKey looks whether argument i is the key, or tells where it is.
func (c *command) findKey(i int, b []byte) {
	switch {
	case i == 0 || c.keyLen > 0:
	case i == c.counted:
		if n, ok := number(b, false); ok && n > 0 {
			c.where = i + 1
		}
	case c.streams && i < maxArgs && len(b) == 7 && bytes.EqualFold(b, []byte("streams")):
		c.where, c.streams = i+1, false
	case i == c.where:
		c.keyLen = copy(c.key[:], b)
	}
}

// appendWord appends a word so that it can be read and told from its neighbours.
func appendWord(dst, b []byte, cut bool) []byte {
	quote := len(b) == 0 || bytes.IndexByte(b, ' ') >= 0
	if quote {
		dst = append(dst, '"')
	}
	dst = appendSafe(dst, b)
	if cut {
		dst = append(dst, "..."...)
	}
	if quote {
		dst = append(dst, '"')
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// plain are the bytes that are shown as they are.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		t[c] = c != '\\' && c != '"'
	}
	return t
}()

// appendSafe appends b with the bytes that cannot be shown as \xNN.
func appendSafe(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		from := i
		for i < len(b) && plain[b[i]] {
			i++
		}
		if dst = append(dst, b[from:i]...); i == len(b) {
			break
		}
		c := b[i]
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRune(b[i:]); r != utf8.RuneError && r >= 0xa0 {
				dst = append(dst, b[i:i+n]...)
				i += n
				continue
			}
		}
		switch {
		case c == '\\' || c == '"':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
	}
	return dst
}

// set sets the fields of a command, or what is known of it.
func (c *command) set(m *dissector.Message) {
	v := &m.Values
	Type.Set(v, c.name())
	Command.Set(v, c.line)
	dissector.Operation.Set(v, c.name())
	if c.keyLen > 0 {
		Key.Set(v, c.key[:c.keyLen])
		dissector.Summary.Set(v, c.key[:c.keyLen])
		return
	}
	if rest := bytes.TrimLeft(c.line[c.rest:], " "); len(rest) > 0 {
		dissector.Summary.Set(v, rest[:min(len(rest), maxSummary)])
	}
}

// keyPlace says where a command has its key: at an argument, behind a count of
// keys at an argument, or behind the word STREAMS.
func keyPlace(verb []byte) (where, counted int, streams bool) {
	switch string(verb) {
	case "XREAD", "XREADGROUP":
		return 0, 0, true
	case "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "BLMPOP", "BZMPOP":
		return 0, 2, false
	case "ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "SINTERCARD", "LMPOP", "ZMPOP":
		return 0, 1, false
	case "OBJECT", "XGROUP", "XINFO", "MEMORY", "BITOP":
		return 2, 0, false
	case "MIGRATE":
		return 3, 0, false
	}
	if keyless[string(verb)] || !commands[string(verb)] && !module(verb) {
		return 0, 0, false
	}
	return 1, 0, false
}
