package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"shark/snapshot/bucket"
)

const (
	// copyParallel is how many objects are copied at once unless somebody says so.
	copyParallel = 8
	// largeCopy is the size in bytes above which an object counts as two: then writers
	// hold up to 32 MiB, and of what is not larger at most 16 MiB, one piece of it.
	largeCopy = 6 << 20
	// copyBuffer is what is read at once, in bytes.
	copyBuffer = 256 << 10
	// copyTries is how often an object is begun before it is given up.
	copyTries = 5
)

// CopyOptions say how a snapshot is copied. The zero value does for everybody.
type CopyOptions struct {
	// Parallel is how many objects are copied at once, of which those above 6 MiB count
	// as two; 0: 8. Their writers hold as many times 16 MiB at most.
	Parallel int
	// Wait waits before an object is begun again, or for the context, whose error it
	// returns; nil: as long as it says.
	Wait func(context.Context, time.Duration) error
}

// CopyProgress is how far a copy has come.
type CopyProgress struct {
	Bytes   int64 // copied, or found in the target; fewer than before when an object is begun again
	Total   int64 // bytes that all objects have
	Objects int   // that are in the target now
	Kept    int   // of them were there and had the right sum
}

// Copy copies the snapshot that ref names into another store, under its id and with
// the same bytes: the objects that its manifest lists, its signature if it has one,
// and its manifest, last. What was published beside (dissections) is not copied.
//
// The target has the snapshot whole or not at all, and it has it when Copy returns
// nil. What an interrupted copy left there serves the next one: objects that have the
// right size are read back, and kept when their sum is the manifest's; others are
// replaced. A target that has the manifest and objects of the right sizes is left as
// it is; one that has lost objects gets them again; one that has another manifest or
// another signature under the id is an error that wraps fs.ErrExist.
//
// Each object is compared with the manifest while it is copied. An error that wraps
// ErrIntegrity names the one of the source that is not what the manifest says.
//
// Progress, which may be nil, is told one call at a time.
func (s *Store) Copy(ctx context.Context, to *Store, ref string, o CopyOptions, progress func(CopyProgress)) (*Manifest, error) {
	x, err := s.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return x.Copy(ctx, to, o, progress)
}

// Copy is Store.Copy for a snapshot that was opened.
func (s *Snapshot) Copy(ctx context.Context, to *Store, o CopyOptions, progress func(CopyProgress)) (*Manifest, error) {
	if o.Parallel <= 0 {
		o.Parallel = copyParallel
	}
	if o.Wait == nil {
		o.Wait = bucket.Wait
	}
	if progress == nil {
		progress = func(CopyProgress) {}
	}
	c := &copier{CopyOptions: o, from: s, to: to.files.Sub(s.Manifest.ID), report: progress}
	for _, object := range s.Manifest.Objects {
		c.progress.Total += object.Size
	}
	if err := c.run(ctx); err != nil {
		return nil, fmt.Errorf("copy snapshot %s to %s: %w", s.Manifest.ID, to.files, err)
	}
	return s.Manifest, nil
}

// copier copies one snapshot.
type copier struct {
	CopyOptions
	from  *Snapshot
	to    bucket.Bucket
	sizes map[string]int64 // of what the target has, by path

	mu       sync.Mutex // of the two below
	progress CopyProgress
	report   func(CopyProgress)
}

// run copies data, then indexes, then the signature, then the manifest.
func (c *copier) run(ctx context.Context) error {
	manifest, err := c.from.manifestText(ctx)
	if err != nil {
		return err
	}
	there, whole, err := c.look(ctx, manifest)
	if err != nil {
		return err
	}
	sign := c.write
	if there {
		sign = c.publish
	}
	if whole {
		n := len(c.from.Manifest.Objects)
		c.told(func(p *CopyProgress) { p.Bytes, p.Objects, p.Kept = p.Total, n, n })
		return c.signature(ctx, sign)
	}
	if err := c.list(ctx); err != nil {
		return err
	}
	for _, indexes := range []bool{false, true} {
		if err := c.objects(ctx, indexes); err != nil {
			return err
		}
	}
	if err := c.signature(ctx, sign); err != nil {
		return err
	}
	if err := c.publish(ctx, manifestName, manifest); err != nil || c.progress.Kept == 0 {
		return err
	}
	// What an earlier copy had left, and was kept, a prune may have taken for rubbish.
	if err := (&Snapshot{Manifest: c.from.Manifest, files: c.to}).check(ctx); err != nil {
		return fmt.Errorf("something was removed from the target meanwhile, copy again: %w", err)
	}
	return nil
}

// look tells whether the target has the manifest, and with it the snapshot, as far as
// that takes no reading.
func (c *copier) look(ctx context.Context, manifest []byte) (there, whole bool, err error) {
	data, err := bucket.ReadAll(ctx, c.to, manifestName, maxManifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, false, nil
	case err != nil && !errors.Is(err, bucket.ErrTooLarge):
		return false, false, err
	case err != nil || !bytes.Equal(data, manifest):
		return false, false, another(manifestName)
	}
	err = (&Snapshot{Manifest: c.from.Manifest, files: c.to}).check(ctx)
	if errors.Is(err, ErrIntegrity) {
		return true, false, nil // what it has lost is copied again
	}
	return true, err == nil, err
}

// another refuses to replace what the target has.
func another(name string) error {
	return fmt.Errorf("%w: another %s under the same id, which is not replaced: verify both, and delete the wrong one", fs.ErrExist, name)
}

