package dissectortest

import (
	"encoding/binary"
	"io"
	"testing"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// linkRaw is LINKTYPE_RAW: the frame begins with an IP header.
const linkRaw packet.LinkType = 101

// plaintextInterface is the number of the interface that what TLS libraries were given comes by.
const plaintextInterface = 1

// source yields records as they are, numbers and all.
type source struct{ records []packet.Record }

func (s *source) ReadBatch(b *packet.Batch) error {
	n := min(len(s.records), 256)
	b.Records = append(b.Records[:0], s.records[:n]...)
	s.records = s.records[n:]
	if n == 0 {
		return io.EOF
	}
	return nil
}

func (s *source) Interfaces() []packet.Interface {
	return []packet.Interface{plaintextInterface: {Name: packet.PlaintextInterface}}
}
func (s *source) Damage() []packet.Damage { return nil }
func (s *source) Close() error            { return nil }

// readCapture returns all records of a file, in memory of their own.
func readCapture(t testing.TB, path string) []packet.Record {
	t.Helper()
	r, err := pcapng.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []packet.Record
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		for _, rec := range b.Records {
			rec.Data = append([]byte(nil), rec.Data...)
			rec.Options = nil
			out = append(out, rec)
		}
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// secretsOf returns the secrets that a file holds.
func secretsOf(t testing.TB, path string) *keylog.Table {
	t.Helper()
	r, err := pcapng.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	table := new(keylog.Table)
	src := pcapng.Keyed(r, table)
	var b packet.Batch
	for err == nil {
		err = src.ReadBatch(&b)
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return table
}

// segment is a packet of a capture in a form that can be cut and put together
// again.
type segment struct {
	packet.Packet
	payload []byte
}

// segments decodes records; those without a transport are left out.
func segments(records []packet.Record) []segment {
	dec := packet.NewDecoder()
	var out []segment
	for i := range records {
		var s segment
		dec.Decode(&records[i], &s.Packet)
		if s.Kind == packet.Transport {
			s.payload = append([]byte(nil), s.Payload...)
			out = append(out, s)
		}
	}
	return out
}

// record puts a segment into a raw IP frame. The number stays that of the packet
// it was taken from.
func (s *segment) record() packet.Record {
	var ip []byte
	transport := s.transport()
	if s.Src.Is4() {
		ip = make([]byte, 20, 20+len(transport))
		ip[0], ip[8], ip[9] = 0x45, 64, byte(s.Proto)
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(transport)))
		copy(ip[12:], s.Src[12:])
		copy(ip[16:], s.Dst[12:])
	} else {
		ip = make([]byte, 40, 40+len(transport))
		ip[0], ip[6], ip[7] = 0x60, byte(s.Proto), 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(transport)))
		copy(ip[8:], s.Src[:])
		copy(ip[24:], s.Dst[:])
	}
	data := append(ip, transport...)
	return packet.Record{Data: data, Time: s.Time, Number: s.Number, Interface: s.Interface, OrigLen: uint32(len(data)), Link: linkRaw}
}

func (s *segment) transport() []byte {
	switch s.Proto {
	case packet.TCP:
		h := make([]byte, 20, 20+len(s.payload))
		binary.BigEndian.PutUint16(h, s.SrcPort)
		binary.BigEndian.PutUint16(h[2:], s.DstPort)
		binary.BigEndian.PutUint32(h[4:], s.Seq)
		binary.BigEndian.PutUint32(h[8:], s.Ack)
		h[12], h[13] = 0x50, byte(s.Flags)
		binary.BigEndian.PutUint16(h[14:], s.Window)
		return append(h, s.payload...)
	case packet.UDP:
		h := make([]byte, 8, 8+len(s.payload))
		binary.BigEndian.PutUint16(h, s.SrcPort)
		binary.BigEndian.PutUint16(h[2:], s.DstPort)
		binary.BigEndian.PutUint16(h[4:], uint16(8+len(s.payload)))
		return append(h, s.payload...)
	}
	return s.payload
}

// records puts segments into frames.
func records(segs []segment) []packet.Record {
	out := make([]packet.Record, len(segs))
	for i := range segs {
		out[i] = segs[i].record()
	}
	return out
}

// cut splits TCP payloads. at returns how long the piece is to be that begins off bytes
// into one of n, and is asked from its front on.
func cut(segs []segment, at func(off, n int) int) []segment {
	var out []segment
	for _, s := range segs {
		if s.Proto != packet.TCP {
			out = append(out, s)
			continue
		}
		flags, all := s.Flags, len(s.payload)
		for len(s.payload) > 0 {
			n := min(max(at(all-len(s.payload), all), 1), len(s.payload))
			if n == len(s.payload) {
				break
			}
			piece := s
			piece.payload = s.payload[:n]
			piece.Flags = flags &^ (packet.FIN | packet.RST | packet.PSH)
			out = append(out, piece)
			s.Seq += uint32(n)
			if flags&packet.SYN != 0 {
				s.Seq++
				flags &^= packet.SYN
			}
			s.payload = s.payload[n:]
		}
		s.Flags = flags
		out = append(out, s)
	}
	return out
}
