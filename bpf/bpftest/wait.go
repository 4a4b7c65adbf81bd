package bpftest

import (
	"os"
	"testing"
	"time"
)

// patience is how long a test waits for what is to happen.
const patience = 30 * time.Second

// Wait asks again and again until something is so, and returns whether it came to be.
func Wait(is func() bool) bool { return Within(patience, is) }

// Within is Wait for what takes longer than things do.
func Within(long time.Duration, is func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		if is() {
			return true
		}
	}
	return is()
}

// File waits for a file with something in it.
func File(t testing.TB, path string) (text string) {
	t.Helper()
	if !Wait(func() bool {
		b, err := os.ReadFile(path)
		text = string(b)
		return err == nil && text != ""
	}) {
		t.Fatalf("%s does not come", path)
	}
	return text
}

// Until waits for something, without which the test fails.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	if !Wait(is) {
		t.Fatalf("waited in vain until %s", what)
	}
}
