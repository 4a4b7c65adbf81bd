package workbench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
	"shark/packet/keylog"
	"shark/snapshot/cache"
	"shark/workbench/index"
)

// excerptFolder returns the digest of the evidence, and where its excerpts are kept.
func (e *Evidence) excerptFolder(ctx context.Context) (source, dir string, err error) {
	if source, err = e.digest(ctx, nil); err != nil {
		return "", "", err
	}
	path, err := e.w.cachePath(source)
	return source, excerptsBeside(path), err
}

// excerptsBeside is where the excerpts are kept of what has its index at a path.
func excerptsBeside(path string) string {
	return strings.TrimSuffix(path, ".db") + cache.ExcerptsSuffix
}

func excerptPath(dir string, number int64) string {
	return filepath.Join(dir, strconv.FormatInt(number, 10)+".db")
}

// kept opens the excerpts that are in the cache, those that were used last first, until one
// is all that is looked for.
func (e *Evidence) kept(dir, source string, enough func(*opened) bool) (found *opened, all []*opened) {
	type file struct {
		name string
		used int64
	}
	var files []file
	list, _ := os.ReadDir(dir) // there may be none
	for _, f := range list {
		if info, err := f.Info(); err == nil && filepath.Ext(f.Name()) == ".db" {
			files = append(files, file{f.Name(), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return int(max(min(b.used-a.used, 1), -1)) })
	for i, f := range files {
		path := filepath.Join(dir, f.name)
		if i >= maxExcerpts {
			_ = os.Remove(path) // if somebody has it open, another time
			continue
		}
		if found != nil {
			continue
		}
		x := e.excerpts[path]
		if x == nil {
			var err error
			if x, err = e.load(path, source); err != nil || x.account.Excerpt == nil {
				continue
			}
			e.excerpts[path] = x
		}
		all = append(all, x)
		if enough(x) {
			found = x
			now := e.w.cfg.Now()
			_ = os.Chtimes(path, now, now) // only for who is forgotten first
		}
	}
	return found, all
}

// provide returns the excerpt that is wanted in parts that follow each other in time, those
// that are kept, and for what is new in it new ones.
func (e *Evidence) provide(ctx context.Context, want *excerpt) ([]askedPart, error) {
	source, dir, err := e.excerptFolder(ctx)
	if err != nil {
		return nil, err
	}
	found, all := e.kept(dir, source, func(x *opened) bool {
		have := x.account.Excerpt
		return have.has(want) && (!have.timed() || want.timed() && have.From <= want.From && have.To >= want.To)
	})
	if found != nil {
		return []askedPart{{x: found, from: want.From, to: want.To}}, nil
	}
	if !want.timed() {
		x, err := e.makeExcerpt(ctx, dir, source, want)
		return []askedPart{{x: x}}, err
	}
	var parts []askedPart
	for at := want.From; at < want.To; {
		next := askedPart{from: at, to: want.To}
		for _, x := range all { // the one that reaches farthest from here, else what is new up to the next
			switch have := x.account.Excerpt; {
			case !have.timed() || !have.has(want) || have.To <= at:
			case have.From <= at && (next.x == nil || have.To > next.x.account.Excerpt.To):
				next.x, next.to = x, min(have.To, want.To)
			case have.From > at && next.x == nil:
				next.to = min(next.to, have.From)
			}
		}
		parts = append(parts, next)
		at = next.to
	}
	missing, err := e.missing(ctx, want, parts)
	if err != nil {
		return nil, err
	}
	if missing == nil {
		x, err := e.makeExcerpt(ctx, dir, source, want)
		return []askedPart{{x: x, from: want.From, to: want.To}}, err
	}
	for i, x := range missing {
		if x == nil {
			continue
		}
		if parts[i].x, err = e.makeExcerpt(ctx, dir, source, x); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// missing returns what of the parts has to be made; nil if that reads no less than all that is
// wanted, since each part has packets around it.
func (e *Evidence) missing(ctx context.Context, want *excerpt, parts []askedPart) ([]*excerpt, error) {
	blocks, err := e.snapshot.Blocks(ctx, (&excerpt{sets: want.sets}).selection())
	if err != nil {
		return nil, err
	}
	list, sum := make([]*excerpt, len(parts)), int64(0)
	for i := range parts {
		if parts[i].x == nil {
			list[i] = &excerpt{Addrs: want.Addrs, sets: want.sets, From: parts[i].from, To: parts[i].to}
			e.around(list[i], blocks)
			sum += list[i].Bytes
		}
	}
	if len(parts) > 1 && sum >= want.Bytes {
		return nil, nil
	}
	return list, nil
}

// makeExcerpt dissects an excerpt into the cache.
func (e *Evidence) makeExcerpt(ctx context.Context, dir, source string, x *excerpt) (*opened, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of excerpts: %w", err)
	}
	first, last, _ := e.stated()
	var sinks []*excerptSink
	m := &making{dir: dir, excerpt: x, total: x.Bytes, sink: func(next dissector.Sink) dissector.Sink {
		s := &excerptSink{next: next, x: x, early: x.ReadFrom > nanos(first), ends: x.ReadTo < nanos(last)}
		sinks = append(sinks, s)
		return s
	}}
	path := ""
	m.name = func(damaged bool, meta *index.Meta) string {
		for _, s := range sinks {
			x.Begun, x.Unfinished = x.Begun+s.begun, x.Unfinished+s.unfinished
		}
		var number int64
		number, path = e.freeNumber(dir, source, x)
		meta.Source, meta.Before = source, number*idsPerExcerpt
		if damaged { // a damaged copy is not what its manifest is of: nobody else is to find it
			path = filepath.Join(dir, fmt.Sprintf("damaged-%d.db", e.w.cfg.Now().UnixNano()))
			e.scratch = append(e.scratch, path)
		}
		return path
	}
	if err := e.make(ctx, m); err != nil {
		return nil, err
	}
	made, err := e.load(path, source)
	if err == nil {
		e.excerpts[path] = made
		e.early.has(made)
	}
	return made, err
}

// making is how an index of part of the packets is made.
type making struct {
	dir     string   // where it is made
	excerpt *excerpt // of a snapshot; nil: not one
	chosen  *chosen  // packets; nil: all
	total   int64    // bytes that are read
	sink    func(dissector.Sink) dissector.Sink
	// name returns, once all is dissected, where the index belongs, and completes what it says
	// of itself.
	name func(damaged bool, m *index.Meta) (path string)
}

// make dissects part of the packets into an index.
func (e *Evidence) make(ctx context.Context, m *making) error {
	keys := e.w.keys()
	err := e.makeWith(ctx, m, keys)
	if errors.Is(err, errLateKeys) {
		keys.Again()
		err = e.makeWith(ctx, m, keys)
	}
	return err
}

// makeWith is make with a table of secrets, as dissectWith has one.
func (e *Evidence) makeWith(ctx context.Context, m *making, keys *keylog.Table) (err error) {
	if err := e.know(ctx); err != nil {
		return err
	}
	src, err := e.packets(ctx, beside)
	if err != nil {
		return err
	}
	defer src.Close()
	out, err := e.begin(m.dir, 0)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Abort())
		}
	}()
	progress := Progress{Task: "dissecting", Total: m.total}
	sink := func(int) dissector.Sink { return m.sink(e.tee(src, out.Shard())) }
	found, err := e.run(ctx, src, work{making: m, parts: math.MaxUint64, sink: sink, options: e.telling(keys, &progress)})
	if err != nil {
		return err
	}
	var meta index.Meta
	path := m.name(len(found.damage) > 0 || e.unnamed != nil, &meta)
	if err := e.describe(&meta, src, m, found, keys); err != nil {
		return err
	}
	if err := out.Finish(ctx, path, meta); err != nil {
		return err
	}
	if m.excerpt != nil {
		e.w.grown(DissectOptions{}, path)
	}
	progress.Task, progress.Done = "indexing", true
	e.w.cfg.Progress(progress)
	return nil
}

