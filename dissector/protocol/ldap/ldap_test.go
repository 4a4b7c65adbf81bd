package ldap

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tls"
)

// ber encodes an element.
func ber(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	default:
		return string([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + body
	}
}

func octets(s string) string { return ber(tagOctetString, s) }

// msg encodes a message with an id below 128.
func msg(id byte, operation string) string {
	return ber(tagSequence, ber(tagInteger, string([]byte{id})), operation)
}

func num(tag, n byte) string { return ber(tag, string([]byte{n})) }

func bind(name, password string) string {
	return ber(tagBindRequest, num(tagInteger, 3), octets(name), ber(0x80, password))
}

func searchFor(filter string, attributes ...string) string {
	list := ""
	for _, a := range attributes {
		list += octets(a)
	}
	return ber(tagSearchRequest, octets("dc=x"), num(tagEnumerated, 2), num(tagEnumerated, 0), num(tagInteger, 0), num(tagInteger, 0),
		num(tagBoolean, 0), filter, ber(tagSequence, list))
}

func equal(attribute, value string) string {
	return ber(filterEqual, octets(attribute), octets(value))
}

func result(tag, code byte, more ...string) string {
	return ber(tag, num(tagEnumerated, code), octets(""), octets(""), strings.Join(more, ""))
}

func entry(name string) string {
	return ber(tagSearchEntry, octets(name), ber(tagSequence, ber(tagSequence, octets("cn"), ber(0x31, octets("v")))))
}

func TestFilter(t *testing.T) {
	deep := equal("a", "b")
	for range 100 {
		deep = ber(filterNot, deep)
	}
	for _, c := range []struct{ filter, want string }{
		{equal("cn", "Babs Jensen"), "(cn=Babs Jensen)"},
		{ber(filterNot, equal("cn", "Tim")), "(!(cn=Tim))"},
		{ber(filterAnd, equal("a", "1"), ber(filterOr, equal("b", "2"), ber(filterPresent, "c"))), "(&(a=1)(|(b=2)(c=*)))"},
		{ber(filterAnd), "(&)"}, // RFC 4526
		{ber(filterSubstrings, octets("o"), ber(tagSequence, ber(0x80, "univ"), ber(0x81, "of"), ber(0x82, "mich"))), "(o=univ*of*mich)"},
		{ber(filterSubstrings, octets("o"), ber(tagSequence, ber(0x81, "x"))), "(o=*x*)"},
		{ber(filterGreater, octets("n"), octets("5")), "(n>=5)"},
		{ber(filterLess, octets("n"), octets("5")), "(n<=5)"},
		{ber(filterApprox, octets("n"), octets("5")), "(n~=5)"},
		{ber(filterExtensible, ber(0x81, "caseExactMatch"), ber(0x82, "cn"), ber(0x83, "Fred")), "(cn:caseExactMatch:=Fred)"},
		{ber(filterExtensible, ber(0x82, "o"), ber(0x83, "Ace"), ber(0x84, "\xff")), "(o:dn:=Ace)"},
		{ber(filterExtensible, ber(0x81, "1.2.3"), ber(0x83, "Wilma")), "(:1.2.3:=Wilma)"},
		{equal("o", "Parens R Us (for all)*\\\x00"), `(o=Parens R Us \28for all\29\2a\5c\00)`},
		{equal("bin", "\x04\xc4\x48é"), `(bin=\04\c4Hé)`},
		{equal("userPassword;x", "secret"), "(userPassword;x=***)"},
		{equal("UNICODEPWD", "secret"), "(UNICODEPWD=***)"},
		{ber(filterSubstrings, octets("userPassword"), ber(tagSequence, ber(0x80, "s"))), "(userPassword=***)"},
		{ber(0xbf, "x"), ""},
		{ber(0xae, "x"), "(?)"},
		{deep, strings.Repeat("(!", maxDepth) + "..."},
		{equal("cn", strings.Repeat("é", 2000)), "(cn=" + strings.Repeat("é", (maxFilter-4)/2) + "..."},
		{ber(filterEqual, octets("cn")), "(cn=..."},
		{ber(filterAnd, "\x04\x7fx"), "(&..."},
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
	sasl := ber(tagBindRequest, num(tagInteger, 3), octets(""), ber(0xa3, octets("PLAIN"), octets("\x00u\x00secret")))
	for _, c := range []struct{ op, summary, mechanism string }{
		{bind("cn=a", "secret"), "cn=a simple", "simple"},
		{bind("", ""), "anonymous", "simple"},
		{bind("cn=a", ""), "cn=a simple without a password", "simple"},
		{sasl, "SASL PLAIN", "PLAIN"},
		{ber(tagBindRequest, num(tagInteger, 3), octets(""), ber(0x8a, "NTLMSSP secret")), "Sicily", "Sicily"},
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
		{msg(3, ber(tagDelRequest, "cn=x")), dissector.Request},
		{msg(3, ber(tagDelRequest, "cn=x")+ber(tagControls, ber(tagSequence, octets("1.2")))), dissector.Request},
		{msg(3, ber(tagExtendedRequest, ber(0x80, oidStartTLS))), dissector.Request},
		{msg(3, result(tagBindResponse, 0)), dissector.Response},
		{msg(3, entry("cn=x")), dissector.Response},
		{msg(3, ber(tagSearchReference, octets("ldap://x"))), dissector.Response},
		{msg(3, ber(tagIntermediate, ber(0x80, "1.2"))), dissector.Response},
		{msg(3, "\x42\x01x"), dissector.No},
		{msg(3, "\x42\x00x"), dissector.No},
		{msg(3, bind("", "")[:4]), dissector.No},
		{msg(3, ber(tagBindResponse, "hello")), dissector.No},
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

func del(id byte, name string) string { return msg(id, ber(tagDelRequest, name)) }

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
	start := msg(1, ber(tagExtendedRequest, ber(0x80, oidStartTLS)))
	script(t, dissectortest.NewScript().
		Client(start).Server(msg(1, result(tagExtendedResponse, 52))).
		Client(del(2, "cn=a")).Server(msg(2, result(tagDelResponse, 0))).Close(),
		"extended StartTLS > unavailable", "delete cn=a > success")
	sasl := ber(tagBindRequest, num(tagInteger, 3), octets(""), ber(0xa3, octets("GSSAPI"), octets("token")))
	script(t, dissectortest.NewScript().
		Client(msg(1, sasl)).Server(msg(1, result(tagBindResponse, 0))).
		Client("\x00\x00\x00\x05abcde").Server("\x00\x00\x00\x03xyz").Client("\x00\x00\x00\x05abcde").Close(),
		"bind SASL GSSAPI > success", "sasl protected by GSSAPI > protected")
	script(t, dissectortest.NewScript().
		Client(msg(1, sasl)).Server(msg(1, result(tagBindResponse, 0))).
		Client(del(2, "cn=a")).Server(msg(2, result(tagDelResponse, 0))).Close(),
		"bind SASL GSSAPI > success", "delete cn=a > success")
	script(t, dissectortest.NewScript().
		Client(del(1, "cn=a")).Server(msg(0, result(tagExtendedResponse, 52, ber(0x8a, "1.3.6.1.4.1.1466.20036")))).Close(),
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
		if _, err := p.parse(dissector.Client, []byte(ber(tagSequence, ber(tagInteger, id), ber(tagDelRequest, "x"))), new(dissector.Message)); err != nil {
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
	f.Add([]byte(msg(1, searchFor(ber(filterAnd, equal("a", "b"), ber(filterExtensible, ber(0x83, "x"))), "cn"))), byte(3))
	f.Add([]byte(msg(1, bind("cn=x", "y"))+msg(2, "\x50\x01\x01")+msg(3, "\x42\x00")), byte(0))
	f.Add([]byte(msg(1, ber(tagModifyRequest, octets("cn=x"), ber(tagSequence, ber(tagSequence, num(tagEnumerated, 1), ber(tagSequence, octets("a"), ber(0x31))))))), byte(9))
	f.Add([]byte(msg(1, entry("x"))+msg(1, result(tagSearchDone, 10, ber(tagReferral, octets("ldap://x"))))), byte(1))
	f.Add([]byte(msg(0, result(tagExtendedResponse, 2, ber(0x8a, "1.2")))+msg(4, ber(tagIntermediate, ber(0x80, "1.2")))), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			_, _ = Protocol.New(dissector.UDP)(from, b, &dissector.Message{Whole: true, Detail: cut&1 != 0})
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message {
				return &dissector.Message{Detail: cut&1 != 0, Gap: int64(cut & 2)}
			})
		}
	})
}
