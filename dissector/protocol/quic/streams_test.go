package quic

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"shark/dissector/protocol/quic/record"
)

// frame is a STREAM frame.
type frame struct {
	id, offset uint64
	data       []byte
	fin        bool
}

// framesOf cuts the bytes of a stream into frames.
func framesOf(rng *rand.Rand, id uint64, b []byte) (out []frame) {
	for at := 0; ; {
		n := min(1+rng.IntN(50), len(b)-at)
		out = append(out, frame{id, uint64(at), b[at : at+n], at+n == len(b)})
		if at += n; at == len(b) {
			return out
		}
	}
}

// heardOf is what the records say of the streams: their bytes, with ~ for each that is missing,
// and $ where they end.
func heardOf(t *testing.T, heard map[uint64][]byte, out []byte) {
	for len(out) > 0 {
		r, n, ok := record.Read(out)
		if !ok {
			t.Fatalf("no whole record at %x", out)
		}
		b := heard[r.Stream]
		if bytes.HasSuffix(b, []byte("$")) {
			t.Fatalf("stream %d goes on behind its end", r.Stream)
		}
		b = append(b, r.Data...)
		switch r.Kind {
		case record.Last:
			b = append(b, '$')
		case record.Missing:
			b = append(b, bytes.Repeat([]byte("~"), int(r.Number))...)
		}
		heard[r.Stream] = b
		out = out[n:]
	}
}

// TestStreams: whatever the order and the pieces that the bytes of streams come in, and however
// often, each stream is told whole, once and in order. Of what was lost the size is told.
func TestStreams(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var all []frame
		want := make(map[uint64][]byte)
		for i := range uint64(1 + rng.IntN(5)) {
			b := make([]byte, rng.IntN(400))
			for k := range b {
				b[k] = 'a' + byte(k%26)
			}
			all = append(all, framesOf(rng, 4*i, b)...)
			all = append(all, framesOf(rng, 4*i, b)...) // cut elsewhere
			want[4*i] = append(bytes.Clone(b), '$')
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		lossy := seed%3 == 0
		var s streams
		heard := make(map[uint64][]byte)
		for i, f := range all {
			if lossy && rng.IntN(3) == 0 {
				continue
			}
			s.fresh(record.Place{Packet: uint64(i)})
			s.add(f.id, f.offset, f.data, f.fin)
			heardOf(t, heard, s.out)
		}
		if lossy { // what waits is given up in time
			for id := range want {
				s.fresh(record.Place{Time: maxWait + 1})
				s.add(id, 1<<40, []byte("!"), false)
				heardOf(t, heard, s.out)
			}
		}
		for id, b := range want {
			compare(t, fmt.Sprintf("seed %d, stream %d", seed, id), heard[id], b, lossy)
		}
		if !lossy && (s.held > 0 || len(s.open) > 0) {
			t.Fatalf("seed %d: %d bytes of %d streams are kept", seed, s.held, len(s.open))
		}
	}
}

// compare holds what was heard of a stream against its bytes.
func compare(t *testing.T, what string, got, want []byte, lossy bool) {
	t.Helper()
	if !lossy {
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
		return
	}
	for i, c := range got[:min(len(got), len(want))] {
		if c != '~' && c != want[i] {
			t.Fatalf("%s: byte %d is %c, want %c", what, i, c, want[i])
		}
	}
}

// TestStreamsKeepTheirLimits: what waits is bounded by bytes, by runs and by time, and so is how
// many streams are open; those in which one side speaks alone stay.
func TestStreamsKeepTheirLimits(t *testing.T) {
	var s streams
	chunk := make([]byte, 1000)
	for i := range uint64(1000) {
		s.fresh(record.Place{})
		s.add(4*(i%10), 10+2000*(i/10), chunk, false)
		if s.held > maxHeld+len(chunk) {
			t.Fatalf("%d bytes wait", s.held)
		}
	}
	s = streams{}
	for i := range uint64(maxChunks + 2) {
		s.fresh(record.Place{})
		s.add(0, 1+2*i, []byte("x"), false)
	}
	if n := len(s.open[0].pieces); n > maxChunks {
		t.Errorf("%d runs of bytes wait", n)
	}
	s = streams{}
	s.add(0, 5, []byte("x"), false)
	s.fresh(record.Place{Time: maxWait + 1})
	s.add(0, 7, []byte("y"), false)
	heard := make(map[uint64][]byte)
	if heardOf(t, heard, s.out); string(heard[0]) != "~~~~~x" {
		t.Errorf("%q", heard[0])
	}
	s = streams{}
	s.add(2, 0, []byte("c"), false)
	for i := range uint64(3 * maxStreams) {
		s.add(4*i, 0, []byte("x"), false)
		if len(s.open) > maxStreams {
			t.Fatalf("%d streams are open", len(s.open))
		}
	}
	s.fresh(record.Place{})
	s.add(0, 1, []byte("x"), false) // it is forgotten
	s.add(2, 1, []byte("c"), false)
	heard = make(map[uint64][]byte)
	if heardOf(t, heard, s.out); len(heard) != 1 || string(heard[2]) != "c" {
		t.Errorf("%v", heard)
	}
}

// TestLapse: when the client has moved, streams of which something was told say so.
func TestLapse(t *testing.T) {
	var s streams
	s.add(0, 0, []byte("x"), false)
	s.add(8, 0, []byte("x"), false)
	s.lapsed = true
	at := record.Place{Packet: 3}
	s.fresh(at)
	want := record.AppendNumber(nil, record.Lapse, 0, at, 0)
	want = record.AppendNumber(want, record.Lapse, 8, at, 0)
	if !bytes.Equal(s.out, want) {
		t.Errorf("%x, want %x", s.out, want)
	}
}
