package workbench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shark/dissector"
	"shark/packet/keylog"
	"shark/snapshot"
	"shark/snapshot/block"
	"shark/workbench/index"
)

// Several machines dissect a snapshot, each its share of the parts, and publish what they found
// beside it. Whoever dissects it then takes these and dissects what is missing: the index
// is the same, but that it says how much of it was found elsewhere.

// shareHead is what a share says of itself.
type shareHead struct {
	Of      string           `json:"of"`      // name of the index that it is for
	Parts   uint64           `json:"parts"`   // a bit for each
	Creator string           `json:"creator"` // who dissected it, and when
	Created time.Time        `json:"created"`
	Report  dissector.Report `json:"report"`
	Twice   *seenTwice       `json:"sightings"`
	Used    [][]byte         `json:"used,omitempty"` // randoms of the TLS sessions that were decrypted
}

// Shared is what DissectShare did.
type Shared struct {
	Path    string // of the share; empty: there is none
	Whole   bool   // the whole was published before: nothing was dissected
	Before  bool   // the share was published before: nothing was dissected
	Parts   int    // of the snapshot that are in it
	Entries int64
}

// DissectShare dissects a share of a snapshot, the one of a number from 1 on among so many as
// there are, about as large as the others, and publishes it beside the snapshot. Which parts that are is the same
// whoever asks.
func (e *Evidence) DissectShare(ctx context.Context, number, among int) (*Shared, error) {
	switch {
	case e.snapshot == nil:
		return nil, usage("%s is no snapshot: shares are dissected of snapshots", e.Name)
	case among < 1 || among > block.Partitions || number < 1 || number > among:
		return nil, usage("share %d of %d cannot be: there are shares 1 of 1 to %d of %d", number, among, block.Partitions, block.Partitions)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	source, err := e.digest(ctx, nil)
	if err != nil {
		return nil, err
	}
	name := e.w.indexName(source)
	if there, err := e.snapshot.Published(ctx, name); there || err != nil {
		return &Shared{Whole: true}, err
	}
	parts, err := e.deal(ctx, number, among)
	if err != nil {
		return nil, err
	}
	done := &Shared{Parts: bits.OnesCount64(parts), Before: parts == 0}
	there, err := e.snapshot.Shares(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, x := range there {
		if x.Parts == parts {
			done.Path, done.Before = e.snapshot.Where(x), true
		}
	}
	if done.Before {
		return done, nil
	}
	return done, e.dissectShare(ctx, name, parts, done)
}

// deal returns the parts of a share: the largest first, each goes to whom has the least.
func (e *Evidence) deal(ctx context.Context, number, among int) (parts uint64, err error) {
	blocks, err := e.snapshot.Blocks(ctx, snapshot.Selection{})
	if err != nil {
		return 0, err
	}
	place, _, err := e.snapshot.Parts(ctx)
	if err != nil {
		return 0, err
	}
	var sizes [block.Partitions]int64
	var order []int
	for i := range blocks {
		p := place(blocks[i].Partition)
		if sizes[p] == 0 {
			order = append(order, p)
		}
		sizes[p] += int64(blocks[i].Packed)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b)) })
	held := make([]int64, among)
	for _, p := range order {
		to := slices.Index(held, slices.Min(held))
		held[to] += sizes[p]
		if to == number-1 {
			parts |= 1 << p
		}
	}
	return parts, nil
}

