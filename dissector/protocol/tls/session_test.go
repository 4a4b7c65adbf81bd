package tls_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	gotls "crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/ftp"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/postgresql"
	"shark/dissector/protocol/smtp"
	"shark/dissector/protocol/tls"
	"shark/packet/keylog"
)

// said is what one side wrote at once.
type said struct {
	server bool
	data   string
}

// session is a connection of Go's TLS as it was on the wire.
type session struct {
	said []said
	log  bytes.Buffer
}

// wire notes what is written to it.
type wire struct {
	net.Conn
	server bool
	mu     *sync.Mutex
	to     *session
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.to.said = append(w.to.said, said{w.server, string(b)})
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// newSession has a client ask a server of one protocol version some requests in turn.
func newSession(t testing.TB, version uint16, suites []uint16, requests int) *session {
	t.Helper()
	var turns []turn
	for n := range requests {
		turns = append(turns, turn{request(n), reply(n)})
	}
	return newTalk(t, version, suites, turns)
}

// turn is what a client says and what the server answers; neither: both say that they leave.
type turn struct{ client, server string }

// leaves has a side say that it sends no more, after or before the other has.
func leaves(c *gotls.Conn, first bool) error {
	if first {
		if err := c.CloseWrite(); err != nil {
			return err
		}
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("behind the last word: %w", err)
	}
	if first {
		return nil
	}
	return c.CloseWrite()
}

// newTalk has two sides of one protocol version talk in turns.
func newTalk(t testing.TB, version uint16, suites []uint16, turns []turn) *session {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s, mu := new(session), new(sync.Mutex)
	a, b := net.Pipe()
	config := func() *gotls.Config {
		return &gotls.Config{
			MinVersion: version, MaxVersion: version, CipherSuites: suites, KeyLogWriter: &s.log, SessionTicketsDisabled: true,
			Certificates: []gotls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, InsecureSkipVerify: true, ServerName: "shop.example",
		}
	}
	serverConfig := config()
	serverConfig.KeyLogWriter = nil
	client, server := gotls.Client(&wire{a, false, mu, s}, config()), gotls.Server(&wire{b, true, mu, s}, serverConfig)
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, x := range turns {
			err := error(nil)
			if x == (turn{}) {
				err = leaves(server, false)
			} else {
				err = say(server, "", x.client, x.server)
			}
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
		}
	})
	for _, x := range turns {
		err := error(nil)
		if x == (turn{}) {
			err = leaves(client, true)
		} else {
			err = say(client, x.client, x.server, "")
		}
		if err != nil {
			t.Errorf("client: %v", err)
			break
		}
	}
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
	return s
}

// say writes, reads as much as the other side says, and writes.
func say(c net.Conn, first, theirs, then string) error {
	if first != "" {
		if _, err := io.WriteString(c, first); err != nil {
			return err
		}
	}
	if _, err := io.ReadFull(c, make([]byte, len(theirs))); err != nil {
		return err
	}
	if then == "" {
		return nil
	}
	_, err := io.WriteString(c, then)
	return err
}

func request(n int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: shop.example\r\n\r\n", n) }

func reply(n int) string {
	body := strings.Repeat("x", 100*(n+1))
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// script returns the session as a capture has it, without the writes that are left out.
func (s *session) script(log []byte, without ...int) *dissectortest.Script {
	return s.on(dissectortest.NewScript(), log, without...)
}

// on is script behind what a connection said before.
func (s *session) on(x *dissectortest.Script, log []byte, without ...int) *dissectortest.Script {
	return s.in(x, log, without...).Close()
}

// in is on of a connection that goes on.
func (s *session) in(x *dissectortest.Script, log []byte, without ...int) *dissectortest.Script {
	if log != nil {
		x.Secrets = new(keylog.Table)
		x.Secrets.Add(log)
	}
	for i, w := range s.said {
		if slices.Contains(without, i) {
			x.Lose()
		}
		if w.server {
			x.Server(w.data)
		} else {
			x.Client(w.data)
		}
	}
	return x
}

// seen is the calls in TLS, and what is said of their connection.
type seen struct {
	calls          []string
	reading, whyNo string
	tls            bool
}

func (s *seen) Entry(e *dissector.Entry) error {
	switch {
	case e.Protocol == dissector.ConnProtocol && !e.Plaintext:
		s.reading, s.whyNo, s.tls = string(field.ConnTLS.Get(&e.Request.Values)), string(field.ConnTLSReason.Get(&e.Request.Values)), e.TLS
	case e.Protocol == http.Protocol && e.Request != nil && e.Response != nil && e.Marks == 0:
		s.calls = append(s.calls, fmt.Sprintf("%s %d %t %t", dissector.Summary.Get(&e.Request.Values), e.Response.BodySize, e.TLS, e.Plaintext))
	}
	return nil
}

func read(t testing.TB, x *dissectortest.Script) (s seen) {
	t.Helper()
	x.Each(t, &s, tls.Protocol, http.Protocol)
	return s
}

// wanted is the calls of a session.
func wanted(from, to int, plaintext bool) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprintf("/%d %d true %t", n, 100*(n+1), plaintext))
	}
	return out
}

