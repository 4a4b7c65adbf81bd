package packet_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"shark/packet"
	"shark/packet/pcapng"
)

// captures lists the captures in the folder SHARK_CAPTURES names, by their path
// in it.
func captures(t *testing.T) (dir string, paths []string) {
	t.Helper()
	dir = os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name a folder of captures")
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(filepath.Ext(path), "cap") {
			path, err = filepath.Rel(dir, path)
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, paths
}

// records calls each with every record of a capture, as far as it can be read.
func records(path string, each func(*packet.Record)) error {
	src, err := pcapng.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Records {
			each(&b.Records[i])
		}
	}
}

// witness is what tshark says of a capture.
type witness struct {
	Packets    int            `json:"packets"`
	Protocols  map[string]int `json:"protocols"`
	TCPStreams int            `json:"tcp_streams"`
	UDPStreams int            `json:"udp_streams"`
	IPCount    int            `json:"n_ips_outermost"`

	// IPs is a list, or of many a number.
	IPs any `json:"ips_outermost"`
}

// census counts what tshark counts.
type census struct {
	frames  map[string]int
	streams map[packet.Proto]int
	ips     map[string]bool
	flows   map[packet.Flow]*initials
}

// initials are the first sequence numbers of a connection's two directions.
type initials struct {
	seq [2]uint32
	set [2]bool
}

func newCensus() *census {
	return &census{map[string]int{}, map[packet.Proto]int{}, map[string]bool{}, map[packet.Flow]*initials{}}
}

// add counts p and what is around it and in it: the outer flow of a tunnel, the
// packet an ICMP error quotes. Of several flows the innermost has the stream.
func (c *census) add(r *packet.Record, p *packet.Packet) {
	src, dst := p.Src, p.Dst
	seen := map[string]bool{}
	flow := *p
	if p.Kind == packet.Transport || p.Kind == packet.Malformed {
		seen[p.Proto.String()] = true
	}
	if p.Tunnel.Kind != packet.NoTunnel {
		src, dst = p.Tunnel.Src, p.Tunnel.Dst
		outer, ok := outerUDP(r, p)
		if ok {
			seen["udp"] = true
		}
		if ok && (p.Kind != packet.Transport || p.Proto != packet.TCP && p.Proto != packet.UDP) {
			flow = outer
		}
	}
	if inner, ok := quote(p); ok {
		seen[inner.Proto.String()] = true
		flow = inner
	}
	if flow.Kind == packet.Transport {
		c.stream(&flow)
	}
	if dst != (packet.Addr{}) {
		c.ips[src.IP().String()], c.ips[dst.IP().String()] = true, true
	}
	if src.Is4() != p.Src.Is4() { // tshark has an outermost IPv4 and an outermost IPv6
		c.ips[p.Src.IP().String()], c.ips[p.Dst.IP().String()] = true, true
	}
	for name := range seen {
		c.frames[name]++
	}
}

