package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/snapshot/bucket"
)

// day is a moment of March 2026, whose first is a Sunday.
func day(n, hour int) time.Time { return time.Date(2026, 3, n, hour, 0, 0, 0, time.UTC) }

// TestRules: what restic's and borg's rules of the same names keep.
func TestRules(t *testing.T) {
	at := []time.Time{day(-40, 0), day(-3, 3), day(1, 1), day(1, 23), day(2, 5), day(8, 5), day(8, 6), day(9, 0), day(9, 0)}
	var list []*Manifest
	for i, created := range at {
		list = append(list, &Manifest{ID: fmt.Sprint(i), Created: created})
	}
	slices.Reverse(list) // their order is none
	for _, c := range []struct {
		name  string
		rules Rules
		now   time.Time
		keeps string
	}{
		{"none", Rules{}, day(9, 0), ""},
		{"last", Rules{Last: 3}, day(9, 0), "6 7 8"},
		{"last of fewer", Rules{Last: 30}, day(9, 0), "0 1 2 3 4 5 6 7 8"},
		{"daily", Rules{Daily: 3}, day(9, 0), "4 6 8"},
		{"daily over a gap, and the oldest", Rules{Daily: 7}, day(9, 0), "0 1 3 4 6 8"},
		{"weekly, from Monday on", Rules{Weekly: 3}, day(9, 0), "3 6 8"},
		{"monthly", Rules{Monthly: 1}, day(9, 0), "8"},
		{"monthly, and the oldest", Rules{Monthly: 9}, day(9, 0), "0 1 8"},
		{"within", Rules{Within: 24 * time.Hour}, day(9, 1), "5 6 7 8"},
		{"within, from now on", Rules{Within: 24 * time.Hour}, day(30, 0), ""},
		{"within, of the future", Rules{Within: time.Hour}, day(2, 0), "4 5 6 7 8"},
		{"each for itself", Rules{Last: 1, Daily: 2, Weekly: 2}, day(9, 0), "6 8"},
		{"together", Rules{Last: 1, Monthly: 2, Within: 50 * time.Hour}, day(9, 0), "1 5 6 7 8"},
	} {
		keeps := c.rules.keeps(list, c.now)
		if got := strings.Join(slices.Sorted(maps.Keys(keeps)), " "); got != c.keeps {
			t.Errorf("%s: keeps %q, want %q", c.name, got, c.keeps)
		}
	}
	keeps := Rules{Last: 2, Daily: 7, Weekly: 1, Monthly: 5, Within: 36 * time.Hour}.keeps(list, day(9, 0))
	for id, want := range map[string]string{
		"8": "last 1 of 2; within 36h0m0s; daily 2026-03-09, 1 of 7; weekly 2026-W11, 1 of 1; monthly 2026-03, 1 of 5", "7": "last 2 of 2; within 36h0m0s",
		"6": "within 36h0m0s; daily 2026-03-08, 2 of 7", "0": "daily 2026-01-19, 6 of 7; monthly 2026-01, 3 of 5", "2": "",
	} {
		if keeps[id] != want {
			t.Errorf("%s is kept for %q, want %q", id, keeps[id], want)
		}
	}
}

// aged is a store with snapshots, and what can be beside them.
func aged(t *testing.T) (store *Store, ids map[string]string) {
	t.Helper()
	store = openStore(t)
	a := capture(t, "a.pcapng", 10, 60, 0)
	ids = make(map[string]string)
	for i, name := range []string{"web-1", "web-2", "web-3", "db-1", "held"} {
		ids[name] = mustImport(t, store, ImportOptions{Files: []string{"n1=" + a}, Name: name, Created: day(1+i, 0)}).ID
	}
	if _, err := store.Hold(t.Context(), "held", Hold{By: "ann@box", Since: day(7, 1), Reason: "case 7"}); err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]string{
		"torn": {"nodes/n1/packets.pcapng.zst", signatureName}, "foreign": {"nodes/n1/packets.blocks", "notes.txt"},
		"left held": {"nodes/n1/packets.blocks", holdName}, "broken": {manifestName},
	} {
		ids[name] = newID(day(6, 0))
		for _, key := range keys {
			put(t, store, ids[name]+"/"+key, "{")
		}
	}
	put(t, store, "2024/holiday.pcap", "somebody's own")
	ids["drafts"] = newID(day(6, 0))
	if !bucket.IsFolder(store.files) { // nobody sees what is not finished
		delete(ids, "drafts")
		return store, ids
	}
	for _, id := range []string{"drafts", "web-1"} {
		path := filepath.Join(store.files.String(), ids[id], "nodes", "n1")
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, ".draft-x"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(store.files.String(), newID(day(6, 0)), "nodes"), 0o700); err != nil {
		t.Fatal(err)
	}
	return store, ids
}

