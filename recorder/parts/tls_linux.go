package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"shark/bpf/plaintext"
	"shark/recorder"
	"shark/recorder/metrics"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/keys"
	"shark/recorder/plaintext/libraries"
)

// TLS records what makes TLS readable, of the processes in the namespaces that are captured.
func TLS(policy Policy, c *Capture) recorder.Part {
	return recorder.Part{Name: "tls", Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) {
		t := &reading{policy: policy, sinks: s, capture: c}
		if err := t.open(); err != nil {
			return nil, errors.Join(err, t.close())
		}
		return t, nil
	}}
}

// reading is the TLS libraries of a node being read.
type reading struct {
	policy  Policy
	sinks   recorder.Sinks
	capture *Capture

	libraries *libraries.Watcher
	changed   <-chan struct{}
	again     chan struct{} // what is known of pods has changed
	keys      *keys.Keys    // nil: not wanted, or not to be had
	content   *content.Capture
	looks     *looks
	missing   []string

	mu     sync.Mutex
	failed error            // the last secret that could not be kept
	final  *recorder.Report // when Run has ended
}

func (t *reading) open() (err error) {
	if t.libraries, err = libraries.Open(); err != nil {
		return err
	}
	t.changed, t.again = t.libraries.Changed(), make(chan struct{}, 1)
	var errs []error
	if t.policy.any(Auto, Keys, Both) {
		if t.keys, err = keys.Open(keys.Options{Libraries: t.libraries, Allow: t.tellsKeys}); err != nil {
			t.keys = nil
			errs = append(errs, fmt.Errorf("secrets: %w", err))
		}
	}
	if t.policy.any(Auto, Plaintext, Both) {
		if t.content, err = content.Open(content.Options{}); err != nil {
			t.content = nil
			errs = append(errs, fmt.Errorf("plaintext: %w", err))
		} else {
			t.looks = newLooks(library{
				files: t.libraries.Files, deaf: t.withoutKeys, mode: t.mode, attach: t.attach,
				policy: t.content.Policy(), changed: t.changed, again: t.again,
			}, t.keys == nil, t.everybody())
		}
	}
	if t.keys == nil && t.content == nil {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		t.missing = append(t.missing, err.Error())
	}
	if t.looks != nil {
		return t.looks.begin()
	}
	return nil
}

// mode returns how a process is read: not the recorder itself, whose API speaks TLS.
func (t *reading) mode(p libraries.Process) Mode {
	if p.TGID == uint32(os.Getpid()) || !t.capture.Has(uint64(p.NetNS), int(p.TGID)) {
		return Off
	}
	return t.policy.of(t.capture.known, int(p.TGID))
}

// tellsKeys tells whether secrets of a process are taken.
func (t *reading) tellsKeys(p libraries.Process) bool {
	m := t.mode(p)
	return m == Auto || m == Keys || m == Both
}

// everybody tells whether plaintext is taken of whoever speaks TLS.
func (t *reading) everybody() bool {
	if !t.capture.all() || len(t.policy.Namespaces) > 0 {
		return false
	}
	return t.policy.Mode == Plaintext || t.policy.Mode == Both || t.policy.Mode == Auto && t.keys == nil
}

// byPods tells whether it depends on pods who is read.
func (t *reading) byPods() bool { return !t.capture.Pods.All() || len(t.policy.Namespaces) > 0 }

