package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"shark/dissector"
	"shark/packet/keylog"
	"shark/snapshot"
	"shark/snapshot/block"
	"shark/snapshot/cache"
	"shark/workbench/index"
)

// What was found of each part of a snapshot is kept in the cache for those who ask for that, under
// a sum of all that it follows from: the part's blocks and their places, the program, its options.
// Whoever dissects takes the parts that are there and dissects the others: after an interruption
// those that were not done, of a snapshot that has one node more those that the node has packets
// in. The index is the same.

// partsMemory bounds the rows that all parts that are being dissected hold, in bytes.
const partsMemory = 40 << 20

// partHead is what the rows of a part say of themselves.
type partHead struct {
	shareHead
	// Secrets is the sum of the TLS secrets that there were; empty: nobody asked for any.
	Secrets string `json:"secrets,omitempty"`
}

// keeping is a dissection whose parts are taken from the cache, or kept there.
type keeping struct {
	e       *Evidence
	out     *index.Writer // gets all entries, under mu
	dir     string        // of the cache
	sums    map[int]snapshot.Part
	secrets string
	taken   taken // what was there before
	bytes   int64 // of packets, that need not be read for it

	mu   sync.Mutex
	open map[int]*index.Writer // of the parts that are being dissected and are to be kept
}

// partsBefore is how many parts of a snapshot were there when it was dissected.
type partsBefore struct{ taken, all int }

// parts begins a dissection of a snapshot into out, which takes the parts that were kept, but for
// some. It is nil where there are none and none are to be kept.
func (e *Evidence) parts(ctx context.Context, o DissectOptions, out *index.Writer, but uint64) (*keeping, error) {
	e.before = partsBefore{}
	takes := !o.Force && e.early == nil // an early answer has each entry as it is found
	if e.snapshot == nil || e.w.cache == nil || !o.KeepParts && !(takes && e.w.keepsParts()) {
		return nil, nil
	}
	dir, err := e.folder(DissectOptions{})
	if err != nil {
		return nil, err
	}
	k := &keeping{e: e, out: out, dir: dir, secrets: e.secretsSum(), open: make(map[int]*index.Writer)}
	if k.sums, err = e.snapshot.PartSums(ctx); err == nil && takes {
		err = k.take(ctx, but)
	}
	e.before = partsBefore{len(k.taken.heads), len(k.sums)}
	return k, err
}

// keepsParts tells whether any parts are in the cache.
func (w *Workbench) keepsParts() bool {
	list, _ := filepath.Glob(filepath.Join(w.cfg.Cache, cache.Indexes, "*"+cache.RowsSuffix)) // without the folder there are none
	return len(list) > 0
}

