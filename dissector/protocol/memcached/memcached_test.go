package memcached

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

func packet(magic, op byte, status uint16, opaque uint32, extras, key, value string) string {
	b := []byte{magic, op, 0, byte(len(key)), byte(len(extras)), 0}
	b = binary.BigEndian.AppendUint16(b, status)
	b = binary.BigEndian.AppendUint32(b, uint32(len(extras)+len(key)+len(value)))
	b = binary.BigEndian.AppendUint32(b, opaque)
	b = append(b, make([]byte, 8)...)
	return string(b) + extras + key + value
}

func getq(opaque uint32, key string) string { return packet(0x80, 9, 0, opaque, "", key, "") }

func found(opaque uint32) string { return packet(0x81, 9, 0, opaque, "\x00\x00\x00\x00", "", "v") }

// TestQuietMisses: a quiet get that nothing was found for says so, as the same get that is
// not quiet does.
func TestQuietMisses(t *testing.T) {
	s := dissectortest.NewScript().Client(getq(1, "a") + packet(0x80, 0x0a, 0, 2, "", "", "")).Server(packet(0x81, 0x0a, 0, 2, "", "", "")).Close()
	hits := int64(-1)
	s.Each(t, sink(func(e *dissector.Entry) {
		if e.OneWay && e.Protocol == Protocol && e.Request.Has(Hits) {
			hits = Hits.Get(&e.Request.Values)
		}
	}), Protocol)
	if hits != 0 {
		t.Errorf("%d hits", hits)
	}
}

type sink func(e *dissector.Entry)

func (f sink) Entry(e *dissector.Entry) error { f(e); return nil }

