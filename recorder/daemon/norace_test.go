//go:build !race

package daemon

const (
	slow     = false
	fullRate = 50_000
)