// list notes what the target has.
func (c *copier) list(ctx context.Context) error {
	c.sizes = make(map[string]int64)
	for o, err := range c.to.List(ctx, "") {
		if err != nil {
			return err
		}
		c.sizes[o.Key] = o.Size
	}
	return nil
}

// objects copies the indexes, or all other objects, the largest first, so that none
// of them is waited for at the end. The first error ends it.
func (c *copier) objects(ctx context.Context, indexes bool) error {
	var list []*Object
	for i := range c.from.Manifest.Objects {
		if o := &c.from.Manifest.Objects[i]; indexes == (o.Kind == KindBlocks) {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(a, b *Object) int { return cmp.Compare(b.Size, a.Size) })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	turn := make(chan struct{}, c.Parallel)
	for _, o := range list {
		turns := 1
		if o.Size > largeCopy {
			turns = min(2, c.Parallel)
		}
		for range turns {
			turn <- struct{}{}
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			if err := c.object(ctx, o); err != nil {
				cancel(err)
			}
			for range turns {
				<-turn
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// object has one object in the target: it is kept or copied.
func (c *copier) object(ctx context.Context, o *Object) error {
	kept := 0
	err := c.again(ctx, func() (err error) {
		kept, err = c.attempt(ctx, o)
		return err
	})
	if err == nil {
		c.told(func(p *CopyProgress) { p.Objects, p.Kept = p.Objects+1, p.Kept+kept })
	}
	return err
}

// again tries until it succeeds, fails for good, or was done often enough. What a
// writer took is gone when it fails, so that no bucket tries it again.
func (c *copier) again(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == copyTries || !bucket.Temporary(err) || ctx.Err() != nil {
			return err
		}
		if err := c.Wait(ctx, time.Duration(rand.Float64()*float64(time.Second<<try))); err != nil {
			return err
		}
	}
}

// attempt is one try. It returns 1 for an object that is kept.
func (c *copier) attempt(ctx context.Context, o *Object) (kept int, err error) {
	if size, ok := c.sizes[o.Path]; ok && size == o.Size {
		err := c.check(ctx, c.to, o, io.Discard)
		if err == nil {
			return 1, nil
		}
		if !errors.Is(err, ErrIntegrity) {
			return 0, fmt.Errorf("reading back %s: %w", c.to, err)
		}
	}
	w, err := c.to.Create(ctx, o.Path)
	if err != nil {
		return 0, err
	}
	if err := c.check(ctx, c.from.files, o, w); err != nil {
		w.Abort()
		return 0, err
	}
	if err := w.Close(); err != nil {
		c.move(-o.Size)
		return 0, err
	}
	return 0, nil
}

// check reads an object of a bucket to its end, copies it to w and compares it with
// the manifest. When it fails, its bytes do not count as progress.
func (c *copier) check(ctx context.Context, from bucket.Bucket, o *Object, w io.Writer) (err error) {
	in, err := from.Open(ctx, o.Path, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrIntegrity, o.Path)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sum, size := sha256.New(), int64(0)
	defer func() {
		if err != nil {
			c.move(-size)
		}
	}()
	buf := make([]byte, copyBuffer)
	for {
		n, end := in.Read(buf)
		size += int64(n)
		c.move(int64(n))
		if size > o.Size {
			return fmt.Errorf("%w: %s has more bytes than the %d of the manifest", ErrIntegrity, o.Path, o.Size)
		}
		sum.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if end == io.EOF {
			break
		}
		if end != nil {
			return broken(o, end)
		}
	}
	if size < o.Size {
		return fmt.Errorf("%w: %s has %d bytes, by the manifest %d", ErrIntegrity, o.Path, size, o.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.SHA256 {
		return fmt.Errorf("%w: the SHA-256 of %s is %s, by the manifest %s", ErrIntegrity, o.Path, got, o.SHA256)
	}
	return nil
}

// broken tells an object that became shorter while it was read from a read that broke
// off, and may not the next time.
func broken(o *Object, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) && !bucket.Temporary(err) {
		return fmt.Errorf("%w: %s: %w", ErrIntegrity, o.Path, err)
	}
	return err
}

// signature copies the signature, if there is one, as put does.
func (c *copier) signature(ctx context.Context, put func(context.Context, string, []byte) error) error {
	data, err := bucket.ReadAll(ctx, c.from.files, signatureName, maxMinisig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, bucket.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrIntegrity, err)
	case err != nil:
		return err
	}
	return put(ctx, signatureName, data)
}

// publish has a small object in the target, which must not have another one.
func (c *copier) publish(ctx context.Context, name string, data []byte) error {
	err := c.to.Publish(ctx, name, data)
	if errors.Is(err, fs.ErrExist) {
		return another(name)
	}
	return err
}

// write has a small object in the target, whatever is there.
func (c *copier) write(ctx context.Context, name string, data []byte) error {
	return c.again(ctx, func() error {
		w, err := c.to.Create(ctx, name)
		if err != nil {
			return err
		}
		defer w.Abort() // nothing after Close
		if _, err := w.Write(data); err != nil {
			return err
		}
		return w.Close()
	})
}

// move counts bytes.
func (c *copier) move(n int64) { c.told(func(p *CopyProgress) { p.Bytes += n }) }

// told changes the progress and tells it.
func (c *copier) told(change func(*CopyProgress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.progress)
	c.report(c.progress)
}
