package quic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// ids of a connection that tests make.
var (
	origin   = id([]byte("origin-id"))
	clientID = id([]byte("client"))
	serverID = id([]byte("server"))
	retryID  = id([]byte("retry-id"))
)

// vector puts its length before b, in size bytes.
func vector(size int, b ...byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	return append(head[4-size:], b...)
}

func extension(kind uint16, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, kind), vector(2, body...)...)
}

// clientHello is a hello with a name, h3 and some transport parameters.
func clientHello(name string) []byte {
	params := []byte{0x01, 2, 0x47, 0xd0, 0x03, 2, 0x45, 0xc0, 0x0c, 0, 27, 1, 9, 0x11, 8, 0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf, 0x40, 0x99, 1, 0xab}
	ext := extension(0, vector(2, append([]byte{0}, vector(2, []byte(name)...)...)...))
	ext = append(ext, extension(16, vector(2, vector(1, []byte("h3")...)...))...)
	ext = append(ext, extension(43, vector(1, 3, 4))...)
	ext = append(ext, extension(extParameters, params)...)
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(append(body, 0), vector(2, 0x13, 0x01)...)
	body = append(append(body, 1, 0), vector(2, ext...)...)
	return append([]byte{typeClientHello}, vector(3, body...)...)
}

// serverHello is a hello of a TLS version; retry makes it a HelloRetryRequest.
func serverHello(version byte, random []byte) []byte {
	body := append([]byte{3, 3}, random...)
	body = append(body, make([]byte, 32-len(random))...)
	body = append(body, 0, 0x13, 0x01, 0)
	body = append(body, vector(2, extension(43, []byte{3, version})...)...)
	return append([]byte{typeServerHello}, vector(3, body...)...)
}

// wantsAnother is the random of a HelloRetryRequest (RFC 8446 section 4.1.3).
const wantsAnother = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// crypto is a CRYPTO frame.
func crypto(offset int, b []byte) []byte {
	f := binary.BigEndian.AppendUint32([]byte{frameCrypto}, 0x80000000|uint32(offset))
	return append(binary.BigEndian.AppendUint32(f, 0x80000000|uint32(len(b))), b...)
}

func closes(code uint16, reason string) []byte {
	f := binary.BigEndian.AppendUint16([]byte{frameClose}, 0x4000|code)
	return append(f, append([]byte{6}, vector(1, []byte(reason)...)...)...)
}

// The packets of the tests' connection.
func fromClient(frames []byte) []byte {
	return seal(dissector.Client, numberV1, numberV1, origin, origin, clientID, nil, frames)
}

func fromServer(frames []byte) []byte {
	return seal(dissector.Server, numberV1, numberV1, origin, clientID, serverID, nil, frames)
}

