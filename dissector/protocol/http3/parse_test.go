package http3

import (
	"errors"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/quic/record"
)

// TestSettings reads SETTINGS, whatever else stands in them, and none that are too long.
func TestSettings(t *testing.T) {
	for name, x := range map[string]struct {
		b    []byte
		want uint64
	}{
		"none":      {nil, 0},
		"one":       {[]byte{0x01, 0x41, 0x00}, 0x100},
		"others":    {[]byte{0x07, 0x10, 0x01, 0x05, 0x33, 0x01}, 5},
		"cut short": {[]byte{0x01, 0x05, 0x07}, 5},
	} {
		if got := capacity(x.b); got != x.want {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
}

// TestNames: codes have the names of the registries, or none; those that say that nothing went
// wrong are no failure.
func TestNames(t *testing.T) {
	for code, want := range map[uint64]string{noError: "H3_NO_ERROR", requestRejected: "H3_REQUEST_REJECTED", 0x202: "QPACK_DECODER_STREAM_ERROR", 0x21: "0x21", 0: "0x0"} {
		if got := errorName(code); got != want {
			t.Errorf("%x is %s, want %s", code, got, want)
		}
	}
	for code, want := range map[uint64]bool{0: true, noError: true, 0x21: true, 0x21 + 0x1f*5: true, 0x102: false, 0x22: false} {
		if harmless(code) != want {
			t.Errorf("%x is harmless: %v", code, !want)
		}
	}
}

// TestLimits: of streams in which one side speaks alone, and of what is kept of them, there is
// a bounded number.
func TestLimits(t *testing.T) {
	p := newParser()
	say := func(b []byte) {
		t.Helper()
		for len(b) > 0 {
			span, err := p.parse(dissector.Client, b, new(dissector.Message))
			if err != nil {
				t.Fatal(err)
			}
			b = b[span:]
		}
	}
	for i := range uint64(100) {
		say(record.AppendData(nil, 4*i+2, record.Place{}, []byte{0x40}, false))
	}
	if n := len(p.sides[dissector.Client].oneWay); n != maxOneWay {
		t.Errorf("%d streams are remembered", n)
	}
	p = newParser()
	say(record.AppendData(nil, 2, record.Place{}, []byte{streamControl, frameSettings, 0x80, 0x10, 0, 0}, false))
	for range 100 {
		say(record.AppendData(nil, 2, record.Place{}, make([]byte, 10000), false))
	}
	if n := cap(p.sides[dissector.Client].oneWay[2].kept); n > maxControl {
		t.Errorf("%d bytes of a frame are kept", n)
	}
}

func FuzzParse(f *testing.F) {
	at := record.Place{Time: 1, Packet: 1}
	head := []byte{frameHeaders, 6, 0, 0, 0xc0 | 17, 0x51, 1, '/'}
	f.Add(
		append(record.AppendData(nil, 2, at, []byte{streamEncoder, 0x3f, 0xbd, 1, 0x41, 'x', 1, 'y'}, false), record.AppendData(nil, 0, at, append(head, frameData, 2, 1, 2), true)...),
		append(record.AppendData(nil, 3, at, []byte{streamControl, frameSettings, 2, 1, 20, frameGoAway, 1, 0}, false), record.AppendData(nil, 0, at, []byte{frameHeaders, 3, 0, 0, 0xc0 | 25}, true)...))
	f.Add(
		append(record.AppendData(nil, 0, at, []byte{frameHeaders, 3, 2, 0, 0x80}, false), record.AppendNumber(nil, record.Reset, 0, at, 0x10c)...),
		append(record.AppendNumber(nil, record.Missing, 0, at, 5), record.AppendNumber(nil, record.Close, 0, at, 0x100)...))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		defer dissectortest.Bounded(t)()
		p := newParser()
		for i, b := range [][]byte{client, server, client, server} {
			from := dissector.Side(i % 2)
			for len(b) > 0 {
				m := &dissector.Message{From: from, Final: i > 1}
				m.Start, m.First = int64(i), uint64(i+1)
				span, err := p.parse(from, b, m)
				if errors.Is(err, dissector.ErrShort) {
					if m.Need <= len(b) {
						t.Fatalf("needs %d, has %d", m.Need, len(b))
					}
					break
				}
				if err != nil {
					b = b[1:]
					continue
				}
				if span <= 0 || span > int64(len(b)) {
					t.Fatalf("span %d of %d", span, len(b))
				}
				if !m.Again {
					b = b[span:]
				}
			}
		}
		if len(p.streams.by) > maxStreams {
			t.Fatalf("%d streams", len(p.streams.by))
		}
	})
}
