package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"gocloud.dev/blob"
)

// A writer of any of the clouds holds at most 32 MiB: S3 uploads three parts while a
// fourth fills, and has the first one apart, in up to 7.5 MiB; Azure has four
// blocks; Google takes one chunk after the other. Since S3 takes 10,000 parts, an
// object there has at most 58 GiB.
const (
	s3Part, s3Parts         = 6 << 20, 3
	azureBlock, azureBlocks = 8 << 20, 4
	gcsChunk                = 16 << 20
)

// cloud is a bucket of one of the clouds. It asks once: Retry asks again. Only what
// writers upload is tried again by the libraries of the clouds, part by part, for
// nobody else has the bytes.
type cloud struct {
	*provider
	name   string // location without secrets, with the location's prefix
	base   string // the location's prefix, which may have any letters
	prefix string // of this part of the bucket
	part   bool   // made by Sub
}

// provider is what differs between the clouds.
type provider struct {
	once    *blob.Bucket // asks once
	writes  *blob.Bucket // tries again
	options blob.WriterOptions
	// quiet makes a context under which libraries ask once; nil if once needs none.
	quiet func(context.Context) context.Context
	// again makes a context under which writers try again; nil if writes needs none.
	again func(context.Context) context.Context
	// unfinished lists uploads that no writer has finished, by their whole keys, and
	// drops one; nil if the cloud does not show them.
	unfinished func(ctx context.Context) iter.Seq2[upload, error]
	drop       func(ctx context.Context, key, id string) error
	close      []func() error
}

// upload is an upload that is not finished.
type upload struct {
	Object
	id string
}

func (c *cloud) Sub(prefix string) Bucket {
	return &cloud{c.provider, c.name, c.base, join(c.prefix, prefix), true}
}

func (c *cloud) String() string {
	if c.prefix == "" {
		return c.name
	}
	return c.name + "/" + c.prefix
}

func (c *cloud) Close() error {
	if c.part {
		return nil
	}
	var all []error
	for _, f := range c.close {
		all = append(all, f())
	}
	return errors.Join(all...)
}

// whole is the key that the cloud has for one of ours.
func (c *cloud) whole(key string) (string, error) {
	full := join(c.prefix, key)
	if err := check(full); err != nil {
		return "", err
	}
	return join(c.base, full), nil
}

// start begins a call.
func (c *cloud) start(ctx context.Context, key string) (context.Context, string, error) {
	whole, err := c.whole(key)
	if err == nil {
		err = ctx.Err()
	}
	if c.quiet != nil {
		ctx = c.quiet(ctx)
	}
	return ctx, whole, err
}

func (c *cloud) Stat(ctx context.Context, key string) (Object, error) {
	ctx, whole, err := c.start(ctx, key)
	if err != nil {
		return Object{}, err
	}
	a, err := c.once.Attributes(ctx, whole)
	if err != nil {
		return Object{}, failure(ctx, key, err)
	}
	return Object{key, a.Size, a.ModTime}, nil
}

func (c *cloud) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := checkRange(key, from, n); err != nil {
		return nil, err
	}
	if n == 0 { // clouds have no empty ranges
		_, err := c.Stat(ctx, key)
		return none, err
	}
	ctx, whole, err := c.start(ctx, key)
	if err != nil {
		return nil, err
	}
	in, err := c.once.NewRangeReader(ctx, whole, from, n, nil)
	switch {
	case err == nil:
		r := &cloudReader{ctx: ctx, key: key, in: in, there: max(in.Size()-from, 0)}
		r.wanted = n
		if n < 0 {
			r.wanted = r.there
		}
		return r, nil
	case status(err) != 416:
		return nil, failure(ctx, key, err)
	case n > 0:
		return nil, short(key)
	}
	// From the very end to the end there is nothing, which clouds call an error.
	o, err := c.Stat(ctx, key)
	if err == nil && o.Size < from {
		err = short(key)
	}
	return none, err
}

// cloudReader reads a range and tells its end from a connection's.
type cloudReader struct {
	ctx    context.Context
	key    string
	in     *blob.Reader
	wanted int64 // bytes
	there  int64 // as many has the object from there on
	got    int64
}

func (r *cloudReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.got += int64(n)
	switch {
	case err == nil:
		return n, nil
	case r.got >= r.wanted: // even when the connection broke just then
		return n, io.EOF
	case err == io.EOF && r.got >= r.there:
		return n, short(r.key)
	case err == io.EOF:
		return n, MayPass(short(r.key))
	}
	return n, failure(r.ctx, r.key, err)
}

func (r *cloudReader) Close() error {
	_ = r.in.Close() // nothing was written, and what was read is read
	return nil
}

