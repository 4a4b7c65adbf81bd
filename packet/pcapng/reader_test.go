package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"shark/packet"
)

func TestPcapVariants(t *testing.T) {
	data := []byte("0123456789")
	const sec, frac = start, 123456
	for _, c := range []struct {
		name  string
		magic uint32
		nanos int64
	}{
		{"microseconds", magicMicro, frac * 1000},
		{"nanoseconds", magicNano, frac},
		{"modified", magicModified, frac * 1000},
	} {
		for _, big := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s big=%v", c.name, big), func(t *testing.T) {
				e := newEncoder(big)
				e.pcapHeader(c.magic, 0, 0x24000001) // Ethernet with a frame check sequence
				for range 3 {
					e.u32(sec, frac, uint32(len(data)), 4)
					if c.magic == magicModified {
						e.u32(2, 0)
					}
					e.Write(data)
				}
				recs, r := read(t, e.Bytes())
				if len(recs) != 3 || len(r.Damage()) != 0 {
					t.Fatalf("%d packets, damage %v", len(recs), r.Damage())
				}
				want := packet.Record{Data: data, Time: sec*1e9 + c.nanos, Number: 3, OrigLen: 10, Link: 1}
				if !sameRecord(&recs[2], &want) {
					t.Errorf("got %+v, want %+v", recs[2], want)
				}
				if i := r.Interfaces(); len(i) != 1 || i[0].Link != 1 {
					t.Errorf("interfaces %v", i)
				}
			})
		}
	}
}

func TestPcapOfOldVersionsHasLengthsSwapped(t *testing.T) {
	e := newEncoder(false)
	e.pcapHeader(magicMicro, 96, 1)
	e.u32(start, 0, 1500, 4) // length on the wire first
	e.WriteString("abcd")
	b := e.Bytes()
	for _, minor := range []byte{2, 3} {
		b[6] = minor
		recs, _ := read(t, b)
		if len(recs) != 1 || string(recs[0].Data) != "abcd" || recs[0].OrigLen != 1500 {
			t.Errorf("version 2.%d: %+v", minor, recs)
		}
	}
}

func TestOddTimesAreRead(t *testing.T) {
	e := newEncoder(false)
	e.pcapHeader(magicMicro, 0, 1)
	e.record(start, 2_500_000, 1, []byte{1})
	e.record(1, 0, 1, []byte{2})
	e.record(math.MaxUint32, 0, 1, []byte{3})
	recs, r := read(t, e.Bytes())
	if len(recs) != 3 || len(r.Damage()) > 0 {
		t.Fatal(recs, r.Damage())
	}
	for i, want := range []int64{start*1e9 + 2.5e9, 1e9, math.MaxUint32 * 1e9} {
		if recs[i].Time != want {
			t.Errorf("packet %d at %d, want %d", i+1, recs[i].Time, want)
		}
	}
}

func TestClocks(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		ts         uint64
		want       int64
	}{
		{6, 0, start * 1e6, start * 1e9},
		{6, -3600, start*1e6 + 1, (start-3600)*1e9 + 1000},
		{9, 0, start*1e9 + 7, start*1e9 + 7},
		{0, 10, 5, 15e9},
		{12, 0, 5_123_456, 5123},
		{0x80 | 20, 0, 3<<20 | 1<<19, 3.5e9},
		{0x80 | 64, 1, 1 << 63, 1.5e9},
		{0x80 | 127, 0, math.MaxUint64, 0},
		{0x80, 0, 12, 12e9},
		{127, 2, math.MaxUint64, 2e9},
		{28, 0, math.MaxUint64, 1},
		{0, 0, math.MaxUint64, math.MaxInt64},
		{0, math.MinInt64, 0, -4611686018e9},
		{6, math.MaxInt64, math.MaxUint64, math.MaxInt64},
	} {
		clock := newClock(c.resolution, c.offset)
		if got := clock.nanoseconds(c.ts); got != c.want {
			t.Errorf("resolution %#x, offset %d, timestamp %d: %d, want %d", c.resolution, c.offset, c.ts, got, c.want)
		}
	}
}

