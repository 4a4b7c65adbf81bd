// Command gotls serves HTTPS on a port and, for each line of input, asks itself once with each
// version of TLS over HTTP/1.1 and once over HTTP/2: gotls CERT KEY PORT PREFIX
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	cert, key, port, prefix := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "answer to %s", r.URL.Path) })
	go func() { log.Fatal(http.ServeTLS(l, handler, cert, key)) }()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		ask(port, prefix+"/1.2/new", tls.VersionTLS12, false)
		ask(port, prefix+"/1.3/new", tls.VersionTLS13, false)
		ask(port, prefix+"/h2/new", tls.VersionTLS13, true)
		fmt.Println("done")
	}
}

func ask(port, path string, version uint16, http2 bool) {
	t := &http.Transport{
		ForceAttemptHTTP2: http2,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version},
	}
	defer t.CloseIdleConnections()
	r, err := (&http.Client{Transport: t}).Get("https://127.0.0.1:" + port + path)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "answer to "+path {
		log.Fatal(path, string(body), err)
	}
	fmt.Println(path, "new")
}
