package hpack

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector/dissectortest"
)

// decode returns the fields of a block as "name: value" lines, "?" for unknown.
func decode(t testing.TB, d *Decoder, block []byte) []string {
	t.Helper()
	var got []string
	err := d.Decode(block, func(f *Field) {
		if !f.Known {
			got = append(got, "?")
			return
		}
		got = append(got, string(f.Name())+": "+string(f.Value()))
	})
	if err != nil {
		t.Fatalf("block %x: %v", block, err)
	}
	return got
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type example struct {
	block string
	want  []string
	size  int // of the table afterwards
}

// The examples of RFC 7541, appendix C.
func TestExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		steps []example
	}{
		{"C.2.1 literal with indexing", 4096, []example{{
			"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
			[]string{"custom-key: custom-header"},
			55,
		}}},
		{"C.2.2 literal without indexing", 4096, []example{{
			"040c 2f73 616d 706c 652f 7061 7468", []string{":path: /sample/path"}, 0,
		}}},
		{"C.2.3 literal never indexed", 4096, []example{{
			"1008 7061 7373 776f 7264 0673 6563 7265 74", []string{"password: secret"}, 0,
		}}},
		{"C.2.4 indexed", 4096, []example{{"82", []string{":method: GET"}, 0}}},
		{"C.3 requests", 4096, []example{
			{
				"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
				[]string{":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"},
				57,
			},
			{
				"8286 84be 5808 6e6f 2d63 6163 6865",
				[]string{":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"},
				110,
			},
			{
				"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
				[]string{":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"},
				164,
			},
		}},
		{"C.4 requests, Huffman", 4096, []example{
			{
				"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
				[]string{":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"},
				57,
			},
			{
				"8286 84be 5886 a8eb 1064 9cbf",
				[]string{":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"},
				110,
			},
			{
				"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
				[]string{":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"},
				164,
			},
		}},
		{"C.6 responses, Huffman, evictions", 256, []example{
			{
				"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
				[]string{":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"},
				222,
			},
			{
				"4883 640e ffc1 c0bf",
				[]string{":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"},
				222,
			},
			{
				"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
				[]string{":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT", "location: https://www.example.com", "content-encoding: gzip", "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"},
				215,
			},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			d.Begin()
			d.table.resize(c.limit)
			for _, s := range c.steps {
				if got := decode(t, &d, unhex(t, s.block)); !slices.Equal(got, s.want) {
					t.Errorf("got %q\nwant %q", got, s.want)
				}
				if d.table.size != s.size {
					t.Errorf("table is %d bytes, want %d", d.table.size, s.size)
				}
			}
		})
	}
}

