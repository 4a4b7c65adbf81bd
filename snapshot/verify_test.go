package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/snapshot/block"
	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
	"shark/snapshot/identity"
)

// objects are the objects of a snapshot, by key.
type objects = map[string][]byte

// memory is a bucket of them. It has what reading needs.
type memory struct {
	bucket.Bucket // nil
	objects
}

func (m memory) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	data, ok := m.objects[key]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	case n < 0:
		n = int64(len(data)) - from
	}
	if from < 0 || n < 0 || from+n > int64(len(data)) {
		return nil, fmt.Errorf("%s: %w", key, io.ErrUnexpectedEOF)
	}
	return io.NopCloser(bytes.NewReader(data[from : from+n])), ctx.Err()
}

func (m memory) Stat(ctx context.Context, key string) (bucket.Object, error) {
	data, ok := m.objects[key]
	if !ok {
		return bucket.Object{}, fs.ErrNotExist
	}
	return bucket.Object{Key: key, Size: int64(len(data))}, ctx.Err()
}

func (m memory) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(m.objects)) {
			if strings.HasPrefix(key, prefix) && !yield(bucket.Object{Key: key, Size: int64(len(m.objects[key]))}, ctx.Err()) {
				return
			}
		}
	}
}

func (m memory) Sub(string) bucket.Bucket { return m } // there is one snapshot
func (m memory) String() string           { return "memory" }

func (m memory) Folders(context.Context) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

// inMemory is a snapshot of some nodes, signed with the key of the vectors.
func inMemory(t testing.TB, nodes, packets int) (objects, string) {
	t.Helper()
	store := openFolder(t)
	var o ImportOptions
	for i := range nodes {
		o.Files = append(o.Files, fmt.Sprintf("n%d=%s", i, capture(t, "a.pcapng", packets+i, 60, 0)))
	}
	return signedObjects(t, store, mustImport(t, store, o))
}

// filled is a store that has the objects of a snapshot.
func filled(t *testing.T, whole objects, id string) *Store {
	t.Helper()
	store := openStore(t)
	for path, data := range whole {
		put(t, store, id+"/"+path, string(data))
	}
	return store
}

// signedObjects signs a snapshot and returns its objects.
func signedObjects(t testing.TB, store *Store, m *Manifest) (objects, string) {
	t.Helper()
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := vectorKeys(t)
	if err := s.Sign(t.Context(), secret, false); err != nil {
		t.Fatal(err)
	}
	all := make(objects)
	for o, err := range s.files.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if all[o.Key], err = bucket.ReadAll(t.Context(), s.files, o.Key, 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	return all, m.ID
}

// ofAllKinds makes a signed snapshot with objects of every kind in memory: packets, plaintext,
// secrets, their indexes and an identity log, of two nodes.
func ofAllKinds(t *testing.T) (objects, string) {
	t.Helper()
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}})
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + talk(t, 40, ""), "n2=" + capture(t, "a.pcapng", 40, 60, 0)}, Identity: log})
	for _, kind := range []ObjectKind{KindPackets, KindPlaintext, KindBlocks, KindSecrets, KindIdentity} {
		if len(objectsOf(m, kind)) == 0 {
			t.Fatalf("there is no object of kind %s", kind)
		}
	}
	return signedObjects(t, store, m)
}

