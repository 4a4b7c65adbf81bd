package ldap

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tls"
)

// encode returns an element.
func encode(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	default:
		return string([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + body
	}
}

func octets(s string) string { return encode(ber.OctetString, s) }

// msg encodes a message with an id below 128.
func msg(id byte, operation string) string {
	return encode(ber.Sequence, encode(ber.Integer, string([]byte{id})), operation)
}

func num(tag, n byte) string { return encode(tag, string([]byte{n})) }

func bind(name, password string) string {
	return encode(tagBindRequest, num(ber.Integer, 3), octets(name), encode(0x80, password))
}

func searchFor(filter string, attributes ...string) string {
	list := ""
	for _, a := range attributes {
		list += octets(a)
	}
	return encode(tagSearchRequest, octets("dc=x"), num(ber.Enumerated, 2), num(ber.Enumerated, 0), num(ber.Integer, 0), num(ber.Integer, 0),
		num(ber.Boolean, 0), filter, encode(ber.Sequence, list))
}

func equal(attribute, value string) string {
	return encode(filterEqual, octets(attribute), octets(value))
}

func result(tag, code byte, more ...string) string {
	return encode(tag, num(ber.Enumerated, code), octets(""), octets(""), strings.Join(more, ""))
}

func entry(name string) string {
	return encode(tagSearchEntry, octets(name), encode(ber.Sequence, encode(ber.Sequence, octets("cn"), encode(0x31, octets("v")))))
}

func TestFilter(t *testing.T) {
	deep := equal("a", "b")
	for range 100 {
		deep = encode(filterNot, deep)
	}
	for _, c := range []struct{ filter, want string }{
		{equal("cn", "Babs Jensen"), "(cn=Babs Jensen)"},
		{encode(filterNot, equal("cn", "Tim")), "(!(cn=Tim))"},
		{encode(filterAnd, equal("a", "1"), encode(filterOr, equal("b", "2"), encode(filterPresent, "c"))), "(&(a=1)(|(b=2)(c=*)))"},
		{encode(filterAnd), "(&)"}, // RFC 4526
		{encode(filterSubstrings, octets("o"), encode(ber.Sequence, encode(0x80, "univ"), encode(0x81, "of"), encode(0x82, "mich"))), "(o=univ*of*mich)"},
		{encode(filterSubstrings, octets("o"), encode(ber.Sequence, encode(0x81, "x"))), "(o=*x*)"},
		{encode(filterGreater, octets("n"), octets("5")), "(n>=5)"},
		{encode(filterLess, octets("n"), octets("5")), "(n<=5)"},
		{encode(filterApprox, octets("n"), octets("5")), "(n~=5)"},
		{encode(filterExtensible, encode(0x81, "caseExactMatch"), encode(0x82, "cn"), encode(0x83, "Fred")), "(cn:caseExactMatch:=Fred)"},
		{encode(filterExtensible, encode(0x82, "o"), encode(0x83, "Ace"), encode(0x84, "\xff")), "(o:dn:=Ace)"},
		{encode(filterExtensible, encode(0x81, "1.2.3"), encode(0x83, "Wilma")), "(:1.2.3:=Wilma)"},
		{equal("o", "Parens R Us (for all)*\\\x00"), `(o=Parens R Us \28for all\29\2a\5c\00)`},
		{equal("bin", "\x04\xc4\x48é"), `(bin=\04\c4Hé)`},
		{equal("userPassword;x", "secret"), "(userPassword;x=***)"},
		{equal("UNICODEPWD", "secret"), "(UNICODEPWD=***)"},
		{encode(filterSubstrings, octets("userPassword"), encode(ber.Sequence, encode(0x80, "s"))), "(userPassword=***)"},
		{encode(0xbf, "x"), ""},
		{encode(0xae, "x"), "(?)"},
		{deep, strings.Repeat("(!", maxDepth) + "..."},
		{equal("cn", strings.Repeat("é", 2000)), "(cn=" + strings.Repeat("é", (maxFilter-4)/2) + "..."},
		{encode(filterEqual, octets("cn")), "(cn=..."},
		{encode(filterAnd, "\x04\x7fx"), "(&..."},
	} {
		m := new(dissector.Message)
		b := []byte(msg(1, searchFor(c.filter)))
		span, err := Protocol.New(dissector.TCP)(dissector.Client, b, m)
		if c.want == "" {
			if err != errMalformed {
				t.Errorf("%q: %v", c.filter, err)
			}
			continue
		}
		if err != nil || span != int64(len(b)) || string(Filter.Get(&m.Values)) != c.want {
			t.Errorf("%q: %d %v\ngot  %s\nwant %s", c.filter, span, err, Filter.Get(&m.Values), c.want)
		}
	}
}

func TestBinds(t *testing.T) {
	sasl := encode(tagBindRequest, num(ber.Integer, 3), octets(""), encode(0xa3, octets("PLAIN"), octets("\x00u\x00secret")))
	for _, c := range []struct{ op, summary, mechanism string }{
		{bind("cn=a", "secret"), "cn=a simple", "simple"},
		{bind("", ""), "anonymous", "simple"},
		{bind("cn=a", ""), "cn=a simple without a password", "simple"},
		{sasl, "SASL PLAIN", "PLAIN"},
		{encode(tagBindRequest, num(ber.Integer, 3), octets(""), encode(0x8a, "NTLMSSP secret")), "Sicily", "Sicily"},
	} {
		m := new(dissector.Message)
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(msg(1, c.op)), m); err != nil {
			t.Fatal(err)
		}
		if s, h := string(dissector.Summary.Get(&m.Values)), string(Mechanism.Get(&m.Values)); s != c.summary || h != c.mechanism {
			t.Errorf("%q %q, want %q %q", s, h, c.summary, c.mechanism)
		}
		for f, v := range m.All() {
			if bytes.Contains(v.Bytes, []byte("secret")) {
				t.Errorf("%s holds a password: %q", f.Name, v.Bytes)
			}
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{"0", dissector.More},
		{"0\x0c\x02\x01", dissector.More},
		{msg(1, bind("", "")), dissector.Request},
		{msg(1, bind("", ""))[:9], dissector.More},
		{msg(2, searchFor(equal("a", strings.Repeat("x", 300)))), dissector.Request},
		{msg(2, searchFor(equal("a", strings.Repeat("x", 300))))[:60], dissector.Request},
		{msg(3, "\x42\x00"), dissector.Request},
		{msg(3, "\x50\x01\x02"), dissector.Request},
		{msg(3, encode(tagDelRequest, "cn=x")), dissector.Request},
		{msg(3, encode(tagDelRequest, "cn=x")+encode(tagControls, encode(ber.Sequence, octets("1.2")))), dissector.Request},
		{msg(3, encode(tagExtendedRequest, encode(0x80, oidStartTLS))), dissector.Request},
		{msg(3, result(tagBindResponse, 0)), dissector.Response},
		{msg(3, entry("cn=x")), dissector.Response},
		{msg(3, encode(tagSearchReference, octets("ldap://x"))), dissector.Response},
		{msg(3, encode(tagIntermediate, encode(0x80, "1.2"))), dissector.Response},
		{msg(3, "\x42\x01x"), dissector.No},
		{msg(3, "\x42\x00x"), dissector.No},
		{msg(3, bind("", "")[:4]), dissector.No},
		{msg(3, encode(tagBindResponse, "hello")), dissector.No},
		{"0\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x04\x00\x00\x00\x01\x02\x01\x00\x02\x01\x00\x30\x0b", dissector.No}, // SNMP
		{"0\x82\x03\x00\x30\x82\x02\x00\xa0\x03\x02\x01\x02\x02\x01\x01", dissector.No},                                   // a certificate
		{"0\x80\x02\x01\x01\x60\x00", dissector.No},
		{"0123456789 is a text, not a message in BER at all", dissector.No},
		{"GET / HTTP/1.1\r\n\r\n", dissector.No},
		{"0\x84\x7f\xff\xff\xff\x02\x01\x01\x63\x84\x7f\xff\xff\xf0\x04\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%q: %d, want %d", c.head, got, c.want)
		}
	}
}

