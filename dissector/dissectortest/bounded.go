package dissectortest

import (
	"runtime/metrics"
	"testing"
)

// MaxFuzzed is how many bytes a parser may allocate for one input of a fuzz target:
// more than a connection may ever hold.
const MaxFuzzed = 64 << 20

// Bounded is called at the beginning of what a fuzz target does with an input, and what
// it returns at the end: it fails if more than MaxFuzzed was allocated in between. That
// an input takes too long is seen by the engine, which gives a second.
func Bounded(t *testing.T) (end func()) {
	before := allocated()
	return func() {
		if n := allocated() - before; n > MaxFuzzed {
			t.Errorf("%d MiB were allocated for one input", n>>20)
		}
	}
}

// allocated returns how many bytes the program has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