func TestPcapngBlocks(t *testing.T) {
	for _, big := range []bool{false, true} {
		e := newEncoder(big)
		e.block(blockSectionHeader, func(b *encoder) {
			b.u32(byteOrderMagic)
			b.u16(1)
			b.u16(2)
			b.u64(math.MaxUint64)
			b.option(optComment, []byte("of the section"))
			b.option(optComment, []byte("another"))
		})
		e.iface(1, 0, func(o *encoder) {
			o.option(optName, []byte("eth0\x00"))
			o.option(optDescription, []byte("première"))
			o.option(optFilter, []byte("\x00tcp port 80"))
			o.option(optIfSystem, []byte("Linux"))
			o.option(optTimeOffset, e.order.AppendUint64(nil, 100))
		})
		e.iface(101, 4, nil)
		e.block(blockCustom, func(b *encoder) { b.u32(32473); b.WriteString("whatever") })
		e.block(0x7777, func(b *encoder) { b.WriteString("of a later version") })
		e.block(blockNames, func(b *encoder) {
			b.option(1, []byte("\x0a\x00\x00\x01a.local\x00b.local\x00"))
			b.option(2, append(bytes.Repeat([]byte{0xfd}, 16), "six"...))
			b.option(1, []byte("\x0a\x00\x00\x01a.local\x00"))
			b.u32(0)
		})
		e.block(blockSecrets, func(b *encoder) { b.u32(SecretTLS, 5); b.WriteString("keys\n") })
		e.block(blockIdentity, func(b *encoder) { b.WriteString("identity"); b.u32(3); b.WriteString("{}\n") })
		e.block(blockIdentity, func(b *encoder) { b.WriteString("of somebody else") })
		e.packet(1, start*1e6, 99, []byte("abcde"), func(o *encoder) {
			o.option(optComment, []byte("look here"))
			o.option(optFlags, e.order.AppendUint32(nil, 1))
			o.option(optComment, []byte("and here"))
		})
		e.block(blockOldPacket, func(b *encoder) {
			b.u16(0)
			b.u16(3)
			b.u32(0, 7, 2, 3)
			b.WriteString("xy\x00\x00")
		})
		e.block(blockSimplePacket, func(b *encoder) { b.u32(3); b.WriteString("spb") })
		e.block(blockStatistics, func(b *encoder) {
			b.u32(1, 0, 0)
			b.option(optReceived, e.order.AppendUint64(nil, 12))
			b.option(optDropped, e.order.AppendUint64(nil, 3))
		})
		recs, r := read(t, e.Bytes())
		if len(recs) != 3 || len(r.Damage()) > 0 {
			t.Fatalf("%d packets, damage %v", len(recs), r.Damage())
		}
		dropped := newEncoder(big)
		dropped.option(optDropCount, e.order.AppendUint64(nil, 3))
		if !bytes.Equal(recs[1].Options, dropped.Bytes()) {
			t.Errorf("options of an obsolete block: %x", recs[1].Options)
		}
		recs[1].Options = nil
		if c := comments(&recs[0]); !slices.Equal(c, []string{"look here", "and here"}) {
			t.Errorf("comments of a packet: %q", c)
		}
		recs[0].Options = nil
		sameRecords(t, recs, []packet.Record{
			{Data: []byte("abcde"), Time: start * 1e9, Number: 1, OrigLen: 99, Interface: 1, Link: 101},
			{Data: []byte("xy"), Time: 100e9 + 7000, Number: 2, OrigLen: 3, Interface: 0, Link: 1},
			{Data: []byte("spb"), Time: 0, Number: 3, OrigLen: 3, Interface: 0, Link: 1},
		})
		i := r.Interfaces()
		if len(i) != 2 || i[0].Name != "eth0" || i[0].Description != "première" || i[0].Filter != "tcp port 80" || i[0].OS != "Linux" {
			t.Fatalf("interfaces %+v", i)
		}
		if i[0].Received != nil || i[1].Received == nil || *i[1].Received != 12 || *i[1].Dropped != 3 {
			t.Errorf("statistics of %+v", i)
		}
		names := []Name{
			{packet.AddrFrom4([]byte{10, 0, 0, 1}), "a.local"},
			{packet.AddrFrom4([]byte{10, 0, 0, 1}), "b.local"},
			{packet.AddrFrom16(bytes.Repeat([]byte{0xfd}, 16)), "six"},
		}
		if !slices.Equal(r.Names(), names) {
			t.Errorf("names %v", r.Names())
		}
		if s := r.Secrets(); len(s) != 1 || s[0].Type != SecretTLS || string(s[0].Data) != "keys\n" {
			t.Errorf("secrets %v", s)
		}
		if got := r.Identity(); len(got) != 1 || string(got[0]) != "{}\n" {
			t.Errorf("identity %q", got)
		}
		if !slices.Equal(r.Comments(), []string{"of the section", "another"}) {
			t.Errorf("comments %q", r.Comments())
		}
	}
}

