package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// raw makes a frame.
func raw(kind byte, channel int, payload string) string {
	b := []byte{kind}
	b = binary.BigEndian.AppendUint16(b, uint16(channel))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return string(b) + payload + "\xce"
}

// invoke makes a method frame of a method's name and arguments: strings become short
// strings, bools octets, ints short or, from 1<<16 on, long integers, uint64s long
// long ones, and []byte is taken as it is.
func invoke(channel int, name string, arguments ...any) string {
	var n id
	for i, md := range methods {
		if md.name == name {
			n = i
		}
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	for _, a := range arguments {
		switch a := a.(type) {
		case string:
			b = append(append(b, byte(len(a))), a...)
		case bool:
			b = append(b, 0)
			if a {
				b[len(b)-1] = 1
			}
		case int:
			b = binary.BigEndian.AppendUint16(b, uint16(a))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, a)
		case []byte:
			b = append(b, a...)
		}
	}
	return raw(methodFrame, channel, string(b))
}

func head(channel int, size uint64) string {
	b := binary.BigEndian.AppendUint64([]byte{0, classBasic, 0, 0}, size)
	return raw(headerFrame, channel, string(append(b, 0, 0)))
}

func published(channel int, key, body string) string {
	s := invoke(channel, "basic.publish", 0, "", key, false) + head(channel, uint64(len(body)))
	if body != "" {
		s += raw(bodyFrame, channel, body)
	}
	return s
}

func delivered(channel int, tag uint64, key string) string {
	return invoke(channel, "basic.deliver", "c", tag, false, "", key) + head(channel, 0)
}

func acked(channel int, tag uint64, multiple bool) string {
	return invoke(channel, "basic.ack", tag, multiple)
}

func nacked(channel int, tag uint64) string { return invoke(channel, "basic.nack", tag, false) }

var emptyTable = make([]byte, 4)

func declared(channel int, queue string) (request, response string) {
	return invoke(channel, "queue.declare", 0, queue, false, emptyTable), invoke(channel, "queue.declare-ok", queue, make([]byte, 8))
}

// confirming is a connection with a channel in confirm mode.
func confirming() *dissectortest.Script {
	return dissectortest.NewScript().
		Client(invoke(1, "channel.open", "")).Server(invoke(1, "channel.open-ok", emptyTable)).
		Client(invoke(1, "confirm.select", false)).Server(invoke(1, "confirm.select-ok"))
}

var opening = []string{"channel.open > channel.open-ok", "confirm.select > confirm.select-ok"}

func check(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	got := s.Close().Calls(t, Protocol)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestConfirms(t *testing.T) {
	with := func(lines ...string) []string { return append(lines, opening...) }
	t.Run("multiple", func(t *testing.T) {
		check(t, confirming().Client(published(1, "a", "x")+published(1, "b", "")+published(1, "c", "z")).
			Server(acked(1, 2, true), nacked(1, 3)),
			with("basic.publish a > basic.ack", "basic.publish b > basic.ack", "basic.publish c > basic.nack")...)
	})
	t.Run("out of order", func(t *testing.T) {
		check(t, confirming().Client(published(1, "a", ""), published(1, "b", "")).Server(nacked(1, 2), acked(1, 1, false)),
			with("basic.publish a > basic.ack", "basic.publish b > basic.nack")...)
	})
	t.Run("all", func(t *testing.T) {
		check(t, confirming().Client(published(1, "a", ""), published(1, "b", "")).Server(acked(1, 0, true)),
			with("basic.publish a > basic.ack", "basic.publish b > basic.ack")...)
	})
	t.Run("more than are paired", func(t *testing.T) {
		want := opening
		s := confirming()
		for i := range maxUnsettled + 5 {
			s.Client(published(1, "k", ""))
			if i < maxUnsettled {
				want = append(want, "basic.publish k > basic.ack")
			} else {
				want = append(want, "basic.publish k one-way unpaired")
			}
		}
		s.Server(acked(1, maxUnsettled+4, true), acked(1, maxUnsettled+5, false)).Client(published(1, "z", "")).Server(acked(1, maxUnsettled+6, false))
		check(t, s, append(want, fmt.Sprintf("basic.ack tag %d one-way", maxUnsettled+5), "basic.publish z > basic.ack")...)
	})
	t.Run("none was counted", func(t *testing.T) {
		check(t, confirming().Client(published(1, "a", "")).Server(acked(1, 9, true)).Client(published(1, "b", "")),
			with("basic.publish a > -", "basic.ack up to tag 9 one-way", "basic.publish b one-way")...)
	})
	t.Run("again after reopening", func(t *testing.T) {
		s := confirming().Client(published(1, "a", "")).Client(invoke(1, "channel.close", 200, "", 0, 0)).Server(invoke(1, "channel.close-ok")).
			Client(invoke(1, "channel.open", "")).Server(invoke(1, "channel.open-ok", emptyTable)).
			Client(invoke(1, "confirm.select", true)).Client(published(1, "b", "")).Server(acked(1, 1, false))
		check(t, s, with("basic.publish a > -", "channel.close > channel.close-ok", "channel.open > channel.open-ok", "confirm.select one-way", "basic.publish b > basic.ack")...)
	})
	t.Run("after a loss of publishes", func(t *testing.T) {
		check(t, confirming().Client(published(1, "a", "")).Lose().Client(published(1, "b", "")).Client(published(1, "c", "")).
			Server(acked(1, 3, true)),
			with("basic.publish a > basic.ack", "basic.publish c one-way resumed")...)
	})
	t.Run("mode not seen", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(published(1, "a", "")).Server(acked(1, 1, false)+delivered(1, 1, "q")),
			"basic.publish a one-way", "basic.ack tag 1 one-way", "basic.deliver q one-way unpaired")
	})
}

