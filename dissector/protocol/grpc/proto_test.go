package grpc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// proto makes a message of all types of fields.
func proto() []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 150)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), "testing \"é\"")
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7)
	inner = protowire.AppendBytes(protowire.AppendTag(inner, 2, protowire.BytesType), []byte{0xff, 0})
	b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), inner)
	b = protowire.AppendFixed32(protowire.AppendTag(b, 4, protowire.Fixed32Type), 1)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 5, protowire.Fixed64Type), 2)
	b = protowire.AppendGroup(protowire.AppendTag(b, 6, protowire.StartGroupType), 6, inner[:2])
	b = protowire.AppendBytes(protowire.AppendTag(b, 1000, protowire.BytesType), nil)
	return b
}

const written = `1: 150
2: "testing \"é\""
3 {
  1: 7
  2: ff00
}
4: 0x00000001
5: 0x0000000000000002
6 {
  1: 7
}
1000: ""
`

func TestMessagesWithoutSchema(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"all types":       {string(proto()), written},
		"text":            {"no message", "\"no message\"\n"},
		"no message":      {"\x08", "08\n"},
		"field number 0":  {"\x00\x01", "0001\n"},
		"a value cut off": {"\x0a\x05ab", "0a056162\n"},
	} {
		if got := string(appendProto(nil, []byte(c.in), 1000)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestContent(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(proto())
	_ = w.Close()
	one, title := prefixed(0, string(proto())), func(n int) string { return fmt.Sprintf("message %d, %d bytes\n", n, len(proto())) }
	for name, c := range map[string]struct{ kind, raw, want string }{
		"two messages":   {"application/grpc", one + one, title(1) + written + title(2) + written},
		"compressed":     {"application/grpc+proto", prefixed(1, packed.String()), written},
		"JSON":           {"application/grpc+json", prefixed(0, `{"a":1}`), "message 1, 7 bytes\n{\"a\":1}\n"},
		"in a browser":   {"application/grpc-web-text", base64.StdEncoding.EncodeToString([]byte(one)) + base64.StdEncoding.EncodeToString([]byte("\x80\x00\x00\x00\x0fgrpc-status: 0\r")), written + "trailers, 15 bytes\ngrpc-status: 0\n"},
		"cut in a value": {"application/grpc", one[:20], title(1)},
	} {
		m := request(c.kind, "/a.B/C")
		http.RequestHeaders.Add(&m.Values, []byte("grpc-encoding"), []byte("gzip"))
		got, err := content(m, []byte(c.raw), 1<<20)
		if err != nil || !strings.HasSuffix(string(got), c.want) && !strings.HasPrefix(string(got), c.want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
		if short, _ := content(m, []byte(c.raw), 5); len(short) > 5 {
			t.Errorf("%s: %d bytes, not 5", name, len(short))
		}
	}
	m := request("application/grpc", "/a.B/C")
	m.Lost = 1
	if _, err := content(m, []byte(one), 100); err == nil {
		t.Error("messages with a hole are shown")
	}
}

func FuzzContent(f *testing.F) {
	f.Add(string(proto()), byte(0))
	f.Add("\x0b\x0b\x0c\x0c", byte(1))
	f.Fuzz(func(t *testing.T, b string, flag byte) {
		defer dissectortest.Bounded(t)()
		const limit = 4 << 10
		for _, kind := range []string{"application/grpc", "application/grpc-web-text"} {
			m := request(kind, "/a.B/C")
			http.RequestHeaders.Add(&m.Values, []byte("grpc-encoding"), []byte("deflate"))
			if got, _ := content(m, []byte(prefixed(flag, b)+b), limit); len(got) > limit {
				t.Fatalf("%d bytes", len(got))
			}
		}
	})
}
