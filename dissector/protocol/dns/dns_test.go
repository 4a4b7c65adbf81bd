package dns

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// wireName encodes a name without escapes.
func wireName(name string) []byte {
	var b []byte
	for label := range strings.SplitSeq(name, ".") {
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	return append(b, 0)
}

type message struct {
	id, flags  uint16
	qd, an, ns []byte
	counts     [4]uint16
}

func newMessage(id, flags uint16) *message { return &message{id: id, flags: flags} }

func (m *message) question(name string, typ uint16) *message {
	m.qd = append(m.qd, wireName(name)...)
	m.qd = binary.BigEndian.AppendUint16(m.qd, typ)
	m.qd = binary.BigEndian.AppendUint16(m.qd, classIN)
	m.counts[0]++
	return m
}

func (m *message) answer(name string, typ uint16, ttl uint32, data []byte) *message {
	m.an = append(m.an, wireName(name)...)
	m.an = binary.BigEndian.AppendUint16(m.an, typ)
	m.an = binary.BigEndian.AppendUint16(m.an, classIN)
	m.an = binary.BigEndian.AppendUint32(m.an, ttl)
	m.an = binary.BigEndian.AppendUint16(m.an, uint16(len(data)))
	m.an = append(m.an, data...)
	m.counts[1]++
	return m
}

func (m *message) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, m.id)
	b = binary.BigEndian.AppendUint16(b, m.flags)
	for _, n := range m.counts {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return slices.Concat(b, m.qd, m.an, m.ns)
}

func (m *message) framed() []byte {
	b := m.bytes()
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func answers(m *dissector.Message) (out []string) {
	for a := range Answers.Each(&m.Values) {
		out = append(out, string(a))
	}
	return out
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		name, msg string // in hex
		off       int
		want      string
		next      int
		err       error
	}{
		{"plain", "03777777076578616d706c6500", 0, "www.example", 13, nil},
		{"root", "00", 0, ".", 1, nil},
		{"pointer", "03777777000161c000", 5, "a.www", 9, nil},
		{"escapes", "05612e620a5c00", 0, `a\.b\010\\`, 7, nil},
		{"utf-8 stays", "04c3a96c6500", 0, "éle", 6, nil},
		{"points to itself", "c000", 0, "", 0, errMalformed},
		{"points ahead", "c00203777777", 0, "", 0, errMalformed},
		{"loop of two", "0161c0040162c000", 4, "", 0, errMalformed},
		{"unknown label type", "4161", 0, "", 0, errMalformed},
		{"cut in label", "0377", 0, "", 0, dissector.ErrShort},
		{"cut in pointer", "c0", 0, "", 0, dissector.ErrShort},
		{"no end", "0161", 0, "", 0, dissector.ErrShort},
		{"too long", hex.EncodeToString(wireName(strings.Join([]string{long, long, long, long}, "."))), 0, "", 0, errMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, err := hex.DecodeString(c.msg)
			if err != nil {
				t.Fatal(err)
			}
			got, next, err := appendName(nil, msg, c.off)
			if string(got) != c.want || next != c.next || !errors.Is(err, c.err) {
				t.Errorf("got %q, %d, %v", got, next, err)
			}
			if skipped, err := skipName(msg, c.off); err == nil && c.err == nil && skipped != c.next {
				t.Errorf("skipped to %d", skipped)
			}
		})
	}
}

// A chain of pointers, each to the one before, must not cost more than a name's
// length in labels: the limit is on what is written.
func TestPointerChainsAreBounded(t *testing.T) {
	msg := []byte{0}
	for range 8000 {
		to := len(msg) - 3
		if to < 0 {
			to = 0
		}
		msg = append(msg, 1, 'a', 0xc0|byte(to>>8), byte(to))
	}
	if _, _, err := appendName(nil, msg[:16<<10], 16<<10-4); err == nil {
		t.Error("a name of thousands of labels was accepted")
	}
}

