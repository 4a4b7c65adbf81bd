package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/packet"
)

// heard collects what an association hands out.
type heard struct {
	out     []string
	dropped int64
}

func (h *heard) Message(side int, m *UserMessage) {
	text := fmt.Sprintf("%d %s", side, m.Data)
	if len(m.Data) > 40 {
		text = fmt.Sprintf("%d %.4s… %d", side, m.Data, len(m.Data))
	}
	if m.Cut {
		text += " cut"
	}
	h.out = append(h.out, text)
}

func (h *heard) Drop(_ int, n int64) { h.dropped += n }

func chunk(kind, flags byte, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	out := append(be.AppendUint16([]byte{kind, flags}, uint16(4+len(b))), b...)
	return append(out, make([]byte, -len(b)&3)...)
}

func u32(n ...uint32) (b []byte) {
	for _, x := range n {
		b = be.AppendUint32(b, x)
	}
	return b
}

// fragments of a message are marked by < at its beginning and > at its end.
func flags(text string) (byte, []byte) {
	f := byte(0)
	if rest, ok := strings.CutPrefix(text, "<"); ok {
		text, f = rest, f|firstFragment
	}
	if rest, ok := strings.CutSuffix(text, ">"); ok {
		text, f = rest, f|lastFragment
	}
	return f, []byte(text)
}

func data(tsn uint32, text string) []byte {
	f, b := flags(text)
	return chunk(chunkData, f, u32(tsn, 0, 46), b)
}

func iData(tsn uint32, stream uint16, message, number uint32, text string) []byte {
	f, b := flags(text)
	if f&firstFragment != 0 {
		number = 46
	}
	return chunk(chunkIData, f, u32(tsn, uint32(stream)<<16, message, number), b)
}

func initiate(kind byte, tag, tsn uint32) []byte {
	return chunk(kind, 0, u32(tag, 1<<16, 0, tsn))
}

func sctp(number uint64, chunks ...[]byte) *packet.Packet {
	b := append(make([]byte, commonHeader), bytes.Join(chunks, nil)...)
	return &packet.Packet{Number: number, Time: int64(number) * 1e6, Proto: packet.SCTP, Payload: b, PayloadLen: uint32(len(b))}
}

// say gives packets, each of side 0 unless its first byte says 1, to an association.
func say(packets ...*packet.Packet) (*Association, *heard) {
	a, h := new(Association), new(heard)
	for i, p := range packets {
		p.Number, p.Time = uint64(i+1), int64(i+1)*1e6
		a.Add(int(p.Payload[0]), p, h)
	}
	a.Flush(h)
	return a, h
}

