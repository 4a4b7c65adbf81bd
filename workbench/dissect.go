package workbench

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"shark/dissector"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/snapshot/block"
	"shark/snapshot/cache"
	"shark/workbench/index"
)

// opened is an index database with the account of its dissection.
type opened struct {
	db      *index.DB
	account account
	points  func() []pcapng.Point // restart places, worked out when first asked for
	note    string                // where it is from, unless it was made here
	choice  *choice               // which protocols it was made for; nil: it does not say
}

// DissectOptions say how to dissect.
type DissectOptions struct {
	Output string // path of the index database; empty: in the cache
	Force  bool   // dissect even if it has been done
	// KeepParts keeps in the cache what is found of each part of a snapshot, as it is done, for
	// when it is dissected again after an interruption, or a snapshot with one node more is. An
	// index that is there has no parts: it is made again.
	KeepParts bool
	// Packets says which packets to dissect, if not all: such an index is not for the cache. It
	// has no KFL.
	Packets Export
}

// Dissected is what Dissect did.
type Dissected struct {
	Path     string
	Cached   bool // it had been done before
	Fetched  bool // it was published with the snapshot: Path is its location there
	Taken    int  // parts of the snapshot, of Parts, that had been dissected before and were kept
	Parts    int
	Entries  int64
	Coverage Coverage
}

// anew tells whether an index that is there is of no use.
func (o *DissectOptions) anew() bool { return o.Force || o.KeepParts }

// Dissect makes the index, unless it is there. An Output that is something else
// than an index database is not overwritten.
func (e *Evidence) Dissect(ctx context.Context, o DissectOptions) (*Dissected, error) {
	if e.given != "" {
		return nil, usage("%s is an index database already", e.given)
	}
	if err := checkOutput(o.Output); err != nil {
		return nil, err
	}
	if o.KeepParts && (e.snapshot == nil || e.w.cache == nil || o.Packets != (Export{})) {
		return nil, usage("parts are kept of whole snapshots, in the cache")
	}
	if o.Packets != (Export{}) {
		return e.dissectChosen(ctx, o)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dissected(ctx, o)
}

// checkOutput refuses to put an index database in the place of other files.
func checkOutput(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular() && (info.Size() == 0 || index.Is(path)):
		return nil
	}
	return usage("%s is there and is not an index database: it is not overwritten", path)
}

// dissected is Dissect with the lock held. What the input's digest is, and so
// whether it has been dissected, is mostly known at once. Where it is not, the
// packets are dissected while it is worked out: from what is read of them, where they
// cannot have been dissected before.
func (e *Evidence) dissected(ctx context.Context, o DissectOptions) (*Dissected, error) {
	if !e.remembered() && (o.anew() || !e.familiar()) {
		return e.dissectedOnce(ctx, o)
	}
	sum := e.startDigest(ctx)
	defer sum.stop()
	d := &Dissected{}
	known := o.anew() // whether there is anything to look for
	if !known && e.remembered() {
		if err := e.find(sum, o, d); err != nil || d.Cached {
			return d, err
		}
		known = true
	}
	if found, err := e.fetch(ctx, sum, o, d); found || err != nil {
		return d, err
	}
	err := e.dissect(ctx, o, sum, known)
	if errors.Is(err, errDissected) {
		if err = e.find(sum, o, d); err == nil && !d.Cached {
			err = e.dissect(ctx, o, sum, true)
		}
	}
	if err != nil {
		return nil, err
	}
	if !d.Cached {
		if err := e.opens(sum, o, d); err != nil {
			return nil, err
		}
		d.Taken, d.Parts = e.before.taken, e.before.all
	}
	return e.account(d), nil
}

// dissectedOnce dissects what has not been dissected, reading it once.
func (e *Evidence) dissectedOnce(ctx context.Context, o DissectOptions) (*Dissected, error) {
	sum, err := e.followDigest()
	if err != nil {
		return nil, err
	}
	if err := e.dissect(ctx, o, sum, true); err != nil {
		return nil, err
	}
	d := &Dissected{}
	if err := e.opens(sum, o, d); err != nil {
		return nil, err
	}
	return e.account(d), nil
}

// opens opens what was made of the input.
func (e *Evidence) opens(sum *digesting, o DissectOptions, d *Dissected) (err error) {
	if d.Path, err = e.target(sum, o); err != nil {
		return err
	}
	return e.open(d.Path, sum.text)
}

