package amqp1

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// raw is a value that is encoded already, symbol one that is a symbol.
type (
	raw    string
	symbol string
)

func encode(v any) string {
	switch v := v.(type) {
	case nil:
		return "\x40"
	case raw:
		return string(v)
	case bool:
		return map[bool]string{true: "\x41", false: "\x42"}[v]
	case int:
		if v == 0 {
			return "\x43"
		}
		return string(binary.BigEndian.AppendUint32([]byte{uint32c}, uint32(v)))
	case symbol:
		return string([]byte{symbol8, byte(len(v))}) + string(v)
	case []byte:
		return string(binary.BigEndian.AppendUint32([]byte{binary32}, uint32(len(v)))) + string(v)
	case string:
		return string([]byte{string8, byte(len(v))}) + v
	}
	panic("no such value")
}

// of makes a described list, or what else is of it.
func of(kind byte, fields ...any) raw {
	var b string
	for _, f := range fields {
		b += encode(f)
	}
	head := binary.BigEndian.AppendUint32([]byte{0, smallUlng, kind, list32}, uint32(len(b)+4))
	return raw(string(binary.BigEndian.AppendUint32(head, uint32(len(fields)))) + b)
}

func framed(kind byte, channel int, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+frameHead))
	return string(binary.BigEndian.AppendUint16(append(b, 2, kind), uint16(channel))) + body
}

func say(kind byte, fields ...any) string { return sayOn(0, kind, fields...) }

func sayOn(channel int, kind byte, fields ...any) string {
	return framed(amqpFrame, channel, string(of(kind, fields...)))
}

func secured(kind byte, fields ...any) string {
	return framed(saslFrame, 0, string(of(kind, fields...)))
}

var (
	askBegin   = say(begin, nil, 0, 100, 100)
	giveBegin  = say(begin, raw("\x60\x00\x00"), 0, 100, 100)
	askAttach  = say(attach, "out", 0, false, nil, nil, of(source), of(target, "shop"))
	giveAttach = say(attach, "out", 0, true, nil, nil, of(source), of(target, "shop"))
	takeAttach = say(attach, "in", 1, true, nil, nil, of(source, "shop"), of(target))
	sendAttach = say(attach, "in", 1, false, nil, nil, of(source, "shop"), of(target))
)

func body(s string) string { return string(raw("\x00\x53\x75") + raw(encode([]byte(s)))) }

// sent makes a transfer on the client's link.
func sending(id any, settled, more bool, payload string) string {
	return framed(amqpFrame, 0, string(of(transfer, 0, id, []byte("t"), nil, settled, more))+payload)
}

func settle(first, last any, state raw) string {
	return say(disposition, true, first, last, true, state)
}

// linked is a connection with a link each way.
func linked() *dissectortest.Script {
	return dissectortest.NewScript().Client(askBegin + askAttach).Server(giveBegin + giveAttach).Client(takeAttach).Server(sendAttach)
}

var linking = []string{"begin > begun", "attach sender shop > attached", "attach receiver shop > attached"}

func check(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	got := s.Close().Calls(t, Protocol)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func with(lines ...string) []string { return append(lines, linking...) }

func TestOutcomes(t *testing.T) {
	failure := of(errorDesc, symbol("shop:closed"), "come again")
	for name, c := range map[string]struct {
		said string
		want string
	}{
		"accepted":               {settle(1, nil, of(accepted)), "transfer shop > accepted"},
		"rejected":               {settle(1, nil, of(rejected, failure)), "transfer shop > rejected"},
		"released":               {settle(1, nil, of(released)), "transfer shop > released"},
		"modified":               {settle(1, nil, of(modified, true)), "transfer shop > modified"},
		"only settled":           {settle(1, nil, "\x40"), "transfer shop > settled"},
		"not settled":            {say(disposition, true, 1, nil, false, of(accepted)), "transfer shop > accepted"},
		"in a transaction":       {settle(1, nil, of(transactional, []byte("x"), of(accepted))), "transfer shop > accepted"},
		"of a transaction":       {settle(1, nil, of(declared, []byte("x"))), "transfer shop > declared"},
		"by a symbol":            {settle(1, nil, raw("\x00\xa3\x12amqp:accepted:list\x45")), "transfer shop > accepted"},
		"a range that holds it":  {settle(0, 9, of(accepted)), "transfer shop > accepted"},
		"a range that wraps":     {settle(1<<32-2, 3, of(accepted)), "transfer shop > accepted"},
		"a range upside down":    {settle(3, 0, of(accepted)), "transfer shop > -\ndisposition accepted 3..0 one-way"},
		"another":                {settle(2, nil, of(accepted)), "transfer shop > -\ndisposition accepted 2 one-way"},
		"how far it came":        {say(disposition, true, 1, nil, false, of(received, 0, 0)), "transfer shop > -\ndisposition received 1 shop one-way"},
		"of the server's":        {say(disposition, false, 1, nil, true, of(accepted)), "transfer shop > -\ndisposition accepted 1 one-way"},
		"none, and nothing said": {say(disposition, true, 1), "transfer shop > -\ndisposition 1 shop one-way"},
		"ended instead":          {say(end, failure), "transfer shop > -\nend come again one-way"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, linked().Client(sending(1, false, false, body("x"))).Server(c.said), with(strings.Split(c.want, "\n")...)...)
		})
	}
}