func TestUserMessages(t *testing.T) {
	one := func(chunks ...[]byte) *packet.Packet { return sctp(1, chunks...) }
	other := func(chunks ...[]byte) *packet.Packet {
		p := sctp(1, chunks...)
		p.Payload[0] = 1
		return p
	}
	cut := one(data(1, "<whole>"))
	cut.Payload = cut.Payload[:len(cut.Payload)-4]
	lie := one(data(1, "<whole>"))
	lie.Payload[commonHeader+3] = 200
	for _, c := range []struct {
		name    string
		packets []*packet.Packet
		want    []string
		dropped int64
		missing int64
	}{
		{"whole, bundled", []*packet.Packet{one(data(7, "<a>"), data(8, "<bcdef>")), other(data(1, "<c>"))}, []string{"0 a", "0 bcdef", "1 c"}, 0, 0},
		{"fragments", []*packet.Packet{one(data(7, "<ab")), one(data(8, "cd")), one(data(9, "ef>"))}, []string{"0 abcdef"}, 0, 0},
		{"fragments in disorder", []*packet.Packet{one(data(9, "ef>")), one(data(7, "<ab")), one(data(10, "<g")), one(data(8, "cd")), one(data(11, "h>"))}, []string{"0 abcdef", "0 gh"}, 0, 0},
		{"sent again", []*packet.Packet{one(data(7, "<a>")), one(data(7, "<a>")), one(data(8, "<b")), one(data(8, "<b")), one(data(9, "c>")), one(data(9, "c>"))}, []string{"0 a", "0 bc"}, 0, 0},
		{"numbers go round", []*packet.Packet{one(data(0xffffffff, "<a")), one(data(0, "b")), one(data(1, "c>"))}, []string{"0 abc"}, 0, 0},
		{"a lost middle", []*packet.Packet{one(data(7, "<ab")), one(data(9, "ef>")), one(data(10, "<g>"))}, []string{"0 g", "0 ab cut"}, 2, 1},
		{"a lost beginning", []*packet.Packet{one(data(7, "<a>")), one(data(9, "ef>"))}, []string{"0 a"}, 2, 1},
		{"a lost message", []*packet.Packet{one(initiate(chunkInit, 5, 7)), one(data(8, "<a>"))}, []string{"0 a"}, 0, 1},
		{"a message given up", []*packet.Packet{one(data(7, "<a>")), one(chunk(chunkForward, 0, u32(9))), one(data(10, "<b>"))}, []string{"0 a", "0 b"}, 0, 0},
		{"interleaved", []*packet.Packet{one(iData(1, 1, 0, 0, "<a")), one(iData(2, 2, 0, 0, "<x")), one(iData(3, 1, 0, 1, "b")), one(iData(4, 2, 0, 1, "y>")), one(iData(5, 1, 0, 2, "c>"))}, []string{"0 xy", "0 abc"}, 0, 0},
		{"interleaved, in disorder", []*packet.Packet{one(iData(5, 1, 0, 2, "c>")), one(iData(2, 2, 0, 0, "<x>")), one(iData(3, 1, 0, 1, "b")), one(iData(1, 1, 0, 0, "<a"))}, []string{"0 x", "0 abc"}, 0, 0},
		{"cut by the capture", []*packet.Packet{cut}, []string{"0 whol cut"}, 0, 0},
		{"a lie about the length", []*packet.Packet{lie}, nil, 0, 0},
		{"no data", []*packet.Packet{one(data(7, "<>"))}, nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, h := say(c.packets...)
			if !slices.Equal(h.out, c.want) || h.dropped != c.dropped || a.Missing() != c.missing || a.Held() != 0 {
				t.Errorf("got %q, %d dropped, %d missing, %d held", h.out, h.dropped, a.Missing(), a.Held())
			}
		})
	}
}

// TestDisorder: whatever the order and however often the fragments come, each message
// is handed out once.
func TestDisorder(t *testing.T) {
	for round := range uint64(300) {
		rng := rand.New(rand.NewPCG(round, 3))
		start := rng.Uint32()
		var chunks [][]byte
		var want []string
		for n := range 40 {
			text, sent := "", rng.IntN(6)
			for i := range sent + 1 {
				part := fmt.Sprintf("%d.%d", n, i)
				text += part
				if i == 0 {
					part = "<" + part
				}
				if i == sent {
					part += ">"
				}
				chunks = append(chunks, data(start+uint32(len(chunks)), part))
			}
			want = append(want, "0 "+text)
		}
		for range rng.IntN(60) {
			chunks = append(chunks, chunks[rng.IntN(len(chunks))])
		}
		rng.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
		var packets []*packet.Packet
		for len(chunks) > 0 {
			n := min(1+rng.IntN(4), len(chunks))
			packets = append(packets, sctp(1, chunks[:n]...))
			chunks = chunks[n:]
		}
		a, h := say(packets...)
		slices.Sort(h.out)
		slices.Sort(want)
		if !slices.Equal(h.out, want) || a.Missing() < 0 || h.dropped != 0 {
			t.Fatalf("round %d: got %q, want %q", round, h.out, want)
		}
	}
}

// TestMemoryOfFragments: what cannot become whole is let go of, within the limits.
func TestMemoryOfFragments(t *testing.T) {
	a, h := new(Association), new(heard)
	body := "<" + strings.Repeat("x", 1000)
	for i := range uint32(5000) { // beginnings only
		a.Add(0, sctp(uint64(i), data(2*i, body)), h)
		if a.Held() > MaxFragments+MaxRuns*runOverhead+2000 {
			t.Fatalf("%d bytes are held", a.Held())
		}
	}
	if len(h.out) < 5000-MaxRuns || h.out[0] != "0 xxxx… 1000 cut" {
		t.Errorf("%d messages, first %q", len(h.out), h.out[0])
	}
	a, h = new(Association), new(heard)
	a.Add(0, sctp(1, data(0, body)), h)
	for i := range uint32(2000) {
		a.Add(0, sctp(1, data(i+1, body[1:])), h)
	}
	a.Add(0, sctp(1, data(2001, "end>")), h)
	if want := fmt.Sprintf("0 xxxx… %d cut", MaxUserMessage); len(h.out) != 1 || h.out[0] != want {
		t.Errorf("got %q, want %q", h.out, want)
	}
}

