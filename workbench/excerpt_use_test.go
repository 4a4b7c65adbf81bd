package workbench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// partlyAndWhole opens generated traffic twice: where excerpts answer, and where all is
// dissected.
func partlyAndWhole(t *testing.T) (part, whole *Evidence) {
	t.Helper()
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	return open(t, w, id), open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialNever }), id)
}

// busiest returns the address that most calls went to, and the answer about it.
func busiest(t *testing.T, e *Evidence) string {
	t.Helper()
	groups, _, _, err := e.Stats(t.Context(), Stats{Query: Query{KFL: "http"}, By: []string{"dst.ip"}})
	if err != nil || len(groups) == 0 {
		t.Fatal(groups, err)
	}
	return groups[0].Key[0].(string)
}

// TestExcerptShows: an entry of an excerpt is shown, followed and exported by its id as that
// of the whole, also by who has not asked for it, and once all is dissected.
func TestExcerptShows(t *testing.T) {
	e, whole := partlyAndWhole(t)
	kfl := `http && dst.ip == "` + busiest(t, whole) + `"`
	got, want := ids(t, e, kfl), ids(t, whole, kfl)
	if len(got) != len(want) || len(got) < 20 || got[0] < idsPerExcerpt {
		t.Fatalf("%d entries from id %d on, and should be %d", len(got), got[0], len(want))
	}
	again := open(t, e.w, e.snapshot.Manifest.ID)
	if other := ids(t, again, kfl); !slices.Equal(got, other) {
		t.Error("asked again, the ids are others")
	}
	later := open(t, e.w, e.snapshot.Manifest.ID)
	for i := 0; i < len(got); i += len(got) / 10 {
		a, b := must(later.Show(t.Context(), got[i], 0))(t), must(whole.Show(t.Context(), want[i], 0))(t)
		if !reflect.DeepEqual(a.Request, b.Request) || !reflect.DeepEqual(a.Response, b.Response) || !slices.Equal(a.Packets, b.Packets) {
			t.Errorf("entry %d is not entry %d", got[i], want[i])
		}
		if a, b := followed(t, later, got[i]), followed(t, whole, want[i]); a != b {
			t.Errorf("entry %d: followed\n%.200s\nand should be\n%.200s", got[i], a, b)
		}
	}
	path, x := export(t, later, Export{KFL: kfl})
	ref, y := export(t, whole, Export{KFL: kfl})
	if d := differ(packetsOf(t, path), packetsOf(t, ref)); d != "" || x.Conns != y.Conns || x.Conns == 0 || later.ready() != nil {
		t.Errorf("export of %d connections, and should be %d: %s", x.Conns, y.Conns, d)
	}
	must(later.Dissect(t.Context(), DissectOptions{}))(t)
	if a := must(later.Show(t.Context(), got[0], 0))(t); !strings.Contains(string(a.Entry), `"id":"`) {
		t.Errorf("%s", a.Entry)
	}
	if list := ids(t, later, kfl); !slices.Equal(list, want) {
		t.Error("once all is dissected, the ids are not those of all")
	}
}

