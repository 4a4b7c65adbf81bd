//go:build race

package main

// repeats is how many times the large capture has the small one: 2 MB, since the race
// detector makes all of it slow.
const repeats = 40
