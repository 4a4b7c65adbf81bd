package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shark/recorder/metrics"
	"shark/snapshot"
)

// Recorder is what the API is of.
type Recorder interface {
	Recording() snapshot.Recording
	Metrics() []metrics.Family
}

// Options say who may ask, and where.
type Options struct {
	Listen        string // address and port
	Cert, Key     string // files, PEM; empty: a certificate is made for this run
	Token         string // file
	Node          string // for a certificate that is made
	Log           *slog.Logger
	Lease         time.Duration // of pins; 0: a minute
	Request, Idle time.Duration // how long a client may take to ask, and then to ask again; 0: as the package has it
}

// Server is the API of one recorder.
type Server struct {
	o       Options
	log     *slog.Logger
	listen  net.Listener
	token   *token
	cert    *certificate
	pins    pins
	refused atomic.Uint64 // requests without the token
	asked   atomic.Uint64 // requests with it
}

// Listen takes the address and reads what is needed, so that what is wrong is known before
// anything is recorded. The caller calls Serve, or Close.
func Listen(o Options) (*Server, error) {
	s := &Server{o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	s.pins = pins{lease: cmp.Or(o.Lease, leaseTime), now: time.Now, all: make(map[string]*pin)}
	var err error
	if s.token, err = newToken(o.Token); err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	if s.cert, err = newCertificate(o.Cert, o.Key, o.Node); err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	s.listen = tls.NewListener(&limited{Listener: l, slots: make(chan struct{}, maxConns)}, &tls.Config{
		GetCertificate: s.cert.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
	return s, nil
}

// Addr returns where it listens.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Fingerprint returns that of its certificate.
func (s *Server) Fingerprint() string { return s.cert.fingerprint() }

// Close gives the address back, if Serve was not called.
func (s *Server) Close() error { return s.listen.Close() }

// Serve answers until ctx ends, and for some seconds more those it is answering. What status
// returns is told as JSON.
func (s *Server) Serve(ctx context.Context, r Recorder, status func() any) error {
	h := &http.Server{
		Handler: s.handler(r, status), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: cmp.Or(s.o.Request, requestTime), ReadTimeout: cmp.Or(s.o.Request, requestTime), IdleTimeout: cmp.Or(s.o.Idle, idleTime),
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.pins.expire(ctx) })
	var end error
	work.Go(func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		if end = h.Shutdown(late); errors.Is(end, context.DeadlineExceeded) {
			end = h.Close()
		}
	})
	err := h.Serve(s.listen) // until ctx ends
	cancel()
	work.Wait()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("API: %w", err)
	}
	return end
}

// handler answers requests of those who have the token.
func (s *Server) handler(r Recorder, status func() any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, status()) })
	mux.HandleFunc("GET /v1/boundaries", func(w http.ResponseWriter, _ *http.Request) { s.boundaries(w, r.Recording()) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { s.metrics(w, r) })
	mux.HandleFunc("POST /v1/pins", func(w http.ResponseWriter, q *http.Request) { s.pin(w, q, r.Recording()) })
	mux.HandleFunc("GET /v1/pins/{id}", func(w http.ResponseWriter, q *http.Request) {
		p, err := s.pins.get(q.PathValue("id"))
		s.reply(w, p, err)
	})
	mux.HandleFunc("DELETE /v1/pins/{id}", func(w http.ResponseWriter, q *http.Request) {
		s.reply(w, struct{}{}, s.pins.remove(q.PathValue("id")))
	})
	mux.HandleFunc("GET /v1/pins/{id}/packets", func(w http.ResponseWriter, q *http.Request) { s.stream(w, q, s.packets) })
	mux.HandleFunc("GET /v1/pins/{id}/secrets", func(w http.ResponseWriter, q *http.Request) { s.stream(w, q, s.secrets) })
	mux.HandleFunc("GET /v1/pins/{id}/identity", func(w http.ResponseWriter, q *http.Request) { s.stream(w, q, s.identity) })
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		scheme, given, ok := strings.Cut(q.Header.Get("Authorization"), " ")
		ok = ok && strings.EqualFold(scheme, "Bearer") // RFC 9110, section 11.1
		if !ok || !s.token.is(given) {
			s.refused.Add(1)
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Connection", "close")
			s.answer(w, http.StatusUnauthorized, Failure{"this needs the recorder's token"})
			return
		}
		s.asked.Add(1)
		q.Body = http.MaxBytesReader(w, q.Body, maxBody)
		if h, pattern := mux.Handler(q); pattern == "" {
			s.unknown(w, q, h)
			return
		}
		mux.ServeHTTP(w, q)
	})
}

// unknown answers what is asked of no path of the API, or by no method of a path, as h would but
// in the API's form.
func (s *Server) unknown(w http.ResponseWriter, q *http.Request, h http.Handler) {
	head := &headOnly{ResponseWriter: w, code: http.StatusNotFound}
	h.ServeHTTP(head, q)
	w.Header().Del("X-Content-Type-Options")
	text := "the API has nothing there: it has /v1/status, /v1/boundaries, /v1/pins and /metrics"
	if head.code == http.StatusMethodNotAllowed {
		text = "this may be asked with " + w.Header().Get("Allow") + " only"
	}
	s.answer(w, head.code, Failure{text})
}

// headOnly takes the code of an answer and nothing of its body.
type headOnly struct {
	http.ResponseWriter
	code int
}

func (h *headOnly) WriteHeader(code int)        { h.code = code }
func (h *headOnly) Write(b []byte) (int, error) { return len(b), nil }

// answer writes v as JSON.
func (s *Server) answer(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		code, data = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
		s.log.Error("an answer cannot be written", "error", err)
	}
	s.deadline(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(data, '\n')) // who does not take it asks again
}

// reply answers with v, or with why not.
func (s *Server) reply(w http.ResponseWriter, v any, err error) {
	var large *http.MaxBytesError
	code := http.StatusInternalServerError
	switch {
	case err == nil:
		s.answer(w, http.StatusOK, v)
		return
	case errors.Is(err, errNoPin):
		code = http.StatusNotFound
	case errors.Is(err, errPins), errors.Is(err, errStreams):
		code = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1")
	case errors.Is(err, errClosing):
		code = http.StatusServiceUnavailable
	case errors.Is(err, errRequest):
		code = http.StatusBadRequest
	case errors.As(err, &large):
		code = http.StatusRequestEntityTooLarge
	}
	s.answer(w, code, Failure{err.Error()})
}

// deadline gives a client some time to take what is written next.
func (s *Server) deadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // a closed connection fails when it is written to
}

// limited is a listener with a bounded number of connections.
type limited struct {
	net.Listener
	slots chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slotted{Conn: c, slots: l.slots}, nil
		default: // whoever is too many is sent away: waiting could be for ever
			_ = c.Close()
		}
	}
}

// slotted is a connection that gives its place back when it is closed.
type slotted struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

func (c *slotted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}
