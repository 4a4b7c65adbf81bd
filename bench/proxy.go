package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// proxy stands before an object store as if that were far away: it hands on each request
// after a while, and counts.
type proxy struct {
	server   *http.Server
	location string // of the store, by way of the proxy

	requests, bytes atomic.Int64 // bytes of answers
}

// startProxy starts a proxy before the S3 store at a location. close ends it.
func startProxy(location string, delay time.Duration) (*proxy, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	target, err := url.Parse(q.Get("endpoint"))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	q.Set("endpoint", "http://"+listener.Addr().String())
	u.RawQuery = q.Encode()
	p := &proxy{location: u.String()}
	onward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the name that was signed stays
	}}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		time.Sleep(delay)
		onward.ServeHTTP(&tally{w, &p.bytes}, r)
	})}
	go func() { _ = p.server.Serve(listener) }() // until close
	return p, nil
}

func (p *proxy) close() error { return p.server.Close() }

// take returns what was counted since it was called last.
func (p *proxy) take() (requests, bytes int64) { return p.requests.Swap(0), p.bytes.Swap(0) }

// tally counts the bytes of an answer.
type tally struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *tally) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *tally) Unwrap() http.ResponseWriter { return c.ResponseWriter }
