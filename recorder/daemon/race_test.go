//go:build race

package daemon

// The race detector makes a recorder take several times as long to start, and to record: what
// counts moments and packets does so without it, as make test does, too.
const (
	slow     = true
	fullRate = 5_000
)