// TestReading dissects sessions with the right secrets, wrong ones and none: nothing is read
// that was not said, and the connection says why.
func TestReading(t *testing.T) {
	cbc := []uint16{gotls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	for name, c := range map[string]struct {
		version uint16
		suites  []uint16
	}{
		"1.3": {gotls.VersionTLS13, nil}, "1.2": {gotls.VersionTLS12, nil}, "1.2 by CBC": {gotls.VersionTLS12, cbc}, "1.0": {gotls.VersionTLS10, cbc},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, c.version, c.suites, 5)
			log := s.log.Bytes()
			if got := read(t, s.script(log)); !slices.Equal(got.calls, wanted(0, 5, false)) || got.reading != "decrypted" || got.whyNo != "" || !got.tls {
				t.Errorf("with secrets: %+v", got)
			}
			if got := read(t, s.script(nil)); len(got.calls) > 0 || got.reading != "opaque" || got.whyNo != "no secrets" || got.tls {
				t.Errorf("without secrets: %+v", got)
			}
			if got := read(t, s.script(wrong(log))); len(got.calls) > 0 || got.reading != "opaque" || got.whyNo != "secrets wrong" || got.tls {
				t.Errorf("with wrong secrets: %+v", got)
			}
			hello := s.script(log, 0)
			if got := read(t, hello); len(got.calls) > 0 || got.reading != "opaque" || got.whyNo != "handshake not seen" {
				t.Errorf("without the client's hello: %+v", got)
			}
		})
	}
}

// wrong returns the lines with other secrets.
func wrong(log []byte) (out []byte) {
	keylog.Parse(log, func(s keylog.Secret) {
		s.Secret[0]++
		out = s.Append(out)
	})
	return out
}

// TestReadingAgain loses each part of what was written: later calls are read once a record
// proves where the side is.
func TestReadingAgain(t *testing.T) {
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		s := newSession(t, version, nil, 8)
		all := wanted(0, 8, false)
		for i := range s.said {
			got := read(t, s.script(s.log.Bytes(), i))
			for _, c := range got.calls {
				if !slices.Contains(all, c) {
					t.Errorf("%#x without write %d: %s was not said", version, i, c)
				}
			}
			hello := i == 0 || s.said[i].server && (i == 1 || s.said[i-1].data[5] == 1) // of either side: there are no keys without it
			if least := 5; !hello && i < len(s.said)-8 && len(got.calls) < least {
				t.Errorf("%#x without write %d: %d calls are read, want %d at least: %q %s %s", version, i, len(got.calls), least, got.calls, got.reading, got.whyNo)
			}
		}
	}
}

