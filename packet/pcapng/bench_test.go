package pcapng

import (
	"bytes"
	"io"
	"testing"

	"shark/packet"
)

// benchmarkPcap is 64 MB of packets of the usual mix of sizes, 465 bytes each.
func benchmarkPcap() []byte {
	return bytes.Repeat(samplePcap(2000, 900, false)[pcapHeader:], 70)
}

func BenchmarkReadBatch(b *testing.B) {
	records := benchmarkPcap()
	header := samplePcap(0, 100, false)
	ng := newEncoder(false)
	ng.section(1)
	ng.iface(1, 0, nil)
	head := ng.Len()
	for i, p := range samplePackets(2000, 900) {
		ng.packet(0, start*1e6+uint64(i), uint32(len(p)), p, nil)
	}
	ngRecords := bytes.Repeat(ng.Bytes()[head:], 70)
	for _, c := range []struct {
		name          string
		header, bytes []byte
	}{{"pcap", header, records}, {"pcapng", ng.Bytes()[:head], ngRecords}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.bytes)))
			b.ReportAllocs()
			var batch packet.Batch
			var packets int
			for b.Loop() {
				r, err := NewReader(io.MultiReader(bytes.NewReader(c.header), bytes.NewReader(c.bytes)), "bench")
				if err != nil {
					b.Fatal(err)
				}
				packets = 0
				for err = r.ReadBatch(&batch); err == nil; err = r.ReadBatch(&batch) {
					packets += len(batch.Records)
				}
				if err != io.EOF || packets != 140_000 {
					b.Fatal(packets, err)
				}
				r.Close()
			}
		})
	}
}

func BenchmarkMergeAndWrite(b *testing.B) {
	file := append(samplePcap(0, 100, false), benchmarkPcap()...)
	b.SetBytes(2 * int64(len(file)))
	b.ReportAllocs()
	var batch packet.Batch
	for b.Loop() {
		m := Merge(open(b, file), open(b, file))
		w, err := NewWriter(io.Discard, Options{})
		if err != nil {
			b.Fatal(err)
		}
		for err = m.ReadBatch(&batch); err == nil; err = m.ReadBatch(&batch) {
			interfaces := m.Interfaces()
			for i := range batch.Records {
				if err := w.Write(&batch.Records[i], interfaces); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		m.Close()
	}
}