func TestRange(t *testing.T) {
	s, want := linked(), linking
	for id := range maxUnsettled + 2 {
		s.Client(sending(id, false, false, body("x")))
		if id < maxUnsettled {
			want = append(want, "transfer shop > accepted")
		} else {
			want = append(want, "transfer shop one-way unpaired")
		}
	}
	shortest := framed(amqpFrame, 0, "\x00\x53\x15\xc0\x06\x04\x41\x43\x52\x14\x41")
	check(t, s.Server(settle(0, maxUnsettled+1, of(accepted))), want...)
	check(t, linked().Client(sending(0, false, false, "")+sending(1, false, false, "")).Server(shortest), with("transfer shop > settled", "transfer shop > settled")...)
}

// Transfers of the server are its calls.
func TestDeliveries(t *testing.T) {
	deliver := func(id any, settled, more bool, payload string) string {
		return framed(amqpFrame, 0, string(of(transfer, 1, id, []byte("t"), nil, settled, more))+payload)
	}
	three := deliver(7, false, false, body("x")) + deliver(8, false, false, "") + deliver(9, false, false, "")
	for name, c := range map[string]struct {
		server, client string
		want           []string
	}{
		"each": {three, settle(9, nil, of(accepted)) + settle(7, nil, of(rejected)) + settle(8, nil, of(modified, true)), with(
			"transfer shop > accepted", "transfer shop > rejected", "transfer shop > modified")},
		"several": {three, settle(7, 8, of(released)), with("transfer shop > released", "transfer shop > released", "transfer shop > -")},
		"more than there are": {three, settle(0, 100, of(accepted)), with(
			"transfer shop > accepted", "transfer shop > accepted", "transfer shop > accepted")},
		"settled": {deliver(7, true, false, ""), settle(7, nil, of(accepted)), with("transfer shop one-way", "disposition accepted 7 shop one-way")},
		"frames":  {deliver(7, false, true, body("xx")[:4]) + deliver(nil, false, false, "x"), settle(7, nil, of(accepted)), with("transfer shop > accepted")},
		"the server's own word": {deliver(7, false, false, "") + say(disposition, false, 7, nil, true), settle(7, nil, of(accepted)), with(
			"disposition settled 7 shop one-way", "transfer shop > accepted")},
		"ids that go back": {deliver(7, false, false, "") + deliver(5, false, false, ""), settle(5, 7, of(accepted)), with(
			"transfer shop > accepted", "transfer shop one-way unpaired")},
		"ids that wrap": {deliver(1<<32-1, false, false, "") + deliver(0, false, false, ""), settle(1<<32-1, 0, of(accepted)), with(
			"transfer shop > accepted", "transfer shop > accepted")},
		"ended instead": {three, say(end), with("transfer shop > -", "transfer shop > -", "transfer shop > -", "end > -")},
	} {
		t.Run(name, func(t *testing.T) { check(t, linked().Server(c.server).Client(c.client), c.want...) })
	}
	t.Run("both sides", func(t *testing.T) { // whose ids are their own
		check(t, linked().Server(deliver(1, false, false, "")).Client(sending(1, false, false, "")+settle(1, nil, of(rejected))).Server(settle(1, nil, of(accepted))),
			with("transfer shop > rejected", "transfer shop > accepted")...)
	})
}

