package workbench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// TestFollowedDigest dissects files that are read for the first time, whose digest is
// worked out of what the dissection reads of them. A copy of each, which is read through
// for its digest, is known then: both are the same.
func TestFollowedDigest(t *testing.T) {
	plain := must(os.ReadFile("../testdata/http/server.pcap"))(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	must(z.Write(plain))(t)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"plain":             plain,
		"cut in a packet":   plain[:len(plain)-5],
		"rest is no packet": append(bytes.Clone(plain), bytes.Repeat([]byte{0xff}, 3<<20)...),
		"packed":            packed.Bytes(),
		"packed and cut":    packed.Bytes()[:packed.Len()/2],
		"packed and more":   append(bytes.Clone(packed.Bytes()), bytes.Repeat([]byte{0}, 3<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			w, dir := newBench(t), t.TempDir()
			for i, file := range []string{"a.pcap", "b.pcap"} {
				path := filepath.Join(dir, file)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				if d := dissect(t, w, DissectOptions{}, path); d.Cached != (i == 1) || d.Entries == 0 {
					t.Errorf("%s: cached: %v, %d entries", file, d.Cached, d.Entries)
				}
			}
		})
	}
}
