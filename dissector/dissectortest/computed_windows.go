package dissectortest

import "time"

var start = time.Now()

// computed returns how long the program has run: the time that the processors worked
// for it is not known here.
func computed() time.Duration { return time.Since(start) }
