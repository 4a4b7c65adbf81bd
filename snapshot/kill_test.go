package snapshot

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	randv2 "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/bucket"
)

// killSpec is set for the child of TestKilled to what it does, and when it dies.
const killSpec = "SHARK_TEST_KILL"

// place is a store that parent and child open.
type place struct{ Location, Prefix string }

func (p place) open(ctx context.Context) (bucket.Bucket, error) {
	return bucket.Open(ctx, p.Location, bucket.Options{Prefix: p.Prefix})
}

// doomed is what a child does.
type doomed struct {
	Op       string // create, import, copy, delete, prune, publish
	From, To place
	Capture  string
	ID       string
	At       int64         // the step of the store's work at which it dies; 0: it lives, and tells how many there are
	After    time.Duration // so long after that step, while its work goes on
}

// mortal is a bucket that counts the steps of what it is asked: before each, and after each
// that changes something.
type mortal struct {
	bucket.Bucket
	step func()
}

func (m mortal) Sub(prefix string) bucket.Bucket { return mortal{m.Bucket.Sub(prefix), m.step} }

func (m mortal) Stat(ctx context.Context, key string) (bucket.Object, error) {
	m.step()
	return m.Bucket.Stat(ctx, key)
}

func (m mortal) Publish(ctx context.Context, key string, data []byte) error {
	m.step()
	defer m.step()
	return m.Bucket.Publish(ctx, key, data)
}

func (m mortal) Remove(ctx context.Context, key string) error {
	m.step()
	defer m.step()
	return m.Bucket.Remove(ctx, key)
}

func (m mortal) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	m.step()
	return m.Bucket.List(ctx, prefix)
}

func (m mortal) Rubbish(ctx context.Context, before time.Time, remove bool) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		m.step()
		for o, err := range m.Bucket.Rubbish(ctx, before, remove) {
			m.step()
			if !yield(o, err) {
				return
			}
		}
	}
}

func (m mortal) Create(ctx context.Context, key string) (bucket.Writer, error) {
	m.step()
	w, err := m.Bucket.Create(ctx, key)
	return mortalWriter{w, m.step}, err
}

type mortalWriter struct {
	bucket.Writer
	step func()
}

func (w mortalWriter) Write(p []byte) (int, error) {
	w.step()
	return w.Writer.Write(p)
}

func (w mortalWriter) Close() error {
	w.step()
	defer w.step()
	return w.Writer.Close()
}

// run is the life of a child.
func (d *doomed) run(t *testing.T) {
	die := func() {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			t.Error(err)
		}
		select {}
	}
	var steps atomic.Int64
	step := func() {
		switch {
		case steps.Add(1) != d.At:
		case d.After > 0:
			time.AfterFunc(d.After, die)
		default:
			die()
		}
	}
	open := func(p place) *Store {
		files, err := p.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return &Store{mortal{files, step}}
	}
	if err := d.do(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("steps %d\n", steps.Load())
}

// do does the work.
func (d *doomed) do(ctx context.Context, open func(place) *Store) (err error) {
	to := open(d.To)
	switch d.Op {
	case "import":
		_, err = to.Import(ctx, ImportOptions{Files: []string{"n1=" + d.Capture, "n2=" + d.Capture}, Name: "made"}, nil)
	case "create":
		_, err = to.Create(ctx, CreateOptions{Recordings: []Recording{filed{"n1", d.Capture}, filed{"n2", d.Capture}}, From: began, To: began.Add(time.Hour), Name: "made"}, nil)
	case "copy":
		_, err = open(d.From).Copy(ctx, to, d.ID, CopyOptions{Parallel: 3}, nil)
	case "delete":
		err = to.Delete(ctx, d.ID)
	case "prune":
		_, err = to.Prune(ctx, PruneOptions{Rules: Rules{Within: time.Second}, Now: time.Now().Add(25 * time.Hour)})
	case "publish": // any file serves as an index
		var s *Snapshot
		if s, err = to.Get(ctx, d.ID); err == nil {
			_, err = s.Publish(ctx, "abc", "shark", d.Capture, nil, func(int64, int64) {})
		}
	}
	return err
}

