package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
	"shark/snapshot/identity"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// capture writes a capture file with n packets, one a millisecond from an offset
// on, with all a pcapng file can say.
func capture(t testing.TB, name string, n, size int, offset time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{Comments: []string{"about " + name}})
	if err != nil {
		t.Fatal(err)
	}
	interfaces := []packet.Interface{
		{Link: 1, SnapLen: 65535, Name: "eth0", Description: "of " + name, OS: "Linux", Received: ptr(uint64(n)), Dropped: ptr(uint64(3))},
		{Link: 101, Name: "lo", Filter: "tcp"},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.WriteNames([]pcapng.Name{{Addr: packet.AddrFrom4([]byte{10, 0, 0, 1}), Name: "cart.shop"}}))
	must(w.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: []byte("CLIENT_RANDOM 00 11\n")}))
	rng := rand.New(rand.NewPCG(uint64(n), uint64(size)))
	for i := range n {
		data := make([]byte, size)
		binary.BigEndian.PutUint32(data, uint32(i))
		for j := 4; j < size; j += 8 {
			data[j] = byte(rng.Uint32())
		}
		r := packet.Record{Data: data, OrigLen: uint32(size), Interface: uint32(i % 2), Link: interfaces[i%2].Link, Time: began.Add(offset + time.Duration(i)*time.Millisecond).UnixNano(), Number: uint64(i + 1)}
		if i%3 == 0 {
			r.OrigLen += 7
			r.Options = append([]byte{1, 0, 5, 0}, "hello\x00\x00\x00\x00\x00\x00\x00"...)
		}
		must(w.Write(&r, interfaces))
	}
	must(w.WriteStatistics(0, interfaces, began.UnixNano()))
	must(w.Close())
	return path
}

// packets reads a capture and says of each packet all that is known of it.
func packets(t testing.TB, paths ...string) []string {
	t.Helper()
	m, err := pcapng.OpenFiles(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return described(t, m)
}

// kept reads the packets of a node of a snapshot, of all nodes if it is empty, as packets
// does.
func kept(t testing.TB, s *Snapshot, node string) []string {
	t.Helper()
	p, err := s.Packets(t.Context(), Selection{Node: node})
	if err != nil {
		t.Fatal(err)
	}
	return described(t, p)
}

func described(t testing.TB, m packet.Source) []string {
	t.Helper()
	defer m.Close()
	var out []string
	var b packet.Batch
	for {
		err := m.ReadBatch(&b)
		for _, r := range b.Records {
			i := m.Interfaces()[r.Interface]
			out = append(out, fmt.Sprintf("%d %d %x %q link %d on %q %q %q %q %d", max(r.Time, 0), r.OrigLen, r.Data, r.Options, r.Link, i.Name, i.Description, i.OS, i.Filter, i.SnapLen))
		}
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("packet %d: %.300s\nwant %.300s", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
}

// storeKind names the store that the tests of the package have: S3, GCS, Azure, or faulty for a
// folder of which requests fail, before and after they took effect, reads and lists break off,
// and all take a while. Without it they have a folder.
const storeKind = "SHARK_TEST_STORE"

// openedBy is what a test of the suite says, before its name, when it opens a store.
const openedBy = "store opened by"

// some is how many of n rounds a test takes: in clouds, where each takes long, a fifth.
func some(n int) int {
	if os.Getenv(storeKind) != "" {
		return (n + 4) / 5
	}
	return n
}

// openStore opens an empty store.
func openStore(t testing.TB) *Store {
	t.Helper()
	kind := os.Getenv(storeKind)
	if kind != "" {
		fmt.Println("\n"+openedBy, t.Name()) // after what another test has said without an end
	}
	switch kind {
	case "":
		return openFolder(t)
	case "faulty":
		faults := buckettest.Faults{Fail: 0.02, Lost: 0.02, Cut: 0.02, Break: 0.02, Page: 3, Latency: time.Millisecond, Wait: instantly}
		return &Store{bucket.WithRetry(buckettest.Faulty(openFolder(t).files, 1, faults), bucket.Retry{Tries: 20, Wait: instantly})}
	default:
		s := openCloud(t, clouds[kind])
		t.Cleanup(func() {
			if err := removeAll(context.Background(), s.files); err != nil { // the test's own context has ended
				t.Error(err)
			}
		})
		return s
	}
}

// openFolder opens an empty store in a folder, for what is about folders or looks into them.
func openFolder(t testing.TB) *Store {
	t.Helper()
	s, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// find is Find in a store, which is a folder or was opened.
func find(t *testing.T, store *Store, ref string) (*Snapshot, error) {
	t.Helper()
	if bucket.IsFolder(store.files) {
		return Find(t.Context(), store.files.String(), ref)
	}
	return store.Get(t.Context(), ref)
}

// fetched is the path of an object of a store, or of a copy.
func fetched(t *testing.T, store *Store, key string) string {
	t.Helper()
	if bucket.IsFolder(store.files) {
		return filepath.Join(store.files.String(), filepath.FromSlash(key))
	}
	data, err := bucket.ReadAll(t.Context(), store.files, key, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(key))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// leaves says what is left in a store that should be empty, folders too.
func leaves(t *testing.T, store *Store) {
	t.Helper()
	for key := range stored(t, store) {
		t.Errorf("left behind: %s", key)
	}
	if bucket.IsFolder(store.files) {
		if left, _ := os.ReadDir(store.files.String()); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func mustImport(t testing.TB, s *Store, o ImportOptions) *Manifest {
	t.Helper()
	m, err := s.Import(t.Context(), o, nil)
	for tries := 0; bucket.Temporary(err) && tries < 20; tries++ { // what writes objects is not done again by itself
		m, err = s.Import(t.Context(), o, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeLog(t testing.TB, records ...identity.Record) string {
	t.Helper()
	var buf bytes.Buffer
	w := identity.NewWriter(&buf)
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "identity.jsonl")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// filed is a recording that is a capture file.
type filed struct{ node, path string }

func (f filed) Node() string { return f.node }

func (f filed) Span() (from, to time.Time, err error) { return began, began.Add(time.Hour), nil }

func (f filed) Pin(time.Time, time.Time) (Pinned, error) {
	r, err := pcapng.Open(f.path)
	return pinnedFile{r}, err
}

// pinnedFile is all of it.
type pinnedFile struct{ *pcapng.Reader }

func (p pinnedFile) Open() packet.Source { return p.Reader }
func (p pinnedFile) Notes() []string     { return nil }
func (p pinnedFile) Size() int64         { return 1 }
func (p pinnedFile) Identity() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}
func (p pinnedFile) Release() error { return nil }

// resealed is a text that was sealed and changed since, with a sum that is right again; another is
// what it was.
func resealed(text []byte) []byte {
	for _, form := range seals {
		at := len(text) - len(form.head) - 2*sha256.Size - len(form.tail)
		if at >= 0 && bytes.HasPrefix(text[at:], []byte(form.head)) && bytes.HasSuffix(text, []byte(form.tail)) {
			return fmt.Appendf(bytes.Clone(text[:at]), "%s%x%s", form.head, sha256.Sum256(text[:at]), form.tail)
		}
	}
	return text
}
