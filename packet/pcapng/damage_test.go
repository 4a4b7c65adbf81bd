package pcapng

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"shark/packet"
	"shark/packet/pcapng/every"
)

// ends returns where each packet of a sample ends in the file.
func ends(b []byte, recs []packet.Record) []int {
	var at []int
	pos := 0
	for i := range recs {
		n := bytes.Index(b[pos:], recs[i].Data)
		pos += n + len(recs[i].Data)
		at = append(at, pos)
	}
	return at
}

func TestPcapResynchronises(t *testing.T) {
	for _, big := range []bool{false, true} {
		b := samplePcap(100, 400, big)
		want, _ := read(t, b)
		at := ends(b, want)
		length := at[39] + 8 // of packet 41
		for name, spoil := range map[string]func([]byte){
			"length too large": func(b []byte) { b[length], b[length+3] = 0x7f, 0x7f },
			"header of zeros":  func(b []byte) { clear(b[at[39] : at[39]+16]) },
			"length a little too large": func(b []byte) {
				clear(b[length : length+4])
				b[length+1], b[length+2] = 3, 3 // 768 and more in either order
			},
		} {
			b := slices.Clone(b)
			spoil(b)
			got, r := read(t, b)
			if len(r.Damage()) != 1 || len(got) < 96 {
				t.Errorf("%s: %d packets, damage %v", name, len(got), r.Damage())
				continue
			}
			sameRecords(t, got[:40], want[:40])
			last := got[len(got)-1]
			if !bytes.Equal(last.Data, want[99].Data) {
				t.Errorf("%s: the last packet is lost", name)
			}
		}
	}
}

// Without a chain of records to prove a place, the rest is lost, not guessed.
func TestPcapWithoutProofIsLost(t *testing.T) {
	b := samplePcap(40, 400, false)
	want, _ := read(t, b)
	at := ends(b, want)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := at[19]; i < len(b); i++ {
		b[i] = byte(rng.Uint32())
	}
	b[at[19]+11] = 0xff
	got, r := read(t, b)
	sameRecords(t, got, want[:20])
	if d := r.Damage(); len(d) != 1 || d[0].Offset != int64(at[19]) || d[0].Lost != int64(len(b)-at[19]) {
		t.Errorf("damage %v", d)
	}
}

func TestTrailingZerosAreNoPackets(t *testing.T) {
	for name, b := range map[string][]byte{"pcap": samplePcap(30, 100, false), "pcapng": sampleNg(30, 100)} {
		for _, zeros := range []int{1, 7, 16, 4096, readSize + 99} {
			got, r := read(t, append(slices.Clone(b), make([]byte, zeros)...))
			if len(got) != 30 {
				t.Errorf("%s, %d zeros: %d packets", name, zeros, len(got))
			}
			if d := r.Damage(); len(d) != 1 || d[0].Offset != int64(len(b)) || d[0].Lost != int64(zeros) {
				t.Errorf("%s, %d zeros: damage %v", name, zeros, d)
			}
		}
	}
}

func TestPcapngResynchronises(t *testing.T) {
	b := sampleNg(100, 400) // packet 41 is in a little-endian section, 61 in a big-endian one
	want, _ := read(t, b)
	at := ends(b, want)
	for _, c := range []struct {
		name    string
		packet  int // before which to spoil
		spoil   func(block []byte)
		packets int
		damage  int
	}{
		{"first length", 41, func(b []byte) { b[4] ^= 0x55 }, 99, 1},
		{"huge first length", 41, func(b []byte) { b[7] = 0x7f }, 99, 1},
		{"second length", 41, func(b []byte) { b[int(binary.LittleEndian.Uint32(b[4:]))-1] = 9 }, 100, 1},
		{"type", 41, func(b []byte) { b[2] = 1 }, 99, 0}, // an unknown block is no damage
		{"captured length", 41, func(b []byte) { b[22] = 1 }, 99, 1},
		{"interface", 41, func(b []byte) { b[8] = 2 }, 99, 1},
		{"big-endian length", 61, func(b []byte) { b[7] ^= 4 }, 99, 1},
		{"section header", 50, func(b []byte) { b[8] = 9 }, 0, 1},
	} {
		b := slices.Clone(b)
		block := (at[c.packet-2]+3)&^3 + 4
		c.spoil(b[block:])
		got, r := read(t, b)
		if len(r.Damage()) != c.damage {
			t.Errorf("%s: damage %v", c.name, r.Damage())
		}
		if c.packets > 0 && len(got) != c.packets {
			t.Errorf("%s: %d packets, damage %v", c.name, len(got), r.Damage())
		}
		for i := range c.packet - 1 {
			if !sameRecord(&got[i], &want[i]) {
				t.Fatalf("%s: packet %d changed", c.name, i+1)
			}
		}
	}
}

