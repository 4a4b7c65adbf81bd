package snmp

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/dissectortest"
	"shark/packet"
)

// tlv makes an element.
func tlv(tag byte, content ...string) string {
	b := strings.Join(content, "")
	switch n := len(b); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + b
	default:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + b
	}
}

func number(n ...byte) string { return tlv(ber.Integer, string(n)) }

// The parts of messages.
var (
	name     = tlv(tagOID, "\x2b\x06\x01\x02\x01\x01\x05\x00")
	variable = tlv(ber.Sequence, name, tlv(tagNull))
	value    = tlv(ber.Sequence, name, tlv(ber.OctetString, "web-1"))
)

func say(version byte, pdu byte, one, two byte, variables ...string) string {
	return tlv(ber.Sequence, number(version), tlv(ber.OctetString, "secret"),
		tlv(pdu, number(1, 2, 3), number(one), number(two), tlv(ber.Sequence, variables...)))
}

func trap(generic byte) string {
	return tlv(ber.Sequence, number(version1), tlv(ber.OctetString, "secret"),
		tlv(trapV1, name, tlv(tagIPAddress, "\x0a\x00\x00\x07"), number(generic), number(17), tlv(tagTimeTicks, "\x05"), tlv(ber.Sequence, value)))
}

func say3(flags byte, scoped string) string {
	user := tlv(ber.Sequence, tlv(ber.OctetString, "\x80engine"), number(1), number(2), tlv(ber.OctetString, "bob"), tlv(ber.OctetString), tlv(ber.OctetString))
	return tlv(ber.Sequence, number(version3), tlv(ber.Sequence, number(9), number(5, 0), tlv(ber.OctetString, string(flags)), number(3)),
		tlv(ber.OctetString, user), scoped)
}

func scope(pdu byte, variables ...string) string {
	return tlv(ber.Sequence, tlv(ber.OctetString, "e"), tlv(ber.OctetString, "ctx"), tlv(pdu, number(7), number(0), number(0), tlv(ber.Sequence, variables...)))
}

func TestProbe(t *testing.T) {
	get := say(version2c, getRequest, 0, 0, variable)
	for _, c := range []struct {
		b    string
		want dissector.Guess
	}{
		{get, dissector.Request},
		{say(version1, getNextRequest, 0, 0), dissector.Request},
		{say(version1, response, 2, 1, variable), dissector.Response},
		{say(version2c, trapV2, 0, 0, value, value), dissector.Request},
		{trap(6), dissector.Request},
		{say3(4, scope(getRequest, variable)), dissector.Request},
		{say3(0, scope(report, value)), dissector.Response},
		{say3(3, tlv(ber.OctetString, "xxxxxxxx")), dissector.Response},
		{say3(7, tlv(ber.OctetString, "xxxxxxxx")), dissector.Request},
		{"", dissector.No},
		{get + "x", dissector.No},
		{get[:len(get)-1], dissector.No},
		{"\x30\x80" + get[2:], dissector.No},
		{"\x30\x84\x7f\xff\xff\xff" + get[2:], dissector.No},
		{say(2, getRequest, 0, 0, variable), dissector.No},
		{say(version1, getBulkRequest, 0, 0, variable), dissector.No},
		{say(version2c, trapV1, 0, 0, variable), dissector.No},
		{say(version2c, report, 0, 0, variable), dissector.No},
		{say(version1, 0xa9, 0, 0, variable), dissector.No},
		{say(version1, getRequest, 0, 0, name), dissector.No},
		{say(version1, getRequest, 0, 0, tlv(ber.Sequence, name, tlv(0x0c, "x"))), dissector.No},
		{say(version1, getRequest, 0, 0, tlv(ber.Sequence, name, tlv(tagNull), tlv(tagNull))), dissector.No},
		{say(version1, getRequest, 0, 0, tlv(ber.Sequence, tlv(tagOID, "\x2b\x80\x01"), tlv(tagNull))), dissector.No},
		{say(version1, getRequest, 0, 0, tlv(ber.Sequence, tlv(tagOID, "\x2b\x81"), tlv(tagNull))), dissector.No},
		{say3(2, tlv(ber.OctetString, "xxxxxxxx")), dissector.No},
		{say3(3, scope(getRequest, variable)), dissector.No},
		{say3(0, tlv(ber.OctetString, "xxxxxxxx")), dissector.No},
		{tlv(ber.Sequence, number(1), tlv(0x63, "")), dissector.No}, // LDAP
	} {
		if got := probe([]byte(c.b)); got != c.want {
			t.Errorf("%q: %d, want %d", c.b, got, c.want)
		}
	}
}

