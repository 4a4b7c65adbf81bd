package client_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/recorder/api"
	"shark/recorder/freeze"
)

// ask sends a request as it stands and returns status and body.
func (s *served) ask(t *testing.T, method, path, authorization, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		q.Header.Set("Authorization", authorization)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections() // one that says it will close is reset with its body unread
	p, err := tr.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	data, err := io.ReadAll(io.LimitReader(p.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return p.StatusCode, string(data)
}

var window = fmt.Sprintf(`{"from":%q,"to":%q}`, at(0).Format(time.RFC3339Nano), at(9).Format(time.RFC3339Nano))

// Whoever has not the token learns nothing, from loopback neither; and who has it asks for what
// there is, in requests of a bounded size.
func TestRefused(t *testing.T) {
	s := serve(t, fill(t, "node-secret-name"), nil)
	good := "Bearer " + token
	for _, c := range []struct {
		name, method, path, authorization, body string
		code                                    int
	}{
		{"no token", "GET", "/v1/status", "", "", 401},
		{"no token, metrics", "GET", "/metrics", "", "", 401},
		{"no token, no such path", "GET", "/nothing", "", "", 401},
		{"no token, pin", "POST", "/v1/pins", "", window, 401},
		{"empty token", "GET", "/v1/status", "Bearer ", "", 401},
		{"token without scheme", "GET", "/v1/status", token, "", 401},
		{"other scheme", "GET", "/v1/status", "Basic " + token, "", 401},
		{"beginning of the token", "GET", "/v1/status", good[:len(good)-1], "", 401},
		{"token and more", "GET", "/v1/status", good + "x", "", 401},
		{"large body without token", "POST", "/v1/pins", "", strings.Repeat(" ", 1<<20), 401},
		{"the token", "GET", "/v1/status", good, "", 200},
		{"no such path", "GET", "/v1/nothing", good, "", 404},
		{"no path", "GET", "/", good, "", 404},
		{"other method", "DELETE", "/v1/status", good, "", 405},
		{"window and more", "POST", "/v1/pins", good, window + "{}", 400},
		{"window and no JSON", "POST", "/v1/pins", good, window + " and so on", 400},
		{"window and a line feed", "POST", "/v1/pins", good, window + "\n", 200},
		{"no window", "POST", "/v1/pins", good, "", 400},
		{"no JSON", "POST", "/v1/pins", good, "from now", 400},
		{"unknown key", "POST", "/v1/pins", good, `{"from":"2026-03-01T12:00:00Z","to":"2026-03-01T12:00:00Z","path":"/etc"}`, 400},
		{"window that ends before", "POST", "/v1/pins", good, `{"from":"2026-03-01T12:00:00Z","to":"2026-03-01T11:00:00Z"}`, 400},
		{"window of no time", "POST", "/v1/pins", good, `{}`, 400},
		{"window of the year 9999", "POST", "/v1/pins", good, `{"from":"2026-03-01T12:00:00Z","to":"9999-03-01T11:00:00Z"}`, 400},
		{"large body", "POST", "/v1/pins", good, window + strings.Repeat(" ", 1<<20), 413},
		{"large window", "POST", "/v1/pins", good, `{"from":"` + strings.Repeat("2", 1<<20), 413},
		{"no such pin", "GET", "/v1/pins/x/packets", good, "", 404},
		{"pin that is a path", "GET", "/v1/pins/..%2f..%2fetc/packets", good, "", 404},
		{"no such pin to let go", "DELETE", "/v1/pins/x", good, "", 404},
		{"large header", "GET", "/v1/status?" + strings.Repeat("x", 64<<10), good, "", 431},
	} {
		code, body := s.ask(t, c.method, c.path, c.authorization, c.body)
		if code != c.code {
			t.Errorf("%s: %d %.200s, want %d", c.name, code, body, c.code)
		}
		var f api.Failure
		if bad := json.Unmarshal([]byte(body), &f) != nil || f.Error == ""; bad && code >= 400 && code != 431 { // which net/http answers
			t.Errorf("%s: %q is no JSON with an error", c.name, body)
		}
		if code == 401 && strings.Contains(body, "node-secret-name") {
			t.Errorf("%s: says %s", c.name, body)
		}
	}
	if p, err := http.Get("http" + strings.TrimPrefix(s.url, "https") + "/v1/status"); err == nil {
		p.Body.Close()
		if p.StatusCode == http.StatusOK {
			t.Error("it answers without TLS")
		}
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("it speaks TLS 1.1")
	}
}

// Windows are kept for a bounded number of clients, and only while they are heard of.
func TestPinsExpire(t *testing.T) {
	dir := fill(t, "node-a")
	s := serve(t, dir, func(o *api.Options) { o.Lease = 300 * time.Millisecond })
	good := "Bearer " + token
	full := 0
	for range 100 {
		code, body := s.ask(t, "POST", "/v1/pins", good, window)
		if code == 429 {
			full++
			break
		}
		if code != 200 {
			t.Fatalf("%d %s", code, body)
		}
	}
	if full == 0 {
		t.Error("there is no limit of pins")
	}
	pins := func() int {
		list, err := filepath.Glob(filepath.Join(dir, "pins", "*.lock"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	rec := open(t, s.options(), s.url)[0]
	within(t, "the pins expire", func() bool { return pins() == 0 })
	p, err := rec.Pin(at(0), at(perRing)) // this one is renewed
	if err != nil {
		t.Fatal(err)
	}
	_, abandoned := s.ask(t, "POST", "/v1/pins", good, window)
	if pins() != 2 {
		t.Errorf("%d pins, want 2: %s", pins(), abandoned)
	}
	within(t, "the abandoned pin expires", func() bool { return pins() == 1 })
	if log, err := p.Identity(); err != nil {
		t.Errorf("a pin that is asked for is gone: %v", err)
	} else {
		log.Close()
	}
	if err := p.Release(); err != nil || pins() != 0 {
		t.Errorf("released: %v, %d pins", err, pins())
	}
	if _, err := rec.Pin(at(0), at(1)); err != nil {
		t.Fatal(err)
	}
	s.stop() // the recorder ends
	if pins() != 0 {
		t.Errorf("%d pins stay", pins())
	}
}

// Who finds a recorder busy with others waits as long as it is told to, and asks again more often
// than what fails is tried: whether it wants a window kept or reads what there is.
func TestBusy(t *testing.T) {
	dir := fill(t, "node-a")
	s := serve(t, dir, nil)
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	pass.FlushInterval = -1
	var mu sync.Mutex
	asked := make(map[string]int) // how often for what
	var first time.Time           // when for a pin
	busy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		what := q.Method + path.Base(q.URL.Path)
		mu.Lock()
		asked[what]++
		n := asked[what]
		mu.Unlock()
		if what == "POSTpins" && n == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
		}
		if what == "POSTpins" && n == 2 && time.Since(first) < time.Second {
			t.Error("it is asked again before it said")
		}
		if slices.Contains([]string{"POSTpins", "GETpackets", "GETsecrets", "GETidentity"}, what) && n <= 8 {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":"wait"}`)
			return
		}
		pass.ServeHTTP(w, q)
	}))
	defer busy.Close()
	rings, err := freeze.Rings(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, packets := frozen(t, at(0), at(perRing), rings...)
	o := s.options()
	o.CA = api.Fingerprint(busy.Certificate().Raw)
	got, remotes := frozen(t, at(0), at(perRing), open(t, o, busy.URL)...)
	if !slices.Equal(remotes, packets) || described(t, got) != described(t, want) {
		t.Errorf("%d packets, want %d; %s", len(remotes), len(packets), described(t, got))
	}
}

// within polls until something holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); {
		<-time.After(10 * time.Millisecond)
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// Clients that say nothing, or not all, are sent away, however many they are, and others are
// answered.
func TestSlowClients(t *testing.T) {
	s := serve(t, fill(t, "node-a"), func(o *api.Options) { o.Request, o.Idle = 200*time.Millisecond, 200*time.Millisecond })
	host := strings.TrimPrefix(s.url, "https://")
	var conns []net.Conn
	for i := range 200 { // more than there may be
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
		if i%2 == 0 { // one that speaks TLS, and begins to ask
			go func() {
				x := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				_, _ = x.Write([]byte("POST /v1/pins HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nAuthorization: Bearer " + token + "\r\n\r\n{"))
			}()
		}
	}
	for i, c := range conns {
		if i%2 == 0 {
			continue // it is being written to
		}
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open", i)
		}
	}
	within(t, "an honest client is answered", func() bool {
		p, err := open(t, s.options(), s.url)[0].Pin(at(0), at(1))
		if err != nil {
			return false
		}
		return p.Release() == nil
	})
}

// Files with credentials that cannot be used are an error before anything is served.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, short := file("good", token), file("short", "short")
	for name, o := range map[string]api.Options{
		"no token":           {},
		"short token":        {Token: short},
		"token is a folder":  {Token: dir},
		"large token":        {Token: file("large", strings.Repeat("x", 1<<20))},
		"certificate alone":  {Token: good, Cert: good},
		"key alone":          {Token: good, Key: good},
		"not a certificate":  {Token: good, Cert: good, Key: good},
		"not an address":     {Token: good, Listen: "nowhere at all"},
		"address of another": {Token: good, Listen: "192.0.2.1:1"},
	} {
		if s, err := api.Listen(o); err == nil {
			s.Close()
			t.Errorf("%s: it is served", name)
		}
	}
	made := filepath.Join(dir, "made")
	for range 2 {
		if err := api.MakeToken(made); err != nil {
			t.Fatal(err)
		}
	}
	a, err := api.ReadToken(made)
	if err != nil || len(a) < 26 {
		t.Errorf("the token that was made is %q, %v", a, err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
