package amqp1

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"shark/dissector"
	"shark/dissector/outline"
)

// maxNested is how deep values in values are shown.
const maxNested = 16

// fieldNames are the names of the fields of what is described, in their order (part 2, 2.7
// and 2.8; part 3, 3.2 to 3.5; part 4, 4.5; part 5, 5.3.3); ! is before one that is a secret.
var fieldNames = map[uint64]string{
	open:  "container-id hostname max-frame-size channel-max idle-time-out outgoing-locales incoming-locales offered-capabilities desired-capabilities properties",
	begin: "remote-channel next-outgoing-id incoming-window outgoing-window handle-max offered-capabilities desired-capabilities properties",
	attach: "name handle role snd-settle-mode rcv-settle-mode source target unsettled incomplete-unsettled initial-delivery-count max-message-size " +
		"offered-capabilities desired-capabilities properties",
	flow:        "next-incoming-id incoming-window next-outgoing-id outgoing-window handle delivery-count link-credit available drain echo properties",
	transfer:    "handle delivery-id delivery-tag message-format settled more rcv-settle-mode state resume aborted batchable",
	disposition: "role first last settled state batchable", detach: "handle closed error", end: "error", closing: "error",
	errorDesc: "condition description info", received: "section-number section-offset", rejected: "error",
	modified: "delivery-failed undeliverable-here message-annotations",
	source:   "address durable expiry-policy timeout dynamic dynamic-node-properties distribution-mode filter default-outcome outcomes capabilities",
	target:   "address durable expiry-policy timeout dynamic dynamic-node-properties capabilities", coordinator: "capabilities",
	declare: "global-id", discharge: "txn-id fail", declared: "txn-id", transactional: "txn-id outcome",
	saslMechanisms: "sasl-server-mechanisms", saslInit: "mechanism !initial-response hostname", saslChallenge: "!challenge", saslResponse: "!response",
	saslOutcome: "code !additional-data", header: "durable priority ttl first-acquirer delivery-count",
	properties: "message-id user-id to subject reply-to correlation-id content-type content-encoding absolute-expiry-time creation-time group-id " +
		"group-sequence reply-to-group-id",
}

// otherNames are the words for what names has none for.
var otherNames = map[uint64]string{
	errorDesc: "error", source: "source", target: "target", coordinator: "coordinator", declare: "declare", discharge: "discharge", header: "header",
	deliveryNotes: "delivery-annotations", messageNotes: "message-annotations", properties: "properties", appProperties: "application-properties",
	data: "data", sequence: "amqp-sequence", value: "amqp-value", footer: "footer",
}

func nameOf(desc uint64) string {
	if name, ok := names[desc]; ok {
		return name
	}
	return otherNames[desc]
}

// outlined shows the frames of a message: the performatives' fields, and the sections of what
// they transfer up to its body, of which it tells the size.
func outlined(m, _ *dissector.Message, limit int) []byte {
	w, b := writer{outline.New(limit)}, m.Raw
	if strings.HasPrefix(string(b[:min(len(b), len(headerStart))]), headerStart) {
		w.Say("protocol", hex.EncodeToString(b[len(headerStart):min(len(b), protocolHeaders)]))
		return w.Bytes()
	}
	var perf performative
	var scratch dissector.Message
	var message []byte // the front of the sections, from all frames
	var size int64
	for off := 0; off < len(b) && !w.Full(); {
		f, err := readFrame(b, off, &scratch)
		if err != nil {
			break
		}
		behind, err := f.perform(b, &perf, &scratch)
		if err != nil {
			break
		}
		w.Group(names[perf.kind], func() {
			if f.kind == amqpFrame {
				w.Unsigned("channel", uint64(f.channel))
			}
			w.fields(perf.kind, perf.fields[:], 0)
		})
		if perf.kind == transfer {
			size += int64(f.end - behind)
			payload := b[behind:min(f.end, len(b))]
			message = append(message, payload[:min(len(payload), maxHead-len(message))]...)
		}
		off = f.end
	}
	w.sections(message, size)
	return w.Bytes()
}

// writer writes values.
type writer struct{ *outline.Writer }

// sections writes the sections at the front of a message of so many bytes.
func (w writer) sections(b []byte, size int64) {
	for at, last := 0, uint64(0); at < len(b) && !w.Full(); {
		h := readHead(b[at:])
		switch {
		case h.unread(at, last):
			return
		case h.kind >= data && h.size > 0:
			w.Size(nameOf(h.kind), size-int64(at+h.size))
			return
		case h.size == 0 || at+h.size > len(b):
			return
		}
		if it, n, _ := readItem(b[at : at+h.size]); n == h.size {
			w.value(nameOf(h.kind), it, 0)
		}
		at, last = at+h.size, h.kind
	}
}

// fields writes those of the fields of what is described that are there.
func (w writer) fields(kind uint64, fields []item, depth int) {
	for i, name := range strings.Fields(fieldNames[kind]) {
		name, secret := strings.CutPrefix(name, "!")
		switch f := fields[i]; {
		case f.isNull():
		case secret:
			w.Secret(name)
		case name == "role":
			w.Say(name, map[bool]string{false: "sender", true: "receiver"}[f.isTrue()])
		case kind == saslOutcome:
			code, _ := f.number()
			word := ""
			if code < uint64(len(outcomes)) {
				word = outcomes[code]
			}
			w.Named(name, int64(min(code, 1<<32)), word)
		default:
			w.value(name, f, depth)
		}
	}
}

// value writes a value by its name.
func (w writer) value(name string, it item, depth int) {
	if w.Full() {
		return
	}
	switch it.code {
	case null:
		w.Say(name, "null")
	case string8, string32, symbol8, symbol32:
		w.Text(name, it.b)
	case binary8, binary32:
		w.Octets(name, it.b)
	case 0x83: // timestamp
		w.Say(name, time.UnixMilli(int64(binary.BigEndian.Uint64(it.b))).UTC().Format(time.RFC3339Nano))
	case array8, array32:
		if text, ok := it.symbols(nil); ok {
			w.Text(name, text)
		} else {
			w.Size(name, int64(len(it.b)))
		}
	case list0, list8, list32, map8, map32:
		if depth < maxNested {
			w.several(name, it, depth+1)
		}
	default:
		w.Text(name, it.appendText(nil, outline.MaxValue))
	}
}

// several writes a list or a map, or what is described by its fields.
func (w writer) several(name string, it item, depth int) {
	if kind := nameOf(it.desc); kind != "" && kind != name {
		name += ": " + kind
	}
	w.Group(name, func() {
		var fields [maxFields]item
		switch known := fieldNames[it.desc]; {
		case it.isMap():
			it.pairs(func(key, value item) bool {
				text := key.appendText(nil, maxValue)
				if outline.IsSecret(text) {
					w.Secret(outline.Name(text))
				} else {
					w.value(outline.Name(text), value, depth)
				}
				return !w.Full()
			})
		case known != "":
			if it.list(fields[:len(strings.Fields(known))]) {
				w.fields(it.desc, fields[:], depth)
			}
		default:
			w.items(it, depth)
		}
	})
}

// items writes what is in a list.
func (w writer) items(it item, depth int) {
	b, count, _ := it.inside()
	for range count {
		v, n, _ := readItem(b)
		if n == 0 || w.Full() {
			return
		}
		w.value("item", v, depth)
		b = b[n:]
	}
}
