package mqtt

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// frame makes a packet of at most 127 bytes of parts.
func frame(first byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{first, byte(len(body))}) + body
}

func str(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }

func hello(level byte, id string) string {
	props := ""
	if level == v5 {
		props = "\x00"
	}
	return frame(0x10, str("MQTT"), string([]byte{level, 2, 0, 60}), props, str(id))
}

func TestProbe(t *testing.T) {
	sub, pub := frame(0x82, "\x00\x01", str("a/#"), "\x01"), frame(0x30, str("a/b"), "hi")
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"nothing", "", dissector.More},
		{"CONNECT", hello(4, "me"), dissector.Request},
		{"CONNECT of 5.0", hello(5, "me"), dissector.Request},
		{"CONNECT of 3.1", frame(0x10, str("MQIsdp"), "\x03\x02\x00\x3c", str("me")), dissector.Request},
		{"beginning of one", hello(4, "me")[:6], dissector.More},
		{"CONNECT of another version", frame(0x10, str("MQTT"), "\x07\x02\x00\x3c", str("me")), dissector.No},
		{"CONNACK", "\x20\x02\x00\x00", dissector.MaybeResponse},
		{"CONNACK of 5.0", "\x20\x03\x00\x87\x00", dissector.Response},
		{"impossible CONNACK", "\x20\x02\x02\x00", dissector.No},
		{"PUBLISH", pub, dissector.MaybeEither},
		{"part of PUBLISH", pub[:6], dissector.More},
		{"PUBACK", "\x40\x02\x00\x01", dissector.More},
		{"two of PUBACK", "\x40\x02\x00\x01\x40\x02\x00\x02", dissector.MaybeEither},
		{"PUBLISH and PINGREQ", pub + "\xc0\x00", dissector.Request},
		{"PUBLISH and PINGRESP", pub + "\xd0\x00", dissector.Response},
		{"PUBLISH to a filter", frame(0x30, str("a/#"), "hi"), dissector.No},
		{"PINGREQ", "\xc0\x00", dissector.MaybeRequest},
		{"SUBSCRIBE", sub, dissector.Request},
		{"SUBSCRIBE and something else", sub + "GET /", dissector.Request},
		{"SUBSCRIBE without filter", frame(0x82, "\x00\x01"), dissector.No},
		{"SUBSCRIBE with identifier 0", frame(0x82, "\x00\x00", str("a"), "\x00"), dissector.No},
		{"PUT", "PUT /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n", dissector.No},
		{"POST", "POST / HTTP/1.1\r\n" + strings.Repeat("x", 200), dissector.No},
		{"digits", "0123456789", dissector.No},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", dissector.No},
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
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func TestCalls(t *testing.T) {
	accepted := "\x20\x02\x00\x00"
	publish2 := func(id string) string { return frame(0x34, str("t"), "\x00"+id, "data") }
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"QoS 2, two at once",
			dissectortest.NewScript().Client(hello(4, "me")).Server(accepted).
				Client(publish2("\x01")+publish2("\x02")).Server("\x50\x02\x00\x01", "\x50\x02\x00\x02").
				Client("\x62\x02\x00\x02\x62\x02\x00\x01").Server("\x70\x02\x00\x02", "\x70\x02\x00\x01"),
			[]string{"CONNECT me > Connection Accepted", "PUBLISH t > Success", "PUBLISH t > Success"},
		},
		{
			"QoS 2, refused",
			dissectortest.NewScript().Client(hello(5, "me")).Server("\x20\x03\x00\x00\x00").
				Client(frame(0x34, str("t"), "\x00\x01\x00", "data")).Server("\x50\x03\x00\x01\x97").
				Client(frame(0x34, str("u"), "\x00\x01\x00", "data")).Server("\x50\x02\x00\x01").
				Client("\x62\x02\x00\x01").Server("\x70\x02\x00\x01"),
			[]string{"CONNECT me > Success", "PUBLISH t > Quota exceeded truncated", "PUBLISH u > Success"},
		},
		{
			"PUBREL of an earlier connection",
			dissectortest.NewScript().Client(hello(4, "me")).Server("\x20\x02\x01\x00").
				Client("\x62\x02\x00\x09").Server("\x70\x02\x00\x09"),
			[]string{"CONNECT me > Connection Accepted", "PUBREL > Success"},
		},
		{
			"an identifier from before a loss",
			dissectortest.NewScript().Client(hello(4, "me")).Server(accepted).
				Client(frame(0x32, str("a"), "\x00\x01", "x")).Lose().Server("\x40\x02\x00\x01").
				Client(frame(0x82, "\x00\x02", str("f"), "\x00")).Server("\x90\x03\x00\x02\x00").
				Client(frame(0x32, str("b"), "\x00\x01", "x")).Server("\x40\x02\x00\x01"),
			nil,
		},
		{
			"aliases",
			dissectortest.NewScript().Client(hello(5, "me")).Server("\x20\x03\x00\x00\x00").
				Client(frame(0x30, str("long/name"), "\x03\x23\x00\x01", "x"), frame(0x30, str(""), "\x03\x23\x00\x01", "x")).
				Server(frame(0x30, str(""), "\x03\x23\x00\x01", "x")),
			[]string{"CONNECT me > Success", "PUBLISH long/name one-way", "PUBLISH long/name one-way", "PUBLISH one-way resumed"},
		},
		{
			"authentication, and the server hangs up",
			dissectortest.NewScript().Client(hello(5, "me")).Server(frame(0xf0, "\x18\x00")).
				Client(frame(0xf0, "\x18\x00")).Server("\x20\x03\x00\x00\x00").Server(frame(0xe0, "\x8e\x00")),
			[]string{"AUTH one-way", "AUTH one-way", "CONNECT me > Success", "DISCONNECT one-way"},
		},
	} {
		got := c.script.Close().Calls(t, Protocol)
		if c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
		if slices.Contains(got, "PUBLISH a > Success") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// A payload is passed over, and only what comes before it is asked for.
func TestPayloadsAreNotWaitedFor(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	var m dissector.Message
	span, err := parse(dissector.Client, []byte("\x30\xff\xff\xff\x7f\x00\x01t"), &m)
	if err != nil || span != 5+1<<28-1 {
		t.Errorf("span %d, %v", span, err)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	var m dissector.Message
	b := frame(0x10, str("MQTT"), "\x04\xc6\x00\x3c", str("me"), str("will/topic"), str("bye"), str("gateway"), str("secret"))
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(b), &m); err != nil {
		t.Fatal(err)
	}
	if user := string(User.Get(&m.Values)); user != "gateway" {
		t.Errorf("user %q", user)
	}
	for f, v := range m.All() {
		if strings.Contains(string(v.Bytes), "secret") {
			t.Errorf("%s holds the password", f.Name)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		from dissector.Side
		b    string
	}{
		"type 0":                       {dissector.Client, "\x00\x00"},
		"QoS 3":                        {dissector.Client, "\x36\x05\x00\x01t\x00\x01"},
		"length of five bytes":         {dissector.Client, "\x30\xff\xff\xff\xff\x01"},
		"length that is too long":      {dissector.Client, "\x30\x85\x00"},
		"CONNECT of the server":        {dissector.Server, hello(4, "me")},
		"CONNACK of the client":        {dissector.Client, "\x20\x02\x00\x00"},
		"identifier 0":                 {dissector.Server, "\x40\x02\x00\x00"},
		"topic longer than the packet": {dissector.Client, "\x30\x05\x00\x09t\x00\x01"},
		"topic with a wildcard":        {dissector.Client, frame(0x30, str("a/#"))},
		"subscription to nothing":      {dissector.Client, "\x82\x02\x00\x01"},
		"PINGREQ with a body":          {dissector.Client, "\xc0\x01x"},
		"connection cut short":         {dissector.Client, frame(0x10, str("MQTT"), "\x04\x80\x00\x3c", str("me"))},
	} {
		var m dissector.Message
		if _, err := Protocol.New(dissector.TCP)(c.from, []byte(c.b), &m); err != errMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVersionsAreGuessed(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want byte
	}{
		"3.1.1":           {str("a/#") + "\x01", v311},
		"5.0":             {"\x00" + str("a/#") + "\x01", v5},
		"with properties": {"\x02\x0b\x07" + str("a/#") + "\x01", v5},
	} {
		if got := guessVersion(subscribe, []byte(c.body)); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(hello(5, "me")+frame(0x34, str("t"), "\x00\x01\x03\x23\x00\x01", "data")+"\x62\x02\x00\x01"), byte(3))
	f.Add([]byte("\x20\x03\x00\x00\x00\x90\x04\x00\x01\x00\x87\x50\x03\x00\x01\x97"), byte(0))
	f.Add([]byte(frame(0x82, "\x00\x01", str("a/#"), "\x01")+"\xc0\x00\xe0\x00"), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			parse := Protocol.New(dissector.TCP)
			if cut&1 == 1 {
				_, _ = parse(dissector.Client, []byte(hello(v5, "me")), new(dissector.Message))
			}
			dissectortest.Feed(t, parse, from, b, 1+int(cut), func() *dissector.Message { return new(dissector.Message) })
		}
	})
}
