package thrift

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// message is one of the binary protocol.
func message(kind byte, name string, id uint32, values string) string {
	b := append([]byte{0x80, 1, 0, kind}, text(name)...)
	return string(binary.BigEndian.AppendUint32(b, id)) + values + "\x00"
}

func text(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func frame(s string) string { return text(s) }

const (
	field1  = "\x08\x00\x01\x00\x00\x00\x05" // i32 5
	result0 = "\x08\x00\x00\x00\x00\x00\x05"
	compact = "\x82\x21\x07\x03add\x15\x0a\x00" // call 7: i32 5
)

var (
	add      = message(call, "add", 7, field1)
	added    = message(reply, "add", 7, result0)
	old      = text("add") + "\x01\x00\x00\x00\x07" + field1 + "\x00"
	declared = message(reply, "add", 7, "\x0c\x00\x02\x08\x00\x01\x00\x00\x00\x05\x0b\x00\x02"+text("gone")+"\x00")
	failed   = message(exception, "add", 7, "\x0b\x00\x01"+text("who?")+"\x08\x00\x02\x00\x00\x00\x01")
	header   = frame("\x0f\xff\x00\x00\x00\x00\x00\x07\x00\x01\x00\x00\x00\x00" + add)
	strange  = frame("\x0f\xff\x00\x00\x00\x00\x00\x07\x00\x01\x00\x01\x03\x00" + add)
)

func parse(t *testing.T, from dissector.Side, b string) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(from, []byte(b), m)
	if err != nil || span != int64(len(b)) {
		t.Fatalf("span %d of %d, %v", span, len(b), err)
	}
	return m
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"call", add, dissector.Request},
		{"reply", added, dissector.Response},
		{"exception", failed, dissector.Response},
		{"one-way", message(oneWay, "log", 0, ""), dissector.Request},
		{"framed", frame(add), dissector.Request},
		{"framed, with more behind the message", frame(add + "\x00"), dissector.No},
		{"framed, too short", frame(add[:len(add)-1]), dissector.No},
		{"old", old, dissector.Request},
		{"old and framed", frame(old), dissector.Request},
		{"two old ones", old + old, dissector.Request},
		{"an old one and something else", old + "GET / HTTP/1.1", dissector.No},
		{"compact", compact, dissector.Request},
		{"compact and framed", frame(compact), dissector.Request},
		{"part of a compact one", compact[:9], dissector.More},
		{"of another version", "\x82\x22\x07\x03add\x15\x0a\x00", dissector.No},
		{"header", header, dissector.Request},
		{"header with an unknown transform", strange, dissector.No},
		{"type that is none", message(5, "add", 7, ""), dissector.No},
		{"name that is none", message(call, "a d", 7, ""), dissector.No},
		{"field that is none", message(call, "add", 7, "\x09\x00\x01\x00\x00"), dissector.No},
		{"WebSocket frame", "\x82\x21\x0b{\"a\":1,\"b\":2}\x00\x00\x00\x00", dissector.No},
		{"HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", dissector.No},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x99\x88", dissector.No},
		{"PostgreSQL startup", "\x00\x00\x00\x14\x00\x03\x00\x00user\x00bob\x00\x00\x00\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, b, status, exception string }{
		{"result", added, "OK", ""},
		{"no result", message(reply, "ping", 7, ""), "OK", ""},
		{"declared exception", declared, "exception 2", "gone"},
		{"exception", failed, "UNKNOWN_METHOD", "who?"},
		{"exception of a type to come", message(exception, "add", 7, "\x08\x00\x02\x00\x00\x00\x63"), "99", ""},
		{"framed", frame(failed), "UNKNOWN_METHOD", "who?"},
		{"long exception", message(exception, "add", 7, "\x0b\x00\x01"+text(strings.Repeat("x", 600))), "UNKNOWN", strings.Repeat("x", maxText) + "..."},
		{"compact exception", "\x82\x61\x07\x03add\x18\x04who?\x15\x0c\x00", "INTERNAL_ERROR", "who?"},
		{"compact declared exception", "\x82\x41\x07\x03add\x1c\x15\x0a\x18\x04gone\x00\x00", "exception 1", "gone"},
	} {
		v := &parse(t, dissector.Server, c.b).Values
		if s, e := string(dissector.Status.Get(v)), string(Exception.Get(v)); s != c.status || e != c.exception {
			t.Errorf("%s: %q, %q", c.name, s, e)
		}
		if dissector.Failed.Get(v) != (c.status != "OK") {
			t.Errorf("%s: failed %v", c.name, dissector.Failed.Get(v))
		}
	}
}

// Of every form a message is walked to its end, however it is cut.
func TestCuts(t *testing.T) {
	values := "\x0f\x00\x01\x0c\x00\x00\x00\x02\x00" + "\x0b\x00\x01" + text("in a list") + "\x00" + // a list of two structs
		"\x0d\x00\x02\x0b\x0a\x00\x00\x00\x01" + text("key") + "12345678" + // a map
		"\x0e\x00\x03\x06\x00\x00\x00\x03abcdef" + "\x02\x00\x04\x01" // a set of i16, a truth
	for _, c := range []struct {
		b        string
		messages int
	}{
		{add + message(call, "put", 8, values) + add, 3},
		{compact + "\x82\x21\x07\x03put\x19\x28\x01a\x01b\x1b\x01\x85\x01k\x02\x11\x00" + compact, 3},
		{old + old, 2},
	} {
		for piece := 1; piece < len(c.b); piece++ {
			n := 0
			p := Protocol.New(dissector.TCP)
			count := func(from dissector.Side, b []byte, m *dissector.Message) (int64, error) {
				span, err := p(from, b, m)
				if err == nil && !m.Open {
					n++
				}
				if err != nil && err != dissector.ErrShort {
					t.Errorf("%q: %v", b, err)
				}
				return span, err
			}
			dissectortest.Feed(t, count, dissector.Client, []byte(c.b), piece, func() *dissector.Message { return new(dissector.Message) })
			if n != c.messages {
				t.Fatalf("%d bytes at a time: %d messages of %d", piece, n, c.messages)
			}
		}
	}
}