func TestPresentationOfRecords(t *testing.T) {
	for _, c := range []struct {
		typ  uint16
		data string // in hex
		want string
	}{
		{typeA, "0a000001", "10.0.0.1"},
		{typeA, "0a0000", `\# 3 0a0000`},
		{typeAAAA, "20010db8000000000000000000000001", "2001:db8::1"},
		{typeSRV, "0005000a13c40373697000", "5 10 5060 sip"},
		{typeTXT, "026869035c2261", `"hi" "\\\"a"`},
		{typeTXT, "05686900", `\# 4 05686900`},
		{typeNSEC3, "0100000c02aabb020102000140", "1 0 12 aabb 0410 A"},
		{65400, "0102", `\# 2 0102`},
		{65400, "", `\# 0`},
	} {
		data, err := hex.DecodeString(c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got := presentRecord(nil, data, 0, len(data), c.typ); string(got) != c.want {
			t.Errorf("type %d, %s: got %s, want %s", c.typ, c.data, got, c.want)
		}
	}
}

// However a stream is cut, the messages are the same.
func TestStreamsAtRandomCuts(t *testing.T) {
	var stream []byte
	for i := range 20 {
		stream = append(stream, newMessage(uint16(i), 0x8180).question("www.example.test", typeA).
			answer("www.example.test", typeA, 60, []byte{10, 0, 0, byte(i)}).framed()...)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		parse := Protocol.New(dissector.TCP)
		for off, n, have := 0, 0, 0; off < len(stream); {
			have = min(len(stream), max(have, off)+1+rng.IntN(70))
			var m dissector.Message
			span, err := parse(dissector.Server, stream[off:have], &m)
			if err == dissector.ErrShort {
				if m.Need <= have-off {
					t.Fatalf("wants %d bytes and has %d", m.Need, have-off)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := answers(&m); ID.Get(&m.Values) != int64(n) || len(got) != 1 || got[0] != "10.0.0."+string(digits(n)) {
				t.Fatalf("message %d: id %d, answers %q", n, ID.Get(&m.Values), got)
			}
			off += int(span)
			n++
		}
	}
}

// A datagram that the capture cut gives what was captured of it.
func TestCutDatagramKeepsItsQuestion(t *testing.T) {
	whole := newMessage(7, 0x8183).question("www.example.test", typeA).answer("www.example.test", typeA, 60, []byte{10, 0, 0, 1}).bytes()
	m := dissector.Message{Whole: true}
	_, err := Protocol.New(dissector.UDP)(dissector.Server, whole[:len(whole)-2], &m)
	if err != dissector.ErrShort {
		t.Errorf("error is %v", err)
	}
	if got := string(dissector.Summary.Get(&m.Values)); got != "www.example.test" {
		t.Errorf("summary is %q", got)
	}
	if got := string(Rcode.Get(&m.Values)); got != "NXDOMAIN" || !dissector.Failed.Get(&m.Values) {
		t.Errorf("rcode is %q", got)
	}
}

func soa(serial uint32) []byte {
	b := append(wireName("ns"), wireName("admin")...)
	return append(binary.BigEndian.AppendUint32(b, serial), make([]byte, 16)...)
}

// The messages of a zone transfer are one answer: all but the last are interim.
func TestZoneTransfer(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	for i, c := range []struct {
		from dissector.Side
		msg  *message
		role dissector.Role
	}{
		{dissector.Client, newMessage(9, 0).question("z", typeAXFR), dissector.BySide},
		{dissector.Server, newMessage(9, 0x8400).question("z", typeAXFR).answer("z", typeSOA, 1, soa(5)).answer("a.z", typeA, 1, make([]byte, 4)), dissector.Interim},
		{dissector.Server, newMessage(9, 0x8400).answer("b.z", typeA, 1, make([]byte, 4)), dissector.Interim},
		{dissector.Server, newMessage(9, 0x8400).answer("c.z", typeA, 1, make([]byte, 4)).answer("z", typeSOA, 1, soa(5)), dissector.BySide},
		{dissector.Client, newMessage(10, 0).question("z", typeAXFR), dissector.BySide},
		{dissector.Server, newMessage(10, 0x8405).question("z", typeAXFR), dissector.BySide}, // refused
	} {
		var m dissector.Message
		if _, err := parse(c.from, c.msg.framed(), &m); err != nil {
			t.Fatal(i, err)
		}
		if m.Role != c.role {
			t.Errorf("message %d has role %d", i, m.Role)
		}
	}
}

func TestMulticastIsOneWay(t *testing.T) {
	b := newMessage(0, 0x8400).answer("printer.local", typeA, 120, []byte{10, 0, 0, 9}).bytes()
	if g := Mdns.Probe(b); g != dissector.Response {
		t.Errorf("probe says %d", g)
	}
	for _, p := range []*dissector.Protocol{Mdns, Llmnr} {
		m := dissector.Message{Whole: true}
		if _, err := p.New(dissector.UDP)(dissector.Server, b, &m); err != nil {
			t.Fatal(err)
		}
		if m.Role != dissector.OneWay || string(dissector.Summary.Get(&m.Values)) != "printer.local" {
			t.Errorf("%s: role %d, summary %q", p.Name, m.Role, dissector.Summary.Get(&m.Values))
		}
	}
}

func TestProbe(t *testing.T) {
	query := newMessage(1, 0x0100).question("www.example.test", typeA)
	reply := newMessage(1, 0x8180).question("www.example.test", typeA).answer("www.example.test", typeA, 60, []byte{10, 0, 0, 1})
	netbios := newMessage(1, 0x0110).question("CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", typeNIMLOC)
	for _, c := range []struct {
		name string
		head []byte
		want dissector.Guess
	}{
		{"query", query.bytes(), dissector.Request},
		{"response", reply.bytes(), dissector.Response},
		{"query on TCP", query.framed(), dissector.Request},
		{"two on TCP", append(query.framed(), query.framed()...), dissector.Request},
		{"half on TCP", query.framed()[:20], dissector.More},
		{"first byte", query.framed()[:1], dissector.More},
		{"NetBIOS name", netbios.bytes(), dissector.No},
		{"bytes left over", append(query.bytes(), 0), dissector.No},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), dissector.No},
		{"zeros", make([]byte, 64), dissector.No},
	} {
		if got := probe(c.head); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	claimed := 0
	for range 200_000 {
		b := make([]byte, 12+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			claimed++
		}
	}
	if claimed > 2 {
		t.Errorf("%d of 200000 random datagrams were claimed", claimed)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(newMessage(1, 0x8180).question("a.test", typeA).answer("a.test", typeTXT, 60, []byte("\x02hi")).framed(), true)
	f.Add(newMessage(1, 0x8400).answer("z", typeSOA, 1, soa(5)).bytes(), false)
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		defer dissectortest.Bounded(t)()
		transport := dissector.UDP
		if tcp {
			transport = dissector.TCP
		}
		for _, p := range []*dissector.Protocol{Protocol, Mdns} {
			p.Probe(b)
			parse := p.New(transport)
			for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
				m := dissector.Message{Detail: true, Whole: !tcp}
				if span, err := parse(from, bytes.Clone(b), &m); err == nil && span <= 0 {
					t.Fatalf("span %d", span)
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	msg := newMessage(1, 0x8180).question("www.example.test", typeA).answer("www.example.test", typeCNAME, 60, wireName("web.example.test")).
		answer("web.example.test", typeA, 60, []byte{10, 0, 0, 1}).bytes()
	parse := Protocol.New(dissector.UDP)
	m := dissector.Message{Whole: true}
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Server, msg, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// A name that comes back in other letters has the same key, and no other name has.
func TestKeyIgnoresCase(t *testing.T) {
	names := []string{"", "a", "A.b", "shop.example.", "WWW.Example.COM", "www.example.co", "www.example.com.", "@www.example", "`www.example", "[a", "{a", "a\xc1", "a\xe1"}
	seen := map[uint64]string{}
	for _, name := range names {
		key := nameKey(startKey(7), []byte(name))
		if small := nameKey(startKey(7), bytes.ToLower([]byte(name))); utf8.ValidString(name) && small != key {
			t.Errorf("%q has another key in small letters", name)
		}
		if other, again := seen[key]; again {
			t.Errorf("%q and %q have one key", name, other)
		}
		seen[key] = name
		if nameKey(startKey(8), []byte(name)) == key {
			t.Errorf("%q has one key with two ids", name)
		}
	}
}
