package dissectortest

import (
	"runtime/metrics"
	"testing"
	"time"
)

// What a parser may take for one input of a fuzz target.
const (
	// MaxFuzzed is how many bytes it may allocate: more than a connection may ever hold.
	MaxFuzzed = 64 << 20
	// maxFuzzing is how long it may compute.
	maxFuzzing = time.Second * slower
)

// Bounded is called at the beginning of what a fuzz target does with an input, and what
// it returns at the end: it fails if more than MaxFuzzed was allocated in between, or more
// than maxFuzzing computed. It counts the time that the processors worked and not that of
// the clock, so that a machine with other things to do fails nothing. What never ends is
// ended by the engine, after ten seconds.
func Bounded(t *testing.T) (end func()) {
	before, began := allocated(), computed()
	return func() {
		if n := allocated() - before; n > MaxFuzzed {
			t.Errorf("%d MiB were allocated for one input", n>>20)
		}
		if d := computed() - began; d > maxFuzzing {
			t.Errorf("one input took %v of the processors, more than %v", d, maxFuzzing)
		}
	}
}

// allocated returns how many bytes the program has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