// outerUDP returns the UDP flow that the tunnel p was found in uses, if it does.
// It has no ports when the datagram came in fragments.
func outerUDP(r *packet.Record, p *packet.Packet) (outer packet.Packet, ok bool) {
	decoded := gopacket.NewPacket(r.Data, layers.LinkType(r.Link), gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	udp, found := decoded.Layer(layers.LayerTypeUDP).(*layers.UDP)
	switch p.Tunnel.Kind {
	case packet.VXLAN, packet.Geneve, packet.GTPU, packet.CAPWAP:
	default:
		if !found || udp.DstPort != 3544 && udp.SrcPort != 3544 { // Teredo
			return outer, false
		}
	}
	outer = packet.Packet{Proto: packet.UDP, Src: p.Tunnel.Src, Dst: p.Tunnel.Dst}
	if found {
		outer.Kind, outer.SrcPort, outer.DstPort = packet.Transport, uint16(udp.SrcPort), uint16(udp.DstPort)
	}
	return outer, true
}

// quote decodes the packet an ICMP error quotes.
func quote(p *packet.Packet) (q packet.Packet, ok bool) {
	if p.Kind != packet.Transport || len(p.Payload) < 8 {
		return q, false
	}
	switch t := p.Payload[0]; {
	case p.Proto == packet.ICMP && slices.Contains([]byte{3, 4, 5, 11, 12}, t):
	case p.Proto == packet.ICMPv6 && t < 128:
	default:
		return q, false
	}
	packet.NewDecoder().Decode(record(101, p.Payload[8:]), &q)
	return q, q.Kind == packet.Transport || q.Kind == packet.Malformed && q.DstPort != 0
}

// stream counts conversations: of TCP, one more when a SYN brings another
// sequence number.
func (c *census) stream(p *packet.Packet) {
	f, way := p.Flow(), 0
	if r := f.Reverse(); r.Src.IP().Less(f.Src.IP()) || r.Src == f.Src && r.SrcPort < f.SrcPort {
		f, way = r, 1
	}
	conn := c.flows[f]
	renewed := conn != nil && p.Proto == packet.TCP && p.Flags&(packet.SYN|packet.ACK) == packet.SYN &&
		conn.set[way] && conn.seq[way] != p.Seq
	if conn == nil || renewed {
		conn = &initials{}
		c.flows[f] = conn
		c.streams[p.Proto]++
	}
	if !conn.set[way] {
		conn.set[way], conn.seq[way] = true, p.Seq
		if p.Flags&packet.SYN == 0 {
			conn.seq[way]--
		}
	}
	if !conn.set[1-way] && p.Flags&packet.ACK != 0 {
		conn.set[1-way], conn.seq[1-way] = true, p.Ack-1
	}
}

// difference is a count that is not tshark's, and why.
type difference struct {
	got, want int
	why       string
}

const (
	l2tp   = "PPP in L2TP is not looked into"
	erspan = "frame 304 is ERSPAN straight on Ethernet, which tshark does not look into"
	snmp   = "tshark's SNMP dissector gives the answer a conversation of its own"
	sdp    = "tshark gives each direction of media that SDP announced a stream of its own"
)

// differences are those expected, by capture and count.
var differences = map[string]map[string]difference{
	"arkime/arkime_synthetic.pcap": {
		"frames of icmp": {24, 23, erspan},
		"addresses":      {399, 397, erspan},
	},
	"dpkt/nb6-http.pcap": {
		"TCP streams":      {2, 3, l2tp},
		"frames of tcp":    {20, 30, l2tp},
		"frames of icmpv6": {0, 1, l2tp},
		"addresses":        {7, 11, l2tp},
	},
	"ndpi/snmp.pcap":       {"UDP streams": {17, 34, snmp}},
	"zeek/snmpv1_get.pcap": {"UDP streams": {30, 58, snmp}},
	"zeek/snmpv1_set.pcap": {"UDP streams": {1, 2, snmp}},
	"open5gs/volte.pcapng": {"UDP streams": {11, 13, sdp}},
}

// TestAgainstTshark compares the counts of every capture with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir, paths := captures(t)
	compared, skipped := 0, 0
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(dir, "oracle", path+".json"))
		if err != nil {
			continue
		}
		var want witness
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, packets := newCensus(), 0
		d := packet.NewDecoder()
		var p packet.Packet
		err = records(filepath.Join(dir, path), func(r *packet.Record) {
			packets++
			d.Decode(r, &p)
			got.add(r, &p)
		})
		if err != nil || packets != want.Packets {
			skipped++ // a damaged file, or one whose counts another file's oracle has
			continue
		}
		compared++
		expected := differences[path]
		check := func(what string, got, want int) {
			e, ok := expected[what]
			switch {
			case ok && got == e.got && want == e.want:
				t.Logf("%s: %s: %d, tshark has %d: %s", path, what, got, want, e.why)
			case ok:
				t.Errorf("%s: %s: %d, tshark has %d; expected were %d and %d", path, what, got, want, e.got, e.want)
			case got != want:
				t.Errorf("%s: %s: %d, tshark has %d", path, what, got, want)
			}
		}
		check("TCP streams", got.streams[packet.TCP], want.TCPStreams)
		check("UDP streams", got.streams[packet.UDP], want.UDPStreams)
		for _, name := range []string{"tcp", "udp", "sctp", "icmp", "icmpv6"} {
			check("frames of "+name, got.frames[name], want.Protocols[name])
		}
		check("addresses", len(got.ips), want.IPCount)
		if _, fewer := expected["addresses"]; fewer {
			continue
		}
		if list, ok := want.IPs.([]any); ok {
			for _, ip := range list {
				if !got.ips[ip.(string)] {
					t.Errorf("%s: address %v missing", path, ip)
				}
			}
		}
	}
	t.Logf("%d captures compared; %d are damaged or without counts", compared, skipped)
	if compared == 0 {
		t.Error("no capture has counts to compare with")
	}
}
