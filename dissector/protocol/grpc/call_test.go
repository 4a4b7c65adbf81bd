package grpc

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

func request(contentType, path string) *dissector.Message {
	m := &dissector.Message{From: dissector.Client}
	http.SetRequest(m, []byte("POST"), []byte(path), []byte("shop"), "HTTP/2")
	if contentType != "" {
		http.RequestHeaders.Add(&m.Values, []byte("content-type"), []byte(contentType))
	}
	return m
}

func TestClaim(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=utf-8": true, "Application/GRPC": true,
		"application/grpc-web": true, "application/grpc-web-text+proto": true, "application/grpc-webx": false, "application/grpcx": false, "application/json": false, "": false,
	} {
		if got := claim(request(contentType, "/a.B/C")); got != want {
			t.Errorf("request with content type %q: got %v", contentType, got)
		}
		m := &dissector.Message{From: dissector.Server}
		http.ResponseHeaders.Add(&m.Values, []byte("content-type"), []byte(contentType))
		if got := claim(m); got != want {
			t.Errorf("response with content type %q: got %v", contentType, got)
		}
	}
}

func TestMethod(t *testing.T) {
	for path, want := range map[string][2]string{
		"/shop.Cart/Get": {"shop.Cart", "Get"}, "/prefix/shop.Cart/Get": {"prefix/shop.Cart", "Get"}, "/Get": {"", "Get"}, "/a/": {"a", ""},
	} {
		m := request("application/grpc", path)
		done(m)
		got := [2]string{string(Service.Get(&m.Values)), string(Method.Get(&m.Values))}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if op := string(dissector.Operation.Get(&m.Values)); op != want[1] {
			t.Errorf("%s: operation %q", path, op)
		}
	}
}

func TestStatus(t *testing.T) {
	type header struct{ name, value string }
	for _, c := range []struct {
		name              string
		headers, trailers []header
		has, failed       bool
		status            string
		code              int64
		message           string
	}{
		{"ok", nil, []header{{"grpc-status", "0"}}, true, false, "0 OK", 0, ""},
		{"failure under HTTP 200", nil, []header{{"grpc-status", "14"}, {"grpc-message", "down: 100%25 of %E2%82%AC, %zz%4"}}, true, true, "14 UNAVAILABLE", 14, "down: 100% of €, %zz%4"},
		{"trailers only", []header{{"grpc-status", "12"}, {"grpc-message", "no"}}, nil, true, true, "12 UNIMPLEMENTED", 12, "no"},
		{"trailers win", []header{{"grpc-status", "0"}}, []header{{"grpc-status", "2"}}, true, true, "2 UNKNOWN", 2, ""},
		{"own code", nil, []header{{"grpc-status", "99"}}, true, true, "99", 99, ""},
		{"none", nil, nil, false, false, "200", 0, ""},
		{"no number", nil, []header{{"grpc-status", "-1"}}, false, false, "200", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &dissector.Message{From: dissector.Server}
			http.SetStatus(m, 200, nil, "HTTP/2")
			for _, h := range c.headers {
				http.ResponseHeaders.Add(&m.Values, []byte(h.name), []byte(h.value))
			}
			for _, h := range c.trailers {
				http.ResponseTrailers.Add(&m.Values, []byte(h.name), []byte(h.value))
			}
			done(m)
			v := &m.Values
			if v.Has(Status) != c.has || Status.Get(v) != c.code || dissector.Failed.Get(v) != c.failed ||
				string(dissector.Status.Get(v)) != c.status || string(StatusMessage.Get(v)) != c.message {
				t.Errorf("status %v %d, failed %v, text %q, message %q", v.Has(Status), Status.Get(v), dissector.Failed.Get(v), dissector.Status.Get(v), StatusMessage.Get(v))
			}
			if code := dissector.StatusCode.Get(v); code != 200 {
				t.Errorf("HTTP status became %d", code)
			}
		})
	}
}

