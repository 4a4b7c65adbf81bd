package amqp

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"shark/dissector"
	"shark/dissector/outline"
)

// maxNested is how deep tables in tables are shown.
const maxNested = 16

// argNames are the names of the arguments by method, as the definitions of methods have
// them; "-" stands for one that is reserved, and ! is before one that is a secret.
var argNames = map[string]string{
	"connection.start": "version-major version-minor server-properties mechanisms locales", "connection.start-ok": "client-properties mechanism !response locale",
	"connection.secure": "!challenge", "connection.secure-ok": "!response", "connection.tune": "channel-max frame-max heartbeat",
	"connection.tune-ok": "channel-max frame-max heartbeat", "connection.open": "virtual-host - -", "connection.open-ok": "-",
	"connection.close": "reply-code reply-text class-id method-id", "connection.blocked": "reason", "connection.update-secret": "!new-secret reason",
	"channel.open": "-", "channel.open-ok": "-", "channel.flow": "active", "channel.flow-ok": "active", "channel.close": "reply-code reply-text class-id method-id",
	"access.request": "realm exclusive passive active write read", "access.request-ok": "ticket",
	"exchange.declare": "- exchange type passive durable auto-delete internal no-wait arguments", "exchange.delete": "- exchange if-unused no-wait",
	"exchange.bind": "- destination source routing-key no-wait arguments", "exchange.unbind": "- destination source routing-key no-wait arguments",
	"queue.declare": "- queue passive durable exclusive auto-delete no-wait arguments", "queue.declare-ok": "queue message-count consumer-count",
	"queue.bind": "- queue exchange routing-key no-wait arguments", "queue.unbind": "- queue exchange routing-key arguments",
	"queue.purge": "- queue no-wait", "queue.purge-ok": "message-count", "queue.delete": "- queue if-unused if-empty no-wait", "queue.delete-ok": "message-count",
	"basic.qos": "prefetch-size prefetch-count global", "basic.consume": "- queue consumer-tag no-local no-ack exclusive no-wait arguments",
	"basic.consume-ok": "consumer-tag", "basic.cancel": "consumer-tag no-wait", "basic.cancel-ok": "consumer-tag",
	"basic.publish": "- exchange routing-key mandatory immediate", "basic.return": "reply-code reply-text exchange routing-key",
	"basic.deliver": "consumer-tag delivery-tag redelivered exchange routing-key", "basic.get": "- queue no-ack",
	"basic.get-ok": "delivery-tag redelivered exchange routing-key message-count", "basic.get-empty": "-", "basic.ack": "delivery-tag multiple",
	"basic.reject": "delivery-tag requeue", "basic.nack": "delivery-tag multiple requeue", "basic.recover": "requeue", "basic.recover-async": "requeue",
	"confirm.select": "no-wait",
}

// propertyNames are the properties of a message, the highest flag first (amqp0-9-1.xml).
var propertyNames = [...]string{
	"content-type", "content-encoding", "headers", "delivery-mode", "priority", "correlation-id", "reply-to", "expiration", "message-id", "timestamp", "type",
	"user-id", "app-id", "cluster-id",
}

// outlined shows the frames of a message: a method's arguments, the properties and headers of
// what it carries, and how long the body's frames are.
func outlined(m, _ *dissector.Message, limit int) []byte {
	o, b := outline.New(limit), m.Raw
	if strings.HasPrefix(string(b[:min(len(b), len(header))]), "AMQP") {
		o.Say("protocol", hex.EncodeToString(b[4:min(len(b), len(header))]))
		return o.Bytes()
	}
	var scratch dissector.Message
	for off := 0; off < len(b) && !o.Full(); {
		f, err := readFrame(b, off, &scratch)
		if err != nil {
			break
		}
		end := off + frameHead + int(f.size)
		front := b[off+frameHead : min(end, len(b))]
		off = end + 1
		switch f.kind {
		case methodFrame:
			outlineMethod(o, f, front)
		case headerFrame:
			outlineHeader(o, front)
		case bodyFrame:
			o.Size("body frame", f.size)
		}
	}
	return o.Bytes()
}

func outlineMethod(o *outline.Writer, f frame, b []byte) {
	r := newReader(b)
	md := methods[newID(r.short(), r.short())]
	if md == nil || r.Bad {
		return
	}
	o.Group(md.name, func() {
		o.Unsigned("channel", uint64(f.channel))
		outlineArgs(o, md, &r)
	})
}

func outlineArgs(o *outline.Writer, md *method, r *reader) {
	names := strings.Fields(argNames[md.name])
	bits, left := 0, 0
	for i, a := range md.args {
		if i >= len(names) {
			return
		}
		name, secret := strings.CutPrefix(names[i], "!")
		if a.kind == bit {
			if left == 0 {
				bits, left = r.octet(), 8
			}
			on := bits&1 != 0
			if bits, left = bits>>1, left-1; name != "-" && !r.Bad {
				o.Flag(name, on)
			}
			continue
		}
		left = 0
		value := argValue(a.kind, r)
		if r.Bad {
			return
		}
		switch {
		case secret:
			o.Secret(name)
		case name != "-":
			value(o, name)
		}
	}
}

