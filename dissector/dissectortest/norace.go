//go:build !race

package dissectortest

// Part is of how many trials one is made where all are.
const Part = 1
