package workbench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/workbench/index"
)

// linesOf reads an answer as lines that are the same for the same entries, in no order.
func linesOf(t *testing.T, e *Evidence, a *Answer, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	enc := e.w.JSON(e.w.EarlyFields()...)
	var out []string
	for r, err := range a.Rows {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(must(enc.Append(nil, r))(t)))
	}
	slices.Sort(out)
	return out
}

// asFound answers a query early, and afterwards as any.
func asFound(t *testing.T, e *Evidence, q Query) ([]string, *Answer) {
	t.Helper()
	a, err := e.Early(t.Context(), q)
	return linesOf(t, e, a, err), a
}

func afterwards(t *testing.T, e *Evidence, q Query) ([]string, *Answer) {
	t.Helper()
	a, err := e.Query(t.Context(), q)
	return linesOf(t, e, a, err), a
}

// TestEarlyIsTheWhole: what is found while a snapshot is dissected, all of it or what a
// question needs, is what is there afterwards, and each entry comes once.
func TestEarlyIsTheWhole(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	id := town(t, w)
	whole := open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialNever }), id)
	var addrs []string
	each(t, whole, "conn", func(r *index.Row) {
		addrs = append(addrs, r.Value(field.SrcIP.Field).(string), r.Value(field.DstIP.Field).(string))
	})
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	rng := rand.New(rand.NewPCG(3, 4))
	list := []string{"", "http", "!conn && !flow && !redis", "conn", "http && status_code >= 500", "grpc || dns"}
	for range 8 {
		list = append(list, questions(rng, addrs))
	}
	found := 0
	for i, text := range list {
		q := Query{KFL: text}
		partial := []string{PartialNever, PartialAlways}[i%2]
		e := open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, partial }), id)
		got, a := asFound(t, e, q)
		want, b := afterwards(t, e, q)
		if !slices.Equal(got, want) {
			t.Errorf("%q, %s: %d entries early, %d afterwards", text, partial, len(got), len(want))
		}
		if fmt.Sprint(a.Coverage) != fmt.Sprint(b.Coverage) {
			t.Errorf("%q, %s: coverage %+v, afterwards %+v", text, partial, a.Coverage, b.Coverage)
		}
		if all, _ := afterwards(t, whole, q); !slices.Equal(got, all) {
			t.Errorf("%q, %s: %d entries early, %d of the whole", text, partial, len(got), len(all))
		}
		again, _ := asFound(t, e, q) // of what is there
		if !slices.Equal(again, want) {
			t.Errorf("%q, %s: %d entries once more, %d before", text, partial, len(again), len(want))
		}
		found += len(got)
	}
	if found < 1000 {
		t.Errorf("only %d entries were found", found)
	}
}

// TestEarlyOfAWiderTime: what was made for an earlier question is told once, too.
func TestEarlyOfAWiderTime(t *testing.T) {
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	e := open(t, w, id)
	first, last, _ := e.stated()
	at := func(share int) When {
		return When{At: first.Add(last.Sub(first) * time.Duration(share) / 10)}
	}
	narrow, _ := asFound(t, e, Query{KFL: "http", From: at(4), To: at(6)})
	got, _ := asFound(t, e, Query{KFL: "http", From: at(2), To: at(8)})
	want, _ := afterwards(t, e, Query{KFL: "http", From: at(2), To: at(8)})
	if len(narrow) == 0 || !slices.Equal(got, want) {
		t.Errorf("%d entries early, %d afterwards, %d of the narrow time", len(got), len(want), len(narrow))
	}
}

// TestEarlyComesEarly: entries are read while there still are packets to dissect, each answer
// so far says that it is partial, and who stops reading ends the dissection.
func TestEarlyComesEarly(t *testing.T) {
	var e *Evidence
	var once sync.Once
	read := make(chan struct{})
	w := newBench(t, func(c *Config) {
		c.Partial, c.Workers = PartialNever, 1
		c.Progress = func(p Progress) { // nothing is dissected any more once there is something to read
			if e == nil || p.Task != "dissecting" {
				return
			}
			e.early.mu.Lock()
			found := e.early.writer != nil
			e.early.mu.Unlock()
			if found {
				<-read
			}
		}
	})
	e = open(t, w, town(t, w))
	a, err := e.Early(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range a.Rows {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if c := a.Coverage; !c.Partial || !strings.Contains(strings.Join(c.Notes, "\n"), "while the snapshot was dissected") {
				t.Errorf("coverage of the first: %+v", c)
			}
			if e.mu.TryLock() {
				e.mu.Unlock()
				t.Error("all was dissected before the first entry was read")
			}
			once.Do(func() { close(read) })
		}
	}
	once.Do(func() { close(read) })
	if a.Coverage.Partial || n < 1000 {
		t.Errorf("%d entries, in the end with coverage %+v", n, a.Coverage)
	}

	e = open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialNever }), e.snapshot.Manifest.ID)
	few, a := asFound(t, e, Query{KFL: "http", Limit: 5})
	if len(few) != 5 {
		t.Errorf("%d entries, asked for 5", len(few))
	}
	all, _ := asFound(t, e, Query{KFL: "http"})
	for _, x := range few {
		if !slices.Contains(all, x) {
			t.Errorf("%s is not in the whole", x)
		}
	}
	if a.Coverage.Partial {
		t.Errorf("as many as were asked for, and coverage %+v", a.Coverage)
	}
}

// TestEarlyRefuses: what an early answer cannot be is refused or answered in the end.
func TestEarlyRefuses(t *testing.T) {
	w := newBench(t)
	id := town(t, w)
	e := open(t, w, id)
	for _, q := range []Query{{Newest: true}, {After: 7}, {Limit: -1}, {KFL: "no such"}} {
		if _, err := e.Early(t.Context(), q); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := e.Early(t.Context(), Query{From: When{At: time.Now().Add(time.Hour)}}); !errors.Is(err, ErrOutside) {
		t.Errorf("a time that is to come: %v", err)
	}
	got, _ := asFound(t, e, Query{KFL: `http && dst.name != "" && id > 0`})
	want, _ := afterwards(t, e, Query{KFL: `http && dst.name != "" && id > 0`})
	if len(got) == 0 || !slices.Equal(got, want) {
		t.Errorf("a question about ids: %d entries, afterwards %d", len(got), len(want))
	}
}
