package client_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writePEM(t *testing.T, path string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wrongToken(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(path, []byte("another token that is as long"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// colons writes a fingerprint as openssl does.
func colons(fingerprint string) string {
	hex := strings.ToUpper(strings.TrimPrefix(fingerprint, "sha256:"))
	var parts []string
	for ; len(hex) > 0; hex = hex[2:] {
		parts = append(parts, hex[:2])
	}
	return strings.Join(parts, ":")
}
