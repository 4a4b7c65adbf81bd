package tls_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/tls"
)

// vector puts the length of a list, in size bytes, before it.
func vector(size int, parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	n := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	return append(n[4-size:], b...)
}

func u16(l ...uint16) (b []byte) {
	for _, n := range l {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}

func extension(kind uint16, content ...[]byte) []byte {
	return append(u16(kind), vector(2, content...)...)
}

// clientHello returns the body of a hello.
func clientHello(legacy uint16, suites []uint16, extensions ...[]byte) []byte {
	return slices.Concat(u16(legacy), make([]byte, 32), []byte{0}, vector(2, u16(suites...)), []byte{1, 0}, vector(2, extensions...))
}

func record(kind byte, body []byte) []byte {
	return append([]byte{kind, 3, 1}, vector(2, body)...)
}

func handshake(kind byte, body []byte) []byte { return append([]byte{kind}, vector(3, body)...) }

// chrome is the hello that the JA4 specification has as its example, with other
// random values.
func chrome() []byte {
	empty := func(kind uint16) []byte { return extension(kind) }
	return clientHello(0x0303,
		[]uint16{0x8a8a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		empty(0x4a4a),
		extension(0, vector(2, []byte{0}, vector(2, []byte("example.com")))),
		empty(0x0017), empty(0xff01),
		extension(0x000a, vector(2, u16(0x5a5a, 0x001d, 0x0017, 0x0018))),
		extension(0x000b, vector(1, []byte{0})),
		empty(0x0023),
		extension(0x0010, vector(2, vector(1, []byte("h2")), vector(1, []byte("http/1.1")))),
		empty(0x0005),
		extension(0x000d, vector(2, u16(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601))),
		empty(0x0012), empty(0x0033), empty(0x002d),
		extension(0x002b, vector(1, u16(0x7a7a, 0x0304, 0x0303))),
		empty(0x001b), empty(0x4469), empty(0x9a9a), empty(0x0015),
	)
}

func TestJA4(t *testing.T) {
	// With its extensions, named in order, and signatures as in the specification.
	h, err := tls.ParseClientHello(chrome())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.JA4('t'), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for alpn, want := range map[string]string{
		"":                 "t12i010100_",
		"h2":               "t12i0102h2_",
		"http/1.1":         "t12i0102h1_",
		"x":                "t12i0102xx_",
		"\xab\xcd":         "t12i0102ad_",
		"0\xab":            "t12i01023b_",
		"\x30\x31\xab\xcd": "t12i01023d_",
	} {
		exts := [][]byte{extension(0x0017)}
		if alpn != "" {
			exts = append(exts, extension(16, vector(2, vector(1, []byte(alpn)))))
		}
		h, err := tls.ParseClientHello(clientHello(0x0303, []uint16{0x1301}, exts...))
		if err != nil {
			t.Fatal(err)
		}
		if got := h.JA4('t')[:len(want)]; got != want {
			t.Errorf("alpn %q: got %s, want %s", alpn, got, want)
		}
	}
	bare, err := tls.ParseClientHello(slices.Concat(u16(0x0300), make([]byte, 32), []byte{0}, vector(2, nil), []byte{1, 0}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := bare.JA4('q'), "qs3i000000_000000000000_000000000000"; got != want {
		t.Errorf("bare: got %s, want %s", got, want)
	}
}

// parseOne parses the first message of a side.
func parseOne(from dissector.Side, data []byte) (*dissector.Message, error) {
	parse := tls.Protocol.New(dissector.TCP)
	m := new(dissector.Message)
	for {
		m.Open, m.Skip = false, false
		span, err := parse(from, data, m)
		if err != nil {
			return nil, err
		}
		data = data[min(span, int64(len(data))):]
		if !m.Open {
			return m, nil
		}
	}
}

func list(m *dissector.Message, name string) (out []string) {
	for f, v := range m.All() {
		if f.Name == name {
			out = append(out, string(v.Bytes))
		}
	}
	return out
}

func TestClientHello(t *testing.T) {
	m, err := parseOne(dissector.Client, record(22, handshake(1, chrome())))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"tlsx_sni":          {"example.com"},
		"summary":           {"example.com"},
		"tlsx_alpn_offered": {"h2", "http/1.1"},
		"tlsx_versions":     {"TLS 1.3", "TLS 1.2"},
	} {
		if got := list(m, name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := list(m, "tlsx_cipher_suites"); len(got) != 15 || got[0] != "TLS_AES_128_GCM_SHA256" {
		t.Errorf("cipher suites without grease: %q", got)
	}
	if m.Next != "" {
		t.Errorf("a client's hello ends what can be read: next is %q", m.Next)
	}
}

func TestMalformedExtension(t *testing.T) {
	m, err := parseOne(dissector.Client, record(22, handshake(1, chrome()[:107])))
	if err != nil {
		t.Fatal(err)
	}
	if got := list(m, "tlsx_extensions"); !slices.Equal(got, []string{"server_name", "extended_master_secret", "renegotiation_info"}) {
		t.Errorf("extensions before the malformed one: %q", got)
	}
}

func serverHello(version, suite uint16, extensions ...[]byte) []byte {
	return handshake(2, slices.Concat(u16(version), make([]byte, 32), []byte{0}, u16(suite), []byte{0}, vector(2, extensions...)))
}

func TestServerAnswers(t *testing.T) {
	alert := func(level, what byte) []byte { return record(21, []byte{level, what}) }
	done := handshake(14, nil)
	for _, c := range []struct {
		name   string
		data   []byte
		status string
		failed bool
		next   string
	}{
		{"1.3", record(22, serverHello(0x0303, 0x1301, extension(43, u16(0x0304)))), "TLS 1.3", false, dissector.Opaque},
		{"1.2 in one record", record(22, slices.Concat(serverHello(0x0303, 0xc02f), handshake(11, vector(3, nil)), done)), "TLS 1.2", false, dissector.Opaque},
		{"1.2 in three records", slices.Concat(record(22, serverHello(0x0303, 0xc02f)), record(22, handshake(12, make([]byte, 40))), record(22, done)), "TLS 1.2", false, dissector.Opaque},
		{"resumed", slices.Concat(record(22, serverHello(0x0302, 0x002f)), record(20, []byte{1})), "TLS 1.1", false, dissector.Opaque},
		{"message over records", slices.Concat(record(22, serverHello(0x0303, 0xc02f)[:20]), record(22, serverHello(0x0303, 0xc02f)[20:]), record(22, done)), "TLS 1.2", false, dissector.Opaque},
		{"message too long", slices.Concat(record(22, slices.Concat(serverHello(0x0303, 0xc02f), []byte{11, 2, 0, 0}, make([]byte, 1<<14-200))),
			record(22, make([]byte, 1<<14)), record(22, make([]byte, 1<<14)), record(22, make([]byte, 1<<14)), record(22, make([]byte, 1<<14)),
			record(22, make([]byte, 1<<14)), record(22, make([]byte, 1<<14)), record(22, make([]byte, 1<<14)), record(22, slices.Concat(make([]byte, 200), done))), "TLS 1.2", false, dissector.Opaque},
		{"refused", alert(2, 40), "handshake_failure", true, dissector.Opaque},
		{"warned, then refused", slices.Concat(alert(1, 112), alert(2, 70)), "protocol_version", true, dissector.Opaque},
		{"closed", alert(1, 0), "close_notify", true, dissector.Opaque},
		{"unknown alert", alert(2, 200), "alert 200", true, dissector.Opaque},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseOne(dissector.Server, c.data)
			if err != nil {
				t.Fatal(err)
			}
			status, failed := string(dissector.Status.Get(&m.Values)), dissector.Failed.Get(&m.Values)
			if status != c.status || failed != c.failed || m.Next != c.next {
				t.Errorf("got %q, failed %t, next %q; want %q, %t, %q", status, failed, m.Next, c.status, c.failed, c.next)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	hello := chrome()
	long := slices.Clone(hello)
	binary.BigEndian.PutUint16(long[2+32+1:], 0xffff) // cipher suites past the end
	for name, c := range map[string]struct {
		from dissector.Side
		data []byte
	}{
		"suites past the end":   {dissector.Client, record(22, handshake(1, long))},
		"cut before suites":     {dissector.Client, record(22, handshake(1, hello[:40]))},
		"record too long":       {dissector.Client, []byte{22, 3, 1, 0xff, 0xff, 1}},
		"not a record":          {dissector.Client, []byte("GET / HTTP/1.1\r\n")},
		"empty record":          {dissector.Server, record(22, nil)},
		"unexpected message":    {dissector.Server, record(22, handshake(11, nil))},
		"two server hellos":     {dissector.Server, record(22, append(serverHello(0x0303, 1), serverHello(0x0303, 1)...))},
		"short server hello":    {dissector.Server, record(22, handshake(2, make([]byte, 20)))},
		"hello over data":       {dissector.Client, slices.Concat(record(22, handshake(1, hello)[:50]), record(23, make([]byte, 50)))},
		"hello of SSL 2.0 only": {dissector.Client, []byte{0x80, 0x1c, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80}},
	} {
		if m, err := parseOne(c.from, c.data); err == nil || errors.Is(err, dissector.ErrShort) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestProbe(t *testing.T) {
	hello := record(22, handshake(1, chrome()))
	old := append([]byte{0x80, 0x22, 1, 3, 1, 0, 9, 0, 0, 0, 16}, make([]byte, 25)...)
	for _, c := range []struct {
		name string
		in   []byte
		want dissector.Guess
	}{
		{"nothing", nil, dissector.More},
		{"type", hello[:1], dissector.More},
		{"header", hello[:5], dissector.More},
		{"all but version", hello[:10], dissector.More},
		{"enough", hello[:11], dissector.Request},
		{"whole", hello, dissector.Request},
		{"cut over tiny records", record(22, hello[5:6]), dissector.Request},
		{"server", record(22, serverHello(0x0303, 1)), dissector.Response},
		{"SSL 2.0 form", old, dissector.Request},
		{"SSL 2.0 form, short", old[:4], dissector.More},
		{"SSL 2.0 form, wrong length", append([]byte{0x80, 0x23}, old[2:]...), dissector.No},
		{"data", record(23, make([]byte, 50)), dissector.No},
		{"finished", record(22, handshake(20, make([]byte, 50))), dissector.No},
		{"encrypted", record(22, []byte{1, 0xab, 0xcd, 0xef, 1, 2, 3, 4}), dissector.No},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), dissector.No},
		{"bytes from 0x80", []byte{0x81, 5, 'h', 'e', 'l', 'l', 'o'}, dissector.No},
	} {
		if got := tls.Protocol.Probe(c.in); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// FuzzParse checks that whatever is parsed from the first bytes of a side is
// parsed the same from more of them.
func FuzzParse(f *testing.F) {
	f.Add(false, uint16(20), record(22, handshake(1, chrome())))
	f.Add(true, uint16(60), slices.Concat(record(22, serverHello(0x0303, 0xc02f)), record(22, handshake(11, vector(3, vector(3, make([]byte, 9))))), record(22, handshake(14, nil))))
	f.Add(false, uint16(3), []byte{0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, server bool, cut uint16, data []byte) {
		defer dissectortest.Bounded(t)()
		from := dissector.Client
		if server {
			from = dissector.Server
		}
		tls.Protocol.Probe(data)
		if h, err := tls.ParseClientHello(data); err == nil {
			h.JA3()
			h.JA4('q')
		}
		parse, twin := tls.Protocol.New(dissector.TCP), tls.Protocol.New(dissector.TCP)
		m, less := new(dissector.Message), new(dissector.Message)
		for len(data) > 0 {
			part := data[:min(int(cut), len(data))]
			m.Open, m.Skip, less.Open, less.Skip = false, false, false, false
			early, shortErr := twin(from, part, less)
			span, err := parse(from, data, m)
			if errors.Is(shortErr, dissector.ErrShort) {
				if less.Need > 0 && less.Need <= len(part) {
					t.Fatalf("needs %d of %d", less.Need, len(part))
				}
				early, shortErr = twin(from, data, less)
			}
			if err == nil && span <= 0 || early != span || (err == nil) != (shortErr == nil) || less.Open != m.Open || less.Len() != m.Len() {
				t.Fatalf("cut at %d: %d, %v; whole: %d, %v\n%x", cut, early, shortErr, span, err, data)
			}
			if err != nil {
				return
			}
			data = data[min(span, int64(len(data))):]
			if !m.Open {
				m, less = new(dissector.Message), new(dissector.Message)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	req := record(22, handshake(1, chrome()))
	resp := record(22, serverHello(0x0303, 0x1301, extension(43, u16(0x0304))))
	parse := tls.Protocol.New(dissector.TCP)
	var v field.Values
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		for side, data := range [][]byte{req, resp} {
			v.Reset()
			m := dissector.Message{Values: v}
			if _, err := parse(dissector.Side(side), data, &m); err != nil {
				b.Fatal(err)
			}
			v = m.Values
		}
	}
}