// A caller that holds the interfaces must not see them change under it.
func TestInterfacesHeldByTheCallerDoNotChange(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	e.iface(1, 0, nil)
	e.packet(0, 1, 1, []byte{1}, nil)
	half := e.Len()
	e.block(blockStatistics, func(b *encoder) { b.u32(0, 0, 0); b.option(optDropped, make([]byte, 8)) })
	in := io.MultiReader(bytes.NewReader(e.Bytes()[:half]), bytes.NewReader(e.Bytes()[half:]))
	r, err := NewReader(in, "test")
	if err != nil {
		t.Fatal(err)
	}
	var b packet.Batch
	if err := r.ReadBatch(&b); err != nil {
		t.Fatal(err)
	}
	held := r.Interfaces()
	if err := r.ReadBatch(&b); err != io.EOF {
		t.Fatal(err)
	}
	if held[0].Dropped != nil || r.Interfaces()[0].Dropped == nil {
		t.Error("statistics must appear in new slices only")
	}
}

func TestInterfacesAreNumberedOverAllSections(t *testing.T) {
	recs, r := read(t, sampleNg(150, 100))
	if len(r.Interfaces()) != 6 {
		t.Fatalf("%d interfaces", len(r.Interfaces()))
	}
	for i, rec := range recs {
		if want := uint32(i/50*2 + i%2); rec.Interface != want || rec.Number != uint64(i+1) || rec.Time != start*1e9+int64(i)*1e6 {
			t.Fatalf("packet %d: %+v", i+1, rec)
		}
	}
}

