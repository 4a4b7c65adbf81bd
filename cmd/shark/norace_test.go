//go:build !race

package main

// repeats is how many times the large capture has the small one: 10 MB.
const repeats = 200