// TestBounds: sessions share what a connection may keep, and give it back.
func TestBounds(t *testing.T) {
	p := new(parser)
	say := func(from dissector.Side, said string) {
		t.Helper()
		for off := 0; off < len(said); {
			m := new(dissector.Message)
			span, err := p.parse(from, []byte(said[off:]), m)
			if err != nil {
				t.Fatal(err)
			}
			if !m.Again {
				off += int(span)
			}
		}
	}
	for n := range 4 {
		say(dissector.Client, sayOn(n, begin, nil, 0, 1, 1)+sayOn(n, attach, "out", 0, false, nil, nil, of(source), of(target, "shop")))
		for id := range 1000 {
			say(dissector.Client, framed(amqpFrame, n, string(of(transfer, 0, id, []byte("t"), nil, false, false))))
		}
	}
	if p.waiting != maxWaiting {
		t.Errorf("%d unsettled", p.waiting)
	}
	for n := range 3 {
		say(dissector.Client, sayOn(n, end))
	}
	say(dissector.Client, sayOn(3, detach, 0, true))
	say(dissector.Server, sayOn(3, begin, raw("\x60\x00\x03"), 0, 1, 1)+sayOn(3, attach, "out", 0, true)+sayOn(3, detach, 0, true))
	if p.waiting != 0 {
		t.Errorf("%d unsettled, though all is ended", p.waiting)
	}
}

func TestFramesOfATransfer(t *testing.T) {
	long := strings.Repeat("x", 50)
	first, next, last := sending(1, false, true, body(long)[:20]), sending(nil, false, true, long[:10]), sending(nil, false, false, long[:28])
	aborted := framed(amqpFrame, 0, string(of(transfer, 0, nil, nil, nil, nil, nil, nil, nil, nil, true)))
	fast := sending(1, true, true, body(long)[:20])
	flowing := say(flow, nil, 1, 0, 1)
	for name, c := range map[string]struct {
		said string
		want []string
	}{
		"whole":                   {first + next + last, with("transfer shop > accepted")},
		"apart":                   {first + flowing + next + framed(0, 0, "") + last, with("transfer shop > accepted", "flow session one-way")},
		"aborted":                 {first + aborted, with("transfer shop > - truncated", "disposition accepted 1 shop one-way")},
		"settled":                 {fast + next + framed(0, 0, "") + last, with("transfer shop one-way", "disposition accepted 1 shop one-way")},
		"settled and apart":       {fast + flowing + next + last, with("transfer shop one-way truncated", "flow session one-way", "disposition accepted 1 shop one-way")},
		"settled and aborted":     {fast + aborted, with("transfer shop one-way truncated", "disposition accepted 1 shop one-way")},
		"settled, then another's": {fast + next + last + sending(2, true, false, ""), with("transfer shop one-way", "transfer shop one-way", "disposition accepted 1 shop one-way")},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, linked().Client(c.said).Server(settle(1, nil, of(accepted))), c.want...)
		})
	}
}

