package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
	if _, err := OpenStore(t.Context(), "ftp://bucket"); !errors.Is(err, errors.ErrUnsupported) {
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
	must(os.MkdirAll(filepath.Join(store.files.String(), torn, "nodes/n1"), 0o700))
	must(os.WriteFile(filepath.Join(store.files.String(), torn, "nodes/n1/packets.pcapng.zst"), []byte("half"), 0o600))
	must(os.WriteFile(filepath.Join(store.files.String(), "readme.txt"), nil, 0o600))
	must(os.WriteFile(filepath.Join(store.files.String(), "2026-file"), nil, 0o600))
	must(os.MkdirAll(filepath.Join(store.files.String(), "Folder"), 0o700))
	// A damaged one is listed, and hides no other.
	broken := "20260301t120000005z-bbbbbbbbbb"
	must(os.MkdirAll(filepath.Join(store.files.String(), broken), 0o700))
	must(os.WriteFile(filepath.Join(store.files.String(), broken, manifestName), []byte("{"), 0o600))
	// So is one in the folder of another.
	moved := "20260301t120000006z-cccccccccc"
	must(os.CopyFS(filepath.Join(store.files.String(), moved), os.DirFS(filepath.Join(store.files.String(), ids[0]))))

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
	// The folder of a snapshot is one under any name.
	if s, err := Find(t.Context(), "", filepath.Join(store.files.String(), moved)); err != nil || s.Manifest.ID != ids[0] {
		t.Errorf("moved: %v", err)
	}

	if err := store.Delete(t.Context(), "twin"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("an ambiguous name was deleted: %v", err)
	}
	for _, ref := range []string{"first", ids[1], "twin", "2026", torn, broken, moved} {
		must(store.Delete(t.Context(), ref))
	}
	left, err := os.ReadDir(store.files.String())
	must(err)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"2026-file", "Folder", "readme.txt"}) {
		t.Errorf("left are %v", names)
	}
	if err := store.Delete(t.Context(), ids[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestVerify(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 100, 60, 0)}})
	dir := filepath.Join(store.files.String(), m.ID)
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

	path := filepath.Join(dir, "nodes/n1/packets.pcapng.zst")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	for name, content := range map[string][]byte{path: data, filepath.Join(dir, "nodes/extra"): nil, filepath.Join(dir, "manifest.json.minisig"): nil} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
