//go:build race

package snapshot

// part is of how many trials one is made where chance chooses them: the race detector makes
// each ten times as slow, and without it make test makes all.
const part = 8
