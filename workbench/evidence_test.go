package workbench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/snapshot/identity"
	"shark/workbench/index"
)

// copyOf copies a file and makes it look left alone for a day.
func copyOf(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	replace(t, to, must(os.ReadFile(path))(t), time.Now().Add(-24*time.Hour))
	return to
}

func replace(t testing.TB, path string, b []byte, modified time.Time) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, modified, modified)); err != nil {
		t.Fatal(err)
	}
}

// files lists all files in a folder and below.
func files(t testing.TB, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

func dissect(t testing.TB, w *Workbench, o DissectOptions, refs ...string) *Dissected {
	t.Helper()
	return must(open(t, w, refs...).Dissect(t.Context(), o))(t)
}

// TestCache: what has been dissected is not dissected again, under whatever name,
// until something changes that the answers depend on.
func TestCache(t *testing.T) {
	w := newBench(t)
	path := copyOf(t, "../testdata/http/server.pcap")
	first := dissect(t, w, DissectOptions{}, path)
	if first.Cached || first.Entries == 0 {
		t.Fatalf("%+v", first)
	}
	again := dissect(t, w, DissectOptions{}, path)
	if !again.Cached || again.Path != first.Path || again.Entries != first.Entries || again.Coverage.Packets != first.Coverage.Packets {
		t.Errorf("the second time: %+v, after %+v", again, first)
	}
	if d := dissect(t, w, DissectOptions{}, copyOf(t, path)); !d.Cached {
		t.Error("a copy is dissected anew")
	}
	if d := dissect(t, w, DissectOptions{Force: true}, path); d.Cached || d.Entries != first.Entries {
		t.Errorf("by force: %+v", d)
	}
	if d := dissect(t, w, DissectOptions{}, path, path); d.Cached {
		t.Error("twice the same file is taken for once")
	}
	for name, change := range map[string]func(*Config){
		"version": func(c *Config) { c.Version = "other" },
		"memory":  func(c *Config) { c.Memory = 1 << 20 },
	} {
		other := newBench(t, func(c *Config) { c.Cache = w.cfg.Cache }, change)
		if d := dissect(t, other, DissectOptions{}, path); d.Cached {
			t.Errorf("another %s is not dissected anew", name)
		}
	}
}

// TestChangedFile: the same name and size, other content.
func TestChangedFile(t *testing.T) {
	w := newBench(t)
	path := copyOf(t, "../testdata/http/server.pcap")
	before := must(entries(open(t, w, path), Query{}))(t)
	b := must(os.ReadFile(path))(t)
	b = bytes.ReplaceAll(b, []byte("/gzip"), []byte("/pizg"))
	replace(t, path, b, time.Now().Add(-time.Hour))
	after := must(entries(open(t, w, path), Query{}))(t)
	if bytes.Equal(before, after) || !bytes.Contains(after, []byte("/pizg")) {
		t.Error("the changed file has the old answer")
	}
	// What was changed a moment ago may be changed again with the same time.
	now := time.Now()
	replace(t, path, b, now)
	must(entries(open(t, w, path), Query{}))(t)
	replace(t, path, bytes.ReplaceAll(b, []byte("/pizg"), []byte("/gzip")), now)
	if last := must(entries(open(t, w, path), Query{}))(t); !bytes.Equal(last, before) {
		t.Error("the file that was changed back has not the first answer")
	}
}

// TestIdentityIsPartOfTheKey: with another log the names are others.
func TestIdentityIsPartOfTheKey(t *testing.T) {
	w := newBench(t)
	path := conversationOf(t, nil, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	with := func(log string) *Evidence {
		e := must(w.Open(t.Context(), []string{path}, OpenOptions{Identity: log}))(t)
		t.Cleanup(func() { e.Close() })
		return e
	}
	for _, pod := range []string{"cart-1", "payment-2"} {
		log := identityLog(t, pod, "10.0.0.1")
		for i := range 2 {
			e := with(log)
			d := must(e.Dissect(t.Context(), DissectOptions{}))(t)
			if d.Cached != (i == 1) {
				t.Errorf("%s, time %d: cached: %v", pod, i+1, d.Cached)
			}
			if n, all := len(ids(t, e, `src.pod.name == "`+pod+`"`)), len(ids(t, e, "")); n != all || n == 0 {
				t.Errorf("%s: %d of %d entries have the name", pod, n, all)
			}
			if strings.Contains(strings.Join(d.Coverage.Notes, "\n"), "no identity log") {
				t.Errorf("%s: %v", pod, d.Coverage.Notes)
			}
		}
	}
	if d := dissect(t, w, DissectOptions{}, path); d.Cached {
		t.Error("without a log it is cached")
	}
}

// identityLog writes a log of one pod with an address.
func identityLog(t testing.TB, pod, ip string) string {
	t.Helper()
	var b bytes.Buffer
	r := &identity.Record{
		Time: time.Unix(1e9, 0), Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: pod, UID: pod, Addresses: []string{ip},
		Workload: &identity.WorkloadRef{Kind: "Deployment", Name: "web"}, Labels: map[string]string{"app": "web"},
	}
	if err := identity.NewWriter(&b).Write(r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity.jsonl")
	replace(t, path, b.Bytes(), time.Now().Add(-time.Hour))
	return path
}

// TestConcurrentUse: several at once, of one Evidence and of several, have the
// same answer.
func TestConcurrentUse(t *testing.T) {
	w := newBench(t)
	path := "../testdata/http2/web.pcap"
	want := must(entries(open(t, newBench(t), path), Query{}))(t)
	one := open(t, w, path)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			e := one
			if i%2 == 0 {
				var err error
				if e, err = w.Open(t.Context(), []string{path}, OpenOptions{}); err != nil {
					t.Error(err)
					return
				}
				defer e.Close()
			}
			if i == 5 { // in the midst of others
				if _, err := e.Dissect(t.Context(), DissectOptions{Force: true}); err != nil {
					t.Error(err)
				}
			}
			got, err := entries(e, Query{})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: %s", err, firstDifference(got, want))
			}
			if _, err := e.Show(t.Context(), 1, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := files(t, filepath.Join(w.cfg.Cache, "index")); len(left) != 1 {
		t.Errorf("the cache holds %v", left)
	}
}

// TestOutput: a file of one's own choice is made, used when it is right, and made
// anew when it is of something else; what is no index database is left alone.
func TestOutput(t *testing.T) {
	w := newBench(t)
	a, b := "../testdata/http/server.pcap", "../testdata/dns/records.pcap"
	path := filepath.Join(t.TempDir(), "x.db")
	if d := dissect(t, w, DissectOptions{Output: path}, a); d.Cached || d.Path != path {
		t.Errorf("%+v", d)
	}
	if d := dissect(t, w, DissectOptions{Output: path}, a); !d.Cached {
		t.Errorf("%+v", d)
	}
	e := open(t, w, b)
	if d := must(e.Dissect(t.Context(), DissectOptions{Output: path}))(t); d.Cached {
		t.Errorf("the index of %s is taken for that of %s", a, b)
	}
	if len(ids(t, e, "dns")) == 0 || len(ids(t, e, "http")) > 0 {
		t.Error("the wrong entries")
	}
	other := newBench(t, func(c *Config) { c.Version = "other" })
	if d := dissect(t, other, DissectOptions{Output: path}, b); d.Cached {
		t.Error("the index of another version is believed")
	}
	if files := files(t, filepath.Dir(path)); len(files) != 1 {
		t.Errorf("there are %v", files)
	}
	capture := copyOf(t, a)
	before := must(os.ReadFile(capture))(t)
	for _, out := range []string{capture, t.TempDir(), os.DevNull} {
		for _, force := range []bool{false, true} {
			if _, err := open(t, w, capture).Dissect(t.Context(), DissectOptions{Output: out, Force: force}); !errors.Is(err, ErrUsage) {
				t.Errorf("an index in the place of %s: %v", out, err)
			}
		}
	}
	if !bytes.Equal(before, must(os.ReadFile(capture))(t)) {
		t.Error("the capture is overwritten")
	}
}

// TestGivenIndex: an index database answers by itself; one that cannot says why.
func TestGivenIndex(t *testing.T) {
	w := newBench(t)
	path := "../testdata/http/server.pcap"
	db := filepath.Join(t.TempDir(), "a.db")
	dissect(t, w, DissectOptions{Output: db}, path)
	if got, want := must(entries(open(t, w, db), Query{}))(t), must(entries(open(t, w, path), Query{}))(t); !bytes.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
	b := must(os.ReadFile(db))(t)
	b[63]++ // the user_version, that of the format
	stale := filepath.Join(t.TempDir(), "stale.db")
	replace(t, stale, b, time.Now())
	if _, err := entries(open(t, w, stale), Query{}); !errors.Is(err, index.ErrStale) || !strings.Contains(err.Error(), "dissect") {
		t.Errorf("an index of another version: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.db")
	replace(t, broken, must(os.ReadFile(db))(t)[:5000], time.Now())
	if _, err := entries(open(t, w, broken), Query{}); err == nil {
		t.Error("half an index has an answer")
	}
	for _, o := range []OpenOptions{{Identity: identityLog(t, "a", "10.0.0.1")}} {
		if _, err := w.Open(t.Context(), []string{db}, o); !errors.Is(err, ErrUsage) {
			t.Errorf("with an identity log: %v", err)
		}
	}
	if _, err := w.Open(t.Context(), []string{db, path}, OpenOptions{}); !errors.Is(err, ErrUsage) {
		t.Errorf("with a capture: %v", err)
	}
}

// TestDamagedCache: a cache is rebuilt, never repaired.
func TestDamagedCache(t *testing.T) {
	w := newBench(t)
	path := "../testdata/http/server.pcap"
	d := dissect(t, w, DissectOptions{}, path)
	want := must(entries(open(t, w, path), Query{}))(t)
	b := must(os.ReadFile(d.Path))(t)
	version := bytes.Clone(b)
	version[63]++
	for name, content := range map[string][]byte{"cut": b[:len(b)/2], "empty": nil, "version": version, "nonsense": []byte(strings.Repeat("nonsense", 1000))} {
		replace(t, d.Path, content, time.Now())
		e := open(t, w, path)
		if d := must(e.Dissect(t.Context(), DissectOptions{}))(t); d.Cached {
			t.Errorf("%s: is believed", name)
		}
		if got := must(entries(e, Query{}))(t); !bytes.Equal(got, want) {
			t.Errorf("%s: %s", name, firstDifference(got, want))
		}
	}
}

// TestCancelled: nothing is left of what was not completed.
func TestCancelled(t *testing.T) {
	for _, task := range []string{"dissecting", "indexing"} {
		ctx, cancel := context.WithCancel(t.Context())
		w := newBench(t, func(c *Config) {
			c.Progress = func(p Progress) {
				if p.Task == task {
					cancel()
				}
			}
		})
		e := open(t, w, copyOf(t, "../testdata/http/server.pcap"))
		if _, err := e.Dissect(ctx, DissectOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", task, err)
		}
		if left := files(t, filepath.Join(w.cfg.Cache, "index")); len(left) > 0 {
			t.Errorf("%s: left are %v", task, left)
		}
		if left := must(os.ReadDir(filepath.Join(w.cfg.Cache, "index")))(t); len(left) > 0 {
			t.Errorf("%s: left are %v", task, left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	if _, err := e.Query(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("query: %v", err)
	}
	if _, err := e.Export(ctx, Export{}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("export: %v", err)
	}
	ids(t, e, "")
	if _, err := e.Show(ctx, 1, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("show: %v", err)
	}
}

// TestStdin: standard input is asked like a file, and its copy is removed.
func TestStdin(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newBench(t)
	path := "../testdata/http/server.pcap"
	want := must(entries(open(t, w, path), Query{}))(t)
	f := must(os.Open(path))(t)
	defer f.Close()
	e := must(w.Open(t.Context(), []string{"-"}, OpenOptions{Stdin: f}))(t)
	if got := must(entries(e, Query{}))(t); !bytes.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
	if must(e.Show(t.Context(), ids(t, e, "http")[0], 0))(t).Request == nil {
		t.Error("nothing is shown")
	}
	if e.Name != "standard input" || len(files(t, os.TempDir())) != 1 {
		t.Errorf("%s: %v", e.Name, files(t, os.TempDir()))
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left := files(t, os.TempDir()); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestStdinEnds: with the context, though nobody types, and with an error of what
// is read.
func TestStdinEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	silent, typist := io.Pipe()
	defer typist.Close()
	go cancel()
	if _, err := w.Open(ctx, []string{"-"}, OpenOptions{Stdin: silent}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("broken")
	if _, err := w.Open(t.Context(), []string{"-"}, OpenOptions{Stdin: io.MultiReader(strings.NewReader("x"), errReader{broken})}); !errors.Is(err, broken) {
		t.Errorf("a broken input: %v", err)
	}
	if _, err := w.Open(t.Context(), []string{"-", "-"}, OpenOptions{Stdin: strings.NewReader("")}); !errors.Is(err, ErrUsage) {
		t.Errorf("twice: %v", err)
	}
	e := must(w.Open(t.Context(), []string{"-"}, OpenOptions{Stdin: strings.NewReader("nonsense")}))(t)
	if _, err := e.Query(t.Context(), Query{}); err == nil || !strings.HasPrefix(err.Error(), "standard input: not a pcap") {
		t.Errorf("no capture: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left := files(t, os.TempDir()); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestDamagedFile: what can be read is answered, and that it is not all is said,
// each time, under the name the file has then.
func TestDamagedFile(t *testing.T) {
	w := newBench(t)
	b := must(os.ReadFile("../testdata/http/server.pcap"))(t)
	cut := filepath.Join(t.TempDir(), "cut.pcap")
	replace(t, cut, b[:len(b)*2/3], time.Now().Add(-time.Hour))
	t.Setenv("TMPDIR", t.TempDir())
	for i, ref := range []string{cut, cut, copyOf(t, cut), "-"} {
		e := must(w.Open(t.Context(), []string{ref}, OpenOptions{Stdin: bytes.NewReader(b[:len(b)*2/3])}))(t)
		d := must(e.Dissect(t.Context(), DissectOptions{}))(t)
		c := d.Coverage
		name := ref
		if ref == "-" {
			name = "standard input"
		}
		if !c.Partial || len(c.Damage) != 1 || c.Damage[0].File != name || !strings.Contains(c.Notes[0], name+": damaged at byte") || d.Cached != (i > 0) {
			t.Errorf("%s: cached: %v, %+v", ref, d.Cached, c)
		}
		_, x := export(t, e, Export{})
		if !x.Coverage.Partial || len(x.Coverage.Damage) != 1 || x.Coverage.Damage[0].File != name || x.Packets != c.Packets {
			t.Errorf("%s: export: %+v", ref, x)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNotThere: what does not exist, or cannot be, is told apart.
func TestNotThere(t *testing.T) {
	w := newBench(t)
	there := "../testdata/http/server.pcap"
	for name, c := range map[string]struct {
		refs []string
		want error
	}{
		"nothing":       {nil, ErrUsage},
		"no name":       {[]string{"nonsense"}, ErrNotFound},
		"no file":       {[]string{"/nonsense/of.pcap"}, ErrNotFound},
		"one is not":    {[]string{there, "nonsense.pcap"}, ErrNotFound},
		"a folder":      {[]string{t.TempDir()}, ErrNotFound},
		"two snapshots": {[]string{t.TempDir(), t.TempDir()}, ErrUsage},
		"a device":      {[]string{os.DevNull}, ErrUsage},
	} {
		if e, err := w.Open(t.Context(), c.refs, OpenOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			if e != nil {
				e.Close()
			}
		}
	}
	if _, err := w.Open(t.Context(), []string{there}, OpenOptions{Identity: "nonsense"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no identity log: %v", err)
	}
	if _, err := w.Open(t.Context(), []string{there}, OpenOptions{Identity: there}); !errors.Is(err, identity.ErrFormat) {
		t.Errorf("a wrong identity log: %v", err)
	}
}

// TestNoCache: without a folder for it there is no index to ask, unless one is
// said to be put somewhere; packets need none.
func TestNoCache(t *testing.T) {
	w := newBench(t)
	w.cfg.Cache = ""
	path := "../testdata/http/server.pcap"
	if _, err := open(t, w, path).Query(t.Context(), Query{}); !errors.Is(err, ErrUsage) {
		t.Errorf("query: %v", err)
	}
	export(t, open(t, w, path), Export{BPF: "tcp"})
	e := open(t, w, path)
	must(e.Dissect(t.Context(), DissectOptions{Output: filepath.Join(t.TempDir(), "x.db")}))(t)
	if len(ids(t, e, "http")) == 0 {
		t.Error("no entries")
	}
}

// TestInputThatChangesWhileItIsRead: an answer of a capture that grows says so, and is
// nobody's answer afterwards.
func TestInputThatChangesWhileItIsRead(t *testing.T) {
	first := must(os.ReadFile("../testdata/http/server.pcap"))(t)
	path := filepath.Join(t.TempDir(), "growing.pcap")
	replace(t, path, first[:len(first)*2/3], time.Now().Add(-time.Hour))
	cache := t.TempDir()
	grow := func(Progress) {}
	ask := func() (*Dissected, int) {
		w := must(New(Config{Version: "test", Cache: cache, Progress: func(p Progress) { grow(p) }}))(t)
		e := must(w.Open(t.Context(), []string{path}, OpenOptions{}))(t)
		d := must(e.Dissect(t.Context(), DissectOptions{}))(t)
		n := len(ids(t, e, ""))
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		return d, n
	}
	grow = func(p Progress) {
		if p.Packets > 0 {
			grow = func(Progress) {}
			replace(t, path, first, time.Now().Add(-time.Minute))
		}
	}
	d, some := ask()
	if text := strings.Join(d.Coverage.Notes, "\n"); !d.Coverage.Partial || !strings.Contains(text, "growing.pcap changed while it was read") {
		t.Errorf("nothing is said of it: %s", text)
	}
	d, all := ask()
	if text := strings.Join(d.Coverage.Notes, "\n"); d.Cached || all < some || strings.Contains(text, "changed") {
		t.Errorf("then cached: %v, %d entries after %d: %s", d.Cached, all, some, text)
	}
	if d, n := ask(); !d.Cached || n != all {
		t.Errorf("at last cached: %v, %d entries, not %d", d.Cached, n, all)
	}
	if left := must(filepath.Glob(filepath.Join(cache, "index", "*")))(t); len(left) != 1 {
		t.Errorf("the cache holds %v", left)
	}
}
