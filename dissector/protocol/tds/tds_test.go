package tds

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// packet makes a packet; last ends a message.
func packet(kind byte, last bool, id byte, body string) string {
	status := byte(0)
	if last {
		status = 1
	}
	h := binary.BigEndian.AppendUint16([]byte{kind, status}, uint16(headerSize+len(body)))
	return string(append(h, 0, 51, id, 0)) + body
}

func ucs(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return string(b)
}

// headers are those of a request without a transaction.
const headers = "\x16\x00\x00\x00\x12\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"

func batch(s string) string { return packet(typeBatch, true, 1, headers+ucs(s)) }

func done(status uint16, rows uint64) string {
	b := binary.LittleEndian.AppendUint16([]byte{tokenDone}, status)
	return string(binary.LittleEndian.AppendUint64(append(b, 0xc1, 0), rows))
}

func answer(tokens string) string { return packet(typeResponse, true, 1, tokens) }

// prelogin makes a PRELOGIN whose option ENCRYPTION is encrypt.
func prelogin(kind, encrypt byte) string {
	return packet(kind, true, 1, "\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff\x10\x00\x10\x00\x00\x00"+string([]byte{encrypt}))
}

const hello = "\x16\x03\x01\x00\x05\x01\x00\x00\x01x"

func TestCalls(t *testing.T) {
	for name, c := range map[string]struct {
		script *dissectortest.Script
		want   []string
	}{
		"taking turns": {
			dissectortest.NewScript().Client(batch("select 1")).Server(answer(done(doneCount, 1))).Client(batch("select 2")).Server(answer(done(doneError, 0))),
			[]string{"SQL_BATCH select 1 > OK", "SQL_BATCH select 2 > ERROR"},
		},
		"a response in two packets, cut inside a token": {
			dissectortest.NewScript().Client(batch("select 1")).Server(packet(typeResponse, false, 1, done(doneCount|1, 1)[:5]) + packet(typeResponse, true, 2, done(doneCount|1, 1)[5:]+done(0, 0))),
			[]string{"SQL_BATCH select 1 > OK"},
		},
		"ATTENTION is in time": {
			dissectortest.NewScript().Client(batch("waitfor"), packet(typeAttention, true, 1, "")).Server(answer(done(doneAttn, 0))),
			[]string{"ATTENTION one-way", "SQL_BATCH waitfor > ATTENTION"},
		},
		"ATTENTION is late": {
			dissectortest.NewScript().Client(batch("waitfor")).Server(answer(done(0, 0))).Client(packet(typeAttention, true, 1, "")).Server(answer(done(doneAttn, 0))).
				Client(batch("select 1")).Server(answer(done(0, 0))),
			[]string{"SQL_BATCH waitfor > OK", "ATTENTION one-way", "SQL_BATCH select 1 > OK"},
		},
		"all is encrypted": {
			dissectortest.NewScript().Client(prelogin(typePrelogin, encryptOn)).Server(prelogin(typeResponse, encryptRequired)).
				Client(packet(typePrelogin, true, 1, hello)).Server(packet(typePrelogin, true, 1, hello)).Client(hello).Server(hello),
			[]string{"PRELOGIN > OK", "TLS > encrypted from here on"},
		},
		"the login is encrypted": {
			dissectortest.NewScript().Client(prelogin(typePrelogin, encryptOff)).Server(prelogin(typeResponse, encryptOff)).
				Client(packet(typePrelogin, true, 1, hello)).Server(packet(typePrelogin, false, 1, hello)+packet(typePrelogin, true, 2, "rest")).
				Client("\x17\x03\x03\x00\x03abc", "\x17\x03\x03\x00\x01d").Server(answer(done(0, 0))).Client(batch("select 1")).Server(answer(done(0, 0))),
			[]string{"PRELOGIN > OK", "LOGIN7 encrypted > OK", "SQL_BATCH select 1 > OK"},
		},
		"a response of version 7.1, found in its middle": {
			dissectortest.NewScript().Server(answer("\xfd\x11\x00\xc1\x00\x07\x00\x00\x00" + "\xfd\x02\x00\xc1\x00\x00\x00\x00\x00")),
			[]string{"- > ERROR"},
		},
		"a token that nobody knows": {
			dissectortest.NewScript().Client(batch("select 1")).Server(answer(done(1, 0) + "\x42rest")).Client(batch("select 2")).Server(answer(done(0, 0))),
			[]string{"SQL_BATCH select 1 > UNKNOWN", "SQL_BATCH select 2 > OK"},
		},
	} {
		if got := c.script.Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Every type of a column, with a value and without, cut everywhere.
func TestRows(t *testing.T) {
	type cell struct{ info, value, null string }
	coll := "\x09\x04\xd0\x00\x34"
	cells := []cell{
		{"\x38", "\x01\x02\x03\x04", ""},
		{"\x26\x08", "\x08abcdefgh", "\x00"},
		{"\x6a\x09\x0a\x02", "\x05\x01abcd", "\x00"},
		{"\x28", "\x03abc", "\x00"},
		{"\x2a\x07", "\x08abcdefgh", "\x00"},
		{"\xe7\x10\x00" + coll, "\x02\x00x\x00", "\xff\xff"},
		{"\xa5\x10\x00", "\x01\x00x", "\xff\xff"},
		{"\xa5\xff\xff", "\xfe\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00ab\x01\x00\x00\x00c\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"\x23\x00\x10\x00\x00" + coll + "\x01\x03\x00t\x00b\x00l\x00", "\x02ppttttssss\x03\x00\x00\x00abc", "\x00"},
		{"\x62\x40\x1f\x00\x00", "\x03\x00\x00\x00\x30\x00\x07", "\x00\x00\x00\x00"},
		{"\xf1\x00", "\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00x\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"\xf0\x08\x00\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00x\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"},
	}
	b := "\x81\x0c\x00"
	row, null := "\xd1", "\xd1"
	for _, c := range cells {
		b += "\x00\x00\x00\x00\x08\x00" + c.info + "\x01c\x00"
		row += c.value
		if null += c.null; c.null == "" {
			null += c.value
		}
	}
	b += row + null + "\xd2\xfe\x0f" + cells[0].value + row + "\xd2\xff\x0f" + "\x79\xff\xff\xff\xff" + done(doneCount, 4)
	for cut := range len(b) + 1 {
		var s session
		tk := tokens{session: &s, at: -1}
		tk.feed([]byte(b[:cut]), false)
		tk.feed([]byte(b[cut:]), true)
		if d := &tk.result; tk.bad || d.rows != 4 || d.columns != 12 || d.returned != -1 || len(tk.carry) > 0 || tk.skip > 0 {
			t.Fatalf("cut at %d: %+v, %d left", cut, d, len(tk.carry))
		}
	}
}

// Rows of columns that take no bytes would cost time for each column.
func TestEmptyColumns(t *testing.T) {
	b := "\x81\x00\x10" + strings.Repeat("\x00\x00\x00\x00\x08\x00\x1f\x00", 4096) + strings.Repeat("\xd1", 30000)
	tk := tokens{session: new(session), at: -1}
	if tk.feed([]byte(b), true); !tk.bad || len(tk.columns) > maxEmpty+1 {
		t.Errorf("%d columns", len(tk.columns))
	}
}

func TestDetail(t *testing.T) {
	text := func(s string) string {
		b := binary.LittleEndian.AppendUint16(nil, uint16(2*len(s)))
		return "\xe7\x40\x1f\x09\x04\xd0\x00\x34" + string(b) + ucs(s)
	}
	body := headers + "\xff\xff\x0a\x00\x00\x00" + "\x00\x00" + text("select @a") + "\x00\x00" + text("@a int") +
		"\x02@\x00a\x00\x00\x26\x04\x04\xfe\xff\xff\xff" + "\x09" + ucs("@password") + "\x00" + text("hidden") + "\x02@\x00b\x00\x00\x26\x04\x00"
	p, m := Protocol.New(dissector.TCP), &dissector.Message{Detail: true}
	if _, err := p(dissector.Client, []byte(packet(typeRPC, true, 1, body)), m); err != nil {
		t.Fatal(err)
	}
	if got := string(Parameters.Get(&m.Values)); got != "'select @a', '@a int', @a=-2, @password=***, @b=null" {
		t.Errorf("got %s", got)
	}
	if got := string(Query.Get(&m.Values)); got != "select @a" {
		t.Errorf("got %s", got)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
		cut   bool
	}{
		{ucs("grüße 🦈"), 100, "grüße 🦈", false},
		{ucs("grüße"), 3, "gr", true},
		{"\x00\xd8x\x00", 100, "\uFFFDx", false},
		{"\x00\xd8", 100, "\uFFFD", false},
		{"a\x00b", 100, "a", false},
	} {
		if got, cut := appendText(nil, []byte(c.in), c.limit); string(got) != c.want || cut != c.cut {
			t.Errorf("%q: got %q, %v", c.in, got, cut)
		}
	}
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		client, server byte
		want           encryption
	}{
		{encryptOff, encryptOff, encryptLogin},
		{encryptOff, encryptNot, encryptNothing},
		{encryptOff, encryptRequired, encryptAll},
		{encryptOn, encryptOn, encryptAll},
		{encryptNot, encryptNot, encryptNothing},
		{encryptNot, encryptOff, encryptNothing},
	} {
		if got := agree(c.client, c.server); got != c.want {
			t.Errorf("%d, %d: got %d, want %d", c.client, c.server, got, c.want)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"batch", batch("select 1"), dissector.Request},
		{"batch of version 7.1", packet(typeBatch, true, 1, ucs("select 1")), dissector.Request},
		{"middle of a batch", packet(typeBatch, true, 3, ucs("select 1")), dissector.No},
		{"bytes that are no text", packet(typeBatch, true, 1, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"), dissector.No},
		{"prelogin", prelogin(typePrelogin, 0), dissector.Request},
		{"its answer", prelogin(typeResponse, 0), dissector.Response},
		{"part of a header", batch("select 1")[:5], dissector.More},
		{"call by number", packet(typeRPC, true, 1, headers+"\xff\xff\x0a\x00\x00\x00"), dissector.Request},
		{"done", answer(done(0, 0)), dissector.Response},
		{"done and more", answer(done(0, 0) + "x"), dissector.No},
		{"RDP", "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", dissector.No},
		{"Cassandra", "\x04\x00\x00\x01\x07\x00\x00\x00\x0f\x00\x00\x00\x08select 1\x00\x01\x00", dissector.No},
		{"MySQL", "\x03\x00\x00\x00\x1bx\x00\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := make([]byte, 8+rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0], b[1], b[2], b[3], b[7] = "\x01\x03\x04\x06\x0e\x10\x11\x12"[rng.IntN(8)], 1, 0, byte(len(b)), 0
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

// What is kept of prepared statements has a limit.
func TestStatements(t *testing.T) {
	s := statements{texts: make(map[int64][]byte)}
	for i := range int64(1000) {
		s.add(i, make([]byte, 1000))
		s.add(i, make([]byte, 900))
	}
	held := 0
	for _, text := range s.texts {
		held += len(text)
	}
	if len(s.texts) != len(s.order) || len(s.order) > maxStatements || s.held != held || held > maxHeld {
		t.Errorf("%d texts, %d in order, %d bytes, %d counted", len(s.texts), len(s.order), held, s.held)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(batch("select 1")+packet(typeRPC, true, 1, headers+"\xff\xff\x0a\x00\x00\x00\x00\x00\xe7\x40\x1f\x09\x04\xd0\x00\x34\x02\x00x\x00")), byte(3))
	f.Add([]byte(answer("\x81\x01\x00\x00\x00\x00\x00\x08\x00\xa5\xff\xff\x01c\x00\xd1\xfe\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00ab\x00\x00\x00\x00"+done(doneCount, 1))), byte(9))
	f.Add([]byte(answer("\xaa\x12\x00\x01\x00\x00\x00\x01\x10\x02\x00n\x00o\x00\x00\x00\x01\x00\x00\x00"+"\xe3\x05\x00\x01\x01a\x00\x00"+done(2, 0))), byte(0))
	f.Add([]byte(prelogin(typePrelogin, 0)+packet(typePrelogin, true, 1, hello)+"\x17\x03\x03\x00\x03abc"), byte(200))
	f.Add([]byte(packet(typeLogin, true, 1, strings.Repeat("\x5e\x00", 60))), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message { return &dissector.Message{From: from, Detail: cut%2 == 0} })
		}
	})
}
