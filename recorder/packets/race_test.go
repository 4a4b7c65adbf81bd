//go:build race

package packets

// The race detector makes reading many times slower: there is room for all that is injected.
const captureRing, recordBuffer = 384 << 20, 384 << 20
