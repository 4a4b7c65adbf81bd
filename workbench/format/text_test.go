package format

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestZeekText(t *testing.T) {
	for in, want := range map[string]string{
		"": "(empty)", "-": `\x2d`, "(empty)": `\x28empty)`, "a-b": "a-b", "a\tb\n": `a\x09b\x0a`, `a\b`: `a\x5cb`, "é": "é", "\xff": "\ufffd", "a,b": "a,b",
	} {
		if got := zeekText(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
	if got := zeekList([]string{"a,b", "", "-"}); got != `a\x2cb,(empty),\x2d` {
		t.Errorf("list %q", got)
	}
	if got := zeekList(nil); got != "-" {
		t.Errorf("list of none %q", got)
	}
}

// FuzzZeekText: no value is another one's, or more than one.
func FuzzZeekText(f *testing.F) {
	f.Add("a\tb", "-")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := zeekEscape(a, ","), zeekEscape(b, ",")
		if strings.ContainsAny(x, "\t\n,") || x == "-" || !utf8.ValidString(x) {
			t.Errorf("%q becomes %q", a, x)
		}
		if a != b && x == y && utf8.ValidString(a) && utf8.ValidString(b) {
			t.Errorf("%q and %q are both %q", a, b, x)
		}
	})
}
