package xmpp

import (
	"bytes"
	"iter"
	"strings"

	"shark/dissector/wire"
)

// tag is a tag of an element.
type tag struct {
	name       []byte
	attributes []byte
	closing    bool // </name>
	empty      bool // <name/>
	after      []byte
}

const space = " \t\r\n"

// readTag reads the tag at the front of b. ok is false where its end is not there.
func readTag(b []byte) (t tag, size int, ok bool) {
	end, quote := -1, byte(0)
	for i, c := range b[:min(len(b), maxTag)] {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			end = i
		}
		if end >= 0 {
			break
		}
	}
	if end < 2 || b[0] != '<' {
		return t, 0, false
	}
	inner := b[1:end]
	t.after = b[end+1:]
	if inner[0] == '/' {
		t.closing, inner = true, inner[1:]
	} else if inner[len(inner)-1] == '/' {
		t.empty, inner = true, inner[:len(inner)-1]
	}
	t.name = inner
	if i := bytes.IndexAny(inner, space); i >= 0 {
		t.name, t.attributes = inner[:i], inner[i:]
	}
	return t, end + 1, true
}

// local returns a name without its prefix.
func local(name []byte) []byte { return name[bytes.IndexByte(name, ':')+1:] }

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")

// attribute returns the value of an attribute.
func (t *tag) attribute(name string) ([]byte, bool) {
	rest := t.attributes
	for {
		key, more, ok := bytes.Cut(rest, []byte("="))
		more = bytes.TrimLeft(more, space)
		if !ok || len(more) == 0 || more[0] != '"' && more[0] != '\'' {
			return nil, false
		}
		value, next, ok := bytes.Cut(more[1:], more[:1])
		if !ok {
			return nil, false
		}
		if string(bytes.TrimSpace(key)) == name {
			if bytes.IndexByte(value, '&') >= 0 {
				value = []byte(entities.Replace(string(value)))
			}
			return wire.Clip(value, maxText), true
		}
		rest = next
	}
}

// children gives the tags in an element that open one, and how deep they are: 1 is that
// of a child. It stops where a tag is not whole.
func children(b []byte) iter.Seq2[int, *tag] {
	return func(yield func(depth int, t *tag) bool) {
		depth := 0
		for {
			i := bytes.IndexByte(b, '<')
			if i < 0 {
				return
			}
			b = b[i:]
			if rest, ok := bytes.CutPrefix(b, []byte("<![CDATA[")); ok {
				_, b, _ = bytes.Cut(rest, []byte("]]>"))
				continue
			}
			t, size, ok := readTag(b)
			if !ok {
				return
			}
			b = b[size:]
			if t.closing {
				depth--
				continue
			}
			if depth > 0 && !yield(depth, &t) {
				return
			}
			if !t.empty {
				depth++
			}
		}
	}
}
