package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/packet"
	"shark/snapshot/block"
	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
	"shark/snapshot/identity"
)

// clouds are the variables that name buckets to test with.
var clouds = map[string]string{"S3": "SHARK_S3_URL", "GCS": "SHARK_GCS_URL", "Azure": "SHARK_AZURE_URL"}

// openCloud opens a store in a prefix of its own.
func openCloud(t testing.TB, variable string) *Store {
	t.Helper()
	location := os.Getenv(variable)
	if location == "" {
		t.Skipf("set %s to a bucket that may be written, with credentials in the usual variables", variable)
	}
	files, err := bucket.Open(t.Context(), location, bucket.Options{Prefix: "stores/" + strings.ToLower(rand.Text())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Store{files}
}

// elsewhere are the tests of the package that do not run on each store, by why. All others do.
var elsewhere = map[string][]string{
	"they have no store": {
		"TestRules", "TestVectors", "TestLockedKey", "TestHostileKeys", "TestHellos", "TestParseManifestHostile", "TestManifestIsStable", "TestSeal",
		"TestManifestsTakeLittleMemory", "TestSize", "TestSizeOfPacked", "TestImportReadByTshark", "TestImportCaptures", "TestMinisign",
	},
	"they have one in memory": {
		"TestRandomDamage", "TestVerifyLies", "TestVerifyManifestLies", "TestVerifyWrongSize", "TestVerifyUnread",
	},
	"they are about folders": {"TestOpenStore", "TestFindNothing", "TestCopyOfFolder", "TestFoldersAreNotCached", "TestOpenOddFolder"},
	"they bring their own stores, faults or time": {
		"TestSuiteOnEveryStore", "TestEveryStore", "TestFaultyStore", "TestStaleStore", "TestCredentialsExpire", "TestKilled", "TestCopyAround", "TestCopyFaults", "TestDeleteFaults",
		"TestVerifyFaults", "TestPublishIsWholeOrNot", "TestRounds",
	},
}

// withFaults are those of the suite that say what becomes of single requests; of faults others say
// it: TestFaultyStore, TestCopyFaults, TestDeleteFaults, TestPublishIsWholeOrNot.
var withFaults = []string{"TestCopyOverGarbage", "TestImportConcurrently", "TestPublished", "TestRepair"}

// suite returns the tests that run on a kind of store: all but those that are elsewhere, or, of
// those, each part-th.
func suite(t *testing.T, kind string) (tests []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.list=^Test").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	left := slices.Clone(withFaults)
	if kind != "faulty" {
		left = nil
	}
	for why, names := range elsewhere {
		for _, name := range names {
			if !slices.Contains(all, name) {
				t.Errorf("%s: there is no %s", why, name)
			}
		}
		left = append(left, names...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(left, name) })
	for i := 0; i < len(all); i += part {
		tests = append(tests, all[i])
	}
	return tests
}

// TestSuiteOnEveryStore: what holds for a folder holds for S3, GCS, Azure and a store whose requests fail.
func TestSuiteOnEveryStore(t *testing.T) {
	if os.Getenv(storeKind) != "" {
		t.Skip("it is a test of the suite that asks") // never of the suite
	}
	kinds := []string{"faulty", "S3", "GCS", "Azure"}
	if part > 1 { // the clouds' own code takes a race detector minutes
		kinds = kinds[:1]
	}
	var all sync.WaitGroup // they wait for their servers, not for processors
	runs := make(map[string]*suiteRun)
	for _, kind := range kinds {
		if variable := clouds[kind]; variable == "" || os.Getenv(variable) != "" {
			r := &suiteRun{tests: suite(t, kind)}
			runs[kind] = r
			all.Go(func() { r.run(t.Context(), kind) })
		}
	}
	all.Wait()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := runs[kind]
			if r == nil {
				t.Skipf("set %s to a bucket that may be written, with credentials in the usual variables", clouds[kind])
			}
			r.check(t)
		})
	}
}

// suiteRun is what the suite has said of a kind of store.
type suiteRun struct {
	tests []string
	out   []byte
	err   error
	took  time.Duration
}

func (r *suiteRun) run(ctx context.Context, kind string) {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.count=1", "-test.run=^("+strings.Join(r.tests, "|")+")$")
	cmd.Env = append(os.Environ(), storeKind+"="+kind)
	start := time.Now()
	r.out, r.err = cmd.CombinedOutput()
	r.took = time.Since(start)
}

// check: all tests have passed, and with the store that they are about.
func (r *suiteRun) check(t *testing.T) {
	if r.err != nil {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	opened := make(map[string]bool)
	for line := range strings.Lines(string(r.out)) {
		if name, ok := strings.CutPrefix(line, openedBy+" "); ok {
			name, _, _ = strings.Cut(strings.TrimSpace(name), "/")
			opened[name] = true
		}
	}
	for _, name := range r.tests {
		if !strings.Contains(string(r.out), "--- PASS: "+name+" (") {
			t.Errorf("%s did not pass", name)
		}
		if !opened[name] {
			t.Errorf("%s has opened no store with openStore: let it, or say why it is elsewhere", name)
		}
	}
	t.Logf("%d tests in %v", len(r.tests), r.took)
}

// TestEveryStore: a snapshot is made, found, read, verified and deleted wherever it lies,
// with the same bytes.
func TestEveryStore(t *testing.T) {
	a, b := capture(t, "a.pcapng", 3000, 700, 0), capture(t, "b.pcapng", 100, 60, 2*time.Second)
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}})
	o := ImportOptions{Files: []string{"n1=" + a, "n2=" + b}, Identity: log, Name: "outage", Created: began}
	want := mustImport(t, openStore(t), o)
	try := func(store *Store) func(*testing.T) {
		return func(t *testing.T) { lives(t, store, o, want) }
	}
	t.Run("folder", try(openStore(t)))
	for name, variable := range clouds {
		t.Run(name, func(t *testing.T) { try(openCloud(t, variable))(t) })
	}
}

