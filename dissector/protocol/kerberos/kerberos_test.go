package kerberos

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

// encode returns an element.
func encode(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	case n < 0x10000:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	default:
		return string([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + body
	}
}

func in(n byte, parts ...string) string { return encode(context(n), parts...) }
func num(b ...byte) string              { return encode(ber.Integer, string(b)) }
func str(s string) string               { return encode(tagString, s) }

func principal(parts ...string) string {
	list := ""
	for _, p := range parts {
		list += str(p)
	}
	return encode(ber.Sequence, in(0, num(1)), in(1, encode(ber.Sequence, list)))
}

func padata(kind ...byte) string {
	return encode(ber.Sequence, in(1, num(kind...)), in(2, encode(ber.OctetString, "x")))
}

// ask encodes a request for a server's ticket.
func ask(tag byte, server string, etypes ...string) string {
	client := ""
	if tag == tagASReq {
		client = in(1, principal("alice"))
	}
	body := encode(ber.Sequence, in(0, encode(ber.BitString, "\x00\x40\x01\x00\x02")), client, in(2, str("SHOP")), in(3, principal(strings.Split(server, "/")...)),
		in(5, encode(tagTime, "20300102030405Z")), in(7, num(1, 2, 3, 4)), in(8, encode(ber.Sequence, etypes...)))
	return encode(tag, encode(ber.Sequence, in(1, num(5)), in(2, num(tag&0x1f)), in(3, encode(ber.Sequence, padata(2), padata(0, 128), padata(0xff, 1))), in(4, body)))
}

func sealed(etype ...byte) string {
	return encode(ber.Sequence, in(0, num(etype...)), in(2, encode(ber.OctetString, "secret")))
}

// give encodes a reply with a ticket.
func give(tag byte, server string) string {
	ticket := encode(tagTicket, encode(ber.Sequence, in(0, num(5)), in(1, str("SHOP")), in(2, principal(strings.Split(server, "/")...)), in(3, sealed(0xff, 0x7b))))
	return encode(tag, encode(ber.Sequence, in(0, num(5)), in(1, num(tag&0x1f)), in(3, str("SHOP")), in(4, principal("al/ice", "x@y")), in(5, ticket), in(6, sealed(18))))
}

func fail(code byte, server string, more ...string) string {
	return encode(tagError, encode(ber.Sequence, in(0, num(5)), in(1, num(30)), in(4, encode(tagTime, "20300102030405Z")), in(5, num(1)), in(6, num(code)),
		in(9, str("SHOP")), in(10, principal(strings.Split(server, "/")...)), strings.Join(more, "")))
}

// tcp puts the length before a message.
func tcp(s string) string {
	n := len(s)
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + s
}

var login, ticket = ask(tagASReq, "krbtgt/SHOP", num(18), num(23)), ask(tagTGSReq, "HTTP/web", num(18))

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"nothing", "", dissector.More},
		{"request", login, dissector.Request},
		{"request over TCP", tcp(ticket), dissector.Request},
		{"two of them", tcp(login) + tcp(ticket), dissector.Request},
		{"reply", give(tagASRep, "a"), dissector.Response},
		{"error over TCP", tcp(fail(6, "a")), dissector.Response},
		{"beginning of a datagram", login[:40], dissector.Request},
		{"beginning over TCP", tcp(login)[:40], dissector.Request},
		{"too little over TCP", tcp(login)[:20], dissector.More},
		{"length over TCP", "\x00\x00\x01", dissector.More},
		{"datagram with more behind it", login + "x", dissector.No},
		{"lengths that differ", "\x00\x00\x01\x00" + login, dissector.No},
		{"too long", "\x00\x7f\xff\xff" + login, dissector.No},
		{"another version", strings.Replace(login, "\x02\x01\x05", "\x02\x01\x04", 1), dissector.No},
		{"another type", strings.Replace(login, "\x02\x01\x0a", "\x02\x01\x0c", 1), dissector.No},
		{"AP-REQ", encode(0x6e, encode(ber.Sequence, in(0, num(5)), in(1, num(14)))), dissector.No},
		{"LDAP", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", dissector.No},
		{"SNMP", "\x30\x29\x02\x01\x01\x04\x06public", dissector.No},
		{"SMB", "\x00\x00\x00\x54\xfeSMB\x40\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := []byte(tcp(strings.Repeat("x", 60)))
		for i := 4; i < len(b); i++ {
			b[i] = byte(rng.Uint32())
		}
		b[4] = []byte{tagASReq, tagASRep, tagTGSReq, tagTGSRep, tagError}[rng.IntN(5)]
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func read(t *testing.T, from dissector.Side, b string) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	if span, err := Protocol.New(dissector.TCP)(from, []byte(tcp(b)), m); err != nil || span != int64(len(b)+4) {
		t.Fatal(span, err)
	}
	return m
}

func TestFields(t *testing.T) {
	m := read(t, dissector.Client, ask(tagASReq, "krbtgt/SHOP", num(18), num(0xff, 0x7b), num(0, 200), num(1, 2, 3, 4, 5)))
	texts := func(seq func(func([]byte) bool)) (out []string) {
		for b := range seq {
			out = append(out, string(b))
		}
		return out
	}
	if got := texts(Etypes.Each(&m.Values)); !slices.Equal(got, []string{"aes256-cts-hmac-sha1-96", "rc4-hmac-old", "200"}) {
		t.Error(got)
	}
	if got := texts(Padata.Each(&m.Values)); !slices.Equal(got, []string{"PA-ENC-TIMESTAMP", "PA-PAC-REQUEST", "-255"}) {
		t.Error(got)
	}
	if got := texts(Options.Each(&m.Values)); !slices.Equal(got, []string{"forwardable", "canonicalize", "renew"}) {
		t.Error(got)
	}
	if s := string(dissector.Summary.Get(&m.Values)); s != "alice@SHOP for krbtgt/SHOP@SHOP" {
		t.Error(s)
	}
	if s := string(Till.Get(&m.Values)); s != "2030-01-02T03:04:05Z" {
		t.Error(s)
	}
	m = read(t, dissector.Server, give(tagASRep, "krbtgt/OTHER"))
	if s := string(ClientName.Get(&m.Values)); s != `al\/ice/x\@y@SHOP` {
		t.Error(s)
	}
	if s := string(TicketEtype.Get(&m.Values)) + " " + string(ReplyEtype.Get(&m.Values)); s != "rc4-hmac-old aes256-cts-hmac-sha1-96" {
		t.Error(s)
	}
}

func TestErrors(t *testing.T) {
	methods := in(12, encode(ber.OctetString, encode(ber.Sequence, padata(19), padata(2))))
	for _, c := range []struct {
		code   byte
		name   string
		failed bool
	}{
		{25, "KDC_ERR_PREAUTH_REQUIRED", false},
		{91, "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED", false},
		{52, "KRB_ERR_RESPONSE_TOO_BIG", false},
		{24, "KDC_ERR_PREAUTH_FAILED", true},
		{37, "KRB_AP_ERR_SKEW", true},
		{120, "120", true},
	} {
		m := read(t, dissector.Server, fail(c.code, "krbtgt/SHOP", in(11, str("say\x01")), methods))
		if string(Error.Get(&m.Values)) != c.name || dissector.Failed.Get(&m.Values) != c.failed || ErrorCode.Get(&m.Values) != int64(c.code) {
			t.Errorf("%d: %s", c.code, Error.Get(&m.Values))
		}
		if string(ErrorText.Get(&m.Values)) != `say\01` {
			t.Error(string(ErrorText.Get(&m.Values)))
		}
		if n := len(slices.Collect(Offered.Each(&m.Values))); (n == 2) != (c.code == 25 || c.code == 91) {
			t.Errorf("%d: %d methods", c.code, n)
		}
	}
}

// TestLimits: lists, names and messages that are too long are cut visibly.
func TestLimits(t *testing.T) {
	m := read(t, dissector.Client, ask(tagTGSReq, strings.Repeat("n", 1000), slices.Repeat([]string{num(18)}, 50)...))
	if s := string(ServerName.Get(&m.Values)); len(s) > maxText+len(wire.CutMark) || !strings.HasSuffix(s, wire.CutMark) {
		t.Error(s)
	}
	if n := len(slices.Collect(Etypes.Each(&m.Values))); n != maxListed+1 {
		t.Error(n, "encryption types")
	}
	body := encode(ber.Sequence, in(1, num(5)), in(2, num(12)), in(3, encode(ber.Sequence, encode(ber.Sequence, in(1, num(1)), in(2, encode(ber.OctetString, strings.Repeat("t", 2*maxHead)))))), in(4, "\x30\x00"))
	huge := encode(tagTGSReq, body)
	m = read(t, dissector.Client, huge)
	if string(dissector.Summary.Get(&m.Values)) != wire.CutMark || m.Has(ServerName) {
		t.Error("what is out of sight is not shown to be")
	}
	m = new(dissector.Message)
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(tcp(huge))[:100], m); err != dissector.ErrShort || m.Need != maxHead {
		t.Error(err, m.Need)
	}
}

