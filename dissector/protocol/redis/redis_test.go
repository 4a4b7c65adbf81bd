package redis

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// drive feeds a side's bytes to a parser in the given cuts and returns the
// messages as text. It passes over spans as the engine does.
func drive(t testing.TB, from dissector.Side, stream []byte, cut func() int) []string {
	parse := Protocol.New(dissector.TCP)
	var out []string
	m, open := new(dissector.Message), false
	off, have := int64(0), 0
	for off < int64(len(stream)) {
		have = min(len(stream), max(have, int(off))+cut())
		for off < int64(have) {
			m.Role, m.Open, m.Skip, m.Need = 0, false, false, 0
			span, err := parse(from, stream[off:have], m)
			if err == dissector.ErrShort {
				if !open {
					m = new(dissector.Message)
				}
				if have == len(stream) {
					t.Fatalf("%d bytes are left over", int64(have)-off)
				}
				break
			}
			if err != nil {
				t.Fatalf("at %d: %v", off, err)
			}
			if off += span; m.Open {
				open = true
				continue
			}
			if open = false; !m.Skip {
				out = append(out, text(m))
			}
			m = new(dissector.Message)
		}
	}
	return out
}

func text(m *dissector.Message) string {
	var b strings.Builder
	fmt.Fprint(&b, m.Role)
	for _, f := range []string{"redis_command", "redis_key", "redis_error", "redis_reply_type", "redis_type", "status"} {
		for k, v := range m.All() {
			if k.Name == f {
				fmt.Fprintf(&b, "|%s=%s", strings.TrimPrefix(f, "redis_"), v.Bytes)
			}
		}
	}
	return b.String()
}

func encode(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

func TestMessagesAtRandomCuts(t *testing.T) {
	big := strings.Repeat("v", 20_000)
	sides := [2][]byte{
		bytes.Join([][]byte{
			encode("SET", "k", big), encode("get", "k"), []byte("PING\r\n\r\nECHO a  b\n"), encode("MSET", "a", big, "b", big, "c", "1"),
			encode(append([]string{"LPUSH", "l"}, strings.Fields(strings.Repeat("item ", 3000))...)...), []byte("*0\r\n"), encode("EVAL", "return 1", "1", "key"),
		}, nil),
		bytes.Join([][]byte{
			[]byte("+OK\r\n$-1\r\n:42\r\n-ERR no\r\n*-1\r\n*0\r\n"), fmt.Appendf(nil, "$%d\r\n%s\r\n", len(big), big),
			fmt.Appendf(nil, "*3\r\n$%d\r\n%s\r\n*1\r\n-BAD luck\r\n$1\r\nx\r\n", len(big), big),
			[]byte("%1\r\n+a\r\n,1.5\r\n|1\r\n+ttl\r\n:3\r\n#t\r\n_\r\n(123456789012345678901234567890\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n~2\r\n:1\r\n:2\r\n"),
			[]byte(">3\r\n+message\r\n+ch\r\n+hi\r\n"), []byte("*" + "2000\r\n" + strings.Repeat("*1\r\n$3\r\nabc\r\n", 2000)),
		}, nil),
	}
	for side, stream := range sides {
		want := drive(t, dissector.Side(side), stream, func() int { return len(stream) })
		if len(want) != []int{7, 17}[side] {
			t.Fatalf("%d messages of the %s: %.2000q", len(want), dissector.Side(side), want)
		}
		rng := rand.New(rand.NewPCG(5, 6))
		for round := range 40 {
			got := drive(t, dissector.Side(side), stream, func() int {
				if round == 0 {
					return 1
				}
				return 1 + rng.IntN(3000)
			})
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("round %d:\ngot  %.3000q\nwant %.3000q", round, got, want)
			}
		}
	}
}

