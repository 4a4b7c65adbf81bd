//go:build unix

package dissectortest

import (
	"testing"
	"time"
)

// What bounds fuzzing counts work: waiting is none.
func TestComputedIsWork(t *testing.T) {
	before := computed()
	<-time.After(50 * time.Millisecond)
	if d := computed() - before; d > 40*time.Millisecond {
		t.Errorf("%v were computed in waiting", d)
	}
	before = computed()
	for end := time.Now().Add(10 * time.Second); computed()-before < 20*time.Millisecond; {
		if time.Now().After(end) {
			t.Fatalf("%v were computed in ten seconds of work", computed()-before)
		}
	}
}
