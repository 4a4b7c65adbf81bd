package zookeeper

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

// record puts a length before what parts say: numbers by their width, texts and buffers
// with their length.
func record(parts ...any) []byte {
	b := make([]byte, 4)
	for _, p := range parts {
		switch p := p.(type) {
		case bool:
			if p {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(p))
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		case []byte:
			b = append(b, p...)
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

var (
	password   = strings.Repeat("\x00", 16)
	connect    = record(0, int64(7), 6000, int64(0), password, false)
	connected  = record(0, 6000, int64(0x10000), password, false)
	getData    = record(1, 4, "/a", true)
	setLarge   = record(2, 5, "/a", strings.Repeat("x", 100_000), -1)
	nodeStat   = []byte(record(int64(3), int64(5), int64(1), int64(2), 4, 0, 0, int64(0), 1, 0, int64(3))[4:])
	gotData    = record(1, int64(9), 0, "x", nodeStat)
	ping, pong = record(-2, 11), record(-2, int64(9), 0)
)

func parse(t *testing.T, p dissector.Parse, from dissector.Side, b []byte) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	span, err := p(from, b, m)
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
		{"connect", connect, dissector.Request},
		{"connect of old clients", record(0, int64(7), 6000, int64(0), password), dissector.Request},
		{"part of a connect", connect[:20], dissector.More},
		{"connected", connected, dissector.Response},
		{"connect of no time", record(0, int64(7), -6000, int64(0), password, false), dissector.No},
		{"request", getData, dissector.Request},
		{"large request", setLarge[:100], dissector.Request},
		{"path that is none", record(1, 4, "a", true), dissector.No},
		{"more than there should be", record(1, 4, "/a", true, true), dissector.No},
		{"unknown operation", record(1, 50, "/a", true), dissector.No},
		{"ping", ping, dissector.Request},
		{"pong", pong, dissector.Response},
		{"answer with a node", gotData, dissector.Response},
		{"a node newer than the answer", record(1, int64(2), 0, "x", nodeStat), dissector.No},
		{"error", record(7, int64(9), -101), dissector.Response},
		{"no such error", record(7, int64(9), -99), dissector.No},
		{"answer to a delete", record(7, int64(9), 0), dissector.MaybeResponse},
		{"watch event", record(-1, int64(-1), 0, 3, 3, "/a"), dissector.Response},
		{"transaction", record(3, 14, 13, false, -1, "/a", 0, -1, true, -1), dissector.Request},
		{"transaction in a transaction", record(3, 14, 14, false, -1, -1, true, -1), dissector.No},
		{"word", []byte("ruok"), dissector.MaybeRequest},
		{"word and a line's end", []byte("mntr\n"), dissector.MaybeRequest},
		{"longer word", []byte("stats\r\n"), dissector.No},
		{"Kafka", []byte("\x00\x00\x00\x17\x00\x12\x00\x00\x00\x00\x00\x01\x00\x0dconsole-share"), dissector.No},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), dissector.No},
	} {
		if got := probe(c.head); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// Cut anywhere, a message is waited for or known, and never taken for something else.
func TestProbeOfCuts(t *testing.T) {
	for name, b := range map[string][]byte{"connect": connect, "connected": connected, "request": getData, "answer": gotData} {
		want := probe(b)
		for n := range b {
			if got := probe(b[:n]); got != dissector.More && got != want {
				t.Errorf("%s, %d bytes: %d", name, n, got)
			}
		}
	}
}

func TestLargeMessagesAreNotBuffered(t *testing.T) {
	var m dissector.Message
	p := Protocol.New(dissector.TCP)
	if _, err := p(dissector.Client, setLarge[:100], &m); err != dissector.ErrShort || m.Need != maxHead {
		t.Errorf("needs %d, %v", m.Need, err)
	}
	m = dissector.Message{}
	span, err := p(dissector.Client, setLarge[:maxHead], &m)
	if err != nil || span != int64(len(setLarge)-4) || !m.Open || DataSize.Get(&m.Values) != 100_000 {
		t.Errorf("span %d, %v, open %v", span, err, m.Open)
	}
	m = dissector.Message{}
	if span, err = p(dissector.Client, setLarge[span:], &m); err != nil || span != 4 || m.Open || !m.Values.Has(Version) {
		t.Errorf("rest of %d, %v, open %v", span, err, m.Open)
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	for _, b := range [][]byte{
		record(-4, 100, 0, "digest", "bob:hunter2"),
		record(9, 102, "hunter2"),
		record(0, int64(0), 6000, int64(7), "hunter2hunter2!!", false),
	} {
		for _, v := range parse(t, p, dissector.Client, b).Values.All() {
			if bytes.Contains(v.Bytes, []byte("hunter2")) {
				t.Errorf("kept %q", v.Bytes)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"huge":                {0x7f, 0xff, 0xff, 0xff},
		"small":               {0, 0, 0, 7},
		"unknown operation":   record(1, 99, "/a"),
		"a number of no call": record(-7, 4, "/a", true),
		"bad connect":         record(0, int64(1), 2, int64(3), "short"),
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, b, &m); err == nil && name != "bad connect" {
			t.Errorf("%s is taken", name)
		}
	}
	for name, b := range map[string][]byte{
		"reply of no call":     record(-7, int64(1), 0),
		"error and more":       record(1, int64(1), -101, 1),
		"event that is none":   record(-1, int64(-1), 0, 99, 3, "/a"),
		"event without a path": record(-1, int64(-1), 0, 1, 3, ""),
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Server, b, &m); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Pings all have one xid: after a loss none is given another one's answer.
func TestPingsAfterALoss(t *testing.T) {
	s := dissectortest.NewScript().Client(string(connect)).Server(string(connected))
	s.Client(string(ping)).Lose().Server(string(pong)).Wait(100e6).Client(string(ping)).Server(string(pong))
	s.Wait(2e9).Client(string(ping)).Server(string(pong)).Close()
	got := s.Calls(t, Protocol)
	want := []string{"connect > OK", "ping > -", "- > OK resumed", "ping > -", "ping > OK"}
	if !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("got %q", got)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := make([]byte, 8+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0], b[1], b[2] = 0, 0, 0
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{connect, connected, getData, gotData, ping, pong, record(3, 14, 13, false, -1, "/a", 0, -1, true, -1), record(-1, int64(-1), 0, 3, 3, "/a"), []byte("ruok")} {
		f.Add(b, byte(b[len(b)-1]))
	}
	blank := func() *dissector.Message { return new(dissector.Message) }
	f.Fuzz(func(t *testing.T, b []byte, code byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		p := Protocol.New(dissector.TCP)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, p, from, bytes.Clone(b), 1+len(b)/3, blank)
		}
		if o := opOf(int32(code)); o != nil {
			j := jute{b: b, size: len(b)}
			r := response{dataSize: -1, children: -1}
			o.response(&j, &r)
			r.set(blank())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := Protocol.New(dissector.TCP)
	var m dissector.Message
	b.SetBytes(int64(len(getData)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := p(dissector.Client, getData, &m); err != nil {
			b.Fatal(err)
		}
	}
}