func (c *cloud) Remove(ctx context.Context, key string) error {
	ctx, whole, err := c.start(ctx, key)
	if err != nil {
		return err
	}
	err = failure(ctx, key, c.once.Delete(ctx, whole))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (c *cloud) Publish(ctx context.Context, key string, data []byte) error {
	ctx, whole, err := c.start(ctx, key)
	if err != nil {
		return err
	}
	o := c.options
	o.BeforeWrite, o.IfNotExist = nil, true
	o.BufferSize, o.MaxConcurrency = len(data)+1, 1 // in one piece, whatever its size
	err = failure(ctx, key, c.once.Upload(ctx, whole, bytes.NewReader(data), &o))
	if !errors.Is(err, fs.ErrExist) && !Temporary(err) {
		return err
	}
	// What is there now tells whose it is: an earlier try may have taken effect, and a
	// store that refuses a large object may hang up instead of saying so.
	switch there, e := same(ctx, c, key, data); {
	case errors.Is(e, fs.ErrNotExist):
		return err
	case e != nil && Temporary(err):
		return err
	case e != nil:
		return e
	case there:
		return nil
	}
	return fmt.Errorf("%s: %w", key, fs.ErrExist)
}

func (c *cloud) Create(ctx context.Context, key string) (Writer, error) {
	whole, err := c.whole(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	// Upload, not a writer of the library: Azure's panics when a write fails.
	up, cancel := context.WithCancel(ctx)
	if c.again != nil {
		up = c.again(up)
	}
	r, pipe := io.Pipe()
	w := &cloudWriter{c: c, ctx: ctx, cancel: cancel, key: key, whole: whole, pipe: pipe, uploaded: make(chan struct{})}
	go func() {
		defer close(w.uploaded)
		o := c.options
		w.failed = c.writes.Upload(up, whole, r, &o)
		r.CloseWithError(errAborted) // ends a Write that waits; Write says why
	}()
	return w, nil
}

// cloudWriter hands bytes to an upload.
type cloudWriter struct {
	c          *cloud
	ctx        context.Context
	cancel     func() // the upload
	key, whole string
	pipe       *io.PipeWriter
	uploaded   chan struct{} // closed after
	failed     error         // is set
	done       bool
}

func (w *cloudWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, errAborted
	}
	n, err := w.pipe.Write(p)
	if err != nil {
		<-w.uploaded
		err = w.err()
	}
	return n, err
}

// err tells why an upload that is over has failed.
func (w *cloudWriter) err() error {
	if w.failed == nil {
		return nil
	}
	return failure(w.ctx, w.key, w.failed)
}

func (w *cloudWriter) Close() error {
	if w.done {
		return errAborted
	}
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return err
	}
	w.done = true
	_ = w.pipe.Close()
	<-w.uploaded
	w.cancel()
	w.clear()
	return w.err()
}

// Abort first cancels: to some of the libraries a reader that fails is one that ends.
func (w *cloudWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel()
	_ = w.pipe.CloseWithError(errAborted)
	<-w.uploaded
	w.clear()
}

// clearTime is how long the rest of a failed upload is worth waiting for.
const clearTime = 10 * time.Second

// clear drops what a failed upload left. What it cannot drop is rubbish.
func (w *cloudWriter) clear() {
	var left interface{ UploadID() string }
	if w.c.drop == nil || !errors.As(w.failed, &left) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), clearTime)
	defer cancel()
	_ = w.c.drop(ctx, w.whole, left.UploadID())
}

// inside is the prefix of all keys of this part of the bucket, as the cloud has it.
func (c *cloud) inside() (string, error) {
	all := c.base
	if c.prefix != "" {
		if err := check(c.prefix); err != nil {
			return "", err
		}
		all = join(c.base, c.prefix)
	}
	if all != "" {
		all += "/"
	}
	return all, nil
}

// list lists what begins with prefix, without inside.
func (c *cloud) list(ctx context.Context, prefix, delimiter string) iter.Seq2[*blob.ListObject, error] {
	return func(yield func(*blob.ListObject, error) bool) {
		inside, err := c.inside()
		if err != nil {
			yield(nil, err)
			return
		}
		if c.quiet != nil {
			ctx = c.quiet(ctx)
		}
		last := ""
		for it := c.once.List(&blob.ListOptions{Prefix: inside + prefix, Delimiter: delimiter}); ; {
			o, err := it.Next(ctx)
			if err == io.EOF {
				return
			}
			if err == nil && o.Key <= last {
				// Some stores that speak S3 do. Who goes on after a break would lose objects.
				err = errors.New("it does not list in the order of keys, which is needed here")
			}
			if err != nil {
				yield(nil, failure(ctx, "list "+c.String(), err))
				return
			}
			last = o.Key
			o.Key = strings.TrimPrefix(o.Key, inside)
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (c *cloud) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range c.list(ctx, prefix, "") {
			switch {
			case err != nil:
				yield(Object{}, err)
				return
			case hidden(o.Key):
			case !yield(Object{o.Key, o.Size, o.ModTime}, nil):
				return
			}
		}
	}
}

func (c *cloud) Folders(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range c.list(ctx, "", "/") {
			if err != nil {
				yield("", err)
				return
			}
			if name, folder := strings.CutSuffix(o.Key, "/"); folder && !hidden(name) && !yield(name, nil) {
				return
			}
		}
	}
}

func (c *cloud) Rubbish(ctx context.Context, before time.Time, remove bool) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		inside, err := c.inside()
		if err != nil {
			yield(Object{}, err)
			return
		}
		if c.unfinished == nil {
			return
		}
		for u, err := range c.unfinished(ctx) {
			key, ours := strings.CutPrefix(u.Key, inside)
			if err == nil && (!ours || !u.Modified.Before(before)) {
				continue
			}
			if err == nil && remove {
				err = c.drop(ctx, u.Key, u.id)
			}
			if err = failure(ctx, "rubbish", err); errors.Is(err, fs.ErrNotExist) {
				continue // finished or dropped since
			}
			u.Key = key
			if !yield(u.Object, err) || err != nil {
				return
			}
		}
	}
}

// reach asks for one object, to tell a bucket that can be used from one that cannot.
func (c *cloud) reach(ctx context.Context) error {
	inside, err := c.inside()
	if err != nil {
		return err
	}
	if c.quiet != nil {
		ctx = c.quiet(ctx)
	}
	_, _, err = c.once.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: inside})
	return failure(ctx, "list", err)
}
