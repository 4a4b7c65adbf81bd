package filter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes random expressions by the grammar, now and then wrong ones.
// It keeps away from what libpcap leaves undefined: conditions on a Geneve
// payload where no Geneve was found, and "byte" with "&" or "|".
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

func (g generator) pick(list string) string {
	words := strings.Split(list, ",")
	return words[g.IntN(len(words))]
}

func (g generator) expression() string {
	e := g.joined(1 + g.IntN(3))
	if g.IntN(15) == 0 {
		e = g.pick("geneve and ,geneve 123 and ,vlan and geneve and ") + "(" + e + ")"
	}
	if g.IntN(40) == 0 { // damage it
		i := g.IntN(len(e))
		e = e[:i] + e[min(len(e), i+1+g.IntN(3)):]
	}
	return e
}

func (g generator) joined(depth int) string {
	e := g.term(depth)
	for range g.IntN(3) {
		e += g.pick(" and , or , && , || ")
		if g.IntN(6) == 0 {
			e += g.id()
		} else {
			e += g.term(depth)
		}
	}
	return e
}

func (g generator) term(depth int) string {
	switch n := g.IntN(10); {
	case n == 0:
		return g.pick("not ,! ") + g.term(depth)
	case n < 3 && depth > 0:
		return "(" + g.joined(depth-1) + ")"
	}
	switch g.IntN(6) {
	case 0:
		return g.pick("ip,ip6,arp,rarp,tcp,udp,sctp,icmp,icmp6,igmp,pim,vrrp,ah,esp,isis,stp,ipx,iso,atalk,aarp,l1,snp")
	case 1:
		return g.relation()
	case 2:
		return g.other()
	}
	return g.qualified()
}

func (g generator) id() string {
	switch g.IntN(8) {
	case 0:
		return "(" + g.id() + g.pick(" or , and ") + g.id() + ")"
	case 1:
		return "not " + g.id()
	}
	return g.pick("80,443,53,(80),10.1.2.3,192.168.0.1,2001:db8::1,http,6,\\tcp,10.1")
}

func (g generator) qualified() string {
	dir := g.pick(",,,src ,dst ,src or dst ,src and dst ")
	list := func(ids string) string {
		switch g.IntN(6) {
		case 0:
			return g.pick(ids) + g.pick(" or , and ") + g.pick(ids)
		case 1:
			return "(" + g.pick(ids) + " or " + g.pick(ids) + ")"
		}
		return g.pick(ids)
	}
	switch g.IntN(9) {
	case 0, 1:
		return g.pick(",,,ip ,arp ,rarp ,tcp ") + dir + "host " + list("10.1.2.3,10.1.200.7,192.168.0.1,8.8.8.8,10.1,255.255.255.255")
	case 2:
		return g.pick(",ip6 ") + dir + "host " + list("2001:db8::1,fe80::200:0:0:5,2001:db8:0:1::2,ff02::1")
	case 3:
		return g.pick(",ip ,arp ") + dir + "net " + list("10.1.0.0/16,10,10.1.200,192.168.0.0/24,10.1.2.0/23,0/0,224.0.0.0/4")
	case 4:
		return g.pick(",ip6 ") + dir + "net " + list("2001:db8::/32,fe80::/10,2001:db8:0:1::/64,::/0")
	case 5:
		return g.pick(",,tcp ,udp ,sctp ,ip ") + dir + "port " + list("80,443,53,8080,40000,http,domain,67,2905")
	case 6:
		return g.pick(",,tcp ,udp ") + dir + "portrange " + list("1-100,80-443,40000-65535,http-8080,443-22")
	case 7:
		return "ether " + g.pick("host ,src ,dst ,src and dst ") + list("02:00:00:00:00:01,02:00:00:00:00:02,ff:ff:ff:ff:ff:ff,01-00-5e-00-00-05")
	}
	return g.pick("ip proto ,ip6 proto ,proto ,ip6 protochain ,ip protochain ,ether proto ") + g.pick("6,17,\\tcp,\\udp,1,58,44,\\icmp,(6 or 17),0x800")
}

func (g generator) other() string {
	switch g.IntN(5) {
	case 0:
		return g.pick("vlan,vlan 100,vlan 300,mpls,mpls 100,pppoes,pppoes 7,vlan 200")
	case 1:
		return g.pick("broadcast,multicast,ip broadcast,ip multicast,ip6 multicast,ether broadcast")
	case 2:
		return fmt.Sprintf("%s %d", g.pick("less,greater,ifindex"), g.IntN(150))
	case 3:
		return g.pick("llc,llc u,llc rr,inbound,outbound,pppoed")
	}
	return fmt.Sprintf("byte %d %s %d", g.IntN(60), g.pick("=,<,>"), g.IntN(256))
}

func (g generator) relation() string {
	return g.number(2) + g.pick(" = , == , != , > , < , >= , <= ") + g.number(1)
}

func (g generator) number(depth int) string {
	switch n := g.IntN(10); {
	case depth > 0 && n < 4:
		return g.number(depth-1) + g.pick("+,-,*,/,&,|,<<,>>,%,^, & ") + g.number(depth-1)
	case depth > 0 && n == 4:
		return "(" + g.number(depth-1) + ")"
	case n == 5:
		return "len"
	case depth > 0 && n == 6:
		return g.pick("tcp,ip,ether,udp") + "[" + g.number(depth-1) + "]"
	case n == 7:
		return g.pick("0,1,2,6,17,80,0x45,0xff,tcp-syn,020,53,1500,-1,4294967295")
	}
	return fmt.Sprintf("%s[%d%s]", g.pick("tcp,udp,ip,ip6,ether,icmp,arp,sctp,icmp6,igmp"), g.IntN(24), g.pick(",,:1,:2,:4"))
}

// mangled returns one of some expressions with tokens of it and of another one
// left out, swapped, put in: mostly wrong, in ways people get them wrong.
func (g generator) mangled(exprs []string) string {
	a, b := pieces(exprs[g.IntN(len(exprs))]), pieces(g.expression())
	for range 1 + g.IntN(2) {
		if len(a) == 0 || len(b) == 0 {
			return ""
		}
		i, j := g.IntN(len(a)), g.IntN(len(a))
		switch g.IntN(4) {
		case 0:
			a = slices.Delete(a, i, i+1)
		case 1:
			a[i] = b[g.IntN(len(b))]
		case 2:
			a = slices.Insert(a, i, b[g.IntN(len(b))])
		case 3:
			a[i], a[j] = a[j], a[i]
		}
	}
	e := strings.Join(a, " ")
	if strings.Contains(e, "geneve") || strings.Contains(e, "byte") {
		return "" // may be what libpcap leaves undefined
	}
	return e
}

// pieces returns the tokens of an expression as text.
func pieces(expr string) (out []string) {
	tokens, err := lex(expr)
	if err != nil {
		return strings.Fields(expr)
	}
	for i := range tokens[:len(tokens)-1] {
		out = append(out, expr[tokens[i].pos:tokens[i+1].pos])
	}
	return out
}
