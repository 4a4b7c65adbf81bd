package udp_test

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol"
	"shark/dissector/protocol/udp"
)

// packets collects "from to length payload".
type packets struct {
	t   *testing.T
	out []string
}

func (c *packets) Entry(e *dissector.Entry) error {
	if e.Protocol != udp.Protocol {
		return nil
	}
	v := &e.Request.Values
	if udp.Length.Get(v) != e.Request.Size+8 {
		c.t.Errorf("length %d of %d bytes", udp.Length.Get(v), e.Request.Size)
	}
	line := fmt.Sprintf("%d %d %d %x", e.Flow.SrcPort, e.Flow.DstPort, e.Request.Size, udp.Payload.Get(v))
	if udp.Checksum.Get(v) == 0 {
		line += " unchecked"
	}
	c.out = append(c.out, line)
	return nil
}

// TestTruth compares every datagram with what was said.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "udp", func(t *testing.T, capture string, want []string) {
		c := &packets{t: t}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), c, append(protocol.All(), udp.Protocol)...)
		dissectortest.SameLines(t, c.out, want)
	})
}

// TestPacketsOfOthers: what a protocol reads is no entry of its own.
func TestPacketsOfOthers(t *testing.T) {
	c := &packets{t: t}
	dissectortest.Dissect(t, dissectortest.Open(t, "../../../testdata/radius/radius_of_access.pcap"), c, append(protocol.All(), udp.Protocol)...)
	if len(c.out) > 0 {
		t.Errorf("%d datagrams of RADIUS", len(c.out))
	}
}
