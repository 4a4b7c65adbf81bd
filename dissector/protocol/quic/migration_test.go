package quic_test

import (
	"fmt"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/quic"
	"shark/packet"
)

const recorded = "../../../testdata/quic/quic_of_rebinding.pcap"

// moves collects where clients went on, and what the connections spoke.
type moves struct{ lines, spoken []string }

func (c *moves) Entry(e *dissector.Entry) error {
	if from := texts(e.Request, "quic_migrated_from"); from != "" {
		c.lines = append(c.lines, fmt.Sprintf("%s %s: %s:%d from %s, packet %d", texts(e.Request, "quic_dcid"), texts(e.Request, "quic_server_cid"), e.Flow.Src, e.Flow.SrcPort, from, e.First))
	}
	if e.Protocol == dissector.ConnProtocol {
		c.spoken = append(c.spoken, texts(e.Request, field.ConnL7.Name))
	}
	return nil
}

// TestRebinding: a connection that a NAT gives other ports is one, each time from the port
// before, whoever is at work on it.
func TestRebinding(t *testing.T) {
	want := []string{
		"e073a4eadbf1fd945c9d7466442646 c3b2dcb8: 127.0.0.1:35603 from 127.0.0.1:49465, packet 10",
		"e073a4eadbf1fd945c9d7466442646 c3b2dcb8: 127.0.0.1:55471 from 127.0.0.1:35603, packet 23",
	}
	for _, workers := range []int{1, 2, 5} {
		sinks := make([]moves, workers)
		opts := dissector.Options{Protocols: []*dissector.Protocol{quic.Protocol}, Workers: workers}
		if _, err := dissector.Run(t.Context(), dissectortest.Open(t, recorded), opts, func(n int) dissector.Sink { return &sinks[n] }); err != nil {
			t.Fatal(err)
		}
		var got moves
		for _, s := range sinks {
			got.lines, got.spoken = append(got.lines, s.lines...), append(got.spoken, s.spoken...)
		}
		dissectortest.SameLines(t, got.lines, want)
		if !slices.Equal(got.spoken, []string{"QUIC", "QUIC", "QUIC"}) {
			t.Errorf("%d workers: the connections spoke %q", workers, got.spoken)
		}
	}
}

// altered is a capture whose packets are changed before they are read. They are in Ethernet
// and IPv4 without options.
type altered struct {
	packet.Source
	alter func(r *packet.Record, ip, udp []byte)
}

func (a *altered) ReadBatch(b *packet.Batch) error {
	err := a.Source.ReadBatch(b)
	for i := range b.Records {
		r := &b.Records[i]
		r.Data = slices.Clone(r.Data)
		r.Data[34+6], r.Data[34+7] = 0, 0 // no checksum
		a.alter(r, r.Data[14:34], r.Data[34:])
	}
	return err
}

// TestNotRebound: a client is not known again by an ID that was not seen, at another address
// or server, or once its connection was let go of.
func TestNotRebound(t *testing.T) {
	const short = 8
	for _, x := range []struct {
		name   string
		memory int64
		alter  func(r *packet.Record, ip, udp []byte)
		want   int
	}{
		{"as it was", 0, func(*packet.Record, []byte, []byte) {}, 2},
		{"an ID that was not seen", 0, func(r *packet.Record, _, udp []byte) {
			if r.Number >= 10 {
				udp[short+1] ^= 1
			}
		}, 0},
		{"another ID, seen since", 0, func(r *packet.Record, _, udp []byte) {
			if r.Number >= 9 && udp[2] == 0x11 && udp[3] == 0x51 {
				udp[short+1] ^= 1
			}
		}, 2},
		{"no packet with a fixed bit", 0, func(r *packet.Record, _, udp []byte) {
			if r.Number >= 10 {
				udp[short] &^= 0x40
			}
		}, 0},
		{"another address of the client's", 0, func(r *packet.Record, ip, udp []byte) {
			if r.Number < 10 {
				return
			}
			if udp[2] == 0x11 && udp[3] == 0x51 { // to port 4433
				ip[15] = 7
			} else {
				ip[19] = 7
			}
		}, 0},
		{"another port of the server's", 0, func(r *packet.Record, _, udp []byte) {
			if r.Number >= 10 {
				at := udp[0:]
				if udp[2] == 0x11 && udp[3] == 0x51 {
					at = udp[2:]
				}
				at[0]++
			}
		}, 0},
		{"its connection was let go of for another one", 1, func(r *packet.Record, _, udp []byte) {
			if r.Number == 9 {
				udp[0] ^= 1
				udp[short] &^= 0x40
			}
		}, 0},
	} {
		var got moves
		src := &altered{dissectortest.Open(t, recorded), x.alter}
		opts := dissector.Options{Protocols: []*dissector.Protocol{quic.Protocol}, Memory: x.memory * dissector.Partitions}
		if _, err := dissector.Run(t.Context(), src, opts, func(int) dissector.Sink { return &got }); err != nil {
			t.Fatal(err)
		}
		if len(got.lines) != x.want {
			t.Errorf("%s: %q", x.name, got.lines)
		}
	}
}
