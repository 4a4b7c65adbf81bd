package workbench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/snapshot"
)

// TestAlteredCopy: a damaged copy of a snapshot has an index of its own, says that
// it is damaged, and does no harm to the healthy one.
func TestAlteredCopy(t *testing.T) {
	cache := t.TempDir()
	first := newBench(t, func(c *Config) { c.Store, c.Cache = t.TempDir(), cache })
	m, err := first.ImportSnapshot(t.Context(), snapshot.ImportOptions{Files: []string{"../testdata/http/server.pcap"}, Name: "web"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := newBench(t, func(c *Config) { c.Store, c.Cache = t.TempDir(), cache })
	if err := os.CopyFS(second.cfg.Store, os.DirFS(first.cfg.Store)); err != nil {
		t.Fatal(err)
	}
	var packets string
	for _, f := range must(filepath.Glob(filepath.Join(second.cfg.Store, m.ID, "nodes", "*", "packets.pcapng.zst")))(t) {
		packets = f
	}
	b := must(os.ReadFile(packets))(t)
	b[len(b)-1] ^= 0xff
	if err := os.Chmod(packets, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packets, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(w *Workbench) Coverage {
		e := open(t, w, "web")
		a, err := e.Query(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		return a.Coverage
	}
	bad := ask(second)
	if !bad.Partial || !strings.Contains(strings.Join(bad.Notes, "\n"), "its sum is another than the index says") {
		t.Errorf("the damaged copy: partial %v, notes %q", bad.Partial, bad.Notes)
	}
	if good := ask(first); good.Partial || good.Packets < bad.Packets {
		t.Errorf("the healthy one after it: partial %v, %d packets, %q", good.Partial, good.Packets, good.Notes)
	}
}