// A packet that holds a capture file must not become its packets, neither where
// the file is cut in it nor elsewhere.
func TestPacketsInsidePacketsAreNotRead(t *testing.T) {
	inner := sampleNg(20, 60)
	e := newEncoder(false)
	e.section(1)
	e.iface(1, 0, nil)
	e.packet(0, start*1e6, 10, []byte("first"), nil)
	e.packet(0, start*1e6, uint32(len(inner)), inner, nil)
	b := e.Bytes()
	if got, r := read(t, b); len(got) != 2 || len(r.Damage()) > 0 {
		t.Errorf("%d packets, damage %v", len(got), r.Damage())
	}
	if got, r := read(t, b[:len(b)-40]); len(got) != 1 || len(r.Damage()) != 1 {
		t.Errorf("cut: %d packets, damage %v", len(got), r.Damage())
	}

	innerPcap := samplePcap(20, 60, false)
	e = newEncoder(false)
	e.pcapHeader(magicMicro, 65535, 1)
	e.record(start, 0, 5, []byte("first"))
	e.record(start, 0, uint32(len(innerPcap)), innerPcap)
	b = e.Bytes()
	if got, r := read(t, b[:len(b)-10]); len(got) != 1 || len(r.Damage()) != 1 {
		t.Errorf("pcap cut: %d packets, damage %v", len(got), r.Damage())
	}
}

func TestSectionsOfUnknownVersionsArePassedOver(t *testing.T) {
	part := func(version uint16) []byte {
		e := newEncoder(false)
		e.section(version)
		e.iface(1, 0, nil)
		for i := range uint64(10) {
			e.packet(0, i, 4, []byte("data"), nil)
		}
		return e.Bytes()
	}
	got, r := read(t, slices.Concat(part(1), part(2), part(1)))
	if len(got) != 20 || len(r.Damage()) != 2 {
		t.Errorf("%d packets, damage %v", len(got), r.Damage())
	}
}

func TestDamageListIsBounded(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	for range 3 * maxDamage {
		e.packet(7, 0, 4, []byte("data"), nil) // of no interface
	}
	_, r := read(t, e.Bytes())
	d := r.Damage()
	if len(d) != maxDamage || d[maxDamage-1].Lost != int64(2*maxDamage+1)*36 {
		t.Errorf("%d places, last %+v", len(d), d[len(d)-1])
	}
}

func TestInterfacesAreBounded(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	e.iface(1, 0, nil)
	idb := slices.Clone(lastBlock(e.Bytes()))
	_, r := read(t, slices.Concat(e.Bytes(), bytes.Repeat(idb, maxInterfaces+5)))
	if len(r.Interfaces()) != maxInterfaces || len(r.Damage()) != 6 {
		t.Errorf("%d interfaces, %d places of damage", len(r.Interfaces()), len(r.Damage()))
	}
}

func TestMetadataIsBounded(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	secret := newEncoder(false)
	secret.block(blockSecrets, func(b *encoder) { b.u32(SecretTLS, 8<<20); b.Write(make([]byte, 8<<20)) })
	_, r := read(t, slices.Concat(e.Bytes(), bytes.Repeat(secret.Bytes(), 10)))
	if n := len(r.Secrets()); n != 7 || len(r.Damage()) != 3 {
		t.Errorf("%d secrets, damage %v", n, r.Damage())
	}
}

func TestIdentityIsBounded(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	lines := bytes.Repeat([]byte("{}\n"), MaxIdentity/3)
	block := AppendIdentity(nil, lines)
	if len(block) > maxRecord {
		t.Fatalf("a block of %d bytes", len(block))
	}
	_, r := read(t, slices.Concat(e.Bytes(), bytes.Repeat(block, 18)))
	if n := len(r.Identity()); n != 16 || len(r.Damage()) != 2 {
		t.Errorf("%d blocks, damage %v", n, r.Damage())
	}
	_, r = read(t, slices.Concat(e.Bytes(), AppendIdentity(nil, []byte("{}\n"))[:20], block[20:]))
	if len(r.Damage()) == 0 {
		t.Error("an identity block with the length of another is no damage")
	}
}

