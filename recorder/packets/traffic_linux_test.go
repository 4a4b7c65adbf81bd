package packets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"shark/bpf/bpftest"
	"shark/packet/filter"
	"shark/packet/pcapng"
	"shark/recorder/packets/packetstest"
)

// join joins two namespaces by a pair of devices, each eth0 in its own.
func join(a, b *space) {
	a.ip(fmt.Sprintf("link add name eth0 type veth peer name eth0 netns %d", b.PID), "addr add 10.9.0.1/24 dev eth0", "link set dev eth0 up")
	b.ip("addr add 10.9.0.2/24 dev eth0", "link set dev eth0 up")
}

// What a connection says is captured to the last byte, in packets larger than the wire's whose
// options say what they stand for.
func TestSuperPackets(t *testing.T) {
	client, server := newSpace(t), newSpace(t)
	join(client, server)
	sink := &all{}
	c := start(t, Options{Namespaces: only(server), Devices: devices("eth0"), RingBytes: 128 << 20, MemoryBytes: 1 << 30}, sink)
	sent := make([]byte, 50_000_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	talk(t, client, server, sent)
	received := uint64(0)
	bpftest.Until(t, "quiet", func() bool {
		before := received
		received = c.Status().Received
		return received > 0 && received == before
	})
	c.stop()
	if s := c.Status(); s.Dropped > 0 || sink.lost > 0 {
		t.Fatalf("%d packets were dropped", s.Dropped)
	}
	got := make([]byte, len(sent))
	var isn uint32
	large, wire, noChecksum := 0, 0, 0
	for _, r := range sink.of(server.names("eth0")) {
		ip := r.Data[14:]
		if r.Data[12] != 8 || r.Data[13] != 0 || ip[9] != 6 || ip[15] != 1 { // TCP of the client's
			continue
		}
		tcp := ip[int(ip[0]&15)*4 : binary.BigEndian.Uint16(ip[2:])]
		seq, payload := binary.BigEndian.Uint32(tcp[4:]), tcp[int(tcp[12]>>4)*4:]
		if tcp[13]&2 != 0 {
			isn = seq
		}
		if len(payload) == 0 {
			continue
		}
		copy(got[seq-isn-1:], payload)
		o := pcapng.OffloadOf(&r)
		if len(r.Data) > 1514 {
			large++
			if o.Segments != pcapng.TCP4Segments || o.SegmentSize < 500 || o.SegmentSize > 1460 {
				t.Fatalf("a packet of %d bytes: %+v", len(r.Data), o)
			}
			wire += (len(payload) + int(o.SegmentSize) - 1) / int(o.SegmentSize)
		}
		if o.NoChecksum {
			noChecksum++
		}
	}
	if !bytes.Equal(got, sent) {
		t.Error("the connection's bytes are not those that were sent")
	}
	if large < 100 || noChecksum == 0 || wire < len(sent)/1460*9/10 {
		t.Errorf("%d packets are larger than the wire's, of %d there; %d have no checksum", large, wire, noChecksum)
	}
	t.Logf("%d large packets, of %d on the wire; %d without checksum", large, wire, noChecksum)
}

// talk has a client say something to a server.
func talk(t *testing.T, client, server *space, sent []byte) {
	t.Helper()
	var listener net.Listener
	server.in(func() (err error) {
		listener, err = net.Listen("tcp4", "10.9.0.2:9999")
		return err
	})
	defer listener.Close()
	heard := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			var n int64
			if n, err = io.Copy(io.Discard, conn); err == nil && n != int64(len(sent)) {
				err = fmt.Errorf("%d bytes were heard", n)
			}
			_ = conn.Close()
		}
		heard <- err
	}()
	client.in(func() error {
		conn, err := net.Dial("tcp4", "10.9.0.2:9999")
		if err != nil {
			return err
		}
		if _, err := conn.Write(sent); err != nil {
			return err
		}
		return conn.Close()
	})
	if err := <-heard; err != nil {
		t.Fatal(err)
	}
}

// On loopback each packet is seen once.
func TestLoopbackOnce(t *testing.T) {
	s := newSpace(t)
	s.ip("link set dev lo up")
	sink := &all{}
	c := start(t, Options{Namespaces: only(s)}, sink)
	s.in(func() error {
		conn, err := net.Dial("udp4", "127.0.0.1:9")
		if err != nil {
			return err
		}
		for i := range 100 {
			if _, err := conn.Write([]byte{byte(i)}); err != nil && i == 0 {
				return err
			}
		}
		return conn.Close()
	})
	c.stop()
	seen := make(map[byte]int)
	for _, r := range sink.of(s.names("lo")) {
		if r.Data[23] == 17 {
			seen[r.Data[42]]++
		}
	}
	for i := range byte(100) {
		if n := seen[i]; n > 1 {
			t.Fatalf("packet %d is seen %d times", i, n)
		}
	}
	if len(seen) == 0 || c.Status().Interfaces[0].Device.Name != "lo" {
		t.Errorf("%d packets are seen, of %v", len(seen), c.Status().Interfaces)
	}
	if none := start(t, Options{Namespaces: only(s), NoLoopback: true}, &all{}); len(none.Status().Interfaces) > 0 {
		t.Error("loopback is captured, though it is not to be")
	}
}

// A VLAN tag, which the kernel takes out, stands in the packet again, one of 802.1ad too, and
// rules that ask for it say how much is kept.
func TestTagsAndRules(t *testing.T) {
	s := newSpace(t)
	s.pair("a", "b")
	rule := func(expr string, n uint32) filter.Rule {
		f, err := filter.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		return filter.Rule{Filter: f, SnapLen: n}
	}
	sink := &all{}
	c := start(t, Options{Namespaces: only(s), Devices: devices("a"), Rules: []filter.Rule{
		rule("vlan 7", 60), rule("vlan 8 and ether[0] = 2", 0), rule("vlan 100 and ether proto 0x88b5", 100), rule("vlan 200", 262144), rule("ether proto 0x88b5", 262144),
	}}, sink)
	g := newGenerator(t, 30)
	headers := "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
	cases := []struct {
		tags string
		kept int // 0: left out
	}{
		{"\x88\xb5", 200},
		{"\x81\x00\x20\x64\x88\xb5", 104}, // with a priority; the tag is not counted
		{"\x88\xa8\x00\xc8\x81\x00\x00\x64\x88\xb5", 200},
		{"\x81\x00\x00\x07\x88\xb5", 64},
		{"\x81\x00\x00\x08\x88\xb5", 0},
		{"\x81\x00\x00\x09\x88\xb6", 0},
	}
	for _, k := range cases {
		f := packetstest.Frame(200)
		copy(f, headers+k.tags)
		if err := g.inject(s, "a", 10, f); err != nil {
			t.Fatal(err)
		}
	}
	c.stop()
	got := sink.of(s.names("a"))
	for i, k := range cases {
		if k.kept == 0 {
			continue
		}
		want := packetstest.Frame(200)
		copy(want, headers+k.tags)
		if len(got) < 10 {
			t.Fatalf("case %d: %d packets are left", i, len(got))
		}
		for j := range 10 {
			binary.LittleEndian.PutUint64(want[30:], uint64(i*10+j+1))
			if r := got[j]; !bytes.Equal(r.Data, want[:k.kept]) || r.OrigLen != 200 {
				t.Errorf("case %d: %d bytes of %d are kept, want %d of 200:\n%x\n%x", i, len(r.Data), r.OrigLen, k.kept, r.Data, want[:k.kept])
			}
		}
		got = got[10:]
	}
	if len(got) > 0 {
		t.Errorf("%d packets too many are captured", len(got))
	}
}