func TestWhoBegins(t *testing.T) {
	failure := of(errorDesc, symbol("amqp:not-found"), "no such node")
	for name, c := range map[string]struct {
		script *dissectortest.Script
		want   []string
	}{
		"detach":           {linked().Client(say(detach, 0, true)).Server(say(detach, 0, true)), []string{"detach shop > detached"}},
		"server's detach":  {linked().Server(say(detach, 0, true, failure)).Client(say(detach, 0, true)), []string{"detach shop one-way", "detach shop one-way"}},
		"end":              {linked().Client(say(end)).Server(say(end)), []string{"end > ended"}},
		"server's end":     {linked().Server(say(end, failure)).Client(say(end)), []string{"end no such node one-way", "end one-way"}},
		"close":            {linked().Client(say(closing)).Server(say(closing)), []string{"close > closed"}},
		"server's close":   {linked().Server(say(closing, failure)).Client(say(closing)), []string{"close no such node one-way", "close one-way"}},
		"attach that ends": {linked().Client(say(attach, "other", 2, false)).Server(say(end, failure)), []string{"attach sender other > amqp:not-found"}},
		"begin that ends":  {linked().Client(sayOn(1, begin, nil, 0, 1, 1)).Server(say(closing, failure)), []string{"begin > amqp:not-found"}},
		"two that end": {linked().Client(say(attach, "a", 2, false) + say(attach, "b", 3, false)).Server(say(end, failure)), []string{
			"attach sender a > -", "attach sender b > -", "end no such node one-way",
		}},
		"no terminus": {linked().Client(say(attach, "a", 2, false)).Server(say(attach, "a", 2, true) + say(detach, 2, true, failure)), []string{
			"attach sender a > refused", "detach a one-way",
		}},
		"server's link": {linked().Server(say(attach, "a", 2, false, nil, nil, of(source, "x"))).Client(say(attach, "a", 2, true)), []string{
			"attach receiver x one-way", "attach receiver x one-way",
		}},
		"server's session": {linked().Server(sayOn(7, begin, nil, 0, 1, 1)).Client(sayOn(9, begin, raw("\x60\x00\x07"), 0, 1, 1)), []string{
			"begin one-way", "begin one-way",
		}},
	} {
		t.Run(name, func(t *testing.T) { check(t, c.script, with(c.want...)...) })
	}
}

const (
	plainHeader = "AMQP\x00\x01\x00\x00"
	tlsHeader   = "AMQP\x02\x01\x00\x00"
	saslHeader  = "AMQP\x03\x01\x00\x00"
)

func TestSecurity(t *testing.T) {
	mechanisms := secured(saslMechanisms, raw("\xe0\x08\x01\xa3\x05PLAIN"))
	initial := secured(saslInit, symbol("PLAIN"), []byte("\x00guest\x00hunter22"), "host")
	check(t, dissectortest.NewScript().Client(saslHeader).Server(saslHeader+mechanisms).Client(initial).
		Server(secured(saslChallenge, []byte("c"))).Client(secured(saslResponse, []byte("r"))).Server(secured(saslOutcome, raw("\x50\x01"))),
		"protocol-header SASL 1.0.0 > SASL 1.0.0", "sasl-mechanisms PLAIN one-way", "sasl-init PLAIN > auth", "sasl-response one-way")

	m := new(dissector.Message)
	m.Detail = true
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(initial), m); err != nil {
		t.Fatal(err)
	}
	for f, v := range m.All() {
		if strings.Contains(string(v.Bytes), "hunter22") || strings.Contains(string(v.Bytes), "guest") {
			t.Errorf("%s = %q", f.Name, v.Bytes)
		}
	}
}

// A capture that begins behind the client's first header does not make the server's
// answer to it one to the next header.
func TestHeaderUnseen(t *testing.T) {
	s := dissectortest.NewScript().Client(secured(saslInit, symbol("ANONYMOUS")) + plainHeader)
	check(t, s.Server(saslHeader+secured(saslMechanisms, symbol("ANONYMOUS"))+secured(saslOutcome, raw("\x50\x00"))+plainHeader),
		"sasl-init ANONYMOUS > ok", "protocol-header AMQP 1.0.0 > AMQP 1.0.0", "protocol-header one-way", "sasl-mechanisms ANONYMOUS one-way")
	s = dissectortest.NewScript().Client(plainHeader + say(open, "me") + askBegin)
	check(t, s.Server(saslHeader), "protocol-header AMQP 1.0.0 > SASL 1.0.0", "open me > -", "begin > -")
}

func TestTLS(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   []string
	}{
		"granted": {tlsHeader + "\x16\x03\x03\x00\x04\x02", []string{"protocol-header TLS 1.0.0 > TLS 1.0.0"}},
		"refused": {"AMQP\x00\x00\x09\x01", []string{"protocol-header TLS 1.0.0 > another protocol header"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := dissectortest.NewScript().Client(tlsHeader + "\x16\x03\x01\x00\x04\x01").Server(c.answer)
			check(t, s, c.want...)
		})
	}
	for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
		m := new(dissector.Message)
		if _, err := Protocol.New(dissector.TCP)(from, []byte(tlsHeader), m); err != nil {
			t.Fatal(err)
		}
		if from == dissector.Client && m.Next != nextTLS {
			t.Errorf("%v: next is %q", from, m.Next)
		}
	}
}