// secretsSum is a sum of the TLS secrets that a snapshot has; those of a file are among the
// options.
func (e *Evidence) secretsSum() string {
	h := sha256.New()
	for _, o := range e.snapshot.Manifest.Objects {
		if o.Kind == snapshot.KindSecrets {
			fmt.Fprintln(h, o.SHA256)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// path is where the rows of a part are kept.
func (k *keeping) path(name string) string { return filepath.Join(k.dir, name+cache.RowsSuffix) }

// name tells the rows of a part from all others.
func (k *keeping) name(number int) string {
	return k.e.w.indexName(fmt.Sprintf("part %x", k.sums[number].Sum))
}

// take takes the parts that are there. What is damaged, or was found with other secrets, is not.
func (k *keeping) take(ctx context.Context, but uint64) error {
	for i := range block.Partitions {
		x, ok := k.sums[i]
		if !ok || but>>i&1 != 0 {
			continue
		}
		head, err := k.unpack(ctx, i, k.path(k.name(i)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			k.taken.parts |= 1 << i
			k.taken.heads = append(k.taken.heads, head)
			k.bytes += x.Packed
		}
	}
	return nil
}

// unpack gives the rows of a part to the index.
func (k *keeping) unpack(ctx context.Context, number int, path string) (*shareHead, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head partHead
	k.mu.Lock()
	defer k.mu.Unlock()
	err = k.out.Unpack(ctx, f, info.Size(), func(text []byte) error {
		if err := json.Unmarshal(text, &head); err != nil {
			return fmt.Errorf("%w: %w", index.ErrShare, err)
		}
		if head.Of != k.name(number) || head.Parts != 1<<number || head.Secrets != "" && head.Secrets != k.secrets {
			return fmt.Errorf("%w: it is of something else", index.ErrShare)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	k.e.w.cache.Used(path)
	return &head.shareHead, nil
}

// partSink gives the entries of one worker to the writers of their parts, one after the other.
type partSink struct {
	k      *keeping
	number int
	shard  *index.Shard // nil: of no part yet
}

// Entry implements dissector.Sink.
func (s *partSink) Entry(x *dissector.Entry) error {
	if s.shard == nil || s.number != x.Partition {
		w, err := s.k.writer(x.Partition)
		if err != nil {
			return err
		}
		s.number, s.shard = x.Partition, w.Shard()
	}
	return s.shard.Entry(x)
}

// writer returns what the entries of a part are written with.
func (k *keeping) writer(number int) (*index.Writer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.open[number]; w != nil {
		return w, nil
	}
	w, err := k.e.begin(k.dir, partsMemory/k.e.w.cfg.Workers)
	if err == nil {
		k.open[number] = w
	}
	return w, err
}

// done puts a part that was dissected into the index, and keeps it unless some of its packets
// could not be read.
func (k *keeping) done(ctx context.Context, number int, p *part, r *dissector.Report, secrets *keylog.Table) (err error) {
	if _, ok := k.sums[number]; !ok { // it has no packets
		return nil
	}
	w, err := k.writer(number)
	if err != nil {
		return err
	}
	k.mu.Lock()
	delete(k.open, number)
	k.mu.Unlock()
	defer func() { err = errors.Join(err, w.Abort()) }()
	head := partHead{shareHead: shareHead{
		Of: k.name(number), Parts: 1 << number, Creator: "shark " + k.e.w.cfg.Version, Report: *r, Twice: new(seenTwice), Used: used(secrets),
	}}
	head.Twice.add(p.Source)
	if secrets.Asked() {
		head.Secrets = k.secrets
	}
	draft, err := os.MkdirTemp(k.dir, index.Draft)
	if err != nil {
		return fmt.Errorf("part of a dissection: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()
	path := filepath.Join(draft, "part")
	if _, err := packRows(ctx, w, path, head); err != nil {
		return err
	}
	if _, err := k.unpack(ctx, number, path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil || len(p.damage) > 0 || !k.e.w.cache.Fits(info.Size()) {
		return err
	}
	if err := os.Rename(path, k.path(head.Of)); err != nil {
		return fmt.Errorf("part of a dissection: %w", err)
	}
	k.e.w.cache.Grown(info.Size())
	return nil
}

// abort removes what is left of parts that did not become whole.
func (k *keeping) abort() (err error) {
	if k == nil {
		return nil
	}
	for _, w := range k.open {
		err = errors.Join(err, w.Abort())
	}
	return err
}

// into has work leave out what was taken, and, if it should, keep what is done.
func (k *keeping) into(ctx context.Context, w *work, keep bool) {
	w.parts &^= k.taken.parts
	if !keep {
		return
	}
	w.sink = func(int) dissector.Sink { return &partSink{k: k} }
	w.done = func(number int, p *part, r *dissector.Report, secrets *keylog.Table) error {
		return k.done(ctx, number, p, r, secrets)
	}
}

// addTo adds what was there before to what was found.
func (k *keeping) addTo(f *findings, keys *keylog.Table) {
	if k != nil {
		k.taken.addTo(f, keys)
	}
}

// used returns the randoms of the sessions whose secrets were asked for.
func used(keys *keylog.Table) (list [][]byte) {
	for _, random := range keys.Used() {
		list = append(list, slices.Clone(random[:]))
	}
	return list
}

// packRows packs what was found into a file that is not there yet.
func packRows(ctx context.Context, w *index.Writer, path string, head any) (entries int64, err error) {
	text, err := json.Marshal(head)
	if err != nil {
		return 0, fmt.Errorf("rows of a dissection: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("rows of a dissection: %w", err)
	}
	entries, err = w.Pack(ctx, f, text)
	return entries, errors.Join(err, f.Close())
}