// read parses a message and returns its fields.
func read(t *testing.T, b string) (m *dissector.Message, got []string) {
	t.Helper()
	m = new(dissector.Message)
	from := dissector.Client
	if msg, err := open([]byte(b)); err == nil && !msg.asks() {
		from = dissector.Server
	}
	m.From = from
	if span, err := Protocol.New(dissector.UDP)(from, []byte(b), m); err != nil || span != int64(len(b)) {
		t.Fatal(span, err)
	}
	for f, v := range m.All() {
		if strings.Contains(string(v.Bytes), "secret") || strings.Contains(string(v.Bytes), "bob") {
			t.Errorf("%s holds a secret", f.Name)
		}
		if len(v.Bytes) > 0 && !slices.Contains([]string{"snmp_version", "operation", "snmp_oids", "summary", "snmp_community"}, f.Name) {
			got = append(got, f.Name+"="+string(v.Bytes))
		}
	}
	return m, got
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{number(0xff), "-1"},
		{number(0x80, 0, 0, 0), "-2147483648"},
		{tlv(ber.OctetString, "a\nb"), "a\nb"},
		{tlv(ber.OctetString, "a\x00"), "0x6100"},
		{tlv(ber.OctetString, strings.Repeat("x", 100)), strings.Repeat("x", maxValue)},
		{tlv(ber.OctetString, strings.Repeat("\x01", 100)), "0x" + strings.Repeat("01", maxValue)},
		{tlv(tagOID, "\x88\x37\x8f\xff\xff\xff\x7f"), "2.999.4294967295"},
		{tlv(tagOID, "\x28"), "1.0"},
		{tlv(tagOID), ""},
		{tlv(tagIPAddress, "\x0a\x00\x00\x01"), "10.0.0.1"},
		{tlv(tagCounter32, "\x00\xff\xff\xff\xff"), "4294967295"},
		{tlv(tagCounter64, "\x00\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
		{tlv(tagTimeTicks, "\x7f"), "127"},
		{tlv(tagOpaque, "\x9f\x78"), "0x9f78"},
		{tlv(tagNoSuchObject), "noSuchObject"},
		{tlv(tagNoSuchInstance), "noSuchInstance"},
		{tlv(tagEndOfMibView), "endOfMibView"},
	} {
		m, got := read(t, say(version2c, response, 0, 0, tlv(ber.Sequence, name, c.value)))
		if want := "snmp_values=1.3.6.1.2.1.1.5.0 = " + c.want; !slices.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if exception := c.value[0] >= tagNoSuchObject; exception != (Exceptions.Get(&m.Values) == 1) {
			t.Errorf("%q: an exception, %t", c.value, !exception)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		b      string
		role   dissector.Role
		failed bool
		want   string
	}{
		{say(version1, getRequest, 0, 0, variable), dissector.BySide, false, ""},
		{say(version1, response, 2, 1, variable), dissector.BySide, true, "status=noSuchName"},
		{say(version2c, response, 18, 1, variable), dissector.BySide, true, "status=inconsistentName"},
		{say(version2c, response, 19, 1, variable), dissector.BySide, true, "status=19"},
		{say(version2c, trapV2, 0, 0, variable), dissector.OneWay, false, ""},
		{say(version2c, informRequest, 0, 0, variable), dissector.BySide, false, ""},
		{trap(2), dissector.OneWay, false, "snmp_enterprise=1.3.6.1.2.1.1.5.0 snmp_trap=linkDown snmp_agent_address=10.0.0.7 snmp_values=1.3.6.1.2.1.1.5.0 = web-1"},
		{trap(6), dissector.OneWay, false, "snmp_enterprise=1.3.6.1.2.1.1.5.0 snmp_trap=1.3.6.1.2.1.1.5.0.0.17 snmp_agent_address=10.0.0.7 snmp_values=1.3.6.1.2.1.1.5.0 = web-1"},
		{trap(7), dissector.OneWay, false, "snmp_enterprise=1.3.6.1.2.1.1.5.0 snmp_agent_address=10.0.0.7 snmp_values=1.3.6.1.2.1.1.5.0 = web-1"},
		{say3(4, scope(getRequest, variable)), dissector.BySide, false, "snmp_security_level=noAuthNoPriv snmp_engine_id=80656e67696e65 snmp_context=ctx"},
		{say3(0, scope(report, value)), dissector.BySide, true, "snmp_security_level=noAuthNoPriv snmp_engine_id=80656e67696e65 snmp_context=ctx snmp_values=1.3.6.1.2.1.1.5.0 = web-1 status=Report"},
		{say3(7, tlv(ber.OctetString, "xxxxxxxx")), dissector.BySide, false, "snmp_security_level=authPriv snmp_engine_id=80656e67696e65"},
		{say3(3, tlv(ber.OctetString, "xxxxxxxx")), dissector.OneWay, false, "snmp_security_level=authPriv snmp_engine_id=80656e67696e65"},
	} {
		m, got := read(t, c.b)
		if s := strings.Join(got, " "); s != c.want || m.Role != c.role || dissector.Failed.Get(&m.Values) != c.failed {
			t.Errorf("%q: role %d, failed %t\ngot  %s\nwant %s", c.b, m.Role, dissector.Failed.Get(&m.Values), s, c.want)
		}
	}
}

// Values that are credentials are not shown, in whatever message they are.
func TestSecretValues(t *testing.T) {
	for _, c := range []struct{ oid, name string }{
		{"\x2b\x06\x01\x06\x03\x12\x01\x04\x00", "1.3.6.1.6.3.18.1.4.0"},                               // snmpTrapCommunity
		{"\x2b\x06\x01\x06\x03\x12\x01\x01\x01\x02\x01a", "1.3.6.1.6.3.18.1.1.1.2.1.97"},               // snmpCommunityName
		{"\x2b\x06\x01\x04\x01\x09\x09\x60\x01\x01\x01\x01\x08\x05", "1.3.6.1.4.1.9.9.96.1.1.1.1.8.5"}, // ccCopyUserPassword
		{"\x2b\x06\x01\x06\x03\x12\x01\x01\x01\x03\x01a", ""},                                          // the security name
		{"\x2b\x06\x01\x04\x01\x09\x09\x60\x01\x01\x01\x01\x81\x00\x05", ""},                           // 128, not 8
	} {
		for _, pdu := range []byte{setRequest, response, trapV2} {
			m, _ := read(t, say(version2c, pdu, 0, 0, tlv(ber.Sequence, tlv(tagOID, c.oid), tlv(ber.OctetString, "hunter2"))))
			leak := false
			for _, v := range m.All() {
				leak = leak || strings.Contains(string(v.Bytes), "hunter2")
			}
			var got string
			for v := range Values.Each(&m.Values) {
				got = string(v)
			}
			if leak != (c.name == "") || c.name != "" && got != c.name+" = ***" {
				t.Errorf("%s: %s", c.name, got)
			}
		}
	}
}

func TestMany(t *testing.T) {
	b := say(version2c, trapV2, 0, 0, slices.Repeat([]string{value}, 100)...)
	m, _ := read(t, b)
	n := 0
	for range OIDs.Each(&m.Values) {
		n++
	}
	if n != maxListed || Variables.Get(&m.Values) != 100 || !strings.HasSuffix(string(dissector.Summary.Get(&m.Values)), " and 97 more") {
		t.Errorf("%d listed of %d: %s", n, Variables.Get(&m.Values), dissector.Summary.Get(&m.Values))
	}
	m = &dissector.Message{Detail: true}
	if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b), m); err != nil || m.Len() < 200 {
		t.Errorf("%v: %d values for who looks at it", err, m.Len())
	}
}