// TestPlaintext adds what a TLS library was given: it is told once, by the packets on the wire
// where these can be read.
func TestPlaintext(t *testing.T) {
	s := newSession(t, gotls.VersionTLS13, nil, 3)
	plain := func() *dissectortest.Script {
		x := dissectortest.NewPlaintext(time.Second)
		for n := range 3 {
			x.Client(request(n)).Server(reply(n))
		}
		return x
	}
	if got := read(t, s.script(nil).Merge(plain())); !slices.Equal(got.calls, wanted(0, 3, true)) || got.reading != "plaintext" || !got.tls {
		t.Errorf("without secrets: %+v", got)
	}
	if got := read(t, s.script(s.log.Bytes()).Merge(plain())); !slices.Equal(got.calls, wanted(0, 3, false)) || got.reading != "decrypted" {
		t.Errorf("with secrets: %+v", got)
	}
	if got := read(t, plain()); !slices.Equal(got.calls, wanted(0, 3, true)) {
		t.Errorf("alone: %+v", got)
	}
	var all seen
	report := s.script(nil).Merge(plain()).Each(t, &all, tls.Protocol, http.Protocol)
	if len(report.TLS) != 1 || report.TLS["plaintext"] != 1 {
		t.Errorf("one connection is counted as %v", report.TLS)
	}
}

// TestUpgraded has sides go on in TLS with what they spoke before: their parsers go on too.
func TestUpgraded(t *testing.T) {
	begin := dissectortest.NewScript
	startup := "\x00\x00\x00\x12\x00\x03\x00\x00user\x00ann\x00\x00"
	ready := "R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"
	query := "Q\x00\x00\x00\x0dselect 1\x00"
	done := "C\x00\x00\x00\x0dSELECT 1\x00Z\x00\x00\x00\x05I"
	for name, c := range map[string]struct {
		before *dissectortest.Script
		turns  []turn
		proto  *dissector.Protocol
		want   []string
	}{
		"smtp": {
			begin().Server("220 mail.example ESMTP\r\n").Client("EHLO a.example\r\n").Server("250-mail.example\r\n250 STARTTLS\r\n").Client("STARTTLS\r\n").Server("220 go\r\n"),
			[]turn{{"EHLO a.example\r\n", "250 mail.example\r\n"}, {"NOOP\r\n", "250 ok\r\n"}, {"QUIT\r\n", "221 bye\r\n"}},
			smtp.Protocol,
			[]string{"EHLO", "NOOP", "QUIT"},
		},
		"ftp": {
			begin().Server("220 FTP\r\n").Client("AUTH TLS\r\n").Server("234 go\r\n"),
			[]turn{{"USER ann\r\n", "331 and?\r\n"}, {"PASS x\r\n", "230 in\r\n"}, {"PWD\r\n", "257 \"/\"\r\n"}},
			ftp.Protocol,
			[]string{"USER", "PASS", "PWD"},
		},
		"postgresql": {
			begin().Client("\x00\x00\x00\x08\x04\xd2\x16\x2f").Server("S"),
			[]turn{{startup, ready}, {query, done}},
			postgresql.Protocol,
			[]string{"STARTUP", "SELECT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTalk(t, gotls.VersionTLS13, nil, c.turns)
			got := upgraded{of: c.proto}
			s.on(c.before, s.log.Bytes()).Each(t, &got, tls.Protocol, c.proto)
			if !slices.Equal(got.said, c.want) {
				t.Errorf("got %q, want %q", got.said, c.want)
			}
		})
	}
}