// lives takes a snapshot through its life in an empty store.
func lives(t *testing.T, store *Store, o ImportOptions, want *Manifest) {
	m := mustImport(t, store, o)
	for i := range want.Objects {
		if m.Objects[i].SHA256 != want.Objects[i].SHA256 {
			t.Errorf("%s has other bytes than in a folder", want.Objects[i].Path)
		}
	}
	all, err := store.List(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != m.ID || all[0].Err != nil {
		t.Fatalf("listed are %+v, %v", all, err)
	}
	s, err := store.Get(t.Context(), "outage")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{strings.TrimPrefix(o.Files[0], "n1="), strings.TrimPrefix(o.Files[1], "n2=")}
	equal(t, kept(t, s, ""), packets(t, files...))
	equal(t, kept(t, s, "n2"), packets(t, files[1]))
	second := began.Add(time.Second)
	p, err := s.Packets(t.Context(), Selection{Selection: block.Selection{From: second.UnixNano(), To: second.UnixNano()}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(described(t, p)); n == 0 {
		t.Error("no packets of the second second")
	}
	l, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o := l.Lookup(packet.AddrFrom4([]byte{10, 0, 0, 1}), began.UnixNano()); o.Pod != "cart-1" {
		t.Errorf("identity %+v", o)
	}
	if v, err := store.Verify(t.Context(), m.ID, nil); err != nil || v.Objects != len(m.Objects) || len(v.Unlisted) > 0 {
		t.Errorf("verified: %+v, %v", v, err)
	}
	if err := store.Delete(t.Context(), "outage"); err != nil {
		t.Fatal(err)
	}
	for o, err := range store.files.List(t.Context(), "") {
		t.Errorf("left is %s, %v", o.Key, err)
	}
}

// TestFaultyStore: where requests fail, before or after they took effect, and reads and
// lists break off, an import makes a whole snapshot or none.
func TestFaultyStore(t *testing.T) {
	a := capture(t, "a.pcapng", 300, 700, 0)
	none := func(context.Context, time.Duration) error { return nil }
	made, failed := 0, 0
	for seed := range uint64(40) {
		faulty := buckettest.Faulty(openStore(t).files, seed, buckettest.Faults{Fail: 0.05, Lost: 0.1, Cut: 0.2, Break: 0.1, Page: 2})
		store := &Store{bucket.WithRetry(faulty, bucket.Retry{Tries: 20, Wait: none})}
		m, err := store.Import(t.Context(), ImportOptions{Files: []string{"n1=" + a}}, nil)
		all, e := store.List(t.Context())
		if e != nil {
			t.Fatal(e)
		}
		if err != nil {
			if failed++; !bucket.Temporary(err) || len(all) > 0 {
				t.Fatalf("seed %d: %v, and %d snapshots", seed, err, len(all))
			}
			continue
		}
		made++
		s, err := store.Get(t.Context(), m.ID)
		if err != nil || len(all) != 1 {
			t.Fatalf("seed %d: %d snapshots, %v", seed, len(all), err)
		}
		equal(t, kept(t, s, ""), packets(t, a))
		if _, err := store.Verify(t.Context(), m.ID, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := store.Delete(t.Context(), m.ID); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if made == 0 || failed == 0 {
		t.Errorf("%d imports succeeded and %d failed", made, failed)
	}
}

// TestStaleStore: where lists lag behind, a snapshot is there as soon as it was made, whole,
// and gone as soon as it was deleted, with all that it had; only lists tell later.
func TestStaleStore(t *testing.T) {
	a := capture(t, "a.pcapng", 300, 700, 0)
	for lag := 1; lag <= 4; lag++ {
		files := openStore(t).files
		store := &Store{buckettest.Faulty(files, 1, buckettest.Faults{Stale: lag})}
		m := mustImport(t, store, ImportOptions{Name: "outage", Files: []string{"n1=" + a}})
		s, err := store.Get(t.Context(), m.ID)
		if err != nil {
			t.Fatalf("lag %d: %v", lag, err)
		}
		equal(t, kept(t, s, ""), packets(t, a))
		if v, err := store.Verify(t.Context(), m.ID, nil); err != nil || v.Objects != len(m.Objects) || len(v.Unlisted) > 0 {
			t.Errorf("lag %d: verified %+v, %v", lag, v, err)
		}
		lists(t, store, lag, m.ID)
		if s, err := store.Get(t.Context(), "outage"); err != nil || s.Manifest.ID != m.ID {
			t.Errorf("lag %d: by its name: %v", lag, err)
		}
		if err := store.Delete(t.Context(), m.ID); err != nil {
			t.Errorf("lag %d: deleted: %v", lag, err)
		}
		if _, err := store.Get(t.Context(), m.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("lag %d: a deleted snapshot: %v", lag, err)
		}
		lists(t, store, lag, "")
		for o, err := range files.List(t.Context(), "") {
			t.Errorf("lag %d: left is %s, %v", lag, o.Key, err)
		}
	}
}

// lists lists a store until it has the one snapshot, or none, at most as often as lists lag.
func lists(t *testing.T, store *Store, lag int, want string) {
	t.Helper()
	for n := 0; ; n++ {
		all, err := store.List(t.Context())
		if err != nil {
			t.Fatalf("list %d of lag %d: %v", n, lag, err)
		}
		got := ""
		for _, l := range all {
			if l.Err == nil {
				got += l.ID
			}
		}
		if got == want {
			return
		}
		if n > 2*lag {
			t.Fatalf("lag %d: listed are %q, want %q", lag, got, want)
		}
	}
}
