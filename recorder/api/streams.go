package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/metrics"
	"shark/snapshot"
)

// errRequest says that a client asks for something that cannot be.
var errRequest = errors.New("bad request")

func (s *Server) boundaries(w http.ResponseWriter, rec snapshot.Recording) {
	from, to, err := rec.Span()
	s.reply(w, Boundaries{rec.Node(), Window{from, to}}, err)
}

func (s *Server) metrics(w http.ResponseWriter, r Recorder) {
	held, expired := s.pins.count()
	all := append(r.Metrics(),
		metrics.One("shark_recorder_api_requests_total", metrics.Counter, float64(s.asked.Load()), "Requests with the token."),
		metrics.One("shark_recorder_api_refused_total", metrics.Counter, float64(s.refused.Load()), "Requests without the token."),
		metrics.One("shark_recorder_api_pins", metrics.Gauge, float64(held), "Windows that clients keep from being overwritten."),
		metrics.One("shark_recorder_api_pins_expired_total", metrics.Counter, float64(expired), "Windows whose clients were not heard of any more."),
	)
	s.deadline(w)
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = metrics.Write(w, all) // who does not take it asks again
}

// pin keeps a window.
func (s *Server) pin(w http.ResponseWriter, q *http.Request, rec snapshot.Recording) {
	var window Window
	in := json.NewDecoder(q.Body)
	in.DisallowUnknownFields()
	err := in.Decode(&window)
	if err == nil {
		if _, err = in.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("there is more behind it")
		}
	}
	var large *http.MaxBytesError
	switch {
	case err != nil && !errors.As(err, &large):
		err = fmt.Errorf("%w: a window is wanted, {\"from\": TIME, \"to\": TIME}: %w", errRequest, err)
	case err == nil && (window.To.Before(window.From) || window.From.Year() < 1970 || window.To.Year() > 2261):
		err = fmt.Errorf("%w: the window from %s to %s is none", errRequest, window.From, window.To)
	}
	var p Pin
	if err == nil {
		p, err = s.pins.add(rec, window)
	}
	s.reply(w, p, err)
}

// stream writes something of a pin. Where that fails it cuts the connection, so that the client
// knows: what there is of it may look whole.
func (s *Server) stream(w http.ResponseWriter, q *http.Request, write func(io.Writer, *http.Request, *pin) error) {
	p, done, err := s.pins.read(q.PathValue("id"))
	if err != nil {
		s.reply(w, nil, err)
		return
	}
	defer done()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := &slow{w: w, s: s}
	err = write(out, q, p)
	if err == nil {
		return
	}
	if !out.began {
		s.reply(w, nil, err)
		return
	}
	s.log.Warn("what a window holds could not be handed out", "pin", p.ID, "asked", q.URL.Path, "error", err)
	panic(http.ErrAbortHandler) // which is how net/http is asked to cut the connection
}

// slow writes in pieces, each of which the client has some time for.
type slow struct {
	w     http.ResponseWriter
	s     *Server
	began bool
}

// pieceSize is the size of these pieces, in bytes: who takes fewer in writeTime is cut off.
const pieceSize = 64 << 10

func (o *slow) Write(b []byte) (n int, err error) {
	o.began = true
	for len(b) > 0 {
		o.s.deadline(o.w)
		k, err := o.w.Write(b[:min(len(b), pieceSize)])
		n, b = n+k, b[k:]
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// packets writes a pin's packets, without some that the client has.
func (s *Server) packets(w io.Writer, q *http.Request, p *pin) error {
	after := uint64(0)
	if text := q.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("%w: after=%q is no number", errRequest, text)
		}
	}
	src := p.Open()
	defer src.Close()
	out, err := pcapng.NewWriter(w, pcapng.Options{Application: "shark"})
	if err != nil {
		return err
	}
	if err := copyPackets(out, src, after, q); err != nil {
		return err
	}
	interfaces := src.Interfaces()
	for i := range interfaces {
		if err := out.WriteStatistics(uint32(i), interfaces, p.To.UnixNano()); err != nil {
			return err
		}
	}
	var losses []packet.Loss
	if l, ok := src.(timely); ok {
		losses = l.Losses()
	}
	s.pins.met(p, src.Damage(), losses)
	return out.Close()
}

func copyPackets(out *pcapng.Writer, src packet.Source, after uint64, q *http.Request) error {
	var b packet.Batch
	for {
		if err := q.Context().Err(); err != nil {
			return err
		}
		end := src.ReadBatch(&b)
		skip := min(after, uint64(len(b.Records)))
		after -= skip
		interfaces := src.Interfaces()
		for i := int(skip); i < len(b.Records); i++ {
			if err := out.Write(&b.Records[i], interfaces); err != nil {
				return err
			}
		}
		if errors.Is(end, io.EOF) {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

// Some sources have secrets, or know when packets were lost.
type (
	keyed  interface{ Secrets() []pcapng.Secret }
	timely interface{ Losses() []packet.Loss }
)

// secrets writes a pin's TLS secrets.
func (s *Server) secrets(w io.Writer, _ *http.Request, p *pin) error {
	src := p.Open()
	defer src.Close()
	out, err := pcapng.NewWriter(w, pcapng.Options{Application: "shark"})
	if err != nil {
		return err
	}
	if k, ok := src.(keyed); ok {
		for _, secret := range k.Secrets() {
			if err := out.WriteSecrets(secret); err != nil {
				return err
			}
		}
	}
	return out.Close()
}

// identity writes a pin's identity log.
func (s *Server) identity(w io.Writer, _ *http.Request, p *pin) error {
	in, err := p.Identity()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return errors.Join(err, in.Close())
}
