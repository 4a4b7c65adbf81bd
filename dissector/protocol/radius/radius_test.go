package radius

import (
	"bytes"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

func attr(kind byte, value string) string { return string([]byte{kind, byte(len(value) + 2)}) + value }

func packet(code, id byte, auth string, attrs ...string) string {
	body := strings.Join(attrs, "")
	n := headerLen + len(body)
	return string([]byte{code, id, byte(n >> 8), byte(n)}) + strings.Repeat(auth, 16) + body
}

func TestProbe(t *testing.T) {
	user := attr(attrUserName, "bob")
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{packet(accessRequest, 1, "a", user), dissector.Request},
		{packet(coaRequest, 1, "a", user), dissector.Request},
		{packet(accessReject, 1, "a", attr(attrReplyMessage, "no")), dissector.Response},
		{packet(accountingResponse, 1, "a"), dissector.MaybeResponse},
		{packet(statusServer, 1, "a"), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", attr(attrVendorSpecific, "\x00\x00\x00\x09x")), dissector.Request},
		{"", dissector.No},
		{packet(accessRequest, 1, "a", user)[:19], dissector.No},
		{packet(accessRequest, 1, "a", user) + "x", dissector.MaybeRequest},
		{packet(accessReject, 1, "a", user) + "\x00\x00", dissector.MaybeResponse},
		{packet(accessRequest, 1, "a", user)[:24], dissector.No},
		{packet(6, 1, "a", user), dissector.No},
		{packet(accessRequest, 1, "a", "\x01\x01"), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", "\x01\x09x"), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", "\x00\x03x"), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", attr(attrNASPort, "abc")), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", attr(attrVendorSpecific, "\x10\x00\x00\x09x")), dissector.MaybeRequest},
		{packet(accessRequest, 1, "a", attr(attrVendorSpecific, "\x00\x00")), dissector.MaybeRequest},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%q: %d, want %d", c.head, got, c.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	many := ""
	for i := range byte(20) {
		many += attr(attrReplyMessage, "r") + attr(attrVendorSpecific, "\x00\x00\x01"+string([]byte{i})+"x")
	}
	for _, c := range []struct{ attrs, want string }{
		{attr(attrUserName, "bob") + attr(2, strings.Repeat("s", 16)) + attr(3, strings.Repeat("s", 17)), "radius_user=bob summary=bob"},
		{attr(attrUserName, "a\x00\xffé") + attr(attrUserName, "second"), `radius_user=a\00\ffé summary=a\00\ffé`},
		{attr(attrNASIPAddress, "\x0a\x00\x00\x01"), "radius_nas_address=10.0.0.1 radius_nas=10.0.0.1 summary=at 10.0.0.1"},
		{attr(attrNASIPv6Address, strings.Repeat("\x00", 15)+"\x01") + attr(attrNASIdentifier, "ap"), "radius_nas_address=::1 radius_nas=ap summary=at ap"},
		{attr(attrFramedIPAddress, "\x0a\x00\x00\x01") + attr(attrFramedIPv6Address, strings.Repeat("\x00", 16)), "radius_framed_address=10.0.0.1"},
		{attr(attrAcctStatusType, "\x00\x00\x00\x02") + attr(attrAcctSessionID, "s1") + attr(attrCallingStation, "m"), "radius_acct_status=Stop radius_session_id=s1 radius_calling_station=m summary=Stop session s1 from m"},
		{attr(attrAcctStatusType, "\x00\x00\x01\x02"), "radius_acct_status=258 summary=258"},
		{attr(attrNASPort, "\x00\x01") + attr(attrErrorCause, "\x00\x00\x01\xf7"), "radius_error_cause=Session-Context-Not-Found"},
		{attr(attrVendorSpecific, "\x00\x00\x00\x09x") + attr(attrVendorSpecific, "\x00\x00\x00\x09y") + attr(attrVendorSpecific, "\x00\x00\xff\xffz"), "radius_vendors=Cisco radius_vendors=65535"},
		{many, manyWant()},
	} {
		m := new(dissector.Message)
		b := packet(accessRequest, 9, "a", c.attrs)
		if span, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b), m); err != nil || span != int64(len(b)) {
			t.Fatal(span, err)
		}
		var got []string
		for f, v := range m.All() {
			if f == Code.Field || f == CodeName.Field || f == Identifier.Field || f == Authenticator.Field || f == dissector.Operation.Field {
				continue
			}
			if bytes.Contains(v.Bytes, []byte("ssss")) {
				t.Errorf("%s holds a password", f.Name)
			}
			got = append(got, f.Name+"="+string(v.Bytes))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.attrs, s, c.want)
		}
	}
}

