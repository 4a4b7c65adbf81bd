// A server and a client of HTTPS that say what they did, a line for each request.
//
//	tls server PORT CERT KEY     PATH PORT-OF-CLIENT
//	tls client PORT NAME         PATH OWN-PORT new|again SENT RECEIVED
//
// The last two are digests of bodies.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
)

// streams are the requests that are under way at a time on one connection of HTTP/2.
const streams = 100

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

var mu sync.Mutex

func say(words ...any) {
	mu.Lock()
	defer mu.Unlock()
	must(fmt.Println(words...))
}

func port(addr string) string {
	_, p, err := net.SplitHostPort(addr)
	return must(p, err)
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2], os.Args[3])
		return
	}
	var all sync.WaitGroup
	all.Add(streams)
	handler := func(w http.ResponseWriter, r *http.Request) {
		sent := must(io.ReadAll(r.Body))
		if strings.Contains(r.URL.Path, "/h2/") {
			all.Done()
			all.Wait() // none is answered before all are asked
		}
		must(io.WriteString(w, strings.Repeat("answer to "+r.URL.Path+" ", 1+len(sent)%97)))
		say(r.URL.Path, port(r.RemoteAddr))
	}
	panic(http.ListenAndServeTLS("127.0.0.1:"+os.Args[2], os.Args[3], os.Args[4], http.HandlerFunc(handler)))
}

func client(server, name string) {
	for version, number := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, MinVersion: number, MaxVersion: number, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		}}
		for _, how := range []string{"new", "again"} {
			ask(t, server, fmt.Sprintf("/%s/%[1]s/%s/%s", name, version, how), how)
		}
	}
	t := &http.Transport{ForceAttemptHTTP2: true, MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	var all sync.WaitGroup
	for i := range streams {
		all.Go(func() { ask(t, server, fmt.Sprintf("/%s/%[1]s/h2/%d", name, i), "new") })
	}
	all.Wait()
	t.CloseIdleConnections()
}

func ask(t *http.Transport, server, path, how string) {
	sent := bytes.Repeat([]byte(path), 1+len(path)*7%31)
	r := must(http.NewRequest("POST", "https://127.0.0.1:"+server+path, bytes.NewReader(sent)))
	var own string
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(g httptrace.GotConnInfo) { own = port(g.Conn.LocalAddr().String()) }}))
	a := must(t.RoundTrip(r))
	received := must(io.ReadAll(a.Body))
	a.Body.Close()
	if a.TLS.DidResume != (how == "again") {
		panic(path)
	}
	say(path, own, how, digest(sent), digest(received))
}