// attach looks at the calls of a file's TLS library.
func (t *reading) attach(f *libraries.File) (io.Closer, error) {
	in, err := f.OpenFile()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	a, err := t.content.Attach(f.Path, in, f.Object)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// withoutKeys are the files that tell no secrets.
func (t *reading) withoutKeys() map[string]bool {
	paths := make(map[string]bool)
	if t.keys == nil {
		return paths
	}
	s, err := t.keys.Status()
	if err != nil {
		return paths // counters that cannot be read change nothing of who is looked at
	}
	for i := range s.Files {
		if f := &s.Files[i]; !f.Attached && f.Reason != "" {
			paths[f.Path] = true
		}
	}
	return paths
}

// Run implements recorder.Running.
func (t *reading) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	begin := func(what string, run func() error) {
		work.Go(func() {
			defer cancel()
			if err := run(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	begin("libraries", func() error { return t.libraries.Run(ctx) })
	if t.keys != nil {
		begin("secrets", func() error { return t.keys.Run(ctx, t.secret) })
	}
	if t.byPods() {
		begin("pods", func() error { return t.review(ctx) })
	}
	if t.content != nil {
		begin("plaintext", func() error { return t.content.Run(ctx, t.sinks.Plaintext) })
		begin("plaintext", func() error { return t.looks.run(ctx) })
	}
	work.Wait()
	last := t.Report()
	t.mu.Lock()
	t.final = &last
	t.mu.Unlock()
	return errors.Join(errors.Join(errs...), t.close())
}

// reviewAgain is how long what the API says of pods may change before it is asked again who is
// read: a node's pods are told of one by one.
const reviewAgain = 250 * time.Millisecond

// review asks again who is read when the API has told of pods.
func (t *reading) review(ctx context.Context) error {
	tick := time.NewTicker(reviewAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.capture.known.changed:
		}
		if t.keys != nil {
			if err := t.keys.Reconsider(); err != nil {
				return err
			}
		}
		select {
		case t.again <- struct{}{}:
		default: // it is to look again already
		}
	}
}

func (t *reading) close() error {
	var errs []error
	if t.looks != nil {
		errs = append(errs, t.looks.close())
	}
	if t.content != nil {
		errs = append(errs, t.content.Close())
	}
	if t.keys != nil {
		errs = append(errs, t.keys.Close())
	}
	if t.libraries != nil {
		errs = append(errs, t.libraries.Close())
	}
	return errors.Join(errs...)
}

// secret keeps a secret.
func (t *reading) secret(e keys.Event) {
	e.Secret.Library = string(e.Library)
	if err := t.sinks.Secrets(e.Time, e.Secret.Append(nil)); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.failed = err
	}
}

// Report implements recorder.Running.
func (t *reading) Report() recorder.Report {
	r := recorder.Report{Missing: append([]string{}, t.missing...)}
	s := TLSStatus{Missing: make(map[string]uint64), Lost: make(map[string]uint64)}
	note := func(err error) {
		if err != nil {
			r.Missing = append(r.Missing, err.Error())
		}
	}
	t.mu.Lock()
	failed, final := t.failed, t.final
	t.mu.Unlock()
	if final != nil {
		return *final
	}
	note(failed)
	if w := t.libraries.Status(); w.Reason != "" {
		r.Missing = append(r.Missing, "new libraries are looked for in /proc: "+w.Reason)
	}
	if t.keys != nil {
		k, err := t.keys.Status()
		note(err)
		s.keys(&k)
		if k.Deaf != "" {
			r.Missing = append(r.Missing, k.Deaf)
		}
	}
	if t.content != nil {
		c, err := t.content.Status()
		note(err)
		reasons, left := t.looks.reasons()
		s.content(&c, reasons)
		if s.Crowded = left.processes; s.Crowded > 0 {
			r.Missing = append(r.Missing, fmt.Sprintf("plaintext of %d processes: %v", s.Crowded, plaintext.ErrCrowded))
		}
		if s.Unfollowed = left.connections; s.Unfollowed > 0 {
			r.Missing = append(r.Missing, fmt.Sprintf("plaintext of %d connections from before the recorder: there are too many to follow", s.Unfollowed))
		}
	}
	r.Details, r.Metrics = s, s.metrics()
	return r
}

// file returns the line of a file.
func (s *TLSStatus) file(path, library string) *TLSFile {
	for i := range s.Files {
		if f := &s.Files[i]; f.Path == path && f.Library == library {
			return f
		}
	}
	s.Files = append(s.Files, TLSFile{Path: path, Library: library, Keys: "not wanted", Plaintext: "not wanted"})
	return &s.Files[len(s.Files)-1]
}

func (s *TLSStatus) keys(k *keys.Status) {
	for i := range k.Files {
		f := s.file(k.Files[i].Path, fmt.Sprint(k.Files[i].Library))
		f.Processes, f.Secrets, f.Keys = k.Files[i].Processes, k.Files[i].Secrets, k.Files[i].Reason
		if k.Files[i].Attached && f.Keys == "" {
			f.Keys = attachedText
		}
	}
	s.Secrets = k.Secrets
	for reason, n := range map[string]uint64{"not calibrated": k.Uncalibrated, "unknown": k.Unknown, "not readable": k.Unreadable, "ring full": k.Lost} {
		if n > 0 {
			s.Missing[reason] = n
		}
	}
}

func (s *TLSStatus) content(c *content.Status, reasons map[string]string) {
	s.Reads, s.Writes, s.Bytes = c.Reads, c.Writes, c.Bytes
	for _, f := range c.Files {
		s.file(f.Path, fmt.Sprint(f.Library)).Plaintext = attachedText
	}
	for i := range s.Files {
		if f := &s.Files[i]; f.Plaintext != attachedText && reasons[f.Path] != "" {
			f.Plaintext = reasons[f.Path]
		}
	}
	for reason, n := range c.Lost {
		if n.Calls > 0 {
			s.Lost[reason] = n.Calls
		}
	}
}

func (s *TLSStatus) metrics() []metrics.Family {
	files := metrics.Family{Name: "shark_recorder_tls_files", Kind: metrics.Gauge, Help: "Files with TLS that processes use, by library, way of reading and result."}
	count := make(map[[3]string]float64)
	for _, f := range s.Files {
		count[[3]string{f.Library, "keys", f.Keys}]++
		count[[3]string{f.Library, "plaintext", f.Plaintext}]++
	}
	for k, n := range count {
		files.Samples = append(files.Samples, metrics.Sample{Labels: []metrics.Label{{Name: "library", Value: k[0]}, {Name: "way", Value: k[1]}, {Name: "result", Value: k[2]}}, Value: n})
	}
	by := func(name, help string, values map[string]uint64) metrics.Family {
		f := metrics.Family{Name: name, Kind: metrics.Counter, Help: help}
		for reason, n := range values {
			f.Samples = append(f.Samples, metrics.Sample{Labels: []metrics.Label{{Name: "reason", Value: reason}}, Value: float64(n)})
		}
		return f
	}
	crowded := by("shark_recorder_plaintext_crowded", "What is not read in clear for want of room: processes, or connections from before the recorder.", map[string]uint64{
		"processes": uint64(s.Crowded), "old_connections": s.Unfollowed,
	})
	crowded.Kind = metrics.Gauge
	return []metrics.Family{
		files,
		crowded,
		by("shark_recorder_tls_secrets_missing_total", "TLS session secrets that could not be had, by reason.", s.Missing),
		by("shark_recorder_plaintext_lost_total", "Reads and writes, or pieces of them, that could not be had, by reason.", s.Lost),
		metrics.One("shark_recorder_plaintext_bytes_total", metrics.Counter, float64(s.Bytes), "Bytes that TLS libraries read and wrote in clear, as recorded."),
	}
}
