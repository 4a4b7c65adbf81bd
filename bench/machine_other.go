//go:build !linux && !darwin

package main

import "time"

// freeDisk returns nothing: the system does not tell.
func freeDisk(string) (bytes int64, known bool) { return 0, false }

var begun = time.Now()

// processTime returns the time since the program began: the system tells nothing
// better.
func processTime() time.Duration { return time.Since(begun) }
