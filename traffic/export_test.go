package traffic

// Gzipped is for tests that read what it packs.
func Gzipped(b []byte) []byte { return gzipped(b) }
