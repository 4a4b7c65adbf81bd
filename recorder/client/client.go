// Package client freezes what recorders hold, over their API.
//
// In: addresses of recorders, and the token. Out: recordings, as package snapshot wants them, one a
// node. One that cannot be reached is a recording, too, of which no window can be had
// (snapshot.ErrAway). What is read is passed on as it comes; a stream that breaks is asked
// for again from where it broke, and given up after some tries, which counts as damage.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"shark/recorder/api"
	"shark/snapshot"
)

// Limits.
const (
	maxAnswer   = 1 << 20          // bytes of an answer in JSON
	maxIdentity = 1 << 30          // bytes of an identity log
	answerTime  = 15 * time.Second // for an answer to begin, and to end where it is no stream
	silentTime  = 45 * time.Second // without a byte of a stream
	tries       = 5                // to read a stream, in a row without any of it
	maxAtOnce   = 16               // recorders that are asked at the same time
	busyTime    = 10 * time.Minute // that a recorder may be busy with others
	busyPause   = 15 * time.Second // until it is asked again, at most
)

// Options say how recorders are asked.
type Options struct {
	Token string // file
	// CA is a file of certificates, PEM, that vouch for the recorders or are theirs, or the
	// fingerprint of the only one (sha256:...). Empty: those that the system trusts.
	CA    string
	Pause time.Duration // before a stream is asked for again; 0: a second
}

// Recordings asks recorders at the same time whose they are. What follows is done while ctx lasts.
func Recordings(ctx context.Context, o Options, addresses ...string) ([]snapshot.Recording, error) {
	if len(addresses) == 0 {
		return nil, nil
	}
	c, err := newCaller(o)
	if err != nil {
		return nil, err
	}
	all := make([]snapshot.Recording, len(addresses))
	slots := make(chan struct{}, maxAtOnce)
	var work sync.WaitGroup
	for i, a := range addresses {
		base, err := address(a)
		if err != nil {
			return nil, err
		}
		r := &recording{ctx: ctx, caller: c, base: base, node: base.Host}
		all[i] = r
		work.Go(func() {
			slots <- struct{}{}
			r.ask()
			<-slots
		})
	}
	work.Wait()
	return all, nil
}

// address reads the address of a recorder: https://HOST:PORT.
func address(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the address of a recorder, such as https://10.0.0.7:8898", s)
	}
	return u, nil
}

// caller asks recorders.
type caller struct {
	http  *http.Client
	token string
	pause time.Duration
}

func newCaller(o Options) (*caller, error) {
	token, err := api.ReadToken(o.Token)
	if err != nil {
		return nil, err
	}
	conf, err := trust(o.CA)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		TLSClientConfig: conf, DialContext: (&net.Dialer{Timeout: answerTime}).DialContext, TLSHandshakeTimeout: answerTime,
		ResponseHeaderTimeout: answerTime, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute, DisableCompression: true,
		Proxy: http.ProxyFromEnvironment,
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller{&http.Client{Transport: t, CheckRedirect: refuse}, string(token), cmp.Or(o.Pause, time.Second)}, nil
}

// errGone says that asking again is of no use.
var errGone = errors.New("refused")

// busyError is the answer of a recorder that has too much to do, and wants to be asked again.
type busyError struct {
	text  string
	after time.Duration // not before
}

func (e *busyError) Error() string { return e.text }

// patiently asks until the recorder is not busy any more: as late as it says, and each time later,
// for a bounded time.
func (c *caller) patiently(ctx context.Context, ask func() error) error {
	waited, next := time.Duration(0), c.pause
	for {
		err := ask()
		var busy *busyError
		if !errors.As(err, &busy) {
			return err
		}
		pause := min(max(busy.after, next), busyPause)
		if waited += pause; waited > busyTime {
			return fmt.Errorf("%w: for %s it was busy with others: %w", errGone, busyTime, err)
		}
		next *= 2
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// retryAfter reads when an answer wants to be asked again: in seconds, or at a time.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 20); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// do asks for something, and returns the body of what is no failure.
func (c *caller) do(ctx context.Context, method string, u *url.URL, body any) (io.ReadCloser, error) {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	q, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+c.token)
	p, err := c.http.Do(q)
	if err != nil {
		return nil, untrusted(err)
	}
	if p.StatusCode == http.StatusOK {
		return p.Body, nil
	}
	defer p.Body.Close()
	var f api.Failure
	text, err := io.ReadAll(io.LimitReader(p.Body, maxAnswer))
	if err != nil || json.Unmarshal(text, &f) != nil || f.Error == "" {
		f.Error = p.Status
	}
	switch {
	case p.StatusCode == http.StatusTooManyRequests:
		return nil, &busyError{f.Error, retryAfter(p.Header)}
	case p.StatusCode < 500:
		return nil, fmt.Errorf("%w: %.300q", errGone, f.Error)
	}
	return nil, errors.New(f.Error)
}

// ask asks for something in JSON.
func (c *caller) ask(ctx context.Context, method string, u *url.URL, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	in, err := c.do(ctx, method, u, body)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxAnswer))
	if err == nil {
		err = json.Unmarshal(data, answer)
	}
	return err
}

// recording is what one recorder holds.
type recording struct {
	ctx    context.Context // of all that is asked: a Recording is asked without one
	caller *caller
	base   *url.URL
	node   string
	span   api.Window
	err    error // why it is away
}

func (r *recording) ask() {
	var b api.Boundaries
	if r.err = r.caller.ask(r.ctx, http.MethodGet, r.base.JoinPath("v1/boundaries"), nil, &b); r.err == nil {
		r.node, r.span = cmp.Or(b.Node, r.node), b.Window
	}
}

// Node implements snapshot.Recording. One that cannot be reached is called like its address.
func (r *recording) Node() string { return r.node }

// Span implements snapshot.Recording.
func (r *recording) Span() (from, to time.Time, err error) {
	if r.err != nil {
		err = fmt.Errorf("%s %w: %w", r.base, snapshot.ErrAway, r.err)
	}
	return r.span.From, r.span.To, err
}

// Pin implements snapshot.Recording.
func (r *recording) Pin(from, to time.Time) (snapshot.Pinned, error) {
	if r.err != nil {
		return nil, fmt.Errorf("%s %w: %w", r.base, snapshot.ErrAway, r.err)
	}
	p := &pinned{recording: r}
	err := r.caller.patiently(r.ctx, func() error {
		return r.caller.ask(r.ctx, http.MethodPost, r.base.JoinPath("v1/pins"), api.Window{From: from, To: to}, &p.pin)
	})
	if err != nil {
		return nil, fmt.Errorf("%s %w: %w", r.base, snapshot.ErrAway, err)
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(r.ctx)
	p.renewing.Go(func() { p.renew(ctx) })
	return p, nil
}
