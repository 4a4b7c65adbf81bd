package http3_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http3"
	"shark/dissector/protocol/quic/record"
	"shark/packet"
)

// opened is a protocol whose datagrams are the number of a session, and records of its streams.
var opened = &dissector.Protocol{
	Name: "opened", Label: "Opened", Transport: dissector.UDP, Ports: []uint16{9},
	Probe: func([]byte) dissector.Guess { return dissector.Either },
	New: func(dissector.Transport) dissector.Parse {
		return func(_ dissector.Side, b []byte, m *dissector.Message) (int64, error) {
			m.Skip = true
			m.Sealed = &dissector.Sealed{Session: uint64(b[0]), Protocol: "http3", Streams: b[1:]}
			return int64(len(b)), nil
		}
	},
}

// talk is a source of such datagrams, between port 1 of 10.0.0.1 and port 9 of 10.0.0.2.
type talk struct {
	packets []packet.Record
	said    uint64
}

func (s *talk) say(from dissector.Side, session byte, records ...[]byte) {
	text := append([]byte{session}, bytes.Join(records, nil)...)
	size := 20 + 8 + len(text)
	ip := make([]byte, 28, size)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(size))
	ends, ports := []byte{10, 0, 0, 1, 10, 0, 0, 2}, []byte{0, 1, 0, 9}
	if from == dissector.Server {
		ends, ports = []byte{10, 0, 0, 2, 10, 0, 0, 1}, []byte{0, 9, 0, 1}
	}
	copy(ip[12:], ends)
	copy(ip[20:], ports)
	binary.BigEndian.PutUint16(ip[24:], uint16(size-20))
	s.said++
	s.packets = append(s.packets, packet.Record{Time: int64(s.said) * 1e6, OrigLen: uint32(size), Link: 101, Number: s.said, Data: append(ip, text...)})
}

func (s *talk) Close() error                   { return nil }
func (s *talk) Interfaces() []packet.Interface { return nil }
func (s *talk) Damage() []packet.Damage        { return nil }

func (s *talk) ReadBatch(b *packet.Batch) error {
	b.Records, s.packets = append(b.Records[:0], s.packets...), nil
	if len(b.Records) == 0 {
		return io.EOF
	}
	return nil
}

// of returns the calls of a talk, in the form of heard.
func of(t *testing.T, s *talk) []string {
	t.Helper()
	var got heard
	opts := dissector.Options{Protocols: []*dissector.Protocol{opened, http3.Protocol}}
	if _, err := dissector.Run(t.Context(), s, opts, func(int) dissector.Sink { return &got }); err != nil {
		t.Fatal(err)
	}
	return got
}

// data is a record of the bytes of a stream, last says that they are its last ones.
func data(stream uint64, last bool, parts ...[]byte) []byte {
	return record.AppendData(nil, stream, record.Place{}, bytes.Join(parts, nil), last)
}

func number(kind record.Kind, stream, n uint64) []byte {
	return record.AppendNumber(nil, kind, stream, record.Place{}, n)
}