func TestPairsAfterLoss(t *testing.T) {
	a, aOk := declared(1, "a")
	b, bOk := declared(1, "b")
	t.Run("of an answer", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(a).Lose().Server(aOk).Client(b).Server(bOk),
			"queue.declare a > -", "queue.declare b > -", "- > queue.declare-ok resumed")
	})
	t.Run("of an answer, then silence", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(a).Lose().Server(aOk).Client(b).Server(bOk).Wait(2e9).Client(a).Server(aOk),
			"queue.declare a > -", "queue.declare b > -", "- > queue.declare-ok resumed", "queue.declare a > queue.declare-ok")
	})
	t.Run("of a request", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(a).Server(aOk).Lose().Client(b).Server(bOk).Client(b).Server(bOk).Client(a).Server(aOk),
			"queue.declare a > queue.declare-ok", "- > queue.declare-ok", "queue.declare b > - resumed", "- > queue.declare-ok", "queue.declare a > queue.declare-ok")
	})
	t.Run("of something else", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(a).Lose().Server(delivered(2, 1, "x")).Server(aOk),
			"queue.declare a > queue.declare-ok resumed")
	})
	t.Run("with requests ahead of answers", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(a, b).Lose().Server(aOk).Server(bOk),
			"queue.declare a > -", "queue.declare b > -", "- > queue.declare-ok resumed")
	})
}

func TestCloses(t *testing.T) {
	request, _ := declared(1, "a")
	closed := func(class, method int) string { return invoke(1, "channel.close", 404, "NOT_FOUND", class, method) }
	t.Run("answers what it names", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(request).Server(closed(50, 10)).Client(invoke(1, "channel.close-ok")),
			"queue.declare a > NOT_FOUND", "channel.close-ok one-way")
	})
	t.Run("names another method", func(t *testing.T) {
		check(t, dissectortest.NewScript().Client(published(1, "k", ""), request).Server(closed(60, 40)),
			"basic.publish k one-way", "queue.declare a > -", "channel.close NOT_FOUND one-way")
	})
}

// A connection that dies with the protocol header: the answer is another one, or none.
func TestRefused(t *testing.T) {
	check(t, dissectortest.NewScript().Client(header).Server("AMQP\x00\x00\x08\x00"), "connection.start > another protocol header")
	check(t, dissectortest.NewScript().Client(header).Server(header), "connection.start > the same protocol header")
	check(t, dissectortest.NewScript().Client(header), "connection.start > -")
}

