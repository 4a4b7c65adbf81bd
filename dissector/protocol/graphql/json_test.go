package graphql

import (
	"bytes"
	"encoding/json"
	"testing"

	"shark/dissector/dissectortest"
)

// What encoding/json reads, the scanner reads alike: the members of objects and the
// elements of arrays. Of what is no JSON it says anything but goes no further than its end.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` { "a" : 1 , "b\"" : [ {"c":"}"} , -1.5e+3, true ], "d":"\\" } `, `[{"query":"{a}"},{"errors":[]}]`, `{"a":"\\\"`, `"`, `{"a":,}`, `[1 2]`, `{"":nul l}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer dissectortest.Bounded(t)()
		got := map[string]string{}
		s := scanner{text: text}
		ok := s.members(func(name, value []byte) { got[string(name)] = string(bytes.TrimSpace(value)) })
		n := 0
		a := scanner{text: text}
		isArray := a.elements(func() bool {
			_, ok := a.value()
			n++
			return ok
		})
		if s.at > len(text) || a.at > len(text) || len(got) > len(text) || n > len(text) {
			t.Fatalf("%d members, %d elements of %d bytes", len(got), n, len(text))
		}
		var whole, cut walker
		whole.walk(text)
		cut.walk(text[:len(text)/2])
		cut.walk(text[len(text)/2:])
		if whole.n != cut.n || whole.dead != cut.dead || whole.depth != cut.depth {
			t.Fatalf("%d errors as a whole, %d in halves", whole.n, cut.n)
		}
		if !json.Valid(text) {
			return
		}
		var array []json.RawMessage
		if json.Unmarshal(text, &array) == nil && array != nil && (!isArray || n != len(array)) {
			t.Fatalf("%d elements, not %d", n, len(array))
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil || object == nil || bytes.IndexByte(text, '\\') >= 0 {
			return
		}
		if !ok || len(got) > len(object) {
			t.Fatalf("%t, %d members, not %d", ok, len(got), len(object))
		}
		for name, value := range got {
			if want, there := object[name]; there && string(bytes.TrimSpace(want)) != value {
				t.Fatalf("%s is %s, not %s", name, value, want)
			}
		}
	})
}
