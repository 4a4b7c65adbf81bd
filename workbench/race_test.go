//go:build race

package workbench

// stride is of how many captures one is taken where all are tried: the race
// detector makes each ten times as slow, and without it all are.
const stride = 12
