// A server and a client of HTTPS that say what they did, a line of JSON for each request.
//
//	peer server ADDR CERT KEY
//	peer client ADDR CERT VERSION WORKERS REQUESTS
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync"
)

// said is what somebody did.
type said struct {
	Request, Sent, Received string // the bodies' digests: of the request, of the answer
	Local, Remote           string
}

var (
	out = json.NewEncoder(os.Stdout)
	mu  sync.Mutex
)

func say(s said) {
	mu.Lock()
	defer mu.Unlock()
	if err := out.Encode(s); err != nil {
		panic(err)
	}
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// body makes bytes of many sizes, most of them small, by a seed.
func body(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, r.IntN(1<<(4+r.IntN(13))))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func serve(w http.ResponseWriter, r *http.Request) {
	sent := must(io.ReadAll(r.Body))
	answer := body(uint64(len(sent)) + 7)
	must(w.Write(answer))
	say(said{r.Method + " " + r.RequestURI, digest(sent), digest(answer), fmt.Sprint(r.Context().Value(http.LocalAddrContextKey)), r.RemoteAddr})
}

func main() {
	switch addr, cert := os.Args[2], os.Args[3]; os.Args[1] {
	case "server":
		panic(http.ListenAndServeTLS(addr, cert, os.Args[4], http.HandlerFunc(serve)))
	case "client":
		client(addr, cert, os.Args[4], must(strconv.Atoi(os.Args[5])), must(strconv.Atoi(os.Args[6])))
	}
}

func client(addr, cert, version string, workers, requests int) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(cert)))
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: version == "2", MaxIdleConnsPerHost: workers}
	c := http.Client{Transport: t}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range requests {
				sent := body(uint64(w*requests + i))
				req := must(http.NewRequest("POST", fmt.Sprintf("https://%s/%d/%d", addr, w, i), bytes.NewReader(sent)))
				s := said{Request: "POST " + req.URL.RequestURI(), Sent: digest(sent)}
				req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(g httptrace.GotConnInfo) {
					s.Local, s.Remote = g.Conn.LocalAddr().String(), g.Conn.RemoteAddr().String()
				}}))
				resp := must(c.Do(req))
				s.Received = digest(must(io.ReadAll(resp.Body)))
				resp.Body.Close()
				say(s)
			}
		})
	}
	all.Wait()
	t.CloseIdleConnections()
}