// manyWant is what of twenty replies and vendors is listed.
func manyWant() string {
	var out []string
	for i := range maxReplies {
		out = append(out, "radius_reply_messages=r", "radius_vendors="+named(nil, uint32(256+i)))
	}
	return strings.Join(out, " ")
}

func TestSentAgain(t *testing.T) {
	parse := Protocol.New(dissector.UDP)
	say := func(from dissector.Side, b string) *dissector.Message {
		m := new(dissector.Message)
		if _, err := parse(from, []byte(b), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	request := packet(accessRequest, 1, "a", attr(attrUserName, "bob"))
	if say(dissector.Client, request).Skip {
		t.Error("the first is taken for one that is sent again")
	}
	for range 2 {
		if !say(dissector.Client, request).Skip {
			t.Error("sent again, but another call")
		}
	}
	if m := say(dissector.Server, packet(accessReject, 1, "r")); m.Skip || Retransmissions.Get(&m.Values) != 2 {
		t.Error("retransmissions are not counted")
	}
	if !say(dissector.Client, request).Skip || !say(dissector.Server, packet(accessReject, 1, "r")).Skip {
		t.Error("the answer is sent again, but another call")
	}
	if say(dissector.Client, packet(accessRequest, 1, "b", attr(attrUserName, "bob"))).Skip {
		t.Error("another authenticator is another call")
	}
	if m := say(dissector.Server, packet(accessAccept, 1, "s")); m.Skip || m.Has(Retransmissions) {
		t.Error("the second call's answer")
	}
}

func TestCutDatagram(t *testing.T) {
	b := packet(accessRequest, 1, "a", attr(attrUserName, "bob"), attr(attrAcctSessionID, "session"))
	for n := range len(b) {
		m := new(dissector.Message)
		if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b[:n]), m); err != dissector.ErrShort {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n >= headerLen+5 && string(User.Get(&m.Values)) != "bob" {
			t.Errorf("%d bytes: the user's name is there", n)
		}
	}
	if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(packet(accessRequest, 1, "a", "\x01\x09x")), new(dissector.Message)); err != errMalformed {
		t.Error(err)
	}
	if _, err := Protocol.New(dissector.UDP)(dissector.Server, []byte(b), new(dissector.Message)); err != errMalformed {
		t.Error("a request of a server:", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(packet(accessRequest, 1, "a", attr(attrUserName, "bob"), attr(attrNASIPAddress, "abcd"))), byte(0))
	f.Add([]byte(packet(accountingRequest, 2, "b", attr(attrAcctStatusType, "\x00\x00\x00\x01"), attr(attrVendorSpecific, "\x00\x00\x00\x09x"))), byte(1))
	f.Add([]byte(packet(coaNAK, 3, "c", attr(attrErrorCause, "\x00\x00\x01\x91"), attr(attrReplyMessage, "\xff"))), byte(9))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		guess := probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			parse := Protocol.New(dissector.UDP)
			for range 3 {
				m := &dissector.Message{Whole: true, Detail: cut&1 != 0}
				span, err := parse(from, b, m)
				if err == nil && span != int64(len(b)) {
					t.Fatalf("span %d", span)
				}
				if err != nil && (guess == dissector.Request && from == dissector.Client || guess == dissector.Response && from == dissector.Server) {
					t.Fatalf("the probe takes what the parser does not: %v", err)
				}
				b = b[:max(0, len(b)-int(cut))]
				guess = probe(b)
			}
		}
	})
}
