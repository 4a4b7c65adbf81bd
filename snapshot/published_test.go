package snapshot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A published database that is damaged is found by verify, removed by repair, and can be
// published again.
func TestVerifyPublished(t *testing.T) {
	flip := func(text []byte) []byte { text[len(text)/2] ^= 0x10; return text }
	verifyPublished(t, []damaged{{".db", flip}, {".sums", flip}, {dissectionName, flip}})
	another := func(text []byte) []byte {
		return bytes.Replace(text, []byte(`"creator":"shark`), []byte(`"creator":"spark`), 1)
	}
	gone := func([]byte) []byte { return nil }
	verifyPublished(t, []damaged{{dissectionName, another}, {".db", gone}, {".sums", gone}})
}

// So is what grew.
func TestVerifyPublishedGrown(t *testing.T) {
	longer := func(by int) func([]byte) []byte {
		return func(text []byte) []byte { return append(text, bytes.Repeat([]byte{' '}, by)...) }
	}
	verifyPublished(t, []damaged{{".db", longer(1)}, {".sums", longer(1)}, {dissectionName, longer(maxDissection)}})
}

// A database without a description is none: it is no damage, and no part of the snapshot.
func TestVerifyHalfPublished(t *testing.T) {
	far, s, _ := published(t, 3*pieceSize)
	if err := far.Remove(t.Context(), s.Manifest.ID+"/dissections/abc/"+dissectionName); err != nil {
		t.Fatal(err)
	}
	v, err := s.Verify(t.Context(), VerifyOptions{})
	if err != nil || len(v.Unlisted) != 2 || !strings.HasSuffix(v.Unlisted[0], ".db") || !strings.HasSuffix(v.Unlisted[1], ".sums") {
		t.Errorf("%+v, %v", v, err)
	}
}

// What another version of the program published is not checked, and left by repair.
func TestVerifyPublishedByOthers(t *testing.T) {
	far, s, _ := published(t, 3*pieceSize)
	key := s.Manifest.ID + "/dissections/abc/" + dissectionName
	text := []byte(stored(t, &Store{far})[key])
	for name, other := range map[string][]byte{
		"format":    []byte(`{"format":2,"databases":{}}`),
		"databases": resealed(bytes.Replace(text, []byte(`"shards":[`), []byte(`"shards":[{},`), 1)),
	} {
		put(t, &Store{far}, key, string(other))
		v, err := s.Verify(t.Context(), VerifyOptions{})
		if err != nil || len(v.Unchecked) != 1 || v.Unchecked[0].Path != "dissections/abc/"+dissectionName || v.Unlisted != nil {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		if r, err := s.Repair(t.Context(), RepairOptions{}); err != nil || len(r.Repaired) != 0 {
			t.Errorf("%s: repaired %+v, %v", name, r, err)
		}
		if there, err := s.Published(t.Context(), "abc"); !there || err != nil {
			t.Errorf("%s: it is gone: %v", name, err)
		}
	}
}

// damaged is what becomes of an object of a published index.
type damaged struct {
	suffix string
	damage func([]byte) []byte
}

func verifyPublished(t *testing.T, cases []damaged) {
	t.Helper()
	far, s, data := published(t, 3*pieceSize)
	if _, err := s.Verify(t.Context(), VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		suffix, key := c.suffix, ""
		for o, err := range far.List(t.Context(), s.Manifest.ID+"/dissections/") {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(o.Key, suffix) {
				key = o.Key
			}
		}
		text := []byte(stored(t, &Store{far})[key])
		if bad := c.damage(text); bad != nil {
			put(t, &Store{far}, key, string(bad))
		} else if err := far.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		v, err := s.Verify(t.Context(), VerifyOptions{})
		if !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || s.Manifest.ID+"/"+v.Problems[0].Path != key {
			t.Errorf("%s: %v, %+v", suffix, err, v.Problems)
		}
		r, err := s.Repair(t.Context(), RepairOptions{})
		if err != nil || len(r.Repaired) != 1 || len(r.Left) != 0 {
			t.Errorf("%s: %v, %+v", suffix, err, r)
		}
		if there, err := s.Published(t.Context(), "abc"); there || err != nil {
			t.Errorf("%s: it is there: %v, %v", suffix, there, err)
		}
		path := filepath.Join(t.TempDir(), "index.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Publish(t.Context(), "abc", "shark", path, nil, func(int64, int64) {}); !ok || err != nil {
			t.Fatalf("%s: again: %v, %v", suffix, ok, err)
		}
		if _, err := s.Verify(t.Context(), VerifyOptions{}); err != nil {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}