// account adds to what was done what is in the index.
func (e *Evidence) account(d *Dissected) *Dissected {
	d.Entries, d.Coverage = e.opened.db.Meta().Entries, e.coverage(e.opened)
	return d
}

// find opens what was made of the input before, if there is any.
func (e *Evidence) find(sum *digesting, o DissectOptions, d *Dissected) (err error) {
	if d.Path, err = e.target(sum, o); err != nil {
		return err
	}
	if d.Cached = e.open(d.Path, sum.text) == nil; d.Cached {
		e.account(d)
	}
	return nil
}

// target is where the index belongs.
func (e *Evidence) target(sum *digesting, o DissectOptions) (string, error) {
	if err := sum.wait(); err != nil {
		return "", err
	}
	if o.Output != "" {
		return o.Output, nil
	}
	return e.w.cachePath(sum.text)
}

// folder is where the index is made.
func (e *Evidence) folder(o DissectOptions) (string, error) {
	if o.Output != "" {
		return filepath.Dir(o.Output), nil
	}
	path, err := e.w.cachePath("")
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder of the index: %w", err)
	}
	return dir, nil
}

// index opens the index, dissecting first if need be.
func (e *Evidence) index(ctx context.Context) (*opened, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.indexLocked(ctx)
}

// indexLocked is index with the lock held.
func (e *Evidence) indexLocked(ctx context.Context) (*opened, error) {
	if e.opened != nil {
		return e.opened, nil
	}
	if e.given == "" {
		d, err := e.dissected(ctx, DissectOptions{})
		if err == nil && !d.Cached && !d.Fetched {
			e.early.has(e.opened)
		}
		return e.opened, err
	}
	err := e.open(e.given, "")
	if errors.Is(err, index.ErrStale) {
		err = fmt.Errorf("%w: dissect its packets anew with this version of shark", err)
	}
	return e.opened, err
}

// ready returns the index if it is open.
func (e *Evidence) ready() *opened {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opened
}

// open opens an index database and its account. It must be of the input source
// and made as this Workbench would, unless source is empty.
func (e *Evidence) open(path, source string) error {
	x, err := e.load(path, source)
	if err == nil {
		e.opened = x
	}
	return err
}

// load is open without making it the index of all.
func (e *Evidence) load(path, source string) (*opened, error) {
	open := index.Open
	if source != "" {
		open = index.OpenOwn
	}
	db, err := open(path, e.w.schema)
	if err != nil {
		return nil, err
	}
	if source != "" {
		e.w.cache.Used(path)
	}
	return e.use(db, path, source, "")
}

// use makes an index of a database that was opened, if it is the right one.
func (e *Evidence) use(db *index.DB, path, source, note string) (*opened, error) {
	m := db.Meta()
	if source != "" && (m.Source != source || m.Version != e.w.build() || m.Options != e.w.optionsText()) {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, index.ErrStale), db.Close())
	}
	x := &opened{db: db, note: note, choice: chosenFor(m.Options)}
	if err := json.Unmarshal(m.Coverage, &x.account); err != nil {
		return nil, errors.Join(fmt.Errorf("index %s: %w: coverage: %w", path, index.ErrNotIndex, err), db.Close())
	}
	if source != "" && e.w.cfg.NoFetch && x.account.Shared != "" {
		return nil, errors.Join(fmt.Errorf("%s: %w: some of it was dissected elsewhere", path, index.ErrStale), db.Close())
	}
	x.points = sync.OnceValue(x.readPoints)
	e.dbs = append(e.dbs, db) // those before may still be read from
	return x, nil
}

// errDissected ends a dissection of what turns out to have been dissected before.
var errDissected = errors.New("it was dissected before")

