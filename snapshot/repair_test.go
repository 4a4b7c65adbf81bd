package snapshot

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRepair: what can be made again is, with the same bytes, and all else is named and
// left as it is.
func TestRepair(t *testing.T) {
	store := openStore(t)
	// One after the other, of interfaces that look alike, as tcpdump -C writes them; and
	// all at once.
	var rotated, twins []string
	for i := range 3 {
		rotated = append(rotated, "rotated="+capture(t, "a.pcapng", 1000, 300, time.Duration(i)*time.Second))
		twins = append(twins, "twins="+capture(t, "a.pcapng", 100+i, 60, time.Duration(i)*time.Microsecond))
	}
	m := mustImport(t, store, ImportOptions{Files: slices.Concat(rotated, twins), Name: "outage"})
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret, public := vectorKeys(t)
	if err := s.Sign(t.Context(), secret, false); err != nil {
		t.Fatal(err)
	}
	sound := stored(t, store)
	flip := func(text string) string { b := []byte(text); b[len(b)/2] ^= 1; return string(b) }
	const index, packets, other = "nodes/rotated/packets.blocks", "nodes/rotated/packets.pcapng.zst", "nodes/twins/packets.blocks"
	for name, c := range map[string]struct {
		damage map[string]func(string) string
		mended []string
		left   map[string]string
	}{
		"sound":         {},
		"a bit":         {map[string]func(string) string{index: flip}, []string{index}, nil},
		"lost":          {map[string]func(string) string{index: nil, other: nil}, []string{index, other}, nil},
		"cut":           {map[string]func(string) string{index: func(s string) string { return s[:9] }}, []string{index}, nil},
		"both":          {map[string]func(string) string{index: flip, packets: flip}, nil, map[string]string{index: "SHA-256", packets: "only a copy has it"}},
		"packets lost":  {map[string]func(string) string{index: nil, packets: nil}, nil, map[string]string{index: "is missing too", packets: "only a copy has it"}},
		"packets alone": {map[string]func(string) string{packets: flip}, nil, map[string]string{packets: "only a copy has it"}},
	} {
		t.Run(name, func(t *testing.T) {
			for path, change := range c.damage {
				if err := store.files.Remove(t.Context(), m.ID+"/"+path); err != nil {
					t.Fatal(err)
				}
				if change != nil {
					put(t, store, m.ID+"/"+path, change(sound[m.ID+"/"+path]))
				}
			}
			before := stored(t, store)
			done, err := repair(t, store, "outage")
			if done == nil || (len(c.left) > 0) != errors.Is(err, ErrIntegrity) || len(c.left) == 0 && err != nil {
				t.Fatalf("%+v, %v", done, err)
			}
			if !slices.Equal(done.Repaired, c.mended) || len(done.Left) != len(c.left) {
				t.Errorf("%+v", done)
			}
			for _, p := range done.Left {
				if want := c.left[p.Path]; want == "" || !strings.Contains(p.Reason, want) {
					t.Errorf("%s: %s, want %q", p.Path, p.Reason, want)
				}
			}
			for _, path := range c.mended {
				before[m.ID+"/"+path] = sound[m.ID+"/"+path]
			}
			copied(t, store, before)
			if len(c.left) == 0 {
				if _, err := store.verify(t.Context(), m.ID, VerifyOptions{Key: public}); err != nil {
					t.Errorf("verified after: %v", err)
				}
			}
			for key, data := range sound {
				put(t, store, key, data)
			}
		})
	}
	// An index that another program made in its own way is not replaced by ours.
	bad := bytes.Replace([]byte(sound[m.ID+"/"+manifestName]), []byte(m.object(index).SHA256), []byte(strings.Repeat("ab", 32)), 1)
	put(t, store, m.ID+"/"+manifestName, string(resealed(bad)))
	if err := store.files.Remove(t.Context(), m.ID+"/"+signatureName); err != nil {
		t.Fatal(err)
	}
	before := stored(t, store)
	if done, err := repair(t, store, m.ID); !errors.Is(err, ErrIntegrity) || len(done.Left) != 1 || !strings.Contains(done.Left[0].Reason, "nothing was written") {
		t.Errorf("another index: %+v, %v", done, err)
	}
	copied(t, store, before)
}

func repair(t *testing.T, store *Store, ref string) (*Repaired, error) {
	t.Helper()
	s, err := store.getDamaged(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return s.Repair(t.Context(), RepairOptions{})
}
