package section

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/http/hpack"
)

// TestLinesAreLetGo checks that a large section leaves no large memory behind, whole or not.
func TestLinesAreLetGo(t *testing.T) {
	_, field := hpack.AppendField(nil, []byte("x"), []byte(strings.Repeat("v", 4*keepLines)))
	for name, end := range map[string]func(*List){
		"whole":  func(l *List) { l.Finish(100) },
		"broken": (*List).Drop,
	} {
		l := List{Version: "HTTP/2"}
		l.Start(new(dissector.Message), dissector.Client, Head)
		l.Add(&field)
		if cap(l.lines) <= keepLines {
			t.Fatal("the section is not large")
		}
		if end(&l); cap(l.lines) > keepLines {
			t.Errorf("%s: %d bytes are kept", name, cap(l.lines))
		}
	}
}
