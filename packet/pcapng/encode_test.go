package pcapng

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"shark/packet"
)

// encoder writes capture files by hand, in either byte order, sound or not.
type encoder struct {
	bytes.Buffer
	order binary.AppendByteOrder
}

func newEncoder(big bool) *encoder {
	if big {
		return &encoder{order: binary.BigEndian}
	}
	return &encoder{order: binary.LittleEndian}
}

func (e *encoder) u16(v uint16) { e.Write(e.order.AppendUint16(nil, v)) }
func (e *encoder) u32(v ...uint32) {
	for _, v := range v {
		e.Write(e.order.AppendUint32(nil, v))
	}
}
func (e *encoder) u64(v uint64) { e.Write(e.order.AppendUint64(nil, v)) }

func (e *encoder) pcapHeader(magic, snapLen, link uint32) {
	e.u32(magic)
	e.u16(2)
	e.u16(4)
	e.u32(0, 0, snapLen, link)
}

func (e *encoder) record(sec, frac, origLen uint32, data []byte) {
	e.u32(sec, frac, uint32(len(data)), origLen)
	e.Write(data)
}

// block writes a block around the body that f writes.
func (e *encoder) block(kind uint32, f func(*encoder)) {
	body := encoder{order: e.order}
	f(&body)
	for body.Len()%4 != 0 {
		body.WriteByte(0)
	}
	e.u32(kind, uint32(body.Len()+minBlock))
	e.Write(body.Bytes())
	e.u32(uint32(body.Len() + minBlock))
}

func (e *encoder) option(code uint16, v []byte) {
	e.u16(code)
	e.u16(uint16(len(v)))
	e.Write(v)
	e.Write(make([]byte, -len(v)&3))
}

func (e *encoder) section(major uint16) {
	e.block(blockSectionHeader, func(b *encoder) {
		b.u32(byteOrderMagic)
		b.u16(major)
		b.u16(0)
		b.u64(1<<64 - 1)
	})
}

func (e *encoder) iface(link uint16, snapLen uint32, options func(*encoder)) {
	e.block(blockInterface, func(b *encoder) {
		b.u16(link)
		b.u16(0)
		b.u32(snapLen)
		if options != nil {
			options(b)
			b.u32(0)
		}
	})
}

func (e *encoder) packet(iface uint32, ts uint64, origLen uint32, data []byte, options func(*encoder)) {
	e.block(blockPacket, func(b *encoder) {
		b.u32(iface, uint32(ts>>32), uint32(ts), uint32(len(data)), origLen)
		b.Write(data)
		b.Write(make([]byte, -len(data)&3))
		if options != nil {
			options(b)
			b.u32(0)
		}
	})
}

// start is when the packets of tests begin, in seconds since 1970.
const start = 1_700_000_000

// samplePackets returns n packets, the same at every call.
func samplePackets(n, maxSize int) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, 20+rng.IntN(maxSize-20))
		for j := range all[i] {
			all[i][j] = byte(rng.Uint32())
		}
	}
	return all
}

// samplePcap is n packets, a millisecond apart, in pcap.
func samplePcap(n, maxSize int, big bool) []byte {
	e := newEncoder(big)
	e.pcapHeader(magicMicro, 65535, 1)
	for i, p := range samplePackets(n, maxSize) {
		e.record(start+uint32(i/1000), uint32(i%1000*1000), uint32(len(p)), p)
	}
	return e.Bytes()
}

// sampleNg is the same in pcapng: sections of 50 packets of two interfaces, in
// alternating byte order.
func sampleNg(n, maxSize int) []byte {
	var out []byte
	var e *encoder
	for i, p := range samplePackets(n, maxSize) {
		if i%50 == 0 {
			if e != nil {
				out = append(out, e.Bytes()...)
			}
			e = newEncoder(i%100 == 50)
			e.section(1)
			e.iface(1, 0, func(o *encoder) { o.option(optName, []byte("eth0")) })
			e.iface(101, 0, func(o *encoder) { o.option(optResolution, []byte{9}) })
		}
		t := uint64(start)*1e6 + uint64(i)*1000
		if i%2 == 1 {
			t *= 1000
		}
		e.packet(uint32(i%2), t, uint32(len(p)), p, nil)
	}
	return append(out, e.Bytes()...)
}

// read reads a whole capture and fails the test if that is an error.
func read(t testing.TB, b []byte) ([]packet.Record, *Reader) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), "test")
	if err != nil {
		t.Fatal(err)
	}
	recs, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return recs, r
}

func packGzip(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func packZstd(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sameRecords fails the test unless got is want, number and interface included.
func sameRecords(t testing.TB, got, want []packet.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if !sameRecord(&got[i], &want[i]) {
			t.Fatalf("packet %d is %+v, want %+v", i+1, got[i], want[i])
		}
	}
}

func sameRecord(a, b *packet.Record) bool {
	return a.Time == b.Time && a.Number == b.Number && a.OrigLen == b.OrigLen && a.Interface == b.Interface &&
		a.Link == b.Link && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Options, b.Options)
}

// comments returns the comments on one packet.
func comments(rec *packet.Record) []string {
	var c []string
	for code, v := range options(rec.Options, rec.OptionsBigEndian) {
		if code == optComment {
			c = append(c, string(v))
		}
	}
	return c
}
