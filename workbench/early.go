package workbench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"shark/dissector"
	"shark/dissector/field"
	"shark/kfl"
	"shark/packet"
	"shark/workbench/index"
)

// While a snapshot is dissected, what a question may select goes a second way, besides that to
// the index: into small ones, each of what was found since the one before. They are asked just
// as the whole is, and removed. So an early answer has each entry once, in the order in which
// they are found, with nothing that is known only when all is dissected.

const (
	// earlyMemory bounds what waits for the next of the small indexes, in bytes; what is more
	// lies on disk.
	earlyMemory = 8 << 20
	// earlyPause is how long entries wait at least until they are asked, and earlyShare how
	// many times as long as asking those before took: a tenth of the time, at most, goes there.
	earlyPause = 200 * time.Millisecond
	earlyShare = 10
)

// Early answers a query while the snapshot is being dissected, each entry as soon as it is
// found. Of the entries only those fields hold that EarlyFields has, unless all was dissected
// before. A caller who stops reading ends the dissection. While rows are read, Coverage says how
// far the dissection was when they were found; it and Hints are whole when all have been read.
//
// A question about fields that are known in the end only, and one on anything but a snapshot,
// is answered then.
func (e *Evidence) Early(ctx context.Context, q Query) (*Answer, error) {
	if q.Newest || q.After != 0 {
		return nil, usage("an early answer has the order in which entries are found: neither newest first nor after one of them")
	}
	plan, err := e.compile(ctx, q.KFL)
	if err != nil {
		return nil, err
	}
	first, last, ok := e.stated()
	if !ok || plan.Needs(late) {
		return e.Query(ctx, q)
	}
	opts, err := e.optionsIn(q, first, last)
	if err != nil {
		return nil, err
	}
	a := new(Answer)
	a.Rows = func(yield func(*index.Row, error) bool) {
		t := newEarly(e, a, plan, q, opts)
		reading := true
		err := t.answer(ctx, func(r *index.Row, err error) bool {
			reading = yield(r, err)
			return reading
		})
		a.Hints = slices.Concat(plan.Hints, t.undecided.hints())
		if err != nil && reading {
			yield(nil, err)
		}
	}
	newEarly(e, a, plan, q, opts).soFar()
	return a, nil
}

// EarlyFields are those that an early answer tells as the whole does.
func (w *Workbench) EarlyFields() []*field.Field {
	return slices.DeleteFunc(slices.Clone(w.catalogue.Fields()), late)
}

// late tells whether a field is known only when all is dissected.
func late(f *field.Field) bool { return elsewhere(f) || counted(f) }

// early is a question that is answered while its snapshot is dissected.
type early struct {
	e     *Evidence
	to    *Answer
	plan  *kfl.Plan
	q     Query
	opts  index.QueryOptions
	calls bool // neither connections nor flows are asked for
	flags []map[*dissector.Protocol]bool

	mu         sync.Mutex
	dir        string // where the small indexes are made
	interfaces []packet.Interface
	writer     *index.Writer // nil: nothing was found since the last one
	shard      *index.Shard

	made      map[*opened]bool // what is known by way of the small ones
	done      Progress
	undecided undecided
}

func newEarly(e *Evidence, to *Answer, plan *kfl.Plan, q Query, opts index.QueryOptions) *early {
	proof := plan.Prove(sideOf)
	t := &early{e: e, to: to, plan: plan, q: q, opts: opts, calls: ofCalls(&proof), made: make(map[*opened]bool)}
	t.opts.Undecided = t.undecided.add
	for _, list := range proof.Flags {
		able := make(map[*dissector.Protocol]bool)
		for _, p := range e.w.protocols {
			able[p] = slices.ContainsFunc(e.w.impliedBy(p), func(name string) bool { return slices.Contains(list, name) })
		}
		t.flags = append(t.flags, able)
	}
	return t
}

