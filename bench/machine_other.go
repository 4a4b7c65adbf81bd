//go:build !linux && !darwin

package main

// freeDisk returns nothing: the system does not tell.
func freeDisk(string) (bytes int64, known bool) { return 0, false }
