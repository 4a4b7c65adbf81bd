package http_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

func pack(t *testing.T, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, err = flate.NewWriter(&out, 5)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func response(headers string) *dissector.Message {
	m := new(dissector.Message)
	http.ResponseHeaders.AddLines(&m.Values, []byte(headers))
	return m
}

func TestContent(t *testing.T) {
	plain := []byte(strings.Repeat("a whale is no fish. ", 500))
	for name, c := range map[string]struct {
		headers string
		codings []string
	}{
		"none":          {"A: b\r\n", nil},
		"identity":      {"Content-Encoding: identity\r\n", nil},
		"gzip":          {"content-encoding: GZIP\r\n", []string{"gzip"}},
		"x-gzip":        {"Content-Encoding: x-gzip\r\n", []string{"gzip"}},
		"zlib":          {"Content-Encoding: deflate\r\n", []string{"deflate"}},
		"raw deflate":   {"Content-Encoding: deflate\r\n", []string{"raw"}},
		"br":            {"Content-Encoding: br\r\n", []string{"br"}},
		"zstd":          {"Content-Encoding: zstd\r\n", []string{"zstd"}},
		"chain":         {"Content-Encoding: br, gzip\r\n", []string{"br", "gzip"}},
		"two headers":   {"Content-Encoding: br\r\nContent-Encoding: zstd\r\n", []string{"br", "zstd"}},
		"transfer gzip": {"Transfer-Encoding: gzip, chunked\r\n", []string{"gzip"}},
	} {
		raw := plain
		for _, coding := range c.codings {
			raw = pack(t, coding, raw)
		}
		m := response(c.headers)
		if got, err := http.Content(m, raw, 1<<20); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if got, err := http.Content(m, raw, 100); err != nil || !bytes.Equal(got, plain[:100]) {
			t.Errorf("%s, limited: %d bytes, %v", name, len(got), err)
		}
		if len(c.codings) == 1 { // what was captured of a body is shown as far as it goes
			if got, err := http.Content(m, raw[:len(raw)-3], 1<<20); err == nil || !bytes.HasPrefix(plain, got) {
				t.Errorf("%s, cut short: %d bytes, %v", name, len(got), err)
			}
		}
	}
}

func TestContentRefuses(t *testing.T) {
	bomb := pack(t, "br", pack(t, "br", make([]byte, 64<<20)))
	if got, err := http.Content(response("Content-Encoding: br, br\r\n"), bomb, 1<<30); !errors.Is(err, http.ErrRatio) || len(got) > 8<<20 {
		t.Errorf("bomb: %d bytes, %v", len(got), err)
	}
	for headers, raw := range map[string]string{
		"Content-Encoding: compress\r\n":             "x",
		"Content-Encoding: gzip\r\n":                 "this is not gzip",
		"Content-Encoding: deflate\r\n":              "",
		"Content-Encoding: gzip,gzip,br,br,gzip\r\n": "x",
	} {
		if _, err := http.Content(response(headers), []byte(raw), 1000); err == nil {
			t.Errorf("%q: no error", headers)
		}
	}
}

func TestContentOfRequest(t *testing.T) {
	m := new(dissector.Message)
	http.RequestHeaders.AddLines(&m.Values, []byte("Content-Encoding: gzip\r\n"))
	if got, err := http.Content(m, pack(t, "gzip", []byte("hello")), 100); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestParts(t *testing.T) {
	body := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na shark\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"../s.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n"
	want := []http.Part{{Name: "title", Size: 7}, {Name: "photo", Filename: "../s.png", ContentType: "image/png", Size: 4}}
	got, err := http.Parts(`multipart/form-data; boundary=b`, []byte(body))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = http.Parts(`multipart/form-data; boundary=b`, []byte(body[:len(body)-9]))
	if err == nil || len(got) != 2 {
		t.Errorf("cut short: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "text/plain", "multipart/mixed", ";;"} {
		if _, err := http.Parts(bad, []byte(body)); err == nil {
			t.Errorf("content type %q: no error", bad)
		}
	}
}

func TestDerived(t *testing.T) {
	headers := "User-Agent: curl/8.5\r\nCookie: a=1; b=\"two\"; a=3; flag\r\nSet-Cookie: s=x=y; Path=/\r\nset-cookie: t=; Secure\r\nCONTENT-TYPE: Text/HTML; charset=utf-8\r\n"
	for _, c := range []struct {
		f    *field.Field
		in   string
		want any
	}{
		{http.QueryString, "/x?q=caf%C3%A9+au+lait&tag=a&tag=b&empty&bad=%zz&&e==#f", map[string]string{"q": "café au lait", "tag": "a,b", "empty": "", "bad": "%zz", "e": "="}},
		{http.QueryString, "/x", map[string]string{}},
		{http.RequestCookies, headers, map[string]string{"a": "1", "b": "two"}},
		{http.ResponseCookies, headers, map[string]string{"s": "x=y", "t": ""}},
		{http.UserAgent, headers, "curl/8.5"},
		{http.RequestContentType, headers, "text/html"},
		{http.ResponseContentType, "", ""},
	} {
		got := c.f.Derive(c.in)
		if m, ok := c.want.(map[string]string); ok {
			if g, ok := got.(map[string]string); !ok || !maps.Equal(g, m) {
				t.Errorf("%s: got %q, want %q", c.f.Name, got, m)
			}
		} else if got != c.want {
			t.Errorf("%s: got %q, want %q", c.f.Name, got, c.want)
		}
	}
}
