package http2

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// TestListsAreLines compares the header lines of random lists, and the content type
// that is noted of them, with a plain account.
func TestListsAreLines(t *testing.T) {
	names := []string{"content-type", "Content-Type", " content-type", "content-type\r", "content:type", "x", "host", "te"}
	values := []string{"a/b", " a/b ", "a\tb", "a\nb", "\x00", "", "application/grpc\u0085"}
	blank := strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")
	rng := rand.New(rand.NewPCG(11, 12))
	for range 5000 {
		p := newParser()
		for from, block := range []string{"\x82\x86\x84", "\x88"} { // GET, http, /; 200
			side := dissector.Side(from)
			want := ""
			for range rng.IntN(5) {
				name, value := names[rng.IntN(len(names))], values[rng.IntN(len(values))]
				how := lit(name, value)
				if rng.IntN(2) == 0 {
					how = "\x00" + how[1:] // without indexing
				}
				block += how
				want += blank.Replace(strings.ReplaceAll(name, ":", " ")) + ": " + blank.Replace(value) + "\n"
			}
			m := &dissector.Message{From: side}
			if _, err := p.parse(side, []byte(raw(frameHeaders, 5, 1, block)), m); err != nil {
				t.Fatalf("%q: %v", block, err)
			}
			headers := []field.MapField{http.RequestHeaders, http.ResponseHeaders}[from]
			got := ""
			for lines := range headers.Lines(&m.Values) {
				got += string(lines)
			}
			if got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			value, there := headers.Get(&m.Values, "content-type")
			noted, ok := http.ContentType(m)
			if ok != there || !bytes.Equal(noted, value) {
				t.Fatalf("%q: content type %q, %v, want %q, %v", got, noted, ok, value, there)
			}
		}
	}
}
