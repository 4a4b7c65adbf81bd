package index

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"shark/dissector"
)

// shareOf packs the entries of the partitions that some writer got.
func shareOf(t testing.TB, entries []*dissector.Entry, mine func(partition int) bool, spill bool) []byte {
	t.Helper()
	w, err := Create(t.TempDir(), Options{Schema: testSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := w.Shard()
	for i, e := range entries {
		if !mine(e.Partition) {
			continue
		}
		if err := s.Entry(e); err != nil {
			t.Fatal(err)
		}
		if spill && i%50 == 0 {
			if err := s.spill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if _, err := w.Pack(t.Context(), &b, []byte("head")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func anyHead([]byte) error { return nil }

// TestSharesMakeTheSame: some partitions' entries by way of shares, the others' directly, make
// the rows that all of them make directly.
func TestSharesMakeTheSame(t *testing.T) {
	entries := randomEntries(scaled(3000))
	want := ""
	for among := range 4 { // 0: no shares; else one part of the last of them is not shared
		path := filepath.Join(t.TempDir(), "x.db")
		w, err := Create(filepath.Dir(path), Options{Schema: testSchema(t), Resolver: newOwners()})
		if err != nil {
			t.Fatal(err)
		}
		for k := range among {
			share := shareOf(t, shuffled(entries, uint64(k)), func(p int) bool { return p != 7 && p%among == k }, k%2 == 0)
			if err := w.Unpack(t.Context(), bytes.NewReader(share), int64(len(share)), func(head []byte) error {
				if string(head) != "head" {
					t.Errorf("the head is %q", head)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		s := w.Shard()
		for _, e := range entries {
			if among == 0 || e.Partition == 7 {
				if err := s.Entry(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Finish(context.Background(), path, Meta{Source: "x"}); err != nil {
			t.Fatal(err)
		}
		got := dump(t, path)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("other rows with %d shares", among)
		}
		onlyFile(t, filepath.Dir(path), "x.db")
	}
}

// TestBadShares: a share is refused as a whole if any of it is not as it should be, and what
// else the writer has makes the database.
func TestBadShares(t *testing.T) {
	entries := randomEntries(200)
	whole := shareOf(t, entries, func(p int) bool { return p%2 == 0 }, false)
	other := shareOf(t, entries, func(p int) bool { return p%2 == 1 }, false)
	plain := unzstd(t, whole)
	refuse := errors.New("not this one")
	for name, tc := range map[string]struct {
		share  []byte
		accept func([]byte) error
		want   string
	}{
		"cut":            {whole[:len(whole)-5], anyHead, ""},
		"no zstd":        {plain, anyHead, ""},
		"empty":          {nil, anyHead, "not a share"},
		"another mark":   {zstdOf(t, append([]byte("x"), plain[1:]...)), anyHead, "not a share"},
		"refused":        {whole, func([]byte) error { return refuse }, refuse.Error()},
		"more":           {zstdOf(t, append(bytes.Clone(plain), 1)), anyHead, "more behind its end"},
		"two frames":     {append(bytes.Clone(whole), whole...), anyHead, "more behind its end"},
		"less":           {zstdOf(t, plain[:len(plain)-3]), anyHead, "not a share"},
		"another number": {zstdOf(t, append(bytes.Clone(plain[:len(plain)-1]), plain[len(plain)-1]^1)), anyHead, "rows and says"},
		"words twice":    {whole, anyHead, "come twice"}, // of a partition that the writer has words of
		"a bomb":         {zstdOf(t, append(bytes.Clone(plain[:len(shareMark)]), append([]byte{0xff, 0xff, 0xff, 0x0f}, make([]byte, 64<<20)...)...)), anyHead, "not a share"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			w, err := Create(filepath.Dir(path), Options{Schema: testSchema(t), Resolver: newOwners()})
			if err != nil {
				t.Fatal(err)
			}
			if name == "words twice" {
				if err := w.Unpack(t.Context(), bytes.NewReader(whole), int64(len(whole)), anyHead); err != nil {
					t.Fatal(err)
				}
			}
			err = w.Unpack(t.Context(), bytes.NewReader(tc.share), int64(len(tc.share)), tc.accept)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %v, want one of %q", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "share of a dissection") != 1) {
				t.Errorf("the error is %q, want one line that says once what is wrong with what", err)
			}
			if err := w.Unpack(t.Context(), bytes.NewReader(other), int64(len(other)), anyHead); err != nil {
				t.Fatal(err)
			}
			if err := w.Finish(context.Background(), path, Meta{Source: "x"}); err != nil {
				t.Error(err)
			}
			onlyFile(t, filepath.Dir(path), "x.db")
		})
	}
}

func zstdOf(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

func unzstd(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out, err := z.DecodeAll(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mutants are shares, unpacked, that differ from a sound one in some bits.
func mutants(t testing.TB, n int) (plain []byte, out [][]byte) {
	t.Helper()
	plain = unzstd(t, shareOf(t, randomEntries(5), func(int) bool { return true }, false))
	rng := rand.New(rand.NewPCG(3, 4))
	for range n {
		b := bytes.Clone(plain)
		for range 1 + rng.IntN(3) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		out = append(out, b)
	}
	return plain, out
}

// TestMutatedShares: a share of any content is refused, or makes a database that SQLite finds
// sound.
func TestMutatedShares(t *testing.T) {
	schema := testSchema(t)
	plain, list := mutants(t, scaled(200))
	taken := 0
	for _, b := range append(list, plain) {
		share := zstdOf(t, b)
		path := filepath.Join(t.TempDir(), "x.db")
		w, err := Create(filepath.Dir(path), Options{Schema: schema, Resolver: newOwners()})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Unpack(t.Context(), bytes.NewReader(share), int64(len(share)), anyHead); err != nil {
			if err := w.Abort(); err != nil {
				t.Error(err)
			}
			continue
		}
		taken++
		if err := w.Finish(t.Context(), path, Meta{Source: "x"}); err != nil {
			t.Fatal(err)
		}
		dump(t, path) // with SQLite's integrity check
	}
	if taken < 2 || taken > len(list) {
		t.Errorf("%d of %d were taken", taken, len(list)+1)
	}
}

// FuzzShare: a share of any content is refused, or has rows that are taken.
func FuzzShare(f *testing.F) {
	plain, list := mutants(f, 20)
	for _, b := range append(list, plain) {
		f.Add(b)
	}
	schema := testSchema(f)
	f.Fuzz(func(t *testing.T, plain []byte) {
		w := &Writer{dir: t.TempDir(), opts: Options{Schema: schema}}
		share := zstdOf(t, plain)
		if err := w.Unpack(t.Context(), bytes.NewReader(share), int64(len(share)), anyHead); err != nil {
			return
		}
		sources, err := w.sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		filler := newFiller(schema, newOwners(), memoryTables(t))
		if err := merge(t.Context(), sources, filler.row); err != nil {
			t.Error(err)
		}
	})
}
