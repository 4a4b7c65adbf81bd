package cassandra

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	oracle "github.com/klauspost/compress/snappy"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// envelope makes an envelope; first is the version with the direction.
func envelope(first, flags byte, stream uint16, opcode byte, body string) string {
	b := binary.BigEndian.AppendUint16([]byte{first, flags}, stream)
	b = binary.BigEndian.AppendUint32(append(b, opcode), uint32(len(body)))
	return string(b) + body
}

func long(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
func text(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }

func query(stream uint16, s string) string {
	return envelope(4, 0, stream, opQuery, long(s)+"\x00\x01\x00")
}

func void(stream uint16) string { return envelope(0x84, 0, stream, opResult, "\x00\x00\x00\x01") }

// framed makes a frame of version 5 that is not compressed.
func framed(self bool, payload string) string {
	n := uint32(len(payload))
	if self {
		n |= 1 << 17
	}
	h := binary.LittleEndian.AppendUint32(nil, n)[:3]
	sum := crc24(h)
	return string(h) + string([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16)}) + payload + "CRC!"
}

// packed makes a frame with an LZ4 block.
func packed(self bool, plain int, block string) string {
	n := uint64(len(block)) | uint64(plain)<<17
	if self {
		n |= 1 << 34
	}
	h := binary.LittleEndian.AppendUint64(nil, n)[:5]
	sum := crc24(h)
	return string(h) + string([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16)}) + block + "CRC!"
}

func TestCRC24(t *testing.T) {
	// A header that gocql sent: payload of 75 bytes, self-contained.
	h := framed(true, strings.Repeat("x", 75))
	if s, ok := readFrame([]byte(h), false); !ok || s.payload != 75 || !s.self {
		t.Errorf("%v %v", s, ok)
	}
	if crc24([]byte{0x4b, 0, 2}) != little24([]byte(h[3:])) || crc24(nil) != 0x875060 {
		t.Error("checksum")
	}
}

