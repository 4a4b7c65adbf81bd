package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"shark/snapshot/cache"
)

// digest returns a digest of what the answers depend on: the content of the inputs
// in their order, and the identities. A snapshot's is that of its manifest, which has the
// sums of all else: what is read of it is compared with them.
// Of an input whose file is read by somebody else, follow has the rest of the work.
func (e *Evidence) digest(ctx context.Context, follow []*following) (string, error) {
	h := sha256.New()
	if e.snapshot != nil {
		fmt.Fprintf(h, "snapshot %s\n", e.snapshot.Digest)
	}
	for i, in := range e.inputs {
		var sum string
		var err error
		if follow != nil {
			sum, err = follow[i].finish(ctx, e.w)
		} else {
			sum, err = e.w.fileDigest(ctx, in.path, algorithmBLAKE3)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "packets %s\n", sum)
	}
	if e.identitySum != "" {
		fmt.Fprintf(h, "identity %s\n", e.identitySum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// algorithm is how the content of a file is told from others.
type algorithm struct {
	name string
	new  func() hash.Hash
}

// Identity logs have SHA-256. For packets, which are many, BLAKE3 tells contents apart as
// surely at twice the speed: of all that a dissection does, this was a seventh.
var (
	algorithmSHA256 = algorithm{"sha256", sha256.New}
	algorithmBLAKE3 = algorithm{"blake3", func() hash.Hash { return blake3.New() }}
)

// digesting is the digest of the inputs being worked out: in a goroutine of its own, or
// by following who reads them, until finish.
type digesting struct {
	cancel context.CancelFunc
	done   chan struct{}
	follow []*following // nil: it reads the inputs itself
	text   string       // after wait
	err    error
	others sync.WaitGroup
}

// startDigest begins to work out the digest; stop ends it.
func (e *Evidence) startDigest(ctx context.Context) *digesting {
	ctx, cancel := context.WithCancel(ctx)
	d := &digesting{cancel: cancel, done: make(chan struct{})}
	d.others.Go(func() {
		defer close(d.done)
		d.text, d.err = e.digest(ctx, nil)
	})
	return d
}

// followDigest has the digest worked out of what is read of the inputs, so that they are
// read once.
func (e *Evidence) followDigest() (*digesting, error) {
	d := &digesting{cancel: func() {}, done: make(chan struct{}), follow: make([]*following, len(e.inputs))}
	for i, in := range e.inputs {
		full, info, err := located(in.path)
		if err != nil {
			return nil, err
		}
		d.follow[i] = &following{full: full, info: info, by: algorithmBLAKE3, hash: algorithmBLAKE3.new()}
	}
	return d, nil
}

// see is what is to be shown an input's bytes, if anything.
func (d *digesting) see(input int) func([]byte) {
	if d.follow == nil {
		return nil
	}
	return d.follow[input].see
}

// finish is called when nobody reads the inputs any more.
func (d *digesting) finish(ctx context.Context, e *Evidence) {
	if d.follow != nil {
		d.text, d.err = e.digest(ctx, d.follow)
		close(d.done)
	}
}

// following is the digest of a file that somebody else reads from its beginning.
type following struct {
	full string
	info os.FileInfo // before it was read
	by   algorithm

	mu   sync.Mutex
	hash hash.Hash
	n    int64 // bytes seen
	over bool  // the rest is read by finish
}

// see is shown the next bytes of the file.
func (f *following) see(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.hash.Write(b)
		f.n += int64(len(b))
	}
}

// finish reads what nobody else did and returns the digest.
func (f *following) finish(ctx context.Context, w *Workbench) (string, error) {
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	sum, err := readDigest(ctx, f.full, f.n, f.hash)
	if err != nil {
		return "", err
	}
	return sum, w.remember(f.full, f.info, f.by, sum)
}

// spoil makes the digest one that no input has: what was read may not be what it is of.
func (d *digesting) spoil(at time.Time) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s changed while it was read, %d", d.text, at.UnixNano()))
	d.text = hex.EncodeToString(sum[:])
}

// states are the sizes and times of the inputs' files.
func (e *Evidence) states() (out []string) {
	for _, in := range e.inputs {
		state := "gone"
		if _, info, err := located(in.path); err == nil {
			state = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
		out = append(out, state)
	}
	return out
}

// changed says which inputs are not in the state that they were in.
func (e *Evidence) changed(before []string) (notes []string) {
	for i, state := range e.states() {
		if state != before[i] {
			notes = append(notes, e.inputs[i].label+" changed while it was read: some of it may be missing here")
		}
	}
	return notes
}

// wait returns when the digest is there, or why it is not.
func (d *digesting) wait() error {
	<-d.done
	return d.err
}

// then calls f when the digest is there, in another goroutine.
func (d *digesting) then(f func()) {
	d.others.Go(func() {
		<-d.done
		f()
	})
}

// stop ends the work and returns when nothing of it runs any more.
func (d *digesting) stop() {
	d.cancel()
	d.others.Wait()
}

// remembered tells whether the digests of all inputs are known without reading them.
func (e *Evidence) remembered() bool {
	for _, in := range e.inputs {
		full, info, err := located(in.path)
		if err != nil {
			return true // it is worked out to tell the error
		}
		if _, known := e.w.recall(full, info, algorithmBLAKE3); !known {
			return false
		}
	}
	return true
}

// familiar tells whether files as large as each of the inputs have been read through
// before. If not, there is no index of them.
func (e *Evidence) familiar() bool {
	for _, in := range e.inputs {
		if _, info, err := located(in.path); err != nil || !e.w.knowsSize(info.Size()) {
			return false
		}
	}
	return true
}

// stamp is what tells that a file has not changed since it was read through.
type stamp struct {
	Path      string    `json:"path"`
	Size      int64     `json:"size"`
	Modified  time.Time `json:"modified"`
	Algorithm string    `json:"algorithm"`
	Digest    string    `json:"digest,omitempty"` // empty: it may have changed
}

// settled is how long a file must have been left alone for its digest to be
// remembered: one that changes may do so again within the resolution of its clock.
const settled = 2 * time.Second

// fileDigest returns the digest of a file. It is remembered by path, size and
// time of the last change, so that asking again does not read a terabyte again.
func (w *Workbench) fileDigest(ctx context.Context, path string, by algorithm) (string, error) {
	full, info, err := located(path)
	if err != nil {
		return "", err
	}
	if sum, known := w.recall(full, info, by); known {
		return sum, nil
	}
	sum, err := readDigest(ctx, full, 0, by.new())
	if err != nil {
		return "", err
	}
	return sum, w.remember(full, info, by, sum)
}

// remember notes that a file was read through and, if it is as it was before, its digest.
func (w *Workbench) remember(full string, info os.FileInfo, by algorithm, sum string) error {
	if w.cfg.Cache == "" {
		return nil
	}
	after, err := os.Stat(full)
	if err != nil {
		return err
	}
	s := stamp{Path: full, Size: info.Size(), Modified: info.ModTime(), Algorithm: by.name}
	if after.Size() == info.Size() && after.ModTime().Equal(info.ModTime()) && w.cfg.Now().Sub(info.ModTime()) > settled {
		s.Digest = sum
	}
	if b, err := json.Marshal(s); err == nil {
		_ = cache.Write(w.stampPath(full, info.Size(), by), b) // a cache: without it the file is read again
	}
	return nil
}

// located returns the whole path of a file and what the system says of it.
func located(path string) (full string, info os.FileInfo, err error) {
	if full, err = filepath.Abs(path); err != nil {
		return "", nil, err
	}
	info, err = os.Stat(full)
	return full, info, err
}

// recall returns the digest of a file that has not changed since it was worked out.
func (w *Workbench) recall(full string, info os.FileInfo, by algorithm) (sum string, known bool) {
	if w.cfg.Cache == "" {
		return "", false
	}
	var s stamp
	b, err := os.ReadFile(w.stampPath(full, info.Size(), by))
	known = err == nil && json.Unmarshal(b, &s) == nil && s.Digest != "" && s.Path == full && s.Algorithm == by.name && s.Size == info.Size() && s.Modified.Equal(info.ModTime())
	return s.Digest, known
}

// stampPath is where the stamp of a file stands.
func (w *Workbench) stampPath(full string, size int64, by algorithm) string {
	name := sha256.Sum256([]byte(by.name + " " + full))
	return filepath.Join(w.stamps(), stampsOf(size)+hex.EncodeToString(name[:16])+".json")
}

// stamps is the folder of all stamps.
func (w *Workbench) stamps() string { return filepath.Join(w.cfg.Cache, "digest") }

// stampsOf is how the names of the stamps begin that are of files of a size.
func stampsOf(size int64) string { return strconv.FormatInt(size, 10) + "-" }

// knowsSize tells whether there is a stamp of a file of that size.
func (w *Workbench) knowsSize(size int64) bool {
	entries, err := os.ReadDir(w.stamps())
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), stampsOf(size)) })
}

// readDigest reads a file through, from a byte on.
func readDigest(ctx context.Context, path string, from int64, h hash.Hash) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return "", err
	}
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
