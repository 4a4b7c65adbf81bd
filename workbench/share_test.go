package workbench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"shark/packet/pcapng"
	"shark/packet/pcapng/every"
	"shark/snapshot"
)

// room is a capture without packets, with which a snapshot has several parts.
func room(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "room.pcapng")
	must(0, every.Room(path, 72))(t)
	return path
}

// seenByTwo imports what two nodes saw of the same and of other packets, with TLS and its secrets.
func seenByTwo(t *testing.T, w *Workbench) *snapshot.Manifest {
	t.Helper()
	return importSnapshot(t, w, snapshot.ImportOptions{Name: "outage", Identity: "../testdata/shop/identity.jsonl", Files: []string{
		"a=../testdata/shop/shop.pcapng.zst", "b=../testdata/shop/shop.pcapng.zst", "b=../testdata/http/server.pcap", "a=" + large(t, pcapng.Pcapng, 0),
		"a=../testdata/tlsx/clear_of_suites.pcapng", "a=" + room(t),
	}})
}

// TestShares: what several machines dissected, each a share of the parts, makes the database
// that one makes: all tables are the same, but for the note that tells of the shares, and so are
// all pages but those of the note and of the sum at the end.
func TestShares(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	m := seenByTwo(t, w)
	whole := must(open(t, w, m.ID).Dissect(t.Context(), DissectOptions{}))(t).Path
	want := contents(t, whole)
	for _, among := range []int{1, 2, 5, 56} {
		t.Run(fmt.Sprint(among), func(t *testing.T) {
			store := w.cfg.Store
			fresh := func() *Workbench { return newBench(t, func(c *Config) { c.Store = store }) }
			defer func() {
				for _, path := range shareFiles(t, w, m) {
					must(0, os.Remove(path))(t)
				}
			}()
			parts, made := 0, 0
			for k := among; k > 0; k-- {
				d := must(open(t, fresh(), m.ID).DissectShare(t.Context(), k, among))(t)
				if parts += d.Parts; d.Before != (d.Parts == 0) || d.Whole {
					t.Errorf("share %d: %+v", k, d)
				}
				if d.Parts > 0 {
					made++
				}
				if again := must(open(t, fresh(), m.ID).DissectShare(t.Context(), k, among))(t); !again.Before || again.Path != d.Path {
					t.Errorf("share %d again: %+v, the first time %+v", k, again, d)
				}
			}
			d := must(open(t, fresh(), m.ID).Dissect(t.Context(), DissectOptions{}))(t)
			if got := contents(t, d.Path); got != want {
				t.Error(firstDifference([]byte(got), []byte(want)))
			}
			if pages := otherPages(t, d.Path, whole); pages > 3 {
				t.Errorf("%d pages are others", pages)
			}
			if note := strings.Join(d.Coverage.Notes, "\n"); !strings.Contains(note, "made of "+Count(int64(made), "shares")) {
				t.Errorf("of %d shares the coverage says:\n%s", made, note)
			}
		})
	}
}

// shareFiles are the shares that lie beside a snapshot.
func shareFiles(t *testing.T, w *Workbench, m *snapshot.Manifest) []string {
	return must(filepath.Glob(filepath.Join(w.cfg.Store, m.ID, "dissections", "*", "shares", "*")))(t)
}

// otherPages counts the pages in which two databases of one size differ.
func otherPages(t *testing.T, a, b string) (n int) {
	const page = 4096
	x, y := must(os.ReadFile(a))(t), must(os.ReadFile(b))(t)
	if len(x) != len(y) {
		t.Fatalf("%d bytes, not %d", len(x), len(y))
	}
	for at := 0; at < len(x); at += page {
		if !bytes.Equal(x[at:min(at+page, len(x))], y[at:min(at+page, len(y))]) {
			n++
		}
	}
	return n
}

