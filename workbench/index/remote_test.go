package index

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"shark/dissector"
)

// elsewhere is a file in memory that is read as one that is far away.
type elsewhere struct {
	data []byte
	fail error // of all reads; nil: none
	wait bool  // for the end of the context
}

func (e *elsewhere) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if e.wait {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if e.fail != nil {
		return 0, e.fail
	}
	if at >= int64(len(e.data)) {
		return 0, io.EOF
	}
	n := copy(p, e.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (e *elsewhere) Size() int64    { return int64(len(e.data)) }
func (e *elsewhere) String() string { return "far://away" }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// idsOf lists all entries.
func idsOf(t *testing.T, db *DB, o QueryOptions) (list []int64, err error) {
	t.Helper()
	for r, err := range db.Query(t.Context(), nil, o) {
		if err != nil {
			return list, err
		}
		list = append(list, r.ID())
	}
	return list, nil
}

// A database that was put in order and is read from afar answers as it did.
func TestGatheredFromAfar(t *testing.T) {
	schema := testSchema(t)
	path := build(t, Options{Schema: schema}, 2, Meta{Source: "x", Version: "v"}, randomEntries(3000)...)
	here := must(Open(path, schema))(t)
	defer here.Close()
	ordered := filepath.Join(t.TempDir(), "ordered.db")
	if err := Gather(t.Context(), path, ordered); err != nil {
		t.Fatal(err)
	}
	again := must(Open(ordered, schema))(t)
	defer again.Close()
	far := &elsewhere{data: must(os.ReadFile(ordered))(t)}
	there := must(OpenAt(t.Context(), far, schema))(t)
	defer there.Close()
	want := must(idsOf(t, here, QueryOptions{}))(t)
	for name, db := range map[string]*DB{"in order": again, "from afar": there} {
		if got := must(idsOf(t, db, QueryOptions{}))(t); len(got) != 3000 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d entries", name, len(got))
		}
		if !reflect.DeepEqual(db.Meta(), here.Meta()) {
			t.Errorf("%s: says of itself %+v", name, db.Meta())
		}
	}
	if err := Gather(t.Context(), path, ordered); err == nil {
		t.Error("a file that is there was written over")
	}

	// Why reading failed is told, and the next question is answered.
	why := errors.New("the network is down")
	far.fail = why
	fresh := &elsewhere{data: far.data, fail: why}
	if _, err := OpenAt(t.Context(), fresh, schema); !errors.Is(err, why) {
		t.Errorf("opened without a network: %v", err)
	}
	cold := must(OpenAt(t.Context(), &elsewhere{data: far.data}, schema))(t)
	defer cold.Close()
	cold.file.(*elsewhere).fail = why
	for _, s := range cold.idle { // what they hold of the file is not read again
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	cold.idle = nil
	if _, err := idsOf(t, cold, QueryOptions{}); !errors.Is(err, why) {
		t.Errorf("asked without a network: %v", err)
	}
	cold.file.(*elsewhere).fail = nil
	if got := must(idsOf(t, cold, QueryOptions{}))(t); len(got) != 3000 {
		t.Errorf("then %d entries", len(got))
	}

	// So does the end of the context, though SQLite waits for a read.
	cold.file.(*elsewhere).wait = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for range 2 {
		s := cold.idle
		cold.idle = nil
		for _, x := range s {
			if err := x.close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range cold.Query(ctx, nil, QueryOptions{}) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("interrupted: %v", err)
			}
		}
	}
	if n := len(remotes.open); n > len(there.idle)+len(cold.idle) {
		t.Errorf("%d files are still known", n)
	}
}

// What is no index database is refused from afar, too.
func TestHostileFromAfar(t *testing.T) {
	schema := testSchema(t)
	path := build(t, Options{Schema: schema}, 1, Meta{}, randomEntries(100)...)
	data := must(os.ReadFile(path))(t)
	for name, bad := range map[string][]byte{
		"nothing": nil, "a header": data[:100], "half": data[:len(data)/2], "more": append(data[:len(data):len(data)], 0),
		"zeros": make([]byte, len(data)), "text": []byte("SQLite format 3\x00 and no more"),
	} {
		if db, err := OpenAt(t.Context(), &elsewhere{data: bad}, schema); !errors.Is(err, ErrNotIndex) {
			t.Errorf("%s: %v, %v", name, db, err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 { // whatever it holds, asking it ends
		bad := append([]byte(nil), data...)
		for range 1 + rng.IntN(20) {
			bad[rng.IntN(len(bad))] = byte(rng.Uint32())
		}
		db, err := OpenAt(t.Context(), &elsewhere{data: bad}, schema)
		if err != nil {
			continue
		}
		_, _ = idsOf(t, db, QueryOptions{})
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The first entry of a time is found, however unevenly entries come.
func TestFirstEntryOfATime(t *testing.T) {
	schema := testSchema(t)
	p := schema.protocols[0]
	rng := rand.New(rand.NewPCG(7, 7))
	for name, next := range map[string]func(i int, at int64) int64{
		"evenly":      func(_ int, at int64) int64 { return at + 1000 },
		"at once":     func(_ int, at int64) int64 { return at },
		"in bursts":   func(i int, at int64) int64 { return at + int64(i/100%2)*int64(rng.IntN(1_000_000)) },
		"ever faster": func(i int, at int64) int64 { return at + int64(1e9)/int64(i*i+1) },
		"ever slower": func(i int, at int64) int64 { return at + int64(i*i) },
	} {
		t.Run(name, func(t *testing.T) {
			const n = 1000
			var entries []*dissector.Entry
			var times []int64
			at := int64(1_000_000)
			for i := range n {
				at = next(i, at)
				entries, times = append(entries, call(p, at, uint64(i+1))), append(times, at)
			}
			db := openTest(t, build(t, Options{Schema: schema}, 1, Meta{}, entries...))
			s := must(db.session(t.Context()))(t)
			defer db.release(s)
			asked := []int64{0, 1, times[0], times[n-1], times[n-1] + 1, 1 << 62}
			for range 300 {
				asked = append(asked, times[rng.IntN(n)]+int64(rng.IntN(3))-1)
			}
			for _, ts := range asked {
				want, _ := slices.BinarySearch(times, ts)
				if got := must(db.firstAt(s.conn, ts))(t); got != int64(want)+1 {
					t.Fatalf("of %d: %d, want %d", ts, got, want+1)
				}
			}
		})
	}
}
