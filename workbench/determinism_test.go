package workbench

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"shark/packet/pcapng"
)

// TestEveryCapture: whoever does the work, and however often, the answer is the
// same to the byte: entries with all their fields, and coverage. And dissected
// once more, with its bytes kept, every entry is the one of the index.
func TestEveryCapture(t *testing.T) {
	t.Parallel()
	one := newBench(t, func(c *Config) { c.Workers = 1 })
	four := newBench(t, func(c *Config) { c.Workers = 4 })
	paths := make(chan string)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total, files := 0, 0
	for range 2 {
		wg.Go(func() {
			for path := range paths {
				n := compareWorkers(t, one, four, path)
				mu.Lock()
				total += n
				if n > 0 {
					files++
				}
				mu.Unlock()
			}
		})
	}
	for _, path := range sample(t) {
		paths <- path
	}
	close(paths)
	wg.Wait()
	t.Logf("%d entries of %d captures", total, files)
	if total < 500 {
		t.Errorf("%d entries are too few to say anything", total)
	}
}

// sample returns the captures to try: all, or one of stride, and then not the large one.
func sample(t *testing.T) (list []string) {
	for i, path := range all(t) {
		if i%stride == 0 && (stride == 1 || must(os.Stat(path))(t).Size() < 200_000) {
			list = append(list, path)
		}
	}
	return list
}

// TestEverythingAtOnce: the same of all captures as one, merged by time, with so
// little memory that connections are cut short.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	var refs []string
	for _, path := range sample(t) {
		if r, err := pcapng.Open(path); err == nil {
			r.Close()
			refs = append(refs, path)
		}
	}
	for _, memory := range []int64{0, 2 << 20} {
		var first []byte
		for _, workers := range []int{1, 4} {
			e := open(t, newBench(t, func(c *Config) { c.Workers, c.Memory = workers, memory }), refs...)
			got := must(entries(e, Query{}))(t)
			if first == nil {
				first = got
				rng := rand.New(rand.NewPCG(4, uint64(memory)))
				rows := rowsOf(t, e, "!conn && !flow")
				for range 50 {
					checkShown(t, e, "all", rows[rng.IntN(len(rows))])
				}
				t.Logf("%d captures, memory %d: %d entries, %d cut short by the limit", len(refs), memory, len(rows), len(ids(t, e, "evicted")))
			} else if !bytes.Equal(got, first) {
				t.Errorf("with %d workers the answer is another:\n%s", workers, firstDifference(got, first))
			}
		}
	}
}

// compareWorkers returns how many entries a capture has.
func compareWorkers(t *testing.T, one, four *Workbench, path string) int {
	var first []byte
	var coverage Coverage
	for i, w := range []*Workbench{one, four, four} {
		e, err := w.Open(t.Context(), []string{path}, OpenOptions{})
		if err != nil {
			t.Error(err)
			return 0
		}
		defer e.Close()
		d, err := e.Dissect(t.Context(), DissectOptions{Force: true})
		if errors.Is(err, pcapng.ErrFormat) {
			return 0
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return 0
		}
		got, err := entries(e, Query{})
		switch {
		case err != nil:
			t.Errorf("%s: %v", path, err)
		case i == 0:
			first, coverage = got, d.Coverage
			checkEntries(t, e, path)
		case !bytes.Equal(got, first):
			t.Errorf("%s: the answer of run %d is another:\n%s", path, i+1, firstDifference(got, first))
		case !reflect.DeepEqual(d.Coverage, coverage):
			t.Errorf("%s: the coverage of run %d is %v, not %v", path, i+1, d.Coverage, coverage)
		}
	}
	return bytes.Count(first, []byte("\n"))
}

// checkEntries shows some of the calls of a capture, of our own most of them, from
// its beginning to its end.
func checkEntries(t *testing.T, e *Evidence, path string) {
	some := 6
	if strings.HasPrefix(path, "../") {
		some = 15
	}
	rows := rowsOf(t, e, "!conn && !flow")
	for i := 0; i < len(rows); i += max(1, len(rows)/some) {
		checkShown(t, e, path, rows[i])
	}
}

// firstDifference returns the first line that differs.
func firstDifference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return string(a[i]) + "\nnot\n" + string(b[i])
		}
	}
	return "one is longer"
}
