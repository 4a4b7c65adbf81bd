package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync/atomic"
)

// unproven is a bucket of a cloud of which nobody knows yet whether it can be used. To ask
// first would be one more request that others wait for: as long as nothing has succeeded,
// the error of what fails says what to do about the bucket. Writers are told before they
// have anything to lose.
type unproven struct {
	Bucket
	*proof
}

// proof is what all parts of a bucket share.
type proof struct {
	scheme, name, host string // of the bucket, for errors
	known              atomic.Bool
	// reach asks whether the bucket is there and may be listed.
	reach func(context.Context) error
}

func (b unproven) Sub(prefix string) Bucket { return unproven{b.Bucket.Sub(prefix), b.proof} }

// ask finds out whether the bucket can be used.
func (p *proof) ask(ctx context.Context) error {
	if p.known.Load() {
		return nil
	}
	return p.list(p.reach(ctx))
}

// list judges by the end of a list: what is not there then is the bucket.
func (p *proof) list(err error) error {
	switch {
	case err == nil:
		p.known.Store(true)
	case !p.known.Load():
		return explain(p.scheme, p.name, p.host, err)
	}
	return err
}

// call judges by the end of a call on an object: it may be missing, or the whole bucket.
func (p *proof) call(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, fs.ErrInvalid): // nothing was asked
		return err
	case errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil:
		if bad := p.ask(ctx); bad != nil {
			return bad
		}
		return err
	case errors.Is(err, io.ErrUnexpectedEOF) && !Temporary(err):
		p.known.Store(true) // it is short, so it is there
		return err
	}
	return p.list(err)
}

func (b unproven) Stat(ctx context.Context, key string) (Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	return o, b.call(ctx, err)
}

func (b unproven) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	in, err := b.Bucket.Open(ctx, key, from, n)
	return in, b.call(ctx, err)
}

func (b unproven) Create(ctx context.Context, key string) (Writer, error) {
	if err := b.ask(ctx); err != nil {
		return nil, err
	}
	return b.Bucket.Create(ctx, key)
}

func (b unproven) Publish(ctx context.Context, key string, data []byte) error {
	if err := b.ask(ctx); err != nil {
		return err
	}
	return b.Bucket.Publish(ctx, key, data)
}

func (b unproven) Remove(ctx context.Context, key string) error {
	if err := b.ask(ctx); err != nil { // what is missing is no error to the clouds
		return err
	}
	return b.Bucket.Remove(ctx, key)
}

func (b unproven) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return proven(b.proof, b.Bucket.List(ctx, prefix))
}

func (b unproven) Folders(ctx context.Context) iter.Seq2[string, error] {
	return proven(b.proof, b.Bucket.Folders(ctx))
}

// proven passes a list on.
func proven[T any](p *proof, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range list {
			if !yield(x, p.list(err)) {
				return
			}
		}
		p.known.Store(true)
	}
}

// explain says what to do about a bucket that cannot be used.
func explain(scheme, name, bucket string, err error) error {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", name, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w; make the bucket %s, or correct its name, region or endpoint", name, err, bucket)
	case Temporary(err):
		return fmt.Errorf("%s: %w; is the endpoint right, and the network up?", name, err)
	}
	return fmt.Errorf("%s: %w; %s", name, err, hints[scheme])
}