// TestManyQuietGets: beyond what waits, they are one-way.
func TestManyQuietGets(t *testing.T) {
	s := dissectortest.NewScript()
	for i := range uint32(maxQuiet + 2) {
		s.Client(getq(i+1, "k"))
	}
	got := s.Server(found(maxQuiet), found(maxQuiet+1)).Close().Calls(t, Protocol)
	count := make(map[string]int)
	for _, line := range got {
		count[line]++
	}
	if count["getq k > SUCCESS"] != 1 || count["getq k one-way"] != maxQuiet-1+2 || count["getq one-way"] != 1 {
		t.Error(count)
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{"set k 0 0 5\r\nhello\r\n", dissector.Request},
		{"set k 0 0 5\r\nhello, world\r\n", dissector.No},
		{"set k 0 0 5 noreply\r\nhel", dissector.Request},
		{"set k 0 0\r\n", dissector.No},
		{"set k v EX 60\r\n", dissector.No},
		{"SET k 0 0 5\r\n", dissector.No},
		{"set k 0 0 ", dissector.More},
		{"se", dissector.More},
		{"sex", dissector.No},
		{"get k\r\n", dissector.MaybeRequest}, // Redis inline
		{"get a b\r\n", dissector.Request},
		{"get " + strings.Repeat("k", 251) + "\r\n", dissector.No},
		{"gets k\r\n", dissector.Request},
		{"gat 60 k\r\n", dissector.Request},
		{"gat k\r\n", dissector.No},
		{"incr k 1\r\n", dissector.Request},
		{"incr k\r\n", dissector.No},
		{"delete 5\r\n", dissector.MaybeRequest}, // beanstalkd
		{"quit\r\n", dissector.MaybeRequest},
		{"QUIT\r\n", dissector.No},
		{"stats\r\n", dissector.MaybeRequest},
		{"stats\n", dissector.MaybeRequest},
		{"mg k v t\r\n", dissector.MaybeRequest},
		{"mg k 5\r\n", dissector.No},
		{"ms k 2 T0\r\nhi\r\n", dissector.Request},
		{"STORED\r\n", dissector.Response},
		{"END\r\n", dissector.MaybeResponse},
		{"ERROR\r\n", dissector.MaybeResponse},
		{"ERROR Too many open connections\r\n", dissector.Response},
		{"ERROR too few of something\r\n", dissector.No},
		{"VALUE k 0 2\r\nhi\r\nEND\r\n", dissector.Response},
		{"VALUE k 0 2\r\nhello\r\n", dissector.No},
		{"STAT pid 1\r\n", dissector.Response},
		{"42\r\n", dissector.MaybeResponse},
		{"220 mail ESMTP\r\n", dissector.No},
		{"+OK\r\n", dissector.No},
		{"INFO {}\r\n", dissector.No},
		{"EHLO me\r\n", dissector.No},
		{"GET / HTTP/1.1\r\n", dissector.No},
		{packet(0x80, 0, 0, 1, "", "key", ""), dissector.Request},
		{packet(0x80, 0, 0, 1, "", "", ""), dissector.No},
		{packet(0x80, 1, 0, 1, "", "key", "v"), dissector.No},
		{packet(0x81, 0, 1, 1, "", "", "Not found"), dissector.Response},
		{packet(0x81, 0, 0x99, 1, "", "", ""), dissector.No},
		{packet(0x81, 0, 0, 1, "", "", "")[:10], dissector.More},
		{"\x00\x07\x00\x00\x00\x01\x00\x00stats\r\n", dissector.Request},
		{"\x00\x07\x00\x00\x00\x02\x00\x00STAT pid 1\r\n", dissector.Response},
		{"\x00\x07\x00\x00\x00\x01\x00\x01stats\r\n", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%.60q: got %d, want %d", c.head, got, c.want)
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
			"too large",
			dissectortest.NewScript().
				Client("set k 0 0 3\r\nabc\r\n").Server("SERVER_ERROR object too large for cache\r\n").
				Client("get k\r\n").Server("END\r\n"),
			[]string{"set k > SERVER_ERROR", "get k > END"},
		},
		{
			"an error in place of the rest",
			dissectortest.NewScript().
				Client("get a b\r\n").Server("VALUE a 0 1\r\nx\r\n", "SERVER_ERROR out of memory writing get response\r\n"),
			[]string{"get a b > SERVER_ERROR"},
		},
		{
			"silence, then an error nobody can place",
			dissectortest.NewScript().
				Client("set k 0 0 1 noreply\r\nx\r\nset j 0 0 1\r\ny\r\n").Server("SERVER_ERROR out of memory\r\n", "STORED\r\n"),
			[]string{"set k one-way", "set j > - unpaired", "- > STORED resumed unpaired"},
		},
		{
			"a log is not read",
			dissectortest.NewScript().
				Client("gets k\r\n").Server("END\r\n").
				Client("watch fetchers\r\n").Server("OK\r\n", "ts=1 gid=1 type=item_get\r\n"),
			[]string{"gets k > END", "watch fetchers > OK"},
		},
		{
			"opaque of a call before a loss",
			dissectortest.NewScript().
				Client(packet(0x80, 0, 0, 7, "", "a", "")).Lose().Server(packet(0x81, 0, 1, 7, "", "", "Not found")).
				Client(packet(0x80, 0, 0, 8, "", "b", "")).Server(packet(0x81, 0, 0, 8, "\x00\x00\x00\x00", "", "v")),
			[]string{"- > SUCCESS resumed", "get a > -", "get b > -"},
		},
		{
			"quiet gets: what is found pairs, what is not is proven by a later answer",
			dissectortest.NewScript().
				Client(getq(1, "a")+getq(2, "b")+getq(3, "c")+packet(0x80, 0x0a, 0, 4, "", "", "")).
				Server(found(2), packet(0x81, 0x0a, 0, 4, "", "", "")).
				Client(getq(5, "d")),
			[]string{"getq a one-way", "getq b > SUCCESS", "getq c one-way", "noop > SUCCESS", "getq d > -"},
		},
		{
			"quiet gets: an answer without an opaque proves as much",
			dissectortest.NewScript().
				Client(getq(1, "a") + packet(0x80, 0, 0, 0, "", "b", "")).Server(packet(0x81, 0, 1, 0, "", "", "Not found")),
			[]string{"getq a one-way", "get b > KEY_ENOENT"},
		},
		{
			"quiet gets of one opaque are not told apart",
			dissectortest.NewScript().
				Client(packet(0x80, 0x0a, 0, 7, "", "", "")).Server(packet(0x81, 0x0a, 0, 7, "", "", "")).
				Client(getq(1, "a")+getq(1, "b")+packet(0x80, 0x0a, 0, 4, "", "", "")).
				Server(found(1), packet(0x81, 0x0a, 0, 4, "", "", "")),
			[]string{"noop > SUCCESS", "getq b one-way", "getq one-way", "getq a > - unpaired", "noop > SUCCESS"},
		},
		{
			"quiet gets: what was found may be in what was lost",
			dissectortest.NewScript().
				Client(getq(1, "a") + getq(2, "b") + packet(0x80, 0, 0, 3, "", "c", "")).Lose().Server(found(1)).
				Server(packet(0x81, 0, 0, 3, "\x00\x00\x00\x00", "", "v")).
				Client(packet(0x80, 0x0a, 0, 4, "", "", "")).Server(packet(0x81, 0x0a, 0, 4, "", "", "")),
			[]string{"- > SUCCESS resumed", "getq a > - unpaired", "getq b > - unpaired", "noop > SUCCESS", "get c > -"},
		},
	} {
		got := c.script.Close().Calls(t, Protocol)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// Values are passed over, and only as much of a message is asked for as is looked at.
func TestValuesAreNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		from dissector.Side
		buf  string
		span int64
	}{
		"set":    {dissector.Client, "set k 0 0 500000000\r\nabc", 500000023},
		"ms":     {dissector.Client, "ms k 1000000\r\n", 1000016},
		"VALUE":  {dissector.Server, "VALUE k 0 500000000\r\nabc", 500000023},
		"VA":     {dissector.Server, "VA 1000000\r\n", 1000014},
		"binary": {dissector.Client, packet(0x80, 1, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00", "k", strings.Repeat("v", 9999))[:33], 24 + 8 + 1 + 9999},
	} {
		var m dissector.Message
		span, err := Protocol.New(dissector.TCP)(c.from, []byte(c.buf), &m)
		if err != nil || span != c.span {
			t.Errorf("%s: span %d, %v", name, span, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		from dissector.Side
		buf  string
	}{
		{dissector.Client, "\r\n"},
		{dissector.Client, "get \x01\r\n"},
		{dissector.Client, "set k 0 0 1\r\nxyz\r\n"},
		{dissector.Client, strings.Repeat("k", maxLine)},
		{dissector.Server, "VALUE k 0\r\n"},
		{dissector.Server, "VALUE k 0 x\r\n"},
		{dissector.Server, "VALUE k 0 1 2 3\r\n"},
		{dissector.Server, "VA x\r\n"},
		{dissector.Client, packet(0x81, 0, 0, 0, "", "", "")},
		{dissector.Server, packet(0x81, 0, 0, 0, "", "", "")[:11] + "\xff" + strings.Repeat("\xff", 12) + "xx"},
	} {
		var m dissector.Message
		if span, err := Protocol.New(dissector.TCP)(c.from, []byte(c.buf), &m); err == nil && span < 1<<8 {
			t.Errorf("%.40q: span %d", c.buf, span)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	for seed := range 100_000 {
		b := fmt.Appendf(nil, "%c%c%d", rune(seed&0x7f), rune(seed>>7), seed)
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %q", b)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("set k 0 0 1\r\nx\r\nget a b\r\nmg k v q O1\r\nmn\r\n"), byte(3))
	f.Add([]byte("VALUE a 0 1\r\nx\r\nEND\r\nSTAT a 1\r\nEND\r\nVA 1 k\r\nx\r\nHD O1\r\n7\r\n"), byte(4))
	f.Add([]byte(packet(0x80, 1, 0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00", "k", "v")), byte(9))
	f.Add([]byte(packet(0x81, 0, 1, 1, "", "", "Not found")), byte(9))
	f.Add([]byte("\x00\x07\x00\x00\x00\x01\x00\x00get k\r\n"), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			_, _ = Protocol.New(dissector.UDP)(from, b, new(dissector.Message))
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
		}
	})
}