func TestSentAgain(t *testing.T) {
	parse := Protocol.New(dissector.UDP)
	hear := func(from dissector.Side, b string, at int64) *dissector.Message {
		m := &dissector.Message{From: from, Start: at}
		if _, err := parse(from, []byte(b), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	get, answer := say(version1, getRequest, 0, 0, variable), say(version1, response, 0, 0, value)
	if hear(dissector.Client, get, 0).Skip || !hear(dissector.Client, get, 1e9).Skip {
		t.Error("the second is sent again")
	}
	if m := hear(dissector.Server, answer, 2e9); Retransmissions.Get(&m.Values) != 1 {
		t.Error("it is counted")
	}
	if hear(dissector.Client, get, 3e9).Skip {
		t.Error("after its answer it is another call")
	}
	if hear(dissector.Client, say(version1, getRequest, 0, 0, value), 4e9).Skip {
		t.Error("one that asks for something else is another call")
	}
	if m := hear(dissector.Server, answer, 5e9); m.Has(Retransmissions) {
		t.Error("what is answered is the latest")
	}
	if hear(dissector.Client, get, 40e9).Skip {
		t.Error("so late it is another call")
	}
}

// told collects what was asked and answered, - for what was not seen.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol {
		return nil
	}
	asked, answered := "-", "-"
	if e.Request != nil {
		asked = string(dissector.Operation.Get(&e.Request.Values))
	}
	if e.Response != nil {
		answered = string(dissector.Status.Get(&e.Response.Values))
	}
	*c = append(*c, asked+" "+answered)
	return nil
}