// Cut anywhere, a capture gives every packet that is whole and nothing else.
func TestEveryCut(t *testing.T) {
	for name, b := range map[string][]byte{"pcap": samplePcap(30, 90, true), "pcapng": sampleNg(60, 40)} {
		want, _ := read(t, b)
		at := ends(b, want)
		for n := 24; n < len(b); n++ {
			got, r := read(t, b[:n])
			whole, _ := slices.BinarySearch(at, n+1)
			if name == "pcapng" { // the block's padding and second length are part of it
				whole = len(at)
				for i := range at {
					if (at[i]+3)&^3+4 > n {
						whole = i
						break
					}
				}
			}
			if len(got) != whole {
				t.Fatalf("%s cut at %d: %d packets, want %d; damage %v", name, n, len(got), whole, r.Damage())
			}
			sameRecords(t, got, want[:whole])
		}
	}
}

// With any bytes changed, every packet before the first of them comes out
// unchanged, and the reader stays within its bounds.
func TestChangedBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for name, b := range map[string][]byte{"pcap": samplePcap(150, 200, false), "pcapng": sampleNg(150, 200)} {
		want, _ := read(t, b)
		at := ends(b, want)
		after := 0
		const rounds = 600
		for range rounds {
			spoiled := slices.Clone(b)
			first := len(b)
			for range 1 + rng.IntN(3) {
				i := 24 + rng.IntN(len(b)-24)
				spoiled[i] ^= byte(1 + rng.IntN(255))
				first = min(first, i)
			}
			if rng.IntN(4) == 0 { // or some bytes missing
				i := 24 + rng.IntN(len(b)-60)
				spoiled = slices.Delete(spoiled, i, i+1+rng.IntN(30))
				first = min(first, i)
			}
			got, _ := read(t, spoiled)
			sound := 0
			for sound < len(at) && (at[sound]+3)&^3+4 <= first {
				sound++
			}
			if len(got) < sound {
				t.Fatalf("%s changed at %d: %d packets, %d are before it", name, first, len(got), sound)
			}
			sameRecords(t, got[:sound], want[:sound])
			if len(got) > 0 && bytes.Equal(got[len(got)-1].Data, want[len(want)-1].Data) {
				after++
			}
			if limit := len(b)/recordHeader + 1; len(got) > limit {
				t.Fatalf("%s: %d packets of %d bytes", name, len(got), len(b))
			}
		}
		if after < rounds*9/10 {
			t.Errorf("%s: only %d of %d times the end was found again", name, after, rounds)
		}
		t.Logf("%s: the end was found again %d of %d times", name, after, rounds)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(every.File(false))
	f.Add(every.File(true))
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), "fuzz")
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		defer r.Close()
		recs, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		interfaces := uint32(len(r.Interfaces()))
		for i, rec := range recs {
			if rec.Number != uint64(i+1) || rec.Interface >= interfaces || rec.OrigLen < uint32(len(rec.Data)) {
				t.Fatalf("packet %d: %+v of %d interfaces", i+1, rec, interfaces)
			}
			comments(&rec)
		}
		rewrite(t, recs, r)
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rewrite writes what a reader gave to pcapng, and expects to read the same.
func rewrite(t *testing.T, recs []packet.Record, r *Reader) {
	var out bytes.Buffer
	w, err := NewWriter(&out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteNames(r.Names()); err != nil {
		t.Fatal(err)
	}
	for i := range recs {
		if err := w.Write(&recs[i], r.Interfaces()); err != nil {
			t.Fatal(err)
		}
	}
	list := slices.Clone(r.Asides())
	slices.SortStableFunc(list, func(a, b Aside) int { return cmp.Compare(btoi(b.IsStatistics()), btoi(a.IsStatistics())) })
	for i := range list {
		if err := w.WriteAside(&list[i], r.Interfaces()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, r2 := read(t, out.Bytes())
	if got := r2.Asides(); !slices.EqualFunc(got, list, func(a, b Aside) bool { return a.Type == b.Type && bytes.Equal(a.Body, b.Body) }) {
		t.Fatalf("beside packets there is %+v, was %+v", got, list)
	}
	if len(again) != len(recs) || len(r2.Damage()) > 0 {
		t.Fatalf("%d packets of %d, damage %v", len(again), len(recs), r2.Damage())
	}
	for i := range recs {
		a, b := &recs[i], &again[i]
		if !bytes.Equal(a.Data, b.Data) || a.OrigLen != b.OrigLen || a.Link != b.Link || max(a.Time, 0) != b.Time {
			t.Fatalf("packet %d is %+v, was %+v", i+1, b, a)
		}
		if !slices.Equal(comments(a), comments(b)) {
			t.Fatalf("packet %d: comments %q, were %q", i+1, comments(b), comments(a))
		}
	}
}