func TestSections(t *testing.T) {
	props := of(properties, raw("\x98\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"), nil, "there", "paid", nil, []byte("\xab\xcd"), symbol("text/plain"))
	app := raw("\x00\x53\x74\xc1\x18\x06\xa1\x01a\x81\xff\xff\xff\xff\xff\xff\xff\xff\xa1\x01b\x40\xa1\x01c\x61\xff\xfe")
	payload := string(of(header, true)) + string(props) + string(app) + "\x00\x53\x77\xa1\x05hello"
	m := new(dissector.Message)
	said := sending(1, true, false, payload)
	if span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(said), m); err != nil || span != int64(len(said)) {
		t.Fatalf("span %d, %v", span, err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"id", string(MessageID.Get(&m.Values)), "00010203-0405-0607-0809-0a0b0c0d0e0f"},
		{"to", string(To.Get(&m.Values)), "there"},
		{"correlation", string(CorrelationID.Get(&m.Values)), "abcd"},
		{"type", string(ContentType.Get(&m.Values)), "text/plain"},
		{"summary", string(dissector.Summary.Get(&m.Values)), "there paid"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, not %q", c.name, c.got, c.want)
		}
	}
	for name, want := range map[string]string{"a": "-1", "b": "", "c": "-2"} {
		if got, _ := AppProperties.Get(&m.Values, name); string(got) != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if !Durable.Get(&m.Values) {
		t.Error("not durable")
	}
}

// A message is the same wherever its payload is parted over frames.
func TestPartedAnywhere(t *testing.T) {
	payload := string(of(header, true)) + string(of(properties, "id", nil, "there", "paid")) + "\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b" + body("hello")
	for _, settled := range []bool{false, true} {
		for at := range len(payload) + 1 {
			s := linked().Client(sending(1, settled, true, payload[:at]) + sending(nil, settled, false, payload[at:]))
			want := "transfer shop paid > accepted"
			if settled {
				want = "transfer shop paid one-way"
			} else {
				s.Server(settle(1, nil, of(accepted)))
			}
			got := s.Close().Calls(t, Protocol)
			if !slices.Contains(got, want) {
				t.Errorf("at %d: %q", at, got)
			}
		}
	}
}

// A loss of one side ends what the other is in the middle of, as its link is unknown
// then.
func TestLossInATransfer(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	say := func(from dissector.Side, m *dissector.Message, said string) {
		t.Helper()
		m.Open, m.Skip = false, false
		if _, err := parse(from, []byte(said), m); err != nil {
			t.Fatal(err)
		}
	}
	first, next := sending(1, true, true, ""), sending(nil, true, true, "")
	m := new(dissector.Message)
	for _, said := range []string{askBegin, askAttach, first, first[len(first)-1:] + next} {
		say(dissector.Client, m, said)
	}
	say(dissector.Server, &dissector.Message{Gap: 1}, giveBegin)
	if say(dissector.Client, m, next); m.Open || m.Skip || !m.Truncated || m.Role != dissector.OneWay {
		t.Errorf("open %t, skip %t, truncated %t, role %d", m.Open, m.Skip, m.Truncated, m.Role)
	}
}

// What cannot be read is passed over, and the message is marked.
func TestUnreadSections(t *testing.T) {
	long := string(of(properties, raw("\xb1\x00\x00\x20\x00"+strings.Repeat("i", 8<<10))))
	check(t, linked().Client(sending(1, true, true, long[:5000])+sending(nil, true, false, long[5000:])), with("transfer shop one-way resumed")...)
	check(t, linked().Client(sending(1, true, false, long)), with("transfer shop one-way")...)
	check(t, linked().Client(sending(1, true, false, "nonsense")), with("transfer shop one-way resumed")...)
	other := framed(amqpFrame, 0, string(of(transfer, 0, 1, nil, 7, true))+"nonsense")
	check(t, linked().Client(other), with("transfer shop one-way")...)
}

