package dissectortest

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

var update = flag.Bool("update", false, "rewrite golden files; read the difference before you keep it")

// rounds is how many random variants of each capture are tried.
const rounds = 200

// Run checks a protocol against the captures in testdata/<name> at the top of the
// module. carriers are the protocols it rides on or changes from, if any.
func Run(t *testing.T, p *dissector.Protocol, carriers ...*dissector.Protocol) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // trials leave much, and memory there is
	root := moduleRoot(t)
	protocols := append([]*dissector.Protocol{p}, carriers...)
	files := captures(t, filepath.Join(root, "testdata", p.Name))
	if len(files) == 0 {
		t.Fatalf("no captures in testdata/%s", p.Name)
	}
	all := collector{of: p, fields: make(map[*field.Field]bool), common: make(map[field.Common]bool)}
	var losses found
	for _, file := range files {
		recs := readCapture(t, file)
		opts := dissector.Options{Protocols: protocols, Secrets: secretsOf(t, file)}
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden(t, file, recs, opts, &all)
			variants(t, recs, opts)
			losses.add(loss(t, recs, opts))
			late(t, recs, opts)
			datagrams(t, p, recs, opts)
		})
	}
	t.Run("resync", func(t *testing.T) { resync(t, p, losses) })
	t.Run("fields", func(t *testing.T) { fields(t, p, &all) })
	t.Run("strangers", func(t *testing.T) { strangers(t, protocols, root) })
}

func moduleRoot(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// captures lists the capture files of a folder.
func captures(t testing.TB, dir string) []string {
	var out []string
	for _, pattern := range []string{"*.pcap", "*.pcapng"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, files...)
	}
	return out
}

// golden compares the calls with the file beside the capture.
func golden(t *testing.T, file string, recs []packet.Record, opts dissector.Options, all *collector) {
	run(t, recs, opts, all)
	calls, _ := dissect(t, recs, opts)
	got := texts(calls, true)
	name := strings.TrimSuffix(file, filepath.Ext(file)) + ".golden"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	diff(t, "golden", string(want), got)
}

// diff reports the first line that differs.
func diff(t *testing.T, what, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("%s: line %d differs\nwant %.400s\ngot  %.400s\n(%d and %d lines)", what, i+1, a, b, len(w), len(g))
		}
	}
}