// TestNoStatus: a response that ended without a status has failed, for every client makes an error
// of it. Where its end, or a part of it, was not seen, nobody knows.
func TestNoStatus(t *testing.T) {
	trailer := func(text string) func(*dissector.Message) {
		return func(m *dissector.Message) { http.ResponseTrailers.Add(&m.Values, []byte("grpc-status"), []byte(text)) }
	}
	for name, c := range map[string]struct {
		contentType string
		code        int
		is          func(*dissector.Message)
		status      string
		failed      bool
	}{
		"seen to its end":       {"application/grpc", 200, func(*dissector.Message) {}, noStatus, true},
		"no number":             {"application/grpc", 200, trailer("x"), noStatus, true},
		"with a status":         {"application/grpc", 200, trailer("0"), "0 OK", false},
		"cut short":             {"application/grpc", 200, func(m *dissector.Message) { m.Truncated = true }, "200", false},
		"reset":                 {"application/grpc", 200, func(m *dissector.Message) { m.Cancel = true }, "200", false},
		"with bytes missing":    {"application/grpc", 200, func(m *dissector.Message) { m.Lost = 1 }, "200", false},
		"with headers unknown":  {"application/grpc", 200, func(m *dissector.Message) { m.Resumed = true }, "200", false},
		"of a proxy that fails": {"application/grpc", 503, func(*dissector.Message) {}, "503", true},
		"of gRPC-Web":           {"application/grpc-web", 200, func(*dissector.Message) {}, "200", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := &dissector.Message{From: dissector.Server}
			http.SetStatus(m, c.code, nil, "HTTP/2")
			http.ResponseHeaders.Add(&m.Values, []byte("content-type"), []byte(c.contentType))
			c.is(m)
			done(m)
			if got := string(dissector.Status.Get(&m.Values)); got != c.status || dissector.Failed.Get(&m.Values) != c.failed {
				t.Errorf("status %q, failed %v; want %q, %v", got, dissector.Failed.Get(&m.Values), c.status, c.failed)
			}
		})
	}
}

func prefixed(flag byte, message string) string {
	var b [prefixLen]byte
	b[0] = flag
	binary.BigEndian.PutUint32(b[1:], uint32(len(message)))
	return string(b[:]) + message
}

// Messages are counted alike however the body is cut.
func TestMessagesAreCounted(t *testing.T) {
	stream := prefixed(0, "one") + prefixed(1, "packed") + prefixed(0, "") + prefixed(0, strings.Repeat("x", 300))
	for name, c := range map[string]struct {
		body       string
		known      bool
		want       int64
		compressed bool
	}{
		"empty":          {"", true, 0, false},
		"four":           {stream, true, 4, true},
		"last is cut":    {stream[:len(stream)-1], true, 3, true},
		"prefix is cut":  {prefixed(0, "a") + "\x00\x00", true, 1, false},
		"not gRPC":       {"<html>hello</html>", false, 0, false},
		"breaks midways": {prefixed(0, "a") + "\x07garbage", false, 0, false},
	} {
		rng := rand.New(rand.NewPCG(5, 5))
		for range 50 {
			m := request("application/grpc", "/a.B/C")
			for b := []byte(c.body); len(b) > 0; {
				n := 1 + rng.IntN(len(b))
				body(m, b[:n])
				m.BodySize += int64(n)
				b = b[n:]
			}
			done(m)
			if m.Has(RequestMessages) != c.known || RequestMessages.Get(&m.Values) != c.want || Compressed.Get(&m.Values) != c.compressed {
				t.Fatalf("%s: known %v, %d messages, compressed %v", name, m.Has(RequestMessages), RequestMessages.Get(&m.Values), Compressed.Get(&m.Values))
			}
		}
	}
}

