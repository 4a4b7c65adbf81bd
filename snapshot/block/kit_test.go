package block

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"shark/packet"
	"shark/packet/pcapng"
)

// capture is packets with their interfaces, in memory.
type capture struct {
	records    []packet.Record
	interfaces []packet.Interface
	expected   int64 // bytes, as the Writer is told
}

// add appends a packet.
func (c *capture) add(t int64, iface uint32, data []byte) {
	c.records = append(c.records, packet.Record{
		Data: data, Time: t, Number: uint64(len(c.records) + 1), OrigLen: uint32(len(data)), Interface: iface, Link: c.interfaces[iface].Link,
	})
}

// udp4 is an IPv4 packet with a UDP datagram. more and offset make it a fragment.
func udp4(src, dst string, sport, dport uint16, payload []byte) []byte {
	u := binary.BigEndian.AppendUint16(nil, sport)
	u = binary.BigEndian.AppendUint16(u, dport)
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(payload)))
	return ip4(src, dst, 17, 0, append(append(u, 0, 0), payload...))
}

func ip4(src, dst string, proto byte, fragment uint16, payload []byte) []byte {
	b := []byte{0x45, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
	b = append(b, 0x12, 0x34)
	b = binary.BigEndian.AppendUint16(b, fragment)
	b = append(b, 64, proto, 0, 0)
	b = append(b, netip.MustParseAddr(src).AsSlice()...)
	b = append(b, netip.MustParseAddr(dst).AsSlice()...)
	return append(b, payload...)
}

// traffic is n packets between some hosts, a few per millisecond, now and then out of
// order, in a tunnel, or no IP at all.
func traffic(seed uint64, n int) *capture {
	rng := rand.New(rand.NewPCG(seed, 1))
	received := uint64(n)
	c := &capture{interfaces: []packet.Interface{
		{Link: 101, Name: "eth0", SnapLen: 65535}, {Link: 101, Name: "eth1", Description: "unused"}, {Link: 1, Name: "br0", Filter: "ip", OS: "Linux", Received: &received},
	}}
	host := func() string { return netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(3)), byte(rng.IntN(60))}).String() }
	t := int64(1_700_000_000_000_000_000)
	step := int64(1 + 999*(seed%2)) // whole microseconds, or not
	if n > 0 {
		c.add(t, 2, make([]byte, 60)) // not the first interface
	}
	for range n - 1 {
		t += rng.Int64N(300_000/step) * step
		at := t
		if rng.IntN(50) == 0 {
			at -= rng.Int64N(2_000_000/step) * step
		}
		payload := make([]byte, rng.IntN(900))
		for i := range payload[:len(payload)/2] {
			payload[i] = byte(rng.Uint32())
		}
		inner := udp4(host(), host(), uint16(rng.IntN(500)), 53, payload)
		switch rng.IntN(30) {
		case 0: // VXLAN without Ethernet inside is none; GPE has IP
			inner = udp4("192.168.0.1", "192.168.0.2", 5000, 4790, append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, inner...))
		case 1:
			frame := append(make([]byte, 12), 0x08, 0x06) // ARP
			c.add(at, 2, append(frame, make([]byte, 28)...))
			continue
		}
		c.add(at, 0, inner)
	}
	return c
}

// write makes a file of the capture.
func write(t testing.TB, c *capture, workers int, x Extras) ([]byte, *Index) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(t.Context(), &out, Options{Workers: workers, Bytes: c.expected, Application: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.records {
		if err := w.Write(&c.records[i], c.interfaces); err != nil {
			t.Fatal(err)
		}
	}
	index, err := w.Close(x)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), index
}

// inMemory is a Fetch of bytes.
func inMemory(file []byte) Fetch {
	return func(_ context.Context, from, n int64) (io.ReadCloser, error) {
		if from < 0 || from+n > int64(len(file)) {
			return nil, io.ErrUnexpectedEOF
		}
		return io.NopCloser(bytes.NewReader(file[from : from+n])), nil
	}
}

// drain returns the packets of a source, with memory of their own.
func drain(src packet.Source) (out []packet.Record, err error) {
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for _, r := range b.Records {
			r.Data = bytes.Clone(r.Data)
			out = append(out, r)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// packets returns those of some blocks.
func packets(t testing.TB, file []byte, x *Index, blocks []int) []packet.Record {
	t.Helper()
	f := &File{Name: "test", Index: x, Fetch: inMemory(file)}
	src, err := f.Source(t.Context(), blocks)
	if err != nil {
		t.Fatal(err)
	}
	out, err := drain(src)
	if err := errors.Join(err, src.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameContent compares packets but for their numbers, whatever their order.
func sameContent(t testing.TB, got, want []packet.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	order := func(list []packet.Record) []packet.Record {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b packet.Record) int {
			if a.Time != b.Time {
				return int(min(max(a.Time-b.Time, -1), 1))
			}
			return bytes.Compare(a.Data, b.Data)
		})
		return list
	}
	got, want = order(got), order(want)
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Time != w.Time || g.Interface != w.Interface || g.Link != w.Link || g.OrigLen != w.OrigLen || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("packet %d is %+v, want %+v", i, g, w)
		}
	}
}

// names are address names for the extras.
var names = []pcapng.Name{{Addr: packet.AddrFrom4([]byte{10, 0, 0, 1}), Name: "one.test"}}