// TestRandomDamage: whatever is changed of a signed snapshot, verify finds it and names
// what was changed. Without a key it finds all but what is changed of the signature alone.
func TestRandomDamage(t *testing.T) {
	whole, id := ofAllKinds(t)
	_, public := vectorKeys(t)
	o := VerifyOptions{Key: public, Workers: 1}
	if _, err := (&Store{memory{nil, whole}}).verify(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	paths := slices.Sorted(maps.Keys(whole))
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := make(map[string]int)
	for n := 0; n < 10_000/part; {
		bad := maps.Clone(whole)
		path := paths[rng.IntN(len(paths))]
		kind, other := damage(rng, bad, paths, path)
		if harmless(whole, bad, path) && (other == "" || harmless(whole, bad, other)) {
			continue
		}
		n++
		kinds[kind]++
		v, err := (&Store{memory{nil, bad}}).verify(t.Context(), id, o)
		changed := []string{path}
		if other != "" {
			changed = append(changed, other)
		}
		if !namesAll(v, err, slices.DeleteFunc(changed, func(p string) bool { return harmless(whole, bad, p) })) {
			t.Fatalf("damage %d, %s of %s %s: %v, %+v", n, kind, path, other, err, v)
		}
		if !slices.Contains(changed, manifestName) { // of the others it is the same that finds them
			continue
		}
		if _, err := (&Store{memory{nil, bad}}).verify(t.Context(), id, VerifyOptions{Workers: 1}); err == nil {
			t.Fatalf("damage %d, %s of %s %s: not found without a key", n, kind, path, other)
		}
	}
	t.Logf("%d objects: %v", len(paths), kinds)
}

// damage changes an object, and maybe another, and says how.
func damage(rng *rand.Rand, all objects, paths []string, path string) (kind, other string) {
	data := bytes.Clone(all[path])
	at := rng.IntN(len(data))
	switch rng.IntN(7) {
	case 0:
		all[path] = data[:at]
		return "truncation", ""
	case 1:
		delete(all, path)
		return "deletion", ""
	case 2:
		other = paths[rng.IntN(len(paths))]
		all[path], all[other] = all[other], all[path]
		return "swap", other
	case 3: // some bytes of one in another
		from := all[paths[rng.IntN(len(paths))]]
		piece := from[rng.IntN(len(from)):]
		piece = piece[:1+rng.IntN(len(piece))]
		all[path] = slices.Concat(data[:at], piece, data[min(at+rng.IntN(len(piece)+1), len(data)):])
		return "splice", ""
	case 4:
		all[path] = append(data, byte(rng.Uint32()))
		return "one byte more", ""
	case 5:
		end := at + rng.IntN(len(data)-at)
		all[path] = append(data[:at], data[end:]...)
		return "a piece less", ""
	}
	data[at] ^= 1 << rng.IntN(8)
	all[path] = data
	return "a bit", ""
}

// harmless tells whether an object is what it was, as far as it is signed: the first line
// of a signature is not, nor is its last newline.
func harmless(whole, bad objects, path string) bool {
	a, b := string(whole[path]), string(bad[path])
	if path != signatureName || a == b {
		return a == b && (bad[path] != nil) == (whole[path] != nil)
	}
	_, a, _ = strings.Cut(a, "\n")
	first, b, _ := strings.Cut(b, "\n")
	return strings.HasPrefix(first, "untrusted comment: ") && strings.TrimSuffix(a, "\n") == strings.TrimSuffix(b, "\n")
}

// namesAll tells whether an error names all objects that were changed, and no other. Where
// the manifest was, it is enough that it is named: nothing else is sure then.
func namesAll(v *Verification, err error, changed []string) bool {
	if slices.Contains(changed, manifestName) {
		return names(v, err, manifestName)
	}
	for _, path := range changed {
		if !names(v, err, path) {
			return false
		}
	}
	return !slices.ContainsFunc(v.Problems, func(p Problem) bool { return !slices.Contains(changed, p.Path) })
}

// names tells whether an error says that there is a problem with an object.
func names(v *Verification, err error, path string) bool {
	switch {
	case v == nil && path == manifestName: // there is nothing else to tell
		return errors.Is(err, ErrNotFound) || errors.Is(err, ErrIntegrity) && strings.Contains(err.Error(), "manifest") ||
			err != nil && strings.Contains(err.Error(), "a newer one is needed")
	case v == nil || !errors.Is(err, ErrIntegrity):
		return false
	}
	return slices.ContainsFunc(v.Problems, func(p Problem) bool {
		return p.Path == path || path == manifestName && p.Path == signatureName && strings.Contains(p.Reason, manifestName)
	})
}

// TestVerifyLies: a snapshot of which all sums are right, but not what they sum up.
func TestVerifyLies(t *testing.T) {
	whole, id := inMemory(t, 1, 100)
	const packets, index = "nodes/n0/packets.pcapng.zst", "nodes/n0/packets.blocks"
	for name, c := range map[string]struct {
		lie    func(x *block.Index, o *Object)
		path   string
		reason string
	}{
		"nothing":      {func(*block.Index, *Object) {}, "", ""},
		"sum":          {func(x *block.Index, _ *Object) { x.Blocks[0].Sum[3]++ }, packets, "sum"},
		"size":         {func(x *block.Index, _ *Object) { x.Blocks[0].Raw++ }, packets, "bytes unpacked"},
		"first":        {func(x *block.Index, _ *Object) { x.Blocks[0].First++ }, packets, "of a time"},
		"last":         {func(x *block.Index, _ *Object) { x.Blocks[0].Last-- }, packets, "of a time"},
		"partition":    {func(x *block.Index, _ *Object) { x.Blocks[0].Partition = 0 }, packets, "a partition"},
		"no partition": {func(x *block.Index, _ *Object) { x.Blocks[0].Partition = 3 }, index, "a partition that there is not"},
		"groups":       {func(x *block.Index, _ *Object) { x.Groups = 10 }, index, "not the index of"},
		"no groups":    {func(x *block.Index, o *Object) { x.Groups, o.Groups = 5, 5 }, index, "5 groups"},
		"fewer":        {func(x *block.Index, o *Object) { x.Blocks[0].Packets--; o.Packets-- }, packets, "packets, by the index"},
		"interface":    {func(x *block.Index, _ *Object) { x.Interfaces[0].Name = "eth9" }, packets, "interfaces"},
		"one fewer":    {func(x *block.Index, _ *Object) { x.Blocks[0].Interfaces = x.Blocks[0].Interfaces[:1] }, packets, "interfaces"},
		"extras":       {func(x *block.Index, _ *Object) { x.Blocks[len(x.Blocks)-1].Extras = false }, packets, "names, comments or other blocks"},
		"wire bytes":   {func(_ *block.Index, o *Object) { o.Bytes++ }, packets, "on the wire"},
		"window":       {func(_ *block.Index, o *Object) { o.Window.To = o.Window.To.Add(1) }, packets, "not of the time"},
		"no window":    {func(_ *block.Index, o *Object) { o.Window = nil }, packets, "not of the time"},
		"a block less": {func(x *block.Index, _ *Object) { x.Blocks = x.Blocks[:1] }, index, "not the index of"},
		"blocks":       {func(_ *block.Index, o *Object) { o.Blocks++ }, index, "not the index of"},
	} {
		bad := maps.Clone(whole)
		delete(bad, signatureName)
		m, err := ParseManifest(bad[manifestName])
		if err != nil {
			t.Fatal(err)
		}
		x, err := block.ParseIndex(bad[index])
		if err != nil {
			t.Fatal(err)
		}
		c.lie(x, m.object(packets))
		n := &m.Nodes[0] // it tells the same lie
		n.Packets, n.Bytes, n.Got = m.object(packets).Packets, m.object(packets).Bytes, m.object(packets).Window
		if bad[index], err = x.Encode(); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(bad[index])
		m.object(index).Size, m.object(index).SHA256 = int64(len(bad[index])), hex.EncodeToString(sum[:])
		if bad[manifestName], err = m.encode(); err != nil {
			t.Fatal(err)
		}
		v, err := (&Store{memory{nil, bad}}).verify(t.Context(), id, VerifyOptions{})
		if c.path == "" && err == nil {
			continue
		}
		if !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != c.path || !strings.Contains(v.Problems[0].Reason, c.reason) {
			t.Errorf("%s: %v, %+v", name, err, v)
		}
	}
}

// TestVerifyManifestLies: a manifest that nobody signed, with a sum that is right, and that says of
// sound packets what they are not.
func TestVerifyManifestLies(t *testing.T) {
	whole, id := inMemory(t, 2, 100)
	for name, c := range map[string]struct {
		lie    func(m *Manifest)
		reason string
	}{
		"none":              {func(*Manifest) {}, ""},
		"cut packets":       {func(m *Manifest) { m.Nodes[1].CutPackets = 7 }, "7 packets of node \"n1\" were not captured whole, and there are 34"},
		"snap length":       {func(m *Manifest) { m.Nodes[0].Interfaces[0].SnapLen++ }, "of interface 0"},
		"link type":         {func(m *Manifest) { m.Nodes[0].Interfaces[0].LinkType++ }, "of interface 0"},
		"name":              {func(m *Manifest) { m.Nodes[0].Interfaces[0].Name = "eth9" }, `of interface 0, "eth9"`},
		"count":             {func(m *Manifest) { m.Nodes[0].Interfaces[0].Packets-- }, "of interface 0"},
		"dropped":           {func(m *Manifest) { m.Nodes[0].Interfaces[0].Dropped = new(uint64) }, "of interface 0"},
		"an interface less": {func(m *Manifest) { m.Nodes[0].Interfaces = m.Nodes[0].Interfaces[:1] }, "it lacks interfaces"},
		"an interface more": {func(m *Manifest) { m.Nodes[0].Interfaces = append(m.Nodes[0].Interfaces, Interface{Name: "x"}) }, "of interface 2"},
		"packets":           {func(m *Manifest) { m.Nodes[0].Packets++ }, "has 101 packets, and its objects 100"},
		"bytes":             {func(m *Manifest) { m.Nodes[0].Bytes++ }, "and those of its objects"},
		"time":              {func(m *Manifest) { m.Nodes[1].Got.To = m.Nodes[1].Got.To.Add(1) }, "of another time"},
		"no time":           {func(m *Manifest) { m.Nodes[1].Got = nil }, "of another time"},
		"no objects":        {func(m *Manifest) { m.Objects = nil }, "has 100 packets, and its objects 0"},
		"those of one node": {func(m *Manifest) {
			m.Objects = slices.DeleteFunc(m.Objects, func(o Object) bool { return o.Node == "n1" })
		}, "and its objects 0"},
		"nodes that are not": {func(m *Manifest) { m.Nodes = append(m.Nodes, Node{Name: "n9", Packets: 3}) }, "has 3 packets, and its objects 0"},
	} {
		bad := maps.Clone(whole)
		delete(bad, signatureName)
		m, err := ParseManifest(bad[manifestName])
		if err != nil {
			t.Fatal(err)
		}
		c.lie(m)
		if bad[manifestName], err = m.encode(); err != nil {
			t.Fatal(err)
		}
		v, err := (&Store{memory{nil, bad}}).verify(t.Context(), id, VerifyOptions{})
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s: %v, %+v", name, err, v)
		case c.reason != "" && (!names(v, err, manifestName) || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %v, %+v", name, err, v)
		}
	}
}

// TestVerifyWrongSize: a manifest that says another size of packets blames them, not the index
// that is what the manifest says.
func TestVerifyWrongSize(t *testing.T) {
	whole, id := inMemory(t, 1, 100)
	delete(whole, signatureName)
	m, err := ParseManifest(whole[manifestName])
	if err != nil {
		t.Fatal(err)
	}
	const path = "nodes/n0/packets.pcapng.zst"
	m.object(path).Size--
	if whole[manifestName], err = m.encode(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Subset{{}, {Percent: 50}} {
		v, err := (&Store{memory{nil, whole}}).verify(t.Context(), id, VerifyOptions{Subset: s})
		if !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != path || !strings.Contains(v.Problems[0].Reason, "by the manifest") {
			t.Errorf("%+v: %v, %+v", s, err, v)
		}
	}
}

// TestVerifyCaptures: all that captures have is kept as verify wants it.
func TestVerifyCaptures(t *testing.T) {
	files, err := filepath.Glob("../testdata/*/*.pcap*")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	store := openStore(t)
	var o ImportOptions
	for i, f := range files {
		o.Files = append(o.Files, fmt.Sprintf("n%d=%s", i%6, f)) // merged, for fewer objects
	}
	m := mustImport(t, store, o)
	if v, err := store.Verify(t.Context(), m.ID, nil); err != nil {
		t.Errorf("%v: %+v", err, v.Problems)
	}
}

// TestSubset: a subset is as large as it was asked for, and its parts are together all.
func TestSubset(t *testing.T) {
	whole, id := inMemory(t, 20, 300)
	store := filled(t, whole, id)
	verify := func(s Subset) *Verification {
		t.Helper()
		done, total := int64(0), int64(0)
		v, err := store.verify(t.Context(), id, VerifyOptions{Subset: s, Progress: func(d, n int64) { done, total = d, n }})
		if err != nil || v.Objects != 60 || v.AllBlocks != 40 || done != total || done != v.Bytes {
			t.Fatalf("%+v: %+v, %v, %d of %d bytes", s, v, err, done, total)
		}
		return v
	}
	all := verify(Subset{Percent: 100})
	if all.Blocks != all.AllBlocks || all.BlockBytes != all.AllBlockBytes {
		t.Errorf("100%%: %+v", all)
	}
	for _, s := range []Subset{{Percent: 20}, {Bytes: all.AllBlockBytes / 5}, {Percent: 0.001}, {Bytes: 1 << 50}} {
		v := verify(s)
		want := min(max(s.Bytes, int64(s.Percent/100*float64(all.AllBlockBytes)), 1), all.AllBlockBytes)
		if v.BlockBytes < want || v.BlockBytes > want+20_000 {
			t.Errorf("%+v: %d bytes, want %d", s, v.BlockBytes, want)
		}
	}
	sum := 0
	for part := range 7 {
		sum += verify(Subset{Part: part + 1, Of: 7}).Blocks
	}
	if sum != all.AllBlocks {
		t.Errorf("seven parts have %d blocks of %d", sum, all.AllBlocks)
	}
}

// TestSubsetDamage: of some parts exactly that one finds a damaged block that has it; a
// size that is wrong is found by all.
func TestSubsetDamage(t *testing.T) {
	whole, id := inMemory(t, 10, 100)
	const path = "nodes/n3/packets.pcapng.zst"
	store := filled(t, whole, id)
	count := func(change func(data []byte) []byte) (found int) {
		if bad := change(bytes.Clone(whole[path])); bad != nil {
			put(t, store, id+"/"+path, string(bad))
		} else if err := store.files.Remove(t.Context(), id+"/"+path); err != nil {
			t.Fatal(err)
		}
		for part := range 5 {
			v, err := store.verify(t.Context(), id, VerifyOptions{Subset: Subset{Part: part + 1, Of: 5}})
			if err != nil {
				found++
				if !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != path {
					t.Errorf("%v", err)
				}
			}
		}
		return found
	}
	if n := count(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }); n != 1 {
		t.Errorf("a bit: %d parts find it", n)
	}
	if n := count(func(b []byte) []byte { return b[1:] }); n != 5 {
		t.Errorf("a byte less: %d parts find it", n)
	}
	if n := count(func([]byte) []byte { return nil }); n != 5 {
		t.Errorf("missing: %d parts find it", n)
	}
}

// away is a bucket that cannot be reached.
type away struct{ memory }

func (a away) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if strings.HasSuffix(key, ".zst") {
		return nil, bucket.MayPass(errors.New("nobody answers"))
	}
	return a.memory.Open(ctx, key, from, n)
}