// datagrams is a capture of what the ports 1024 and 161 say to each other.
type datagrams []packet.Record

func (d *datagrams) say(from dissector.Side, b string) {
	ip := make([]byte, 28)
	ip[0], ip[8], ip[9], ip[12], ip[16] = 0x45, 64, byte(packet.UDP), 10+byte(from), 11-byte(from)
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(b)))
	ports := [2]uint16{1024, 161}
	binary.BigEndian.PutUint16(ip[20:], ports[from])
	binary.BigEndian.PutUint16(ip[22:], ports[from.Other()])
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(b)))
	ip = append(ip, b...)
	*d = append(*d, packet.Record{Data: ip, Time: int64(len(*d)) * 1e9, Number: uint64(len(*d) + 1), OrigLen: uint32(len(ip)), Link: 101})
}

func (d *datagrams) ReadBatch(b *packet.Batch) error {
	if len(*d) == 0 {
		return io.EOF
	}
	b.Records, *d = *d, nil
	return nil
}

func (d *datagrams) Interfaces() []packet.Interface { return nil }
func (d *datagrams) Damage() []packet.Damage        { return nil }
func (d *datagrams) Close() error                   { return nil }

// An answer is one to the latest request of its id, and never to one before it.
func TestOneIDForAll(t *testing.T) {
	var d datagrams
	d.say(dissector.Client, say(version2c, getRequest, 0, 0, variable))
	for range 2 {
		d.say(dissector.Client, say(version2c, getNextRequest, 0, 0, variable))
		d.say(dissector.Server, say(version2c, response, 0, 0, value))
	}
	d.say(dissector.Server, say(version2c, response, 0, 0, value))
	var got told
	dissectortest.Dissect(t, &d, &got, Protocol)
	slices.Sort(got)
	if want := []string{"- noError", "GetNextRequest noError", "GetNextRequest noError", "GetRequest -"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestCutDatagrams(t *testing.T) {
	for _, b := range []string{
		say(version2c, getRequest, 0, 0, variable, variable), trap(6), say3(4, scope(getRequest, variable)), say3(7, tlv(ber.OctetString, "xxxxxxxx")),
		say(version1, trapV1, 0, 0), say(version2c, getRequest, 0, 0, tlv(ber.Sequence, name, tlv(ber.OctetString, strings.Repeat("x", 300)))),
	} {
		whole := b
		for n := range len(whole) {
			m := new(dissector.Message)
			_, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b[:n]), m)
			if err == nil || err == errMalformed && probe([]byte(b)) != dissector.No {
				t.Fatalf("%q, %d bytes: %v", b, n, err)
			}
		}
	}
	for _, b := range []string{say(version1, response, 0, 0), "\x04\x00", say(version1, getRequest, 0, 0) + "x", say(version1, getRequest, 0, 0, name)} {
		if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b), new(dissector.Message)); err != errMalformed {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(say(version2c, getBulkRequest, 1, 9, variable, value)), byte(0))
	f.Add([]byte(say(version1, response, 2, 1, value)), byte(1))
	f.Add([]byte(trap(6)), byte(9))
	f.Add([]byte(say3(4, scope(getRequest, variable))), byte(3))
	f.Add([]byte(say3(7, tlv(ber.OctetString, "xxxxxxxx"))), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		for range 3 {
			guess := probe(b)
			for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
				m := &dissector.Message{From: from, Whole: true, Detail: cut&1 != 0}
				span, err := Protocol.New(dissector.UDP)(from, b, m)
				if err == nil && span != int64(len(b)) {
					t.Fatalf("span %d", span)
				}
				if err != nil && (guess == dissector.Request && from == dissector.Client || guess == dissector.Response && from == dissector.Server) {
					t.Fatalf("the probe takes what the parser does not: %v", err)
				}
			}
			b = b[:max(0, len(b)-int(cut))]
		}
	})
}
