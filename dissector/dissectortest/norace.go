//go:build !race

package dissectortest

// Part is of how many trials one is made where all are.
const Part = 1

// slower is how many times as slow the program is as the one that people run.
const slower = 1