// there lists what a store holds below each id, in a folder also where that is nothing.
func there(t *testing.T, store *Store, ids map[string]string) string {
	t.Helper()
	found := make(map[string]bool)
	for key := range stored(t, store) {
		name, _, _ := strings.Cut(key, "/")
		found[name] = true
	}
	if bucket.IsFolder(store.files) {
		entries, err := os.ReadDir(store.files.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found[e.Name()] = true
		}
	}
	var names []string
	for name := range found {
		for n, id := range ids {
			if id == name {
				name = n
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// TestPrune: rules remove snapshots, and age what was left behind; all else stays.
func TestPrune(t *testing.T) {
	const all, sound = "2024, broken, db-1, drafts, foreign, held, left held, torn, web-1, web-2, web-3", "2024, broken, db-1, foreign, held, left held, web-1, web-2, web-3"
	later := time.Now().Add(25 * time.Hour)
	for name, c := range map[string]struct {
		o          PruneOptions
		left       string
		removed    int
		unfinished int  // of these, what only folders tell of
		drafted    bool // web-1 is removed, but for a draft in its folder
	}{
		"nothing":          {PruneOptions{}, all, 0, 0, false},
		"rubbish":          {PruneOptions{Now: later}, sound, 4, 3, false},
		"not so old":       {PruneOptions{Now: later, Age: 26 * time.Hour}, all, 0, 0, false},
		"rules, dry":       {PruneOptions{Now: later, Rules: Rules{Last: 1}, DryRun: true}, all, 8, 3, false},
		"rules":            {PruneOptions{Rules: Rules{Last: 2}}, "2024, broken, db-1, drafts, foreign, held, left held, torn, web-1", 3, 0, true},
		"rules by name":    {PruneOptions{Rules: Rules{Last: 1}, Name: "web-*"}, "2024, broken, db-1, drafts, foreign, held, left held, torn, web-1, web-3", 2, 0, true},
		"rules, all older": {PruneOptions{Now: later, Rules: Rules{Within: time.Hour}}, "2024, broken, foreign, held, left held", 8, 3, false},
		"of no name":       {PruneOptions{Rules: Rules{Last: 1}, Name: "x"}, all, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			store, ids := aged(t)
			empty := 0
			if bucket.IsFolder(store.files) && (c.o.Now.IsZero() || c.o.Age > 0 || c.o.DryRun) {
				empty = 1
			}
			if ids["drafts"] == "" {
				c.left = strings.Replace(c.left, "drafts, ", "", 1)
				c.removed -= c.unfinished
				if c.drafted {
					c.left = strings.Replace(c.left, ", web-1", "", 1)
				}
			}
			list, err := store.Prune(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			removed := 0
			for _, x := range list {
				if x.Remove {
					removed++
				}
				if x.Why == "" || x.Failed != "" || x.Rubbish == (x.Name != "" || x.Unreadable) {
					t.Errorf("%+v", x)
				}
			}
			got := there(t, store, ids)
			if n := strings.Count(got, "2026"); n != empty {
				t.Errorf("%d empty folders, want %d", n, empty)
			}
			got = strings.TrimPrefix(got, "2024, 20260306t000000000z")
			if i := strings.Index(got, "broken"); "2024, "+got[i:] != c.left || removed != c.removed {
				t.Errorf("removed %d, want %d; left are %s\nwant %s\n%+v", removed, c.removed, got, c.left, list)
			}
			left := stored(t, store)
			if left["2024/holiday.pcap"] == "" {
				t.Error("somebody's own file is gone")
			}
			for _, name := range []string{"web-1", "web-2", "web-3", "db-1", "held"} {
				if left[ids[name]+"/"+manifestName] == "" {
					continue
				}
				if _, err := store.Verify(t.Context(), ids[name], nil); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	if _, err := openStore(t).Prune(t.Context(), PruneOptions{Name: "[", Rules: Rules{Last: 1}}); err == nil {
		t.Error("a pattern that is none")
	}
}

// TestPruneWhy: prune says why of each.
func TestPruneWhy(t *testing.T) {
	store, ids := aged(t)
	list, err := store.Prune(t.Context(), PruneOptions{Now: time.Now().Add(25 * time.Hour), Rules: Rules{Last: 1}, Name: "*1", DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{
		"web-1": "no rule keeps it", "web-2": "its name is another", "db-1": "last 1 of 1", "held": "its name is another", "torn": "what an import, a copy or a deletion has left",
		"foreign": "such as notes.txt", "left held": "by a hold.json that cannot be read", "broken": "not sound", "drafts": "drafts and uploads that nobody finished",
	}
	for name, want := range reasons {
		if ids[name] == "" { // only folders tell
			continue
		}
		i := slices.IndexFunc(list, func(x Pruned) bool { return x.ID == ids[name] })
		if i < 0 || !strings.Contains(list[i].Why, want) {
			t.Errorf("%s: %+v, want %q", name, list[max(i, 0)], want)
		}
	}
	if slices.ContainsFunc(list, func(x Pruned) bool { return x.ID == "2024" }) {
		t.Error("prune speaks of a folder that is no business of its")
	}
	list, err = store.Prune(t.Context(), PruneOptions{Rules: Rules{Last: 1}, Name: "held"})
	if err != nil || !slices.ContainsFunc(list, func(x Pruned) bool { return x.ID == ids["torn"] && strings.Contains(x.Why, "younger than 1d") }) {
		t.Errorf("young: %+v, %v", list, err)
	}
	list, err = store.Prune(t.Context(), PruneOptions{Rules: Rules{Within: 1}, Name: "held"})
	if err != nil || !slices.ContainsFunc(list, func(x Pruned) bool {
		return x.ID == ids["held"] && !x.Remove && x.Why == "held since 2026-03-07 01:00:00 UTC by ann@box: case 7"
	}) {
		t.Errorf("held: %+v, %v", list, err)
	}
}

// TestPrunePublished: what a publish that was killed has left is found once it is old, and an index
// once it is older than asked; nothing else of a snapshot is touched.
func TestPrunePublished(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 10, 60, 0)}})
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "index.db")
	if err := os.WriteFile(file, make([]byte, 3*pieceSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Publish(t.Context(), "abc", "shark", file, nil, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	whole := stored(t, store)
	dir := m.ID + "/dissections/"
	share := dir + "abd/shares/" + strings.Repeat("0", 15) + "1-" + fmt.Sprintf("%x", sha256.Sum256([]byte("half"))) + ".rows"
	for _, key := range []string{dir + "abc/shard-000-0.db", dir + "abd/shard-000-1.db", dir + "abd/shard-000-1.sums", share} {
		put(t, store, key, "half")
	}
	prune := func(o PruneOptions) (removed []string) {
		t.Helper()
		list, err := store.Prune(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if x.Remove {
				removed = append(removed, fmt.Sprintf("%s: %d, %s", x.Path, x.Objects, x.Why))
			}
		}
		return removed
	}
	if removed := prune(PruneOptions{}); removed != nil {
		t.Errorf("young: %v", removed)
	}
	later := time.Now().Add(25 * time.Hour)
	want := []string{"dissections/abc: 1, what a publish of an index has left", "dissections/abd: 2, what a publish of an index has left"}
	if removed := prune(PruneOptions{Now: later}); !slices.Equal(removed, want) {
		t.Errorf("rubbish: %v", removed)
	}
	left := stored(t, store)
	if delete(left, share); !maps.Equal(left, whole) {
		t.Errorf("left are %v", slices.Sorted(maps.Keys(left)))
	}
	if removed := prune(PruneOptions{Now: later, Indexes: 26 * time.Hour}); removed != nil {
		t.Errorf("an index that is not so old: %v", removed)
	}
	if _, err := store.Hold(t.Context(), m.ID, Hold{Since: day(1, 0)}); err != nil {
		t.Fatal(err)
	}
	if removed := prune(PruneOptions{Now: later, Indexes: time.Hour}); removed != nil {
		t.Errorf("held: %v", removed)
	}
	if _, _, err := store.Release(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	if removed := prune(PruneOptions{Now: later, Indexes: time.Hour}); !slices.Equal(removed, []string{"dissections/abc: 3, a published index older than 1h0m0s"}) {
		t.Errorf("an index: %v", removed)
	}
	if there, err := s.Published(t.Context(), "abc"); there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if _, err := store.Verify(t.Context(), m.ID, nil); err != nil {
		t.Error(err)
	}
}

// TestPruneMoved: what has changed since it was planned is not removed.
func TestPruneMoved(t *testing.T) {
	store, ids := aged(t)
	p := &pruner{s: store, o: PruneOptions{Now: time.Now().Add(25 * time.Hour), Age: RubbishAge, Rules: Rules{Last: 1}}, before: time.Now().Add(time.Hour)}
	if err := p.plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, store, ids["torn"]+"/"+manifestName, "{}")
	if _, err := store.Hold(t.Context(), "web-1", Hold{Since: day(8, 0)}); err != nil {
		t.Fatal(err)
	}
	before := stored(t, store)
	for i := range p.list {
		x := &p.list[i]
		if x.drafts || x.ID != ids["torn"] && x.ID != ids["web-1"] {
			continue
		}
		if err := p.remove(t.Context(), x); err == nil || x.ID == ids["web-1"] != errors.Is(err, ErrHeld) {
			t.Errorf("%s: %v", x.ID, err)
		}
	}
	if after := stored(t, store); !maps.Equal(after, before) {
		t.Errorf("left are %v", slices.Sorted(maps.Keys(after)))
	}
}

// TestPruneDuringCopy: a copy that goes on with what an earlier one has left does not
// succeed when that is pruned at the same time, and the next one does.
func TestPruneDuringCopy(t *testing.T) {
	from, m := origin(t)
	want := evidence(t, from)
	to := openStore(t)
	for _, o := range m.Objects[:2] {
		put(t, to, m.ID+"/"+o.Path, want[m.ID+"/"+o.Path])
	}
	kept := 0
	_, err := from.Copy(t.Context(), to, m.ID, CopyOptions{Parallel: 1}, func(p CopyProgress) {
		if p.Kept == 2 && kept < 2 {
			if err := to.files.Remove(t.Context(), m.ID+"/"+m.Objects[0].Path); err != nil {
				t.Error(err)
			}
		}
		kept = p.Kept
	})
	if !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), "copy again") {
		t.Errorf("copied %v", err)
	}
	if _, err := from.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); err != nil {
		t.Error(err)
	}
	copied(t, to, want)
}