// Content whose frames other channels' frames part.
func TestParted(t *testing.T) {
	m1, m2 := invoke(1, "basic.publish", 0, "", "a", false), invoke(2, "basic.publish", 0, "", "b", false)
	half := strings.Repeat("x", 500)
	b1, b2 := raw(bodyFrame, 1, half), raw(bodyFrame, 2, half)
	for name, c := range map[string]struct {
		said string
		want []string
	}{
		"method":     {m1 + m2 + head(1, 500) + b1 + head(2, 500) + b2, []string{"basic.publish a one-way", "basic.publish b one-way"}},
		"first body": {m1 + head(1, 500) + m2 + head(2, 500) + b1 + b2, []string{"basic.publish a one-way truncated", "basic.publish b one-way truncated"}},
		"next body":  {m1 + head(1, 1000) + b1 + m2 + head(2, 0) + b1, []string{"basic.publish a one-way truncated", "basic.publish b one-way"}},
		"heartbeat":  {m1 + head(1, 1000) + b1 + raw(heartbeatFrame, 0, "") + b1 + m2 + head(2, 0), []string{"basic.publish a one-way truncated", "basic.publish b one-way"}},
		"not at all": {m1 + head(1, 1000) + b1 + b1, []string{"basic.publish a one-way"}},
	} {
		t.Run(name, func(t *testing.T) { check(t, dissectortest.NewScript().Client(c.said), c.want...) })
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		from dissector.Side
		in   string
	}{
		"type":               {dissector.Client, "\x04\x00\x00\x00\x00\x00\x00\xce"},
		"end":                {dissector.Client, strings.TrimSuffix(acked(1, 1, false), "\xce") + "x"},
		"method":             {dissector.Client, raw(methodFrame, 1, "\x00\x3c\x00\x63")},
		"sender":             {dissector.Server, published(1, "k", "")},
		"channel":            {dissector.Client, invoke(1, "connection.open", "/", "", false)},
		"arguments":          {dissector.Client, raw(methodFrame, 1, "\x00\x3c\x00\x50\x00")},
		"too many arguments": {dissector.Client, invoke(1, "tx.select", 1)},
		"heartbeat":          {dissector.Client, raw(heartbeatFrame, 0, "x")},
		"size":               {dissector.Client, "\x01\x00\x01\x7f\xff\xff\xff"},
		"no header frame":    {dissector.Client, invoke(1, "basic.publish", 0, "", "", false) + acked(1, 1, false)},
		"body too long":      {dissector.Client, invoke(1, "basic.publish", 0, "", "", false) + head(1, 1) + raw(bodyFrame, 1, "xx")},
		"huge body":          {dissector.Client, invoke(1, "basic.publish", 0, "", "", false) + head(1, 1<<63)},
		"version":            {dissector.Client, "AMQP\x00\x01\x00\x00"},
	} {
		if _, err := Protocol.New(dissector.TCP)(c.from, []byte(c.in), new(dissector.Message)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is over a limit is not paired, and does no harm.
func TestTooManyChannels(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	for n := 1; n <= maxChannels+1; n++ {
		said := []byte(invoke(n, "channel.open", ""))
		m := new(dissector.Message)
		if span, err := parse(dissector.Client, said, m); err != nil || span != int64(len(said)) {
			t.Fatalf("channel %d: span %d, %v", n, span, err)
		}
		if over := n > maxChannels; over != (m.Role == dissector.OneWay) {
			t.Errorf("channel %d: role %d", n, m.Role)
		}
	}
	n := maxChannels + 1
	for _, said := range []string{
		invoke(n, "basic.publish", 0, "", "k", false) + acked(1, 1, false), head(n, 3), raw(bodyFrame, n, "abc"), // parted
		published(n, "k", "v"), acked(n, 1, true),
	} {
		if _, err := parse(dissector.Client, []byte(said), new(dissector.Message)); err != nil {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// A body is passed over, however long it is.
func TestLongBody(t *testing.T) {
	said := invoke(1, "basic.publish", 0, "", "k", false) + head(1, 1<<20)
	said += raw(bodyFrame, 1, strings.Repeat("x", 1<<20))[:100]
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(said), m)
	if want := int64(len(said) - 100 + frameHead + 1<<20 + 1); err != nil || span != want || m.Open {
		t.Errorf("span %d, want %d, open %t, %v", span, want, m.Open, err)
	}
}

func TestCredentialsAreNotKept(t *testing.T) {
	secret := []byte("\x00\x00\x00\x0f\x00guest\x00hunter22")
	said := invoke(0, "connection.start-ok", emptyTable, "PLAIN", secret, "en_US")
	m := new(dissector.Message)
	m.Detail = true
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(said), m); err != nil {
		t.Fatal(err)
	}
	for f, v := range m.All() {
		if strings.Contains(string(v.Bytes), "hunter22") || strings.Contains(string(v.Bytes), "guest") {
			t.Errorf("%s = %q", f.Name, v.Bytes)
		}
	}
	if got := string(Mechanism.Get(&m.Values)); got != "PLAIN" {
		t.Errorf("mechanism %q", got)
	}
}

func TestProbe(t *testing.T) {
	request, response := declared(1, "orders")
	beat := raw(heartbeatFrame, 0, "")
	for name, c := range map[string]struct {
		head string
		want dissector.Guess
	}{
		"nothing":                {"", dissector.More},
		"protocol header":        {header, dissector.Either},
		"part of one":            {header[:7], dissector.More},
		"AMQP 1.0":               {"AMQP\x00\x01\x00\x00", dissector.No},
		"AMQP 1.0 with SASL":     {"AMQP\x03\x01\x00\x00", dissector.No},
		"request":                {request, dissector.Request},
		"response":               {response, dissector.Response},
		"part of a request":      {request[:20], dissector.More},
		"publish":                {published(1, "k", "v"), dissector.Request},
		"deliver":                {delivered(1, 1, "k"), dissector.Response},
		"ack":                    {acked(1, 1, false), dissector.Either},
		"acks and a request":     {acked(1, 1, false) + beat + acked(1, 2, true) + request, dissector.Request},
		"acks and a response":    {acked(1, 1, false) + delivered(1, 1, "k"), dissector.Response},
		"heartbeat and response": {beat + response, dissector.Response},
		"wrong end":              {request[:len(request)-1] + "x", dissector.No},
		"nonsense behind it":     {request + "GET", dissector.No},
		"body":                   {raw(bodyFrame, 1, request), dissector.No},
		"too long":               {"\x01\x00\x01\x00\x01\x00\x00\x00\x32\x00\x0a", dissector.No},
		"MQTT":                   {"\x10\x0c\x00\x04MQTT", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	request, response := declared(1, "q")
	f.Add([]byte(header+request+response), byte(3))
	f.Add([]byte(published(1, "a", "body")+acked(1, 1, true)), byte(0))
	f.Add([]byte(invoke(1, "channel.open", "")+invoke(1, "confirm.select", false)+published(1, "a", "body")+acked(1, 1, true)), byte(9))
	f.Add([]byte(invoke(1, "basic.publish", 0, "", "k", false)+head(1, 4)+raw(bodyFrame, 1, "ab")+raw(heartbeatFrame, 0, "")+raw(bodyFrame, 1, "cd")), byte(50))
	f.Add([]byte(delivered(1, 1, "k")+response), byte(200))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		parse := Protocol.New(dissector.TCP)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			m := new(dissector.Message)
			for off, have := 0, 0; have < len(b); {
				have = min(len(b), max(off, have)+1+int(cut))
				for off < have {
					span, err := parse(from, b[off:have], m)
					if err == dissector.ErrShort {
						break
					}
					if err != nil {
						m.Gap, span = 1, 1
					} else if m.Gap = 0; span <= 0 {
						t.Fatalf("span %d", span)
					} else if m.Again {
						span = 0
					}
					off += int(min(span, int64(len(b))))
					if !m.Open {
						gap := m.Gap
						m = new(dissector.Message)
						m.Gap = gap
					}
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	parse := Protocol.New(dissector.TCP)
	request, response := []byte(published(1, "orders", strings.Repeat("v", 200))), []byte(delivered(1, 7, "orders"))
	var m dissector.Message
	b.SetBytes(int64(len(request) + len(response)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, request, &m); err != nil {
			b.Fatal(err)
		}
		m.Values.Reset()
		if _, err := parse(dissector.Server, response, &m); err != nil {
			b.Fatal(err)
		}
	}
}
