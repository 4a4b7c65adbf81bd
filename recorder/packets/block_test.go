package packets

import (
	"bytes"
	"testing"

	"shark/packet"
	"shark/packet/pcapng"
)

// captured is a packet as a test puts it into a block.
type captured struct {
	data   []byte
	length int // on the wire; 0: that of data
	status uint32
	tci    uint32
	tpid   uint16
	vnet   [vnetSize]byte
}

// blockOf lays out packets as the kernel does.
func blockOf(list ...captured) []byte {
	b := make([]byte, 48)
	native.PutUint32(b[blockStatus:], statusUser)
	native.PutUint32(b[blockCount:], uint32(len(list)))
	native.PutUint32(b[blockFirst:], 48)
	for i, c := range list {
		const start = 92
		f := make([]byte, start, 4096)
		native.PutUint32(f[frameSeconds:], 1_700_000_000)
		native.PutUint32(f[frameNanos:], uint32(i))
		native.PutUint32(f[frameCaught:], uint32(len(c.data)))
		native.PutUint32(f[frameLength:], uint32(max(c.length, len(c.data))))
		native.PutUint32(f[frameStatus:], c.status)
		native.PutUint16(f[frameStart:], start)
		native.PutUint32(f[frameTCI:], c.tci)
		native.PutUint16(f[frameTPID:], c.tpid)
		copy(f[start-vnetSize:], c.vnet[:])
		f = append(f, c.data...)
		f = append(f, make([]byte, -len(f)&15)...)
		native.PutUint32(f[frameNext:], uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

// readBlock returns the records of a block, and how many are missing.
func readBlock(b []byte, link packet.LinkType) (out []packet.Record, missing uint32) {
	f := frames{iface: 3, link: link, known: make(offloads)}
	f.begin(b)
	var r packet.Record
	for f.next(&r) {
		out = append(out, r)
	}
	return out, f.left
}

func TestBlock(t *testing.T) {
	eth := []byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00payload")
	tagged := []byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xa8\x20\x64\x08\x00payload")
	virtio := func(flags, kind byte, size uint16) (v [vnetSize]byte) {
		v[0], v[1] = flags, kind
		native.PutUint16(v[4:], size)
		return v
	}
	for _, c := range []struct {
		name    string
		link    packet.LinkType
		in      captured
		data    []byte
		length  uint32
		offload pcapng.Offload
	}{
		{"plain", linkEthernet, captured{data: eth}, eth, 21, pcapng.Offload{}},
		{"cut", linkEthernet, captured{data: eth[:16], length: 21}, eth[:16], 21, pcapng.Offload{}},
		{"cut before the type", linkEthernet, captured{data: eth[:8], length: 21, status: statusVLAN, tci: 5}, eth[:8], 21, pcapng.Offload{}},
		{"tag of 802.1ad", linkEthernet, captured{data: eth, status: statusVLAN | statusVLANProto, tci: 0x2064, tpid: 0x88a8}, tagged, 25, pcapng.Offload{}},
		{"tag without a type", linkEthernet, captured{data: eth[:12], length: 21, status: statusVLAN, tci: 7}, append(append([]byte(nil), eth[:12]...), 0x81, 0, 0, 7), 25, pcapng.Offload{}},
		{"tag 0", linkEthernet, captured{data: eth, tci: 0x2064, tpid: 0x88a8}, eth, 21, pcapng.Offload{}},
		{"no Ethernet", linkRaw, captured{data: eth[14:], status: statusVLAN, tci: 7}, eth[14:], 7, pcapng.Offload{}},
		{"no checksum", linkEthernet, captured{data: eth, vnet: virtio(1, 0, 0)}, eth, 21, pcapng.Offload{NoChecksum: true}},
		{"checksum seen to be right", linkEthernet, captured{data: eth, vnet: virtio(2, 0, 0)}, eth, 21, pcapng.Offload{}},
		{"segments", linkEthernet, captured{data: eth, vnet: virtio(1, 1|0x80, 1448)}, eth, 21, pcapng.Offload{NoChecksum: true, Segments: pcapng.TCP4Segments, SegmentSize: 1448}},
		{"datagrams", linkEthernet, captured{data: eth, vnet: virtio(0, 5, 1200), status: statusVLAN | statusVLANProto, tci: 0x2064, tpid: 0x88a8}, tagged, 25, pcapng.Offload{Segments: pcapng.UDPSegments, SegmentSize: 1200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, missing := readBlock(blockOf(c.in, captured{data: eth}, c.in), c.link)
			if len(got) != 3 || missing != 0 {
				t.Fatalf("%d packets, %d missing", len(got), missing)
			}
			if !bytes.Equal(got[1].Data, eth) {
				t.Errorf("the packet between is %x", got[1].Data)
			}
			for _, i := range []int{0, 2} {
				r := &got[i]
				if !bytes.Equal(r.Data, c.data) || r.OrigLen != c.length || r.Interface != 3 || r.Link != c.link || r.Time != 1_700_000_000e9+int64(i) {
					t.Errorf("%+v, want %d bytes: %x", r, c.length, c.data)
				}
				if got := pcapng.OffloadOf(r); got != c.offload {
					t.Errorf("%+v, want %+v", got, c.offload)
				}
			}
		})
	}
}

// A block that contradicts itself says how many packets are not to be had.
func TestBlockDamaged(t *testing.T) {
	whole := blockOf(captured{data: make([]byte, 60)}, captured{data: make([]byte, 60)}, captured{data: make([]byte, 60)})
	second := 48 + int(native.Uint32(whole[48:]))
	for what, damage := range map[string]func([]byte){
		"size":  func(b []byte) { native.PutUint32(b[second+frameCaught:], 1<<31) },
		"start": func(b []byte) { native.PutUint16(b[second+frameStart:], 50) },
		"next":  func(b []byte) { native.PutUint32(b[48:], 1<<30) },
	} {
		b := bytes.Clone(whole)
		damage(b)
		if got, missing := readBlock(b, linkEthernet); len(got) != 1 || missing != 2 {
			t.Errorf("%s: %d packets, %d missing", what, len(got), missing)
		}
	}
}

// The options that are kept are bounded, and stay right.
func TestOffloadsBounded(t *testing.T) {
	known := make(offloads)
	var v [vnetSize]byte
	v[1] = 1
	for size := range 3 * maxOffloads {
		native.PutUint16(v[4:], uint16(size))
		r := packet.Record{Options: known.options(v[:])}
		if o := pcapng.OffloadOf(&r); int(o.SegmentSize) != size || len(known) > maxOffloads {
			t.Fatalf("%d: %+v, %d are kept", size, o, len(known))
		}
	}
}

// Whatever is in a block, nothing beyond it is read and it comes to an end.
func FuzzBlock(f *testing.F) {
	f.Add(blockOf(captured{data: make([]byte, 60)}, captured{data: make([]byte, 20), status: statusVLAN, tci: 5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 48 {
			return
		}
		count := native.Uint32(b[blockCount:])
		got, missing := readBlock(b, linkEthernet)
		if uint32(len(got))+missing != count {
			t.Errorf("%d packets and %d missing, of %d", len(got), missing, count)
		}
		for i := range got {
			if len(got[i].Data) > len(b) || got[i].OrigLen < uint32(len(got[i].Data)) {
				t.Errorf("packet %d has %d bytes of %d", i, len(got[i].Data), got[i].OrigLen)
			}
		}
	})
}

// Reading a block allocates nothing for a packet.
func TestBlockAllocatesNothing(t *testing.T) {
	var list []captured
	for range 100 {
		list = append(list, captured{data: make([]byte, 60), vnet: [vnetSize]byte{1, 1, 0, 0, 8}})
	}
	b := blockOf(list...)
	f := frames{link: linkEthernet, known: make(offloads)}
	var r packet.Record
	if n := testing.AllocsPerRun(10, func() {
		f.begin(b)
		for f.next(&r) {
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
