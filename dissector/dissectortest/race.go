//go:build race

package dissectortest

// Part is of how many variants and strangers one is tried where all are: the race detector
// makes each ten times as slow, and without it make test tries all.
const Part = 8

// slower is how many times as slow the program is as the one that people run.
const slower = 10
