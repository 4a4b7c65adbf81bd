package smtp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

const greeting = "220 mx.example.org ESMTP\r\n"

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{"2", dissector.More},
		{"220 mx.example.org ES", dissector.More},
		{greeting, dissector.Response},
		{"220-mx ESMTP\r\n", dissector.Response},
		{"220 (vsFTPd 3.0.3)\r\n", dissector.MaybeResponse},
		{"250 2.1.0 Ok\r\n", dissector.Response},
		{"250 5.1.0 Ok\r\n", dissector.MaybeResponse},
		{"220 2.0.0 Ready\r\n", dissector.MaybeResponse},
		{"250 Ok\n", dissector.No},
		{"600 Ok\r\n", dissector.No},
		{"250\tOk\r\n", dissector.No},
		{"EH", dissector.More},
		{"EHLO me\r\n", dissector.Request},
		{"ehlo [127.0.0.1]\r\n", dissector.Request},
		{"EHLO\r\n", dissector.No},
		{"LHLO me\r\n", dissector.Request},
		{"MAIL FROM:<a@b> SIZE=5\r\n", dissector.Request},
		{"MAIL from: a@b\r\n", dissector.Request},
		{"MAIL FROM:<a@b\r\n", dissector.No},
		{"RCPT TO:<\"a>\"@b>\r\n", dissector.Request},
		{"RCPT\r\n", dissector.No},
		{"DATA\r\n", dissector.MaybeRequest},
		{"DATA 5\r\n", dissector.No},
		{"BDAT 5 LAST\r\n", dissector.MaybeRequest},
		{"BDAT x\r\n", dissector.No},
		{"BDAT 5 FIRST\r\n", dissector.No},
		{"AUTH PLAIN\r\n", dissector.MaybeRequest},
		{"AUTH\r\n", dissector.No},
		{"QUIT\r\n", dissector.MaybeRequest},
		{"vrfy ann\r\n", dissector.MaybeRequest},
		{"Help\r\n", dissector.No},
		{"help me\r\n", dissector.No},
		{"VRFY ann or bob\r\n", dissector.No},
		{"+OK POP3 ready\r\n", dissector.No},
		{"USER me\r\n", dissector.No},
		{"GET / HTTP/1.1\r\n", dissector.No},
		{"MAIL\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.40q: got %d, want %d", c.head, got, c.want)
		}
	}
}

// neverTLS is TLS to which nothing looks like it.
var neverTLS = &dissector.Protocol{
	Name: "tlsx", Transport: dissector.TCP,
	Probe: func([]byte) dissector.Guess { return dissector.No },
	New: func(dissector.Transport) dissector.Parse {
		return func(dissector.Side, []byte, *dissector.Message) (int64, error) { return 0, errMalformed }
	},
}

