package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"shark/packet"
	"shark/recorder/api"
	"shark/recorder/ticks"
	"shark/snapshot"
)

// pinned is a window that a recorder keeps as long as it is asked for it now and then.
type pinned struct {
	*recording
	pin      api.Pin
	stop     context.CancelFunc
	renewing sync.WaitGroup
}

func (p *pinned) url(part ...string) *url.URL {
	return p.base.JoinPath("v1/pins", p.pin.ID).JoinPath(part...)
}

// renew asks for the pin until it is let go of.
func (p *pinned) renew(ctx context.Context) {
	ticks.Do(ctx, max(time.Duration(p.pin.Lease)*time.Second/4, 50*time.Millisecond), func() {
		var now api.Pin
		_ = p.caller.ask(ctx, http.MethodGet, p.url(), nil, &now) // reading it will tell
	})
}

// Open implements snapshot.Pinned.
func (p *pinned) Open() packet.Source {
	return &source{p: p, known: make(map[packet.Interface]uint32)}
}

// Notes implements snapshot.Pinned.
func (p *pinned) Notes() []string { return p.pin.Notes }

// Size implements snapshot.Pinned.
func (p *pinned) Size() int64 { return p.pin.Bytes }

// Identity implements snapshot.Pinned. The log is fetched whole, into a file that goes when it
// is closed: what reads it could not begin again.
func (p *pinned) Identity() (io.ReadCloser, error) {
	f, err := os.CreateTemp("", "shark-identity-*")
	if err != nil {
		return nil, fmt.Errorf("identity log: %w", err)
	}
	out := &tempFile{f}
	for try := 1; ; try++ {
		if err = p.fetch(f, "identity", maxIdentity); err == nil {
			_, err = f.Seek(0, io.SeekStart)
			break
		}
		if try == tries || errors.Is(err, errGone) || !p.wait() {
			err = fmt.Errorf("%s %w: %w", p.base, snapshot.ErrAway, err)
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// wait waits before something is tried again, unless all ends.
func (p *pinned) wait() bool {
	select {
	case <-p.ctx.Done():
		return false
	case <-time.After(p.caller.pause):
		return true
	}
}

// fetch writes a stream to a file, over what is there.
func (p *pinned) fetch(f *os.File, part string, most int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	in, err := p.stream(p.url(part))
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(in, most+1))
	if n > most {
		err = fmt.Errorf("%w: it has more than %d bytes", errGone, most)
	}
	return errors.Join(err, in.Close())
}

// stream begins to read a stream, which fails when nothing comes for some time. A recorder that
// others read from has it wait for its turn.
func (p *pinned) stream(u *url.URL) (in *patient, err error) {
	err = p.caller.patiently(p.ctx, func() error {
		in, err = p.begin(u)
		return err
	})
	return in, err
}

func (p *pinned) begin(u *url.URL) (*patient, error) {
	ctx, cancel := context.WithCancelCause(p.ctx)
	timer := time.AfterFunc(silentTime, func() { cancel(fmt.Errorf("nothing came for %s", silentTime)) })
	body, err := p.caller.do(ctx, http.MethodGet, u, nil)
	if err != nil {
		timer.Stop()
		cancel(nil)
		return nil, err
	}
	return &patient{body: body, ctx: ctx, cancel: cancel, timer: timer}, nil
}

// patient is a body whose bytes may come slowly, but come.
type patient struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	n      int64 // bytes that came
}

func (r *patient) Read(b []byte) (int, error) {
	n, err := r.body.Read(b)
	r.n += int64(n)
	r.timer.Reset(silentTime)
	if err != nil && err != io.EOF {
		if cause := context.Cause(r.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (r *patient) Close() error {
	r.timer.Stop()
	err := r.body.Close()
	r.cancel(nil)
	return err
}

// Release implements snapshot.Pinned. A recorder that is away lets go by itself.
func (p *pinned) Release() error {
	p.stop()
	p.renewing.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), answerTime)
	defer cancel()
	_ = p.caller.ask(ctx, http.MethodDelete, p.url(), nil, new(struct{})) // else the lease ends
	return nil
}

// tempFile is a file that goes when it is closed.
type tempFile struct{ *os.File }

func (f *tempFile) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }
