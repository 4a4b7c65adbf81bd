package traffic

import (
	"encoding/binary"
	"strings"
)

// Record types of RFC 1035, section 3.2.2, RFC 3596 and RFC 2782.
const (
	typeA     = 1
	typeCNAME = 5
	typeSOA   = 6
	typeAAAA  = 28
	typeSRV   = 33
	typeOPT   = 41
)

var dnsTypes = map[uint16]string{typeA: "A", typeAAAA: "AAAA", typeSRV: "SRV"}

// Response codes of RFC 1035, section 4.1.1.
const (
	noError  = 0
	servFail = 2
	nxDomain = 3
)

var dnsCodes = map[int]string{noError: "NOERROR", servFail: "SERVFAIL", nxDomain: "NXDOMAIN"}

// dnsQuestion is what is asked for, and how it is answered.
type dnsQuestion struct {
	id    uint16
	name  string // without the last dot
	kind  uint16
	alias string // a CNAME on the way; empty for none
	code  int
	addr  []byte // 4 bytes for A, 16 for AAAA; none for no such record
	edns  bool
	span
}

func appendName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// query appends the query.
func (q *dnsQuestion) query(b []byte) []byte {
	b = q.header(b, 0x0100, 0, 0)
	return q.option(b)
}

// header appends header and question. flags are those of RFC 1035, section
// 4.1.1, with the response code.
func (q *dnsQuestion) header(b []byte, flags uint16, answers, authorities uint16) []byte {
	extra := uint16(0)
	if q.edns {
		extra = 1
	}
	for _, v := range []uint16{q.id, flags, 1, answers, authorities, extra} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	b = appendName(b, q.name)
	return binary.BigEndian.AppendUint32(b, uint32(q.kind)<<16|1)
}

// option appends the EDNS record, if there is one.
func (q *dnsQuestion) option(b []byte) []byte {
	if !q.edns {
		return b
	}
	return append(b, 0, 0, typeOPT, 0x04, 0xd0, 0, 0, 0, 0, 0, 0)
}

// owner is a pointer to the name in the question, RFC 1035, section 4.1.4.
const owner = 0xc00c

// record appends the head of a record whose owner is a pointer.
func record(b []byte, pointer, kind uint16, ttl uint32, size int) []byte {
	b = binary.BigEndian.AppendUint16(b, pointer)
	b = binary.BigEndian.AppendUint32(b, uint32(kind)<<16|1)
	b = binary.BigEndian.AppendUint32(b, ttl)
	return binary.BigEndian.AppendUint16(b, uint16(size))
}

// response appends the response.
func (q *dnsQuestion) response(b []byte) []byte {
	flags := 0x8580 | uint16(q.code) // a response, authoritative, recursion desired and available
	if q.code == servFail {
		return q.option(q.header(b, flags&^0x0400, 0, 0))
	}
	if q.code == nxDomain || q.addr == nil && q.kind != typeSRV {
		b = q.header(b, flags, 0, 1)
		return q.option(q.authority(b))
	}
	answers, base := uint16(1), len(b)
	if q.alias != "" {
		answers = 2
	}
	b = q.header(b, flags, answers, 0)
	pointer := uint16(owner)
	if q.alias != "" {
		b = record(b, pointer, typeCNAME, 30, len(q.alias)+2)
		pointer = 0xc000 | uint16(len(b)-base)
		b = appendName(b, q.alias)
	}
	if q.kind == typeSRV {
		target := strings.TrimPrefix(q.name, "_http._tcp.")
		b = record(b, pointer, typeSRV, 30, 6+len(target)+2)
		b = append(b, 0, 0, 0, 100, 0x1f, 0x90) // priority, weight, port 8080
		return q.option(appendName(b, target))
	}
	b = record(b, pointer, q.kind, 30, len(q.addr))
	return q.option(append(b, q.addr...))
}

// authority appends the SOA record that says for how long there is nothing.
func (q *dnsQuestion) authority(b []byte) []byte {
	const primary, mailbox = "ns.dns.cluster.local", "hostmaster.cluster.local"
	b = record(b, owner, typeSOA, 30, len(primary)+2+len(mailbox)+2+20)
	b = appendName(appendName(b, primary), mailbox)
	for _, v := range []uint32{1773500400, 7200, 1800, 86400, 30} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// resolve plays questions that are asked at once from one socket, answered in turn.
func (c *conversation) resolve(delay int64, questions ...*dnsQuestion) {
	for _, q := range questions {
		q.first = c.datagram(client, c.build(q.query))
	}
	c.wait(delay)
	for _, q := range questions {
		q.last = c.datagram(server, c.build(q.response))
	}
	for _, q := range questions {
		c.report(Call{
			Protocol: "dns", Method: dnsTypes[q.kind], Status: dnsCodes[q.code],
			Start: q.first, Elapsed: q.last - q.first,
		}, []byte(q.name))
	}
}

// build returns what f appends to the arena.
func (c *conversation) build(f func([]byte) []byte) []byte {
	n := len(c.arena)
	c.arena = f(c.arena)
	return c.arena[n:len(c.arena):len(c.arena)]
}

// dnsScript is one lookup at random, of one address or of both families.
type dnsScript struct{ single bool }

func (s dnsScript) step(c *conversation) bool {
	q := dnsQuestion{id: uint16(c.next()), kind: typeA, edns: c.chance(0.5)}
	q.name = pick(&c.random, collections) + ".shop.svc.cluster.local"
	switch n := c.below(20); {
	case n < 2:
		q.code, q.name = nxDomain, pick(&c.random, collections)+".shop.svc.cluster.local.shop.svc.cluster.local"
	case n < 3:
		q.code, q.name = servFail, "mirror.example"
	case n < 6:
		q.alias, q.name = "edge.cdn.example", "www.shop.example"
		q.addr = []byte{192, 0, 2, byte(c.below(250) + 1)}
	case n < 8:
		q.kind, q.name = typeSRV, "_http._tcp."+q.name
	default:
		q.addr = []byte{10, 96, byte(c.below(256)), byte(c.below(250) + 1)}
	}
	delay := c.skewed(100*microsecond, 8*millisecond)
	if s.single || q.kind == typeSRV || c.chance(0.4) {
		c.resolve(delay, &q)
		return false
	}
	six := q
	six.id, six.kind, six.addr = q.id+1, typeAAAA, nil
	if q.addr != nil && c.chance(0.5) {
		six.addr = append([]byte{0x20, 0x01, 0x0d, 0xb8, 11: 0}, q.addr...)
	}
	if six.addr == nil {
		six.alias = ""
	}
	c.resolve(delay, &q, &six)
	return false
}
