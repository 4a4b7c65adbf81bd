package nats

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

const (
	info    = `INFO {"server_id":"X","server_name":"demo"}` + "\r\n"
	connect = `CONNECT {"verbose":false,"name":"me","user":"shop","pass":"secret"}` + "\r\n"
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{info, dissector.Response},
		{info[:20], dissector.Response},
		{"INFO keyspace\r\n", dissector.No},
		{connect, dissector.Request},
		{"CONNECT example.org:443 HTTP/1.1\r\n", dissector.No},
		{"CONNECT exa", dissector.More},
		{"PUB a.b 5\r\nhello\r\n", dissector.Request},
		{"PUB a.b 5\r\nhello, world\r\n", dissector.No},
		{"PUB a.b 5\r\nhel", dissector.Request},
		{"PUB a..b 5\r\nhello\r\n", dissector.No},
		{"pub a.b reply 5\r\nhello\r\n", dissector.Request},
		{"PUBLISH a b\r\n", dissector.No},
		{"HPUB a 12 5\r\n", dissector.No},
		{"HPUB a 5 12\r\n", dissector.Request},
		{"SUB a.* 1\r\n", dissector.Request},
		{"SUB a\r\n", dissector.No},
		{"UNSUB 1 5\r\n", dissector.MaybeRequest},
		{"MSG a 1 2\r\nhi\r\n", dissector.Response},
		{"HMSG a 1 r 16 16\r\n", dissector.Response},
		{"PING\r\n", dissector.MaybeRequest},
		{"PONG\r\n", dissector.MaybeResponse},
		{"+OK\r\n", dissector.MaybeResponse},
		{"+OK ready\r\n", dissector.No},
		{"-ERR 'Stale Connection'\r\n", dissector.Response},
		{"-ERR unknown command\r\n", dissector.No},
		{"P", dissector.More},
		{"POST / HTTP/1.1\r\n", dissector.No},
		{"220 mail ESMTP\r\n", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.40q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func TestCalls(t *testing.T) {
	begin := func() *dissectortest.Script {
		return dissectortest.NewScript().Server(info).Client(connect + "SUB inbox.* 1\r\n")
	}
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"replies out of order, and one that is late",
			begin().Client("PUB a inbox.1 1\r\nx\r\nPUB b inbox.2 1\r\ny\r\n").
				Server("MSG inbox.2 1 1\r\ny\r\n", "MSG inbox.1 1 1\r\nx\r\n", "MSG inbox.1 1 1\r\nz\r\n"),
			[]string{"PUB b > ", "PUB a > ", "MSG inbox.1 one-way"},
		},
		{
			"two that wait on one subject",
			begin().Client("PUB a inbox.1 0\r\n\r\nPUB b inbox.1 0\r\n\r\n").Server("MSG inbox.1 1 0\r\n\r\n"),
			[]string{"PUB b one-way", "PUB a > "},
		},
		{
			"a reply that comes to somebody else",
			begin().Client("PUB a elsewhere 0\r\n\r\n").Server("MSG elsewhere 1 0\r\n\r\n"),
			[]string{"PUB a one-way", "MSG elsewhere one-way"},
		},
		{
			"nobody is there",
			begin().Client("PUB a inbox.1 0\r\n\r\n").Server("HMSG inbox.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"),
			[]string{"PUB a > 503"},
		},
		{
			"a request from before a loss",
			begin().Client("PUB a inbox.1 0\r\n\r\n").Lose().Server("MSG inbox.1 1 0\r\n\r\n").
				Client("PING\r\n").Server("PONG\r\n").
				Client("PUB b inbox.1 0\r\n\r\n").Server("MSG inbox.1 1 0\r\n\r\n"),
			nil,
		},
		{
			"an unknown command",
			begin().Client("PING\r\n").Server("PONG\r\n").Client("DEADBEEF now\r\n").Server("-ERR 'Unknown Protocol Operation'\r\n"),
			[]string{"PING > PONG", "DEADBEEF one-way", "-ERR Unknown Protocol Operation one-way"},
		},
		{
			"an unknown command of a verbose client",
			dissectortest.NewScript().Server(info).Client("CONNECT {}\r\n").Server("+OK\r\n").
				Client("DEADBEEF\r\n").Server("-ERR 'Unknown Protocol Operation'\r\n"),
			[]string{"DEADBEEF > -ERR"},
		},
	} {
		got := c.script.Close().Calls(t, Protocol)
		got = slices.DeleteFunc(got, func(s string) bool {
			return strings.HasPrefix(s, "INFO ") || strings.HasPrefix(s, "CONNECT ") || strings.HasPrefix(s, "SUB ")
		})
		if c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
		if c.want == nil && slices.Contains(got, "PUB a > ") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// A server that wants TLS gets it right behind its INFO.
func TestTLSFollows(t *testing.T) {
	for options, want := range map[string]string{
		`{"tls_required":true}`:  "tlsx",
		`{"tls_available":true}`: dissector.Unknown,
		`{"tls_required":false}`: "",
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Server, []byte("INFO "+options+"\r\n"), &m); err != nil || m.Next != want {
			t.Errorf("%s: next %q, %v", options, m.Next, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	var m dissector.Message
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(connect), &m); err != nil {
		t.Fatal(err)
	}
	for f, v := range m.All() {
		if strings.Contains(string(v.Bytes), "secret") {
			t.Errorf("%s holds the password", f.Name)
		}
	}
}

func TestPayloadsAreNotWaitedFor(t *testing.T) {
	for from, line := range []string{"PUB a 60000000\r\n", "MSG a 1 60000000\r\n"} {
		var m dissector.Message
		span, err := Protocol.New(dissector.TCP)(dissector.Side(from), []byte(line), &m)
		if err != nil || span != int64(len(line))+60000002 {
			t.Errorf("%q: span %d, %v", line, span, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		from dissector.Side
		b    string
	}{
		{dissector.Client, "MSG a 1 0\r\n\r\n"},
		{dissector.Server, "PUB a 0\r\n\r\n"},
		{dissector.Client, "PUB a 1\r\nxyz\r\n"},
		{dissector.Server, "MSG a 1 99999999999\r\n"},
		{dissector.Server, "HMSG a 1 9 5\r\n"},
		{dissector.Server, "INFO nothing\r\n"},
		{dissector.Server, strings.Repeat("x", maxLine)},
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(c.from, []byte(c.b), &m); err == nil || err == dissector.ErrShort {
			t.Errorf("%.30q: %v", c.b, err)
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a.b", "a.b", true},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{"*.b", "a.b", true},
		{"a.b.c", "a.b", false},
		{">", "a", true},
	} {
		if got := matches([]byte(c.pattern), []byte(c.subject)); got != c.want {
			t.Errorf("%s and %s: %t", c.pattern, c.subject, got)
		}
	}
	for subject, want := range map[string]string{
		"$JS.API.STREAM.INFO.ORDERS":            "STREAM.INFO",
		"$JS.API.CONSUMER.MSG.NEXT.ORDERS.pull": "CONSUMER.MSG.NEXT",
		"$JS.API.INFO":                          "INFO",
		"$JS.API.strange":                       "",
		"$JS.ACK.x":                             "",
	} {
		if got := string(api([]byte(subject))); got != want {
			t.Errorf("%s: %q", subject, got)
		}
	}
}

// A reply is held against few subjects with wildcards, and found among any number of
// those without.
func TestSubscriptionsAreFew(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	tell := func(said string) dissector.Role {
		m := new(dissector.Message)
		if _, err := parse(dissector.Client, []byte(said), m); err != nil {
			t.Fatal(err)
		}
		return m.Role
	}
	awaited := func(reply string, want bool) {
		t.Helper()
		if role := tell("PUB a " + reply + " 1\r\nx\r\n"); (role != dissector.OneWay) != want {
			t.Errorf("%.40s: role %d", reply, role)
		}
	}
	tell(connect)
	tell("SUB " + strings.Repeat("t.", maxTokens) + "* many\r\n")
	for i := range maxPatterns + 1 {
		tell(fmt.Sprintf("SUB p%d.* p%d\r\n", i, i))
	}
	for i := range maxSubs - maxPatterns + 1 {
		tell(fmt.Sprintf("SUB e.%d e%d\r\n", i, i))
	}
	awaited(strings.Repeat("t.", maxTokens)+"1", false)
	awaited("p0.1", true)
	awaited(fmt.Sprintf("p%d.1", maxPatterns-1), true)
	awaited(fmt.Sprintf("p%d.1", maxPatterns), false)
	awaited("e.0", true)
	awaited(fmt.Sprintf("e.%d", maxSubs-maxPatterns-1), true)
	awaited(fmt.Sprintf("e.%d", maxSubs-maxPatterns), false)
	awaited("p0."+strings.Repeat("x", maxSubject), false)

	tell("UNSUB p0\r\n")
	tell("UNSUB e1\r\n")
	awaited("p0.2", false)
	awaited("e.1", false)
	tell("SUB e.2 p0\r\n")
	tell("SUB new.* e2\r\n")
	awaited("e.2", true) // by another sid
	awaited("new.1", true)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(connect+"SUB inbox.* q 1\r\nPUB a inbox.1 1\r\nx\r\nHPUB a 2 3\r\nxyz\r\nUNSUB 1\r\nPING\r\n"), byte(3))
	f.Add([]byte(info+"MSG inbox.1 1 1\r\nx\r\nHMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n+OK\r\n-ERR 'x'\r\nPONG\r\n"), byte(9))
	f.Add(fmt.Appendf(nil, "MSG %s 1 2\r\n{}\r\n", strings.Repeat("a.", 20)+"b"), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
		}
	})
}
