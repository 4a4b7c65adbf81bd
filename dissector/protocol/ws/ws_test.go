package ws

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// packed writes a frame: masked, as the client's are, or not.
func packed(first byte, masked bool, payload string) string {
	b := []byte{first}
	flag := byte(0)
	if masked {
		flag = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, flag|byte(n))
	case n < 1<<16:
		b = append(b, flag|126, byte(n>>8), byte(n))
	default:
		b = append(b, flag|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if !masked {
		return string(b) + payload
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return string(b)
}

func up(first byte, payload string) string   { return packed(first, true, payload) }
func down(first byte, payload string) string { return packed(first, false, payload) }

// pack compresses messages as a side does that keeps its window.
func pack(messages ...string) (out []string) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	for _, m := range messages {
		b.Reset()
		_, _ = w.Write([]byte(m))
		_ = w.Flush()
		out = append(out, string(bytes.TrimSuffix(b.Bytes(), []byte(tail[:4]))))
	}
	return out
}

const (
	upgrade  = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
)

func begin() *dissectortest.Script {
	return dissectortest.NewScript().Client(upgrade).Server(switched)
}

func TestCalls(t *testing.T) {
	packed := pack("the first of some", "the first of some, again", "the first of some, and again")
	const long = "a message with more than enough in it to be told from other bytes"
	for name, c := range map[string]struct {
		script *dissectortest.Script
		want   []string
	}{
		"both sides": {
			begin().Client(up(0x81, "hello")).Server(down(0x81, "hi")).Client(up(0x82, "\x00\x01")),
			[]string{"text hello one-way", "text hi one-way", "binary 2 bytes one-way"},
		},
		"pings of both": {
			begin().Client(up(0x89, "abcd")).Server(down(0x8a, "abcd")).Server(down(0x89, "")).Client(up(0x8a, "")),
			[]string{"ping abcd > ", "ping > "},
		},
		"only the last ping is answered": {
			begin().Client(up(0x89, "one!"), up(0x89, "two!")).Server(down(0x8a, "two!")).Close(),
			[]string{"ping two! > ", "ping one! > -"},
		},
		"pong that nobody asked for": {
			begin().Server(down(0x8a, "beat")).Client(up(0x89, "")),
			[]string{"pong beat one-way", "ping > -"},
		},
		"fragments and what is between": {
			begin().Server(down(0x01, "a "), down(0x89, ""), down(0x8a, ""), down(0x80, "b")).Client(up(0x8a, "")),
			[]string{"ping one-way", "pong one-way", "text a b one-way", "pong one-way"},
		},
		"close": {
			begin().Client(up(0x88, "\x03\xf3out of cups")).Server(down(0x88, "\x03\xf3")),
			[]string{"close 1011 internal error: out of cups one-way", "close 1011 internal error one-way"},
		},
		"compressed": {
			begin().Client(up(0xc1, packed[0]), up(0xc1, packed[1])),
			[]string{"text the first of some one-way", "text the first of some, again one-way"},
		},
		"compressed in fragments": {
			begin().Client(up(0x41, packed[0][:3]), up(0x80, packed[0][3:]), up(0xc1, packed[1])),
			[]string{"text the first of some one-way", "text the first of some, again one-way"},
		},
		"compressed after a loss": {
			begin().Lose().Client(up(0xc1, packed[0])).Client(up(0x81, long), up(0xc1, packed[1]), up(0xc1, packed[2])),
			[]string{"text " + long + " one-way resumed", fmt.Sprintf("text %d bytes compressed one-way", len(packed[1])), fmt.Sprintf("text %d bytes compressed one-way", len(packed[2]))},
		},
		"not deflate": {begin().Server(down(0xc1, "\xff\xff\xff")), []string{"text 3 bytes compressed one-way"}},
		"a pong is lost": {
			begin().Client(up(0x89, "")).Lose().Server(down(0x8a, "")).Client(up(0x89, "")).Server(down(0x8a, ""), down(0x81, long)).Close(),
			[]string{"pong one-way resumed", "text " + long + " one-way", "ping > -", "ping > -"},
		},
		"a message inside another": {begin().Server(down(0x01, "a"), down(0x81, "b")), []string{"text one-way truncated"}},
		"fragment of none":         {begin().Server(down(0x80, "a")), nil},
		"cut at a character":       {begin().Client(up(0x81, strings.Repeat("x", 99)+strings.Repeat("é", 200))), []string{"text " + strings.Repeat("x", 99) + " one-way"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.script.Calls(t, http.Protocol, Protocol)[1:]
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		err    error
		size   int
		length int64
	}{
		"short":                   {"\x81\x05", nil, 2, 5},
		"16 bits":                 {"\x82\x7e\x01\x00", nil, 4, 256},
		"64 bits":                 {"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", nil, 10, 65536},
		"masked":                  {"\x81\x85abcd", nil, 6, 5},
		"half":                    {"\x81\x85abc", dissector.ErrShort, 0, 0},
		"one byte":                {"\x81", dissector.ErrShort, 0, 0},
		"16 bits for less":        {"\x82\x7e\x00\x7d", errFrame, 0, 0},
		"64 bits for less":        {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", errFrame, 0, 0},
		"length is negative":      {"\x82\x7f\xff\x00\x00\x00\x00\x01\x00\x00", errFrame, 0, 0},
		"unknown opcode":          {"\x83\x00", errFrame, 0, 0},
		"reserved bits":           {"\xa1\x00", errFrame, 0, 0},
		"control in fragments":    {"\x09\x00", errFrame, 0, 0},
		"large control":           {"\x89\x7e\x01\x00", errFrame, 0, 0},
		"compressed control":      {"\xc9\x00", errFrame, 0, 0},
		"compressed continuation": {"\xc0\x00", errFrame, 0, 0},
	} {
		f, _, err := readFrame([]byte(c.in))
		if !errors.Is(err, c.err) || err == nil && (f.size != c.size || f.length != c.length) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestProbe(t *testing.T) {
	const text = `{"event":"stock","item":7,"left":93}`
	for name, c := range map[string]struct {
		in   string
		want dissector.Guess
	}{
		"nothing":              {"", dissector.More},
		"masked text":          {up(0x81, text), dissector.Request},
		"text":                 {down(0x81, text), dissector.MaybeResponse},
		"little text":          {up(0x81, "hi"), dissector.More},
		"many small":           {strings.Repeat(up(0x82, "\x00\x01"), 7), dissector.MaybeRequest},
		"not UTF-8":            {down(0x81, text+"\xff"), dissector.No},
		"continuation":         {down(0x80, text), dissector.No},
		"both masked and not":  {up(0x82, "x") + down(0x82, "x"), dissector.No},
		"close without a code": {down(0x88, "\x00\x01"), dissector.No},
		"fragment of nothing":  {"\x01\x00", dissector.No},
		"letters":              {"GET / HTTP/1.1\r\n", dissector.No},
		"mask of zeros":        {"\x81\xa4\x00\x00\x00\x00" + text, dissector.MaybeRequest},
	} {
		if got := probe([]byte(c.in)); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// A message that inflates to suspiciously much is left, and what refers to it too.
func TestInflatingIsBounded(t *testing.T) {
	packed := pack(strings.Repeat("\x00", 64<<20), "what comes after")
	var z inflater
	if _, _, why := z.message([]byte(packed[0]), false); why != tooLarge {
		t.Errorf("bomb: %q", why)
	}
	if z.out > freeInflate+maxRatio*z.in+maxWindow {
		t.Errorf("inflated to %d bytes", z.out)
	}
	if _, _, why := z.message(nil, true); why != tooLarge {
		t.Errorf("over: %q", why)
	}
	small := pack(strings.Repeat("\x00", 2<<20))[0]
	z = inflater{}
	if _, _, why := z.message([]byte(small), false); why != tooLarge || z.out > 512<<10 {
		t.Errorf("%d bytes became %d: %q", len(small), z.out, why)
	}
}

func TestContent(t *testing.T) {
	m := &dissector.Message{Raw: []byte(up(0x01, "one, ") + up(0x80, "two"))}
	if got, err := content(m, nil, 100); err != nil || string(got) != "one, two" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := content(m, nil, 6); err != nil || string(got) != "one, t" {
		t.Errorf("limited: %q, %v", got, err)
	}
	packed := pack("the first of some", "the first of some, again")
	m = &dissector.Message{Raw: []byte(down(0xc1, packed[1])), Ride: []byte("the first of some")}
	Compressed.Set(&m.Values, true)
	if got, err := content(m, nil, 100); err != nil || string(got) != "the first of some, again" {
		t.Errorf("compressed: %q, %v", got, err)
	}
	m.Lost = 1
	if _, err := content(m, nil, 100); err == nil {
		t.Error("no error where bytes are missing")
	}
}

// FuzzParse checks that whatever comes does no harm, in pieces of any size.
func FuzzParse(f *testing.F) {
	packed := pack("the first of some", "the first of some, again")
	f.Add(true, byte(3), []byte(up(0x81, "hello")+up(0x01, "a")+up(0x89, "")+up(0x80, "b")+up(0x88, "\x03\xe8bye")))
	f.Add(false, byte(9), []byte(down(0xc1, packed[0])+down(0x41, packed[1][:2])+down(0x8a, "x")+down(0x80, packed[1][2:])))
	f.Fuzz(func(t *testing.T, client bool, piece byte, b []byte) {
		defer dissectortest.Bounded(t)()
		from := dissector.Server
		if client {
			from = dissector.Client
		}
		probe(b)
		blank := func() *dissector.Message { return &dissector.Message{From: from} }
		dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(piece), blank)
		m := &dissector.Message{Raw: b}
		_, _ = content(m, nil, 1<<16)
	})
}
