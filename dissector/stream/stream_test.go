package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// recorder writes down what a connection hands out.
type recorder struct {
	data  [2]bytes.Buffer
	off   [2]int64
	gaps  [2]int64
	ended [2]bool
	log   strings.Builder
	t     testing.TB
}

func (r *recorder) Data(side int, off int64, b []byte, at At) {
	if want := r.off[side]; off != want {
		r.t.Fatalf("side %d: data at offset %d, expected %d", side, off, want)
	}
	r.off[side] += int64(len(b))
	r.data[side].Write(b)
	fmt.Fprintf(&r.log, "%d:%s ", side, b)
}

func (r *recorder) Gap(side int, n int64) {
	r.off[side] += n
	r.gaps[side] += n
	fmt.Fprintf(&r.log, "%d:gap%d ", side, n)
}

func (r *recorder) End(side int, at At) {
	r.off[side]++
	r.ended[side] = true
	fmt.Fprintf(&r.log, "%d:end ", side)
}

// seg is a segment in the words of a test.
func seg(seq, ack uint32, flags, data string) Segment {
	return Segment{
		Seq: seq, Ack: ack, Data: []byte(data), Len: uint32(len(data)),
		SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R"),
	}
}

func TestConn(t *testing.T) {
	type step struct {
		side int
		Segment
	}
	tests := []struct {
		name  string
		steps []step
		want  string // with Flush at the end
	}{
		{"handshake and data", []step{
			{0, seg(100, 0, "S", "")},
			{1, seg(900, 101, "SA", "")},
			{0, seg(101, 901, "A", "")},
			{0, seg(101, 901, "A", "ask")},
			{1, seg(901, 104, "A", "tell")},
			{0, seg(104, 905, "FA", "")},
			{1, seg(905, 105, "FA", "")},
		}, "0:ask 1:tell 0:end 1:end "},
		{"wraparound", []step{
			{0, seg(0xfffffffe, 0, "S", "")}, {0, seg(0xffffffff, 0, "A", "ab")}, {0, seg(1, 0, "A", "cd")},
		}, "0:ab 0:cd "},
		{"reordered", []step{
			{0, seg(0, 0, "S", "")}, {0, seg(4, 0, "A", "de")}, {0, seg(1, 0, "A", "abc")},
		}, "0:abc 0:de "},
		{"repeated and overlapping", []step{
			{0, seg(0, 0, "S", "")}, {0, seg(1, 0, "A", "abc")}, {0, seg(1, 0, "A", "abc")}, {0, seg(2, 0, "A", "bcde")},
		}, "0:abc 0:de "},
		{"middle of a stream", []step{{0, seg(777, 5, "A", "abc")}, {1, seg(5, 780, "A", "x")}}, "0:abc 1:x "},
		{"a hole that never fills", []step{
			{0, seg(0, 0, "S", "")}, {0, seg(1, 0, "A", "a")}, {0, seg(5, 0, "A", "b")},
		}, "0:a 0:gap3 0:b "},
		{"an answer before its question", []step{
			{0, seg(0, 0, "S", "")},
			{1, seg(50, 1, "SA", "")},
			{0, seg(1, 51, "A", "")},
			{1, seg(51, 4, "A", "tell")},
			{0, seg(1, 51, "A", "ask")},
		}, "0:ask 1:tell "},
		{"an answer to what was not captured", []step{
			{0, seg(0, 0, "S", "")}, {1, seg(50, 1, "SA", "")}, {0, seg(1, 51, "A", "")}, {1, seg(51, 4, "A", "tell")},
		}, "0:gap3 1:tell "},
		{"the first answer of a stream seen from the middle is missing", []step{
			{0, seg(100, 1, "A", "put")}, {0, seg(103, 399, "A", "post")}, {1, seg(399, 107, "A", "201")},
		}, "0:put 1:gap398 0:post 1:201 "},
		{"reset", []step{{0, seg(0, 0, "S", "")}, {0, seg(1, 0, "A", "a")}, {0, seg(2, 0, "RA", "")}, {0, seg(2, 0, "A", "late")}}, "0:a 0:end "},
		{"data in the SYN", []step{{0, seg(9, 0, "S", "ab")}, {0, seg(12, 0, "A", "c")}}, "0:ab 0:c "},
		{"nonsense far ahead", []step{{0, seg(0, 0, "S", "")}, {0, seg(1<<31, 0, "A", "x")}, {0, seg(1, 0, "A", "a")}}, "0:a "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c Conn
			r := &recorder{t: t}
			r.off = [2]int64{}
			for _, s := range tt.steps {
				c.Add(s.side, &s.Segment, r)
			}
			c.Flush(r)
			if got := r.log.String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestSnappedSegmentLeavesGap(t *testing.T) {
	var c Conn
	r := &recorder{t: t}
	s := seg(1, 0, "A", "head")
	s.Len = 100
	c.Add(0, &s, r)
	s = seg(101, 0, "A", "next")
	c.Add(0, &s, r)
	if got, want := r.log.String(), "0:head 0:gap96 0:next "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAcknowledgedHoleIsGivenUp: the receiver has what was not captured, so
// waiting for it again is in vain.
func TestAcknowledgedHoleIsGivenUp(t *testing.T) {
	var c Conn
	r := &recorder{t: t}
	add := func(side int, s Segment) { c.Add(side, &s, r) }
	add(0, seg(0, 0, "S", ""))
	add(1, seg(50, 1, "SA", ""))
	add(0, seg(1, 51, "A", "a"))
	add(0, seg(10, 51, "A", "b"))
	for range MaxLate + 2 {
		add(1, seg(51, 11, "A", ""))
	}
	if got, want := r.log.String(), "0:a 0:gap8 0:b "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c.Held() != 0 {
		t.Errorf("%d bytes are still held", c.Held())
	}
}

// TestHoldIsBounded: a hole that is never acknowledged ends at the limit.
func TestHoldIsBounded(t *testing.T) {
	var c Conn
	r := &recorder{t: t}
	s := seg(0, 0, "S", "")
	c.Add(0, &s, r)
	block := strings.Repeat("x", 1000)
	for i := range 5000 {
		s = seg(uint32(10+1000*i), 0, "A", block)
		c.Add(0, &s, r)
		if c.Held() > MaxHeldBytes+1000 {
			t.Fatalf("%d bytes held", c.Held())
		}
	}
	if r.gaps[0] != 9 {
		t.Errorf("gap of %d bytes, want 9", r.gaps[0])
	}
}

// TestAnyOrder: whatever the cuts, the order within reach, the repetitions: both
// sides come out whole, and no answer before what it answers.
func TestAnyOrder(t *testing.T) {
	for seed := range 300 {
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		var want [2]bytes.Buffer
		segs := talk(rng, &want)
		for i := range segs {
			if j := i + rng.IntN(6); j < len(segs) && i > 2 {
				segs[i], segs[j] = segs[j], segs[i]
			}
			if i > 2 && rng.IntN(8) == 0 {
				segs = append(segs, segs[i])
			}
		}
		var c Conn
		r := &recorder{t: t}
		for i := range segs {
			c.Add(segs[i].side, &segs[i].Segment, r)
		}
		c.Flush(r)
		for side := range want {
			if !bytes.Equal(r.data[side].Bytes(), want[side].Bytes()) {
				t.Fatalf("seed %d: side %d differs: %d bytes, want %d, gaps %d", seed, side, r.data[side].Len(), want[side].Len(), r.gaps[side])
			}
		}
	}
}

type sided struct {
	side int
	Segment
}

// talk makes a conversation of random turns.
func talk(rng *rand.Rand, want *[2]bytes.Buffer) []sided {
	next := [2]uint32{rng.Uint32(), rng.Uint32()}
	segs := []sided{{0, seg(next[0], 0, "S", "")}, {1, seg(next[1], next[0]+1, "SA", "")}}
	next[0]++
	next[1]++
	segs = append(segs, sided{0, seg(next[0], next[1], "A", "")})
	for turn := range 12 {
		side := turn % 2
		for range 1 + rng.IntN(4) {
			data := make([]byte, 1+rng.IntN(50))
			for i := range data {
				data[i] = byte('a' + rng.IntN(26))
			}
			want[side].Write(data)
			segs = append(segs, sided{side, seg(next[side], next[side^1], "A", string(data))})
			next[side] += uint32(len(data))
		}
	}
	return segs
}

func FuzzConn(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Fuzz(func(t *testing.T, in []byte) {
		var c Conn
		r := &recorder{t: t}
		for len(in) >= 6 {
			s := Segment{
				Seq: uint32(in[1]) * uint32(in[2]), Ack: uint32(in[3]) * 7, Len: uint32(in[4]), Data: make([]byte, min(int(in[4]), int(in[5]))),
				SYN: in[0]&2 != 0, ACK: in[0]&4 != 0, FIN: in[0]&8 != 0, RST: in[0]&16 != 0,
			}
			c.Add(int(in[0]&1), &s, r)
			in = in[6:]
		}
		c.Flush(r)
		if c.Held() != 0 {
			t.Fatalf("%d bytes are still held after Flush", c.Held())
		}
	})
}

func BenchmarkInOrder(b *testing.B) {
	var c Conn
	var r discard
	data := make([]byte, 1448)
	s := Segment{ACK: true, Data: data, Len: 1448}
	b.SetBytes(1448)
	b.ReportAllocs()
	for b.Loop() {
		c.Add(0, &s, r)
		s.Seq += 1448
	}
}

type discard struct{}

func (discard) Data(int, int64, []byte, At) {}
func (discard) Gap(int, int64)              {}
func (discard) End(int, At)                 {}
