package index

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// generated writes n random entries without keeping them.
func generated(t testing.TB, path string, n, memory int) {
	t.Helper()
	w, err := Create(filepath.Dir(path), Options{Schema: testSchema(t), Memory: memory, Resolver: newOwners()})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	rng := rand.New(rand.NewPCG(5, 6))
	sinks := []*Shard{w.Shard(), w.Shard()}
	for i := range n {
		e := random(rng, uint64(i+1))
		if err := sinks[e.Partition%2].Entry(e); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for _, s := range sinks {
		held += s.held
		for _, c := range append(s.chunks, s.free...) {
			held += cap(c)
		}
	}
	if limit := 2*max(w.opts.Memory, 2*minShard) + 4*chunkSize; held > limit {
		t.Errorf("the shards hold %d bytes, more than %d", held, limit)
	}
	if err := w.Finish(context.Background(), path, Meta{}); err != nil {
		t.Fatal(err)
	}
}

func TestManyRowsInBoundedMemory(t *testing.T) {
	n := scaled(300_000)
	path := filepath.Join(t.TempDir(), "x.db")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	generated(t, path, n, 4<<20)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("%d bytes are still held", grown)
	}
	db := openTest(t, path)
	got, err := db.Count(context.Background(), nil, QueryOptions{})
	if err != nil || got != int64(n) {
		t.Errorf("%d entries, %v; want %d", got, err, n)
	}
	last := int64(0)
	for row, err := range db.Query(context.Background(), nil, QueryOptions{Limit: 1000, From: start + 5e11}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.ID() <= last {
			t.Fatal("not in order")
		}
		last = row.ID()
	}
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "x.db")
		generated(b, path, 50_000, 0)
		if f, err := os.Stat(path); err == nil {
			b.ReportMetric(float64(f.Size())/50_000, "B/row")
		}
	}
	b.ReportMetric(50_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkEncode(b *testing.B) {
	w := &Writer{opts: Options{Schema: testSchema(b), Memory: 1 << 40}}
	s := w.Shard()
	entries := randomEntries(1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.enc.encode(entries[i%len(entries)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.db")
	const n = 50_000
	generated(b, path, n, 0)
	db := openTest(b, path)
	for _, expr := range []string{`status_code >= 700`, `path == "/nowhere"`, `map_get(request.headers, "host", "") == "x"`, `dst.pod.name == "x"`} {
		b.Run(expr, func(b *testing.B) {
			p := compile(b, newEnv(b, db.Schema()), expr)
			for b.Loop() {
				ids(b, db, p, QueryOptions{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
	b.Run("json", func(b *testing.B) {
		enc, buf := db.Schema().JSON(), []byte(nil)
		b.ReportAllocs()
		for b.Loop() {
			for row, err := range db.Query(context.Background(), nil, QueryOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				buf, _ = enc.Append(buf[:0], row)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
	})
}
