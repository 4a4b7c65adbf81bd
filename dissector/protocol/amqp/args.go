package amqp

import (
	"bytes"

	"shark/dissector/wire"
)

// args are the arguments of a method that somebody wants to know. They point into
// the frame.
type args struct {
	queue, exchange, destination, key []byte
	consumer, text, vhost, mechanism  []byte
	kind                              []byte // of an exchange
	product, version                  []byte
	tag                               uint64
	code                              int
	failing                           id
	multiple, nowait, noAck, requeue  bool
}

// reader reads what a frame holds (specification, 4.2.5).
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

func (r *reader) octet() int { return int(r.Byte()) }
func (r *reader) short() int { return int(r.Big16()) }
func (r *reader) long() int  { return int(r.Big32()) }

func (r *reader) shortstr() []byte { return r.Take(r.octet()) }
func (r *reader) longstr() []byte  { return r.Take(r.long()) }

// read reads the arguments of a method, which must fill b. Bits that follow each
// other share an octet (specification, 4.2.5.2).
func (a *args) read(list []arg, b []byte) bool {
	*a = args{}
	r := newReader(b)
	bits, left := 0, 0
	for _, f := range list {
		if f.kind == bit {
			if left == 0 {
				bits, left = r.octet(), 8
			}
			a.flag(f.what, bits&1 != 0)
			bits, left = bits>>1, left-1
			continue
		}
		left = 0
		switch f.kind {
		case octet:
			r.octet()
		case short:
			a.number(f.what, r.short())
		case long:
			r.long()
		case longlong:
			a.tag = r.Big64()
		case shortstr:
			a.name(f.what, r.shortstr())
		case longstr, table:
			a.name(f.what, r.longstr())
		}
	}
	return !r.Bad && len(r.B) == 0
}

func (a *args) flag(what byte, on bool) {
	switch what {
	case isNowait:
		a.nowait = on
	case isMultiple:
		a.multiple = on
	case isNoAck:
		a.noAck = on
	case isRequeue:
		a.requeue = on
	}
}

func (a *args) number(what byte, n int) {
	switch what {
	case isCode:
		a.code = n
	case isFailing:
		a.failing = id(n << 16)
	case isMethod:
		a.failing |= id(n)
	}
}

func (a *args) name(what byte, b []byte) {
	switch what {
	case isQueue:
		a.queue = b
	case isExchange:
		a.exchange = b
	case isDestination:
		a.destination = b
	case isKey:
		a.key = b
	case isConsumer:
		a.consumer = b
	case isText:
		a.text = b
	case isVhost:
		a.vhost = b
	case isMechanism:
		a.mechanism = b
	case isKind:
		a.kind = b
	case isProperties:
		a.properties(b)
	}
}

// properties looks for the product and its version in a table. The types of
// values are those that RabbitMQ has: https://www.rabbitmq.com/amqp-0-9-1-errata#section_3.
func (a *args) properties(b []byte) {
	r := newReader(b)
	for len(r.B) > 0 && !r.Bad {
		key, kind := r.shortstr(), r.octet()
		var value []byte
		switch kind {
		case 't', 'b', 'B':
			r.Take(1)
		case 's', 'u':
			r.Take(2)
		case 'I', 'i', 'f':
			r.Take(4)
		case 'L', 'l', 'd', 'T':
			r.Take(8)
		case 'D':
			r.Take(5)
		case 'S', 'x', 'A', 'F':
			value = r.longstr()
		case 'V':
		default:
			return
		}
		value = value[:min(len(value), maxProperty)]
		switch {
		case kind != 'S':
		case string(key) == "product":
			a.product = value
		case string(key) == "version":
			a.version = value
		}
	}
}

// properties is what a header frame says (specification, 4.2.6.1).
type properties struct {
	size         int64
	contentType  []byte
	deliveryMode int
}

// The property flags of the class basic, and the size of each property: 0 for a
// short string, -1 for a table.
const (
	flagContentType  = 1 << 15
	flagDeliveryMode = 1 << 12
)

var propertySizes = [...]int{0, 0, -1, 1, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0}

// readProperties reads the payload of a header frame.
func readProperties(b []byte) (p properties, ok bool) {
	r := newReader(b)
	class, weight, size, flags := r.short(), r.short(), r.Big64(), r.short()
	if r.Bad || class != classBasic || weight != 0 || size > maxBody || flags&3 != 0 {
		return p, false
	}
	p.size = int64(size)
	for i, n := range propertySizes {
		flag := 1 << (15 - i)
		if flags&flag == 0 {
			continue
		}
		var value []byte
		switch n {
		case 0:
			value = r.shortstr()
		case -1:
			value = r.longstr()
		default:
			value = r.Take(n)
		}
		switch {
		case r.Bad:
			return p, false
		case flag == flagContentType:
			p.contentType = value
		case flag == flagDeliveryMode:
			p.deliveryMode = int(value[0])
		}
	}
	return p, len(r.B) == 0
}

// about says in one line what a method is about.
func (a *args) about(buf []byte) []byte {
	for _, b := range [][]byte{a.queue, a.destination, a.exchange, a.kind, a.key, a.vhost, a.product, a.version} {
		if len(b) > 0 && len(buf) < maxSummary {
			if len(buf) > 0 {
				buf = append(buf, ' ')
			}
			buf = append(buf, b...)
		}
	}
	if len(buf) == 0 {
		buf = append(buf, a.text...)
	}
	if len(buf) == 0 {
		buf = append(buf, a.consumer...)
	}
	if len(buf) == 0 {
		buf = append(buf, bytes.TrimSpace(a.mechanism)...)
	}
	return buf[:min(len(buf), maxSummary)]
}