// TestProbeNeverTurns gives the probe ever more of a message: once it has said yes
// it does not say no.
func TestProbeNeverTurns(t *testing.T) {
	for _, s := range []string{msg(1, bind("cn=admin,dc=x", "p")), msg(2, searchFor(equal("a", "b"), "cn")), msg(2, entry("cn=x")), msg(2, result(tagSearchDone, 0))} {
		want := probe([]byte(s))
		for n := range len(s) {
			if got := probe([]byte(s[:n])); got != dissector.More && got != want {
				t.Errorf("%q: %d, in all %d", s[:n], got, want)
			}
		}
	}
}

func script(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	if got := s.Calls(t, Protocol, tls.Protocol); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func del(id byte, name string) string { return msg(id, encode(tagDelRequest, name)) }

func TestIdsThatComeAgain(t *testing.T) {
	// The first answer was not captured; the second is not its.
	script(t, dissectortest.NewScript().
		Client(del(1, "cn=a")).Lose().Server(msg(1, result(tagDelResponse, 0))).
		Client(del(1, "cn=b")).Server(msg(1, result(tagDelResponse, 32))).
		Client(del(1, "cn=c")).Server(msg(1, result(tagDelResponse, 0))).Close(),
		"- > noSuchObject resumed", "delete cn=c > success", "delete cn=a > -", "delete cn=b > -")
	// Nothing is lost; an abandoned search is never answered.
	script(t, dissectortest.NewScript().
		Client(msg(5, searchFor(equal("a", "b"))), msg(6, "\x50\x01\x05"), msg(5, searchFor(equal("c", "d")))).
		Server(msg(5, entry("cn=x"))+msg(5, result(tagSearchDone, 0))).Close(),
		"abandon message 5 one-way", "search dc=x sub (c=d) > success", "search dc=x sub (a=b) > -")
	// Answers in another order.
	script(t, dissectortest.NewScript().
		Client(del(7, "cn=a")+del(8, "cn=b")).
		Server(msg(8, result(tagDelResponse, 0))+msg(7, result(tagDelResponse, 50))).Close(),
		"delete cn=b > success", "delete cn=a > insufficientAccessRights")
	// An answer to another operation with that id is none of this one.
	script(t, dissectortest.NewScript().
		Client(del(7, "cn=a")).Server(msg(7, result(tagAddResponse, 0))).Close(),
		"- > success", "delete cn=a > -")
}

func TestChangesOfProtocol(t *testing.T) {
	start := msg(1, encode(tagExtendedRequest, encode(0x80, oidStartTLS)))
	script(t, dissectortest.NewScript().
		Client(start).Server(msg(1, result(tagExtendedResponse, 52))).
		Client(del(2, "cn=a")).Server(msg(2, result(tagDelResponse, 0))).Close(),
		"extended StartTLS > unavailable", "delete cn=a > success")
	sasl := encode(tagBindRequest, num(ber.Integer, 3), octets(""), encode(0xa3, octets("GSSAPI"), octets("token")))
	script(t, dissectortest.NewScript().
		Client(msg(1, sasl)).Server(msg(1, result(tagBindResponse, 0))).
		Client("\x00\x00\x00\x05abcde").Server("\x00\x00\x00\x03xyz").Client("\x00\x00\x00\x05abcde").Close(),
		"bind SASL GSSAPI > success", "sasl protected by GSSAPI > protected")
	script(t, dissectortest.NewScript().
		Client(msg(1, sasl)).Server(msg(1, result(tagBindResponse, 0))).
		Client(del(2, "cn=a")).Server(msg(2, result(tagDelResponse, 0))).Close(),
		"bind SASL GSSAPI > success", "delete cn=a > success")
	script(t, dissectortest.NewScript().
		Client(del(1, "cn=a")).Server(msg(0, result(tagExtendedResponse, 52, encode(0x8a, "1.3.6.1.4.1.1466.20036")))).Close(),
		"extended Notice of Disconnection one-way", "delete cn=a > -")
}

// TestLostEntries: the number of entries is not set where some were not captured.
func TestLostEntries(t *testing.T) {
	p := &parser{pending: make(map[int64]pending)}
	say := func(from dissector.Side, gap int64, s string) *dissector.Message {
		m := &dissector.Message{Gap: gap}
		if _, err := p.parse(from, []byte(s), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	say(dissector.Client, 0, msg(1, searchFor(equal("a", "b"))))
	say(dissector.Server, 0, msg(1, entry("cn=a")))
	say(dissector.Server, 50, msg(1, entry("cn=c")))
	if m := say(dissector.Server, 0, msg(1, result(tagSearchDone, 0))); m.Has(Entries) || !m.Resumed {
		t.Error("entries are counted over a gap")
	}
	say(dissector.Client, 0, msg(2, searchFor(equal("a", "b"))))
	say(dissector.Server, 0, msg(2, entry("cn=a")))
	if m := say(dissector.Server, 0, msg(2, result(tagSearchDone, 0))); Entries.Get(&m.Values) != 1 || m.Resumed {
		t.Error("entries are not counted behind a gap")
	}
}

func TestPendingIsBounded(t *testing.T) {
	p := &parser{pending: make(map[int64]pending)}
	for i := range 3 * maxPending {
		id := string([]byte{0, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, err := p.parse(dissector.Client, []byte(encode(ber.Sequence, encode(ber.Integer, id), encode(tagDelRequest, "x"))), new(dissector.Message)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.pending) > maxPending {
		t.Error(len(p.pending), "requests are kept")
	}
}

// TestDatagram reads CLDAP: entry and result come in one datagram.
func TestDatagram(t *testing.T) {
	parse := Protocol.New(dissector.UDP)
	req, resp := new(dissector.Message), new(dissector.Message)
	if _, err := parse(dissector.Client, []byte(msg(1, searchFor(equal("NtVer", "\x06\x00\x00\x00"), "netlogon"))), req); err != nil {
		t.Fatal(err)
	}
	b := []byte(msg(1, entry("")) + msg(1, result(tagSearchDone, 0)))
	if span, err := parse(dissector.Server, b, resp); err != nil || span != int64(len(b)) {
		t.Fatal(span, err)
	}
	if f := string(Filter.Get(&req.Values)); f != `(NtVer=\06\00\00\00)` {
		t.Error(f)
	}
	if Entries.Get(&resp.Values) != 1 || string(Result.Get(&resp.Values)) != "success" {
		t.Error("the answer is not read")
	}
	if _, err := parse(dissector.Server, b[:len(b)-3], new(dissector.Message)); err == nil {
		t.Error("a cut datagram is whole")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(msg(1, searchFor(encode(filterAnd, equal("a", "b"), encode(filterExtensible, encode(0x83, "x"))), "cn"))), byte(3))
	f.Add([]byte(msg(1, bind("cn=x", "y"))+msg(2, "\x50\x01\x01")+msg(3, "\x42\x00")), byte(0))
	f.Add([]byte(msg(1, encode(tagModifyRequest, octets("cn=x"), encode(ber.Sequence, encode(ber.Sequence, num(ber.Enumerated, 1), encode(ber.Sequence, octets("a"), encode(0x31))))))), byte(9))
	f.Add([]byte(msg(1, entry("x"))+msg(1, result(tagSearchDone, 10, encode(tagReferral, octets("ldap://x"))))), byte(1))
	f.Add([]byte(msg(0, result(tagExtendedResponse, 2, encode(0x8a, "1.2")))+msg(4, encode(tagIntermediate, encode(0x80, "1.2")))), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			_, _ = Protocol.New(dissector.UDP)(from, b, &dissector.Message{Whole: true, Detail: cut&1 != 0})
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message {
				return &dissector.Message{Detail: cut&1 != 0, Gap: int64(cut & 2)}
			})
		}
	})
}
