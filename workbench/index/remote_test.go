package index

import (
	"context"
	"encoding/json"
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

func (e *elsewhere) Ahead(context.Context, [][2]int64) error { return e.fail }

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
	if _, err := Gather(t.Context(), path, ordered); err != nil {
		t.Fatal(err)
	}
	again := must(Open(ordered, schema))(t)
	defer again.Close()
	far := &elsewhere{data: must(os.ReadFile(ordered))(t)}
	there := must(OpenAt(t.Context(), far, nil, schema))(t)
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
	if _, err := Gather(t.Context(), path, ordered); err == nil {
		t.Error("a file that is there was written over")
	}

	// Why reading failed is told, and the next question is answered.
	why := errors.New("the network is down")
	far.fail = why
	fresh := &elsewhere{data: far.data, fail: why}
	if _, err := OpenAt(t.Context(), fresh, nil, schema); !errors.Is(err, why) {
		t.Errorf("opened without a network: %v", err)
	}
	cold := must(OpenAt(t.Context(), &elsewhere{data: far.data}, nil, schema))(t)
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
		if db, err := OpenAt(t.Context(), &elsewhere{data: bad}, nil, schema); !errors.Is(err, ErrNotIndex) {
			t.Errorf("%s: %v, %v", name, db, err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 { // whatever it holds, asking it ends
		bad := append([]byte(nil), data...)
		for range 1 + rng.IntN(20) {
			bad[rng.IntN(len(bad))] = byte(rng.Uint32())
		}
		db, err := OpenAt(t.Context(), &elsewhere{data: bad}, nil, schema)
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

// paged is a file far away of which only parts are there: its first bytes, as when it was
// opened, and what was read ahead.
type paged struct {
	elsewhere
	there  map[int64]bool // pages
	rounds int            // of Ahead that read something
	misses []int64        // pages that nobody had read
}

func (p *paged) fetch(from, to int64) (some bool) {
	for i := from / pageSize; i*pageSize < min(to, p.Size()); i++ {
		some = some || !p.there[i]
		p.there[i] = true
	}
	return some
}

func (p *paged) Ahead(_ context.Context, ranges [][2]int64) error {
	some := false
	for _, r := range ranges {
		some = p.fetch(r[0], r[1]) || some
	}
	if some {
		p.rounds++
	}
	return nil
}

func (p *paged) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if p.fetch(at, at+int64(len(b))) {
		p.misses = append(p.misses, at/pageSize+1)
	}
	return p.elsewhere.ReadAt(ctx, b, at)
}

// With its guide a database answers a question about a time from what is read in two
// rounds, and reads little of the rest; a guide that is wrong costs time, not answers.
func TestGuidedFromAfar(t *testing.T) {
	schema := testSchema(t)
	path := build(t, Options{Schema: schema}, 2, Meta{Source: "x", Version: "v"}, randomEntries(scaled(12_000))...)
	here := must(Open(path, schema))(t)
	defer here.Close()
	ordered := filepath.Join(t.TempDir(), "ordered.db")
	text := must(Gather(t.Context(), path, ordered))(t)
	if len(text) > maxGuide/2 || len(readGuide(text).Times) == 0 {
		t.Fatalf("the guide is %.200s", text)
	}
	data := must(os.ReadFile(ordered))(t)
	m := here.Meta()
	span := m.Last - m.First
	window := QueryOptions{From: m.First + span/2, To: m.First + span/2 + span/20}
	want := must(idsOf(t, here, window))(t)
	if len(want) == 0 {
		t.Fatal("there is nothing in the window")
	}
	wrong := readGuide(text)
	for i := range wrong.Times {
		wrong.Times[i][1] += span / 3
	}
	for name, guide := range map[string][]byte{"right": text, "wrong": must(json.Marshal(wrong))(t), "absurd": []byte(`{"common":[[-5,1e18]],"rows":{"entries":[[9,8],[7,-6]]},"times":[[5,1],[4,0]]}`), "none": nil, "nonsense": []byte("{")} {
		far := &paged{elsewhere: elsewhere{data: data}, there: make(map[int64]bool)}
		far.fetch(0, 64*pageSize)
		far.fetch(far.Size()-32*pageSize, far.Size())
		db := must(OpenAt(t.Context(), far, guide, schema))(t)
		got := must(idsOf(t, db, window))(t)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, not %d", name, len(got), len(want))
		}
		for _, at := range []int64{m.First - 5, m.First, m.First + span/7, m.Last, m.Last + 5} {
			o := QueryOptions{From: at, Limit: 50}
			if got, want := must(idsOf(t, db, o))(t), must(idsOf(t, here, o))(t); !slices.Equal(got, want) {
				t.Errorf("%s: from %d on %d entries, not %d", name, at, len(got), len(want))
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if name != "right" {
			continue
		}
		far = &paged{elsewhere: elsewhere{data: data}, there: make(map[int64]bool)}
		far.fetch(0, 64*pageSize)
		far.fetch(far.Size()-32*pageSize, far.Size())
		db = must(OpenAt(t.Context(), far, guide, schema))(t)
		http := compile(t, newEnv(t, schema), "http")
		if got, want := ids(t, db, http, window), ids(t, here, http, window); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%d entries, not %d", len(got), len(want))
		}
		pages := len(data) / pageSize // of a small database all are read at first
		if far.rounds > 2 || len(far.misses) > 0 || len(far.there) > max(64+32, pages*9/10) {
			t.Errorf("%d rounds, then pages %d, of %d pages of %d", far.rounds, far.misses, len(far.there), pages)
		}
	}
}