func script(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	if got := s.Calls(t, Protocol); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPipelined(t *testing.T) {
	script(t, dissectortest.NewScript().
		Client(tcp(login)+tcp(ticket)).Server(tcp(fail(24, "krbtgt/SHOP"))+tcp(give(tagTGSRep, "HTTP/web"))).Close(),
		"AS-REQ alice@SHOP for krbtgt/SHOP@SHOP > KDC_ERR_PREAUTH_FAILED", "TGS-REQ HTTP/web@SHOP > TGS-REP")
}

func TestLostAnswer(t *testing.T) {
	script(t, dissectortest.NewScript().
		Client(tcp(login)).Lose().Server(tcp(give(tagASRep, "krbtgt/SHOP"))).
		Client(tcp(ticket)).Server(tcp(give(tagTGSRep, "HTTP/web"))).Close(),
		"AS-REQ alice@SHOP for krbtgt/SHOP@SHOP > - unpaired", "TGS-REQ HTTP/web@SHOP > TGS-REP resumed")
}

// pairs feeds datagrams and returns which request each answer pairs with, by the number
// of the datagram; 0 for none.
func pairs(t *testing.T, said ...string) []int {
	t.Helper()
	p, keys, out := new(parser), make(map[uint64]int), []int(nil)
	for i, s := range said {
		m := new(dissector.Message)
		from := dissector.Server
		if s[0] == tagASReq || s[0] == tagTGSReq {
			from = dissector.Client
		}
		before := p.gen
		if _, err := p.datagram(from, []byte(s), m); err != nil {
			t.Fatal(err)
		}
		switch {
		case m.Skip:
			out = append(out, -1)
		case from == dissector.Client:
			keys[p.gen] = i + 1
		case p.gen > before:
			out = append(out, 0)
		default:
			left := make(map[uint64]bool)
			for _, a := range p.awaited {
				left[a.key] = true
			}
			for k, n := range keys {
				if !left[k] {
					out = append(out, n)
					delete(keys, k)
				}
			}
		}
	}
	return out
}

func TestDatagrams(t *testing.T) {
	asRep, tgsRep := give(tagASRep, "krbtgt/SHOP"), give(tagTGSRep, "HTTP/web")
	other := ask(tagTGSReq, "HTTP/other", num(18))
	for _, c := range []struct {
		name string
		said []string
		want []int
	}{
		{"in order", []string{login, asRep, ticket, tgsRep}, []int{1, 3}},
		{"by type", []string{login, ticket, tgsRep, asRep}, []int{2, 1}},
		{"by server", []string{ticket, other, give(tagTGSRep, "HTTP/other"), tgsRep}, []int{2, 1}},
		{"an error by server", []string{ticket, other, fail(7, "HTTP/other")}, []int{2}},
		{"sent again", []string{login, login, asRep, asRep}, []int{-1, 1, -1}},
		{"unknown server", []string{ticket, other, give(tagTGSRep, "krbtgt/FAR")}, []int{0}},
		{"the same server", []string{ticket, ask(tagTGSReq, "HTTP/web", num(17)), tgsRep}, []int{0}},
		{"unasked", []string{tgsRep}, []int{0}},
	} {
		if got := pairs(t, c.said...); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAwaitedIsBounded(t *testing.T) {
	p := new(parser)
	for i := range 5 * maxAwaited {
		if _, err := p.datagram(dissector.Client, []byte(ask(tagTGSReq, "HTTP/web", num(byte(i)))), new(dissector.Message)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.awaited) != maxAwaited {
		t.Error(len(p.awaited), "requests are kept")
	}
}

// TestCut: a datagram that was captured in part shows what is there, and a message over
// TCP waits for its rest.
func TestCut(t *testing.T) {
	for _, s := range []string{login, ticket, give(tagASRep, "a"), fail(25, "a", in(11, str("text")))} {
		from := dissector.Server
		if asks(s[0]) {
			from = dissector.Client
		}
		for n := range len(s) {
			if _, err := Protocol.New(dissector.UDP)(from, []byte(s[:n]), new(dissector.Message)); err != dissector.ErrShort {
				t.Fatalf("%d of %d bytes: %v", n, len(s), err)
			}
			if _, err := Protocol.New(dissector.TCP)(from, []byte(tcp(s)[:n+3]), new(dissector.Message)); err != dissector.ErrShort {
				t.Fatalf("%d of %d bytes over TCP: %v", n, len(s), err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, s := range map[string]string{
		"a reply of a client":       give(tagASRep, "a"),
		"no body":                   encode(tagASReq, encode(ber.Sequence, in(1, num(5)), in(2, num(10)))),
		"a sequence that is short":  encode(tagASReq, encode(ber.Sequence, in(1, num(5)), in(2, num(10))), "x"),
		"a version of five bytes":   encode(tagASReq, encode(ber.Sequence, in(1, num(0, 0, 0, 0, 5)), in(2, num(10)), in(4, "\x30\x00"))),
		"more than its length says": login + "x",
	} {
		if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(s), new(dissector.Message)); err != errMalformed {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(tcp(s)), new(dissector.Message)); err != errMalformed {
			t.Errorf("%s over TCP: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(tcp(login)+tcp(ticket)), byte(3))
	f.Add([]byte(login), byte(0))
	f.Add([]byte(tcp(give(tagTGSRep, "HTTP/web"))), byte(9))
	f.Add([]byte(fail(25, "a", in(7, str("R")), in(8, principal("c")), in(11, str("x")), in(12, encode(ber.OctetString, encode(ber.Sequence, padata(2)))))), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		guess := probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			parse := Protocol.New(dissector.UDP)
			for range 2 {
				_, err := parse(from, b, &dissector.Message{Whole: true, Detail: cut&1 != 0})
				if err == nil && guess != dissector.Request && guess != dissector.Response {
					t.Fatal("the parser takes what the probe does not")
				}
			}
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message {
				return &dissector.Message{Detail: cut&1 != 0, Gap: int64(cut & 2)}
			})
		}
	})
}
