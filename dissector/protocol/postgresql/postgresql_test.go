package postgresql

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// msg makes a message of a type and the parts of its body.
func msg(kind byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))) + body
}

// startup makes a packet without a type.
func startup(code uint32, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return string(binary.BigEndian.AppendUint32(b, code)) + body
}

var (
	begin    = startup(3<<16, "user\x00bob\x00database\x00shop\x00\x00")
	ready    = msg('Z', "I")
	welcome  = msg('R', "\x00\x00\x00\x00") + msg('K', "\x00\x00\x00\x07secr") + ready
	execute  = msg('E', "\x00\x00\x00\x00\x00")
	sync     = msg('S')
	bound    = msg('2')
	failure  = msg('E', "SERROR\x00VERROR\x00C42P01\x00Mno such table\x00\x00")
	fatality = msg('E', "SFATAL\x00VFATAL\x00C57P01\x00Mshutdown\x00\x00")
)

func query(sql string) string { return msg('Q', sql, "\x00") }
func tag(s string) string     { return msg('C', s, "\x00") }

// bindTo binds a value to a prepared statement.
func bindTo(name string) string {
	return msg('B', "\x00", name, "\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00")
}

func prepare(name, sql string) string { return msg('P', name, "\x00", sql, "\x00\x00\x00") }