// start runs a child. It returns how many steps there were, or that it was killed.
func (d *doomed) start(t *testing.T) (steps int64, killed bool) {
	t.Helper()
	spec, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), killSpec+"="+string(spec), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return 0, true
	case err != nil:
		t.Fatalf("%s: %v\n%s", d.Op, err, out)
	}
	_, text, _ := strings.Cut(string(out), "steps ")
	text, _, _ = strings.Cut(text, "\n")
	steps, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s says %s", d.Op, out)
	}
	return steps, false
}

// TestKilled: a program that is killed at any moment of a creation, an import, a copy, an upload, a
// deletion, a prune or a publication leaves every snapshot, and what is published with it, whole or
// not there at all, with the packets that it was made of; the same work done again succeeds; and
// prune finds all that was left behind. TestProgramKilled of cmd/shark kills the program itself.
func TestKilled(t *testing.T) {
	if text := os.Getenv(killSpec); text != "" {
		d := new(doomed)
		if err := json.Unmarshal([]byte(text), d); err != nil {
			t.Fatal(err)
		}
		d.run(t)
		return
	}
	kills, cloudKills := 50, map[string]int{"S3": 4, "GCS": 1, "Azure": 1} // 200 of what makes, copies and deletes in folders alone
	if testing.Short() || part > 1 {
		kills, cloudKills = 4, map[string]int{"S3": 1, "GCS": 1, "Azure": 1}
	}
	t.Run("folder", func(t *testing.T) {
		fresh := func(t *testing.T) place { return place{Location: filepath.Join(t.TempDir(), "store")} }
		small := capture(t, "a.pcapng", 300, 700, 0)
		for i, op := range []string{"create", "import", "copy", "delete", "prune", "publish"} {
			t.Run(op, func(t *testing.T) {
				t.Parallel()
				killMany(t, op, uint64(i), kills, small, fresh, fresh)
			})
		}
	})
	for _, name := range slices.Sorted(maps.Keys(clouds)) {
		location := os.Getenv(clouds[name])
		if location == "" || part > 1 { // large captures take a race detector minutes
			continue
		}
		t.Run(name, func(t *testing.T) {
			local := func(t *testing.T) place { return place{Location: filepath.Join(t.TempDir(), "store")} }
			fresh := func(*testing.T) place { return place{location, "killed/" + strings.ToLower(rand.Text())} }
			large := noise(t, 130)
			for i, op := range []string{"create", "import", "upload", "copy", "delete", "prune", "publish"} {
				t.Run(op, func(t *testing.T) {
					t.Parallel()
					from := fresh
					if op == "upload" {
						op, from = "copy", local
					}
					killMany(t, op, uint64(i), cloudKills[name], large, from, fresh)
				})
			}
		})
	}
}