// dissectShare dissects parts and publishes them.
func (e *Evidence) dissectShare(ctx context.Context, name string, parts uint64, done *Shared) (err error) {
	if err := e.know(ctx); err != nil {
		return err
	}
	src, err := e.packets(ctx, beside)
	if err != nil {
		return err
	}
	defer src.Close()
	dir, err := e.folder(DissectOptions{})
	if err != nil {
		return err
	}
	out, err := e.begin(dir, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	keys := e.w.keys()
	progress := Progress{Task: "dissecting", Total: e.size()}
	found, err := e.run(ctx, src, work{parts: parts, sink: func(int) dissector.Sink { return out.Shard() }, options: e.telling(keys, &progress)})
	if err != nil {
		return err
	}
	if len(found.damage) > 0 {
		return fmt.Errorf("%s: some of its packets could not be read: the share is not published", e.Name)
	}
	head := shareHead{
		Of: name, Parts: parts, Creator: "shark " + e.w.cfg.Version, Created: e.w.cfg.Now().UTC().Truncate(time.Second),
		Report: *found.report, Twice: found.twice, Used: used(keys),
	}
	return e.publishShare(ctx, out, &head, dir, done)
}

// publishShare packs what was found into a file and puts that beside the snapshot.
func (e *Evidence) publishShare(ctx context.Context, out *index.Writer, head *shareHead, dir string, done *Shared) (err error) {
	draft, err := os.MkdirTemp(dir, index.Draft)
	if err != nil {
		return fmt.Errorf("share of a dissection: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()
	path := filepath.Join(draft, "share")
	if done.Entries, err = packRows(ctx, out, path, head); err != nil {
		return err
	}
	x, _, err := e.snapshot.PublishShare(ctx, head.Of, head.Parts, path, func(now, total int64) {
		e.w.cfg.Progress(Progress{Task: "publishing", Bytes: now, Total: total, Done: now == total})
	})
	if err != nil {
		return err
	}
	done.Path = e.snapshot.Where(x)
	return nil
}

// taken is what was taken of published shares.
type taken struct {
	parts uint64
	heads []*shareHead
}

// take gives a writer the entries of the shares that are published of an index, if it is to be
// made of these. Of a share that cannot be used the parts are dissected.
func (e *Evidence) take(ctx context.Context, o DissectOptions, sum *digesting, out *index.Writer) (t taken, err error) {
	if e.snapshot == nil || e.w.cfg.NoFetch || o.Force || e.early != nil { // an early answer has each entry as it is found
		return t, nil
	}
	if err := sum.wait(); err != nil {
		return t, err
	}
	name := e.w.indexName(sum.text)
	if !e.snapshot.MayHaveShares(name) {
		return t, nil
	}
	list, err := e.snapshot.Shares(ctx, name)
	if err != nil {
		e.unusable = fmt.Sprintf("what was dissected of it elsewhere was not used: %v", err)
		return t, ctx.Err()
	}
	for _, x := range list {
		head, err := e.unpack(ctx, name, x, out)
		switch {
		case ctx.Err() != nil:
			return t, ctx.Err()
		case err != nil:
			e.unusable = fmt.Sprintf("some of what was dissected of it elsewhere was not used: %v", err)
		default:
			t.parts |= x.Parts
			t.heads = append(t.heads, head)
		}
	}
	return t, nil
}

// unpack takes one share.
func (e *Evidence) unpack(ctx context.Context, name string, x snapshot.Share, out *index.Writer) (*shareHead, error) {
	in, err := e.snapshot.OpenShare(ctx, x)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	head := new(shareHead)
	err = out.Unpack(ctx, in, x.Size, func(text []byte) error {
		if err := json.Unmarshal(text, head); err != nil {
			return fmt.Errorf("%w: %w", index.ErrShare, err)
		}
		if head.Of != name || head.Parts != x.Parts {
			return fmt.Errorf("%w: it is another than its name says", index.ErrShare)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.snapshot.Where(x), err)
	}
	return head, nil
}

// addTo adds what the shares found to what was found of the other parts.
func (t *taken) addTo(f *findings, keys *keylog.Table) {
	for _, head := range t.heads {
		f.report.Add(&head.Report)
		if head.Twice != nil {
			f.twice.join(head.Twice)
		}
		for _, random := range head.Used {
			if len(random) == keylog.RandomSize {
				keys.Find([keylog.RandomSize]byte(random))
			}
		}
	}
}

// note says how much was found elsewhere; empty: nothing.
func (t *taken) note() string {
	if len(t.heads) == 0 {
		return ""
	}
	last := t.heads[0]
	for _, head := range t.heads {
		if head.Created.After(last.Created) {
			last = head
		}
	}
	return fmt.Sprintf("made of %s dissected elsewhere, the last by %s on %s, which no signature covers; --no-fetch dissects the packets",
		Count(int64(len(t.heads)), "shares"), last.Creator, last.Created.UTC().Format(time.DateOnly))
}