// followed is what both sides of an entry's connection sent.
func followed(t *testing.T, e *Evidence, id int64) string {
	t.Helper()
	var b bytes.Buffer
	_, err := e.Follow(t.Context(), id, func(f Followed) error { b.WriteString(f.Client + f.Server); return nil }, func(c Chunk) error {
		b.Write(c.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExcerptStats: aggregates of an excerpt, and of several parts, are those of the whole.
func TestExcerptStats(t *testing.T) {
	e, whole := partlyAndWhole(t)
	ip := busiest(t, whole)
	first, last, _ := e.stated()
	half := first.Add(last.Sub(first) / 2)
	for _, q := range []Query{
		{KFL: `http && dst.ip == "` + ip + `"`},
		{KFL: "dns", From: When{At: half}},
		{KFL: "dns", From: When{At: first.Add(last.Sub(first) / 4)}}, // in two parts
		{KFL: "dns && timestamp >= timestamp(" + `"` + text(half) + `")`},
	} {
		s := Stats{Query: q, By: []string{"dst.ip", "status_code"}}
		got, _, c, err := e.Stats(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		want, _, _, err := whole.Stats(t.Context(), s)
		if err != nil || len(want) < 2 || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %v, and should be %v: %v, %q", q, got, want, err, c.Notes)
		}
	}
	if e.ready() != nil {
		t.Error("all was dissected")
	}
	if list := must(filepath.Glob(filepath.Join(e.w.cfg.Cache, "index", "*.excerpts", "*.db")))(t); len(list) != 3 {
		t.Errorf("%d excerpts: %q", len(list), list)
	}
}

// TestExcerptOrNot: what cannot be answered from part of a snapshot is answered from all of
// it, as is what people want to be.
func TestExcerptOrNot(t *testing.T) {
	t.Parallel()
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	e := open(t, w, id)
	first, last, _ := e.stated()
	at := When{At: first.Add(last.Sub(first) / 2)}
	for _, c := range []struct {
		name, partial string
		q             Query
		excerpt       bool
	}{
		{"an address", PartialAlways, Query{KFL: `http && src.ip == "10.244.0.12"`}, true},
		{"a small snapshot", PartialAuto, Query{KFL: `http && src.ip == "10.244.0.12"`}, false},
		{"not wanted", PartialNever, Query{KFL: `http && src.ip == "10.244.0.12"`}, false},
		{"nothing proven", PartialAlways, Query{KFL: `status_code == 500`}, false},
		{"a name that DNS may tell", PartialAlways, Query{KFL: `src.ip == "10.244.0.12" && dst.name == "x"`}, false},
		{"an id", PartialAlways, Query{KFL: `src.ip == "10.244.0.12" && id == 5`}, false},
		{"calls of a time", PartialAlways, Query{KFL: "http", From: at}, true},
		{"connections of a time", PartialAlways, Query{KFL: "conn", From: at}, false},
		{"all of a time", PartialAlways, Query{KFL: "", From: at}, false},
		{"a connection's calls of a time", PartialAlways, Query{KFL: "http && conn_id == 5", From: at}, false},
		{"connections of an address", PartialAlways, Query{KFL: `conn && src.ip == "10.244.0.12"`, From: at}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, newBench(t, func(f *Config) { f.Store, f.Partial = w.cfg.Store, c.partial }), id)
			if _, err := entries(e, c.q); err != nil {
				t.Fatal(err)
			}
			if part := e.ready() == nil; part != c.excerpt {
				t.Errorf("of an excerpt: %v", part)
			}
		})
	}
	_, err := e.Query(t.Context(), Query{KFL: "http", From: When{At: last.Add(time.Hour)}})
	if !errors.Is(err, ErrOutside) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := e.Show(t.Context(), 5*idsPerExcerpt+1, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an id of no excerpt: %v", err)
	}
	if _, err := New(Config{Partial: "sometimes"}); !errors.Is(err, ErrUsage) {
		t.Errorf("--partial sometimes: %v", err)
	}
}

// TestExcerptsAreFew: only so many excerpts are kept, those that were used last; they go with
// their snapshot.
func TestExcerptsAreFew(t *testing.T) {
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	e := open(t, w, id)
	first, last, _ := e.stated()
	at := func(share int) When { return When{At: first.Add(last.Sub(first) * time.Duration(share) / 10)} }
	must(entries(e, Query{KFL: "dns", To: at(2)}))(t)
	files := must(filepath.Glob(filepath.Join(w.cfg.Cache, "index", "*.excerpts", "*.db")))(t)
	dir, made := filepath.Dir(files[0]), must(os.ReadFile(files[0]))(t)
	old := time.Now().Add(-time.Hour)
	for i := range maxExcerpts + 5 {
		path := excerptPath(dir, int64(i))
		if err := errors.Join(os.WriteFile(path, made, 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	must(entries(open(t, w, id), Query{KFL: "dns", From: at(8)}))(t)
	if _, err := os.Stat(files[0]); err != nil {
		t.Errorf("that used last: %v", err)
	}
	list := must(os.ReadDir(dir))(t)
	if len(list) < maxExcerpts-1 || len(list) > maxExcerpts+1 {
		t.Errorf("%d excerpts", len(list))
	}
	if err := w.DeleteSnapshot(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the excerpts are left")
	}
}

// TestExcerptOfADamagedSnapshot: what is damaged is told, and nobody else finds the excerpt.
func TestExcerptOfADamagedSnapshot(t *testing.T) {
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	for _, path := range must(filepath.Glob(filepath.Join(w.cfg.Store, id, "nodes", "*", "packets.pcapng.zst")))(t) {
		b := must(os.ReadFile(path))(t)
		b[len(b)/2] ^= 1
		if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	e := open(t, w, id)
	a := must(e.Query(t.Context(), Query{KFL: `dst.namespace == "ns-2"`}))(t)
	for _, err := range a.Rows {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !a.Coverage.Partial || len(a.Coverage.Damage) == 0 {
		t.Errorf("coverage %+v", a.Coverage)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if list := must(filepath.Glob(filepath.Join(w.cfg.Cache, "index", "*.excerpts", "*.db")))(t); len(list) != 0 {
		t.Errorf("left: %q", list)
	}
}
