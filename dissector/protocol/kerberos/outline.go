package kerberos

import (
	"net/netip"
	"strconv"
	"strings"

	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/outline"
)

// nameTypes are the types of principals (RFC 4120 section 6.2; [MS-KILE] section 3.1.5.3).
var nameTypes = map[int32]string{
	0: "NT-UNKNOWN", 1: "NT-PRINCIPAL", 2: "NT-SRV-INST", 3: "NT-SRV-HST", 4: "NT-SRV-XHST", 5: "NT-UID", 6: "NT-X500-PRINCIPAL",
	7: "NT-SMTP-NAME", 10: "NT-ENTERPRISE", 11: "NT-WELLKNOWN",
}

// outlined shows a message. Of what is encrypted, and of pre-authentication, it tells the
// type and the size.
func outlined(m, _ *dissector.Message, limit int) []byte {
	b := m.Raw
	if m.Transport == dissector.TCP {
		if len(b) < prefix {
			return nil
		}
		b = b[prefix:]
	}
	k, err := open(b)
	if err != nil {
		return nil
	}
	w := writer{outline.New(limit)}
	w.Named("message", int64(k.tag&0x1f), names[k.tag])
	switch r := k.body; {
	case asks(k.tag):
		if e, ok := r.Maybe(context(3)); ok {
			w.padata(inner(e, ber.Sequence))
		}
		if e, ok := r.Take(context(4)); ok {
			w.body(inner(e, ber.Sequence))
		}
	case k.tag == tagError:
		w.failure(r)
	default:
		if e, ok := r.Maybe(context(2)); ok {
			w.padata(inner(e, ber.Sequence))
		}
		w.elements(r, replyElements)
	}
	return w.Bytes()
}

// writer writes the elements of messages.
type writer struct{ *outline.Writer }

// element is how one of a sequence is written.
type element struct {
	name  string
	write func(w writer, name string, e ber.Element)
}

// The elements of sequences, by their tags (RFC 4120 sections 5.3, 5.4 and 5.9).
var (
	replyElements = map[byte]element{
		context(3): {"client realm", writer.text}, context(4): {"client", writer.principal}, context(5): {"ticket", writer.ticket},
		context(6): {"encrypted part", writer.encrypted},
	}
	bodyElements = map[byte]element{
		context(0): {"options", writer.options}, context(1): {"client", writer.principal}, context(2): {"realm", writer.text},
		context(3): {"server", writer.principal}, context(4): {"from", writer.text}, context(5): {"till", writer.text},
		context(6): {"renew till", writer.text}, context(7): {"nonce", writer.number}, context(8): {"encryption types", writer.types},
		context(9): {"addresses", writer.addresses}, context(10): {"authorization data", writer.encrypted},
		context(11): {"additional tickets", writer.tickets},
	}
	errorElements = map[byte]element{
		context(2): {"client time", writer.text}, context(3): {"client microseconds", writer.number}, context(4): {"server time", writer.text},
		context(5): {"server microseconds", writer.number}, context(6): {"error", writer.failed}, context(7): {"client realm", writer.text},
		context(8): {"client", writer.principal}, context(9): {"realm", writer.text}, context(10): {"server", writer.principal},
		context(11): {"text", writer.text},
	}
	ticketElements = map[byte]element{
		context(1): {"realm", writer.text}, context(2): {"server", writer.principal}, context(3): {"encrypted part", writer.encrypted},
	}
)

// elements writes the elements of a sequence that have a name.
func (w writer) elements(r ber.Reader, known map[byte]element) {
	for !w.Full() {
		e, ok := r.Next()
		if !ok {
			return
		}
		if x, ok := known[e.Tag]; ok {
			x.write(w, x.name, e)
		}
	}
}

func (w writer) body(r ber.Reader) { w.elements(r, bodyElements) }

// failure writes a KRB-ERROR. What its data is depends on the error: mostly METHOD-DATA,
// which is a list of pre-authentication.
func (w writer) failure(r ber.Reader) {
	w.elements(r, errorElements)
	for {
		e, ok := r.Next()
		if !ok {
			return
		}
		if e.Tag != context(12) {
			continue
		}
		data := inner(e, ber.OctetString)
		w.Size("data", data.Left)
		if methods, ok := data.Take(ber.Sequence); ok {
			w.padata(methods.Reader)
		}
	}
}

// text writes the one text or time in an element.
func (w writer) text(name string, e ber.Element) {
	if in, ok := e.Next(); ok {
		w.Text(name, in.B)
	}
}

