package xmpp

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

const (
	rootTail = ` xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
	asks     = `<?xml version='1.0'?><stream:stream to='example.org' version='1.0'` + rootTail
	tells    = `<?xml version='1.0'?><stream:stream from="example.org" id='1' version='1.0'` + rootTail
	offers   = `<stream:features><starttls xmlns='t'><required/></starttls><mechanisms xmlns='m'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{" ", dissector.More},
		{"<", dissector.More},
		{"<?xml version='1.0'", dissector.More},
		{"<?xml version='1.0'?>\n<str", dissector.More},
		{asks, dissector.Request},
		{asks[21:], dissector.Request},
		{tells, dissector.Response},
		{"<?xml version='1.0'?><html>", dissector.No},
		{"<?xml version='1.0'?><methodCall>", dissector.No},
		{"<stream:stream to='x'>", dissector.No},
		{"<stream:stream to='x'" + rootTail, dissector.Request},
		{"<iq type='get' id='1'>", dissector.MaybeRequest},
		{"<iq type='result' id='1' from='x'>", dissector.MaybeResponse},
		{"<iq type='no' id='1'>", dissector.No},
		{"<message>", dissector.No},
		{"<message to='x'><body>", dissector.MaybeRequest},
		{"<html>", dissector.No},
		{"<14>syslog", dissector.No},
		{"GET / HTTP/1.1\r\n", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.60q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func TestCalls(t *testing.T) {
	begin := func() *dissectortest.Script {
		return dissectortest.NewScript().Client(asks).Server(tells, offers)
	}
	const hello = "stream example.org > features"
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"SASL",
			begin().Client("<auth mechanism='SCRAM-SHA-1'>c2VjcmV0</auth>").Server("<challenge>x</challenge>").Client("<response>x</response>").Server("<success/>").
				Client(asks).Server(tells + " <stream:features/>"),
			[]string{hello, "auth SCRAM-SHA-1 > challenge", "response > success", hello},
		},
		{
			"a failure",
			begin().Client("<auth mechanism='PLAIN'>x</auth>").Server("<failure><text>no</text><not-authorized/></failure>"),
			[]string{hello, "auth PLAIN > not-authorized"},
		},
		{
			"no TLS",
			begin().Client("<starttls/>").Server("<failure/></stream:stream>"),
			[]string{hello, "starttls > error", "close one-way"},
		},
		{
			"compression",
			begin().Client("<compress><method>zlib</method></compress>").Server("<compressed/>\x01\x02"),
			[]string{hello, "compress > compressed"},
		},
		{
			"no such host",
			dissectortest.NewScript().Client(asks).Server(tells + "<stream:error><host-unknown/></stream:error></stream:stream>"),
			[]string{"stream example.org > host-unknown", "close one-way"},
		},
		{
			"both sides ask",
			begin().Client("<iq type='get' id='1'><q xmlns='a'/></iq> <iq type='get' id='2'><q xmlns='b'/></iq>").
				Server("<iq type='error' id='2'><q xmlns='b'/><error><text/></error></iq><iq type='get' id='3' from='x'><q xmlns='c'/></iq><iq type='result' id='1'/>").
				Client("<iq type='result' id='3'/>").Server("<iq type='result' id='4'/>"),
			[]string{hello, "iq get b > error", "iq get c one-way", "iq get a > result", "iq result one-way", "iq result one-way"},
		},
		{
			"an id that is in use",
			begin().Client("<iq type='get' id='1'><q xmlns='a'/></iq>").Client("<iq type='get' id='1'><q xmlns='b'/></iq>").
				Server("<iq type='result' id='1'/>").Server("<iq type='result' id='1'/>").
				Client("<iq type='get' id='1'><q xmlns='c'/></iq>").Server("<iq type='result' id='1'/>").Close(),
			[]string{hello, "iq get b one-way", "iq result one-way", "iq result one-way", "iq get c > result", "iq get a > -"},
		},
		{
			"an answer is lost, and the id comes again",
			begin().Client("<iq type='get' id='1'><q xmlns='a'/></iq>").Lose().Server("<iq type='result' id='1'/>").Server("<presence from='ann@example.org/x' to='bob@example.org/y'/>", "<presence from='ann@example.org/x' to='bob@example.org/y'/>").
				Client("<iq type='get' id='1'><q xmlns='b'/></iq>").Server("<iq type='result' id='1'/>").Close(),
			[]string{hello, "presence to bob@example.org/y one-way resumed", "presence to bob@example.org/y one-way", "iq get b > result", "iq get a > -"},
		},
		{
			"elements that look like others",
			begin().Client("<message to='a'><body a='></message>'>\n<![CDATA[</message>]]]><x/></body></message><presence/>"),
			[]string{hello, "message to a one-way", "presence one-way"},
		},
		{
			"large ones",
			begin().Client("<iq type='set' id='1'><q xmlns='a'>"+strings.Repeat("<x y='/>'/>", 2000), "</q></iq><message to='a'>"+strings.Repeat("x", 9000)+"</message>").
				Server("<iq type='result' id='1'>" + strings.Repeat("<x>y</x>", 2000) + "</iq>"),
			[]string{hello, "message to a one-way", "iq set a > result"},
		},
		{
			"comments are not allowed",
			begin().Client("<message to='a'><!-- no --></message>"),
			[]string{hello},
		},
	} {
		if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	for _, text := range []string{
		"<auth mechanism='PLAIN'>s3cret</auth>", "<response>s3cret</response>",
		"<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>ann</username><password>s3cret</password></query></iq>",
	} {
		var m dissector.Message
		if n, err := new(parser).parse(dissector.Client, []byte(text), &m); err != nil || n != int64(len(text)) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		for f, v := range m.All() {
			if bytes.Contains(v.Bytes, []byte("s3cret")) {
				t.Errorf("%s holds the password", f.Name)
			}
		}
	}
}

func TestAttributes(t *testing.T) {
	tag, _, ok := readTag([]byte(`<iq a = "1>" b='&lt;&amp;lt;"' c="" d>x`))
	if !ok || string(tag.after) != "x" {
		t.Fatalf("%t %q", ok, tag.after)
	}
	for name, want := range map[string]string{"a": "1>", "b": `<&lt;"`, "c": "", "d": "no"} {
		got, ok := tag.attribute(name)
		if !ok {
			got = []byte("no")
		}
		if string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTLSFollows(t *testing.T) {
	var m dissector.Message
	if _, err := new(parser).parse(dissector.Client, []byte("<starttls/>"), &m); err != nil || m.Next != "tlsx" {
		t.Errorf("next %q, %v", m.Next, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\n", "</iq>", "<!DOCTYPE x>", "<?php ?>", "<a><!DOCTYPE x></a>", "<a <b>", "<1>", "<" + strings.Repeat("x", maxTag),
		strings.Repeat("<a>", maxDepth+1), "<?xml " + strings.Repeat("x", maxText),
	} {
		if _, err := new(parser).parse(dissector.Client, []byte(text), new(dissector.Message)); err != errMalformed {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

// TestLimits goes over limits: what is kept ends in "...".
func TestLimits(t *testing.T) {
	p, m := new(parser), new(dissector.Message)
	p.features([]byte("<features>"+strings.Repeat("<a/>", 100)+"</features>"), m)
	n, last := 0, ""
	for b := range Features.Each(&m.Values) {
		n, last = n+1, string(b)
	}
	if n != maxFeatures+1 || last != wire.CutMark {
		t.Errorf("%d features, the last is %q", n, last)
	}
	m = new(dissector.Message)
	if _, err := p.parse(dissector.Client, []byte("<message to='"+strings.Repeat("x", 600)+"'/>"), m); err != nil {
		t.Fatal(err)
	}
	if got := To.Get(&m.Values); len(got) != maxText+len(wire.CutMark) {
		t.Errorf("to of %d bytes", len(got))
	}
	for i := range maxAsked + 1 {
		id := strconv.Itoa(i)
		if _, err := p.parse(dissector.Client, []byte("<iq type='get' id='"+id+"'/>"), new(dissector.Message)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.asked) != 1 {
		t.Errorf("%d iqs", len(p.asked))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(asks+"<starttls/><auth mechanism='PLAIN'>x</auth><iq type='get' id='1'><q xmlns='a'/></iq><message to='&lt;'><![CDATA[x]]></message></stream:stream>"), byte(3))
	f.Add([]byte(tells+offers+"<challenge/><failure><x/></failure><iq type='error' id='1'><error><y/></error></iq><stream:error><z/></stream:error>"), byte(9))
	f.Add([]byte("<a b='>'>"+strings.Repeat("<c/>", 1100)+"</a>"), byte(200))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, new(parser).parse, from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
		}
	})
}
