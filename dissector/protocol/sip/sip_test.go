package sip

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

// ask makes a request, and tell its response.
func ask(method string, number int, body string) string {
	return fmt.Sprintf("%s sip:bob@x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9%d\r\nFrom: <sip:ann@x>;tag=1\r\nTo: <sip:bob@x>\r\nCall-ID: c\r\nCSeq: %d %s\r\nContent-Length: %d\r\n\r\n%s",
		method, number, number, method, len(body), body)
}

func tell(code int, method string, number int) string {
	return fmt.Sprintf("SIP/2.0 %d Reason\r\nv:SIP/2.0/TCP x;branch=z9%d\r\nf:<sip:ann@x>;tag=1\r\nt:<sip:bob@x>;tag=2\r\ni:c\r\nCSeq: %d %s\r\nl:0\r\n\r\n", code, number, number, method)
}

// old makes a message one of RFC 2543, which knows no branch.
func old(s string) string { return strings.Replace(s, ";branch=z91", "", 1) }

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{"\r\n\r\n", dissector.More},
		{"IN", dissector.More},
		{"INVITE sip:x", dissector.More},
		{"INVITE sip:x SIP/2.0\r\n", dissector.Request},
		{"\r\n\r\nACK tel:+1 SIP/2.0\r\n", dissector.Request},
		{"X-NEW sips:x SIP/2.0\r\n", dissector.Request},
		{"invite sip:x SIP/2.0\r\n", dissector.No},
		{"OPTIONS * SIP/2.0\r\n", dissector.No},
		{"OPTIONS sip:x SIP/2.0\n", dissector.No},
		{"OPTIONS rtsp://x RTSP/1.0\r\n", dissector.No},
		{"OPTIONS * HTTP/1.1\r\n", dissector.No},
		{"INFO {\"a\":1}\r\n", dissector.No},
		{"MESSAGES", dissector.No},
		{"SIP/2.0 200 OK\r\n", dissector.Response},
		{"SIP/2.0 200 \r\n", dissector.Response},
		{"SIP/2.0 99 OK\r\n", dissector.No},
		{"SIP/2.0 700 OK\r\n", dissector.No},
		{"SIP/2.", dissector.More},
		{"SIP/2.1 ", dissector.No},
		{"\x16\x03\x01", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.40q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func TestCalls(t *testing.T) {
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"out of order, with interim responses",
			dissectortest.NewScript().Client(ask("INVITE", 1, "") + ask("OPTIONS", 2, "")).Server(tell(100, "INVITE", 1) + tell(200, "OPTIONS", 2) + tell(486, "INVITE", 1)).
				Client(ask("ACK", 1, "")),
			[]string{"OPTIONS sip:bob@x > 200", "INVITE sip:bob@x > 486", "ACK sip:bob@x one-way"},
		},
		{
			"a request that is cancelled",
			dissectortest.NewScript().Client(ask("INVITE", 1, "")).Client(ask("CANCEL", 1, "")).Server(tell(200, "CANCEL", 1) + tell(487, "INVITE", 1)),
			[]string{"CANCEL sip:bob@x > 200", "INVITE sip:bob@x > 487"},
		},
		{
			"kept alive",
			dissectortest.NewScript().Client("\r\n\r\n", ask("OPTIONS", 1, "")+"\r\n\r\n").Server("\r\n" + tell(200, "OPTIONS", 1)),
			[]string{"OPTIONS sip:bob@x > 200"},
		},
		{
			"the other side asks",
			dissectortest.NewScript().Client(ask("INVITE", 1, "")).Server(tell(200, "INVITE", 1) + ask("BYE", 7, "")).Client(tell(481, "BYE", 7)),
			[]string{"INVITE sip:bob@x > 200", "BYE sip:bob@x > 481"},
		},
		{
			"sent again",
			dissectortest.NewScript().Client(ask("OPTIONS", 1, ""), ask("OPTIONS", 1, "")).Server(tell(200, "OPTIONS", 1), tell(200, "OPTIONS", 1), tell(500, "OPTIONS", 1)),
			[]string{"OPTIONS sip:bob@x one-way", "OPTIONS sip:bob@x > 200", "OPTIONS 200 Reason one-way", "OPTIONS 500 Reason one-way"},
		},
		{
			"a body that looks like messages",
			dissectortest.NewScript().Client(ask("MESSAGE", 1, tell(200, "MESSAGE", 1)+ask("BYE", 2, "")) + ask("OPTIONS", 3, "")).Server(tell(200, "OPTIONS", 3) + tell(202, "MESSAGE", 1)),
			[]string{"OPTIONS sip:bob@x > 200", "MESSAGE sip:bob@x > 202"},
		},
		{
			"both ask the same, without a branch",
			dissectortest.NewScript().Client(old(ask("OPTIONS", 1, ""))).Server(old(ask("OPTIONS", 1, ""))).Client(old(tell(404, "OPTIONS", 1))).Server(old(tell(200, "OPTIONS", 1))),
			[]string{"OPTIONS sip:bob@x > 404", "OPTIONS sip:bob@x > 200"},
		},
		{
			"a loss",
			dissectortest.NewScript().Client(ask("OPTIONS", 1, "")).Lose().Client(ask("OPTIONS", 2, "")).Client(ask("OPTIONS", 3, "")).Server(tell(200, "OPTIONS", 3), tell(200, "OPTIONS", 2), tell(200, "OPTIONS", 1)),
			[]string{"OPTIONS sip:bob@x > 200 resumed", "- > 200", "OPTIONS sip:bob@x > 200"},
		},
	} {
		got := c.script.Close().Calls(t, Protocol)
		if c.name == "a loss" {
			slices.Sort(got)
			slices.Sort(c.want)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func parse(t *testing.T, transport dissector.Transport, text string) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	if _, err := Protocol.New(transport)(dissector.Client, []byte(text), m); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return m
}

func TestHead(t *testing.T) {
	m := parse(t, dissector.UDP, "INVITE sip:bob:s3cret@x;a=b SIP/2.0\r\n"+
		"v : SIP/2.0/UDP a;x=\";branch=no\";branch = z9hG4bK1 ,\r\n SIP/2.0/UDP b;branch=no\r\n"+
		"Via: SIP/2.0/UDP c;branch=no\r\n"+
		"f: \"A <no>; \\\"tag=no\" <sip:ann:s3cret@x;tag=no>;x=y;TAG=t1\r\n"+
		"t:\r\n sip:bob@y;tag=t2\r\n"+
		"i: id\r\nCSEQ: 12\r\n\tINVITE\r\n"+
		"m: <sip:ann@10.0.0.1>, <sip:no@x>\r\n"+
		"Proxy-Authorization: Digest realm=\"a, username=no\", username=\"ann\", response=\"s3cret\"\r\n"+
		"c: application/sdp\r\nl: 97\r\n\r\n"+
		"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nm=video 5000 RTP/SAVP 31\r\nc=IN IP6 2001:db8::1\r\n..............")
	v := &m.Values
	for name, c := range map[string][2]string{
		"uri": {string(URI.Get(v)), "sip:bob:***@x;a=b"}, "branch": {string(Branch.Get(v)), "z9hG4bK1"},
		"from": {string(From.Get(v)), "sip:ann:***@x;tag=no"}, "from tag": {string(FromTag.Get(v)), "t1"},
		"to": {string(To.Get(v)), "sip:bob@y"}, "to tag": {string(ToTag.Get(v)), "t2"},
		"call": {string(CallID.Get(v)), "id"}, "contact": {string(Contact.Get(v)), "sip:ann@10.0.0.1"}, "user": {string(User.Get(v)), "ann"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %q, want %q", name, c[0], c[1])
		}
	}
	if CSeq.Get(v) != 12 {
		t.Errorf("cseq %d", CSeq.Get(v))
	}
	var got []string
	for b := range Media.Each(v) {
		got = append(got, string(b))
	}
	if want := []string{"audio 192.0.2.1:4000 RTP/AVP", "video [2001:db8::1]:5000 RTP/SAVP"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for f, v := range m.All() {
		if bytes.Contains(v.Bytes, []byte("s3cret")) {
			t.Errorf("%s holds the password", f.Name)
		}
	}
}

func TestCutDatagram(t *testing.T) {
	m := new(dissector.Message)
	text := ask("OPTIONS", 1, "")
	_, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(text[:len(text)-10]), m)
	if err != dissector.ErrShort || CSeq.Get(&m.Values) != 1 {
		t.Errorf("%v, cseq %d", err, CSeq.Get(&m.Values))
	}
}

func TestBodiesAreNotWaitedFor(t *testing.T) {
	head := "MESSAGE sip:x SIP/2.0\r\nContent-Length: 900000000\r\n\r\n"
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(head), m)
	if err != nil || span != int64(len(head))+900000000 || m.Role != dissector.OneWay {
		t.Errorf("span %d, %v", span, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\n", "INVITE sip:x SIP/2.0 x\r\n", strings.Repeat("A", maxLine),
		"INVITE sip:x SIP/2.0\r\n" + strings.Repeat("A: b\r\n", maxHead/6), "INVITE sip:x SIP/2.0\r\nl: 9999999999\r\n\r\n",
	} {
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(text), new(dissector.Message)); err != errMalformed {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

// TestLimits goes over limits: what is kept ends in "...".
func TestLimits(t *testing.T) {
	m := new(dissector.Message)
	media([]byte("c=IN IP4 x\n"+strings.Repeat("m=audio 1 RTP/AVP 0\n", 100)), m)
	n, last := 0, ""
	for b := range Media.Each(&m.Values) {
		n, last = n+1, string(b)
	}
	if n != maxMedia+1 || last != wire.CutMark {
		t.Errorf("%d media, the last is %q", n, last)
	}
	m = parse(t, dissector.UDP, "INVITE sip:x"+strings.Repeat("é", 1000)+" SIP/2.0\r\n\r\n")
	if got := URI.Get(&m.Values); len(got) != maxText-1+len(wire.CutMark) { // not in the middle of a character
		t.Errorf("URI of %d bytes", len(got))
	}
	p := new(parser)
	for i := range maxTransactions + 1 {
		if _, err := p.datagram(dissector.Client, []byte(ask("OPTIONS", i, "")), new(dissector.Message)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.known) != 1 {
		t.Errorf("%d transactions", len(p.known))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ask("INVITE", 1, "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 0\r\n")+"\r\n"+ask("ACK", 1, "")+ask("REGISTER", 2, "")), byte(3))
	f.Add([]byte(tell(100, "INVITE", 1)+tell(200, "INVITE", 1)+tell(401, "REGISTER", 2)), byte(9))
	f.Add([]byte("INVITE sip:a:b@x SIP/2.0\r\nc:application/sdp\r\nf: \"\\\"<\" <x>;tag=\r\n y\r\nAuthorization: Digest a=\"b, c\", username=\"d\"\r\nl: 9\r\n\r\nm=a 1 b\r\n"), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
			_, _ = Protocol.New(dissector.UDP)(from, b, new(dissector.Message)) // it must not panic
		}
	})
}