// dissectWith is dissect with a table of secrets, to which those of the input are added. With
// secrets that came too late it ends with errLateKeys, unless it was told of them before.
func (e *Evidence) dissectWith(ctx context.Context, o DissectOptions, sum *digesting, known bool, keys *keylog.Table, see func(int) func([]byte)) (err error) {
	if err := e.know(ctx); err != nil {
		return err
	}
	before := e.states()
	src, err := e.watchedPackets(ctx, beside, see)
	if err != nil {
		return err
	}
	defer src.Close()
	dir, err := e.folder(o)
	if err != nil {
		return err
	}
	out, err := e.begin(dir, 0)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Abort())
		}
	}()
	progress := Progress{Task: "dissecting", Total: e.size()}
	run, end := context.WithCancelCause(ctx)
	defer end(nil)
	if !known {
		sum.then(func() {
			if path, err := e.target(sum, o); err != nil {
				end(err)
			} else if index.Is(path) {
				end(errDissected)
			}
		})
	}
	shared, err := e.take(ctx, o, sum, out)
	if err != nil {
		return err
	}
	kept, err := e.parts(ctx, o, out, shared.parts)
	if err != nil {
		return err
	}
	todo := work{parts: ^shared.parts, sink: func(int) dissector.Sink { return e.tee(src, out.Shard()) }, options: e.telling(keys, &progress)}
	if kept != nil {
		progress.Total -= kept.bytes
		kept.into(run, &todo, o.KeepParts)
	}
	found, err := e.run(run, src, todo)
	if err != nil {
		return errors.Join(err, kept.abort())
	}
	shared.addTo(found, keys)
	kept.addTo(found, keys)
	found.shared = shared.note()
	progress = Progress{Task: "indexing", Packets: found.report.Packets, Bytes: found.report.Bytes, Total: progress.Total}
	e.w.cfg.Progress(progress)
	sum.finish(ctx, e)
	path, err := e.settle(o, sum, known, before, found)
	if err != nil {
		return err
	}
	meta := index.Meta{Source: sum.text}
	if err := e.describe(&meta, src, nil, found, keys); err != nil {
		return err
	}
	if err := out.Finish(ctx, path, meta); err != nil {
		return err
	}
	e.w.grown(o, path)
	progress.Done = true
	e.w.cfg.Progress(progress)
	return nil
}

// telling returns the options of a run that tells how far it is.
func (e *Evidence) telling(keys *keylog.Table, progress *Progress) dissector.Options {
	return dissector.Options{
		Protocols: e.w.choice.list, Workers: e.w.cfg.Workers, Memory: e.w.cfg.Memory, Secrets: keys,
		Progress: func(packets, bytes int64) {
			progress.Packets, progress.Bytes = packets, bytes
			e.early.progress(*progress)
			e.w.cfg.Progress(*progress)
		},
	}
}

// settle returns where the index belongs, once all is read. What was read may not be what the
// digest is of: then it is no index for others.
func (e *Evidence) settle(o DissectOptions, sum *digesting, known bool, before []string, found *findings) (string, error) {
	path, err := e.target(sum, o)
	if err != nil {
		return "", err
	}
	if !known && index.Is(path) {
		return "", errDissected
	}
	changed := !slices.Equal(before, e.states())
	if !changed && (e.snapshot == nil || len(found.damage) == 0 && e.unnamed == nil) { // a damaged copy is not what its manifest is of
		return path, nil
	}
	if changed {
		found.altered = e.changed(before)
	}
	sum.spoil(e.w.cfg.Now())
	if path, err = e.target(sum, o); err == nil && o.Output == "" {
		e.scratch = append(e.scratch, path)
	}
	return path, err
}

// begin begins an index in a folder: who had which address is looked up as it is written. Of
// memory 0 is what is usual.
func (e *Evidence) begin(dir string, memory int) (*index.Writer, error) {
	opts := index.Options{Schema: e.w.schema, Memory: memory}
	if e.identity != nil {
		opts.Resolver = e.identity
	}
	return index.Create(dir, opts)
}

// beside selects of a snapshot what it holds beside packets.
var beside = snapshot.Selection{Selection: block.Selection{Extras: true, Partition: func(int) bool { return false }}}

// build is what tells this program from others.
func (w *Workbench) build() string { return cmp.Or(w.cfg.Build, w.cfg.Version) }

// optionsText names what decides, besides the input and the version, what the
// entries are. A change of any makes another index.
func (w *Workbench) optionsText() string {
	text := fmt.Sprintf(protocolsOption+"%s memory=%d", w.choice.text, w.cfg.Memory)
	if sum := w.keyLogSum(); sum != "" {
		text += " keylog=" + sum
	}
	return text
}

// cachePath is where the index of an input, made by this version with these
// options, stands.
func (w *Workbench) cachePath(source string) (string, error) {
	if w.cfg.Cache == "" {
		return "", usage("there is no folder to keep the index in: name one with --cache or say with -o where to put it")
	}
	return filepath.Join(w.cfg.Cache, cache.Indexes, w.indexName(source)+".db"), nil
}

// indexName tells the index of an input, made by this version with these options, from
// others.
func (w *Workbench) indexName(source string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", source, w.build(), w.catalogue.Hash(), w.optionsText()))
	return hex.EncodeToString(sum[:16])
}
