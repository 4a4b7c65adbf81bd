package pcapng

import (
	"bytes"
	"slices"
	"testing"

	"shark/packet"
)

// What a packet says of offloads comes through a file, and a file of the other byte order.
func TestOffload(t *testing.T) {
	for _, c := range []struct {
		o    Offload
		want []byte // options
	}{
		{Offload{}, nil},
		{Offload{NoChecksum: true}, []byte{2, 0, 4, 0, 0, 2, 0, 0}},
		{Offload{NoChecksum: true, Segments: TCP4Segments, SegmentSize: 1448}, []byte{2, 0, 4, 0, 0, 0x0a, 0, 0, 0x67, 0xf3, 4, 0, 1, 0, 0xa8, 5}},
		{Offload{Segments: TCP6Segments, SegmentSize: 1428}, []byte{2, 0, 4, 0, 0, 8, 0, 0, 0x67, 0xf3, 4, 0, 4, 0, 0x94, 5}},
		{Offload{Segments: UDPSegments, SegmentSize: 1200}, []byte{0x67, 0xf3, 4, 0, 5, 0, 0xb0, 4}},
	} {
		rec := packet.Record{Data: []byte{1, 2, 3}, OrigLen: 3, Link: 1, Options: c.o.AppendOptions(nil)}
		if !bytes.Equal(rec.Options, c.want) {
			t.Errorf("%+v: %x, want %x", c.o, rec.Options, c.want)
		}
		if got := OffloadOf(&rec); got != c.o {
			t.Errorf("%+v is read as %+v", c.o, got)
		}
		big := slices.Clone(rec.Options)
		for at := 0; at < len(big); at += 8 {
			code := load16(big[at:], false)
			swap(big[at : at+2])
			swap(big[at+2 : at+4])
			swapOption(blockPacket, code, big[at+4:at+8])
		}
		other := packet.Record{Data: rec.Data, OrigLen: 3, Link: 1, Options: big, OptionsBigEndian: true}
		if got := OffloadOf(&other); got != c.o {
			t.Errorf("%+v, big-endian, is read as %+v", c.o, got)
		}
		file := AppendSection(nil, &Options{})
		file = AppendInterface(file, &packet.Interface{Link: 1}, Nanoseconds)
		for _, r := range []*packet.Record{&rec, &other} {
			file = AppendPacket(file, 0, r)
		}
		in, err := NewReader(bytes.NewReader(file), "offloads")
		if err != nil {
			t.Fatal(err)
		}
		var b packet.Batch
		if err := in.ReadBatch(&b); err != nil || len(b.Records) != 2 {
			t.Fatalf("%d packets: %v", len(b.Records), err)
		}
		for i := range b.Records {
			if got := OffloadOf(&b.Records[i]); got != c.o {
				t.Errorf("%+v comes out of the file as %+v", c.o, got)
			}
		}
	}
}