// argValue reads an argument and returns what writes it.
func argValue(kind byte, r *reader) func(o *outline.Writer, name string) {
	var n uint64
	switch kind {
	case octet:
		n = uint64(r.octet())
	case short:
		n = uint64(r.short())
	case long:
		n = uint64(r.long())
	case longlong:
		n = r.Big64()
	case shortstr:
		b := r.shortstr()
		return func(o *outline.Writer, name string) { o.Text(name, b) }
	case longstr:
		b := r.longstr()
		return func(o *outline.Writer, name string) { o.Text(name, b) }
	default:
		b := r.longstr()
		return func(o *outline.Writer, name string) { o.Group(name, func() { outlineTable(o, b, 0) }) }
	}
	return func(o *outline.Writer, name string) { o.Unsigned(name, n) }
}

// outlineHeader writes the properties of a message (specification, 4.2.6.1).
func outlineHeader(o *outline.Writer, b []byte) {
	r := newReader(b)
	r.short() // class
	r.short() // weight
	size, flags := r.Big64(), r.short()
	if r.Bad {
		return
	}
	o.Group("properties", func() {
		o.Size("body", int64(min(size, math.MaxInt64)))
		for i, name := range propertyNames {
			if flags&(1<<(15-i)) == 0 || o.Full() {
				continue
			}
			switch propertySizes[i] {
			case 0:
				if b := r.shortstr(); !r.Bad {
					o.Text(name, b)
				}
			case 1:
				if n := r.octet(); !r.Bad {
					o.Unsigned(name, uint64(n))
				}
			case 8:
				if n := r.Big64(); !r.Bad {
					o.Say(name, moment(n))
				}
			default:
				if b := r.longstr(); !r.Bad {
					o.Group(name, func() { outlineTable(o, b, 0) })
				}
			}
		}
	})
}

// moment is a time in seconds since 1970, or, of some who send milliseconds, the number.
func moment(n uint64) string {
	if n > 1<<36 {
		return strconv.FormatUint(n, 10)
	}
	return time.Unix(int64(n), 0).UTC().Format(time.RFC3339)
}

// outlineTable writes a table's names and values, whose types are those that RabbitMQ has.
func outlineTable(o *outline.Writer, b []byte, depth int) {
	r := newReader(b)
	for len(r.B) > 0 && !r.Bad && !o.Full() {
		key := r.shortstr()
		if r.Bad {
			return
		}
		outlineValue(o, outline.Name(key), outline.IsSecret(key), &r, depth)
	}
}

func outlineValue(o *outline.Writer, name string, secret bool, r *reader, depth int) {
	kind := byte(r.octet())
	value := tableValue(kind, r, depth)
	switch {
	case r.Bad:
	case secret:
		o.Secret(name)
	default:
		value(o, name)
	}
}

// tableValue reads a value of a table and returns what writes it.
func tableValue(kind byte, r *reader, depth int) func(o *outline.Writer, name string) {
	whole := func(n int64) func(o *outline.Writer, name string) {
		return func(o *outline.Writer, name string) { o.Number(name, n) }
	}
	said := func(s string) func(o *outline.Writer, name string) {
		return func(o *outline.Writer, name string) { o.Say(name, s) }
	}
	float := func(f float64, bits int) func(o *outline.Writer, name string) {
		return said(strconv.FormatFloat(f, 'g', -1, bits))
	}
	switch kind {
	case 't':
		return said(strconv.FormatBool(r.octet() != 0))
	case 'b':
		return whole(int64(int8(r.octet())))
	case 'B':
		return whole(int64(r.octet()))
	case 's':
		return whole(int64(int16(r.short())))
	case 'u':
		return whole(int64(r.short()))
	case 'I':
		return whole(int64(int32(r.long())))
	case 'i':
		return whole(int64(r.long()))
	case 'l', 'L':
		return whole(int64(r.Big64()))
	case 'f':
		return float(float64(math.Float32frombits(uint32(r.long()))), 32)
	case 'd':
		return float(math.Float64frombits(r.Big64()), 64)
	case 'T':
		return said(moment(r.Big64()))
	case 'D': // a number of decimals, and the digits
		scale, n := r.octet(), int32(r.long())
		return said(strconv.Itoa(int(n)) + "e-" + strconv.Itoa(scale))
	case 'V':
		return said("null")
	case 'S', 'x':
		b := r.longstr()
		return func(o *outline.Writer, name string) { o.Octets(name, b) }
	case 'A', 'F':
		b := r.longstr()
		return func(o *outline.Writer, name string) {
			if depth < maxNested {
				o.Group(name, func() { nested(o, kind, b, depth+1) })
			}
		}
	}
	r.Fail()
	return nil
}

// nested writes what is in a list or a table.
func nested(o *outline.Writer, kind byte, b []byte, depth int) {
	if kind == 'F' {
		outlineTable(o, b, depth)
		return
	}
	r := newReader(b)
	for len(r.B) > 0 && !r.Bad && !o.Full() {
		outlineValue(o, "item", false, &r, depth)
	}
}
