package dubbo

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

// message puts a header before a body.
func message(flags, status byte, id uint64, body string) []byte {
	b := []byte{magicHigh, magicLow, flags, status}
	b = binary.BigEndian.AppendUint64(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

// str writes a text of less than 1024 characters of ASCII.
func str(s string) string {
	if len(s) < 32 {
		return string(rune(len(s))) + s
	}
	return string([]byte{0x30 + byte(len(s)>>8), byte(len(s))}) + s
}

const (
	twoWay = flagRequest | flagTwoWay | hessian2
	beat   = twoWay | flagEvent
)

var (
	find   = message(twoWay, 0, 7, str("2.0.2")+str("demo.Shop")+str("1.0.0")+str("find")+str("I")+"\x91"+"HZ")
	found  = message(hessian2, 20, 7, "\x94"+str("lamp")+"HZ")
	threw  = message(hessian2, 20, 7, "\x93"+"C"+str("demo.SoldOut")+"\x93"+str("left")+str("tags")+str("detailMessage")+"`"+"\x92"+"\x7a"+str("a")+"N"+str("all gone")+"HZ")
	denied = message(hessian2, 100, 7, str("exhausted"))
	ping   = message(beat, 0, 8, "N")
	pong   = message(flagEvent|hessian2, 20, 8, "N")
)

func read(t *testing.T, from dissector.Side, b []byte) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(from, b, m)
	if err != nil || span != int64(len(b)) {
		t.Fatalf("span %d of %d, %v", span, len(b), err)
	}
	return m
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
		want dissector.Guess
	}{
		{"call", find, dissector.Request},
		{"part of a header", find[:10], dissector.More},
		{"part of the names", find[:25], dissector.More},
		{"answer", found, dissector.Response},
		{"exception", threw, dissector.Response},
		{"error", denied, dissector.Response},
		{"heartbeat", ping, dissector.Either},
		{"answer to a heartbeat", pong, dissector.Either},
		{"heartbeat and an answer", slices.Concat(ping, found), dissector.Response},
		{"heartbeat and part of more", slices.Concat(ping, find[:10]), dissector.Either},
		{"other serialization", message(flagRequest|flagTwoWay|8, 0, 7, "\x01\x02"), dissector.MaybeRequest},
		{"serialization that is none", message(flagRequest|flagTwoWay|31, 0, 7, "\x01\x02"), dissector.No},
		{"status that is none", message(hessian2, 21, 7, "\x91"), dissector.No},
		{"request with a status", message(twoWay, 20, 7, str("2.0.2")), dissector.No},
		{"request of no names", message(twoWay, 0, 7, "\x91\x92"), dissector.No},
		{"result that is none", message(hessian2, 20, 7, "\x99"), dissector.No},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), dissector.No},
		{"one byte", []byte{magicHigh}, dissector.More},
		{"another byte", []byte{0x16}, dissector.No},
	} {
		if got := probe(c.head); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name                     string
		b                        []byte
		status, exception, error string
		failed                   bool
	}{
		{"value", found, "OK", "", "", false},
		{"exception", threw, "exception", "demo.SoldOut", "all gone", true},
		{"exception in parts that are not read", message(hessian2, 20, 7, "\x90"+"C"+str("demo.Odd")+"\x91"+str("x")+"`"+"\x44"), "exception", "demo.Odd", "", true},
		{"error", denied, "SERVER_THREADPOOL_EXHAUSTED_ERROR", "", "exhausted", true},
		{"long error", message(hessian2, 80, 7, str(strings.Repeat("x", 600))), "SERVER_ERROR", "", strings.Repeat("x", maxText) + "...", true},
		{"error of another serialization", message(8, 50, 7, "abc"), "BAD_RESPONSE", "", "", true},
	} {
		v := &read(t, dissector.Server, c.b).Values
		if s, x, e := string(dissector.Status.Get(v)), string(Exception.Get(v)), string(Error.Get(v)); s != c.status || x != c.exception || e != c.error {
			t.Errorf("%s: %q, %q, %q", c.name, s, x, e)
		}
		if dissector.Failed.Get(v) != c.failed {
			t.Errorf("%s: failed %v", c.name, dissector.Failed.Get(v))
		}
	}
	if v := &read(t, dissector.Server, message(8, 20, 7, "abc")).Values; v.Has(dissector.Failed) {
		t.Error("it is not known whether the method threw")
	}
}

