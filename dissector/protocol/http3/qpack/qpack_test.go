package qpack

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector/protocol/http/hpack"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode returns the fields of a section, "?" in place of an unknown name.
func decode(d *Decoder, section []byte) (out []string, err error) {
	err = d.Decode(section, func(f *hpack.Field) { out = append(out, show(f)) })
	return out, err
}

func show(f *hpack.Field) string {
	if !f.Known {
		return "?: " + string(f.Value())
	}
	return fmt.Sprintf("%s: %s", f.Name(), f.Value())
}

// TestExamples are those of RFC 9204, appendix B.
func TestExamples(t *testing.T) {
	var d Decoder
	d.Capacity(220)
	for _, x := range []struct {
		encoder, section string
		want             []string
	}{
		{"", "0000 510b 2f69 6e64 6578 2e68 746d 6c", []string{":path: /index.html"}},
		{"3fbd01 c00f 7777772e6578616d706c652e636f6d c10c 2f73616d706c652f70617468", "0381 10 11", []string{":authority: www.example.com", ":path: /sample/path"}},
		{"4a 637573746f6d2d6b6579 0c 637573746f6d2d76616c7565", "", nil},
		{"02", "0500 80 c1 81", []string{":authority: www.example.com", ":path: /", "custom-key: custom-value"}},
		{"81 0d 637573746f6d2d76616c756532", "0600 80", []string{"custom-key: custom-value2"}},
	} {
		d.Instructions(unhex(t, x.encoder))
		if x.section == "" {
			continue
		}
		got, err := decode(&d, unhex(t, x.section))
		if err != nil || !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, %v, want %q", x.section, got, err, x.want)
		}
	}
	if n := len(d.table.entries); n != 4 || d.table.size != 215 {
		t.Errorf("the table has %d entries of %d bytes, want 4 of 215", n, d.table.size)
	}
}

// encoder is the other side of a Decoder.
type encoder struct {
	rng      *rand.Rand
	entries  []string // all there ever were
	capacity int
	oldest   int // that is not evicted
	size     int
	out      []byte // instructions
}

func (e *encoder) number(bits byte, prefix uint, v int) []byte {
	if most := 1<<prefix - 1; v >= most {
		b := []byte{bits | byte(most)}
		for v -= most; v >= 0x80; v >>= 7 {
			b = append(b, byte(v)|0x80)
		}
		return append(b, byte(v))
	}
	return []byte{bits | byte(v)}
}

func (e *encoder) text(bits byte, prefix uint, s string) []byte {
	return append(e.number(bits, prefix, len(s)), s...)
}

// insert adds an entry, in one of the ways, if there is room for it.
func (e *encoder) insert() {
	name, value := fmt.Sprint("n", e.rng.IntN(5)), strings.Repeat("v", e.rng.IntN(40))
	if e.rng.IntN(3) > 0 && len(e.entries) > e.oldest {
		i := e.oldest + e.rng.IntN(len(e.entries)-e.oldest)
		old, oldValue, _ := strings.Cut(e.entries[i], ": ")
		if back := len(e.entries) - 1 - i; e.rng.IntN(2) == 0 {
			name, value = old, oldValue
			e.out = append(e.out, e.number(0, 5, back)...)
		} else {
			name = old
			e.out = append(append(e.out, e.number(0x80, 6, back)...), e.text(0, 7, value)...)
		}
	} else {
		e.out = append(append(e.out, e.text(0x40, 5, name)...), e.text(0, 7, value)...)
	}
	e.entries = append(e.entries, name+": "+value)
	for e.size += len(name) + len(value) + entryOverhead; e.size > e.capacity; e.oldest++ {
		e.size -= len(e.entries[e.oldest]) - 2 + entryOverhead
	}
}

// section returns a field section, and what it says.
func (e *encoder) section() (b []byte, want []string) {
	base := e.oldest + e.rng.IntN(len(e.entries)-e.oldest+1)
	required := 0
	var lines []byte
	for range e.rng.IntN(6) {
		if len(e.entries) == e.oldest || e.rng.IntN(4) == 0 {
			lines, want = append(append(lines, e.text(0x20, 3, "plain-name")...), e.text(0, 7, "x")...), append(want, "plain-name: x")
			continue
		}
		i := e.oldest + e.rng.IntN(len(e.entries)-e.oldest)
		required = max(required, i+1)
		name, _, _ := strings.Cut(e.entries[i], ": ")
		if e.rng.IntN(2) == 0 {
			want = append(want, e.entries[i])
			if i < base {
				lines = append(lines, e.number(0x80, 6, base-1-i)...)
			} else {
				lines = append(lines, e.number(0x10, 4, i-base)...)
			}
			continue
		}
		want = append(want, name+": own")
		if i < base {
			lines = append(lines, e.number(0x40, 4, base-1-i)...)
		} else {
			lines = append(lines, e.number(0, 3, i-base)...)
		}
		lines = append(lines, e.text(0, 7, "own")...)
	}
	if required == 0 {
		return append([]byte{0, 0}, lines...), want
	}
	b = e.number(0, 8, required%(2*(e.capacity/entryOverhead))+1)
	if base >= required {
		b = append(b, e.number(0, 7, base-required)...)
	} else {
		b = append(b, e.number(0x80, 7, required-base-1)...)
	}
	return append(b, lines...), want
}