// However many sections a frame says it has, it is looked at a few times only while it
// comes, and of those that are not in their order nothing is read.
func TestSectionsAreFew(t *testing.T) {
	one := string(of(header, true))
	for name, payload := range map[string]string{
		"again and again": strings.Repeat(one, 4000),
		"in turns":        strings.Repeat(one+string(of(properties, "id")), 2000),
		"large":           one + string(of(properties, raw("\xb1\x00\x00\xff\x00"+strings.Repeat("i", 0xff00)))) + "\x00\x53\x74\xd1\x00\x00\xff\x00" + strings.Repeat("p", 0xff00),
		"a kind as text":  one + "\x00\xb3\x00\x20\x00\x00" + strings.Repeat("k", 2<<20),
	} {
		said := sending(1, true, false, payload)
		parse, m := Protocol.New(dissector.TCP), new(dissector.Message)
		have, tries := frameHead, 0
		for {
			tries++
			span, err := parse(dissector.Client, []byte(said[:have]), m)
			if err == nil {
				if span != int64(len(said)) || !m.Resumed {
					t.Errorf("%s: span %d of %d, resumed %t", name, span, len(said), m.Resumed)
				}
				break
			}
			if err != dissector.ErrShort || m.Need <= have || m.Need > len(said) {
				t.Fatalf("%s: %v, needs %d of %d, has %d", name, err, m.Need, len(said), have)
			}
			have = m.Need
		}
		if tries > 40 || have > maxHead+200 {
			t.Errorf("%s: looked at %d times, waited for %d bytes", name, tries, have)
		}
	}
}

// Transfers that were never answered make no harm when their link is gone.
func TestDetachedWithUnsettled(t *testing.T) {
	s, want := linked(), linking
	for id := range maxUnsettled {
		s.Client(sending(id, false, false, ""))
		want = append(want, "transfer shop > -")
	}
	s.Client(say(detach, 0, true)).Server(say(detach, 0, true)).Client(askAttach).Server(giveAttach)
	s.Client(sending(maxUnsettled, false, false, "")).Server(settle(maxUnsettled, nil, of(accepted)))
	check(t, s, append(want, "detach shop > detached", "attach sender shop > attached", "transfer shop > accepted")...)
}

// A body is passed over, however long it is.
func TestLongBody(t *testing.T) {
	said := sending(1, true, false, body(strings.Repeat("x", 1<<20)))
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(said[:200]), m)
	if err != nil || span != int64(len(said)) || m.Open {
		t.Errorf("span %d, want %d, open %t, %v", span, len(said), m.Open, err)
	}
}

func TestMalformed(t *testing.T) {
	for name, in := range map[string]string{
		"small size":    "\x00\x00\x00\x07\x02\x00\x00\x00",
		"huge size":     "\x20\x00\x00\x00\x02\x00\x00\x00",
		"data offset":   "\x00\x00\x00\x08\x01\x00\x00\x00",
		"long offset":   "\x00\x00\x00\x08\x03\x00\x00\x00",
		"type":          "\x00\x00\x00\x08\x02\x02\x00\x00",
		"no list":       framed(0, 0, "\x00\x53\x18\x41"),
		"not described": framed(0, 0, "\x45"),
		"unknown":       framed(0, 0, string(of(0x19))),
		"other layer":   framed(0, 0, string(of(saslOutcome, raw("\x50\x00")))),
		"missing":       say(begin, nil, 0, 1),
		"wrong kind":    say(attach, "a", "b", true),
		"too many":      say(end, nil, nil),
		"behind it":     framed(0, 0, string(of(end))+"x"),
		"cut":           framed(0, 0, string(of(open, "me"))[:9]),
		"header":        "AMQP\x00\x00\x09\x01",
	} {
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(in), new(dissector.Message)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefused: a connection that dies with the protocol header is a call.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		script *dissectortest.Script
		want   string
	}{
		"another layer":   {dissectortest.NewScript().Client(plainHeader).Server(saslHeader), "protocol-header AMQP 1.0.0 > SASL 1.0.0"},
		"another version": {dissectortest.NewScript().Client(plainHeader).Server("AMQP\x00\x00\x09\x01"), "protocol-header AMQP 1.0.0 > another protocol header"},
		"agreed, no more": {dissectortest.NewScript().Client(saslHeader).Server(saslHeader), "protocol-header SASL 1.0.0 > SASL 1.0.0"},
		"no answer":       {dissectortest.NewScript().Client(plainHeader), "protocol-header AMQP 1.0.0 > -"},
	} {
		if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
