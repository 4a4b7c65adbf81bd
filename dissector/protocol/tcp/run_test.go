package tcp_test

import (
	"fmt"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol"
	"shark/dissector/protocol/tcp"
)

// packets collects "from to length payload".
type packets struct {
	out    []string
	others int
	fields map[*field.Field]bool
}

func (c *packets) Entry(e *dissector.Entry) error {
	switch e.Protocol {
	case tcp.Protocol:
	case dissector.ConnProtocol, dissector.FlowProtocol:
		return nil
	default:
		c.others++
		return nil
	}
	v := &e.Request.Values
	line := fmt.Sprintf("%d %d %d %x", e.Flow.SrcPort, e.Flow.DstPort, e.Request.Size, tcp.Payload.Get(v))
	if string(tcp.ErrorType.Get(v)) == "Reset" {
		line += " reset"
	}
	c.out = append(c.out, line)
	e.Each(func(f *field.Field, _ field.Value) { c.fields[f] = true })
	return nil
}

func dissect(t *testing.T, capture string, protocols ...*dissector.Protocol) *packets {
	c := &packets{fields: make(map[*field.Field]bool)}
	dissectortest.Dissect(t, dissectortest.Open(t, capture), c, protocols...)
	return c
}

// TestTruth compares every packet with what was said.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "tcp", func(t *testing.T, capture string, want []string) {
		c := dissect(t, capture, append(protocol.All(), tcp.Protocol)...)
		dissectortest.SameLines(t, c.out, want)
		for _, f := range tcp.Protocol.Fields {
			if !c.fields[f] {
				t.Errorf("nothing sets %s", f.Name)
			}
		}
		if got := dissect(t, capture, protocol.All()...); len(got.out) != 0 {
			t.Errorf("%d packets that nobody asked for", len(got.out))
		}
	})
}

// TestPacketsOfOthers: what a protocol has a use for is no entry of its own, not even
// before the protocol is known.
func TestPacketsOfOthers(t *testing.T) {
	for _, name := range []string{"redis/basic.pcap", "kafka/versions.pcap", "postgresql/postgresql_of_batch.pcap"} {
		capture := "../../../testdata/" + name
		c := dissect(t, capture, append(protocol.All(), tcp.Protocol)...)
		if c.others == 0 || len(c.out) > 0 {
			t.Errorf("%s: %d packets beside %d calls", name, len(c.out), c.others)
		}
	}
}

// TestEveryPacketOnce: without any other protocol, each segment with payload is an
// entry.
func TestEveryPacketOnce(t *testing.T) {
	dissectortest.Told(t, "tcp", func(t *testing.T, capture string, want []string) {
		got := dissect(t, capture, tcp.Protocol).out
		slices.Sort(got)
		if len(got) != len(want) {
			t.Errorf("%d entries of %d packets", len(got), len(want))
		}
	})
}
