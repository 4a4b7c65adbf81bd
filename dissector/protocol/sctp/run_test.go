package sctp_test

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/diameter"
	"shark/dissector/protocol/sctp"
)

// packets collects what tshark shows of a packet: its number, the type of its first
// chunk, its length with IPv4's header, and its checksum.
type packets struct {
	out   []string
	conns []string // state, end, failure and missing chunks
	calls int
}

var numbers = map[string]int{
	"DATA": 0, "INIT": 1, "INIT_ACK": 2, "SACK": 3, "HEARTBEAT": 4, "HEARTBEAT_ACK": 5, "ABORT": 6, "SHUTDOWN": 7, "SHUTDOWN_ACK": 8,
	"ERROR": 9, "COOKIE_ECHO": 10, "COOKIE_ACK": 11, "SHUTDOWN_COMPLETE": 14,
}

func (c *packets) Entry(e *dissector.Entry) error {
	switch e.Protocol {
	case sctp.Protocol:
		v := &e.Request.Values
		c.out = append(c.out, fmt.Sprintf("%d\t%d\t%d\t%#08x", e.First, numbers[string(sctp.ChunkType.Get(v))], sctp.Length.Get(v)+20, sctp.Checksum.Get(v)))
	case dissector.ConnProtocol:
		v := &e.Request.Values
		c.conns = append(c.conns, fmt.Sprintf("%s %s %v %d %d", field.ConnState.Get(v), field.ConnEnded.Get(v), dissector.Failed.Get(v),
			field.ConnMissingChunks.Get(v), field.ConnGoodput.Get(v)))
	case diameter.Protocol:
		c.calls++
	}
	return nil
}

// TestTruth compares every packet with what tshark shows of it, and the associations
// with what was done.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "sctp", func(t *testing.T, capture string, want []string) {
		c := new(packets)
		dissectortest.Dissect(t, dissectortest.Open(t, capture), c, diameter.Protocol, sctp.Protocol)
		for i, line := range want {
			var number, kind, length, sum int
			if _, err := fmt.Sscan(line, &number, &kind, &length, &sum); err != nil {
				t.Fatal(err)
			}
			want[i] = fmt.Sprintf("%d\t%d\t%d\t%#08x", number, kind, length, sum)
		}
		dissectortest.SameLines(t, c.out, want)
		// The messages: 20, 50, 3000, 21, 9000 and 22 bytes, and the same back.
		dissectortest.SameLines(t, c.conns, []string{"closed reset true 0 0", fmt.Sprintf("closed fin false 0 %d", 2*(20+50+3000+21+9000+22))})
	})
}

// TestPacketsOfOthers: what carries a message of a protocol is no entry of its own,
// what opens, acknowledges and closes is.
func TestPacketsOfOthers(t *testing.T) {
	c := new(packets)
	dissectortest.Dissect(t, dissectortest.Open(t, "../../../testdata/diameter/diameter_of_sctp_large.pcap"), c, diameter.Protocol, sctp.Protocol)
	for _, line := range c.out {
		var number, kind int
		if _, err := fmt.Sscan(line, &number, &kind); err != nil || kind == numbers["DATA"] {
			t.Error(line)
		}
	}
	if c.calls != 5 || len(c.out) < 8 {
		t.Errorf("%d calls, %d other packets", c.calls, len(c.out))
	}
}