// A value that is not worth seeing is passed over, wherever it stands.
func TestLongStringsAreNotWaitedFor(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	head := append([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000000\r\n"), make([]byte, maxSeen)...)
	var m dissector.Message
	span, err := parse(dissector.Client, head, &m)
	if want := int64(len(head)-maxSeen) + 1_000_000_002; err != nil || span != want || m.Open {
		t.Errorf("last: span %d, want %d, open %t, %v", span, want, m.Open, err)
	}
	head = append([]byte("*2\r\n$1000000000\r\n"), make([]byte, maxSeen)...)
	m = dissector.Message{}
	span, err = parse(dissector.Server, head, &m)
	if want := int64(len(head)-maxSeen) + 1_000_000_002; err != nil || span != want || !m.Open {
		t.Errorf("first: span %d, want %d, open %t, %v", span, want, m.Open, err)
	}
	m = dissector.Message{}
	if span, err = parse(dissector.Server, []byte("$1\r\nx\r\n"), &m); err != nil || span != 7 || m.Open {
		t.Errorf("after it: span %d, open %t, %v", span, m.Open, err)
	}
}

// A line is split as a server does it.
func TestWordsOfALine(t *testing.T) {
	for line, want := range map[string][]string{
		"SET k v":                   {"SET", "k", "v"},
		"SET \"a b\" 'c d'":         {"SET", "a b", "c d"},
		"SET k \"\\x41\\n\\\"\\z\"": {"SET", "k", "A\n\"z"},
		"SET k 'it\\'s \\n'":        {"SET", "k", "it's \\n"},
		"SET pre\"fix ed\" \"\"":    {"SET", "prefix ed", ""},
		"SET \"a\"b":                nil,
		"SET \"a":                   nil,
		"SET 'a\\":                  nil,
		" \tGET\r  \"\\xzz\"":       {"GET", "xzz"},
	} {
		var got []string
		if ok := inQuotes([]byte(line), func(word []byte) { got = append(got, string(word)) }); ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, ok, want)
		}
	}
}

// What looks like an answer does not make a server of who opened the connection.
func TestWhoSpeaks(t *testing.T) {
	got := dissectortest.NewScript().Client(strings.Repeat("*1000000000\r\n$4\r\nPING\r\n", 100)).Calls(t, Protocol)
	if len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		name string
		from dissector.Side
		in   string
	}{
		{"argument is no string", dissector.Client, "*1\r\n:1\r\n"},
		{"null argument", dissector.Client, "*1\r\n$-1\r\n"},
		{"length with leading zero", dissector.Server, "$03\r\nabc\r\n"},
		{"no end of string", dissector.Server, "$3\r\nabcd\r\n"},
		{"endless length", dissector.Server, "$" + strings.Repeat("1", 40)},
		{"line feed missing", dissector.Server, "+OK\rx"},
		{"unknown type", dissector.Server, "?1\r\n"},
		{"too deep", dissector.Server, strings.Repeat("*1\r\n", maxDepth+1)},
		{"binary inline", dissector.Client, "\x16\x03\x01\n"},
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(c.from, []byte(c.in), &m); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ command, key string }{
		{"GET user:1", "user:1"},
		{"PING", ""},
		{"PING hello", ""},
		{"AUTH secret", ""},
		{"EVAL script 2 k1 k2", "k1"},
		{"EVAL script 0 arg", ""},
		{"XREAD COUNT 2 STREAMS s1 s2 0 0", "s1"},
		{"OBJECT ENCODING k", "k"},
		{"BITOP AND dest a b", "dest"},
		{"ZUNION 2 a b", "a"},
		{"NOSUCH k", ""},
		{"FT.SEARCH idx q", "idx"},
		{"CONFIG GET maxmemory", ""},
		{"GET " + strings.Repeat("x", 100), strings.Repeat("x", 64)},
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, encode(strings.Fields(c.command)...), &m); err != nil {
			t.Fatal(err)
		}
		if got := string(Key.Get(&m.Values)); got != c.key {
			t.Errorf("%s: key %q, want %q", c.command, got, c.key)
		}
	}
}

