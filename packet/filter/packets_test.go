package filter

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/packet"
)

// rec is one packet of a test capture.
type rec struct {
	data []byte
	wire uint32
}

// unhex reads hexadecimal digits, blanks ignored.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// ip4 makes an IPv4 packet. frag is the flags and offset word, options a
// multiple of 4 bytes.
func ip4(src, dst string, proto byte, frag uint16, options, payload []byte) []byte {
	h := make([]byte, 20, 64)
	h[0] = 0x40 | byte(5+len(options)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(options)+len(payload)))
	binary.BigEndian.PutUint16(h[6:], frag)
	h[8], h[9] = 64, proto
	copy(h[12:], unhex(src))
	copy(h[16:], unhex(dst))
	return join(h, options, payload)
}

func ip6(src, dst string, next byte, payload []byte) []byte {
	h := make([]byte, 8, 64)
	h[0], h[6], h[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	return join(h, unhex(src), unhex(dst), payload)
}

func ports(src, dst uint16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	return append(binary.BigEndian.AppendUint16(b, dst), rest...)
}

func tcp(src, dst uint16, flags byte) []byte {
	return ports(src, dst, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0xab, 0xcd, 0, 0, 'G', 'E', 'T', ' ')
}

func udp(src, dst uint16, payload ...byte) []byte {
	return join(ports(src, dst, 0, byte(8+len(payload)), 0x12, 0x34), payload)
}

// Addresses of the test packets: 10.1.2.3, 10.1.200.7, 192.168.0.1, ...
const (
	hostA = "0a010203"
	hostB = "0a01c807"
	hostC = "c0a80001"
	group = "e0000005"
	v6A   = "20010db8000000000000000000000001"
	v6B   = "20010db8000000010000000000000002"
	v6C   = "fe800000000000000200000000000005"
	v6G   = "ff020000000000000000000000000001"
	macA  = "020000000001"
	macB  = "020000000002"
	macBC = "ffffffffffff"
	macMC = "01005e000005"
)

// layer3 is the same IP packets for every link type.
func layer3() [][]byte {
	ah := func(next byte) []byte { return join([]byte{next, 4}, make([]byte, 22)) }
	ext := func(next byte, n int) []byte { return join([]byte{next, byte(n)}, make([]byte, 6+8*n)) }
	options := unhex("01010101 00000000")
	return [][]byte{
		ip4(hostA, hostB, 6, 0x4000, nil, tcp(40000, 80, 0x02)),
		ip4(hostB, hostA, 6, 0x4000, nil, tcp(80, 40000, 0x12)),
		ip4(hostA, hostB, 6, 0, options, tcp(40000, 8080, 0x18)),
		ip4(hostA, hostC, 6, 0, nil, tcp(443, 443, 0x11)),
		ip4(hostC, hostA, 6, 0, nil, tcp(22, 65535, 0x04)),
		ip4(hostA, hostB, 6, 0x2000, nil, tcp(40000, 80, 0x10)),
		ip4(hostA, hostB, 6, 0x00b9, nil, tcp(40000, 80, 0x10)),
		ip4(hostA, hostB, 17, 0, nil, udp(53, 40001, 1, 2, 3, 4)),
		ip4(hostB, "08080808", 17, 0, nil, udp(40001, 53, 0xff, 0xfe)),
		ip4(hostB, hostA, 17, 0x0010, nil, udp(53, 53)),
		ip4(hostA, "ffffffff", 17, 0, nil, udp(68, 67)),
		ip4("00000000", "ffffffff", 17, 0, options, udp(68, 67, 9)),
		ip4(hostA, hostB, 132, 0, nil, ports(2905, 2905, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 20)),
		ip4(hostA, hostB, 1, 0, nil, unhex("0800 f7ff 0000 0001 6162")),
		ip4(hostB, hostA, 1, 0, nil, unhex("0000 ffff 0000 0001 6162")),
		ip4(hostC, hostA, 1, 0, nil, unhex("0301 fcfe 0000 0000 45000014")),
		ip4(hostA, group, 2, 0, options, unhex("1600 0904 e0000005")),
		ip4(hostA, group, 89, 0, nil, unhex("02010030")),
		ip4(hostA, group, 103, 0, nil, unhex("2000dfff")),
		ip4(hostA, "e0000012", 112, 0, nil, unhex("2101640100010a0a")),
		ip4(hostA, hostB, 9, 0, nil, unhex("01020304")),
		ip4(hostA, hostB, 47, 0, nil, unhex("0000080045000014")),
		ip4(hostA, hostB, 51, 0, nil, join(ah(6), tcp(1, 2, 2))),
		ip4(hostA, hostB, 51, 0, nil, join(ah(59), tcp(1, 2, 2))),
		ip4(hostA, hostB, 50, 0, nil, unhex("0000000100000002")),
		ip4(hostA, hostB, 6, 0, nil, nil),
		ip6(v6A, v6B, 6, tcp(40000, 80, 0x02)),
		ip6(v6B, v6A, 6, tcp(80, 40000, 0x12)),
		ip6(v6A, v6C, 17, udp(53, 53, 0)),
		ip6(v6A, v6C, 132, ports(2905, 3868, 0, 0, 0, 1)),
		ip6(v6C, v6G, 58, unhex("8700 0000 00000000")),
		ip6(v6A, v6B, 58, unhex("8000 0000 00010001")),
		ip6(v6C, v6G, 0, join(ext(58, 0), unhex("8f00000000000001"))),
		ip6(v6A, v6B, 44, join(unhex("06000001 00000001"), tcp(40000, 80, 0x10))),
		ip6(v6A, v6B, 44, join(unhex("11000000 00000001"), udp(1, 2))),
		ip6(v6A, v6B, 60, join(ext(43, 1), ext(44, 0), ext(6, 0), tcp(5, 6, 2))),
		ip6(v6A, v6B, 51, join(ah(6), tcp(1, 2, 2))),
		ip6(v6A, v6B, 0, join(ext(0, 2), ext(51, 0), make([]byte, 16))),
		ip6(v6A, v6B, 59, nil),
		ip6(v6A, v6B, 41, ip6(v6B, v6A, 6, tcp(1, 2, 3))),
		ip6(v6A, v6B, 103, unhex("2000dfff")),
	}
}

func arp(op byte, sender, target string) []byte {
	return join(unhex("0001 0800 06 04 00"), []byte{op}, unhex(macA), unhex(sender), unhex("000000000000"), unhex(target))
}

// etherType returns the type of one of layer3's packets.
func etherType(ip []byte) uint16 {
	if ip[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}

func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// ethernetPackets has layer3 and all that only Ethernet carries.
func ethernetPackets() (out [][]byte) {
	frame := func(dst, src string, rest ...[]byte) []byte { return join(unhex(dst), unhex(src), join(rest...)) }
	typed := func(ip []byte) []byte { return join(be16(etherType(ip)), ip) }
	ips := layer3()
	for i, ip := range ips {
		dst := []string{macB, macBC, macMC}[min(i%5, 2)]
		out = append(out, frame(dst, macA, typed(ip)))
		switch i % 6 {
		case 0:
			out = append(out, frame(macB, macA, unhex("8100 0064"), typed(ip)))
		case 1:
			out = append(out, frame(macB, macA, unhex("88a8 612c 8100 00c8"), typed(ip)))
		case 2:
			out = append(out, frame(macB, macA, unhex("8847 00064 1 40"), ip))
		case 3:
			out = append(out, frame(macB, macA, unhex("8847 00064 0 40 00400 1 40"), ip))
		case 4:
			ppp := map[uint16]string{0x0800: "0021", 0x86dd: "0057"}[etherType(ip)]
			out = append(out, frame(macB, macA, unhex("8864 1100 0007 0030"), unhex(ppp), ip))
			out = append(out, frame(macB, macA, unhex("8100 0064 8864 1100 0008 0030"), unhex(ppp), ip))
		case 5:
			inner := frame(macBC, macB, typed(ip))
			gnv := join(unhex("0000 6558 00007b 00"), inner)
			opt := join(unhex("0200 6558 0001c8 00 0102030405060708"), inner)
			bare := join(unhex("0000"), be16(etherType(ip)), unhex("00007b 00"), ip)
			out = append(out,
				frame(macB, macA, typed(ip4(hostA, hostB, 17, 0, nil, udp(5, 6081, gnv...)))),
				frame(macB, macA, typed(ip4(hostA, hostB, 17, 0, unhex("01010101"), udp(5, 6081, opt...)))),
				frame(macB, macA, typed(ip4(hostA, hostC, 17, 0, nil, udp(5, 6081, bare...)))),
				frame(macB, macA, typed(ip6(v6A, v6B, 17, udp(5, 6081, opt...)))),
				frame(macB, macA, unhex("8100 0064"), typed(ip6(v6A, v6B, 17, udp(5, 6081, bare...)))))
		}
	}
	for op := byte(1); op <= 4; op++ {
		out = append(out,
			frame(macBC, macA, unhex("0806"), arp(op, hostA, hostB)),
			frame(macBC, macB, unhex("8035"), arp(op, hostB, hostC)),
			frame(macBC, macB, unhex("8100 0005 0806"), arp(op, hostB, hostC)))
	}
	for _, s := range []string{
		"0026 424203 0000 00 00 00",                     // spanning tree
		"0030 fefe03 83 1b 01 00 0f 01 00",              // IS-IS L1 hello
		"0030 fefe03 83 1b 01 00 12 01 00",              // IS-IS L1 LSP
		"0030 fefe03 83 1b 01 00 1b 01 00",              // IS-IS L2 PSNP
		"0030 fefe03 81 00 00 00 00",                    // CLNP
		"0030 fefe03 82 00 00 00 00",                    // ES-IS
		"0030 e0e003 ffff 0022",                         // IPX in 802.2
		"0030 ffff 0022 0001",                           // IPX in 802.3
		"0030 aaaa03 000000 8137 ffff",                  // IPX in SNAP
		"8137 ffff 0022",                                // IPX
		"0030 aaaa03 080007 809b 0022",                  // AppleTalk
		"0030 aaaa03 000000 80f3 0001",                  // AARP
		"809b 0022 0000", "80f3 0001 809b", "6003 2a00", // ...
		"6001 00", "6002 00", "6004 00", "6007 00", "9000 0000", "88cc 0207",
		"0030 f0f003 2c00", "0030 f0f0 7f", "0030 f0f0 01 00", "0030 f0f0 05 00", "0030 f0f0 00 00", "0030 f0f0 63",
		"0030 0606 03 4500", "8863 1109 0000 0004", "8847 0fff 0140", "05dc 4242", "05dd 4242", "",
	} {
		out = append(out, frame(macB, macA, unhex(s)))
	}
	return out
}

// testPackets returns the packets for a link type: whole ones, and some cut
// short by the capture.
func testPackets(link packet.LinkType) []rec {
	var datas [][]byte
	ips := layer3()
	add := func(header string, payload ...[]byte) { datas = append(datas, join(unhex(header), join(payload...))) }
	switch link {
	case linkEthernet:
		datas = ethernetPackets()
	case linkSLL:
		for i, ip := range ips {
			add([]string{"0000", "0001", "0004"}[i%3]+"0001 0006 020000000001 0000", be16(etherType(ip)), ip)
		}
		for _, s := range []string{"0806", "8035"} {
			add("0004 0001 0006 020000000001 0000"+s, arp(1, hostA, hostB))
		}
		for _, s := range []string{"0004 424203", "0004 fefe03 83 1b 01 00 0f 01", "0001 ffff 0022", "0004 e0e003", "0004 aaaa03 000000 80f3 01", "8100 0064 0800 45"} {
			add("0001 0001 0006 020000000001 0000" + s)
		}
	case linkSLL2:
		for i, ip := range ips {
			add("", be16(etherType(ip)), unhex([]string{"0000 00000001 0001 00 06", "0000 00000002 0001 04 06"}[i%2]), unhex("020000000001 0000"), ip)
		}
		add("0806 0000 00000003 0001 01 06 020000000001 0000", arp(1, hostA, hostB))
		add("00fe 0000 00000003 0001 01 06 020000000001 0000 83")
	case linkNull:
		for i, ip := range ips {
			family := "02000000"
			if ip[0]>>4 == 6 {
				family = []string{"18000000", "1c000000", "1e000000"}[i%3]
			}
			add(family, ip)
		}
		add("07000000", ips[0])
	case linkLoop:
		for i, ip := range ips {
			family := "00000002"
			if ip[0]>>4 == 6 {
				family = []string{"00000018", "0000001c", "0000001e"}[i%3]
			}
			add(family, ip)
		}
		add("00000007", ips[0])
	case linkPPP, linkPPPSerial, linkPPPEther:
		for i, ip := range ips {
			header := "ff03"
			if link == linkPPPEther {
				header = "1100 0007 0030"
			}
			typ := "0021"
			if ip[0]>>4 == 6 {
				typ = "0057"
			}
			add(header+typ, ip)
			if i%4 == 0 {
				add(header+"0281 00064140", ip)
			}
		}
		add("ff03 c021 0101")
		add("ff03 0023 83")
	case linkHDLC:
		for i, ip := range ips {
			add("0f00", be16(etherType(ip)), ip)
			if i%4 == 0 {
				add("0f00 8847 00064140", ip)
			}
		}
		add("0f00 fefe 00 83 1b 01 00 0f 01 00")
		add("8f00 8035 0000")
	case linkIPv4, linkIPv6:
		for _, ip := range ips {
			if (ip[0]>>4 == 6) == (link == linkIPv6) {
				add("", ip)
			}
		}
	default:
		datas = ips
	}
	var recs []rec
	rnd := rand.New(rand.NewPCG(7, uint64(link)))
	for i, d := range datas {
		recs = append(recs, rec{d, uint32(len(d))})
		if i%3 == 0 && len(d) > 1 {
			cut := 1 + rnd.IntN(len(d)-1)
			recs = append(recs, rec{d[:cut], uint32(len(d) + rnd.IntN(1500))})
		}
		if i%4 == 0 {
			m := bytes.Clone(d)
			for range 3 {
				m[rnd.IntN(len(m))] ^= byte(1 << rnd.IntN(8))
			}
			recs = append(recs, rec{m, uint32(len(m))})
		}
	}
	return recs
}

// publicPackets returns up to limit packets of a link type from the captures in
// the folder that SHARK_CAPTURES names, a few from each, none without it.
func publicPackets(t testing.TB, link packet.LinkType, limit int) (recs []rec) {
	root := os.Getenv("SHARK_CAPTURES")
	if root == "" {
		return nil
	}
	index, err := os.ReadFile(filepath.Join(root, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(index)) {
		name, _, _ := strings.Cut(line, "\t")
		if !strings.HasSuffix(name, ".pcap") || len(recs) >= limit {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		got, all := readPcap(data)
		if got != link {
			continue
		}
		step := max(1, len(all)/12)
		for i := 0; i < len(all) && len(recs) < limit; i += step {
			recs = append(recs, all[i])
		}
	}
	return recs
}

// readPcap reads a little-endian pcap file; anything else has no packets.
func readPcap(data []byte) (link packet.LinkType, recs []rec) {
	if len(data) < 24 || data[0] != 0xd4 && data[0] != 0x4d || data[3] != 0xa1 {
		return 0xffff, nil
	}
	link = packet.LinkType(binary.LittleEndian.Uint16(data[20:]))
	for data = data[24:]; len(data) >= 16; {
		size, wire := binary.LittleEndian.Uint32(data[8:]), binary.LittleEndian.Uint32(data[12:])
		if uint64(size)+16 > uint64(len(data)) || size > 262144 || wire < size {
			break
		}
		recs = append(recs, rec{data[16 : 16+size], wire})
		data = data[16+size:]
	}
	return link, recs
}

// writePcap writes packets to a pcap file. The time of each is its index in
// seconds, so that it can be told which ones a program has selected.
func writePcap(t testing.TB, name string, link packet.LinkType, recs []rec) {
	out := unhex("d4c3b2a1 0200 0400 00000000 00000000 00000400")
	out = binary.LittleEndian.AppendUint32(out, uint32(link))
	for i, r := range recs {
		for _, v := range []uint32{uint32(i), 0, uint32(len(r.data)), r.wire} {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
		out = append(out, r.data...)
	}
	if err := os.WriteFile(name, out, 0o644); err != nil {
		t.Fatal(err)
	}
}
