//go:build linux

package keylog

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/object"
)

// lines is a key log of crypto/tls.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// attach sets the probe of a file.
func attach(t *testing.T, s *Set, path string, number uint32) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	o, err := object.Inspect(f, st.Size())
	if err != nil || o.Point == 0 {
		t.Fatalf("%s: %+v, %v", path, o, err)
	}
	if err := s.Put(number, Place{Known: o.Library == object.Go}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Attach(f, o.Point, o.Library == object.Go, number)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// While nobody reads dumps and their ring overflows, which is counted, every secret comes: those
// that this process logs itself are the ones that the programs give.
func TestSecretsComeWhileDumpsOverflow(t *testing.T) {
	bpftest.Root(t, "openssl")
	libssl, err := filepath.Glob("/usr/lib/*/libssl.so.3")
	if err != nil || len(libssl) == 0 {
		bpftest.Missing(t, "libssl.so.3 is not installed")
	}
	dir := t.TempDir()
	b, err := os.ReadFile(libssl[0])
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "libssl.so.3") // which nobody else maps
	if err := os.WriteFile(copied, b, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		bpftest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	attach(t, s, copied, 1)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	attach(t, s, self, 2)

	given := make(map[string]int)
	done := make(chan error, 1)
	go func() {
		done <- s.ReadSecrets(func(e *Event) {
			if e.File == 2 && e.TGID == uint32(os.Getpid()) {
				given[fmt.Sprintf("%s %x %x", e.Label, e.Random, e.Secret)]++
			}
		})
	}()
	log := new(lines)
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{KeyLogWriter: log}
	server.StartTLS()
	defer server.Close()
	address := server.Listener.Addr().String()
	var clients sync.WaitGroup
	clients.Go(func() {
		for range 40 {
			cmd := exec.Command("openssl", "s_client", "-connect", address)
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", cmd, err, out)
			}
		}
	})
	for range 300 {
		d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}
		c, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	clients.Wait()
	server.Close()
	if err := s.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	for line := range strings.Lines(log.b.String()) {
		want[strings.TrimSpace(line)] = true
	}
	if len(want) < 340*4 || len(given) < len(want) {
		t.Errorf("%d secrets are given, %d were logged", len(given), len(want))
	}
	for line := range want {
		if given[line] == 0 {
			t.Errorf("not given: %s", line)
		}
	}
	c, err := s.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if c.DumpsFull == 0 || c.Dumps == 0 {
		t.Errorf("the ring of dumps did not overflow: %+v", c)
	}
	if c.Dumps+c.DumpsFull != 40*5 {
		t.Errorf("%d dumps and %d that found no room, want %d in all", c.Dumps, c.DumpsFull, 40*5)
	}
	if c.SecretsFull+c.NoFile+c.BadLabel+c.BadSecret+c.BadRandom+c.Denied != 0 {
		t.Errorf("secrets are missing: %+v", c)
	}
	dumps(t, s, c.Dumps)
}

// dumps reads what is in the ring of dumps.
func dumps(t *testing.T, s *Set, want uint64) {
	t.Helper()
	n := uint64(0)
	err := s.ReadDumps(func(d *Dump) {
		n++
		if d.File != 1 || d.Comm != "openssl" || d.Object == [ObjectSize]byte{} || d.Time <= 0 {
			t.Errorf("a dump of %+v", d.Event)
		}
		if len(d.Secret) < 32 || !strings.Contains(d.Label, "SECRET") {
			t.Errorf("a secret of %d bytes", len(d.Secret))
		}
	})
	if err != nil || n != want {
		t.Errorf("%d dumps, want %d: %v", n, want, err)
	}
}
