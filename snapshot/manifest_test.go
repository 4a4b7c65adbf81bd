package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"shark/snapshot/bucket"
)

// sound returns a manifest that is.
func sound(t testing.TB) []byte {
	t.Helper()
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 10, 60, 0)}, Name: "a", Created: began})
	data, err := bucket.ReadAll(t.Context(), store.files, m.ID+"/"+manifestName, maxManifest)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestManifestIsStable(t *testing.T) {
	data := sound(t)
	m, err := ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("read and written it is another: %v\n%s\nwas\n%s", err, again, data)
	}
	if !bytes.HasPrefix(data, []byte("{\n  \"format\": 1,\n  \"id\": \"20260301t120000000z-")) {
		t.Errorf("it begins with %.80s", data)
	}
}

func TestParseManifestHostile(t *testing.T) {
	good := string(sound(t))
	path := `"path": "nodes/n1/packets.pcapng.zst"`
	for _, c := range []struct{ name, old, new, want string }{
		{"fields of the future are passed over", `"format": 1`, `"colour": {"a": []}, "format": 1`, ""},
		{"kinds of the future too", `"kind": "secrets"`, `"kind": "sounds"`, ""},
		{"empty", good, "", "not sound"},
		{"no JSON", good, "PK\x03\x04", "not sound"},
		{"cut", good, good[:len(good)/2], "not sound"},
		{"trailing", good, good + "{}", "not sound"},
		{"deep", good, strings.Repeat("[", 1<<20), "not sound"},
		{"null", good, "null", "states no format"},
		{"no format", `"format": 1`, `"fmt": 1`, "states no format"},
		{"newer", `"format": 1`, `"format": 2`, "a newer one is needed"},
		{"older than all", `"format": 1`, `"format": 0`, "there is no format 0"},
		{"id leads out", `"id": "20260301`, `"id": "../20260301`, "is no id"},
		{"no id", `"id": "20260301`, `"di": "20260301`, "is no id"},
		{"path leads out", path, `"path": "../../etc/passwd"`, "cannot be the path"},
		{"path leads out below", path, `"path": "nodes/../../../etc/passwd"`, "cannot be the path"},
		{"absolute", path, `"path": "/etc/passwd"`, "cannot be the path"},
		{"absolute on Windows", path, `"path": "C:\\nodes\\x"`, "cannot be the path"},
		{"backslashes", path, `"path": "nodes/n1\\..\\..\\x"`, "cannot be the path"},
		{"empty part", path, `"path": "nodes//x"`, "cannot be the path"},
		{"hidden", path, `"path": "nodes/.ssh/x"`, "cannot be the path"},
		{"device", path, `"path": "nodes/con/nul.txt"`, "cannot be the path"},
		{"upper case", path, `"path": "nodes/N1/packets"`, "cannot be the path"},
		{"the manifest itself", path, `"path": "manifest.json"`, "cannot be the path"},
		{"zero byte", path, `"path": "nodes/n1/a\u0000b"`, "cannot be the path"},
		{"long", path, `"path": "nodes/` + strings.Repeat("a/", 600) + `x"`, "cannot be the path"},
		{"twice", path, `"path": "nodes/n1/secrets.pcapng"`, "is there twice"},
		{"negative size", `"size": `, `"size": -`, "below 0"},
		{"size too large", `"size": `, `"size": 99999999999999999999`, "not sound"},
		{"size of another type", `"size": `, `"size": "x", "was": `, "not sound"},
		{"no sum", `"sha256": "`, `"sha256": "x`, "no SHA-256"},
		{"node of nowhere", `"node": "n1"`, `"node": "n2"`, "is not there"},
		{"no kind", `"kind": "packets"`, `"kind": ""`, "has no kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := good
			if c.new != good {
				// Of inputs and objects, the objects are meant.
				at := strings.Index(good, `"objects"`)
				if !strings.Contains(good[at:], c.old) {
					at = 0
				}
				data = good[:at] + strings.Replace(good[at:], c.old, c.new, 1)
			}
			_, err := ParseManifest(resealed([]byte(data)))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			case c.want != "" && c.name != "newer" && !errors.Is(err, ErrIntegrity):
				t.Errorf("%v is not known as damage", err)
			case err != nil && len(err.Error()) > 400:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestSeal: any byte of a manifest that is another makes it damaged, or of a newer format, though nobody
// signed it.
func TestSeal(t *testing.T) {
	data := sound(t)
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if _, err := ParseManifest(bad); !errors.Is(err, ErrIntegrity) && (err == nil || !strings.Contains(err.Error(), "a newer one is needed")) {
			t.Errorf("byte %d of %d, %q: %v", i, len(data), data[max(0, i-10):min(i+10, len(data))], err)
		}
		if _, err := ParseManifest(append(bytes.Clone(data[:i]), data[i+1:]...)); !errors.Is(err, ErrIntegrity) {
			t.Errorf("byte %d of %d is gone: %v", i, len(data), err)
		}
	}
	for _, text := range []string{"", "{}", ",", `{"format":1}`, `{"format":1,"sum":""}` + "\n", strings.Replace(string(data), `,
  "sum"`, `,"sum"`, 1)} {
		if err := checkSeal([]byte(text)); err == nil {
			t.Errorf("%q is sealed", text)
		}
	}
}

// TestManifestsTakeLittleMemory: a manifest as large as one may be, of things that say nothing,
// is refused, or takes no more than a few times its size.
func TestManifestsTakeLittleMemory(t *testing.T) {
	good := string(sound(t))
	for name, c := range map[string]struct{ key, thing string }{
		"nodes": {`"nodes": [`, "{},"}, "objects": {`"objects": [`, "{},"}, "nothing": {`"objects": [`, "null,"}, "notes": {`"coverage": [{"kind":"damage"},`, "{},"},
		"interfaces": {`"nodes": [{"name":"x","interfaces":[{}`, ",{}"}, "texts": {`"filter": {"addresses":[""`, `,""`}, "deep": {`"x": [`, "["},
		"keys": {`"x": {"y":0`, `,"a":0`},
	} {
		at := strings.Index(good, `"objects": [`)
		text := []byte(good[:at] + c.key + strings.Repeat(c.thing, (maxManifest-len(good)-len(c.key))/len(c.thing)) + good[at:])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseManifest(text)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrIntegrity) || took > 16*maxManifest {
			t.Errorf("%s: %d MiB were allocated, %v", name, took>>20, err)
		}
	}
}

// TestOpenDamaged: a snapshot that lacks something is damaged, not there in part, wherever it lies.
func TestOpenDamaged(t *testing.T) {
	const secrets = "nodes/n1/secrets.pcapng"
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, store *Store, id string)
		want   string
	}{
		{"manifest too large", func(t *testing.T, store *Store, id string) {
			put(t, store, id+"/"+manifestName, strings.Repeat(" ", maxManifest+1))
		}, "is larger than"},
		{"manifest cut", func(t *testing.T, store *Store, id string) {
			put(t, store, id+"/"+manifestName, stored(t, store)[id+"/"+manifestName][:100])
		}, "not sound"},
		{"object missing", func(t *testing.T, store *Store, id string) {
			if err := store.files.Remove(t.Context(), id+"/"+secrets); err != nil {
				t.Fatal(err)
			}
		}, "the snapshot is damaged: " + secrets + " is missing"},
		{"object cut", func(t *testing.T, store *Store, id string) {
			put(t, store, id+"/"+secrets, stored(t, store)[id+"/"+secrets][:8])
		}, "has 8 bytes, by the manifest"},
	} {
		t.Run(c.name, func(t *testing.T) { openDamaged(t, openStore(t), c.damage, c.want) })
	}
}

