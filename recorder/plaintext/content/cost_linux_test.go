package content_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// TestCost prints what the look at each read and write costs a server on a kept connection with
// tiny answers, the worst case, in pairs of runs with and without. In a virtual machine whose
// host steps single instructions for it, a probe costs some thirty times what it does elsewhere:
// the ratio is printed, not asserted.
func TestCost(t *testing.T) {
	bpftest.Root(t, "nginx")
	env, ssl := ownSSL(t, "nginx")
	n := startNginx(t, env)
	worker := worker(t, filepath.Join(n.dir, "pid"))
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(n.cert)
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(pem)
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(c.CloseIdleConnections)
	const requests = 500
	cost := func() float64 {
		before := consumed(t, worker)
		for range requests {
			resp, err := c.Get(fmt.Sprintf("https://127.0.0.1:%d/hello", n.port))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return float64(consumed(t, worker)-before) / requests / 1000
	}
	r := record(t, content.Options{})
	cost() // the first run is nobody's
	var without, with []float64
	for range 5 {
		without = append(without, cost())
		a := r.open(ssl, object.OpenSSL)
		with = append(with, cost())
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(without)
	slices.Sort(with)
	s, err := r.Status()
	if err != nil {
		t.Fatal(err)
	}
	if s.Writes < 5*requests {
		t.Errorf("%d writes were seen of %d", s.Writes, 5*requests)
	}
	t.Logf("CPU of nginx per request, medians of 5: %.0f µs without, %.0f µs with: %.2f times", without[2], with[2], with[2]/without[2])
}

// worker is the process of nginx that answers.
func worker(t *testing.T, pidFile string) string {
	t.Helper()
	p := strings.TrimSpace(bpftest.File(t, pidFile)) // which nginx writes after it listens
	var child string
	bpftest.Until(t, "nginx has a worker", func() bool {
		b, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children")
		child = strings.TrimSpace(string(b))
		return err == nil && child != ""
	})
	return child
}

// consumed is a process's CPU time in nanoseconds.
func consumed(t *testing.T, pid string) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/" + pid + "/schedstat")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}
