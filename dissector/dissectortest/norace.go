//go:build !race

package dissectortest

const part = 1
