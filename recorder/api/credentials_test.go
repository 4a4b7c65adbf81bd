package api

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMadeCertificate: a certificate that was made stays, so that clients that know it by its
// fingerprint know the recorder after it begins again. One that cannot be read is said.
func TestMadeCertificate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certificate.pem")
	var sums []string
	for range 2 {
		if err := MakeCertificate(path, strings.Repeat("node", 40)); err != nil {
			t.Fatal(err)
		}
		c, err := newCertificate(path, path, "")
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, c.fingerprint())
	}
	if sums[0] != sums[1] {
		t.Errorf("fingerprints %v", sums)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeCertificate(path, "node"); err != nil {
		t.Fatal(err)
	}
	if _, err := newCertificate(path, path, ""); err == nil || !strings.HasPrefix(err.Error(), "certificate: ") {
		t.Error(err)
	}
}