// A text is passed over by its length, and so is a list of numbers.
func TestLargeValuesAreNotBuffered(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for name, b := range map[string]string{
		"text":   message(call, "put", 1, "\x0b\x00\x01"+text(large)),
		"list":   message(call, "put", 1, "\x0f\x00\x01\x0a\x00\x02\x00\x00"+large),
		"framed": frame(message(call, "put", 1, "\x0b\x00\x01"+text(large))),
	} {
		var m dissector.Message
		if span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(b[:maxHead]), &m); err != nil || span < 1<<20 {
			t.Errorf("%s: span %d, %v", name, span, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	deep := message(call, "put", 1, strings.Repeat("\x0c\x00\x01", maxDepth+1))
	for name, b := range map[string]string{
		"a reply of the client": added,
		"too deep":              deep,
		"a text of less than 0": message(call, "put", 1, "\x0b\x00\x01\xff\xff\xff\xff"),
		"a list of what is not": message(call, "put", 1, "\x0f\x00\x01\x07\x00\x00\x00\x01"),
		"a frame of 2 GiB":      "\x7f\xff\xff\xff" + add,
		"a header of too much":  frame("\x0f\xff\x00\x00\x00\x00\x00\x07\xff\xff\x00\x00\x00\x00" + add),
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(b), &m); err != errMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownTransform(t *testing.T) {
	v := &parse(t, dissector.Client, strange).Values
	if got := string(Transport.Get(v)); got != "header (transform 3)" || v.Has(dissector.Operation) {
		t.Errorf("transport %q", got)
	}
}

// Clients that do not count are answered in order, and after a loss again when the sides
// have taken turns.
func TestCallsWithoutNumbers(t *testing.T) {
	ask, answer := message(call, "add", 0, field1), message(reply, "add", 0, result0)
	s := dissectortest.NewScript().Client(ask).Server(answer).Client(message(call, "log", 0, "")).Client(ask).Server(answer)
	s.Wait(2e9).Client(ask).Lose().Server(answer).Client(ask).Server(answer).Wait(2e9).Client(ask).Server(answer).Close()
	got := s.Calls(t, Protocol)
	// The answer behind the loss may be that of either call before it.
	want := []string{"add add > OK", "add add > OK", "- > OK resumed", "add add > OK", "log log > -", "add add > -", "add add > -"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Where the connection was joined in its middle, the first reply may be to a call that was
// not seen, and what has no frame may have had one.
func TestJoinedLate(t *testing.T) {
	ask, answer := message(call, "add", 0, field1), message(reply, "add", 0, result0)
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{"in turns", dissectortest.NewLate().Client(ask).Server(answer).Client(ask).Server(answer), []string{"add add > OK resumed", "add add > OK"}},
		{"sent ahead", dissectortest.NewLate().Client(ask, ask).Server(answer, answer), []string{"- > OK resumed", "- > OK resumed", "add add > - resumed", "add add > - resumed"}},
		{"a reply comes first", dissectortest.NewLate().Server(answer).Client(ask, ask).Server(answer, answer), []string{"- > OK resumed", "add add > OK resumed", "add add > OK"}},
	} {
		if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

// A reply pairs with the call that it names, and with none where that cannot be told.
func TestCallsWithOneNumber(t *testing.T) {
	ask := func(name string, id uint32) string { return message(call, name, id, field1) }
	answer := func(name string, id uint32) string { return message(reply, name, id, result0) }
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"always 1, sent ahead",
			dissectortest.NewScript().Client(ask("add", 1)).Client(ask("sub", 1)).Client(ask("add", 1)).
				Server(answer("add", 1)).Server(answer("sub", 1)).Server(message(exception, "add", 1, "\x0b\x00\x01"+text("who?")+"\x08\x00\x02\x00\x00\x00\x01")).Close(),
			[]string{"add add > OK", "sub sub > OK", "add add > UNKNOWN_METHOD"},
		},
		{
			"1, 2, 1: the first reply is lost",
			dissectortest.NewScript().Client(ask("add", 1)).Lose().Server(answer("add", 1)).Client(ask("sub", 2)).Server(answer("sub", 2)).
				Client(ask("mul", 1)).Server(answer("mul", 1)).Wait(2e9).Client(ask("div", 1)).Server(answer("div", 1)).Close(),
			[]string{"sub sub > OK resumed", "- > OK resumed", "div div > OK", "add add > -", "mul mul > - resumed"},
		},
	} {
		if got := c.script.Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 200_000 {
		b := make([]byte, 8+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		switch i % 3 {
		case 0:
			b[0], b[1], b[2], b[4] = 0, 0, 0, 0x82
		case 1:
			b[0], b[1] = 0x82, 0x21
		}
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{add, added, frame(add), old, frame(old), compact, frame(compact), declared, failed, header, strange} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		p := Protocol.New(dissector.TCP)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, p, from, bytes.Clone(b), 1+len(b)/3, func() *dissector.Message { return new(dissector.Message) })
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p, req := Protocol.New(dissector.TCP), []byte(frame(add))
	var m dissector.Message
	b.SetBytes(int64(len(req)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := p(dissector.Client, req, &m); err != nil {
			b.Fatal(err)
		}
	}
}