// TestOpenOddFolder: what is no file of the folder itself is missing.
func TestOpenOddFolder(t *testing.T) {
	const secrets = "nodes/n1/secrets.pcapng"
	for _, c := range []struct {
		name   string
		damage func(dir, other string) error
		want   string
	}{
		{"object is a folder", func(dir, _ string) error {
			p := filepath.Join(dir, secrets)
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}, secrets + " is missing"},
		{"object is a link", func(dir, other string) error {
			p := filepath.Join(dir, secrets)
			return errors.Join(os.Rename(p, other), os.Symlink(other, p))
		}, secrets + " is missing"},
		{"folder is a link", func(dir, other string) error {
			p := filepath.Join(dir, "nodes/n1")
			return errors.Join(os.Rename(p, other), os.Symlink(other, p))
		}, "nodes/n1/packets.pcapng.zst is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			openDamaged(t, openFolder(t), func(t *testing.T, store *Store, id string) {
				if err := c.damage(filepath.Join(store.files.String(), id), filepath.Join(t.TempDir(), "other")); err != nil {
					t.Skipf("not on this system: %v", err)
				}
			}, c.want)
		})
	}
}

// openDamaged damages a snapshot, which can be deleted and not be used then.
func openDamaged(t *testing.T, store *Store, damage func(t *testing.T, store *Store, id string), want string) {
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 10, 60, 0)}})
	damage(t, store, m.ID)
	refs := []string{m.ID}
	if bucket.IsFolder(store.files) {
		refs = append(refs, filepath.Join(store.files.String(), m.ID))
	}
	for _, ref := range refs {
		if _, err := find(t, store, ref); !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := store.Verify(t.Context(), m.ID, nil); !errors.Is(err, ErrIntegrity) || strings.Contains(err.Error(), "statat") {
		t.Errorf("verified: %v", err)
	}
	if err := store.Delete(t.Context(), m.ID); err != nil {
		t.Errorf("it cannot be deleted: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add(sound(f))
	f.Add([]byte(`{"format":1,"id":"2026","objects":[{"path":"nodes/../x","kind":"packets","size":1,"sha256":""}]}`))
	f.Add([]byte(`{"format":1,"id":"2026"` + seals[""].head + strings.Repeat("0", 64) + seals[""].tail))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(resealed(data))
		if err != nil {
			return
		}
		for _, o := range m.Objects {
			if !filepath.IsLocal(filepath.FromSlash(o.Path)) || strings.Contains(o.Path, "..") && strings.Contains("/"+o.Path+"/", "/../") {
				t.Fatalf("path %q", o.Path)
			}
		}
		one, err := m.encode()
		if err != nil {
			return // a time that JSON does not hold
		}
		again, err := ParseManifest(one)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v\n%s", err, one)
		}
		if two, err := again.encode(); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%v: %s\nis not\n%s", err, two, one)
		}
	})
}