func negotiation(versions ...uint32) []byte {
	b := header(0, 0, clientID, origin)
	for _, v := range versions {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// step is a datagram and what is to come of it.
type step struct {
	from dissector.Side
	b    []byte
	want string
}

// outcome tells what a datagram came to, in a line.
func outcome(m *dissector.Message, err error) string {
	switch {
	case err != nil && m.Len() == 0:
		return err.Error()
	case m.Skip:
		return "skip"
	}
	out := [...]string{"", "one-way ", "interim "}[m.Role]
	v := &m.Values
	for _, s := range [][]byte{dissector.Operation.Get(v), dissector.Summary.Get(v), dissector.Status.Get(v), Reason.Get(v), Negotiated.Get(v)} {
		if len(s) > 0 {
			out += string(s) + "|"
		}
	}
	if dissector.Failed.Get(v) {
		out += "failed|"
	}
	for _, x := range []struct {
		word string
		is   bool
	}{
		{"retry", Retry.Get(v)},
		{"hrr", helloRetry.Get(v)},
		{"0rtt", ZeroRTT.Get(v)},
		{fmt.Sprint("again", Retransmissions.Get(v)), Retransmissions.Get(v) > 0},
	} {
		if x.is {
			out += x.word + "|"
		}
	}
	if err != nil {
		out += err.Error()
	}
	return out
}

func TestConnections(t *testing.T) {
	const c, s = dissector.Client, dissector.Server
	hello, answer := clientHello("a.example"), serverHello(4, nil)
	const asked, answered = "ClientHello|a.example|", "ServerHello|TLS_AES_128_GCM_SHA256|TLS 1.3|v1|"
	large := append([]byte{typeClientHello, 0, maxHello >> 8, 0}, make([]byte, 1000)...)
	for _, x := range []struct {
		name  string
		steps []step
	}{
		{"an answer, and packets of the connection", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, fromServer(crypto(0, answer)), answered},
			{c, fromClient([]byte{frameAck, 0, 0, 0, 0}), "skip"},
			{c, seal(c, numberV1, numberV1, origin, id([]byte("given later")), clientID, nil, []byte{frameAck, 0, 0, 0, 0}), "skip"},
			{s, append([]byte{0x40}, "encrypted"...), "skip"},
			{s, fromServer(crypto(0, answer)), "skip"},
		}},
		{"a hello in pieces, the last one first", []step{
			{c, fromClient(crypto(40, hello[40:])), "skip"},
			{c, fromClient(crypto(10, hello[10:40])), "skip"},
			{c, fromClient(append(crypto(4, hello[4:10]), crypto(0, hello[:4])...)), asked},
			{s, fromServer(crypto(20, answer[20:])), "skip"},
			{s, fromServer(crypto(0, answer[:20])), answered},
		}},
		{"packets that are sent again", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{c, fromClient(crypto(0, hello)), "skip"},
			{c, fromClient(crypto(30, hello[30:])), "skip"},
			{s, fromServer(crypto(0, answer)), answered + "again2|"},
		}},
		{"several packets of a datagram", []step{
			{c, append(fromClient(crypto(0, hello[:50])), fromClient(crypto(50, hello[50:]))...), asked},
			{s, append(fromServer([]byte{frameAck, 0, 0, 0, 0}), fromServer(crypto(0, answer))...), answered},
		}},
		{"early data", []step{
			{c, append(fromClient(crypto(0, hello)), append(header(kindZeroRTT, numberV1, origin, clientID), vector(1, make([]byte, 30)...)...)...), asked + "0rtt|"},
			{s, fromServer(crypto(0, answer)), answered + "0rtt|"},
		}},
		{"a Version Negotiation", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, negotiation(numberV2, numberV1), "skip"},
			{s, negotiation(), "skip"},
			{s, negotiation(numberV2, 0x1a2a3a4a), "Version Negotiation|failed|"},
			{s, negotiation(numberV2), "skip"},
		}},
		{"one that is not for this connection", []step{
			{c, fromClient(crypto(0, hello)), asked}, {s, append(header(0, 0, clientID, serverID), 0, 0, 0, 2), "skip"},
		}},
		{"a refusal before the hello is complete", []step{
			{c, fromClient(crypto(0, hello[:50])), "skip"},
			{s, fromServer(closes(2, "full")), "skip"},
			{c, fromClient(crypto(50, hello[50:])), asked + "CONNECTION_REFUSED|full|failed|"},
			{s, fromServer(closes(2, "full")), "CONNECTION_CLOSE|CONNECTION_REFUSED|full|v1|failed|"},
		}},
		{"an alert", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, fromServer(closes(0x178, "")), "CONNECTION_CLOSE|CRYPTO_ERROR no_application_protocol|v1|failed|"},
			{c, fromClient(closes(0, "")), "skip"},
		}},
		{"the client gives up", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{c, fromClient(closes(1, "why")), "one-way CONNECTION_CLOSE|INTERNAL_ERROR|INTERNAL_ERROR|why|failed|"},
			{c, fromClient(closes(1, "why")), "skip"},
		}},
		{"an answer and its end", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, fromServer(append(crypto(0, answer), closes(0x0c, "")...)), "ServerHello|TLS_AES_128_GCM_SHA256|APPLICATION_ERROR|v1|failed|"},
		}},
		{"the end behind the answer", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, fromServer(crypto(0, answer)), answered},
			{s, fromServer(closes(0x4444>>4, "")), "one-way CONNECTION_CLOSE|0x444|0x444|failed|"},
		}},
		{"another hello is asked for", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, fromServer(crypto(0, serverHello(4, []byte(wantsAnother)))), "interim ServerHello|TLS_AES_128_GCM_SHA256|HelloRetryRequest|hrr|"},
			{c, fromClient(crypto(len(hello), hello)), "skip"},
			{s, fromServer(crypto(len(answer), answer)), answered + "hrr|"},
		}},
		{"the server goes on with v2", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, seal(s, numberV2, numberV2, origin, clientID, serverID, nil, crypto(0, answer)), strings.Replace(answered, "v1", "v2", 1)},
			{c, seal(c, numberV2, numberV2, origin, serverID, clientID, nil, []byte{framePing}), "skip"},
		}},
		{"a Retry", []step{
			{c, seal(c, numberV1, numberV1, id([]byte("\x83\x94\xc8\xf0\x3e\x51\x57\x08")), id([]byte("\x83\x94\xc8\xf0\x3e\x51\x57\x08")), id(nil), nil, crypto(0, hello)), asked},
			{s, unhex(t, retryV1Text), "interim "},
			{s, unhex(t, retryV1Text), "skip"},
			{c, seal(c, numberV1, numberV1, id([]byte("\xf0\x67\xa5\x50\x2a\x42\x62\xb5")), id([]byte("\xf0\x67\xa5\x50\x2a\x42\x62\xb5")), id(nil), []byte("token"), crypto(0, hello)), "skip"},
			{s, seal(s, numberV1, numberV1, id([]byte("\xf0\x67\xa5\x50\x2a\x42\x62\xb5")), id(nil), serverID, nil, crypto(0, answer)), answered + "retry|"},
		}},
		{"a Retry that was not captured", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{c, seal(c, numberV1, numberV1, retryID, retryID, clientID, []byte("token"), crypto(0, hello)), "skip"},
			{s, seal(s, numberV1, numberV1, retryID, clientID, serverID, nil, crypto(0, answer)), answered + "retry|"},
		}},
		{"a forged Retry", []step{
			{c, fromClient(crypto(0, hello)), asked},
			{s, append(header(kindRetry, numberV1, clientID, retryID), make([]byte, 20)...), "skip"},
			{s, fromServer(crypto(0, answer)), answered},
		}},
		{"an answer without its request", []step{
			{c, fromClient(crypto(50, hello[50:])), "skip"}, {s, fromServer(crypto(0, answer)), answered}, {c, fromClient(crypto(0, hello)), "skip"},
		}},
		{"too long a hello", []step{
			{c, fromClient(crypto(0, large)), "ClientHello|" + errTooLong.Error()},
			{c, fromClient(crypto(0, large)), "skip"},
			{s, fromServer(crypto(0, answer)), answered + "again1|"},
		}},
		{"what does not belong there", []step{
			{c, fromClient(crypto(0, answer)), errMalformed.Error()},
			{c, fromClient([]byte{0x08, 0, 0, 0}), errMalformed.Error()},
			{c, fromClient([]byte{frameCrypto, 0, 40, 0}), errMalformed.Error()},
			{c, fromClient([]byte{frameAck, 0, 0, 60, 0}), errMalformed.Error()},
			{s, fromServer(crypto(0, serverHello(3, nil))), errMalformed.Error()},
			{s, fromServer(crypto(0, answer)[:8]), errMalformed.Error()},
			{s, seal(s, numberV1, numberV1, retryID, clientID, serverID, nil, crypto(0, answer)), errKeys.Error()},
			{c, []byte{0xc0, 0, 0, 0, 1, 30}, errMalformed.Error()},
		}},
	} {
		parse := Protocol.New(dissector.UDP)
		for i, st := range x.steps {
			m := dissector.Message{Whole: true}
			span, err := parse(st.from, st.b, &m)
			if got := outcome(&m, err); got != st.want || err == nil && span != int64(len(st.b)) || m.Next != "" || m.Open {
				t.Errorf("%s, datagram %d: got %q, want %q (span %d of %d, next %q)", x.name, i+1, got, st.want, span, len(st.b), m.Next)
			}
		}
	}
}