func TestCommandLineCanBeShown(t *testing.T) {
	var m dissector.Message
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, encode("set", "a b", "\x00\xff\r\n\"", "é", ""), &m); err != nil {
		t.Fatal(err)
	}
	if got, want := string(Command.Get(&m.Values)), `SET "a b" \x00\xff\r\n\" é ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnansweredCommands(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	for _, c := range []struct {
		command string
		role    dissector.Role
	}{
		{"CLIENT REPLY SKIP", dissector.OneWay},
		{"GET a", dissector.OneWay},
		{"GET b", dissector.BySide},
		{"client reply off", dissector.OneWay},
		{"GET c", dissector.OneWay},
		{"GET d", dissector.OneWay},
		{"CLIENT REPLY ON", dissector.BySide},
		{"GET e", dissector.BySide},
	} {
		var m dissector.Message
		if _, err := parse(dissector.Client, encode(strings.Fields(c.command)...), &m); err != nil || m.Role != c.role {
			t.Errorf("%s: role %d, %v", c.command, m.Role, err)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"*1\r\n$4\r\nPING\r\n", dissector.Request},
		{"*2\r\n$3\r\nget\r\n$1\r\na\r\n", dissector.Request},
		{"*2\r\n$9\r\nFT.SEARCH\r\n", dissector.Request},
		{"*2\r\n$6\r\nNOSUCH\r\n", dissector.Request},
		{"*2\r\n$3\r\nGE", dissector.More},
		{"*", dissector.More},
		{"*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n", dissector.Response},
		{"*2\r\n$5\r\nvalue\r\n$1\r\na\r\n", dissector.Response},
		{"+OK\r\n", dissector.MaybeResponse},
		{"+OK POP3 ready\r\n", dissector.No},
		{"+PONG\r\n", dissector.Response},
		{"-WRONGTYPE Operation against a key\r\n", dissector.Response},
		{"-ERR 'Unknown Protocol Operation'\r\n", dissector.No},
		{":1\r\n", dissector.Response},
		{"$5\r\nhello\r\n", dissector.Response},
		{"$100000\r\nhello", dissector.Response},
		{"$5\r\nhello, world\r\n", dissector.No},
		{"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", dissector.Response},
		{"PING\r\n", dissector.MaybeRequest},
		{"GET / HTTP/1.1\r\n", dissector.No},
		{"CONNECT {\"verbose\":false}\r\n", dissector.No},
		{"INFO {\"server_id\":\"x\"}\r\n", dissector.No},
		{"EHLO me\r\n", dissector.No},
		{"\x16\x03\x01\x02\x00", dissector.No},
		{"", dissector.More},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\r\n"), byte(22))
	f.Add(encode("SET", "k", "v"), byte(0))
	f.Add([]byte("*2\r\n%1\r\n+a\r\n:1\r\n|1\r\n+b\r\n_\r\n#t\r\n"), byte(3))
	f.Add([]byte(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\nPING\r\n"), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
		}
	})
}

func BenchmarkParse(b *testing.B) {
	parse := Protocol.New(dissector.TCP)
	req, resp := encode("SET", "user:1000", strings.Repeat("v", 100)), []byte("+OK\r\n")
	var m dissector.Message
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, req, &m); err != nil {
			b.Fatal(err)
		}
		m.Values.Reset()
		if _, err := parse(dissector.Server, resp, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// Passwords are in no field, whatever command brings them.
func TestSecretsAreNotKept(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"AUTH", "hidden"}, "AUTH ***"},
		{[]string{"auth", "ann", "hidden"}, "AUTH *** ***"},
		{[]string{"HELLO", "3", "AUTH", "ann", "hidden", "SETNAME", "x"}, "HELLO 3 AUTH ann *** SETNAME x"},
		{[]string{"ACL", "SETUSER", "ann", "on", ">hidden", "~key*", "+get", "<hidden", "#hidden"}, "ACL SETUSER ann on >*** ~key* +get <*** #***"},
		{[]string{"CONFIG", "SET", "requirepass", "hidden", "timeout", "9"}, "CONFIG SET requirepass *** timeout 9"},
		{[]string{"CONFIG", "SET", "MasterAuth", "hidden"}, "CONFIG SET MasterAuth ***"},
		{[]string{"CONFIG", "GET", "requirepass"}, "CONFIG GET requirepass"},
		{[]string{"SENTINEL", "SET", "mymaster", "auth-pass", "hidden"}, "SENTINEL SET mymaster auth-pass ***"},
		{[]string{"MIGRATE", "h", "6379", "key", "0", "99", "AUTH", "hidden"}, "MIGRATE h 6379 key 0 99 AUTH ***"},
		{[]string{"MIGRATE", "h", "6379", "", "0", "99", "AUTH2", "ann", "hidden", "KEYS", "a"}, "MIGRATE h 6379 \"\" 0 99 AUTH2 ann *** KEYS a"},
		{[]string{"SET", "pass", "kept"}, "SET pass kept"},
		{[]string{"CONFIG", "SET", "dir", "/mnt/pass", "requirepass", "hidden", "port", "1"}, "CONFIG SET dir /mnt/pass requirepass *** port 1"},
		{[]string{"config", "set", "requirepass", "pass", "masterauth", "hidden"}, "CONFIG set requirepass *** masterauth ***"},
		{[]string{"SENTINEL", "SET", "bypass", "auth-pass", "hidden", "quorum", "2"}, "SENTINEL SET bypass auth-pass *** quorum 2"},
		{[]string{"SENTINEL", "CONFIG", "SET", "sentinel-pass", "hidden"}, "SENTINEL CONFIG SET sentinel-pass ***"},
		{[]string{"HELLO", "3", "SETNAME", "AUTH", "AUTH", "u", "hidden"}, "HELLO 3 SETNAME AUTH AUTH u ***"},
		{[]string{"HELLO", "3", "AUTH", "AUTH", "hidden", "SETNAME", "x"}, "HELLO 3 AUTH AUTH *** SETNAME x"},
	} {
		for _, detail := range []bool{false, true} {
			m := &dissector.Message{Detail: detail}
			if _, err := Protocol.New(dissector.TCP)(dissector.Client, encode(c.words...), m); err != nil {
				t.Fatal(err)
			}
			if got := string(Command.Get(&m.Values)); got != c.want {
				t.Errorf("%q: %s", c.words, got)
			}
			for f, v := range m.All() {
				if strings.Contains(string(v.Bytes), "hidden") {
					t.Errorf("%q: %s is %s", c.words, f.Name, v.Bytes)
				}
			}
		}
	}
}

// In a line of words a secret may go on behind a blank.
func TestSecretsInLines(t *testing.T) {
	for line, want := range map[string]string{
		"CONFIG SET requirepass \"my hidden\"":                "CONFIG SET requirepass ***",
		"CONFIG SET dir \"/mnt/a b\" requirepass \"my hidden": "CONFIG SET dir ***",
		"AUTH \"my hidden\" hidden":                           "AUTH *** ***",
		"ACL SETUSER ann \">my hidden\"":                      "ACL SETUSER ann >***",
		"ACL SETUSER ann on >hidden hidden":                   "ACL SETUSER ann on >***",
		"HELLO 3 AUTH \"my user\" hidden":                     "HELLO 3 AUTH \"my user\" ***",
		"SENTINEL SET \"a b\" auth-pass hidden":               "SENTINEL SET \"a b\" auth-pass ***",
		"\"AUTH\" hidden":                                     "AUTH ***",
		"SENTINEL SET m rename-command a b auth-pass hidden":  "SENTINEL SET m rename-command a b auth-pass ***",
		"SET k \"a b\"":                                       "SET k \"a b\"",
	} {
		m := new(dissector.Message)
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(line+"\r\n"), m); err != nil {
			t.Fatal(err)
		}
		if got := string(Command.Get(&m.Values)); got != want {
			t.Errorf("%q: %s", line, got)
		}
		for f, v := range m.All() {
			if strings.Contains(string(v.Bytes), "hidden") {
				t.Errorf("%q: %s is %s", line, f.Name, v.Bytes)
			}
		}
	}
}
