package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// frame puts a size before what parts say: numbers by their width, strings in
// the old form.
func frame(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int8:
			b = append(b, byte(p))
		case int16:
			b = binary.BigEndian.AppendUint16(b, uint16(p))
		case int32:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case string:
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// produce is a request of version 3 for one topic with one partition.
func produce(id int32, acks int16, topic string, records int) []byte {
	return frame(int16(0), int16(3), id, "billing", int16(-1), acks, int32(30000), int32(1), topic, int32(1), int32(0), int32(records), make([]byte, records))
}

func parse(t *testing.T, p dissector.Parse, from dissector.Side, b []byte) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	span, err := p(from, b, m)
	if err != nil || span != int64(len(b)) {
		t.Fatalf("span %d of %d, %v", span, len(b), err)
	}
	return m
}

// TestUnknownAPI: a request that is newer than what is known has its number for a name, says who
// sent it, and is answered.
func TestUnknownAPI(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	m := parse(t, p, dissector.Client, frame(int16(len(apis)+3), int16(1), int32(7), "billing", int8(0), []byte("new")))
	if got := string(dissector.Operation.Get(&m.Values)); got != "API_98" || string(ClientID.Get(&m.Values)) != "billing" || Correlation.Get(&m.Values) != 7 {
		t.Errorf("operation %q of client %q, number %d", got, ClientID.Get(&m.Values), Correlation.Get(&m.Values))
	}
	if m := parse(t, p, dissector.Client, produce(8, -1, "orders", 1)); string(dissector.Summary.Get(&m.Values)) != "orders" {
		t.Errorf("the request behind it is about %q", dissector.Summary.Get(&m.Values))
	}
	if _, err := p(dissector.Client, frame(int16(len(apis)+newerKeys), int16(1), int32(7), "billing"), new(dissector.Message)); err == nil {
		t.Error("any number is believed")
	}
}

func TestProduceWithoutAcknowledgementIsOneWay(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	if m := parse(t, p, dissector.Client, produce(1, 0, "orders", 10)); m.Role != dissector.OneWay {
		t.Errorf("acks 0: role %d", m.Role)
	}
	m := parse(t, p, dissector.Client, produce(2, -1, "orders", 10))
	if m.Role != dissector.BySide || string(dissector.Summary.Get(&m.Values)) != "orders" || Correlation.Get(&m.Values) != 2 {
		t.Errorf("acks -1: role %d, summary %q", m.Role, dissector.Summary.Get(&m.Values))
	}
}

// Of a large message only the head is waited for.
func TestLargeMessagesAreNotBuffered(t *testing.T) {
	b := produce(1, 1, "orders", 1<<20)
	var m dissector.Message
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, b[:100], &m); err != dissector.ErrShort || m.Need != maxHead {
		t.Errorf("needs %d, %v", m.Need, err)
	}
	m = dissector.Message{}
	span, err := Protocol.New(dissector.TCP)(dissector.Client, b[:maxHead], &m)
	if err != nil || span != int64(len(b)) {
		t.Errorf("span %d of %d, %v", span, len(b), err)
	}
	var topics []string
	for topic := range Topics.Each(&m.Values) {
		topics = append(topics, string(topic))
	}
	if !slices.Equal(topics, []string{"orders"}) {
		t.Errorf("topics %q", topics)
	}
}

// The bodies of responses, read with the version of their request.
func TestErrorCodesOfResponses(t *testing.T) {
	for _, c := range []struct {
		name         string
		key, version int
		body         []byte
		want         string
		seen         bool
	}{
		{"produce", 0, 3, frame(int32(1), "orders", int32(2), int32(0), int16(0), make([]byte, 16), int32(1), int16(6), make([]byte, 16)), "NOT_LEADER_OR_FOLLOWER", true},
		{"fetch of a session without news", 1, 7, frame(int32(0), int16(0), int32(9), int32(0)), "NONE", true},
		{"fetch of a lost session", 1, 7, frame(int32(0), int16(70), int32(0), int32(0)), "FETCH_SESSION_ID_NOT_FOUND", true},
		{"list offsets v0", 2, 0, frame(int32(1), "a", int32(1), int32(0), int16(3), int32(2), make([]byte, 16)), "UNKNOWN_TOPIC_OR_PARTITION", true},
		{"heartbeat v0", 12, 0, frame(int16(27)), "REBALANCE_IN_PROGRESS", true},
		{"heartbeat v1", 12, 1, frame(int32(0), int16(27)), "REBALANCE_IN_PROGRESS", true},
		{"offset fetch v2", 9, 2, frame(int32(0), int16(15)), "COORDINATOR_NOT_AVAILABLE", true},
		{"create topics v1", 19, 1, frame(int32(1), "a", int16(36), int16(-1)), "TOPIC_ALREADY_EXISTS", true},
		{"cut short", 12, 1, frame(int32(0)), "", false},
		{"unknown code", 12, 0, frame(int16(999)), "ERROR_999", true},
	} {
		m, b := new(dissector.Message), new(body)
		b.begin(c.body[4:], 0, c.version, apis[c.key].flexible(c.version), m)
		b.answer(&apis[c.key])
		b.conclude()
		if got := string(Error.Get(&m.Values)); got != c.want || b.seen != c.seen {
			t.Errorf("%s: %q", c.name, got)
		}
		if b.off != len(b.b) || b.bad != (c.name == "cut short") {
			t.Errorf("%s: read %d of %d bytes", c.name, b.off, len(b.b))
		}
	}
}

