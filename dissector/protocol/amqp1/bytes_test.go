package amqp1

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

func TestProbe(t *testing.T) {
	opening := say(open, "me")
	for name, c := range map[string]struct {
		head string
		want dissector.Guess
	}{
		"nothing":            {"", dissector.More},
		"header":             {plainHeader, dissector.Either},
		"part of a header":   {"AMQP", dissector.More},
		"0-9-1":              {"AMQP\x00\x00\x09\x01", dissector.No},
		"0-9":                {"AMQP\x01\x01\x00\x09", dissector.No},
		"text":               {"AMQPLAIN", dissector.No},
		"open":               {plainHeader + opening, dissector.Either},
		"client":             {plainHeader + opening + askBegin, dissector.Request},
		"server":             {plainHeader + opening + giveBegin, dissector.Response},
		"mechanisms":         {saslHeader + secured(saslMechanisms, symbol("PLAIN")), dissector.Response},
		"init":               {saslHeader + secured(saslInit, symbol("PLAIN")), dissector.Request},
		"part of init":       {saslHeader + secured(saslInit, symbol("PLAIN"))[:20], dissector.Either},
		"TLS client":         {tlsHeader + "\x16\x03\x01\x00\x04\x01", dissector.Request},
		"TLS server":         {tlsHeader + "\x16\x03\x03\x00\x04\x02", dissector.Response},
		"TLS undecided":      {tlsHeader + "\x16\x03", dissector.More},
		"TLS and nonsense":   {tlsHeader + "GET /", dissector.No},
		"flow and a begin":   {say(flow, nil, 1, 0, 1) + framed(0, 0, "") + askBegin, dissector.Request},
		"disposition":        {settle(1, nil, of(accepted)), dissector.Either},
		"nonsense behind":    {say(end) + "GET", dissector.No},
		"frames of 0-9-1":    {"\x01\x00\x00\x00\x00\x00\x05", dissector.No},
		"another length":     {"\x00\x00\x00\x20{\"a\": 1}", dissector.No},
		"no performative":    {framed(0, 0, "\x45"), dissector.No},
		"too long for proof": {"\x00\x00\x80\x00\x02\x00\x00\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// What is over a limit is not paired, and does no harm.
func TestLimits(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	ask := func(said string) *dissector.Message {
		t.Helper()
		m := new(dissector.Message)
		if span, err := parse(dissector.Client, []byte(said), m); err != nil || span != int64(len(said)) {
			t.Fatalf("span %d, %v", span, err)
		}
		return m
	}
	for n := range 2*maxSessions + 1 {
		m := ask(sayOn(n, begin, nil, 0, 1, 1))
		if over := n >= 2*maxSessions; over != (m.Role == dissector.OneWay) {
			t.Errorf("session %d: role %d", n, m.Role)
		}
	}
	for n := range maxLinks + 1 {
		m := ask(sayOn(0, attach, "l"+string(rune('a'+n)), n, false))
		if over := n >= maxLinks; over != (m.Role == dissector.OneWay) {
			t.Errorf("link %d: role %d", n, m.Role)
		}
	}
	over := framed(amqpFrame, 0, string(of(transfer, maxLinks, 1, nil, nil, true, true)))
	if m := ask(over); !m.Truncated || m.Open {
		t.Error("of a link that is not told apart only the first frame is known")
	}
}

func FuzzParse(f *testing.F) {
	long := strings.Repeat("x", 40)
	f.Add([]byte(saslHeader+secured(saslInit, symbol("PLAIN"), []byte("x"), "h")+secured(saslOutcome, raw("\x50\x00"))), byte(3))
	f.Add([]byte(plainHeader+say(open, "me")+askBegin+giveBegin+askAttach+giveAttach), byte(9))
	f.Add([]byte(askBegin+askAttach+sending(1, false, true, body(long)[:9])+sending(nil, false, false, long)+settle(1, 2, of(accepted))), byte(50))
	f.Add([]byte(askBegin+askAttach+sending(1, true, true, string(of(properties, "id", nil, "to"))+body(long)[:9])+sending(nil, true, false, long)), byte(0))
	f.Add([]byte(giveBegin+say(detach, 0, true, of(errorDesc, symbol("a:b"), "c"))+say(end)+say(closing)), byte(200))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		parse := Protocol.New(dissector.TCP)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			m := new(dissector.Message)
			for off, have := 0, 0; have < len(b); {
				have = min(len(b), max(off, have)+1+int(cut))
				for off < have {
					m.Role, m.Open, m.Skip, m.Cancel, m.Again, m.Need = dissector.BySide, false, false, false, false, 0
					span, err := parse(from, b[off:have], m)
					if err == dissector.ErrShort {
						break
					}
					if err != nil {
						m.Gap, span = 1, 1
					} else if m.Gap = 0; span <= 0 {
						t.Fatalf("span %d", span)
					} else if m.Again {
						span = 0
					}
					off += int(min(span, int64(len(b))))
					if !m.Open {
						gap := m.Gap
						m = new(dissector.Message)
						m.Gap = gap
					}
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	parse := Protocol.New(dissector.TCP)
	var m dissector.Message
	for _, said := range []string{askBegin, askAttach} {
		if _, err := parse(dissector.Client, []byte(said), &m); err != nil {
			b.Fatal(err)
		}
	}
	said := []byte(sending(1, true, false, string(of(properties, "id", nil, "to", "paid"))+body(strings.Repeat("v", 200))))
	b.SetBytes(int64(len(said)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, said, &m); err != nil {
			b.Fatal(err)
		}
	}
}
