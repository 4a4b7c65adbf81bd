package filter

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"shark/packet"
)

func mustCompile(t testing.TB, expr string) *Filter {
	t.Helper()
	f, err := Compile(expr)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The meaning of expressions is checked against tcpdump where that is installed;
// these rows hold everywhere.
func TestMatch(t *testing.T) {
	eth := func(rest ...[]byte) []byte { return join(unhex(macB), unhex(macA), join(rest...)) }
	syn := ip4(hostA, hostB, 6, 0, nil, tcp(40000, 80, 0x02))
	later := ip4(hostA, hostB, 6, 0x00b9, nil, tcp(40000, 80, 0x02))
	syn6 := ip6(v6A, v6B, 6, tcp(40000, 80, 0x02))
	v4, v6 := unhex("0800"), unhex("86dd")
	for _, c := range []struct {
		expr string
		link packet.LinkType
		data []byte
		want bool
	}{
		{"", linkEthernet, nil, true},
		{"tcp port 80", linkEthernet, eth(v4, syn), true},
		{"tcp port 80", linkEthernet, eth(v6, syn6), true},
		{"tcp port 81", linkEthernet, eth(v4, syn), false},
		{"tcp port 80", linkEthernet, eth(v4, later), false},
		{"tcp", linkEthernet, eth(v4, later), true},
		{"tcp port http", linkRaw, syn, true},
		{"tcp port http", linkOldRaw, syn, true},
		{"udp or port 80 or 443", linkIPv4, syn, true},
		{"host 10.1.2.3 and not 8.8.8.8", linkIPv4, syn, true},
		{"tcp[tcpflags] = tcp-syn", linkRaw, syn, true},
		{"tcp[tcpflags] = tcp-syn", linkRaw, syn6, false},
		{"not tcp[tcpflags] = tcp-syn", linkRaw, syn6, true},
		{"not ip[1000] = 0", linkRaw, syn, false},
		{"tcp or ip[1000] = 0", linkRaw, syn, true},
		{"ip[8] / (ip[1] & 0xff) = 0", linkRaw, syn, false}, // division by zero
		{"not ip[8] / (ip[1] & 0xff) = 0", linkRaw, syn, false},
		{"vlan 100 and tcp port 80", linkEthernet, eth(unhex("8100 0064"), v4, syn), true},
		{"vlan 100 and tcp port 80", linkEthernet, eth(v4, syn), false},
		{"ip or vlan", linkEthernet, eth(unhex("8100 0064"), v4, syn), true},
		{"vlan or ip", linkEthernet, eth(v4, syn), false},
		{"ip", linkNull, join(unhex("02000000"), syn), true},
		{"ip", linkNull, join(unhex("00000002"), syn), true}, // captured on a big-endian machine
		{"ip6", linkNull, join(unhex("0000001e"), syn6), true},
		{"outbound", linkSLL, join(unhex("0004 0001 0006 020000000001 0000 0800"), syn), true},
		{"inbound", linkSLL, join(unhex("0004 0001 0006 020000000001 0000 0800"), syn), false},
		{"tcp", 147, eth(v4, syn), false},
	} {
		if got := mustCompile(t, c.expr).Match(c.link, c.data, uint32(len(c.data))); got != c.want {
			t.Errorf("%q on link type %d of %x: %v", c.expr, c.link, c.data, got)
		}
	}
}

func TestLengthIsThatOnTheWire(t *testing.T) {
	f := mustCompile(t, "len > 1000")
	if !f.Match(linkRaw, []byte{0x45}, 1500) || f.Match(linkRaw, []byte{0x45}, 1000) {
		t.Error("len is not the original length")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		expr, at, reason string // at: the text the caret points at
	}{
		{"tcp and", "", "condition is expected"},
		{"tcp udp", "udp", `"and", "or" or the end`},
		{"host www.example.org", "www.example.org", "names of hosts are not looked up"},
		{"net mynet", "mynet", "names of networks are not looked up"},
		{"10.1.2.3", "10.1.2.3", `perhaps "host 10.1.2.3"`},
		{"tcp or 10.1.2.3", "10.1.2.3", "no \"host\""},
		{"(tcp", "(tcp", "not closed"},
		{"port 70000", "70000", "at most 65535"},
		{"udp port ssh", "ssh", "port of TCP"},
		{"net 10.1.2.3/8", "10.1.2.3", "outside its mask"},
		{"host 10.0.0.0/8", "/8", `a mask goes with "net"`},
		{"ip[0:3] = 1", "3]", "1, 2 or 4"},
		{"tcp[13] & 2", "", "comparison is expected"},
		{"vlan 5000", "vlan", "at most 4095"},
		{"mpls and arp", "arp", `after "mpls"`},
		{"len / 0 = 1", "/", "division by zero"},
		{"vpi 5", "vpi", "not supported"},
		{"byte 0 & 1", "&", "is expected here"},
		{"inbound and ether host 1:2:3:4:5:6", "inbound", "does not tell direction"},
		{"host 1.2.3.4 é", "é", "not part of any expression"},
		{"tcp and ip[4294967296] = 0", "4294967296", "32 bits"},
		{strings.Repeat("(", 600) + "tcp" + strings.Repeat(")", 600), "(", "nested"},
		{strings.Repeat("not ", 600) + "tcp", "not", "nested"},
		{strings.Repeat("tcp or ", 10000) + "udp", "", "longer than"},
	} {
		_, err := Compile(c.expr)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60q: %v", c.expr, err)
			continue
		}
		if !strings.Contains(e.Reason, c.reason) || !strings.HasPrefix(c.expr[e.Pos:], c.at) {
			t.Errorf("%.60q: at %d (%.20q): %s", c.expr, e.Pos, c.expr[e.Pos:], e.Reason)
		}
	}
}