func TestCalls(t *testing.T) {
	five := func(s string) string { return "\x05" + s[1:] }
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"two in a segment, answered the other way round",
			dissectortest.NewScript().Client(query(1, "select 1") + query(2, "select 2")).Server(void(2) + void(1)),
			[]string{"QUERY select 2 > Void", "QUERY select 1 > Void"},
		},
		{
			"a stream id whose response was lost is used again",
			dissectortest.NewScript().Client(query(1, "select 1")).Lose().Server(void(1)).Client(query(1, "select 2")).Server(void(1)).Close(),
			[]string{"QUERY select 2 > Void resumed", "QUERY select 1 > -"},
		},
		{
			"a response and a request are lost",
			dissectortest.NewScript().Client(query(1, "select 1") + query(2, "select 2")).Lose().Server(void(1)).Server(void(2)).
				Lose().Client(query(1, "select 3")).Server(void(1)).Client(query(1, "select 4")).Server(void(1)).Close(),
			[]string{"- > Void resumed", "- > Void", "QUERY select 4 > Void resumed", "QUERY select 1 > -", "QUERY select 2 > -"},
		},
		{
			"an event",
			dissectortest.NewScript().Server(envelope(0x84, 0, 0xffff, opEvent, text("STATUS_CHANGE")+text("DOWN")+"\x04\x0a\x00\x00\x07\x00\x00\x23\x52")),
			[]string{"EVENT STATUS_CHANGE DOWN 10.0.0.7:9042 one-way"},
		},
		{
			"frames: two envelopes in one, one in two",
			dissectortest.NewScript().
				Client(envelope(5, 0, 1, opStartup, "\x00\x01"+text("CQL_VERSION")+text("3.0.0"))).Server(envelope(0x85, 0, 1, opReady, "")).
				Client(framed(true, five(query(1, "select 1"))+five(query(2, "select 2")))).
				Server(framed(true, "\x85"+void(2)[1:]+"\x85"+void(1)[1:])).
				Client(framed(false, envelope(5, 0, 3, opQuery, long(strings.Repeat("x", 100)))[:60]), framed(false, strings.Repeat("x", 53))).
				Server(framed(true, "\x85"+void(3)[1:])),
			[]string{"STARTUP > READY", "QUERY select 2 > Void", "QUERY select 1 > Void", "QUERY " + strings.Repeat("x", 47) + "... > Void"},
		},
		{
			"a compressed frame with literals alone",
			dissectortest.NewScript().Client(packed(true, 17, "\xf0\x02"+envelope(5, 0, 1, opPrepare, long("use ")))).Server(packed(true, 0, "\x85"+void(1)[1:])),
			[]string{"PREPARE use > Void"},
		},
	} {
		if got := c.script.Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Of a compressed frame more envelopes come out than bytes went in.
func TestBomb(t *testing.T) {
	one := envelope(5, 0, 1, opOptions, "")
	block := "\x9f" + one + "\x09\x00" + strings.Repeat("\xff", 500) + "\x00"
	plain := 9 + 15 + 500*255 + 4
	plain -= plain % 9
	b := packed(true, plain, block)
	p, calls := Protocol.New(dissector.TCP), 0
	for off := 0; off < len(b); calls++ {
		m := new(dissector.Message)
		span, err := p(dissector.Client, []byte(b[off:]), m)
		if err != nil {
			t.Fatalf("%v after %d", err, calls)
		}
		off += int(span)
	}
	if calls > len(b) {
		t.Errorf("%d calls of %d bytes", calls, len(b))
	}
}

func TestDetail(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	m := &dissector.Message{Detail: true}
	body := long("update t set a = ?") + "\x00\x01\x41\x00\x03" + text("a") + long("x") + text("b") + long("\x00\x01") + text("c") + "\xff\xff\xff\xff"
	if _, err := p(dissector.Client, []byte(envelope(4, 0, 1, opQuery, body)), m); err != nil {
		t.Fatal(err)
	}
	if got := string(Parameters.Get(&m.Values)); got != "a='x', b=0x0001, c=null" {
		t.Errorf("got %s", got)
	}
}

func TestSnappy(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for size := 1; size < 200_000; size *= 3 {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(rng.IntN(4) * (i >> 9))
		}
		b := oracle.Encode(nil, plain)
		got, all, ok := readSnappy(nil, b, true)
		if !ok || all != (size <= maxHead) || !bytes.Equal(got, plain[:min(size, maxHead)]) {
			t.Errorf("%d bytes: %d, %v, %v", size, len(got), all, ok)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"query", query(1, "select 1"), dissector.Request},
		{"beginning of a query", query(1, "select 1")[:12], dissector.More},
		{"options", envelope(5, 0, 0, opOptions, ""), dissector.Request},
		{"result", void(1), dissector.Response},
		{"error", envelope(0x83, 0, 1, opError, "\x00\x00\x22\x00"+text("no")), dissector.Response},
		{"error of no known code", envelope(0x83, 0, 1, opError, "\x12\x00\x22\x00"+text("no")), dissector.No},
		{"frame", framed(true, "\x85"+void(1)[1:]), dissector.Response},
		{"frame in the middle of an envelope", framed(false, strings.Repeat("x", 100)), dissector.No},
		{"bare result of version 5", "\x85" + void(1)[1:], dissector.No},
		{"response sent with a request's opcode", envelope(0x84, 0, 1, opQuery, long("x")), dissector.No},
		{"RDP", "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", dissector.No},
		{"SOCKS 5", "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", dissector.No},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := make([]byte, 8+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0] = "\x03\x04\x05\x83\x84\x85"[rng.IntN(6)]
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

// What is kept of prepared statements has a limit.
func TestStatements(t *testing.T) {
	s := statements{texts: make(map[string][]byte)}
	for i := range 2000 {
		s.add(binary.BigEndian.AppendUint32(nil, uint32(i)), make([]byte, 1000))
	}
	if len(s.texts) != len(s.order) || len(s.order) > maxStatements || s.held > maxHeld {
		t.Errorf("%d texts, %d in order, %d bytes", len(s.texts), len(s.order), s.held)
	}
	if _, ok := s.texts["\x00\x00\x07\xcf"]; !ok {
		t.Error("the last one is gone")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(query(1, "select 1")+void(1)), byte(3))
	f.Add([]byte(framed(true, "\x05"+query(1, "select 1")[1:])), byte(9))
	f.Add([]byte(packed(true, 17, "\xf0\x02"+envelope(5, 0, 1, opPrepare, long("use ")))), byte(0))
	f.Add([]byte(envelope(0x84, 0x0a, 1, opResult, strings.Repeat("t", 16)+"\x00\x01"+text("w")+"\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01"+text("k")+text("t")+text("c")+"\x00\x20\x00\x0d\x00\x00\x00\x02")), byte(200))
	f.Add([]byte(envelope(4, 1, 1, opBatch, "\x00\x00\x00\x10\x20abc")), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return &dissector.Message{From: from} })
		}
	})
}