// A hole inside a message is no harm to the count; one that a prefix may lie in
// makes it unknown.
func TestMessagesAreCountedOverHoles(t *testing.T) {
	stream := prefixed(0, strings.Repeat("x", 100)) + prefixed(0, strings.Repeat("y", 50))
	for from := range len(stream) {
		for _, n := range []int{1, 7, 60} {
			if from+n > len(stream) {
				continue
			}
			m := request("application/grpc", "/a.B/C")
			body(m, []byte(stream[:from]))
			m.Lost += int64(n)
			if rest := stream[from+n:]; rest != "" {
				body(m, []byte(rest))
			}
			m.BodySize = int64(len(stream))
			done(m)
			inside := from >= 5 && from+n <= 105 || from >= 110 && from+n < 160
			if got := m.Has(RequestMessages); got != inside {
				t.Fatalf("hole of %d at %d: count known: %v", n, from, got)
			}
			if inside && RequestMessages.Get(&m.Values) != 2 {
				t.Fatalf("hole of %d at %d: %d messages", n, from, RequestMessages.Get(&m.Values))
			}
		}
	}
}

// The trailers of gRPC-Web stand in the body, however that is cut, and in its text form
// each piece may be padded by itself.
func TestWeb(t *testing.T) {
	trailers := "grpc-status: 5\r\ngrpc-message: no%20such cart\r\n"
	parts := []string{prefixed(0, "one"), prefixed(0, strings.Repeat("x", 300)), prefixed(0x80, trailers)}
	var inText strings.Builder
	for _, p := range parts {
		inText.WriteString(base64.StdEncoding.EncodeToString([]byte(p)))
	}
	for contentType, whole := range map[string]string{
		"application/grpc-web+proto": strings.Join(parts, ""), "application/grpc-web-text": inText.String(),
	} {
		rng := rand.New(rand.NewPCG(5, 5))
		for range 50 {
			m := &dissector.Message{From: dissector.Server}
			http.SetStatus(m, 200, nil, "HTTP/1.1")
			http.ResponseHeaders.Add(&m.Values, []byte("content-type"), []byte(contentType))
			for b := []byte(whole); len(b) > 0; {
				n := 1 + rng.IntN(len(b))
				body(m, b[:n])
				m.BodySize += int64(n)
				b = b[n:]
			}
			done(m)
			v := &m.Values
			if Status.Get(v) != 5 || string(StatusMessage.Get(v)) != "no such cart" || !dissector.Failed.Get(v) || ResponseMessages.Get(v) != 2 || len(Web.Get(v)) == 0 {
				t.Fatalf("%s: status %d, message %q, %d messages, form %q", contentType, Status.Get(v), StatusMessage.Get(v), ResponseMessages.Get(v), Web.Get(v))
			}
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(prefixed(0, "one")+prefixed(1, "two")), 3, int64(0))
	f.Add([]byte(prefixed(0, "one")), 6, int64(2))
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(prefixed(0, "one")+prefixed(0x80, "grpc-status: 0")))), -1, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, cut int, lost int64) {
		defer dissectortest.Bounded(t)()
		if cut < 0 {
			web(b)
			return
		}
		m := request("application/grpc", "/a.B/C")
		cut = min(cut, len(b))
		body(m, b[:cut])
		m.Lost += max(lost, 0)
		body(m, b[cut:])
		done(m)
		if n := RequestMessages.Get(&m.Values); n*prefixLen > int64(len(b)) {
			t.Fatalf("%d messages in %d bytes", n, len(b))
		}
	})
}

// web reads b as a response in both forms of gRPC-Web.
func web(b []byte) {
	for _, contentType := range []string{"application/grpc-web", "application/grpc-web-text"} {
		m := &dissector.Message{From: dissector.Server}
		http.ResponseHeaders.Add(&m.Values, []byte("content-type"), []byte(contentType))
		body(m, b)
		done(m)
	}
}

func BenchmarkBody(b *testing.B) {
	chunk := []byte(prefixed(0, strings.Repeat("x", 1000)))
	m := request("application/grpc", "/a.B/C")
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		body(m, chunk)
		done(m)
	}
}
