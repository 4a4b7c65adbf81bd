package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/snapshot/bucket"
)

func TestOpenStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ location, want string }{
		{dir, ""},
		{filepath.Join(dir, "not", "yet"), ""},
		{"file://" + filepath.ToSlash(dir), ""},
		{"file://localhost" + filepath.ToSlash(dir), ""},
		{"", "no store is named"},
		{"file://", "a file URL here is"},
		{"file://host/share", "a file URL here is"},
		{"https://user:secret@host/", "store https://host/: there is no https:// here"},
		{file, "is not a folder"},
	} {
		_, err := OpenStore(t.Context(), c.location)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.location, err, c.want)
		}
	}
	if _, err := OpenStore(t.Context(), "ftp://bucket"); !errors.Is(err, bucket.ErrLocation) {
		t.Errorf("ftp: %v", err)
	}
}

func TestFindNothing(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	for _, ref := range []string{"", "20260301t120000000z-aaaaaaaaaa", "outage", "../x", t.TempDir(), "."} {
		if _, err := Find(t.Context(), store, ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", ref, err)
		}
		if _, err := Find(t.Context(), "", ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q without a store: %v", ref, err)
		}
	}
	if _, err := os.Stat(store); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking for snapshots made the store: %v", err)
	}
}

func TestStore(t *testing.T) {
	store := openStore(t)
	a := capture(t, "a.pcapng", 10, 60, 0)
	var ids []string
	for i, name := range []string{"first", "twin", "twin", "2026"} {
		ids = append(ids, mustImport(t, store, ImportOptions{Files: []string{a}, Name: name, Created: began.Add(time.Duration(i) * time.Millisecond)}).ID)
	}
	// What is no snapshot does not disturb: other files, and what was interrupted.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	torn := "20260301t120000009z-aaaaaaaaaa"
	put(t, store, torn+"/nodes/n1/packets.pcapng.zst", "half")
	put(t, store, "readme.txt", "")
	put(t, store, "2026-file", "")
	put(t, store, "Folder/x", "")
	// A damaged one is listed, and hides no other.
	broken := "20260301t120000005z-bbbbbbbbbb"
	put(t, store, broken+"/"+manifestName, "{")
	// So is one in the folder of another.
	moved := "20260301t120000006z-cccccccccc"
	for key, data := range stored(t, store) {
		if rest, ok := strings.CutPrefix(key, ids[0]+"/"); ok {
			put(t, store, moved+"/"+rest, data)
		}
	}

	all, err := store.List(t.Context())
	must(err)
	var listed []string
	for _, x := range all {
		listed = append(listed, x.ID)
		if wrong := x.ID == broken || x.ID == moved; wrong != errors.Is(x.Err, ErrIntegrity) || wrong != (x.Manifest == nil) {
			t.Errorf("%s: %v", x.ID, x.Err)
		}
	}
	if want := append(slices.Clone(ids), broken, moved); !slices.Equal(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
	for _, c := range []struct {
		ref, id string
		err     error
	}{
		{ids[1], ids[1], nil}, {"first", ids[0], nil}, {ids[2][:len(ids[2])-1], ids[2], nil}, {"2026", ids[3], nil}, // a name goes before the beginning of an id
		{"twin", "", ErrAmbiguous}, {"20260301", "", ErrAmbiguous}, {"firs", "", ErrNotFound}, {torn, "", ErrNotFound}, {broken, "", ErrIntegrity}, {moved, "", ErrIntegrity},
	} {
		s, err := store.Get(t.Context(), c.ref)
		if !errors.Is(err, c.err) || err == nil && s.Manifest.ID != c.id {
			t.Errorf("%s: %v, want %s %v", c.ref, err, c.id, c.err)
		}
	}
	if bucket.IsFolder(store.files) { // that of a snapshot is one under any name
		if s, err := Find(t.Context(), "", filepath.Join(store.files.String(), moved)); err != nil || s.Manifest.ID != ids[0] {
			t.Errorf("moved: %v", err)
		}
	}

	if err := store.Delete(t.Context(), "twin"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("an ambiguous name was deleted: %v", err)
	}
	for _, ref := range []string{"first", ids[1], "twin", "2026", torn, broken, moved} {
		must(store.Delete(t.Context(), ref))
	}
	if names := slices.Sorted(maps.Keys(stored(t, store))); !slices.Equal(names, []string{"2026-file", "Folder/x", "readme.txt"}) {
		t.Errorf("left are %v", names)
	}
	if err := store.Delete(t.Context(), ids[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestVerify(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 100, 60, 0)}})
	var done, total int64
	v, err := store.Verify(t.Context(), m.ID, func(d, n int64) { done, total = d, n })
	if err != nil || v.Objects != 3 || done != total || done != v.Bytes || done != m.Objects[0].Size+m.Objects[1].Size+m.Objects[2].Size {
		t.Fatalf("%+v, %v, %d of %d bytes", v, err, done, total)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Verify(ctx, m.ID, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}

	path := m.ID + "/nodes/n1/packets.pcapng.zst"
	data := []byte(stored(t, store)[path])
	data[len(data)/2] ^= 1
	put(t, store, path, string(data))
	put(t, store, m.ID+"/nodes/extra", "")
	v, err = store.Verify(t.Context(), m.ID, nil)
	if !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != "nodes/n1/packets.pcapng.zst" || !strings.Contains(v.Problems[0].Reason, "its SHA-256 is") {
		t.Errorf("one bit: %+v, %v", v, err)
	}
	if !slices.Equal(v.Unlisted, []string{"nodes/extra"}) {
		t.Errorf("unlisted %v", v.Unlisted)
	}
	// A read of the same size goes through without reading it all.
	if _, err := store.Get(t.Context(), m.ID); err != nil {
		t.Error(err)
	}
}
