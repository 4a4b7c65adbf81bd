package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			equal, n, err := alike(x.got.text.Bytes(), want.text.Bytes())
			if err != nil {
				return err
			}
			same, entries = same && equal, n
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

// comparable parts entries into lines in an order of their own, without what an answer from a
// part of a snapshot says is only of that part: ids, and DNS names, which other conversations tell.
func comparable(text []byte) ([]string, error) {
	var list []string
	for line := range bytes.Lines(text) {
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, fmt.Errorf("entry %.200q: %w", line, err)
		}
		delete(entry, "id")
		delete(entry, "dns_resolutions")
		for _, side := range []string{"src", "dst"} {
			if end, ok := entry[side].(map[string]any); ok {
				delete(end, "dns")
			}
		}
		plain, err := json.Marshal(entry) // sorts the names
		if err != nil {
			return nil, err
		}
		list = append(list, string(plain))
	}
	slices.Sort(list)
	return list, nil
}

// alike tells whether two texts have the same entries, and how many the second one has.
func alike(got, want []byte) (bool, int, error) {
	g, err := comparable(got)
	if err != nil {
		return false, 0, err
	}
	w, err := comparable(want)
	return slices.Equal(g, w), len(w), err
}
