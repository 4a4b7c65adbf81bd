package snapshot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"shark/snapshot/bucket/buckettest"
)

// TestHold: what is held stays until it is released, and everybody is told since when, by
// whom and why. A copy is not held.
func TestHold(t *testing.T) {
	store, m := origin(t)
	id, err := store.Hold(t.Context(), "outage", Hold{By: "ann@box", Since: began, Reason: "case 7"})
	if err != nil || id != m.ID {
		t.Fatal(id, err)
	}
	before := stored(t, store)
	const words = "held since 2026-03-01 12:00:00 UTC by ann@box: case 7"
	for what, err := range map[string]error{
		"delete":       store.Delete(t.Context(), "outage"),
		"delete by id": store.Delete(t.Context(), m.ID),
		"another hold": func() error { _, err := store.Hold(t.Context(), m.ID, Hold{Since: began}); return err }(),
		"the same hold": func() error {
			_, err := store.Hold(t.Context(), m.ID, Hold{By: "ann@box", Since: began.Add(1)})
			return err
		}(),
	} {
		if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !maps.Equal(stored(t, store), before) {
		t.Error("something has changed")
	}
	all, err := store.List(t.Context())
	if err != nil || all[0].Hold == nil || all[0].Hold.Reason != "case 7" {
		t.Errorf("listed is %+v, %v", all, err)
	}
	x, err := store.Get(t.Context(), "outage")
	if err != nil {
		t.Fatal(err)
	}
	if h, err := x.Held(t.Context()); err != nil || "held "+h.String() != words {
		t.Errorf("shown is %v, %v", h, err)
	}
	v, err := store.Verify(t.Context(), m.ID, nil)
	if err != nil || !slices.Equal(v.Unlisted, []string{"dissections/x.db", "notes.txt"}) {
		t.Errorf("verified: %+v, %v", v, err)
	}
	to := openStore(t)
	if _, err := store.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := to.Delete(t.Context(), m.ID); err != nil {
		t.Errorf("a copy is held: %v", err)
	}
	if id, h, err := store.Release(t.Context(), "outage"); err != nil || id != m.ID || h.By != "ann@box" {
		t.Errorf("released %v, %v", h, err)
	}
	if _, h, err := store.Release(t.Context(), "outage"); err != nil || h != nil {
		t.Errorf("released twice: %v, %v", h, err)
	}
	if err := store.Delete(t.Context(), "outage"); err != nil {
		t.Error(err)
	}
	for _, ref := range []string{"outage", m.ID} {
		if _, err := store.Hold(t.Context(), ref, Hold{Since: began}); !errors.Is(err, ErrNotFound) {
			t.Errorf("what is not there is held: %v", err)
		}
		if _, _, err := store.Release(t.Context(), ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("what is not there is released: %v", err)
		}
	}
}

// TestHoldUnreadable: whatever a hold says, it holds.
func TestHoldUnreadable(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"since":"now"}`, strings.Repeat(" ", maxHold+1), `[]`} {
		store := openStore(t)
		put(t, store, "20260301t120000000z-aaaaaaaaaa/"+manifestName, "{")
		put(t, store, "20260301t120000000z-aaaaaaaaaa/"+holdName, text)
		if err := store.Delete(t.Context(), "20260301t120000000z-aaaaaaaaaa"); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%.20q: %v", text, err)
		}
		if _, h, err := store.Release(t.Context(), "20260301t120000000z-aaaaaaaaaa"); err != nil || !h.Unreadable {
			t.Errorf("%.20q: %v, %v", text, h, err)
		}
		if err := store.Delete(t.Context(), "20260301t120000000z-aaaaaaaaaa"); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	store, m := origin(t)
	put(t, store, m.ID+"/"+holdName, "{}")
	if v, err := store.Verify(t.Context(), m.ID, nil); err != nil || len(v.Unchecked) != 1 || v.Unchecked[0].Path != holdName {
		t.Errorf("verified: %+v, %v", v, err)
	}
	if _, _, err := store.Release(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Hold(t.Context(), m.ID, Hold{Since: began, Reason: strings.Repeat("x", maxHold)}); err == nil {
		t.Error("a reason that could not be read")
	}
}

// TestHoldAgainstDelete: of a hold and a deletion, of which one comes between any two
// requests of the other, at least one fails: who was told that it is held has all of it.
func TestHoldAgainstDelete(t *testing.T) {
	for after := 0; after < 8; after += 8 / some(8) {
		for _, inner := range []string{"hold", "delete"} {
			store, m := origin(t)
			want := stored(t, store)
			var holding, deleting error
			hold := func(s *Store) { _, holding = s.Hold(t.Context(), m.ID, Hold{Since: began}) }
			remove := func(s *Store) { deleting = s.Delete(t.Context(), m.ID) }
			outer, other := remove, hold
			if inner == "delete" {
				outer, other = hold, remove
			}
			n := 0
			var mu sync.Mutex // objects are removed several at once
			outer(requests(store.files, func() {
				mu.Lock()
				defer mu.Unlock()
				if n++; n == after+1 {
					other(store)
				}
			}))
			if n <= after {
				other(store)
			}
			got := stored(t, store)
			maps.DeleteFunc(got, func(key, _ string) bool { return strings.HasSuffix(key, holdName) })
			switch {
			case holding == nil && errors.Is(deleting, ErrHeld) && maps.Equal(got, want):
			case errors.Is(holding, ErrNotFound) && deleting == nil && len(got) == 0:
			default:
				t.Errorf("%s after %d requests: hold %v, delete %v, there is %v", inner, after, holding, deleting, slices.Sorted(maps.Keys(got)))
			}
		}
	}
}

// TestDeleteFaults: whatever fails, the snapshot is there whole or not at all, and another
// deletion completes what one has begun.
func TestDeleteFaults(t *testing.T) {
	whole, id := inMemory(t, 2, 30)
	done, failed := 0, 0
	for seed := range uint64(40) {
		store := openStore(t)
		for key, data := range whole {
			put(t, store, id+"/"+key, string(data))
		}
		faulty := &Store{buckettest.Faulty(store.files, seed, buckettest.Faults{Fail: 0.1, Lost: 0.1, Break: 0.05, Page: 2})}
		err := faulty.Delete(t.Context(), id)
		if err == nil {
			done++
		} else {
			failed++
			if x, err := store.Get(t.Context(), id); err == nil {
				if _, err := x.Verify(t.Context(), VerifyOptions{}); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			} else if !errors.Is(err, ErrNotFound) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := store.Delete(t.Context(), id); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatalf("seed %d, again: %v", seed, err)
			}
		}
		copied(t, store, nil)
	}
	if done == 0 || failed == 0 {
		t.Errorf("%d deletions succeeded and %d failed", done, failed)
	}
	store, m := origin(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Delete(ctx, m.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