func TestCalls(t *testing.T) {
	begin := func() *dissectortest.Script {
		return dissectortest.NewScript().Server(greeting).Client("EHLO me\r\n").Server("250-mx\r\n250 PIPELINING\r\n").
			Client("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
	}
	envelope := []string{"greeting mx.example.org ESMTP one-way", "EHLO me > 250", "MAIL from a@b > 250", "RCPT to c@d > 250"}
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"commands in the mail data",
			begin().Server("250 ok\r\n250 ok\r\n354 go\r\n").Client("QUIT\r\nRSET\r\n..\r\n", ".\r", "\nQUIT\r\n").Server("250 took it\r\n221 bye\r\n"),
			append(slices.Clone(envelope), "DATA > 354", "message from a@b to c@d > 250", "QUIT > 221"),
		},
		{
			"what follows STARTTLS was decrypted",
			dissectortest.NewScript().Server(greeting).Client("EHLO me\r\n").Server("250-mx\r\n250 STARTTLS\r\n").Client("STARTTLS\r\n").Server("220 go\r\n").
				Client("EHLO me\r\n").Server("250 mx\r\n").Client("MAIL FROM:<a@b>\r\n").Server("250 ok\r\n"),
			[]string{"greeting mx.example.org ESMTP one-way", "EHLO me > 250", "STARTTLS > 220", "EHLO me > 250", "MAIL from a@b > 250"},
		},
		{
			"DATA is refused",
			begin().Server("250 ok\r\n250 ok\r\n554 no\r\n").Client("RSET\r\n").Server("250 ok\r\n"),
			append(slices.Clone(envelope), "DATA > 554", "RSET > 250"),
		},
		{
			"no mail data",
			begin().Server("250 ok\r\n250 ok\r\n354 go\r\n").Client(".\r\nNOOP\r\n").Server("250 ok\r\n250 ok\r\n"),
			append(slices.Clone(envelope), "DATA > 354", "message from a@b to c@d > 250", "NOOP > 250"),
		},
		{
			"the server gives up in the middle",
			begin().Server("250 ok\r\n250 ok\r\n354 go\r\n").Client("one\r\n").Server("552 too much\r\n").Client("two\r\n.\r\nQUIT\r\n").Server("221 bye\r\n"),
			append(slices.Clone(envelope), "DATA > 354", "message from a@b to c@d > 552", "QUIT > 221"),
		},
		{
			"the reply to DATA is lost",
			begin().Server("250 ok\r\n250 ok\r\n").Lose().Server("354 go\r\n").Client("Subject: x\r\n\r\nMAIL FROM:<x@y>\r\n.\r\n").Server("250 ok\r\n"),
			append(slices.Clone(envelope), "DATA > - unpaired", "message from a@b to c@d > - resumed unpaired", "- > 250 resumed unpaired"),
		},
		{
			"mail data is lost",
			begin().Server("250 ok\r\n250 ok\r\n354 go\r\n").Client("Subject: x\r\n").Lose().Client("\r\n").Client("MAIL FROM:<x@y>\r\n", "DATA\r\n", ".\r\n").Server("250 ok\r\n").
				Client("QUIT\r\n").Server("221 bye\r\n"),
			append(slices.Clone(envelope), "DATA > 354", "message from a@b to c@d > 250 lost truncated", "QUIT > - resumed unpaired", "- > 221 unpaired"),
		},
		{
			"a server that closes",
			dissectortest.NewScript().Server(greeting, "421 timeout\r\n"),
			[]string{"greeting mx.example.org ESMTP one-way", "closing timeout one-way"},
		},
		{
			"a server that does not say what it is",
			dissectortest.NewScript().Server("220 hello\r\n").Client("EHLO me\r\n").Server("250 ok\r\n"),
			[]string{"greeting hello one-way", "EHLO me > 250"},
		},
		{
			"no service",
			dissectortest.NewScript().Server("554 5.3.2 no SMTP here\r\n").Client("QUIT\r\n").Server("221 bye\r\n"),
			[]string{"greeting no SMTP here one-way", "QUIT > 221"},
		},
		{
			"what a password looks like",
			dissectortest.NewScript().Server(greeting).Client("AUTH CRAM-MD5\r\n").Server("334 PDE+\r\n").Client("YW5uIHNlY3JldA==\r\n").Server("235 ok\r\n").
				Client("secret\r\n").Server("500 what\r\n"),
			[]string{"greeting mx.example.org ESMTP one-way", "AUTH CRAM-MD5 > 334", "AUTH CRAM-MD5 *** > 235", "UNKNOWN > 500"},
		},
		{
			"the challenge is lost",
			dissectortest.NewScript().Server(greeting).Client("AUTH CRAM-MD5\r\n").Lose().Server("334 PDE+\r\n").Client("YW5uIHNlY3JldA==\r\n").Server("235 ok\r\n"),
			[]string{"greeting mx.example.org ESMTP one-way", "AUTH CRAM-MD5 > - unpaired", "AUTH CRAM-MD5 *** > 235 resumed"},
		},
		{
			"joined late, it may be LMTP: the reply may be one of several",
			dissectortest.NewLate().Client("MAIL FROM:<a@b>\r\n").Server("250 ok\r\n").Client("RCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n").
				Server("250 ok\r\n250 ok\r\n354 go\r\n").Client("Subject: x\r\n\r\n.\r\n").Server("250 took it\r\n"),
			[]string{"MAIL from a@b > 250 resumed", "RCPT to a > 250", "RCPT to b > 250", "DATA > 354", "message from a@b to a, b > 250 resumed"},
		},
		{
			"LMTP answers for each recipient",
			dissectortest.NewScript().Server("220 mx LMTP\r\n").Client("LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n").
				Server("250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n").Client("x\r\n.\r\nQUIT\r\n").Server("250 ok\r\n", "452 full\r\n221 bye\r\n"),
			[]string{
				"greeting mx LMTP one-way", "LHLO me > 250", "MAIL from <> > 250", "RCPT to a > 250", "RCPT to b > 250", "DATA > 354",
				"message from <> to a, b > 452", "QUIT > 221",
			},
		},
	} {
		if got := c.script.Close().Calls(t, Protocol, neverTLS); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	p := new(parser)
	for _, c := range []struct {
		from dissector.Side
		line string
		user string
	}{
		{dissector.Server, greeting, ""},
		{dissector.Client, "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n", "ann"},
		{dissector.Server, "535 no\r\n", ""},
		{dissector.Client, "AUTH AGFubgBzM2NyZXQAAAAAAAAAAAAAAAAA\r\n", ""},
		{dissector.Server, "501 what\r\n", ""},
		{dissector.Client, "AUTH s3cret=\r\n", ""},
		{dissector.Server, "501 what\r\n", ""},
		{dissector.Client, "AUTH S3CRET/s3cret czNjcmV0\r\n", ""},
		{dissector.Server, "501 what\r\n", ""},
		{dissector.Client, "AUTH LOGIN\r\n", ""},
		{dissector.Server, "334 VXNlcm5hbWU6\r\n", ""},
		{dissector.Client, "YW5u\r\n", "ann"},
		{dissector.Server, "334 UGFzc3dvcmQ6\r\n", ""},
		{dissector.Client, "czNjcmV0\r\n", ""},
		{dissector.Server, "235 ok\r\n", ""},
		{dissector.Client, "czNjcmV0\r\n", ""},
	} {
		var m dissector.Message
		if n, err := p.parse(c.from, []byte(c.line), &m); err != nil || n != int64(len(c.line)) {
			t.Errorf("%q: %d, %v", c.line, n, err)
		}
		if got := string(User.Get(&m.Values)); got != c.user {
			t.Errorf("%q: user %q", c.line, got)
		}
		for f, v := range m.All() {
			for _, word := range []string{"s3cret", "czNj", "AGFu", "AGFUB"} {
				if bytes.Contains(bytes.ToLower(v.Bytes), []byte(strings.ToLower(word))) {
					t.Errorf("%q: %s holds the password", c.line, f.Name)
				}
			}
		}
	}
}

