package packet_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"shark/packet"
)

// reference is what gopacket makes of a record: its innermost flow.
type reference struct {
	flow    packet.Flow
	payload []byte
	tcp     *layers.TCP
	failed  bool // something in the packet did not decode
}

// decodeReference decodes r with gopacket. It reports false where gopacket has no
// transport with ports, or gave up.
func decodeReference(r *packet.Record) (ref reference, ok bool) {
	defer func() {
		if recover() != nil { // gopacket's decoders of application protocols may
			ok = false
		}
	}()
	p := gopacket.NewPacket(r.Data, layers.LinkType(r.Link), gopacket.NoCopy)
	ref.failed = p.ErrorLayer() != nil
	for _, layer := range p.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			ref.flow.Src, ref.flow.Dst = packet.AddrFrom4(l.SrcIP), packet.AddrFrom4(l.DstIP)
			ok = false
		case *layers.IPv6:
			ref.flow.Src, ref.flow.Dst = packet.AddrFrom16(l.SrcIP), packet.AddrFrom16(l.DstIP)
			ok = false
		case *layers.TCP:
			ref.flow.Proto, ref.flow.SrcPort, ref.flow.DstPort = packet.TCP, uint16(l.SrcPort), uint16(l.DstPort)
			ref.payload, ref.tcp, ok = l.Payload, l, true
		case *layers.UDP:
			ref.flow.Proto, ref.flow.SrcPort, ref.flow.DstPort = packet.UDP, uint16(l.SrcPort), uint16(l.DstPort)
			ref.payload, ok = l.Payload, true
		case *layers.SCTP:
			ref.flow.Proto, ref.flow.SrcPort, ref.flow.DstPort = packet.SCTP, uint16(l.SrcPort), uint16(l.DstPort)
			ref.payload, ok = slices.Concat(l.Contents, l.Payload), true
		}
	}
	return ref, ok
}

// deeper tells whether p was found in a tunnel that gopacket ends at.
func deeper(p *packet.Packet, ref reference) bool {
	return p.Tunnel.Kind != packet.NoTunnel && ref.flow.Src == p.Tunnel.Src
}

// onlyGopacket are the packets that gopacket finds a flow in and we do not, and why.
var onlyGopacket = map[string]map[uint64]string{
	"arkime/arkime_synthetic.pcap":              {818: "UDP length 0 in IPv4, where RFC 768 wants 8 at least"},
	"malformed/ndpi/fuzz-2006-09-29-28586.pcap": {91: "IP version 2"},
}

// TestAgainstGopacket decodes every record of every capture with gopacket too,
// damaged captures included.
func TestAgainstGopacket(t *testing.T) {
	dir, paths := captures(t)
	same, ours, theirs, further := 0, 0, 0, 0
	reported, unreadable := 0, 0
	report := func(path string, p *packet.Packet, format string, args ...any) {
		if reported++; reported <= 20 {
			t.Errorf("%s: packet %d: "+format, append([]any{path, p.Number}, args...)...)
		}
	}
	for _, path := range paths {
		d := packet.NewDecoder()
		var p packet.Packet
		err := records(filepath.Join(dir, path), func(r *packet.Record) {
			d.Decode(r, &p)
			ref, ok := decodeReference(r)
			known := p.Kind == packet.Transport && (p.Proto == packet.TCP || p.Proto == packet.UDP || p.Proto == packet.SCTP)
			switch {
			case len(p.Fragments) > 0 || p.Kind == packet.Held: // gopacket keeps nothing
			case !ok && known:
				ours++
			case !ok:
			case deeper(&p, ref):
				further++
			case !known && p.Kind == packet.Malformed && ref.failed: // gopacket shows a header and an error
			case !known:
				theirs++
				if why, ok := onlyGopacket[path][p.Number]; ok {
					t.Logf("%s: packet %d: flow only in gopacket: %s", path, p.Number, why)
					return
				}
				report(path, &p, "kind %d, protocol %d; gopacket has %+v", p.Kind, p.Proto, ref.flow)
			case p.Flow() != ref.flow:
				report(path, &p, "flow %+v; gopacket has %+v", p.Flow(), ref.flow)
			case !bytes.Equal(p.Payload, ref.payload):
				report(path, &p, "%v payload of %d bytes; gopacket has %d", p.Flow(), len(p.Payload), len(ref.payload))
			case ref.tcp != nil && (p.Seq != ref.tcp.Seq || p.Ack != ref.tcp.Ack || p.Window != ref.tcp.Window ||
				p.Flags&packet.SYN != 0 != ref.tcp.SYN || p.Flags&packet.FIN != 0 != ref.tcp.FIN ||
				p.Flags&packet.RST != 0 != ref.tcp.RST || p.Flags&packet.ACK != 0 != ref.tcp.ACK):
				report(path, &p, "TCP header differs")
			default:
				same++
			}
		})
		if err != nil {
			unreadable++
		}
	}
	t.Logf("packets: %d the same, %d only here, %d only in gopacket, %d further into a tunnel here; %d captures unreadable",
		same, ours, theirs, further, unreadable)
}