func TestBareTokensOfSASL(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	parse(t, p, dissector.Client, frame(int16(17), int16(0), int32(1), "c", "PLAIN"))
	token := frame([]byte("\x00user\x00secret"))
	if m := parse(t, p, dissector.Client, token); !m.Skip {
		t.Error("a token was taken for a request")
	}
	if m := parse(t, p, dissector.Server, frame()); !m.Skip {
		t.Error("the server's token was taken for a response")
	}
	if m := parse(t, p, dissector.Client, produce(2, 1, "orders", 1)); m.Skip {
		t.Error("the request after it was not seen")
	}
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"unknown key":        frame(int16(500), int16(0), int32(1), "c"),
		"impossible version": frame(int16(0), int16(90), int32(1), "c"),
		"huge":               {0x7f, 0xff, 0xff, 0xff},
		"binary client id":   frame(int16(3), int16(0), int32(1), "\x01\x02", int32(0)),
		"empty":              {0, 0, 0, 0},
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, b, &m); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProbe(t *testing.T) {
	response := func(id int32) []byte { return frame(id, int32(0), int16(0)) }
	large := produce(7, 1, "orders", 100_000)
	for _, c := range []struct {
		name string
		head []byte
		want dissector.Guess
	}{
		{"request", produce(7, 1, "orders", 10), dissector.Request},
		{"two requests", slices.Concat(produce(7, 1, "orders", 10), produce(8, 1, "orders", 10)), dissector.Request},
		{"beginning of a large one", large[:1000], dissector.Request},
		{"acknowledgements that do not exist", produce(7, 9, "orders", 100_000)[:1000], dissector.No},
		{"part of a header", large[:9], dissector.More},
		{"response", response(7), dissector.MaybeResponse},
		{"two responses", slices.Concat(response(7), response(8)), dissector.MaybeResponse},
		{"two of no order", slices.Concat(response(7), response(3)), dissector.No},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), dissector.No},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x99\x88"), dissector.No},
		{"PostgreSQL startup", []byte("\x00\x00\x00\x14\x00\x03\x00\x00user\x00bob\x00\x00\x00\x00"), dissector.No},
		{"ZooKeeper connect", []byte("\x00\x00\x00\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x75\x30" + strings.Repeat("\x00", 8) + "\x00\x00\x00\x10" + strings.Repeat("\x00", 17)), dissector.MaybeResponse},
		{"HTTP/2 frame", []byte("\x00\x00\x08\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), dissector.More},
	} {
		if got := probe(c.head); got != c.want {
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
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

// Every API's numbers must fit together.
func TestTableOfAPIs(t *testing.T) {
	seen := make(map[string]bool)
	for key, a := range apis {
		if a.name == "" || a.name != strings.ToUpper(a.name) || seen[a.name] {
			t.Errorf("key %d has name %q", key, a.name)
		}
		seen[a.name] = true
		if a.plain && a.response != nil {
			t.Errorf("%s has two readers of its response", a.name)
		}
		if a.flexFrom != never && a.flexFrom > a.max {
			t.Errorf("%s is flexible from %d, newest is %d", a.name, a.flexFrom, a.max)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(produce(1, 1, "orders", 4))
	f.Add(append([]byte{0, 3, 100}, produceWith(1, batch(2, 1, 10), nil, batch(3, 0, 30))[21:]...))
	f.Add(append([]byte{1, 4, 100}, answerWith(1, 0, batch(2, 1, 10), batch(3, 0, 30), message(0, 0, 4))[8:]...))
	for key, a := range apis {
		f.Add(frame(int16(key), a.max, int32(1), "c", make([]byte, 60)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, bytes.Clone(b), 1+len(b)/3, func() *dissector.Message { return new(dissector.Message) })
			if len(b) <= 4 {
				continue
			}
			key, version, rest := int(b[0])%len(apis), int(b[1]), b[3:]
			whole, pieces := readAll(t, from, key, version, len(rest), rest), readAll(t, from, key, version, len(rest)*int(b[2])/256, rest)
			if whole != pieces {
				t.Fatalf("read at once: %s, in pieces: %s", whole, pieces)
			}
			m := &dissector.Message{From: from, Notes: known | uint64(key)<<16 | uint64(version%(int(apis[key].max)+1)), Raw: b}
			if got, _ := content(m, nil, 1000); len(got) > 1000 {
				t.Fatalf("%d bytes are shown", len(got))
			}
		}
	})
}

// readAll reads a body piece by piece, of which the first has so many bytes, and returns what
// records it holds.
func readAll(t *testing.T, from dissector.Side, key, version, first int, b []byte) string {
	t.Helper()
	w := walk{key: key, version: version % (int(apis[key].max) + 1)}
	m := new(dissector.Message)
	w.begin(b[:first], 0, m)
	at := w.read(from, first, int64(len(b)), m)
	watch(m, b[:at])
	for w.active {
		m = new(dissector.Message)
		span, err := w.goOn(from, b[at:], m)
		if err != nil || span <= 0 || span > int64(len(b))-at {
			t.Fatalf("span %d, %v", span, err)
		}
		watch(m, b[at:at+span])
		at += span
	}
	if at != int64(len(b)) {
		t.Fatalf("%d of %d bytes", at, len(b))
	}
	return held(m)
}

// watch shows a piece to who watches it, as the engine does.
func watch(m *dissector.Message, piece []byte) {
	if w := m.Watch; w != nil {
		w.Pass(piece)
		w.Passed(m)
	}
}

func BenchmarkParse(b *testing.B) {
	p, req := Protocol.New(dissector.TCP), produce(1, 1, "orders", 200)
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