// freeNumber returns the number of an excerpt: its own, or the next that no other has.
func (e *Evidence) freeNumber(dir, source string, x *excerpt) (number int64, path string) {
	for number = x.number(); ; number = number%excerptNumbers + 1 {
		path = excerptPath(dir, number)
		other := e.excerpts[path]
		if other == nil {
			if !index.Is(path) {
				return number, path
			}
			var err error
			if other, err = e.load(path, source); err != nil {
				return number, path
			}
			e.excerpts[path] = other
		}
		if have := other.account.Excerpt; have == nil || have.text() == x.text() {
			return number, path
		}
	}
}

// excerptSink takes the entries of an excerpt.
type excerptSink struct {
	next  dissector.Sink
	x     *excerpt
	early bool // packets before those that are read were recorded
	ends  bool // packets after them were

	begun, unfinished int64
}

// Entry implements dissector.Sink.
func (s *excerptSink) Entry(e *dissector.Entry) error {
	if !s.x.timed() {
		return s.next.Entry(e)
	}
	switch {
	case e.Protocol == dissector.FlowProtocol:
		return nil
	case e.Protocol == dissector.ConnProtocol:
		handshake := field.ConnCompleteness.Get(&e.Request.Values) & 3 // SYN and SYN-ACK
		if s.early && e.Flow.Proto == packet.TCP && handshake == 0 && e.Time < s.x.To && e.End >= s.x.From {
			s.begun++
		}
		return nil
	case e.Time < s.x.From || e.Time >= s.x.To:
		return nil
	}
	if s.early && e.Request == nil && e.Flow.Proto != packet.TCP {
		s.begun++
	}
	if s.ends && (e.Response == nil && !e.OneWay || e.Marks&dissector.MarkTruncated != 0) {
		s.unfinished++
	}
	return s.next.Entry(e)
}
