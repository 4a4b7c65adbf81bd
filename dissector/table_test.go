package dissector

import (
	"math/rand/v2"
	"testing"
)

// TestTable does to a table what it does to a Go map.
func TestTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var got table[int]
	want := make(map[uint64]*int)
	for step := range 200_000 {
		key := rnd.Uint64N(700)
		switch rnd.IntN(5) {
		case 0, 1:
			v := step
			got.put(key, &v)
			want[key] = &v
		case 2, 3:
			got.remove(key)
			delete(want, key)
		default:
			if got.get(key) != want[key] {
				t.Fatalf("step %d: key %d gives %v, want %v", step, key, got.get(key), want[key])
			}
		}
		if got.n != len(want) {
			t.Fatalf("step %d: %d kept, want %d", step, got.n, len(want))
		}
	}
	for v := range got.all {
		found := false
		for _, w := range want {
			found = found || v == w
		}
		if !found {
			t.Fatal("all yields what is not there")
		}
	}
	for key := range want {
		if got.get(key) != want[key] {
			t.Fatalf("at the end key %d gives %v, want %v", key, got.get(key), want[key])
		}
	}
}