func (w writer) number(name string, e ber.Element) {
	if in, ok := e.Take(ber.Integer); ok && in.Left <= 8 && !in.Cut() {
		n := int64(0)
		for i, c := range in.B {
			if n = n<<8 | int64(c); i == 0 {
				n = int64(int8(c))
			}
		}
		w.Number(name, n)
	}
}

func (w writer) failed(name string, e ber.Element) {
	if n, ok := integer(e); ok {
		w.Named(name, int64(n), errorNames[n])
	}
}

// principal writes a name with its type (RFC 4120 section 5.2.2).
func (w writer) principal(name string, e ber.Element) {
	var t text
	t.Reset(maxText)
	t.principal(e)
	in := inner(e, ber.Sequence)
	if kind, ok := in.Take(context(0)); ok {
		if n, ok := integer(kind); ok {
			name += ", " + named(nameTypes, n)
		}
	}
	w.Say(name, string(t.Bytes()))
}

func (w writer) options(name string, e ber.Element) {
	r := inner(e, ber.BitString)
	var list []string
	for i, word := range kdcOptions {
		if at := 1 + i/8; word != "" && at < len(r.B) && r.B[at]>>(7-i%8)&1 != 0 {
			list = append(list, word)
		}
	}
	w.Say(name, strings.Join(list, ", "))
}

// types writes the encryption types that are offered.
func (w writer) types(name string, e ber.Element) {
	w.Group(name, func() {
		r := inner(e, ber.Sequence)
		for !w.Full() {
			in, ok := r.Take(ber.Integer)
			if !ok {
				return
			}
			if n, ok := signed(in.Reader); ok {
				w.Say(named(etypes, n), strconv.Itoa(int(n)))
			}
		}
	})
}

// padata writes pre-authentication by its types (RFC 4120 section 5.2.7).
func (w writer) padata(list ber.Reader) {
	w.Group("pre-authentication", func() {
		for !w.Full() {
			e, ok := list.Next()
			if !ok || e.Tag != ber.Sequence {
				return
			}
			kind, _ := e.Take(context(1))
			n, ok := integer(kind)
			if !ok {
				return
			}
			size := int64(0)
			if value, ok := e.Take(context(2)); ok {
				size = inner(value, ber.OctetString).Left
			}
			w.Size(named(padataTypes, n), size)
		}
	})
}

// encrypted writes the type, the key's version and the size of EncryptedData (RFC 4120
// section 5.2.9).
func (w writer) encrypted(name string, e ber.Element) {
	data := inner(e, ber.Sequence)
	w.Group(name, func() {
		for !w.Full() {
			e, ok := data.Next()
			if !ok {
				return
			}
			switch e.Tag {
			case context(0):
				if n, ok := integer(e); ok {
					w.Named("encryption type", int64(n), etypes[n])
				}
			case context(1):
				w.number("key version", e)
			case context(2):
				w.Size("cipher", inner(e, ber.OctetString).Left)
			}
		}
	})
}

// ticket writes what of a ticket is not encrypted (RFC 4120 section 5.3).
func (w writer) ticket(name string, e ber.Element) {
	t := inner(e, tagTicket)
	w.Group(name, func() {
		if in, ok := t.Take(ber.Sequence); ok {
			w.elements(in.Reader, ticketElements)
		}
	})
}

func (w writer) tickets(name string, e ber.Element) {
	list := inner(e, ber.Sequence)
	w.Group(name, func() {
		for !w.Full() {
			t, ok := list.Take(tagTicket)
			if !ok {
				return
			}
			if in, ok := t.Take(ber.Sequence); ok {
				w.elements(in.Reader, ticketElements)
			}
		}
	})
}

// addresses writes HostAddresses (RFC 4120 section 5.2.5).
func (w writer) addresses(name string, e ber.Element) {
	list := inner(e, ber.Sequence)
	w.Group(name, func() {
		for !w.Full() {
			host, ok := list.Take(ber.Sequence)
			if !ok {
				return
			}
			kind, _ := host.Take(context(0))
			n, _ := integer(kind)
			value, _ := host.Take(context(1))
			b := inner(value, ber.OctetString).B
			if ip, ok := netip.AddrFromSlice(b); ok {
				w.Say("address", ip.String())
			} else {
				w.Octets("address of type "+strconv.Itoa(int(n)), b)
			}
		}
	})
}