// contents is all that the tables of an index hold, without what tells of shares.
func contents(t *testing.T, path string) string {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var tables []string
	list := func(q string, f func(s *sqlite.Stmt)) {
		err := sqlitex.ExecuteTransient(conn, q, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error { f(s); return nil }})
		if err != nil {
			t.Fatal(err)
		}
	}
	list(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`, func(s *sqlite.Stmt) { tables = append(tables, s.ColumnText(0)) })
	var b strings.Builder
	for _, name := range tables {
		list(`SELECT * FROM "`+name+`"`, func(s *sqlite.Stmt) {
			b.WriteString(name)
			for i := range s.ColumnCount() {
				fmt.Fprintf(&b, " %q", s.ColumnText(i))
			}
			b.WriteByte('\n')
		})
	}
	text := b.String()
	if at := strings.Index(text, `\"shared\":`); at >= 0 {
		end := at + strings.Index(text[at+len(`\"shared\":`)+2:], `\",`) + len(`\"shared\":`) + 2 + len(`\",`)
		text = text[:at] + text[end:]
	}
	return text
}

// TestSharesMissing: whoever finds some of the shares dissects the rest, also where one was
// damaged or is another than it says; --no-fetch, another version and other options use none.
func TestSharesMissing(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	m := seenByTwo(t, w)
	path := must(open(t, w, m.ID).Dissect(t.Context(), DissectOptions{}))(t).Path
	want := contents(t, path)
	sameStore := func(c *Config) { c.Store = w.cfg.Store }
	for _, k := range []int{1, 3} {
		must(open(t, newBench(t, sameStore), m.ID).DissectShare(t.Context(), k, 3))(t)
	}
	dissect := func(t *testing.T, note string, change ...func(*Config)) {
		t.Helper()
		d := must(open(t, newBench(t, append(change, sameStore)...), m.ID).Dissect(t.Context(), DissectOptions{}))(t)
		if got := contents(t, d.Path); got != want && len(change) == 0 {
			t.Error(firstDifference([]byte(got), []byte(want)))
		}
		if notes := strings.Join(d.Coverage.Notes, "\n"); note == "" && strings.Contains(notes, "elsewhere") || !strings.Contains(notes, note) {
			t.Errorf("the coverage says:\n%s", notes)
		}
	}
	dissect(t, "made of 2 shares")
	dissect(t, "", func(c *Config) { c.NoFetch = true })
	dissect(t, "", func(c *Config) { c.Version = "other" })
	dissect(t, "", func(c *Config) { c.Memory = 1 << 20 })

	files := shareFiles(t, w, m)
	if len(files) != 2 {
		t.Fatalf("there are %q", files)
	}
	whole := must(os.ReadFile(files[0]))(t)
	for name, data := range map[string][]byte{
		"cut":     whole[:len(whole)-1],
		"changed": append(bytes.Clone(whole[:len(whole)/2]), append([]byte{whole[len(whole)/2] ^ 1}, whole[len(whole)/2+1:]...)...),
		"empty":   {},
		"longer":  append(bytes.Clone(whole), whole...),
		"another": must(os.ReadFile(files[1]))(t),
	} {
		t.Run(name, func(t *testing.T) {
			must(0, os.Chmod(files[0], 0o600))(t)
			must(0, os.WriteFile(files[0], data, 0o600))(t)
			dissect(t, "some of what was dissected of it elsewhere was not used")
			if v, err := w.VerifySnapshot(t.Context(), m.ID, snapshot.VerifyOptions{}); err == nil || !strings.Contains(err.Error(), "shares/") {
				t.Errorf("verify says %+v, %v", v, err)
			}
		})
	}
}

// TestSharesPublished: who publishes the index makes it of the shares, which go; and then
// there is nothing left to do for those who come late.
func TestSharesPublished(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	m := seenByTwo(t, w)
	for k := range 2 {
		must(open(t, w, m.ID).DissectShare(t.Context(), k+1, 2))(t)
	}
	d, published, err := open(t, w, m.ID).Publish(t.Context())
	if err != nil || !published {
		t.Fatal(d, published, err)
	}
	if left := shareFiles(t, w, m); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	away := newBench(t, func(c *Config) { c.Store = w.cfg.Store })
	if d := must(open(t, away, m.ID).DissectShare(t.Context(), 2, 2))(t); !d.Whole {
		t.Errorf("afterwards: %+v", d)
	}
	got := must(open(t, away, m.ID).Dissect(t.Context(), DissectOptions{}))(t)
	if notes := strings.Join(got.Coverage.Notes, "\n"); !got.Fetched || !strings.Contains(notes, "made of 2 shares") {
		t.Errorf("%+v", got)
	}
}