// unescape is the inverse of escape for names that it does not shorten.
func unescape(t *testing.T, part string) string {
	t.Helper()
	var out []byte
	for i := 0; i < len(part); i++ {
		if part[i] != '=' {
			out = append(out, part[i])
			continue
		}
		var c [1]byte
		if err := json.Unmarshal([]byte(`"\u00`+part[i+1:i+3]+`"`), new(string)); err != nil {
			t.Fatal(err)
		}
		for _, d := range part[i+1 : i+3] {
			c[0] = c[0]<<4 | byte(strings.IndexRune("0123456789abcdef", d))
		}
		out = append(out, c[0])
		i += 2
	}
	return string(out)
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"node-1.eu.example", "../../etc", "CON", "com1.txt", ".", "..", "a/b\\c", "=3d", "Übung", strings.Repeat("x", 300), strings.Repeat("A", 300), strings.Repeat("x", 200), "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" {
			return
		}
		part := PathPart(name)
		if !validKey("nodes/" + part + "/packets.pcapng.zst") {
			t.Fatalf("%q becomes %q", name, part)
		}
		if !strings.Contains(part, "==") && unescape(t, part) != name {
			t.Fatalf("%q becomes %q, which is also that of %q", name, part, unescape(t, part))
		}
		if strings.Contains(part, "==") && (len(name) <= maxPart/3 || PathPart(name+"x") == part) {
			t.Fatalf("%q is shortened to %q", name, part)
		}
	})
}
