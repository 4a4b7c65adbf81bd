//go:build !race

package snapshot

const part = 1
