package dissectortest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/dissector"
	"shark/packet"
	"shark/packet/keylog"
)

// Script is one TCP connection as a test tells it: who says what, in which
// segments, and which of them the capture missed.
type Script struct {
	// Secrets are those of the TLS sessions in it, if any are known.
	Secrets *keylog.Table

	segs  []segment
	iface uint32
	next  [2]uint32
	time  int64
	lost  bool
}

// NewScript returns a connection that has been opened, with its handshake captured.
func NewScript() *Script {
	s := &Script{next: [2]uint32{1000, 5000}, time: 1_700_000_000_000_000_000}
	s.add(0, packet.SYN, "")
	s.add(1, packet.SYN|packet.ACK, "")
	s.add(0, packet.ACK, "")
	return s
}

// NewLate returns a connection that was joined in its middle.
func NewLate() *Script {
	return &Script{next: [2]uint32{1000, 5000}, time: 1_700_000_000_000_000_000}
}

// NewPlaintext returns what a TLS library was given to send and received in the connection
// of NewScript, from a time on after that began.
func NewPlaintext(after time.Duration) *Script {
	return &Script{next: [2]uint32{1, 1}, time: 1_700_000_000_000_000_000 + int64(after), iface: plaintextInterface}
}

// Merge puts another script's packets among those of s, by time.
func (s *Script) Merge(other *Script) *Script {
	s.segs = append(s.segs, other.segs...)
	slices.SortStableFunc(s.segs, func(a, b segment) int { return cmp.Compare(a.Time, b.Time) })
	for i := range s.segs {
		s.segs[i].Number = uint64(i + 1)
	}
	return s
}

func (s *Script) add(side int, flags uint16, data string) {
	s.time += 1_000_000
	p := segment{payload: []byte(data)}
	p.Interface = s.iface
	p.Kind, p.Proto, p.Time, p.Number = packet.Transport, packet.TCP, s.time, uint64(len(s.segs)+1)
	p.Flags, p.Seq, p.Ack, p.Window = flags, s.next[side], s.next[side^1], 64000
	client, server := packet.AddrFrom4([]byte{10, 0, 0, 1}), packet.AddrFrom4([]byte{10, 0, 0, 2})
	p.Src, p.Dst, p.SrcPort, p.DstPort = client, server, 40000, 7
	if side == 1 {
		p.Src, p.Dst, p.SrcPort, p.DstPort = server, client, 7, 40000
	}
	if flags&packet.SYN == 0 || flags&packet.ACK == 0 && side == 1 {
		p.Flags |= packet.ACK
	}
	if side == 0 && flags == packet.SYN {
		p.Flags, p.Ack = packet.SYN, 0
	}
	s.next[side] += uint32(len(data))
	if flags&(packet.SYN|packet.FIN) != 0 {
		s.next[side]++
	}
	if !s.lost {
		s.segs = append(s.segs, p)
	}
	s.lost = false
}

// Client sends each text in a segment of its own.
func (s *Script) Client(texts ...string) *Script { return s.say(0, texts) }

// Server sends each text in a segment of its own.
func (s *Script) Server(texts ...string) *Script { return s.say(1, texts) }

func (s *Script) say(side int, texts []string) *Script {
	for _, t := range texts {
		lost := s.lost
		s.add(side, packet.ACK|packet.PSH, t)
		s.lost = lost && len(texts) > 1
	}
	s.lost = false
	return s
}

// Lose keeps the next Client or Server out of the capture.
func (s *Script) Lose() *Script { s.lost = true; return s }

// Wait lets time pass.
func (s *Script) Wait(ns int64) *Script { s.time += ns; return s }

// Close ends both sides.
func (s *Script) Close() *Script {
	s.add(0, packet.FIN|packet.ACK, "")
	s.add(1, packet.FIN|packet.ACK, "")
	return s
}

// Records returns the packets.
func (s *Script) Records() []packet.Record { return records(s.segs) }

// Each dissects the connection and hands its entries to sink.
func (s *Script) Each(t testing.TB, sink dissector.Sink, protocols ...*dissector.Protocol) *dissector.Report {
	t.Helper()
	report, err := dissector.Run(t.Context(), &source{s.Records()}, dissector.Options{Protocols: protocols, Secrets: s.Secrets}, func(int) dissector.Sink { return sink })
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Calls dissects the connection and returns its calls, a line each: operation,
// summary and status, "-" for the half that is not there, and the marks.
func (s *Script) Calls(t testing.TB, protocols ...*dissector.Protocol) []string {
	t.Helper()
	c := lines{}
	s.Each(t, &c, protocols...)
	return c.out
}

type lines struct{ out []string }

func (l *lines) Entry(e *dissector.Entry) error {
	if e.Protocol == dissector.ConnProtocol || e.Protocol == dissector.FlowProtocol {
		return nil
	}
	req, resp := "-", "-"
	if e.Request != nil {
		req = strings.TrimSpace(string(dissector.Operation.Get(&e.Request.Values)) + " " + string(dissector.Summary.Get(&e.Request.Values)))
	}
	if e.Response != nil {
		resp = string(dissector.Status.Get(&e.Response.Values))
	}
	line := req + " > " + resp
	if e.OneWay {
		line = req + " one-way"
	}
	if e.TLS {
		line += " tls"
	}
	if e.Plaintext {
		line += " plaintext"
	}
	l.out = append(l.out, line+marks(e.Marks))
	return nil
}
