package diameter

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// attr makes an AVP; vendor 0 is none.
func attr(code, vendor uint32, value string) string {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, code)
	flags, n := uint32(0x40), 8+len(value)
	if vendor != 0 {
		flags, n = 0xc0, n+4
	}
	b = binary.BigEndian.AppendUint32(b, flags<<24|uint32(n))
	if vendor != 0 {
		b = binary.BigEndian.AppendUint32(b, vendor)
	}
	return string(b) + value + strings.Repeat("\x00", -len(value)&3)
}

func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

func message(flags byte, command, application uint32, avps ...string) string {
	body := strings.Join(avps, "")
	return u32(version<<24|uint32(headerLen+len(body))) + u32(uint32(flags)<<24|command) + u32(application) + u32(7) + u32(9) + body
}

var (
	session = attr(avpSessionID, 0, "a;1;2")
	host    = attr(avpOriginHost, 0, "a.example")
)

func TestProbe(t *testing.T) {
	request := message(0xc0, 272, 4, session, host)
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"request", request, dissector.Request},
		{"request and more", request + "\x16\x03\x01", dissector.Request},
		{"beginning of a request", request[:40], dissector.Request},
		{"answer", message(0x40, 272, 4, session, host), dissector.Response},
		{"error", message(0x20, 316, 16777251, session, host), dissector.Response},
		{"retransmission", message(0xd0, 272, 4, session, host), dissector.Request},
		{"unknown command with a session", message(0x80, 77777, 4, session), dissector.Request},
		{"unknown command without", message(0x80, 77777, 4, host), dissector.No},
		{"too short to tell", request[:27], dissector.More},
		{"first byte", request[:1], dissector.More},
		{"version", "\x02" + request[1:], dissector.No},
		{"reserved command flag", message(0x81, 272, 4, session), dissector.No},
		{"request with an error", message(0xa0, 272, 4, session), dissector.No},
		{"answer sent again", message(0x10, 272, 4, session), dissector.No},
		{"no AVP", message(0x80, 280, 0) + strings.Repeat("\x00", 8), dissector.No},
		{"AVP beyond the message", message(0x80, 280, 0, host[:5]+"\x00\xff\x00"+host[8:]), dissector.No},
		{"AVP without a code", message(0x80, 280, 0, attr(0, 0, "abcd")), dissector.No},
		{"odd length", request[:3] + "\x31" + request[4:], dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// parsed returns the fields of a message as text.
func parsed(t *testing.T, b string) (string, *dissector.Message) {
	t.Helper()
	m := new(dissector.Message)
	span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(b), m)
	if err != nil || span != int64(len(b)) {
		t.Fatalf("span %d of %d: %v", span, len(b), err)
	}
	var out []string
	for f, v := range m.All() {
		switch f {
		case CommandCode.Field, Application.Field, ApplicationID.Field, HopByHop.Field, EndToEnd.Field, Proxiable.Field, dissector.Operation.Field, dissector.Summary.Field:
			continue
		}
		text := string(v.Bytes)
		if text == "" {
			text = fmt.Sprint(v.Int)
		}
		out = append(out, strings.TrimPrefix(f.Name, "diameter_")+"="+text)
	}
	return strings.Join(out, " "), m
}