// TestLeft has sides go on in clear behind TLS, whether that can be read or not (RFC 4217, section
// 12.3), in one packet with its last record and byte by byte; not where a record is missing.
func TestLeft(t *testing.T) {
	s := newTalk(t, gotls.VersionTLS12, nil, []turn{{"USER ann\r\n", "331 and?\r\n"}, {"CCC\r\n", "200 in clear\r\n"}, {}})
	last := len(s.said) - 1
	if !s.said[last].server {
		t.Fatal("the server leaves last")
	}
	joined := &session{said: slices.Clone(s.said)}
	joined.said[last].data += "220 again\r\n"
	bytewise := func(x *dissectortest.Script) *dissectortest.Script {
		for _, b := range []byte("PWD\r\n") {
			x.Client(string(b))
		}
		for _, b := range []byte("257 \"/\"\r\n") {
			x.Server(string(b))
		}
		return x
	}
	whole := func(x *dissectortest.Script) *dissectortest.Script {
		return x.Client("PWD\r\n").Server("257 \"/\"\r\n")
	}
	for _, c := range []struct {
		name    string
		s       *session
		log     []byte
		clear   func(*dissectortest.Script) *dissectortest.Script
		without []int
		in, out []string // TLS
	}{
		{"opaque", s, nil, whole, nil, nil, []string{"AUTH", "PWD"}},
		{"decrypted", s, s.log.Bytes(), whole, nil, []string{"USER", "CCC"}, []string{"AUTH", "PWD"}},
		{"byte by byte", s, nil, bytewise, nil, nil, []string{"AUTH", "PWD"}},
		{"decrypted, byte by byte", s, s.log.Bytes(), bytewise, nil, []string{"USER", "CCC"}, []string{"AUTH", "PWD"}},
		{"in one packet", joined, nil, whole, nil, nil, []string{"AUTH", "PWD"}},
		{"a record is missing", s, nil, whole, []int{last - 2}, nil, []string{"AUTH"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := dissectortest.NewScript().Server("220 FTP\r\n").Client("AUTH TLS\r\n").Server("234 go\r\n")
			script := c.clear(c.s.in(x, c.log, c.without...)).Close()
			in, out := upgraded{of: ftp.Protocol}, upgraded{of: ftp.Protocol, clear: true}
			script.Each(t, &in, tls.Protocol, ftp.Protocol)
			report := script.Each(t, &out, tls.Protocol, ftp.Protocol)
			if !slices.Equal(in.said, c.in) || !slices.Equal(out.said, c.out) {
				t.Errorf("in TLS %q, want %q; in clear %q, want %q", in.said, c.in, out.said, c.out)
			}
			if report.ParseErrors != 0 {
				t.Errorf("%d errors", report.ParseErrors)
			}
		})
	}
}

// upgraded collects the operations of a protocol in TLS, or those in clear.
type upgraded struct {
	of    *dissector.Protocol
	clear bool
	said  []string
}

func (u *upgraded) Entry(e *dissector.Entry) error {
	if e.Protocol == u.of && e.TLS != u.clear && e.Request != nil && e.Response != nil && e.Marks == 0 {
		u.said = append(u.said, string(dissector.Operation.Get(&e.Request.Values)))
	}
	return nil
}

// FuzzOpen gives an opener of each version whatever it likes.
func FuzzOpen(f *testing.F) {
	var sessions []*session
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		s := newSession(f, version, nil, 2)
		sessions = append(sessions, s)
		for _, w := range s.said {
			f.Add(version == gotls.VersionTLS13, w.server, int64(0), []byte(w.data))
			f.Add(version == gotls.VersionTLS13, w.server, int64(100), []byte("..."+w.data))
		}
	}
	f.Fuzz(func(t *testing.T, v13, server bool, missing int64, data []byte) {
		defer dissectortest.Bounded(t)()
		s := sessions[0]
		if v13 {
			s = sessions[1]
		}
		open := opener(t, s)
		from := dissector.Client
		if server {
			from = dissector.Server
		}
		for left := data; len(left) > 0; {
			r, err := open.Open(from, left, max(missing, 0), nil)
			if err != nil {
				return
			}
			if r.Span <= 0 || r.Span > len(left) {
				t.Fatalf("span %d of %d bytes", r.Span, len(left))
			}
			if len(r.Plain) > 0 && (!r.Proven || r.At+len(r.Plain) > r.Span) {
				t.Fatalf("%d bytes that nothing proves: %+v", len(r.Plain), r)
			}
			left, missing = left[r.Span:], 0
		}
	})
}

// opener returns what opens a session's records behind its hellos.
func opener(t *testing.T, s *session) dissector.Opener {
	t.Helper()
	parse := tls.Protocol.New(dissector.TCP)
	if _, err := parse(dissector.Client, []byte(s.said[0].data), new(dissector.Message)); err != nil {
		t.Fatal(err)
	}
	m := new(dissector.Message)
	if _, err := parse(dissector.Server, []byte(s.said[1].data), m); err != nil {
		t.Fatal(err)
	}
	table := new(keylog.Table)
	table.Add(s.log.Bytes())
	open, why := tls.Protocol.Open(m, table)
	if open == nil {
		t.Fatal(why)
	}
	return open
}
