package ber_test

import (
	"strings"
	"testing"

	"shark/dissector/ber"
	"shark/dissector/dissectortest"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		in     string
		size   int
		length int64
		ok     bool
	}{
		{"", 0, 0, true},
		{"\x30", 0, 0, true},
		{"\x30\x05", 2, 5, true},
		{"\x30\x81\x80", 3, 128, true},
		{"\x30\x82\x01", 0, 0, true},
		{"\x30\x84\xff\xff\xff\xff", 6, 1<<32 - 1, true},
		{"\x30\x80", 0, 0, false},                     // indefinite
		{"\x30\x85\x00\x00\x00\x00\x01", 0, 0, false}, // too long
		{"\x3f\x01\x00", 0, 0, false},                 // a tag of several bytes
	} {
		if size, length, ok := ber.Header([]byte(c.in)); size != c.size || length != c.length || ok != c.ok {
			t.Errorf("%x: %d %d %v", c.in, size, length, ok)
		}
	}
}

func TestReader(t *testing.T) {
	r := ber.New([]byte("\x02\x01\x05\x04\x03abc\x30\x00"))
	if e, ok := r.Take(ber.Integer); !ok {
		t.Error("no number")
	} else if n, ok := e.Number(); !ok || n != 5 {
		t.Error(n, ok)
	}
	if _, ok := r.Maybe(ber.Boolean); ok || r.Bad {
		t.Error("a truth value that is not there")
	}
	if e, ok := r.Maybe(ber.OctetString); !ok || string(e.B) != "abc" || e.Cut() {
		t.Error("no text")
	}
	if _, ok := r.Take(ber.Integer); ok || !r.Bad {
		t.Error("a sequence is no number")
	}
}

// TestNumber: one that is negative, empty, longer than four bytes or not at hand is none.
func TestNumber(t *testing.T) {
	for _, c := range []struct {
		in   ber.Reader
		want int64
		ok   bool
	}{
		{ber.New([]byte{0x7f, 0xff, 0xff, 0xff}), 1<<31 - 1, true},
		{ber.New([]byte{0xff}), 0, false},
		{ber.New(nil), 0, false},
		{ber.New(make([]byte, 5)), 0, false},
		{ber.Reader{B: []byte{1}, Left: 2}, 0, false},
	} {
		if n, ok := c.in.Number(); n != c.want || ok != c.ok {
			t.Errorf("%x: %d %v", c.in.B, n, ok)
		}
	}
}

// TestCut: what is not at hand is no error, what does not fit is one.
func TestCut(t *testing.T) {
	whole := "\x04\x03abc\x02\x01\x07"
	for n := range len(whole) {
		r := ber.Reader{B: []byte(whole[:n]), Left: int64(len(whole))}
		for {
			if _, ok := r.Next(); !ok {
				break
			}
		}
		if r.Bad {
			t.Errorf("%d bytes of a sound content are bad", n)
		}
		short := ber.New([]byte(whole[:n]))
		for {
			if _, ok := short.Next(); !ok {
				break
			}
		}
		if short.Bad == (n == 0 || n == 5) {
			t.Errorf("%d bytes: bad is %v", n, short.Bad)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x30\x05\x02\x01\x05\x04\x00"), 9)
	f.Fuzz(func(t *testing.T, b []byte, more int) {
		defer dissectortest.Bounded(t)()
		r := ber.Reader{B: b, Left: int64(len(b)) + int64(more&0xff)}
		seen := new(strings.Builder)
		for {
			e, ok := r.Next()
			if !ok {
				break
			}
			seen.Write(e.B)
			if int64(len(e.B)) > e.Left || r.Left < 0 {
				t.Fatal("more at hand than there is")
			}
		}
		if seen.Len() > len(b) {
			t.Fatal("bytes are seen twice")
		}
	})
}
