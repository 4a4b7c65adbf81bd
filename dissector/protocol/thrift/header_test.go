package thrift

import (
	"bytes"
	"compress/zlib"
	"runtime"
	"testing"

	"shark/dissector"
)

func compressed(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s)) // a buffer takes all
	_ = z.Close()
	return b.String()
}

// zipped has as many zlib transforms as are said to be: 1 or 2.
func zipped(transforms byte, payload string) string {
	return frame("\x0f\xff\x00\x00\x00\x00\x00\x07\x00\x01\x00" + string([]byte{transforms}) + "\x01\x01"[:transforms] + "\x00\x00"[:2-transforms] + payload)
}

func TestZlibOnce(t *testing.T) {
	for _, c := range []struct{ said, transport, method string }{
		{zipped(1, compressed(add)), "header (zlib)", "add"},
		{zipped(1, "no zlib"), "header (zlib)", ""},
		{zipped(1, compressed(add)), "header (zlib)", "add"},
		{zipped(2, compressed(compressed(add))), "header (transform 1)", ""},
	} {
		m := new(dissector.Message)
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(c.said), m); err != nil {
			t.Fatal(err)
		}
		if transport, method := string(Transport.Get(&m.Values)), string(dissector.Operation.Get(&m.Values)); transport != c.transport || method != c.method {
			t.Errorf("%q: transport %q, method %q", c.said, transport, method)
		}
	}
}

// Messages that are compressed share what inflates them.
func TestInflatingIsCheap(t *testing.T) {
	const number, each = 200, 16 << 10 // bytes; a reader of zlib has more than twice that
	b, room := []byte(compressed(add)), make([]byte, maxHead)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range number {
		if inflate(b, room) == nil {
			t.Fatal("not inflated")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > number*each {
		t.Errorf("%d bytes were allocated for %d messages", n, number)
	}
}
