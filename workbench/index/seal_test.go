package index

import (
	"context"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// sealed builds a database of some pages that has its checksum.
func sealed(t *testing.T) string {
	t.Helper()
	path := build(t, Options{Resolver: newOwners()}, 1, Meta{}, randomEntries(2000)...)
	if ok, err := checkSeal(path); err != nil || !ok {
		t.Fatal("a finished file has no checksum", err)
	}
	return path
}

// overwrite changes n bytes at an offset.
func overwrite(t *testing.T, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, rng := make([]byte, n), rand.New(rand.NewPCG(uint64(at), 1))
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= byte(1 + rng.IntN(255))
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestEveryChangedByteIsFoundOut(t *testing.T) {
	path := sealed(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range scaled(60) {
		at := pageSize + rng.IntN(len(whole)-pageSize-sealSize)
		overwrite(t, path, int64(at), 1)
		db, err := Open(path, testSchema(t))
		if err == nil {
			db.Close()
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "shark dissect") {
			t.Errorf("byte %d of %d: %v", at, len(whole), err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openTest(t, path)
}

func TestSQLiteReadsASealedFile(t *testing.T) {
	path := build(t, Options{}, 1, Meta{}, randomEntries(50)...)
	before := dump(t, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := seal(f, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if ok, err := checkSeal(path); err != nil || !ok {
		t.Errorf("sealed again: %v %v", ok, err)
	}
	if after := dump(t, path); after != before { // with an integrity check
		t.Error("sealing has changed what SQLite reads")
	}
}

func TestChecksumsAreJoined(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 100, 1000, pageSize, 100_001} {
		b := make([]byte, 500+n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		front, back := crc32.Checksum(b[:500], castagnoli), crc32.Checksum(b[500:], castagnoli)
		if got, want := joined(front, back, int64(n)), crc32.Checksum(b, castagnoli); got != want {
			t.Errorf("with %d bytes: %08x, want %08x", n, got, want)
		}
	}
}

// Whoever changes an index with SQLite makes the checksum void: then there is
// SQLite's own check.
func TestASealedFileThatSQLiteChanged(t *testing.T) {
	path := sealed(t)
	alter(t, path, `UPDATE entries SET summary = 'x'`)
	if ok, err := checkSeal(path); ok || err != nil {
		t.Fatalf("%v %v: the checksum counts still", ok, err)
	}
	openTest(t, path)
	overwrite(t, path, 40*pageSize, 100)
	if _, err := Open(path, testSchema(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged page: %v", err)
	}
}

func TestDamageWhileReading(t *testing.T) {
	path := sealed(t)
	db := openTest(t, path)
	size := int64(pageSize * 10)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Count(context.Background(), nil, QueryOptions{From: start + 1}); !errors.Is(err, ErrDamaged) {
		t.Errorf("counted: %v", err)
	}
	if _, err := db.Packets(context.Background(), 1, 2, 3); !errors.Is(err, ErrDamaged) {
		t.Errorf("packets: %v", err)
	}
}