func TestErrorShowsPlace(t *testing.T) {
	_, err := Compile("tcp port 80 and\thost nowhere")
	const want = `filter: "nowhere" is not an address; names of hosts are not looked up at byte 22
  tcp port 80 and host nowhere
                       ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = Compile(strings.Repeat("tcp or ", 1000) + "%" + strings.Repeat(" or tcp", 1000))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || len(lines[1]) > 80 || lines[1][strings.Index(lines[2], "^")] != '%' {
		t.Errorf("a long expression is shown badly:\n%v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		expr string
		link packet.LinkType
		ok   bool
	}{
		{"ether host 1:2:3:4:5:6", linkEthernet, true},
		{"ether host 1:2:3:4:5:6", linkSLL, false},
		{"inbound", linkEthernet, false},
		{"inbound", linkSLL2, true},
		{"ifindex 3", linkSLL, false},
		{"ifindex 3", linkSLL2, true},
		{"vlan", linkRaw, false},
		{"tcp", 105, false},
	} {
		if err := mustCompile(t, c.expr).Check(c.link); (err == nil) != c.ok {
			t.Errorf("%s on %d: %v", c.expr, c.link, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	f := mustCompile(t, "tcp port 80 or udp port 53")
	data := ip4(hostA, hostB, 6, 0, nil, tcp(40000, 80, 2))
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := range links {
				link := links[(i+k)%len(links)]
				f.Match(link, data, 100)
				if !f.Match(linkRaw, data, 100) {
					t.Error("no match")
				}
			}
		})
	}
	wg.Wait()
}

// fullPrograms are expressions that use every way a program has to compute.
var fullPrograms = []string{
	"tcp port 8080", "host 10.1.2.3 and tcp", "portrange 1-1024 and len > 60", "ip6 net 2001:db8::/32",
	"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "protochain 6", "geneve and tcp port 80", "vlan and host 10.1.2.3",
}

func TestMatchDoesNotAllocate(t *testing.T) {
	recs := testPackets(linkEthernet)
	for _, expr := range fullPrograms {
		f := mustCompile(t, expr)
		if n := testing.AllocsPerRun(10, func() {
			for i := range recs {
				f.Match(linkEthernet, recs[i].data, recs[i].wire)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
	}
}

// An expression and its negation never both match; and neither does only when
// the packet is too short for what is asked, or a divisor is zero.
func TestNegation(t *testing.T) {
	g := newGenerator(2)
	recs := testPackets(linkEthernet)[:60]
	for range 1000 {
		expr := g.joined(2)
		f, err := Compile(expr)
		if err != nil {
			continue
		}
		neg := mustCompile(t, "not ("+expr+")")
		for _, r := range recs {
			if f.Match(linkEthernet, r.data, r.wire) && neg.Match(linkEthernet, r.data, r.wire) {
				t.Fatalf("%s and its negation both match %x", expr, r.data)
			}
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, e := range handPicked() {
		f.Add(e)
	}
	data := ethernetPackets()[0]
	f.Fuzz(func(t *testing.T, expr string) {
		c, err := Compile(expr)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(expr) {
				t.Fatalf("bad error: %v", err)
			}
			_ = err.Error()
			return
		}
		for _, link := range links {
			c.Match(link, data, 100)
		}
	})
}

func FuzzMatch(f *testing.F) {
	for i, r := range testPackets(linkEthernet) {
		f.Add(r.data, uint16(i), uint8(i))
	}
	var filters []*Filter
	for _, e := range handPicked() {
		if c, err := Compile(e); err == nil {
			filters = append(filters, c)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint16, link uint8) {
		c := filters[int(which)%len(filters)]
		c.Match(links[int(link)%len(links)], data, uint32(len(data)))
	})
}

func BenchmarkMatch(b *testing.B) {
	match := join(unhex(macB), unhex(macA), unhex("0800"), ip4(hostA, hostB, 6, 0, nil, tcp(40000, 8080, 0x18)))
	miss := join(unhex(macB), unhex(macA), unhex("0800"), ip4(hostC, hostB, 17, 0, nil, udp(53, 40000)))
	for _, expr := range append([]string{"ip", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0"}, fullPrograms...) {
		f := mustCompile(b, expr)
		for name, data := range map[string][]byte{"tcp": match, "udp": miss} {
			b.Run(strings.ReplaceAll(expr, " ", "_")+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.Match(linkEthernet, data, 100)
				}
			})
		}
	}
}
