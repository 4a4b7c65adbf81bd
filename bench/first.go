package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// early notes when something was written first.
type early struct {
	text  bytes.Buffer // not embedded: it could read by itself, past Write
	began time.Time
	first time.Duration
}

// Write implements io.Writer.
func (e *early) Write(b []byte) (int, error) {
	if e.text.Len() == 0 {
		e.first = time.Since(e.began)
	}
	return e.text.Write(b)
}

// firstAnswers measures a question about a pod's minute put to a snapshot that was not
// dissected: when its first entry comes, and what all of them take beside dissecting
// everything, which has to give the same ones.
func (b *bench) firstAnswers(ctx context.Context, captures []*capture, rounds int) (err error) {
	f := &far{bench: b, name: "first", capture: captures[0], store: filepath.Join(b.tmp, "first")}
	if err := f.choose(); err != nil {
		return err
	}
	if err := f.keep(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(f.store)) }()
	question := []string{"query", f.id, fmt.Sprintf("http && dst.pod.name == %q", podOf(f.addr)), "--from", clock(f.from), "--to", clock(f.to), "-o", "jsonl"}
	var narrow, whole, all series
	var first, firstWhole []float64
	same, entries := true, 0
	for range rounds {
		asked := early{began: time.Now()}
		u, err := f.fresh(ctx, &asked, "asked", append(question, "--early")...)
		if err != nil {
			return err
		}
		narrow, first = append(narrow, u), append(first, asked.first.Seconds())
		waited := early{began: time.Now()}
		if u, err = f.fresh(ctx, &waited, "waited", question...); err != nil {
			return err
		}
		whole, firstWhole = append(whole, u), append(firstWhole, waited.first.Seconds())
		if u, err = f.fresh(ctx, &early{}, "all", "dissect", f.id); err != nil {
			return err
		}
		all = append(all, u)
		for _, x := range []struct {
			got      *early
			question []string
		}{{&asked, append(question, "--early")}, {&waited, question}} {
			want := early{began: time.Now()}
			if _, err := f.run(ctx, &want, "all", x.question...); err != nil {
				return err
			}
			lines := withoutIDs(want.text.Bytes())
			same, entries = same && slices.Equal(withoutIDs(x.got.text.Bytes()), lines), len(lines)
		}
	}
	slices.Sort(first)
	slices.Sort(firstWhole)
	t := newTable(b.w, fmt.Sprintf("of pod-%s, %s, %d entries", f.addr, time.Duration(f.to-f.from).Round(time.Second), entries), "first entry s", "wall s", "CPU s", "peak MiB")
	t.row("the question, nothing dissected, --early", seconds(first[len(first)/2]), seconds(narrow.wall()), seconds(narrow.cpu()), mebibytes(narrow.peak()))
	t.row("the question, nothing dissected", seconds(firstWhole[len(firstWhole)/2]), seconds(whole.wall()), seconds(whole.cpu()), mebibytes(whole.peak()))
	t.row("dissecting all", "-", seconds(all.wall()), seconds(all.cpu()), mebibytes(all.peak()))
	t.print()
	b.report.say(same && entries > 0, fmt.Sprintf("first: the question has the %d entries that it has when all is dissected", entries))
	f.limit(firstRow, first[len(first)/2])
	f.limit(firstRow, firstWhole[len(firstWhole)/2])
	f.limit(firstShare, paired(narrow, all, cpuSeconds))
	f.limit(firstShare, paired(whole, all, cpuSeconds))
	return nil
}

// fresh runs shark on the store with a cache that is empty.
func (f *far) fresh(ctx context.Context, out *early, cache string, args ...string) (usage, error) {
	if err := os.RemoveAll(filepath.Join(f.tmp, cache)); err != nil {
		return usage{}, err
	}
	out.began = time.Now()
	return f.run(ctx, out, cache, args...)
}

// run runs shark on the store with a cache.
func (f *far) run(ctx context.Context, out *early, cache string, args ...string) (usage, error) {
	u, err := measure(ctx, out, f.bench.shark, append([]string{"--store", f.store, "--cache", filepath.Join(f.tmp, cache), "-q"}, args...)...)
	if partial(err) {
		err = nil
	}
	return u, err
}

// idOf is the id of an entry: that of one of a part of a snapshot says so, and is another.
var idOf = regexp.MustCompile(`^\{"id":"\d+",`)

// withoutIDs parts a text of entries into its lines, in an order of their own.
func withoutIDs(text []byte) []string {
	var list []string
	for line := range bytes.Lines(text) {
		list = append(list, string(idOf.ReplaceAll(line, []byte("{"))))
	}
	slices.Sort(list)
	return list
}