// TestWhatWasEncoded: whatever the pieces that the encoder's stream comes in, all sections are
// as they were encoded. One that is ahead of the stream waits for it. Behind a loss, fields are
// unknown, and none is wrong.
func TestWhatWasEncoded(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		e := &encoder{rng: rng, capacity: 100 + rng.IntN(400)}
		e.out = e.number(0x20, 5, e.capacity)
		var d Decoder
		d.Capacity(uint64(e.capacity))
		lost, sent := false, 0
		for range 60 {
			for range rng.IntN(4) {
				e.insert()
			}
			section, want := e.section()
			if !lost && rng.IntN(100) == 0 {
				d.Lose()
				lost = true
			}
			got, err := decode(&d, section)
			for err == ErrBlocked && len(got) == 0 && sent < len(e.out) {
				piece := min(1+rng.IntN(9), len(e.out)-sent)
				d.Instructions(e.out[sent : sent+piece])
				sent += piece
				got, err = decode(&d, section)
			}
			check(t, seed, got, want, err, lost)
			d.Instructions(e.out[sent:]) // before an encoder evicts what the section refers to
			sent = len(e.out)
		}
	}
}

func check(t *testing.T, seed uint64, got, want []string, err error, lost bool) {
	t.Helper()
	if err != nil || len(got) != len(want) {
		t.Fatalf("seed %d: %q, %v, want %q", seed, got, err, want)
	}
	for i := range got {
		name, value, _ := strings.Cut(got[i], ": ")
		if got[i] != want[i] && (!lost || name != "?" || value != "" && !strings.HasSuffix(want[i], ": "+value)) {
			t.Fatalf("seed %d: field %d is %q, want %q", seed, i, got[i], want[i])
		}
	}
}

// TestKnown: who cannot wait gets what is known, and the rest as unknown.
func TestKnown(t *testing.T) {
	var d Decoder
	d.Capacity(220)
	d.Instructions([]byte("\x3f\xbd\x01\x41a\x01b"))
	section := []byte("\x03\x00\x81\x80\xd1")
	if _, err := decode(&d, section); err != ErrBlocked {
		t.Fatalf("%v, want that it is blocked", err)
	}
	var got []string
	err := d.DecodeKnown(section, func(f *hpack.Field) { got = append(got, show(f)) })
	if want := []string{"a: b", "?: ", ":method: GET"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestLimits: tables and instructions are kept up to the limits, and what was not kept is
// unknown.
func TestLimits(t *testing.T) {
	var d Decoder
	d.Capacity(1 << 30)
	e := &encoder{capacity: 1 << 20}
	d.Instructions(e.number(0x20, 5, 1<<20))
	entry := append(e.text(0x40, 5, "name"), e.text(0, 7, strings.Repeat("v", 1000))...)
	const n = 200
	for range n {
		d.Instructions(entry)
	}
	if d.table.size > MaxTableSize || cap(d.rest) > maxInstruction {
		t.Errorf("%d bytes of the table and %d of an instruction are kept", d.table.size, cap(d.rest))
	}
	section := append(append(e.number(0, 8, n+1), 0), append(e.number(0x80, 6, 0), e.number(0x80, 6, n-1)...)...)
	got, err := decode(&d, section)
	if err != nil || len(got) != 2 || len(got[0]) < 1000 || got[1] != "?: " {
		t.Errorf("%d fields, %v", len(got), err)
	}
	long := e.number(0x40, 5, 2*maxInstruction)
	d.Instructions(long)
	for range maxInstruction/1000 + 2 {
		d.Instructions(make([]byte, 1000))
	}
	if !d.lost || len(d.rest) > 0 {
		t.Errorf("an instruction that is too long is kept: %d bytes", len(d.rest))
	}
}

// TestRefuses: sections that cannot be give an error, and no field that is wrong.
func TestRefuses(t *testing.T) {
	for name, section := range map[string]string{
		"nothing":                       "",
		"no base":                       "\x00",
		"an entry of no table":          "\x00\x00\xff\x30",
		"a dynamic entry without count": "\x00\x00\x80",
		"a count that is too large":     "\x10\x00\x80",
		"a base that is too low":        "\x02\x8f\x80",
		"half a literal":                "\x00\x00\x23ab",
	} {
		var d Decoder
		d.Capacity(220)
		d.Instructions([]byte("\x3f\xbd\x01\x41a\x01b"))
		if got, err := decode(&d, []byte(section)); err == nil || err == ErrBlocked {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzQPACK(f *testing.F) {
	f.Add([]byte("\x3f\xbd\x01\xc0\x0fwww.example.com\xc1\x0c/sample/path"), []byte("\x03\x81\x10\x11"), uint64(220))
	f.Add([]byte("\x3f\xbd\x01\x41a\x01b\x00\x80\x01c"), []byte("\x05\x00\x80\xc1\x81\x50\x01x\x00\x01y"), uint64(220))
	f.Fuzz(func(t *testing.T, instructions, section []byte, capacity uint64) {
		var d Decoder
		d.Capacity(capacity)
		half := len(instructions) / 2
		d.Instructions(instructions[:half])
		d.Instructions(instructions[half:])
		size := 0
		for _, decode := range []func([]byte, func(*hpack.Field)) error{d.Decode, d.DecodeKnown} {
			size = 0
			if err := decode(section, func(f *hpack.Field) { size += f.Size(); _ = show(f) }); err == ErrBlocked && size > 0 {
				t.Fatal("fields of a section that is blocked")
			}
		}
		if size > hpack.MaxListSize || d.table.size > MaxTableSize {
			t.Fatalf("%d bytes of fields, %d of the table", size, d.table.size)
		}
	})
}
