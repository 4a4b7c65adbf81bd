package http

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"shark/dissector"
)

// TestContentTypeIsThatOfTheHeaders compares what is noted with the header lines, of
// heads that are put together at random.
func TestContentTypeIsThatOfTheHeaders(t *testing.T) {
	parts := []string{"content-type", "Content-Type", "CONTENT-TYPE", "content-typf", "x", "Host", ":", ":", ": ", " ", "\t", "\v", "\u0085", "a/b", "application/grpc", "\r\n", "\r\n", "\n", "\r"}
	rng := rand.New(rand.NewPCG(7, 8))
	found := 0
	for range 100000 {
		var lines []byte
		for range rng.IntN(14) {
			lines = append(lines, parts[rng.IntN(len(parts))]...)
		}
		for from, first := range []string{"GET / HTTP/1.1\r\n", "HTTP/1.1 204 No Content\r\n"} {
			m := &dissector.Message{From: dissector.Side(from)}
			if _, err := new(parser).parse(m.From, append(append([]byte(first), lines...), "\r\n\r\n"...), m); err != nil {
				t.Fatalf("%q: %v", lines, err)
			}
			headers := RequestHeaders
			if m.From == dissector.Server {
				headers = ResponseHeaders
			}
			want, there := headers.Get(&m.Values, "content-type")
			got, ok := ContentType(m)
			if ok != there || !bytes.Equal(got, want) {
				t.Fatalf("%q: got %q, %v, want %q, %v", lines, got, ok, want, there)
			}
			if ok {
				found++
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d have a content type", found)
	}
}

func TestColon(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 10000 {
		line := make([]byte, rng.IntN(40))
		for i := range line {
			line[i] = "9:;\xba\x00\xff"[rng.IntN(6)]
			if rng.IntN(8) > 0 {
				line[i] = 'x'
			}
		}
		if got, want := colon(line), bytes.IndexByte(line, ':'); got != want {
			t.Fatalf("%q: got %d, want %d", line, got, want)
		}
	}
}
