package dissector_test

import (
	"encoding/binary"
	"io"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// datagrams is a source of n datagrams between two addresses, each to a port of its
// own: so many conversations and flows.
type datagrams struct {
	at, n      int
	port       uint16 // all go to it from ports of their own, unless 0
	interfaces int    // that saw them, in turn; 0 is one
}

func (d *datagrams) ReadBatch(b *packet.Batch) error {
	b.Records = b.Records[:0]
	for ; d.at < d.n && len(b.Records) < 500; d.at++ {
		ip := make([]byte, 20+8+4)
		ip[0], ip[8], ip[9] = 0x45, 64, 17
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
		from, to := uint16(60000), uint16(d.at+1)
		if d.port > 0 {
			from, to = 40000+to, d.port
		}
		binary.BigEndian.PutUint16(ip[20:], from)
		binary.BigEndian.PutUint16(ip[22:], to)
		binary.BigEndian.PutUint16(ip[24:], 12)
		b.Records = append(b.Records, packet.Record{
			Time: int64(d.at) * 1e6, OrigLen: uint32(len(ip)), Link: 101, Number: uint64(d.at + 1), Data: ip,
			Interface: 5 + uint32(d.at%max(d.interfaces, 1)),
		})
	}
	if len(b.Records) == 0 {
		return io.EOF
	}
	return nil
}

func (d *datagrams) Interfaces() []packet.Interface { return nil }
func (d *datagrams) Damage() []packet.Damage        { return nil }
func (d *datagrams) Close() error                   { return nil }

// conversations counts what connections and flows say.
type conversations struct{ conns, connPackets, flows, flowPackets, evicted int64 }

func (c *conversations) Entry(e *dissector.Entry) error {
	v := &e.Request.Values
	switch e.Protocol {
	case dissector.ConnProtocol:
		c.conns++
		c.connPackets += field.ConnLocalPkts.Get(v) + field.ConnRemotePkts.Get(v)
	case dissector.FlowProtocol:
		c.flows++
		c.flowPackets += field.FlowLocalPkts.Get(v) + field.FlowRemotePkts.Get(v)
	}
	if e.Marks&dissector.MarkEvicted != 0 {
		c.evicted++
	}
	return nil
}

// TestMemoryIsBounded: what does not fit is handed out early, marked and counted,
// and every packet is in one connection and in one flow.
func TestMemoryIsBounded(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		name   string
		memory int64 // of the one partition in use
		fits   bool
	}{{"enough", 64 << 20, true}, {"little", 1 << 20, false}, {"almost none", 1000, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var c conversations
			opts := dissector.Options{Memory: tt.memory * dissector.Partitions}
			report, err := dissector.Run(t.Context(), &datagrams{n: n}, opts, func(int) dissector.Sink { return &c })
			if err != nil {
				t.Fatal(err)
			}
			if c.conns != n || c.connPackets != n || c.flowPackets != n {
				t.Errorf("%d packets, but %d connections with %d packets and %d flows with %d", n, c.conns, c.connPackets, c.flows, c.flowPackets)
			}
			if report.Evicted != c.evicted || tt.fits != (c.evicted == 0) {
				t.Errorf("%d evicted, %d marked", report.Evicted, c.evicted)
			}
			// Each connection counts with some 900 bytes, each flow with 400 of half as much.
			if open := 2*n - c.evicted; !tt.fits && open > tt.memory/900+2*(tt.memory/800)+10 {
				t.Errorf("%d connections and flows were kept", open)
			}
		})
	}
}

// flowInterfaces are the interfaces of flows.
type flowInterfaces []uint32

func (f *flowInterfaces) Entry(e *dissector.Entry) error {
	if e.Protocol == dissector.FlowProtocol {
		*f = append(*f, e.Iface)
	}
	return nil
}

// TestFlowsKnowTheirInterface: that of their connections, or none if those were seen
// on several.
func TestFlowsKnowTheirInterface(t *testing.T) {
	for interfaces, want := range map[int]uint32{1: 5, 2: dissector.NoInterface} {
		var got flowInterfaces
		src := &datagrams{n: 10, port: 9999, interfaces: interfaces}
		if _, err := dissector.Run(t.Context(), src, dissector.Options{}, func(int) dissector.Sink { return &got }); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%d interfaces: flows of %v, want one of %d", interfaces, got, want)
		}
	}
}