func TestConversations(t *testing.T) {
	one := prepare("", "select 1") + bindTo("") + execute
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{"simple, several statements", dissectortest.NewScript().Client(begin).Server(welcome).Client(query("select 1; select 2")).
			Server(tag("SELECT 1") + msg('I') + tag("SELECT 2") + ready), []string{"STARTUP bob@shop > OK", "SELECT select 1; select 2 > SELECT 2"}},
		{"pipeline with an error", dissectortest.NewScript().Client(begin).Server(welcome).Client(one+one+one+sync, one+sync).
			Server(msg('1')+bound+tag("SELECT 1")+msg('1')+bound+failure+ready, msg('1')+bound+tag("SELECT 4")+ready), []string{
			"STARTUP bob@shop > OK", "SELECT select 1 > SELECT 1", "SELECT select 1 > ERROR 42P01", "SELECT select 1 > SELECT 4", "SELECT select 1 > -",
		}},
		{"notification inside an answer", dissectortest.NewScript().Client(begin).Server(welcome).Client(query("notify x")).
			Server(tag("NOTIFY") + msg('A', "\x00\x00\x00\x07x\x00\x00") + ready), []string{"STARTUP bob@shop > OK", "NOTIFY notify x > NOTIFY", "NOTIFICATION x one-way"}},
		{"the session is ended", dissectortest.NewScript().Client(begin).Server(welcome, fatality), []string{"STARTUP bob@shop > OK", "ERROR one-way"}},
		{"suspended portal", dissectortest.NewScript().Client(begin).Server(welcome).Client(one + execute + sync).
			Server(msg('1') + bound + msg('s') + tag("SELECT 3") + ready), []string{"STARTUP bob@shop > OK", "SELECT select 1 > PORTAL SUSPENDED", "SELECT select 1 > SELECT 3"}},
		{"flush before execute", dissectortest.NewScript().Client(begin).Server(welcome).Client(prepare("a", "select 5") + msg('H')).
			Server(msg('1')).Client(bindTo("a") + execute + sync).Server(bound + tag("SELECT 1") + ready), []string{"STARTUP bob@shop > OK", "SELECT select 5 > SELECT 1"}},
		{"encryption that is refused, then asked again", dissectortest.NewScript().Client(startup(codeGSS, "")).Server("N").Client(startup(codeTLS, "")).Server("N").
			Client(begin).Server(welcome), []string{"GSSENC_REQUEST > refused", "SSL_REQUEST > refused", "STARTUP bob@shop > OK"}},
		{"encryption that the server does not know", dissectortest.NewScript().Client(startup(codeTLS, "")).Server(fatality), []string{"SSL_REQUEST > FATAL 57P01"}},
		{"GSS encryption", dissectortest.NewScript().Client(startup(codeGSS, "")).Server("G", "\x00\x00\x00\x01x").Client("\x00\x00\x00\x01x"), []string{"GSSENC_REQUEST > accepted, encrypted from here on"}},
		{"cancel", dissectortest.NewScript().Client(startup(codeCancel, "\x00\x00\x00\x07\x00\x00\x00\x01")), []string{"CANCEL process 7 one-way"}},
		{"function call", dissectortest.NewScript().Client(begin).Server(welcome).Client(msg('F', "\x00\x00\x00\x2a\x00\x00\x00\x00\x00\x00")).
			Server(msg('V', "\xff\xff\xff\xff") + ready), []string{"STARTUP bob@shop > OK", "FUNCTION_CALL function 42 > OK"}},
		{"an answer is lost", dissectortest.NewScript().Client(begin).Server(welcome).Client(one+one+sync).
			Lose().Server(msg('1')+bound+tag("SELECT 1")).Client(query("select 7")).Server(msg('1')+bound+tag("SELECT 2")+ready, tag("SELECT 7")+ready).
			Client(query("select 8")).Server(tag("SELECT 8") + ready), []string{
			"STARTUP bob@shop > OK", "SELECT select 1 > - unpaired", "SELECT select 7 > - unpaired", "- > SELECT 7 resumed unpaired",
			"SELECT select 8 > SELECT 8", "SELECT select 1 > -",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestVerb(t *testing.T) {
	for query, want := range map[string]string{
		"select 1":                               "SELECT",
		"  -- why\n/* a /* b */ */ ((SELECT 1))": "SELECT",
		"with a as (delete from b returning *) insert into c select": "INSERT",
		"WITH RECURSIVE t(n) AS (VALUES (1)) SELECT $$update$$":      "SELECT",
		`with "select" as (select ')') update x set y = 1`:           "UPDATE",
		"":                      "",
		";":                     "",
		"/* no end":             "",
		strings.Repeat("a", 99): "",
	} {
		if got := verb([]byte(query)); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

func TestLongTextIsCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"}, {"longer", 5, "longe..."}, {"éé", 3, "é..."}, {"aé", 2, "a..."}, {"\xff\xff\xff\xff\xff", 4, "\xff\xff\xff\xff..."},
	} {
		if got := string(shorten([]byte(c.in), c.limit, false)); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.in, c.limit, got, c.want)
		}
	}
	if got := string(line([]byte(" a\n\n  b\t" + strings.Repeat("c", maxSummary)))); got != "a b "+strings.Repeat("c", maxSummary-4)+"..." {
		t.Errorf("line: %q", got)
	}
}

func TestParametersInDetail(t *testing.T) {
	m := dissector.Message{Detail: true}
	bind := msg('B', "\x00a\x00", "\x00\x02\x00\x00\x00\x01", "\x00\x03", "\x00\x00\x00\x02hi", "\x00\x00\x00\x01\xff", "\xff\xff\xff\xff", "\x00\x00")
	if _, err := newParser().parse(dissector.Client, []byte(bind+execute), &m); err != nil {
		t.Fatal(err)
	}
	if got, want := string(Parameters.Get(&m.Values)), `$1 = 'hi', $2 = '\xff', $3 = NULL`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHeldStatementsAreBounded(t *testing.T) {
	p := newParser()
	for i := range 3 * maxHeld {
		var m dissector.Message
		b := prepare(fmt.Sprint("s", i), "select '"+strings.Repeat("x", maxQuery)+"'") + bindTo("") + execute
		if _, err := p.parse(dissector.Client, []byte(b), &m); err != nil {
			t.Fatal(err)
		}
	}
	if h := &p.client.statements; len(h.names) > maxHeld || h.bytes > maxHeldBytes {
		t.Errorf("%d statements with %d bytes are held", len(h.names), h.bytes)
	}
	var h holder
	h.init()
	for i := range maxHeld {
		h.put([]byte(fmt.Sprint(strings.Repeat("n", maxHeldBytes/8), i)), held{})
	}
	held := 0
	for name := range h.names {
		held += len(name)
	}
	if held > maxHeldBytes || held != h.bytes {
		t.Errorf("names of %d bytes are held, %d counted", held, h.bytes)
	}
	for name := range h.names {
		h.drop([]byte(name))
	}
	if h.bytes != 0 {
		t.Errorf("%d bytes are counted of none", h.bytes)
	}
}

func TestProbe(t *testing.T) {
	row := msg('D', "\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff")
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{begin, dissector.Request},
		{begin[:12], dissector.More},
		{startup(codeTLS, ""), dissector.Request},
		{startup(codeGSS, ""), dissector.Request},
		{startup(codeCancel, "\x00\x00\x00\x07\x00\x00\x00\x01"), dissector.Request},
		{startup(codeTLS, "") + "x", dissector.No},
		{"\x00\x00\x00\x14\x00\x03\x00\x00\x00\x00\x00\x01\x00\x03abc\x00\x00\x00\x00", dissector.No}, // Kafka
		{query("select 1"), dissector.Request},
		{query("select 1")[:9], dissector.More},
		{query("select \x01"), dissector.No},
		{bindTo("a") + execute + sync, dissector.Request},
		{execute + sync, dissector.MaybeRequest},
		{prepare("", "select 1"), dissector.Request},
		{welcome, dissector.Response},
		{ready, dissector.Response},
		{tag("SELECT 1"), dissector.Response},
		{msg('C', "Sname\x00"), dissector.MaybeRequest},
		{tag("NONSENSE 1"), dissector.No},
		{failure, dissector.Response},
		{row + row, dissector.MaybeResponse},
		{row + tag("SELECT 1"), dissector.Response},
		{msg('D', "\x00\x02\x00\x00\x00\x01x\xff\xff\xff"), dissector.No},
		{msg('T', "\x00\x01id\x00", strings.Repeat("\x00", 18)), dissector.Response},
		{msg('d', "data") + msg('c'), dissector.No},
		{"S", dissector.More},
		{"GET / HTTP/1.1\r\n", dissector.No},
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
	f.Add([]byte(begin+prepare("a", "select 1")+bindTo("a")+execute+sync), byte(3))
	f.Add([]byte(welcome+bound+tag("SELECT 1")+ready), byte(0))
	f.Add([]byte(msg('T', "\x00\x01id\x00", strings.Repeat("\x00", 18))+msg('D', "\x00\x01\xff\xff\xff\xff")+failure+ready), byte(9))
	f.Add([]byte(startup(codeTLS, "")+query("with a as (select $a$x$a$) update password = 'x'")), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, newParser().parse, from, b, 1+int(cut), func() *dissector.Message { return &dissector.Message{Detail: cut&1 == 1} })
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := newParser()
	req := []byte(bindTo("") + execute + sync)
	resp := []byte(bound + strings.Repeat(msg('D', "\x00\x01\x00\x00\x00\x04abcd"), 10) + tag("SELECT 10"))
	var m dissector.Message
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := p.parse(dissector.Client, req, &m); err != nil {
			b.Fatal(err)
		}
		p.client.next()
		m.Values.Reset()
		if _, err := p.parse(dissector.Server, resp, &m); err != nil {
			b.Fatal(err)
		}
	}
}
