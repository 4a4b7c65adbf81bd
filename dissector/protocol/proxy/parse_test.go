package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// text is what a header says, or the error.
func text(b []byte) string {
	m := new(dissector.Message)
	span, err := parse(dissector.Client, b, m)
	if err != nil {
		return err.Error()
	}
	out := fmt.Sprintf("%d", span)
	for f, v := range m.All() {
		if f == dissector.Operation.Field || f == dissector.Summary.Field {
			continue
		}
		out += " " + strings.TrimPrefix(f.Name, "proxy_") + "="
		if v.Bytes != nil && f != Version.Field && f != SrcPort.Field && f != DstPort.Field {
			out += string(v.Bytes)
		} else {
			out += fmt.Sprint(v.Int)
		}
	}
	return out
}

// binary2 is a header of version 2.
func binary2(command, family byte, rest ...byte) []byte {
	return append([]byte(signature+string([]byte{0x20 | command, family, byte(len(rest) >> 8), byte(len(rest))})), rest...)
}

func TestHeaders(t *testing.T) {
	four := []byte{192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0, 80}
	unix := make([]byte, 216)
	copy(unix, "/run/a.sock")
	short, malformed := dissector.ErrShort.Error(), errMalformed.Error()
	for _, k := range []struct {
		name string
		b    []byte
		want string
	}{
		{"line", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\nGET"), "41 version=1 command=PROXY family=TCP4 src=192.0.2.1 dst=192.0.2.2 src_port=40000 dst_port=80"},
		{"line of IPv6", []byte("PROXY TCP6 2001:DB8::1 ::2 0 65535\r\n"), "36 version=1 command=PROXY family=TCP6 src=2001:db8::1 dst=::2 src_port=0 dst_port=65535"},
		{"unknown", []byte("PROXY UNKNOWN whatever\r\n"), "24 version=1 command=PROXY family=UNKNOWN"},
		{"no end yet", []byte("PROXY TCP4 192.0.2.1"), short},
		{"never an end", []byte("PROXY TCP4 " + strings.Repeat("1", 100)), malformed},
		{"bare LF", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), malformed},
		{"port too large", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), malformed},
		{"leading zero", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 080 2\r\n"), malformed},
		{"no port", []byte("PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n"), malformed},
		{"other family", []byte("PROXY TCP4 ::1 ::2 1 2\r\n"), malformed},
		{"zone", []byte("PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n"), malformed},
		{"too many words", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), malformed},
		{"other word", []byte("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), malformed},
		{"binary", binary2(1, 0x11, four...), "28 version=2 command=PROXY family=TCP4 src=192.0.2.1 dst=192.0.2.2 src_port=40000 dst_port=80"},
		{"sockets", binary2(1, 0x31, unix...), "232 version=2 command=PROXY family=UNIX src=/run/a.sock dst=unnamed"},
		{"local", binary2(0, 0x11, four...), "28 version=2 command=LOCAL family=TCP4"},
		{"local without addresses", binary2(0, 0x00), "16 version=2 command=LOCAL family=UNKNOWN"},
		{"addresses cut", binary2(1, 0x11, four[:11]...), malformed},
		{"a value past the end", binary2(1, 0x11, append(bytes.Clone(four), typeALPN, 0, 9, 'h')...), "32 version=2 command=PROXY family=TCP4 src=192.0.2.1 dst=192.0.2.2 src_port=40000 dst_port=80"},
		{"other version", append([]byte(signature), 0x11, 0x11, 0, 0), malformed},
		{"other command", append([]byte(signature), 0x22, 0x11, 0, 0), malformed},
		{"other transport", append([]byte(signature), 0x21, 0x13, 0, 0), malformed},
		{"too long", append([]byte(signature), 0x21, 0x11, 0xff, 0xff), malformed},
		{"cut", binary2(1, 0x11, four...)[:20], short},
	} {
		if got := text(k.b); got != k.want {
			t.Errorf("%s: got %s\nwant %s", k.name, got, k.want)
		}
		guess := map[string]dissector.Guess{short: dissector.More, malformed: dissector.No}[k.want]
		if guess == dissector.No && k.want != malformed || k.name == "cut" {
			guess = dissector.Request
		}
		if got := probe(k.b); got != guess {
			t.Errorf("%s: probe says %d, want %d", k.name, got, guess)
		}
	}
	if got := probe([]byte("GET / HTTP/1.1\r\n")); got != dissector.No {
		t.Errorf("another protocol: probe says %d", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n"))
	f.Add(binary2(1, 0x11, 192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0, 80, typeSSL, 0, 8, 1, 0, 0, 0, 0, typeSSLVersion, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		guess := probe(b)
		span, err := parse(dissector.Client, b, new(dissector.Message))
		if err == nil && (span <= 0 || span > int64(len(b)) || guess != dissector.Request) {
			t.Fatalf("span %d of %d bytes, probe says %d", span, len(b), guess)
		}
	})
}