func TestFields(t *testing.T) {
	many := ""
	for range 20 {
		many += attr(avpRouteRecord, 0, "r")
	}
	failures := strings.Repeat(attr(avpUserName, 0, ""), maxList-2)
	for _, c := range []struct{ name, message, want string }{
		{"request", message(0x80, 316, 16777251, session, host, attr(avpDestinationHost, 0, "h"), attr(avpUserName, 0, "001")), "session_id=a;1;2 origin_host=a.example destination_host=h user=001"},
		{"sent again", message(0x90, 316, 16777251, host), "retransmitted=1 origin_host=a.example"},
		{"another vendor's code", message(0x80, 316, 16777251, attr(avpUserName, 9, "no"), host), "origin_host=a.example"},
		{"number of a wrong size", message(0x80, 272, 4, attr(avpCCRequestType, 0, "ab"), host), "origin_host=a.example"},
		{"unknown type", message(0x80, 272, 4, attr(avpCCRequestType, 0, u32(9))), "cc_request_type=9"},
		{"many routes", message(0x80, 272, 4, many), strings.TrimSuffix("route=r proxied=1"+strings.Repeat(" route=r", maxList-1), " ")},
		{"answer", message(0x00, 272, 4, session, attr(avpResultCode, 0, u32(2001)), host), "session_id=a;1;2 result_code=2001 answered_by=a.example status=DIAMETER_SUCCESS status_code=2001 failed=0"},
		{"failure", message(0x00, 272, 4, attr(avpResultCode, 0, u32(4012))), "result_code=4012 status=DIAMETER_CREDIT_LIMIT_REACHED status_code=4012 failed=1"},
		{"unknown result", message(0x00, 272, 4, attr(avpResultCode, 0, u32(5999))), "result_code=5999 status=5999 status_code=5999 failed=1"},
		{"error without result", message(0x20, 272, 4, host), "answered_by=a.example failed=1"},
		{"no result", message(0x00, 272, 4, host), "answered_by=a.example failed=0"},
		{"3GPP's result", message(0x00, 316, 0, attr(avpExperimentalResult, 0, attr(avpVendorID, 0, u32(10415))+attr(avpExperimentalCode, 0, u32(5420)))), "result_code=5420 result_vendor=3GPP status=DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION status_code=5420 failed=1"},
		{"another vendor's result", message(0x00, 316, 0, attr(avpExperimentalResult, 0, attr(avpVendorID, 0, u32(1))+attr(avpExperimentalCode, 0, u32(5420)))), "result_code=5420 result_vendor=1 status=5420 status_code=5420 failed=1"},
		{"failed AVPs", message(0x00, 316, 0, attr(avpFailedAVP, 0, attr(avpDestinationRealm, 0, "x")+attr(1407, vendor3GPP, "x")+attr(1, 9, "x"))), "failed_avps=Destination-Realm failed_avps=Visited-PLMN-Id failed_avps=Cisco-1 failed=0"},
		{"many failed AVPs", message(0x00, 316, 0, attr(avpFailedAVP, 0, failures), attr(avpFailedAVP, 0, failures), attr(avpFailedAVP, 0, failures)), strings.Repeat("failed_avps=User-Name ", maxList) + "failed=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := parsed(t, c.message); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTextsAreCut(t *testing.T) {
	_, m := parsed(t, message(0x80, 316, 0, attr(avpUserName, 0, strings.Repeat("ü", maxText))))
	if got := string(User.Get(&m.Values)); got != strings.Repeat("ü", maxText/2)+"…" {
		t.Errorf("%d bytes: %q", len(got), got[len(got)-8:])
	}
}

// TestPasswordsStayHidden: neither fields nor what is shown of a message holds them.
func TestPasswordsStayHidden(t *testing.T) {
	b := message(0x80, 265, 1, session, attr(2, 0, "opensesame"), attr(avpUserName, 0, "bob"),
		attr(1413, vendor3GPP, attr(1414, vendor3GPP, attr(1450, vendor3GPP, "opensesame"))))
	fields, m := parsed(t, b)
	shown, err := content(m, []byte(b[headerLen:]), 1000)
	if err != nil || strings.Contains(fields+string(shown), "opensesame") {
		t.Errorf("%v\n%s\n%s", err, fields, shown)
	}
	if want := "Session-Id: a;1;2\nUser-Password: ***\nUser-Name: bob\nAuthentication-Info\n  E-UTRAN-Vector\n    KASME: ***\n"; string(shown) != want {
		t.Errorf("got %q", shown)
	}
}

func TestContent(t *testing.T) {
	deep := attr(1, 0, "x")
	for range 20 {
		deep = attr(279, 0, deep)
	}
	for _, c := range []struct{ avps, want string }{
		{attr(avpResultCode, 0, u32(5012)), "Result-Code: 5012 (DIAMETER_UNABLE_TO_COMPLY)\n"},
		{attr(257, 0, "\x00\x01\x0a\x00\x00\x01"), "Host-IP-Address: 10.0.0.1\n"},
		{attr(257, 0, "\x00\x01\x0a"), "Host-IP-Address: 00010a\n"},
		{attr(55, 0, u32(secondsTo1970+60)), "Event-Timestamp: 1970-01-01T00:01:00Z\n"},
		{attr(421, 0, "\x00\x00\x00\x00\x00\x00\x01\x00"), "CC-Total-Octets: 256\n"},
		{attr(9999, 0, "\xff\x01"), "9999: ff01\n"},
		{attr(1, 99999, "a"), "99999-1: 61\n"},
		{attr(avpUserName, 0, "\xff"), "User-Name: ff\n"},
		{deep, ""},
	} {
		got, err := content(nil, []byte(c.avps), 1000)
		if err != nil || c.want != "" && string(got) != c.want {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
	if got, err := content(nil, []byte(strings.Repeat(attr(1, 0, "abcd"), 100)), 50); err != nil || len(got) != 50 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := content(nil, []byte("\x00\x00"), 50); err == nil {
		t.Error("two bytes are no AVP")
	}
}

// TestCutMessage: whatever there is of a datagram is used.
func TestCutMessage(t *testing.T) {
	b := message(0x80, 316, 16777251, session, host, attr(avpUserName, 0, "001"))
	for n := range len(b) {
		m := &dissector.Message{Whole: true}
		if _, err := Protocol.New(dissector.SCTP)(dissector.Client, []byte(b[:n]), m); err != dissector.ErrShort {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got := m.Has(SessionID); got != (n >= headerLen+len(session)-3) {
			t.Errorf("%d bytes: session %v", n, got)
		}
	}
}

// TestPeers: both sides ask, with the same identifiers.
func TestPeers(t *testing.T) {
	ask := func(user string) string { return message(0x80, 316, 16777251, host, attr(avpUserName, 0, user)) }
	answer := func(code uint32) string { return message(0, 316, 16777251, attr(avpResultCode, 0, u32(code))) }
	got := dissectortest.NewScript().Client(ask("a")).Server(ask("b")).Client(answer(2001)).Server(answer(5012)).Close().Calls(t, Protocol)
	want := []string{
		"Update-Location 3GPP S6a/S6d b from a.example > DIAMETER_SUCCESS",
		"Update-Location 3GPP S6a/S6d a from a.example > DIAMETER_UNABLE_TO_COMPLY",
	}
	dissectortest.SameLines(t, got, want)
}

// TestPeersAfterLoss: behind a hole either side may go on with a request or an answer.
func TestPeersAfterLoss(t *testing.T) {
	ask := func(user string) string { return message(0x80, 316, 16777251, host, attr(avpUserName, 0, user)) }
	answer := message(0, 316, 16777251, attr(avpResultCode, 0, u32(2001)))
	s := dissectortest.NewScript().Client(ask("a")).Server(answer).Lose().Server(ask("b")).Client(answer).Server(ask("c")).Client(answer)
	got := s.Close().Calls(t, Protocol)
	dissectortest.SameLines(t, got, []string{
		"Update-Location 3GPP S6a/S6d a from a.example > DIAMETER_SUCCESS",
		"- > DIAMETER_SUCCESS",
		"Update-Location 3GPP S6a/S6d c from a.example > DIAMETER_SUCCESS resumed",
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(message(0x80, 316, 16777251, session, host, attr(avpSubscriptionID, 0, attr(avpSubscriptionData, 0, "1")))), uint16(3))
	f.Add([]byte(message(0x20, 272, 4, attr(avpFailedAVP, 0, session), attr(avpExperimentalResult, 0, attr(avpExperimentalCode, 0, u32(5001))))), uint16(500))
	f.Add([]byte(message(0x80, 257, 0, host, attr(avpInbandSecurity, 0, u32(1)))), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint16) {
		defer dissectortest.Bounded(t)()
		if len(b) > 0 {
			probe(b)
		}
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, int(piece)+1, func() *dissector.Message { return new(dissector.Message) })
			m := &dissector.Message{Whole: true}
			if span, err := Protocol.New(dissector.SCTP)(from, b, m); err == nil && span > int64(len(b)) {
				t.Fatalf("span %d of %d", span, len(b))
			}
		}
		if out, _ := content(nil, b, 100); len(out) > 100+1<<16 {
			t.Fatalf("%d bytes are shown", len(out))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	request := []byte(message(0xc0, 272, 4, session, host, attr(avpDestinationRealm, 0, "example.org"), attr(avpCCRequestType, 0, u32(1)), attr(avpUserName, 0, "001")))
	parse := Protocol.New(dissector.TCP)
	m := new(dissector.Message)
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		m.Values.Reset()
		if _, err := parse(dissector.Client, request, m); err != nil {
			b.Fatal(err)
		}
	}
}