func TestTextsOfAllForms(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []struct{ b, want string }{
		{"\x03abc", "abc"},
		{"\x30\x03abc", "abc"},
		{"\x02\xc3\xbc\xe7\x81\xaf", "ü灯"},
		{"\x02\xf0\x9f\x98\x80", "😀"},
		{"\x02\xed\xa0\xbd\xed\xb8\x80", "\xed\xa0\xbd\xed\xb8\x80"}, // as two halves
		{"S\x07\xd0" + long, long},
		{"N", ""},
	} {
		h := hessian{b: []byte(c.b)}
		if got := string(h.text()); got != c.want || h.bad || h.cut || h.off != len(c.b) {
			t.Errorf("%q: got %q, read %d", c.b, got, h.off)
		}
	}
	for _, b := range []string{"\x03ab", "\x91", "\x02\xff\xff", ""} {
		h := hessian{b: []byte(b)}
		if h.text(); !h.bad && !h.cut {
			t.Errorf("%q is taken", b)
		}
	}
}

func TestSkip(t *testing.T) {
	for name, b := range map[string]string{
		"ints":            "\x7e\x90\xc9\x01\xd5\x01\x02I\x01\x02\x03\x04\x80\xbf",
		"longs":           "\x7d\xe0\xf9\x01\x3d\x01\x02Y\x01\x02\x03\x04L12345678",
		"doubles":         "\x7e\x5b\x5c\x5d\x01\x5e\x01\x02\x5f1234D12345678",
		"dates":           "\x7a\x4a12345678\x4b1234",
		"texts":           "\x7aR\x00\x02ab\x01cS\x00\x01d",
		"bytes":           "\x7b\x22ab\x34\x02abA\x00\x01aB\x00\x01b",
		"typed list":      "V" + str("[int") + "\x92\x91\x92",
		"list of a kind":  "\x72\x90\x91\x92",
		"list to its end": "U" + str("[int") + "\x91Z",
		"untyped list":    "X\x92W\x91ZT",
		"maps":            "M" + str("a.Map") + "\x91\x92H\x01aNZZ"[:2] + "Z",
		"object":          "C" + str("a.B") + "\x91" + str("f") + "O\x90Q\x90",
		"object by byte":  "C" + str("a.B") + "\x91" + str("f") + "`F",
	} {
		h := hessian{b: []byte(b)}
		if h.skip(0); h.bad || h.cut || h.off != len(b) {
			t.Errorf("%s: read %d of %d bytes, bad %v, cut %v", name, h.off, len(b), h.bad, h.cut)
		}
	}
	for name, b := range map[string]string{
		"too deep":     strings.Repeat("\x79", maxDepth+1) + "N",
		"no such kind": "\x40",
		"no class":     "\x65",
		"too many":     "W" + strings.Repeat("N", maxValues+1),
	} {
		h := hessian{b: []byte(b)}
		if h.skip(0); !h.bad {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestLargeMessagesAreNotBuffered(t *testing.T) {
	b := message(twoWay, 0, 7, str("2.0.2")+str("demo.Shop")+str("1.0.0")+str("put")+str("I")+strings.Repeat("x", 1<<20))
	var m dissector.Message
	if _, err := parse(dissector.Client, b[:100], &m); err != dissector.ErrShort || m.Need != maxHead {
		t.Errorf("needs %d, %v", m.Need, err)
	}
	m = dissector.Message{}
	if span, err := parse(dissector.Client, b[:maxHead], &m); err != nil || span != int64(len(b)) || string(dissector.Summary.Get(&m.Values)) != "demo.Shop.put" {
		t.Errorf("span %d, %v, %q", span, err, dissector.Summary.Get(&m.Values))
	}
}

// What the server asks of its own accord is one-way, and the client's answer is no call.
func TestEventsOfTheServer(t *testing.T) {
	if m := read(t, dissector.Server, ping); m.Role != dissector.OneWay || string(dissector.Operation.Get(&m.Values)) != "heartbeat" {
		t.Errorf("role %d", m.Role)
	}
	if m := read(t, dissector.Client, pong); !m.Skip {
		t.Error("the answer to it is taken for a call")
	}
	if m := read(t, dissector.Client, message(beat, 0, 0, "N")); m.Role != dissector.OneWay {
		t.Error("a heartbeat without a number waits for an answer")
	}
	if m := read(t, dissector.Client, message(beat, 0, 3, str("W"))); string(dissector.Operation.Get(&m.Values)) != "writable" {
		t.Errorf("event %q", dissector.Operation.Get(&m.Values))
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := make([]byte, 8+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0], b[1] = magicHigh, magicLow
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{find, found, threw, denied, ping, pong} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, parse, from, bytes.Clone(b), 1+len(b)/3, func() *dissector.Message { return new(dissector.Message) })
		}
		h := hessian{b: b}
		h.skip(0)
	})
}

func BenchmarkParse(b *testing.B) {
	var m dissector.Message
	b.SetBytes(int64(len(find)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, find, &m); err != nil {
			b.Fatal(err)
		}
	}
}
