package mqtt

import (
	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	begun   bool // the CONNECT was seen
	version byte // 0 when it is not known
	client  []byte
	aliases [2]map[int][]byte // of each side
	// losses counts them: packet identifiers are used again, so that one from before
	// a loss must not be taken for one behind it.
	losses uint64
	// behind holds the identifiers of what the client published behind the last loss and has
	// not released yet, up to maxBehind.
	behind map[int]bool
}

// packet is one of them, as far as it is looked at.
type packet struct {
	*dissector.Message
	kind, flags byte
	rest        int64 // remaining length
	head        int   // length of the fixed header
	reader
	from dissector.Side
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.losses++
		p.aliases[from] = nil
		p.behind = make(map[int]bool)
	}
	kind, flags, rest, n, need, ok := header(buf)
	switch {
	case !ok || sender[kind] == client && from == dissector.Server || sender[kind] == server && from == dissector.Client:
		return 0, errMalformed
	case need > 0:
		m.Need = need
		return 0, dissector.ErrShort
	}
	want := n + int(min(rest, maxHead))
	if kind == publish {
		want = p.publishHead(buf[n:], flags, rest)
		if want < 0 {
			return 0, errMalformed
		}
		want += n
	}
	if len(buf) < want {
		m.Need = want
		return 0, dissector.ErrShort
	}
	k := packet{Message: m, kind: kind, flags: flags, rest: rest, head: n, reader: newReader(buf[n:want]), from: from}
	dissector.Operation.SetString(&m.Values, types[kind])
	if !p.packet(&k) {
		return 0, errMalformed
	}
	if !p.begun { // who the client is, at least, is unknown
		m.Resumed = true
	}
	if kind != connect && len(p.client) > 0 && (from == dissector.Client || m.Role == dissector.OneWay) {
		ClientID.Set(&m.Values, p.client)
	}
	return int64(n) + rest, nil
}

// publishHead returns how many bytes behind the fixed header of a PUBLISH come before
// its payload, or as many as must be seen to know; -1 when it cannot be one.
func (p *parser) publishHead(b []byte, flags byte, rest int64) int {
	if len(b) < 2 {
		return int(min(rest, 2))
	}
	r := newReader(b)
	n := 2 + r.u16()
	if flags&6 != 0 {
		n += 2
	}
	if int64(n) > rest {
		return -1
	}
	if p.version != v5 || int64(n) == rest {
		return n
	}
	length, size := 0, 0
	if len(b) > n {
		length, size = varint(b[n:])
	}
	switch {
	case size < 0 || int64(n+size+length) > rest:
		return -1
	case size == 0 && len(b)-n < 4:
		return max(n, len(b)) + 1
	}
	return n + size + min(length, maxHead)
}

// packet reads the packet by its type; false means that it is none.
func (p *parser) packet(k *packet) bool {
	switch k.kind {
	case connect:
		return p.connect(k)
	case connack:
		return p.connack(k)
	case publish:
		return p.publish(k)
	case puback, pubrec, pubrel, pubcomp:
		return p.acknowledge(k)
	case subscribe, unsubscribe:
		return p.subscribe(k)
	case suback, unsuback:
		return p.subscribed(k)
	case pingreq, pingresp:
		k.SetKey(p.key(pingreq, 0))
		if k.kind == pingresp {
			k.status("PINGRESP")
		}
		return k.rest == 0
	}
	return p.leave(k)
}

// key is by what a request of a type and its response are paired.
func (p *parser) key(kind byte, id int) uint64 {
	return p.losses&0xffffffff<<32 | uint64(kind)<<16 | uint64(id)
}

func (k *packet) status(s string) {
	// The operation of a response is its request's.
	dissector.Status.SetString(&k.Values, s)
}

// reason sets the reason code.
func (k *packet) reason(code byte) {
	name := reasonName(k.kind, code)
	v := &k.Values
	Reason.SetString(v, name)
	dissector.StatusCode.Set(v, int64(code))
	k.status(name)
	if code >= 0x80 {
		dissector.Failed.Set(v, true)
	}
}

// identifier reads the packet identifier, which is never 0.
func (k *packet) identifier() (int, bool) {
	id := k.u16()
	PacketID.Set(&k.Values, int64(id))
	return id, id != 0 && !k.Bad
}