func TestLifeOfAnAssociation(t *testing.T) {
	cookie := chunk(chunkCookieEcho, 0, u32(1))
	for _, c := range []struct {
		name          string
		client        []*packet.Packet // side 0
		server        []*packet.Packet
		state, ended  string
		refused, asks bool
	}{
		{"opened", []*packet.Packet{sctp(1, initiate(chunkInit, 1, 1)), sctp(1, cookie)}, []*packet.Packet{sctp(1, initiate(chunkInitAck, 2, 1))}, "open", "open", false, true},
		{"seen from its middle", []*packet.Packet{sctp(1, data(1, "<a>"))}, nil, "in_progress", "open", false, false},
		{"refused", []*packet.Packet{sctp(1, initiate(chunkInit, 1, 1))}, []*packet.Packet{sctp(1, chunk(chunkAbort, 0))}, "closed", "reset", true, true},
		{"aborted", []*packet.Packet{sctp(1, initiate(chunkInit, 1, 1)), sctp(1, cookie), sctp(1, chunk(chunkAbort, 0))}, nil, "closed", "reset", false, true},
		{"shut down", []*packet.Packet{sctp(1, chunk(7, 0, u32(1))), sctp(1, chunk(chunkShutdownComplete, 0))}, nil, "closed", "fin", false, false},
		{"answered only", nil, []*packet.Packet{sctp(1, initiate(chunkInitAck, 2, 1))}, "open", "open", false, true},
	} {
		a, h := new(Association), new(heard)
		for _, p := range c.client {
			a.Add(0, p, h)
		}
		for _, p := range c.server {
			a.Add(1, p, h)
		}
		state, ended := a.State()
		side, asks := a.Client()
		if state != c.state || ended != c.ended || a.Refused() != c.refused || asks != c.asks || side != 0 || a.Closed() != (state == "closed") {
			t.Errorf("%s: %s %s, refused %v, client %d %v", c.name, state, ended, a.Refused(), side, asks)
		}
	}
}

func TestRestart(t *testing.T) {
	a, h := new(Association), new(heard)
	first := sctp(1, initiate(chunkInit, 1, 100))
	a.Add(0, first, h)
	a.Add(1, sctp(2, initiate(chunkInitAck, 9, 500)), h)
	if a.Restarted(0, first) {
		t.Error("an INIT that is sent again opens no other association")
	}
	if !a.Restarted(0, sctp(3, initiate(chunkInit, 2, 100))) {
		t.Error("another tag opens another association")
	}
	if a.Restarted(1, sctp(3, initiate(chunkInit, 9, 500))) || a.Restarted(0, sctp(3, data(1, "<a>"))) {
		t.Error("both sides may ask at once; data opens nothing")
	}
	b := new(Association)
	b.Add(0, sctp(1, data(1, "<a>")), h)
	if !b.Restarted(0, first) {
		t.Error("an INIT behind data opens another association")
	}
}

func TestNumbers(t *testing.T) {
	var n numbers
	for _, c := range []struct {
		tsn uint32
		new bool
	}{{10, true}, {10, false}, {12, true}, {11, true}, {9, true}, {9, false}, {5000, true}, {1000, true}, {900, false}, {4999, true}, {1 << 30, true}, {1<<30 + 1, true}, {5000, true}} {
		if got := n.add(c.tsn); got != c.new {
			t.Errorf("%d: %v", c.tsn, got)
		}
	}
}

func FuzzAssociation(f *testing.F) {
	f.Add(sctp(1, initiate(chunkInit, 1, 7), data(7, "<a"), data(8, "b>")).Payload, uint16(20))
	f.Add(sctp(1, iData(1, 1, 0, 0, "<a"), iData(2, 1, 0, 1, "b>"), chunk(chunkForward, 0, u32(9))).Payload, uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		a, h := new(Association), new(heard)
		for i := range 3 {
			p := &packet.Packet{Number: uint64(i), Payload: b, PayloadLen: uint32(len(b)) + uint32(cut&7)}
			a.Restarted(i&1, p)
			a.Add(i&1, p, h)
			b = b[:max(0, len(b)-int(cut))]
		}
		a.Flush(h)
		if a.Held() != 0 || a.Missing() < 0 {
			t.Fatal("something is left")
		}
	})
}