// noise is a capture of packets of 60 kB that do not pack: more than 6 MiB are several parts
// of an upload.
func noise(t *testing.T, packets int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "noise.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		data := make([]byte, 60_000)
		_, _ = rand.Read(data) // never fails
		r := packet.Record{Data: data, OrigLen: uint32(len(data)), Link: 1, Time: began.UnixNano() + int64(i)}
		if err := w.Write(&r, []packet.Interface{{Link: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// killMany kills a work until it has died so often.
func killMany(t *testing.T, op string, seed uint64, kills int, capture string, from, to func(*testing.T) place) {
	random := randv2.New(randv2.NewPCG(seed, 9))
	open := func(p place) *Store {
		files, err := p.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { files.Close() })
		return &Store{files}
	}
	origin := from(t)
	m := mustImport(t, open(origin), ImportOptions{Files: []string{"n1=" + capture, "n2=" + capture}, Name: "outage"})
	x := &doomed{Op: op, From: origin, Capture: capture, ID: m.ID}
	if op != "copy" {
		x.From = place{}
	}
	k := &killing{doomed: x, open: open, want: stored(t, open(origin)), m: m, packets: packets(t, capture)}
	defer k.clean(t, origin)
	steps := int64(0)
	for died, tries := 0, 0; died < kills; tries++ {
		if tries > 4*kills+10 {
			t.Fatalf("of %d tries only %d died", tries, died)
		}
		x.To = to(t)
		k.prepare(t)
		if x.At = 0; steps > 0 {
			x.At, x.After = 1+random.Int64N(steps), 0
			if tries%2 == 0 {
				x.After = time.Duration(random.Int64N(3000)) * time.Microsecond
			}
		}
		n, killed := x.start(t)
		if steps = max(steps, n); killed {
			died++
		}
		k.check(t, died%2 == 0)
		k.clean(t, x.To)
		if t.Failed() {
			t.Fatalf("it died at step %d of %d, or %s after", x.At, steps, x.After)
		}
	}
	t.Logf("%d steps", steps)
}

// killing is what is known of a work that is killed.
type killing struct {
	*doomed
	open func(place) *Store
	m    *Manifest
	want map[string]string // of the snapshot m

	packets []string // of the capture, which each node has
}

// prepare makes what the work needs in its target.
func (k *killing) prepare(t *testing.T) {
	if k.Op != "delete" && k.Op != "prune" && k.Op != "publish" {
		return
	}
	to := k.open(k.To)
	for key, data := range k.want {
		put(t, to, key, data)
	}
	if k.Op == "prune" {
		put(t, to, "20260301t120000000z-aaaaaaaaaa/nodes/n1/packets.blocks", "left")
		put(t, to, "20260301t120000000z-aaaaaaaaaa/nodes/n2/packets.blocks", "left")
	}
}

// check reads what the work has left, does it again, and prunes: before that, too, or only after.
func (k *killing) check(t *testing.T, before bool) {
	t.Helper()
	to := k.open(k.To)
	n := k.readable(t, to)
	if n > 1 {
		t.Errorf("there are %d snapshots", n)
	}
	if before {
		k.pruned(t, to)
	}
	if err := k.do(t.Context(), k.open); err != nil && (k.Op != "delete" || !errors.Is(err, ErrNotFound)) {
		t.Errorf("the second time: %v", err)
	}
	want := map[string]int{"create": n + 1, "import": n + 1, "copy": 1, "publish": 1}[k.Op] // the others leave none
	if n := k.readable(t, to); n != want {
		t.Errorf("after the second time there are %d snapshots, want %d", n, want)
	}
	k.pruned(t, to)
	if k.Op != "publish" {
		return
	}
	s, err := to.Get(t.Context(), k.ID)
	if err == nil {
		_, err = s.Dissection(t.Context(), "abc")
	}
	if err != nil {
		t.Errorf("what was published: %v", err)
	}
}

// pruned prunes, which leaves nothing but whole snapshots.
func (k *killing) pruned(t *testing.T, to *Store) {
	t.Helper()
	if _, err := to.Prune(t.Context(), PruneOptions{Now: time.Now().Add(25 * time.Hour)}); err != nil {
		t.Error(err)
	}
	k.readable(t, to)
	for key := range stored(t, to) {
		id, _, _ := strings.Cut(key, "/")
		if _, err := to.Get(t.Context(), id); err != nil {
			t.Errorf("prune has left %s: %v", key, err)
		}
		if v, err := to.Verify(t.Context(), id, nil); err != nil || len(v.Unlisted) > 0 {
			t.Errorf("prune has left %+v, %v", v, err)
		}
	}
	for o, err := range to.files.Rubbish(t.Context(), time.Now().Add(far), false) {
		t.Errorf("prune has left %s, %v", o.Key, err)
	}
}

// readable returns how many snapshots there are, which must all be whole.
func (k *killing) readable(t *testing.T, s *Store) int {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, x := range all {
		if _, err := s.Verify(t.Context(), x.ID, nil); err != nil {
			t.Errorf("a snapshot that is not whole: %v", err)
		}
		one, err := s.Get(t.Context(), x.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, node := range []string{"n1", "n2"} {
			equal(t, kept(t, one, node), k.packets)
		}
	}
	return len(all)
}

// clean removes all of a place in a cloud.
func (k *killing) clean(t *testing.T, p place) {
	if p.Prefix == "" {
		return
	}
	if err := removeAll(context.WithoutCancel(t.Context()), k.open(p).files); err != nil {
		t.Error(err)
	}
}