// frame is a frame of HTTP/3.
func frame(kind byte, payload ...byte) []byte {
	return append([]byte{kind, 0x80, byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

// get is a head, of a GET or of an answer with 200, in static entries and literals.
func get(target string) []byte {
	return frame(1, append([]byte{0, 0, 0xc0 | 17, 0x51, byte(len(target))}, target...)...)
}

func ok() []byte { return frame(1, 0, 0, 0xc0|25) }

func body(n int) []byte { return frame(0, make([]byte, n)...) }

// TestPieces: whatever the pieces that calls come in, and whatever comes between them, they are
// the same.
func TestPieces(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var left [2]map[uint64][]byte
		left[0], left[1] = make(map[uint64][]byte), make(map[uint64][]byte)
		var want []string
		for i := range uint64(1 + rng.IntN(6)) {
			sent, got, target := rng.IntN(300), rng.IntN(300), fmt.Sprint("/", i)
			left[0][4*i] = bytes.Join([][]byte{get(target), frame(0x21, 1, 2, 3), body(sent / 2), body(sent - sent/2), frame(1, 0, 0, 0x21, 'a', 1, 'b')}, nil)
			left[1][4*i] = bytes.Join([][]byte{frame(1, 0, 0, 0xc0|24), ok(), body(got), body(0)}, nil)
			want = append(want, fmt.Sprintf("GET %s 200 %d %d", target, sent, got))
		}
		var s talk
		for from := range left {
			for len(left[from]) > 0 {
				var records [][]byte
				for range 1 + rng.IntN(4) {
					ids := make([]uint64, 0, len(left[from]))
					for id := range left[from] {
						ids = append(ids, id)
					}
					if len(ids) == 0 {
						break
					}
					slices.Sort(ids)
					id := ids[rng.IntN(len(ids))]
					b := left[from][id]
					n := min(rng.IntN(40), len(b))
					records = append(records, data(id, n == len(b), b[:n]))
					if left[from][id] = b[n:]; n == len(b) {
						delete(left[from], id)
					}
				}
				s.say(dissector.Side(from), 1, records...)
			}
		}
		dissectortest.SameLines(t, of(t, &s), want)
	}
}

// TestEnds: how exchanges and connections end, and what is missing.
func TestEnds(t *testing.T) {
	const client, server = dissector.Client, dissector.Server
	type said struct {
		from    dissector.Side
		records []byte
	}
	ask := said{client, data(0, true, get("/a"))}
	control := func(payload ...byte) []byte { return data(3, false, payload) }
	for name, x := range map[string]struct {
		said []said
		want []string
	}{
		"a reset behind the response's head":      {[]said{ask, {server, data(0, false, ok(), body(5)[:7])}, {server, number(record.Reset, 0, 0x102)}}, []string{"GET /a 200 0 2 cut"}},
		"a client that stops twice":               {[]said{{client, data(0, false, get("/a"))}, {client, slices.Concat(number(record.Reset, 0, 0x10c), number(record.Stop, 0, 0x10c))}}, []string{"GET /a - 0 0 cut"}},
		"a server that has enough of the request": {[]said{{client, data(0, false, get("/a"), body(3))}, {server, slices.Concat(data(0, true, ok()), number(record.Stop, 0, 0x100))}, {client, number(record.Reset, 0, 0x100)}}, []string{"GET /a 200 3 0 cut"}},
		"a reset of what was not seen":            {[]said{{server, number(record.Reset, 0, 0x102)}, {client, number(record.Stop, 4, 0x10c)}}, nil},
		"a hole in a body":                        {[]said{ask, {server, data(0, false, ok(), body(50)[:15])}, {server, number(record.Missing, 0, 20)}, {server, data(0, true, make([]byte, 20))}}, []string{"GET /a 200 0 30"}},
		"a hole behind a body":                    {[]said{ask, {server, data(0, false, ok(), body(5))}, {server, number(record.Missing, 0, 20)}, {server, data(0, true, make([]byte, 20))}}, []string{"GET /a 200 0 5"}},
		"a hole in a head":                        {[]said{{client, data(0, false, get("/a")[:7])}, {client, number(record.Missing, 0, 1)}, {client, data(0, true, get("/a")[8:])}, {server, data(0, true, ok())}}, []string{"  200 0 0"}},
		"a body that moved":                       {[]said{ask, {server, data(0, false, ok(), body(50)[:15])}, {server, number(record.Lapse, 0, 0)}, {server, data(0, true, make([]byte, 20))}}, []string{"GET /a 200 0 10"}},
		"an end inside a frame":                   {[]said{ask, {server, data(0, true, ok(), body(50)[:25])}}, []string{"GET /a 200 0 20"}},
		"an end alone":                            {[]said{{client, data(0, false, get("/a"))}, {client, data(0, true)}, {server, data(0, false, ok())}, {server, data(0, true)}}, []string{"GET /a 200 0 0"}},
		"a head that is too long":                 {[]said{ask, {server, data(0, false, frame(1, make([]byte, 64<<10+1)...)[:60000])}, {server, data(0, true, make([]byte, 64<<10+1+5-60000), body(3))}}, []string{"GET /a 0 0 3"}},
		"a body without a head":                   {[]said{ask, {server, data(0, true, body(3))}}, []string{"GET /a 0 0 3"}},
		"GOAWAY":                                  {[]said{ask, {client, data(4, true, get("/b"))}, {server, control(0, 4, 0, 7, 1, 4)}, {server, data(0, true, ok())}, {server, data(4, true, ok())}}, []string{"GET /a 200 0 0", "GET /b - 0 0"}},
		"GOAWAY in pieces":                        {[]said{ask, {server, control(0, 4)}, {server, control(0, 7)}, {server, control(1)}, {server, control(0)}, {server, data(0, true, ok())}}, []string{"GET /a - 0 0"}},
		"the connection's end":                    {[]said{ask, {server, number(record.Close, 0, 0x102)}, {server, data(0, true, ok())}}, []string{"GET /a - 0 0"}},
		"other streams":                           {[]said{ask, {server, slices.Concat(data(1, true, get("/x")), data(7, true, []byte{1, 2}, get("/y")), data(11, true, []byte{0x21}, get("/z")), data(0, true, ok()))}}, []string{"GET /a 200 0 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			var s talk
			for _, x := range x.said {
				s.say(x.from, 1, x.records)
			}
			dissectortest.SameLines(t, of(t, &s), x.want)
		})
	}
}

// TestBlocked: what a section refers to is found wherever it comes, answers wait for requests
// that do, and there is an end to the waiting.
func TestBlocked(t *testing.T) {
	settings := data(3, false, []byte{0, 4, 3, 1, 0x40, 220})
	blocked := data(0, true, frame(1, 3, 0, 0xc0|17, 0x81, 0x80)) // two entries of the table, and GET
	entries := [][]byte{{2, 0x3f, 0xbd, 1}, []byte("\xc1\x02/a"), []byte("\x41x\x01y")}
	table := data(2, false, entries...)
	for name, say := range map[string]func(s *talk){
		"before":               func(s *talk) { s.say(0, 1, table, blocked); s.say(1, 1, data(0, true, ok())) },
		"in the same datagram": func(s *talk) { s.say(0, 1, blocked, table); s.say(1, 1, data(0, true, ok())) },
		"later": func(s *talk) {
			s.say(0, 1, blocked)
			for _, e := range entries {
				s.say(0, 1, data(2, false, e))
			}
			s.say(1, 1, data(0, true, ok()))
		},
		"behind the answer": func(s *talk) { s.say(0, 1, blocked); s.say(1, 1, data(0, true, ok())); s.say(0, 1, table) },
	} {
		t.Run(name, func(t *testing.T) {
			var s talk
			s.say(1, 1, settings)
			say(&s)
			dissectortest.SameLines(t, of(t, &s), []string{"GET /a 200 0 0"})
		})
	}
	for name, say := range map[string]func(s *talk){
		"never": func(s *talk) { s.say(0, 1, blocked); s.say(1, 1, data(0, true, ok())) },
		"too late": func(s *talk) {
			s.say(0, 1, blocked)
			for range 3 {
				s.say(0, 1, data(4, false, make([]byte, 30000)))
			}
			s.say(1, 1, data(0, true, ok()))
			s.say(0, 1, table)
		},
		"lost": func(s *talk) {
			s.say(0, 1, blocked)
			s.say(0, 1, number(record.Missing, 2, 9))
			s.say(1, 1, data(0, true, ok()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s talk
			s.say(1, 1, settings)
			say(&s)
			if got := of(t, &s); !slices.Contains(got, "GET  200 0 0") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestSessions: of more sessions of a conversation than are read at once, the first ends where
// the last begins, and what it says later is not taken for something new.
func TestSessions(t *testing.T) {
	var s talk
	var want []string
	for i := range byte(dissector.MaxSessions + 1) {
		target := fmt.Sprint("/", i)
		s.say(0, i+1, data(0, true, get(target)))
		want = append(want, "GET "+target+" - 0 0")
	}
	s.say(0, 1, data(4, true, get("/late")))
	s.say(1, 2, data(0, true, ok()))
	want[1] = strings.Replace(want[1], "-", "200", 1)
	dissectortest.SameLines(t, of(t, &s), want)
}

// TestMany: of more exchanges than are remembered, the oldest ones are passed over.
func TestMany(t *testing.T) {
	var s talk
	for i := range uint64(1100) {
		s.say(0, 1, data(4*i, false, get("/")))
	}
	s.say(1, 1, data(0, true, ok()), data(4*1099, true, ok()))
	answered := 0
	for _, line := range of(t, &s) {
		if strings.Contains(line, " 200 ") {
			answered++
		}
	}
	if answered != 1 {
		t.Errorf("%d are answered, want the last", answered)
	}
}