// A server that does not know a command repeats it.
func TestUnknownIsNotRepeated(t *testing.T) {
	for _, c := range []struct{ line, reply, want string }{
		{"czNjcmV0", "500 5.5.1 Command unrecognized: \"czNjcmV0\"", ""},
		{"s3cret it is", "502-s3cret?", ""},
		{"s3cret it is", "250 fine", "fine"},
		{"NOOP", "500 5.5.1 not now", "not now"},
	} {
		p, asked, m := parser{whole: true}, new(dissector.Message), new(dissector.Message)
		if _, err := p.parse(dissector.Client, []byte(c.line+"\r\n"), asked); err != nil {
			t.Fatal(err)
		}
		code, text, _, _ := replyLine([]byte(c.reply))
		p.reply.code = code
		p.text(text, asked, m)
		if got := string(Reply.Get(&m.Values)); got != c.want {
			t.Errorf("%s: %q", c.line, got)
		}
	}
}

func TestTLSFollows(t *testing.T) {
	var m dissector.Message
	if _, err := new(parser).parse(dissector.Client, []byte("STARTTLS\r\n"), &m); err != nil || m.Next != "tlsx" {
		t.Errorf("next %q, %v", m.Next, err)
	}
}

func TestChunksAreNotWaitedFor(t *testing.T) {
	var m dissector.Message
	if span, err := new(parser).parse(dissector.Client, []byte("BDAT 9000000000\r\n"), &m); err != nil || span != 9000000000+17 {
		t.Errorf("span %d, %v", span, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		from dissector.Side
		b    string
	}{
		{dissector.Client, "GET / HTTP/1.1\r\n"},
		{dissector.Client, strings.Repeat("x", maxLine)},
		{dissector.Client, "EHLO \x01\r\n"},
		{dissector.Server, "what\r\n"},
		{dissector.Server, "250_ok\r\n"},
	} {
		var m dissector.Message
		if _, err := new(parser).parse(c.from, []byte(c.b), &m); err == nil || err == dissector.ErrShort {
			t.Errorf("%.30q: %v", c.b, err)
		}
	}
}

func TestUnstuff(t *testing.T) {
	m := &dissector.Message{Notes: kindMessage}
	got, err := unstuff(m, []byte("..a\r\n..\r\nb.\r\n"), 100)
	if string(got) != ".a\r\n.\r\nb.\r\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestLimits goes over each limit: what is kept ends in "...".
func TestLimits(t *testing.T) {
	p := new(parser)
	say := func(from dissector.Side, m *dissector.Message, text string) {
		if _, err := p.parse(from, []byte(text), m); err != nil {
			t.Fatalf("%.30q: %v", text, err)
		}
	}
	var mail, help, dear dissector.Message
	say(dissector.Client, &mail, "MAIL FROM:<"+strings.Repeat("a", 400)+"> "+strings.Repeat("X", 600)+"\r\n")
	if got := Sender.Get(&mail.Values); len(got) != maxName+len(wire.CutMark) {
		t.Errorf("sender of %d bytes", len(got))
	}
	if got := Argument.Get(&mail.Values); len(got) != maxArgument+len(wire.CutMark) {
		t.Errorf("argument of %d bytes", len(got))
	}
	for range 50 {
		say(dissector.Server, &help, "214-"+strings.Repeat("x", 70)+"\r\n")
	}
	if got := Reply.Get(&help.Values); len(got) != maxReply+len(wire.CutMark) {
		t.Errorf("reply of %d bytes", len(got))
	}
	p.mail = envelope{known: true, count: 105, to: make([][]byte, maxRecipients)}
	p.describe(&dear)
	n := 0
	for range Recipients.Each(&dear.Values) {
		n++
	}
	if n != maxRecipients+1 || !strings.HasSuffix(string(dissector.Summary.Get(&dear.Values)), "and 102 more") {
		t.Errorf("%d recipients, %q", n, dissector.Summary.Get(&dear.Values))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("EHLO me\r\nAUTH PLAIN x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nx\r\n.\r\nBDAT 3 LAST\r\nabcQUIT\r\n"), byte(3))
	f.Add([]byte("220 x ESMTP\r\n250-x\r\n250 2.0.0 y\r\n334 VXNl\r\n354 go\r\n421 bye\r\n"), byte(9))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			for _, p := range []*parser{{}, {phase: message, fresh: true}, {phase: secret}, {waiting: kindData}, {lmtp: true, left: 2}} {
				dissectortest.Feed(t, p.parse, from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
			}
		}
	})
}
