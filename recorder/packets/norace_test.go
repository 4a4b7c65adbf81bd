//go:build !race

package packets

// captureRing and recordBuffer do not hold all that is injected, but enough where the machine
// has other things to do meanwhile.
const captureRing, recordBuffer = 256 << 20, 256 << 20
