package bucket

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"
)

// Retry says how calls that fail are tried again: those whose error is Temporary,
// after a time between none and Base, which doubles with each try up to Max ("full
// jitter"). The zero value gives up after 8 tries and some 11 s on average.
type Retry struct {
	Tries int           // of a call, in all; 0: 8, 1: none is tried again
	Base  time.Duration // 0: 200 ms
	Max   time.Duration // 0: 10 s
	// Wait waits for a time, or for the context, whose error it returns; nil: as long
	// as it says.
	Wait func(context.Context, time.Duration) error
	// Random gives numbers of [0,1), to several goroutines; nil: those of math/rand.
	Random func() float64
}

// Wait waits for a time, or for the context, whose error it returns.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r Retry) withDefaults() Retry {
	if r.Tries <= 0 {
		r.Tries = 8
	}
	if r.Base <= 0 {
		r.Base = 200 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 10 * time.Second
	}
	if r.Wait == nil {
		r.Wait = Wait
	}
	if r.Random == nil {
		r.Random = rand.Float64
	}
	return r
}

// pause waits after try number n, from 0, which ended with err, or returns err if it
// was the last.
func (r Retry) pause(ctx context.Context, n int, err error) error {
	if !Temporary(err) {
		return err
	}
	if end := ctx.Err(); end != nil {
		return fmt.Errorf("%w, after %w", end, err)
	}
	if n+1 >= r.Tries {
		if n > 0 {
			err = fmt.Errorf("%w (tried %d times)", err, n+1)
		}
		return err
	}
	d := r.Max
	if n < 32 && r.Base<<n > 0 {
		d = min(d, r.Base<<n)
	}
	return r.Wait(ctx, time.Duration(r.Random()*float64(d)))
}

// do calls f until it succeeds, fails for good or was called often enough.
func (r Retry) do(ctx context.Context, f func() error) error {
	r = r.withDefaults()
	for n := 0; ; n++ {
		err := f()
		if err == nil {
			return nil
		}
		if err := r.pause(ctx, n, err); err != nil {
			return err
		}
	}
}

// retried is a bucket whose calls are tried again.
type retried struct {
	Bucket
	r Retry
}

// WithRetry is b with calls that are tried again. A read that breaks off goes on where
// it was, so that who lets objects be replaced may read the beginning of one and the
// end of another. A list that breaks off begins anew and passes over what it has
// told. A writer that fails is its caller's to begin again; only Create is not. Open
// wraps what it opens in a cloud; folders need none.
func WithRetry(b Bucket, r Retry) Bucket { return &retried{b, r.withDefaults()} }

func (b *retried) Sub(prefix string) Bucket { return &retried{b.Bucket.Sub(prefix), b.r} }

func (b *retried) Stat(ctx context.Context, key string) (o Object, err error) {
	err = b.r.do(ctx, func() (err error) {
		o, err = b.Bucket.Stat(ctx, key)
		return err
	})
	return o, err
}

func (b *retried) Create(ctx context.Context, key string) (w Writer, err error) {
	err = b.r.do(ctx, func() (err error) {
		w, err = b.Bucket.Create(ctx, key)
		return err
	})
	return w, err
}

// Publish finds by itself that an earlier try took effect: the bytes are there.
func (b *retried) Publish(ctx context.Context, key string, data []byte) error {
	return b.r.do(ctx, func() error { return b.Bucket.Publish(ctx, key, data) })
}

func (b *retried) Remove(ctx context.Context, key string) error {
	return b.r.do(ctx, func() error { return b.Bucket.Remove(ctx, key) })
}

func (b *retried) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	r := &retriedReader{ctx: ctx, b: b, key: key, at: from, rem: n}
	if err := b.r.do(ctx, r.open); err != nil {
		return nil, err
	}
	return r, nil
}

// retriedReader goes on with a new reader when one breaks off.
type retriedReader struct {
	ctx     context.Context
	b       *retried
	key     string
	in      io.ReadCloser // nil after a break
	at, rem int64         // rem < 0: to the end
	failed  int           // tries that gave no byte
}

func (r *retriedReader) open() (err error) {
	r.in, err = r.b.Bucket.Open(r.ctx, r.key, r.at, r.rem)
	return err
}

func (r *retriedReader) Read(p []byte) (int, error) {
	for {
		var n int
		var err error
		if r.in == nil {
			err = r.open()
		}
		if err == nil {
			n, err = r.in.Read(p)
		}
		r.at += int64(n)
		if r.rem > 0 {
			r.rem -= int64(n)
		}
		if n > 0 {
			r.failed = 0
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if Temporary(err) {
			_ = r.Close()
			r.in = nil
		}
		if err := r.b.r.pause(r.ctx, r.failed, err); err != nil {
			return n, err
		}
		r.failed++
		if r.rem == 0 && n > 0 { // all of it; what is left of a range to the end is < 0
			r.in = none
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (r *retriedReader) Close() error {
	if r.in == nil {
		return nil
	}
	return r.in.Close()
}

// again lists until a list comes to its end. One that tells something new has all
// its tries again.
func again[T any](ctx context.Context, r Retry, key func(T) string, list func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		last, failed := "", 0
		for {
			var broken error
			for x, err := range list() {
				if err != nil {
					broken = err
					break
				}
				if key(x) <= last {
					continue
				}
				last, failed = key(x), 0
				if !yield(x, nil) {
					return
				}
			}
			if broken == nil {
				return
			}
			if err := r.pause(ctx, failed, broken); err != nil {
				var zero T
				yield(zero, err)
				return
			}
			failed++
		}
	}
}

func (b *retried) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return again(ctx, b.r, func(o Object) string { return o.Key }, func() iter.Seq2[Object, error] { return b.Bucket.List(ctx, prefix) })
}

func (b *retried) Folders(ctx context.Context) iter.Seq2[string, error] {
	return again(ctx, b.r, func(name string) string { return name + "/" }, func() iter.Seq2[string, error] { return b.Bucket.Folders(ctx) })
}

// Rubbish has no order, so what is new is what was not told.
func (b *retried) Rubbish(ctx context.Context, before time.Time, remove bool) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		told := make(map[Object]bool)
		for n := 0; ; n++ {
			var broken error
			for o, err := range b.Bucket.Rubbish(ctx, before, remove) {
				if err != nil {
					broken = err
					break
				}
				if told[o] {
					continue
				}
				told[o], n = true, 0
				if !yield(o, nil) {
					return
				}
			}
			if broken == nil {
				return
			}
			if err := b.r.pause(ctx, n, broken); err != nil {
				yield(Object{}, err)
				return
			}
		}
	}
}
