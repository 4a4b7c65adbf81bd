package redis

import (
	"strings"
	"testing"
)

// A word goes eight bytes at a time: an odd byte must be seen wherever it stands.
func TestOddBytesAreSeenAnywhere(t *testing.T) {
	for size := range 40 {
		word := []byte(strings.Repeat("a", size))
		if got := string(appendWord(nil, word, false)); size > 0 && got != string(word) {
			t.Fatalf("%d bytes: got %s", size, got)
		}
		for i := range word {
			for c := range 256 {
				word[i] = byte(c)
				if got, want := simple(word), plain[c] && c != ' '; got != want {
					t.Fatalf("byte %#x at %d of %d: got %t, want %t", c, i, size, got, want)
				}
			}
			word[i] = 'a'
		}
	}
}

func TestEscapes(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"1","x\y":"é"}`: `{\"id\":\"1\",\"x\\y\":\"é\"}`,
		"\x00\x1f\x7f\x80\xff": `\x00\x1f\x7f\x80\xff`,
		"two words":            `"two words"`,
		"":                     `""`,
	} {
		if got := string(appendWord(nil, []byte(in), false)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestVerbs(t *testing.T) {
	find := func(name string) *verb {
		h := verbHash(0)
		for i := range len(name) {
			h = h.add(name[i])
		}
		return findVerb([]byte(name), h)
	}
	for name := range commands {
		if got := find(name); got.name != name {
			t.Errorf("%s: found %q", name, got.name)
		}
	}
	if find("NOSUCH") != stranger || find("FT.SEARCH") != alien || find("") != stranger {
		t.Error("a name that is no command was found")
	}
}
