package ftp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

const greeting = "220 (vsFTPd 3.0.3)\r\n"

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{"22", dissector.More},
		{greeting, dissector.Response},
		{"220 mx ESMTP for FTP\r\n", dissector.MaybeResponse},
		{"220 mx SMTP, no FTP\r\n", dissector.MaybeResponse},
		{"220 hello\r\n", dissector.MaybeResponse},
		{"220 hello\r\n331 Password\r\n", dissector.Response},
		{"220-hello\r\n  this is a server\r\n220 hello\r\n331 Pass", dissector.MaybeResponse},
		{"227 Entering Passive Mode (1,2,3,4,5,6).\r\n", dissector.Response},
		{"229 Extended (|||6446|)\r\n", dissector.Response},
		{"257 \"/\"\r\n", dissector.Response},
		{"220 hello\n", dissector.No},
		{"720 hello\r\n", dissector.No},
		{"USER ann\r\n", dissector.MaybeRequest},
		{"USER ann\r\nPASS x\r\nSTAT\r\nLIST\r\nRETR 1\r\n", dissector.MaybeRequest}, // POP3 too
		{"USER ann\r\nPASS x\r\nSYST\r\n", dissector.Request},
		{"USER ann\r\n331 what\r\n", dissector.MaybeRequest},
		{"AUTH TLS\r\n", dissector.Request},
		{"AUTH PLAIN\r\n", dissector.MaybeRequest},
		{"PORT 1,2,3,4,5,6\r\n", dissector.Request},
		{"PORT 1,2,3,4,5\r\n", dissector.MaybeRequest},
		{"EPRT |2|::1|5282|\r\n", dissector.Request},
		{"PASV\r\n", dissector.Request},
		{"PA", dissector.More},
		{"PING\r\n", dissector.No},
		{"EHLO me\r\n", dissector.No},
		{"GET / HTTP/1.1\r\n", dissector.No},
		{"+OK POP3 ready\r\n", dissector.No},
		{"* OK IMAP4\r\n", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.60q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func TestCalls(t *testing.T) {
	begin := func() *dissectortest.Script { return dissectortest.NewScript().Server(greeting) }
	const hello = "greeting (vsFTPd 3.0.3) one-way"
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"replies of many lines, with codes in them",
			begin().Client("STAT\r\nNOOP\r\n").Server("211-status\r\n200 of 300\r\n211-more\r\n 211 indented\r\n211 end\r\n200 ok\r\n"),
			[]string{hello, "STAT > 211", "NOOP > 200"},
		},
		{
			"a transfer that is aborted",
			begin().Client("RETR x\r\n").Server("150-it is\r\n", "150 large\r\n").Client("\xff\xf4\xff\xf2ABOR\r\n").Server("426 aborted\r\n226 done\r\n"),
			[]string{hello, "RETR x > 426", "ABOR > 226"},
		},
		{
			"STAT while a transfer goes on",
			begin().Client("RETR x\r\n").Server("150 ok\r\n").Client("STAT\r\n").Server("213 half of it\r\n", "226 done\r\n").
				Client("NOOP\r\n").Server("200 ok\r\n"),
			[]string{hello, "RETR x > - unpaired", "STAT > - unpaired", "- > 226 resumed unpaired", "NOOP > - unpaired", "- > 200 unpaired"},
		},
		{
			"a server that is not ready yet",
			dissectortest.NewScript().Server("120 FTP in 5 minutes\r\n220 FTP now\r\n").Client("HOST a\r\n").Server("220 a\r\n"),
			[]string{"greeting FTP in 5 minutes one-way", "greeting FTP now one-way", "HOST a > 220"},
		},
		{
			"a server that does not say what it is",
			dissectortest.NewScript().Server("220 hello\r\n").Client("USER x\r\n").Server("331 go on\r\n").Client("PASS s3cret\r\n").Server("230 in\r\n", "421 timeout\r\n"),
			[]string{"greeting hello one-way", "USER x > 331", "PASS *** > 230", "closing timeout one-way"},
		},
		{
			"what is no command",
			begin().Client("s3cret is no command\r\n\r\nfrob s3cret\r\n").Server("500 what\r\n500 what\r\n500 what\r\n"),
			[]string{hello, "UNKNOWN > 500", "UNKNOWN > 500", "FROB > 500"},
		},
		{
			"an answer is lost",
			begin().Client("NOOP\r\n").Lose().Server("200 ok\r\n").Client("PWD\r\n").Server("257 \"/\"\r\n"),
			[]string{hello, "NOOP > - unpaired", "PWD > 257 resumed"},
		},
	} {
		if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ command, want string }{
		{"PORT 192,0,2,1,4,1", "192.0.2.1:1025"},
		{"PORT 192,0,2,1,4,256", ""},
		{"PORT 1,2,3,4,5,6,7", ""},
		{"EPRT |1|192.0.2.1|6275|", "192.0.2.1:6275"},
		{"EPRT |2|2001:db8::1|5282|", "[2001:db8::1]:5282"},
		{"EPRT |2|2001:db8::1|99999|", ""},
		{"EPRT |", ""},
	} {
		var m dissector.Message
		if _, err := new(parser).parse(dissector.Client, []byte(c.command+"\r\n"), &m); err != nil {
			t.Error(err)
		}
		if got := string(Data.Get(&m.Values)); got != c.want {
			t.Errorf("%s: %q", c.command, got)
		}
	}
	for text, want := range map[string]string{
		"Entering Passive Mode (192,0,2,1,4,1).": "192.0.2.1:1025",
		"Entering Passive Mode 192,0,2,1,4,1":    "192.0.2.1:1025",
		"Entering Passive Mode (1,2,3)":          "",
		"Entering Passive Mode":                  "",
	} {
		if got, _ := passive([]byte(text)); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
	for text, want := range map[string]int64{"Extended (|||6446|)": 6446, "x (!!!1!)": 1, "x (|||70000|)": 0, "x (||6446|)": 0, "x": 0} {
		if got, ok := extendedPassive([]byte(text)); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	for _, line := range []string{"S3CRET", "PASS s3cret", "pass s3cret", "ACCT s3cret", "ADAT s3cret", "MIC s3cret", "SITE PSWD s3cret n", "SITE CHPASS s3cret", "SITE  PSWD s3cret", "SITE PASSWD  old s3cret", "SITE ADDUSER ann s3cret", "SITE SETPW s3cret", "site\tPASS s3cret", "XPASS s3cret", "PASS  s3cret", "s3cret"} {
		p := parser{whole: true}
		var m dissector.Message
		if _, err := p.parse(dissector.Client, []byte(line+"\r\n"), &m); err != nil {
			t.Error(err)
		}
		for f, v := range m.All() {
			if bytes.Contains(bytes.ToLower(v.Bytes), []byte("s3cret")) {
				t.Errorf("%q: %s holds the password", line, f.Name)
			}
		}
	}
}

// A server that does not know a command repeats it.
func TestUnknownIsNotRepeated(t *testing.T) {
	for _, c := range []struct{ line, reply, want string }{
		{"s3cret is no command", "500 's3cret is': what?", ""},
		{"frob s3cret", "500 FROB s3cret: what?", ""},
		{"frob s3cret", "502-FROB s3cret: what?", ""},
		{"frob s3cret", "200 done", "done"},
		{"frob", "500 FROB: what?", "FROB: what?"},
		{"NOOP", "500 not now", "not now"},
	} {
		p, asked, m := parser{whole: true}, new(dissector.Message), new(dissector.Message)
		if _, err := p.parse(dissector.Client, []byte(c.line+"\r\n"), asked); err != nil {
			t.Fatal(err)
		}
		code, text, more, _ := replyLine([]byte(c.reply))
		p.begin(code, asked, m)
		p.text(text, more, asked, m)
		if got := string(Reply.Get(&m.Values)); got != c.want {
			t.Errorf("%s: %q", c.line, got)
		}
	}
}

func TestTLSFollows(t *testing.T) {
	var m dissector.Message
	if _, err := new(parser).parse(dissector.Client, []byte("AUTH tls\r\n"), &m); err != nil || m.Next != "tlsx" {
		t.Errorf("next %q, %v", m.Next, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		from dissector.Side
		b    string
	}{
		{dissector.Client, "GET / HTTP/1.1\r\n"},
		{dissector.Client, strings.Repeat("x", maxLine)},
		{dissector.Client, "USER \x01\r\n"},
		{dissector.Server, "what\r\n"},
		{dissector.Server, "700 ok\r\n"},
	} {
		var m dissector.Message
		if _, err := new(parser).parse(c.from, []byte(c.b), &m); err == nil || err == dissector.ErrShort {
			t.Errorf("%.30q: %v", c.b, err)
		}
	}
}

// TestLimits goes over limits: what is kept ends in "...".
func TestLimits(t *testing.T) {
	p := new(parser)
	var list, help dissector.Message
	if _, err := p.parse(dissector.Client, []byte("LIST "+strings.Repeat("é", 600)+"\r\n"), &list); err != nil {
		t.Fatal(err)
	}
	if got := Argument.Get(&list.Values); len(got) != maxArgument+len(wire.CutMark) {
		t.Errorf("argument of %d bytes", len(got))
	}
	for range 50 {
		if _, err := p.parse(dissector.Server, []byte("214-"+strings.Repeat("x", 70)+"\r\n"), &help); err != nil {
			t.Fatal(err)
		}
	}
	if got := Reply.Get(&help.Values); len(got) != maxReply+len(wire.CutMark) {
		t.Errorf("reply of %d bytes", len(got))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("USER me\r\nPASS x\r\nAUTH TLS\r\nPORT 1,2,3,4,5,6\r\nEPRT |1|1.2.3.4|5|\r\nFEAT\r\nRETR x\r\nFROB\r\n"), byte(3))
	f.Add([]byte("220-x FTP\r\n y\r\n220 z\r\n150 x\r\n226 y\r\n227 (1,2,3,4,5,6)\r\n229 (|||5|)\r\n211-a\r\n b\r\n211 c\r\n421 bye\r\n"), byte(9))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			for _, p := range []*parser{{}, {whole: true, greeted: true}} {
				dissectortest.Feed(t, p.parse, from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
			}
		}
	})
}
