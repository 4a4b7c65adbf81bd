package pcapng

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"shark/packet"
)

// Usual record headers read at once and one by one give the same packets and the same
// damage, of sound and of spoilt files.
func TestUsualRecordsAreTheSame(t *testing.T) {
	sound := samplePcap(300, 400, false)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		b := slices.Clone(sound)
		for range rng.IntN(4) {
			b[pcapHeader+rng.IntN(len(b)-pcapHeader)] = byte(rng.IntN(256))
		}
		if rng.IntN(3) == 0 {
			b = b[:pcapHeader+rng.IntN(len(b)-pcapHeader)]
		}
		all := func(usual bool) (recs []packet.Record, damage []packet.Damage) {
			r, err := NewReader(bytes.NewReader(b), "x")
			if err != nil {
				t.Fatal(err)
			}
			p := r.format.(*pcapFile)
			if !p.usual {
				t.Fatal("the sample is not usual")
			}
			p.usual = usual
			batch := packet.Batch{Records: make([]packet.Record, 0, 1+rng.IntN(200))}
			for r.ReadBatch(&batch) == nil {
				for _, rec := range batch.Records {
					rec.Data = slices.Clone(rec.Data)
					recs = append(recs, rec)
				}
			}
			return recs, r.Damage()
		}
		got, damage := all(true)
		want, wantDamage := all(false)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(damage, wantDamage) {
			t.Fatalf("%d packets, damage %v, want %d, %v", len(got), damage, len(want), wantDamage)
		}
	}
}

// A file for which room is reserved has what another has, behind what was in it before,
// and keeps nothing that it does not need.
func TestReserve(t *testing.T) {
	data := make([]byte, 60_000)
	rec := packet.Record{Data: data, OrigLen: uint32(len(data)), Link: 1}
	fill := func(out io.Writer, o Options) {
		w, err := NewWriter(out, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 400 { // 24 MB
			rec.Time = int64(i)
			if err := w.Write(&rec, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bytes.NewBufferString("before")
	if _, err := f.WriteString("before"); err != nil {
		t.Fatal(err)
	}
	o := Options{Format: Pcap, Window: 1 << 20}
	fill(want, o)
	o.Reserve = true
	fill(f, o)
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%d bytes, %v, want %d", len(got), err, want.Len())
	}
	if room := allocated(t, f); room > int64(len(got))+1<<20 {
		t.Errorf("the file of %d bytes takes %d on the disk", len(got), room)
	}
}