func TestOffers(t *testing.T) {
	var m dissector.Message
	if _, err := Protocol.New(dissector.UDP)(dissector.Client, fromClient(crypto(0, clientHello("a.example"))), &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"max_idle_timeout": "2000", "max_udp_payload_size": "1472", "disable_active_migration": "true",
		"version_information": "v1 v2", "0x99": "ab",
	}
	for name, value := range want {
		if got, _ := Parameters.Get(&m.Values, name); string(got) != value {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := string(Application.Get(&m.Values)); got != "HTTP/3" || IdleTimeout.Get(&m.Values) != 2000 || MaxPayload.Get(&m.Values) != 1472 {
		t.Errorf("application %s, timeout %d, payload %d", got, IdleTimeout.Get(&m.Values), MaxPayload.Get(&m.Values))
	}
	old := seal(dissector.Client, draftBase+25, draftBase+25, origin, origin, clientID, nil, crypto(0, clientHello("a.example")))
	m = dissector.Message{}
	if _, err := Protocol.New(dissector.UDP)(dissector.Client, old, &m); err != nil || m.Has(Parameters) || !m.Has(Application) {
		t.Errorf("draft-25: %v, parameters %t", err, m.Has(Parameters))
	}
	for alpn, want := range map[string]string{"h3": "HTTP/3", "h3-29": "HTTP/3", "doq-i00": "DNS over QUIC", "h30": "", "hq-interop": "HTTP/0.9", "": ""} {
		if got := application([]byte(alpn)); got != want {
			t.Errorf("%s: %s", alpn, got)
		}
	}
}

// What comes in pieces of any order is what was sent.
func TestStream(t *testing.T) {
	want := make([]byte, 2000)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for seed := range uint64(50) {
		rng, s := rand.New(rand.NewPCG(seed, 1)), stream{}
		for range 20000 {
			if s.have() == len(want) {
				break
			}
			from := rng.IntN(len(want))
			s.add(uint64(from), want[from:min(len(want), from+1+rng.IntN(200))])
		}
		if s.have() != len(want) || !bytes.Equal(s.buf, want) {
			t.Fatalf("seed %d: %d bytes, %v", seed, s.have(), s.runs)
		}
	}
}

func TestStreamKeepsItsLimits(t *testing.T) {
	var s stream
	for i := range 4 * maxPieces {
		s.add(uint64(10*i), []byte("x"))
	}
	if len(s.runs) != maxPieces {
		t.Errorf("%d runs", len(s.runs))
	}
	s.add(1<<61, []byte("x"))
	s.add(maxHello-1, []byte("xyz"))
	s.add(maxHello, []byte("x"))
	if len(s.buf) > maxHello {
		t.Errorf("%d bytes", len(s.buf))
	}
}

// What a stream keeps is in proportion to what was received, and nothing of a hello that
// was told.
func TestStreamsAreSmall(t *testing.T) {
	hello := clientHello("a.example")
	far := []byte(nil)
	for offset := maxHoles - 1; offset < maxHello; offset += maxHoles {
		far = append(far, crypto(offset, []byte("x"))...)
	}
	for _, c := range []struct {
		name   string
		frames []byte
		most   int
	}{
		{"one byte far behind", crypto(maxHello-1, []byte("x")), 0},
		{"bytes with holes before each", far, 2 * maxHoles},
		{"a hello", crypto(0, hello), 0},
		{"a hello, twice, and another", append(append(crypto(0, hello), crypto(0, hello)...), crypto(len(hello), hello)...), 0},
	} {
		p := new(parser)
		for range 3 {
			var m dissector.Message
			if _, err := p.parse(dissector.Client, fromClient(c.frames), &m); err != nil {
				t.Fatal(err)
			}
		}
		if n := cap(p.connections[0].hello[dissector.Client].buf); n > c.most {
			t.Errorf("%s: %d bytes are kept", c.name, n)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	p := new(parser)
	for i := range 3 * maxConnections {
		dst := id(fmt.Appendf(nil, "origin%04d", i))
		var m dissector.Message
		if _, err := p.parse(dissector.Client, seal(dissector.Client, numberV1, numberV1, dst, dst, clientID, nil, crypto(0, clientHello("a"))), &m); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.connections) != maxConnections {
		t.Errorf("%d connections", len(p.connections))
	}
}

// A datagram that is cut, or of which a byte is another, is not claimed and says nothing.
func TestDamaged(t *testing.T) {
	whole := fromClient(crypto(0, clientHello("a.example")))
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x20
		for _, b := range [][]byte{whole[:i], changed} {
			var m dissector.Message
			if _, err := Protocol.New(dissector.UDP)(dissector.Client, b, &m); m.Len() > 0 {
				t.Fatalf("byte %d: %v, %s", i, err, outcome(&m, err))
			}
			if probe(b) != dissector.No {
				t.Fatalf("byte %d: it is claimed", i)
			}
		}
	}
}

// FuzzParse takes datagrams, each behind its length and what it is: a datagram as it is,
// or the frames of an Initial packet of a client or of the server.
func FuzzParse(f *testing.F) {
	add := func(parts ...[]byte) {
		var b []byte
		for i := 0; i < len(parts); i += 2 {
			b = append(append(b, parts[i]...), vector(2, parts[i+1]...)...)
		}
		f.Add(b)
	}
	hello, answer := clientHello("a.example"), serverHello(4, nil)
	add([]byte{0}, crypto(0, hello[:60]), []byte{0}, crypto(60, hello[60:]), []byte{1}, crypto(0, answer))
	add([]byte{0}, crypto(0, hello), []byte{1}, crypto(0, serverHello(4, []byte(wantsAnother))), []byte{1}, crypto(len(answer), answer))
	add([]byte{0}, crypto(0, hello), []byte{1}, closes(0x178, "no"), []byte{0}, closes(0, ""))
	add([]byte{0}, crypto(0, hello), []byte{3}, negotiation(numberV2), []byte{3}, append(header(kindRetry, numberV1, clientID, retryID), make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		parse := Protocol.New(dissector.UDP)
		for len(b) >= 3 {
			kind, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
			datagram := b[3:min(len(b), 3+size)]
			b = b[3+len(datagram):]
			from := dissector.Side(kind & 1)
			switch {
			case kind&2 != 0:
				probe(datagram)
			case from == dissector.Client:
				datagram = fromClient(datagram)
			default:
				datagram = fromServer(datagram)
			}
			if span, err := parse(from, datagram, &dissector.Message{Whole: true, Detail: kind&4 != 0}); err == nil && span <= 0 {
				t.Fatalf("span %d", span)
			}
		}
	})
}