func TestMalformedBlocks(t *testing.T) {
	for _, c := range []struct {
		name, block string
		want        error
	}{
		{"index 0", "80", errIndexZero},
		{"name cut", "400a 6375", ErrTruncated},
		{"value absent", "41", ErrTruncated},
		{"number cut", "ff", ErrTruncated},
		{"number too large", "ff ff ff ff ff 7f", errInteger},
		{"number without end", "ff 80 80 80 80 80 80 80", errInteger},
		{"padding of 8 bits", "4181 ff", errHuffman},
		{"padding of zeros", "4181 00", errHuffman},
		{"end of string inside", "4184 ffff ffff", errHuffman},
		{"size update after a field", "82 3e", errSizeUpdate},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			err := d.Decode(unhex(t, c.block), func(*Field) {})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A small block must not expand without end.
func TestBombIsStopped(t *testing.T) {
	e := encoder{}
	block := e.appendLiteral(nil, "x", strings.Repeat("v", 4000))
	block = append(block, bytes.Repeat([]byte{0x80 | 62}, 10000)...)
	var d Decoder
	d.Begin()
	total := 0
	err := d.Decode(block, func(f *Field) { total += len(f.Name()) + len(f.Value()) })
	if !errors.Is(err, ErrTooLarge) || total > MaxListSize {
		t.Errorf("%d bytes and error %v", total, err)
	}
	if d.at(62).Known {
		t.Error("the table is still trusted")
	}
}

func TestTableMemoryIsBounded(t *testing.T) {
	var d Decoder // joined late: nothing limits the table but MaxTableSize
	for i := range 20000 {
		e := encoder{}
		if err := d.Decode(e.appendLiteral(nil, "n", strings.Repeat("v", i%500)), func(*Field) {}); err != nil {
			t.Fatal(err)
		}
		if d.table.size > MaxTableSize || len(d.table.data) > 3*MaxTableSize || len(d.table.entries) > 8192 {
			t.Fatalf("after %d: size %d, data %d, entries %d", i, d.table.size, len(d.table.data), len(d.table.entries))
		}
	}
}

// A decoder that joins late, or that misses blocks, never gives a wrong field,
// and knows each field that can be known.
func TestJoinedLate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		e := encoder{limit: DefaultTableSize, huffman: round%2 == 0}
		if round%3 == 0 {
			e.limit = 200 // many evictions
		}
		var whole, late Decoder
		whole.Begin()
		whole.table.resize(e.limit)
		join := rnd.IntN(20)
		for n := range 40 {
			e.known = e.known[:0]
			if e.watched = n >= join && n%13 != 12; !e.watched {
				e.lose()
			}
			var want []string
			var block []byte
			for range rnd.IntN(8) {
				name, value := fmt.Sprintf("name-%d", rnd.IntN(6)), fmt.Sprintf("v%d", rnd.IntN(5))
				if rnd.IntN(4) == 0 {
					name, value = ":method", "GET"
				}
				block = e.append(block, name, value, rnd.IntN(3))
				want = append(want, name+": "+value)
			}
			if got := decode(t, &whole, block); !slices.Equal(got, want) {
				t.Fatalf("whole: got %q, want %q", got, want)
			}
			if !e.watched {
				late.Lose()
				continue
			}
			for i, known := range e.known {
				if !known {
					want[i] = "?"
				}
			}
			if got := decode(t, &late, block); !slices.Equal(got, want) {
				t.Fatalf("late: got %q, want %q", got, want)
			}
		}
	}
}

func FuzzHPACK(f *testing.F) {
	f.Add([]byte{0x82, 0x86, 0x84, 0xbe}, []byte{0x48, 0x82, 0x64, 0x02})
	f.Add(unhex(f, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), unhex(f, "8286 84be 5886 a8eb 1064 9cbf"))
	f.Add([]byte{0x3f, 0xe1, 0x1f, 0x40, 0, 0}, []byte{0x20, 0x7e, 0x81, 0xff})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		defer dissectortest.Bounded(t)()
		var begun, late Decoder
		begun.Begin()
		var all, some []string
		keep := func(to *[]string) func(*Field) {
			return func(f *Field) {
				s := "?"
				if f.Known {
					s = string(f.Name()) + ": " + string(f.Value())
				}
				*to = append(*to, s)
			}
		}
		if begun.Decode(first, func(*Field) {}) != nil {
			return
		}
		err := begun.Decode(second, keep(&all))
		// An entry that only a wrong encoder refers to, evicted in one table and kept in the
		// other, may be known in either, and be too large in that.
		lateErr := late.Decode(second, keep(&some))
		if err == nil && lateErr != nil && !(lateErr == ErrTooLarge && slices.Contains(all, "?")) {
			t.Fatalf("late decoder fails: %v", lateErr)
		}
		if err != nil {
			return
		}
		for i := range some {
			if some[i] != all[i] && some[i] != "?" && all[i] != "?" {
				t.Fatalf("late decoder says %q, want %q", some[i], all[i])
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	e := encoder{limit: DefaultTableSize, huffman: true}
	var block []byte
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/shop.Cart/AddItem"}, {":authority", "cart.shop.svc:50051"}, {"content-type", "application/grpc"}, {"user-agent", "grpc-go/1.72.0"}, {"te", "trailers"}} {
		block = e.append(block, h[0], h[1], 2)
	}
	var d Decoder
	d.Begin()
	n := 0
	emit := func(f *Field) { n += len(f.Value()) }
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(block, emit); err != nil {
			b.Fatal(err)
		}
	}
}
