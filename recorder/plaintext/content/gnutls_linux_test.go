package content_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// TestGnuTLS talks to an echo: what goes there is what comes back, at both ends, and each byte
// once, though GnuTLS's functions that send go over into each other.
func TestGnuTLS(t *testing.T) {
	bpftest.Root(t, "gnutls-serv", "gnutls-cli")
	serverDir, clientDir := t.TempDir(), t.TempDir()
	serverTLS := own(t, library(t, "gnutls-serv", "libgnutls.so.30"), serverDir)
	clientTLS := own(t, library(t, "gnutls-cli", "libgnutls.so.30"), clientDir)
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := port(t)
	start(t, []string{"LD_LIBRARY_PATH=" + serverDir}, "gnutls-serv", "--echo", "--port", fmt.Sprint(p), "--x509certfile", cert, "--x509keyfile", key)
	listening(t, fmt.Sprintf("127.0.0.1:%d", p))
	for _, tt := range []struct {
		name, version, file string
		client              bool
	}{
		{"client, TLS 1.3", "1.3", clientTLS, true},
		{"server, TLS 1.3", "1.3", serverTLS, false},
		{"client, TLS 1.2", "1.2", clientTLS, true},
		{"server, TLS 1.2", "1.2", serverTLS, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := record(t, content.Options{})
			r.attach(tt.file, object.GnuTLS)
			cmd := exec.Command("gnutls-cli", "--logfile=/dev/null", "--priority=NORMAL:-VERS-ALL:+VERS-TLS"+tt.version, "--x509cafile="+cert, "-p", fmt.Sprint(p), "127.0.0.1")
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+clientDir)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var sent bytes.Buffer
			seed := rand.New(rand.NewPCG(1, 2))
			for i := range 50 {
				line := fmt.Sprintf("%d %s\n", i, strings.Repeat(string(rune('a'+i%26)), seed.IntN(2000)))
				sent.WriteString(line)
				if _, err := io.WriteString(in, line); err != nil {
					t.Fatal(err)
				}
				back := make([]byte, len(line)) // one line after another, as people type
				if _, err := io.ReadFull(out, back); err != nil || string(back) != line {
					t.Fatalf("echo of %q is %q: %v", line, back, err)
				}
			}
			in.Close()
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			told := r.stop()
			if len(told.streams) != 2 {
				t.Fatalf("%d directions: %v", len(told.streams), told.order)
			}
			for at, s := range told.streams {
				if s.missing != 0 || !bytes.Equal(s.data, sent.Bytes()) {
					t.Errorf("%v: %d bytes, %d missing, of %d", at, len(s.data), s.missing, sent.Len())
				}
				if at.from.Port() != p && at.to.Port() != p {
					t.Errorf("%v has not the server's port %d", at, p)
				}
			}
			if s, err := r.Status(); err != nil || r.sink.lost != 0 || s.Unseen != 0 || tt.client && s.Unjoined != 0 {
				t.Errorf("lost %d; %+v, %v", r.sink.lost, s, err)
			}
		})
	}
}