// impliedBy returns the flags that entries of a protocol have.
func (w *Workbench) impliedBy(p *dissector.Protocol) []string {
	names := []string{p.Name}
	for i := 0; i < len(names); i++ {
		for _, other := range w.protocols {
			if other.Name != names[i] {
				continue
			}
			for _, name := range other.Implies {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// may tells whether an entry may be asked for: cheaply, and too often rather than too seldom.
func (t *early) may(x *dissector.Entry) bool {
	if t.calls && (x.Protocol == dissector.ConnProtocol || x.Protocol == dissector.FlowProtocol) ||
		t.opts.From != 0 && x.Time < t.opts.From || t.opts.To != 0 && x.Time >= t.opts.To {
		return false
	}
	for _, able := range t.flags {
		if !able[x.Protocol] && !slices.ContainsFunc(x.Carriers, func(p *dissector.Protocol) bool { return able[p] }) {
			return false
		}
	}
	return true
}

// earlySink gives entries to an index, and those that are asked for to the early answer, too.
type earlySink struct {
	next  dissector.Sink
	early *early
}

// Entry implements dissector.Sink.
func (s *earlySink) Entry(x *dissector.Entry) error {
	if s.early.may(x) {
		if err := s.early.add(x); err != nil {
			return fmt.Errorf("early answer: %w", err)
		}
	}
	return s.next.Entry(x)
}

// tee returns the sink of an index that is made of src; with e.mu held.
func (e *Evidence) tee(src source, next dissector.Sink) dissector.Sink {
	if e.early == nil {
		return next
	}
	first, _, _ := e.stated()
	e.early.mu.Lock()
	e.early.interfaces = e.interfaces(src, nanos(first))
	e.early.mu.Unlock()
	return &earlySink{next, e.early}
}

// add keeps an entry until the next small index.
func (t *early) add(x *dissector.Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writer == nil {
		path, err := t.e.w.cachePath("")
		if err != nil {
			return err
		}
		t.dir = filepath.Dir(path)
		if t.writer, err = t.e.begin(t.dir, earlyMemory); err != nil {
			return err
		}
		t.shard = t.writer.Shard()
	}
	return t.shard.Entry(x)
}

// take takes what was found since the last time; nil if there is nothing.
func (t *early) take() (w *index.Writer, dir string, interfaces []packet.Interface) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w = t.writer
	t.writer, t.shard = nil, nil
	return w, t.dir, t.interfaces
}

// answered is a question of which all entries are found.
type answered struct {
	parts asked
	err   error
}

// errEnough ends a dissection whose reader has seen enough.
var errEnough = errors.New("enough was found")

// answer dissects what the question needs, and asks it of what is found meanwhile.
func (t *early) answer(ctx context.Context, yield func(*index.Row, error) bool) error {
	run, stop := context.WithCancelCause(ctx)
	ended := make(chan answered, 1)
	go func() {
		parts, err := t.e.askEarly(run, t)
		ended <- answered{parts, err}
	}()
	more := true // rows are wanted
	var failed error
	var all answered
	for pause, going := earlyPause, true; going; {
		select {
		case all = <-ended:
			going = false
		case <-time.After(pause):
		}
		if !more || failed != nil || all.err != nil {
			continue
		}
		began := time.Now()
		if more, failed = t.glimpse(ctx, yield); !more || failed != nil {
			stop(errEnough)
		}
		pause = max(earlyPause, earlyShare*time.Since(began))
	}
	stop(nil)
	if w, _, _ := t.take(); w != nil { // nobody asks it any more
		failed = errors.Join(failed, w.Abort())
	}
	switch {
	case failed != nil:
		return failed
	case all.err != nil && !more && ctx.Err() == nil:
		c := &t.to.Coverage
		c.note("the dissection ended there, with as many entries as were asked for: what it had not reached was not looked at")
		c.Partial = false // that is what was wanted
		return nil
	case all.err != nil:
		return all.err
	}
	t.to.Coverage = t.e.asked(all.parts, t.opts)
	if !more {
		return nil
	}
	return t.rest(ctx, all.parts, yield)
}

// glimpse asks what was found since the last time. It tells whether more is wanted.
func (t *early) glimpse(ctx context.Context, yield func(*index.Row, error) bool) (more bool, err error) {
	w, folder, interfaces := t.take()
	if w == nil {
		return true, nil
	}
	dir, err := os.MkdirTemp(folder, index.Draft)
	if err != nil {
		return false, errors.Join(fmt.Errorf("early answer: %w", err), w.Abort())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "early.db")
	if err := w.Finish(ctx, path, index.Meta{Version: t.e.w.build(), Interfaces: interfaces}); err != nil {
		return false, err
	}
	db, err := index.OpenOwn(path, t.e.w.schema)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t.soFar()
	more, err = t.give(db.Query(ctx, t.plan, t.opts), yield)
	if more && t.to.Pause != nil {
		t.to.Pause()
	}
	return more, err
}

// rest gives what was known before the question was asked.
func (t *early) rest(ctx context.Context, parts asked, yield func(*index.Row, error) bool) error {
	for _, p := range parts {
		if t.made[p.x] {
			continue
		}
		if more, err := t.give(asked{p}.query(ctx, t.plan, t.opts), yield); !more || err != nil {
			return err
		}
	}
	return nil
}

// give yields rows up to the limit. It tells whether more are wanted.
func (t *early) give(rows iter.Seq2[*index.Row, error], yield func(*index.Row, error) bool) (more bool, err error) {
	for row, err := range rows {
		if err != nil {
			return false, err
		}
		if !yield(row, nil) || t.opts.Limit == 1 {
			return false, nil
		}
		t.opts.Limit = max(t.opts.Limit-1, 0)
	}
	return true, nil
}

// has notes that an index has what went through the small ones. A nil early notes nothing.
func (t *early) has(x *opened) {
	if t != nil {
		t.made[x] = true
	}
}

// progress notes how far the dissection is. A nil early notes nothing.
func (t *early) progress(p Progress) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = p
}

// soFar is the coverage of what was found until now.
func (t *early) soFar() {
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	first, last, _ := t.e.stated()
	c := Coverage{From: first, To: last, Packets: done.Packets, Bytes: done.Bytes}
	c.recorded(t.e.manifestNotes())
	c.recorded([]string{fmt.Sprintf("found while the snapshot was dissected, after %s", Count(done.Packets, "packets"))}, true)
	t.to.Coverage = c.about(t.opts)
}