func (a away) Sub(string) bucket.Bucket { return a }

// TestVerifyUnread: what may be read later is not damaged.
func TestVerifyUnread(t *testing.T) {
	whole, id := inMemory(t, 1, 100)
	for _, s := range []Subset{{}, {Percent: 100}} {
		v, err := (&Store{away{memory{nil, whole}}}).verify(t.Context(), id, VerifyOptions{Subset: s})
		if err == nil || errors.Is(err, ErrIntegrity) || len(v.Problems) > 0 || !strings.Contains(err.Error(), "packets.pcapng.zst: nobody answers") {
			t.Errorf("%+v: %v, %+v", s, err, v)
		}
	}
}

// TestVerifyFaults: a bucket that fails now and then is tried again, or is an error; what
// lies there is never called damaged for it.
func TestVerifyFaults(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 500, 60, 0)}})
	wait := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	for seed := range uint64(20) {
		faulty := buckettest.Faulty(store.files, seed, buckettest.Faults{Fail: 0.1, Cut: 0.2, Break: 0.1})
		for _, s := range []Subset{{}, {Part: 1, Of: 2}} {
			o := VerifyOptions{Subset: s}
			if _, err := (&Store{bucket.WithRetry(faulty, bucket.Retry{Tries: 20, Wait: wait})}).verify(t.Context(), m.ID, o); err != nil {
				t.Errorf("seed %d, %+v: %v", seed, s, err)
			}
			if v, err := (&Store{faulty}).verify(t.Context(), m.ID, o); errors.Is(err, ErrIntegrity) {
				t.Errorf("seed %d, %+v, once: %+v", seed, s, v)
			}
		}
	}
}
