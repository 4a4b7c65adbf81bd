package icmp

import (
	"encoding/hex"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

func TestQuotedFlow(t *testing.T) {
	v4 := "4500002800004000" + "4011" + "0000" + "0a000001" + "0a000002"
	v6 := "60000000" + "0010" + "2c40" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002"
	for _, c := range []struct{ name, quote, want string }{
		{"udp", v4 + "9c400035", "udp 10.0.0.1:40000 > 10.0.0.2:53"},
		{"cut before the ports", v4 + "9c", "udp 10.0.0.1 > 10.0.0.2"},
		{"later fragment", strings.Replace(v4, "4000", "0010", 1) + "9c400035", "udp 10.0.0.1 > 10.0.0.2"},
		{"behind an IPv6 fragment header", v6 + "0600000000000001" + "9c4001bb", "tcp [2001:db8::1]:40000 > [2001:db8::2]:443"},
		{"cut header", v4[:20], ""},
		{"no IP", "ff", ""},
		{"nothing", "", ""},
	} {
		b, err := hex.DecodeString(c.quote)
		if err != nil {
			t.Fatal(err)
		}
		if got := quoted(nil, b); string(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Types come in pairs: every answer has its question, with the same shape.
func TestAnswersHaveQuestions(t *testing.T) {
	for _, types := range []*[256]kindOf{&types4, &types6} {
		for i, a := range types {
			if a.kind != answer {
				continue
			}
			q := types[a.pair]
			if q.kind != question || q.pair != a.pair || q.name != a.asked || q.shape != a.shape {
				t.Errorf("type %d, %s, answers %q", i, a.name, q.name)
			}
		}
	}
}

func TestShortMessage(t *testing.T) {
	var m dissector.Message
	if _, err := parse(dissector.Client, []byte{8, 0, 0}, &m); err == nil {
		t.Error("three bytes were taken for a message")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0, 1, 0, 1, 'p'}, false)
	f.Add([]byte{3, 1, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 28}, false)
	f.Add([]byte{2, 0, 0, 0, 0, 0, 5, 0, 0x60, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			m := dissector.Message{Transport: dissector.ICMP, Whole: true}
			if v6 {
				m.Transport = dissector.ICMPv6
			}
			if span, err := parse(from, b, &m); err == nil && span != int64(len(b)) {
				t.Fatalf("span %d of %d", span, len(b))
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	ping := append([]byte{8, 0, 0, 0, 0, 1, 0, 1}, make([]byte, 56)...)
	m := dissector.Message{Transport: dissector.ICMP, Whole: true}
	b.SetBytes(int64(len(ping)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, ping, &m); err != nil {
			b.Fatal(err)
		}
	}
}