func TestWhatIsNoCapture(t *testing.T) {
	plain := samplePcap(5, 100, false)
	for name, b := range map[string][]byte{
		"empty":          nil,
		"one byte":       {0xd4},
		"text":           []byte("GET / HTTP/1.1\r\n\r\n"),
		"gzip of text":   packGzip(t, []byte("hello, world")),
		"empty gzip":     packGzip(t, nil),
		"gzip header":    packGzip(t, plain)[:5],
		"zstd cut":       packZstd(t, plain)[:5],
		"packed thrice":  packGzip(t, packZstd(t, packGzip(t, plain))),
		"no byte order":  {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0},
		"pcapng version": {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 2, 0, 0, 0},
	} {
		if _, err := NewReader(bytes.NewReader(b), name); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	broken := errors.New("broken")
	if _, err := NewReader(iotest.ErrReader(broken), "x"); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestFilesWithoutPackets(t *testing.T) {
	e := newEncoder(true)
	e.pcapHeader(magicNano, 0, 113)
	recs, r := read(t, e.Bytes())
	if len(recs) != 0 || len(r.Damage()) != 0 || r.Interfaces()[0].Link != 113 {
		t.Error(recs, r.Damage(), r.Interfaces())
	}
	recs, r = read(t, e.Bytes()[:17])
	if len(recs) != 0 || len(r.Damage()) != 1 || r.Damage()[0].Lost != 17 {
		t.Error("cut in its header:", recs, r.Damage())
	}
}

// Whatever pieces the input comes in, the result is the same.
func TestPiecesMakeNoDifference(t *testing.T) {
	for name, b := range samples(t) {
		want, whole := read(t, b)
		for _, pieces := range []func(io.Reader) io.Reader{iotest.HalfReader, iotest.OneByteReader, iotest.DataErrReader} {
			r, err := NewReader(pieces(bytes.NewReader(b)), "test")
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := readAll(r)
			if err != nil {
				t.Fatal(name, err)
			}
			sameRecords(t, got, want)
			if !slices.Equal(r.Damage(), whole.Damage()) {
				t.Errorf("%s: damage %v, want %v", name, r.Damage(), whole.Damage())
			}
			r.Close()
		}
	}
}

// samples are captures of some kilobytes, sound and damaged.
func samples(t testing.TB) map[string][]byte {
	pcap, ng := samplePcap(120, 300, false), sampleNg(120, 300)
	all := map[string][]byte{
		"pcap": pcap, "pcap big-endian": samplePcap(120, 300, true), "pcapng": ng,
		"pcap.gz": packGzip(t, pcap), "pcapng.zst": packZstd(t, ng),
		"pcapng.gz cut": packGzip(t, ng)[:9000], "pcap cut": pcap[:7001],
	}
	holed := slices.Clone(pcap)
	clear(holed[5000:5500])
	all["pcap with a hole"] = holed
	holed = slices.Clone(ng)
	clear(holed[5000:5500])
	all["pcapng with a hole"] = holed
	return all
}

func TestPacking(t *testing.T) {
	plain := sampleNg(400, 1400)
	want, _ := read(t, plain)
	cut := len(plain) / 3
	skippable := append([]byte{0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, "abc"...)
	for name, b := range map[string][]byte{
		"gzip":                 packGzip(t, plain),
		"gzip members":         slices.Concat(packGzip(t, plain[:cut]), packGzip(t, nil), packGzip(t, plain[cut:])),
		"zstd":                 packZstd(t, plain),
		"zstd frames":          slices.Concat(packZstd(t, plain[:cut]), packZstd(t, plain[cut:])),
		"zstd skippable first": slices.Concat(skippable, packZstd(t, plain)),
		"gzip in zstd":         packZstd(t, packGzip(t, plain)),
		"gzip in gzip":         packGzip(t, packGzip(t, plain)),
	} {
		t.Run(name, func(t *testing.T) {
			got, r := read(t, b)
			sameRecords(t, got, want)
			if len(r.Damage()) > 0 || len(r.Points()) > 0 {
				t.Error(r.Damage(), r.Points())
			}
		})
	}
}

func TestPackingCutShort(t *testing.T) {
	plain := samplePcap(4000, 1400, false)
	want, _ := read(t, plain)
	for name, b := range map[string][]byte{"gzip": packGzip(t, plain), "zstd": packZstd(t, plain), "gzip in zstd": packZstd(t, packGzip(t, plain))} {
		got, r := read(t, b[:len(b)*2/3])
		if len(got) < len(want)/3 {
			t.Errorf("%s: only %d packets", name, len(got))
		}
		sameRecords(t, got, want[:len(got)])
		d := r.Damage()
		if len(d) != 1 || d[0].Lost != -1 || !strings.Contains(d[0].Reason, "cut short") {
			t.Errorf("%s: damage %v", name, d)
		} else if want := fmt.Sprintf("byte %d of the unpacked data", d[0].Offset); d[0].Place() != want {
			t.Errorf("%s: the damage is at %s, want %s", name, d[0].Place(), want)
		}
	}
	_, r := read(t, plain[:len(plain)-1])
	if d := r.Damage(); len(d) != 1 || d[0].Place() != fmt.Sprintf("byte %d", d[0].Offset) {
		t.Errorf("plain: damage %v at %s", d, d[0].Place())
	}
}

// Close must not hang while the unpacking goroutine is ahead or behind.
func TestCloseAtAnyTime(t *testing.T) {
	b := packGzip(t, bytes.Repeat(samplePcap(3000, 1400, false), 2))
	for reads := range 4 {
		r, err := NewReader(bytes.NewReader(b), "test")
		if err != nil {
			t.Fatal(err)
		}
		var batch packet.Batch
		for range reads {
			if err := r.ReadBatch(&batch); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.ReadBatch(&batch); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestReadErrorComesAfterThePackets(t *testing.T) {
	broken := errors.New("broken")
	plain := samplePcap(100, 200, false)
	want, _ := read(t, plain)
	for name, b := range map[string][]byte{"plain": plain, "packed": packGzip(t, plain)} {
		r, err := NewReader(io.MultiReader(bytes.NewReader(b[:len(b)-20]), iotest.ErrReader(broken)), "test")
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		if !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "plain" {
			sameRecords(t, got, want[:99])
		}
		r.Close()
	}
}

func TestLivePipeGivesPacketsAtOnce(t *testing.T) {
	in, out := io.Pipe()
	b := samplePcap(2, 100, false)
	go func() {
		out.Write(b)
	}()
	r, err := NewReader(in, "pipe")
	if err != nil {
		t.Fatal(err)
	}
	var batch packet.Batch
	if err := r.ReadBatch(&batch); err != nil || len(batch.Records) == 0 {
		t.Fatal(err, len(batch.Records))
	}
	out.Close()
	in.Close()
}

func TestLargePackets(t *testing.T) {
	for _, c := range []struct {
		size int
		ok   bool
	}{{maxRecord - 64, true}, {maxRecord, false}} {
		e := newEncoder(false)
		e.pcapHeader(magicMicro, maxRecord, 1)
		small := []byte("small")
		e.record(start, 0, 5, small)
		e.record(start, 1, uint32(c.size), make([]byte, c.size))
		for i := range uint32(5) {
			e.record(start, 2+i, 5, small)
		}
		n := newEncoder(true)
		n.section(1)
		n.iface(1, 0, nil)
		n.packet(0, start*1e6, 5, small, nil)
		n.packet(0, start*1e6, uint32(c.size), make([]byte, c.size), nil)
		for range 5 {
			n.packet(0, start*1e6, 5, small, nil)
		}
		for format, b := range map[string][]byte{"pcap": e.Bytes(), "pcapng": n.Bytes()} {
			recs, r := read(t, b)
			want := 7
			if !c.ok {
				want = 6
			}
			if len(recs) != want || c.ok != (len(r.Damage()) == 0) {
				t.Errorf("%s, %d bytes: %d packets, damage %v", format, c.size, len(recs), r.Damage())
			}
		}
	}
}

func TestReadBatchDoesNotAllocate(t *testing.T) {
	for name, b := range map[string][]byte{"pcap": samplePcap(20000, 600, false), "pcapng": sampleNg(50, 60)} {
		if name == "pcapng" {
			b = slices.Concat(b, bytes.Repeat(b[len(b)-len(lastBlock(b)):], 100_000))
		}
		src := bytes.NewReader(b)
		r, err := NewReader(src, "test")
		if err != nil {
			t.Fatal(err)
		}
		var batch packet.Batch
		for range 3 { // the buffers find their size
			if err := r.ReadBatch(&batch); err != nil {
				t.Fatal(err)
			}
		}
		packets := 0
		allocs := testing.AllocsPerRun(2, func() {
			if err := r.ReadBatch(&batch); err != nil {
				t.Fatal(name, err)
			}
			packets += len(batch.Records)
		})
		if allocs > 4 {
			t.Errorf("%s: %v allocations a batch of %d packets", name, allocs, packets/3)
		}
	}
}

// lastBlock returns the last block of a little-endian section.
func lastBlock(b []byte) []byte {
	return b[len(b)-int(binary.LittleEndian.Uint32(b[len(b)-4:])):]
}
