package snapshot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"shark/snapshot/block"
	"shark/snapshot/bucket"
)

// VerifyOptions say how a snapshot is verified. The zero value reads all of it.
type VerifyOptions struct {
	Key     *PublicKey // that must have signed it; nil: the signature is not checked
	Subset  Subset     // of the packets that are read
	Workers int        // goroutines that check blocks of packets; 0: one a processor
	// Progress, which may be nil, is told how many bytes of all were read.
	Progress func(done, total int64)
}

// Subset is a share of the blocks of packets. The zero value is all of them. Others are
// chosen at random, unless Of is set.
type Subset struct {
	Percent  float64 // of the bytes of all blocks, above 0 and up to 100
	Bytes    int64
	Part, Of int // with Of above 0 every Of-th block, from the Part-th on: 1 to Of
}

// Verification is what Verify found.
type Verification struct {
	ID       string
	Objects  int   // checked
	Bytes    int64 // read
	Problems []Problem
	// Unlisted are files that the manifest does not know. They are no part of the
	// snapshot.
	Unlisted []string
	// Signature is nil when there is none.
	Signature *Signature
	// Blocks and BlockBytes are how many blocks of packets were read, of AllBlocks with
	// AllBlockBytes. They are 0 when no subset was asked for.
	Blocks, AllBlocks         int
	BlockBytes, AllBlockBytes int64
}

// Problem is an object that is not what the manifest says, or a signature that is not one
// of the manifest.
type Problem struct {
	Path   string
	Reason string // a clause, such as "it is missing"
}

// Summary says how many problems there are, for people. It is empty without any.
func (v *Verification) Summary() string {
	signature := slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Path == signatureName })
	n := len(v.Problems)
	if signature {
		n--
	}
	objects := fmt.Sprintf("%d of %d objects", n, v.Objects)
	switch {
	case signature && n > 0:
		return "its signature and " + objects
	case signature:
		return "its signature"
	case n > 0:
		return objects
	}
	return ""
}

// Verify verifies the snapshot that ref names, as Find finds it, but one that lacks objects
// too.
func Verify(ctx context.Context, store, ref string, o VerifyOptions) (*Verification, error) {
	s, err := findDamaged(ctx, store, ref)
	if err != nil {
		return nil, err
	}
	return s.Verify(ctx, o)
}

// findDamaged is Find for a snapshot that may lack objects.
func findDamaged(ctx context.Context, store, ref string) (*Snapshot, error) {
	if info, err := os.Stat(ref); err == nil && info.IsDir() || strings.Contains(ref, "://") {
		files, err := bucket.Open(ctx, ref, bucket.Options{})
		if err != nil {
			return nil, err
		}
		s, err := load(ctx, files)
		if err == nil {
			return s, nil
		}
		if store == "" || !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("%s: %w", files, err)
		}
	}
	s, err := OpenStore(ctx, store)
	if err != nil {
		return nil, err
	}
	return s.getDamaged(ctx, ref)
}

// getDamaged is Store.Get for a snapshot that may lack objects.
func (s *Store) getDamaged(ctx context.Context, ref string) (*Snapshot, error) {
	id, err := s.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.load(ctx, id)
}

// Verify is Snapshot.Verify of all that the snapshot has that ref names.
func (s *Store) Verify(ctx context.Context, ref string, progress func(done, total int64)) (*Verification, error) {
	return s.verify(ctx, ref, VerifyOptions{Progress: progress})
}

func (s *Store) verify(ctx context.Context, ref string, o VerifyOptions) (*Verification, error) {
	x, err := s.getDamaged(ctx, ref)
	if err != nil {
		return nil, err
	}
	return x.Verify(ctx, o)
}

// Verify compares the objects of the snapshot with the manifest, every block of packets
// with its index, and, if there is a key, the manifest with its signature. With problems
// its error wraps ErrIntegrity. Of a subset of packets only the size and these blocks are
// compared; all else is read whole.
func (s *Snapshot) Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	v := &verifier{s: s, o: o, v: &Verification{ID: s.Manifest.ID}, indexes: make(map[string]*block.Index)}
	if v.o.Workers <= 0 {
		v.o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := v.run(ctx); err != nil {
		return v.v, err
	}
	if n := len(v.v.Problems); n > 0 {
		p := v.v.Problems[0]
		return v.v, fmt.Errorf("snapshot %s: %w: %s, the first is %s: %s", v.v.ID, ErrIntegrity, v.v.Summary(), p.Path, p.Reason)
	}
	return v.v, nil
}

// verifier verifies one snapshot.
type verifier struct {
	s       *Snapshot
	o       VerifyOptions
	v       *Verification
	indexes map[string]*block.Index // those that are sound, by path
	total   int64                   // bytes to be read
}

func (v *verifier) run(ctx context.Context) error {
	found, problem, err := v.s.signature(ctx, v.o.Key)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if v.v.Signature = found; problem != nil {
		v.v.Problems = append(v.v.Problems, *problem)
	}
	var packets []*Object
	for i := range v.s.Manifest.Objects {
		o := &v.s.Manifest.Objects[i]
		if o.blocked() {
			packets = append(packets, o)
		}
		if !o.blocked() || v.whole() {
			v.total += o.Size
		}
	}
	for i := range v.s.Manifest.Objects {
		if o := &v.s.Manifest.Objects[i]; !o.blocked() {
			reason, err := v.object(ctx, o)
			if err := v.done(o, reason, err); err != nil {
				return err
			}
		}
	}
	chosen := v.choose(packets)
	for i, o := range packets {
		var reason string
		var err error
		if v.whole() {
			reason, err = v.packets(ctx, o)
		} else {
			reason, err = v.subset(ctx, o, chosen[i])
		}
		if err := v.done(o, reason, err); err != nil {
			return err
		}
	}
	v.sort()
	return v.unlisted(ctx)
}

func (v *verifier) whole() bool { return v.o.Subset == Subset{} }

// read counts bytes that were read.
func (v *verifier) read(n int) {
	v.v.Bytes += int64(n)
	if v.o.Progress != nil {
		v.o.Progress(v.v.Bytes, v.total)
	}
}

// done notes what is wrong with an object that was checked.
func (v *verifier) done(o *Object, reason string, err error) error {
	if err != nil {
		return fmt.Errorf("verify %s: %w", o.Path, err)
	}
	v.v.Objects++
	if reason != "" {
		v.problem(o.Path, reason)
	}
	return nil
}

// problem notes the first that is wrong with an object.
func (v *verifier) problem(path, reason string) {
	if !slices.ContainsFunc(v.v.Problems, func(p Problem) bool { return p.Path == path }) {
		v.v.Problems = append(v.v.Problems, Problem{path, reason})
	}
}

// sort puts problems in the order of the manifest, that of the signature first.
func (v *verifier) sort() {
	if len(v.v.Problems) == 0 {
		return
	}
	place := make(map[string]int)
	for i := range v.s.Manifest.Objects {
		place[v.s.Manifest.Objects[i].Path] = i + 1
	}
	slices.SortStableFunc(v.v.Problems, func(a, b Problem) int { return cmp.Compare(place[a.Path], place[b.Path]) })
}

// unlisted looks for files that the manifest does not know. A hold and dissections come
// later, and are beside the snapshot.
func (v *verifier) unlisted(ctx context.Context) error {
	listed := map[string]bool{manifestName: true, signatureName: true, holdName: true}
	for i := range v.s.Manifest.Objects {
		listed[v.s.Manifest.Objects[i].Path] = true
	}
	var published []string
	for o, err := range v.s.files.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if name, ok := dissectionOf(o.Key); ok {
			if strings.HasSuffix(o.Key, "/"+dissectionName) {
				published = append(published, name)
			}
		} else if !listed[o.Key] && !strings.HasPrefix(o.Key, "dissections/") {
			v.v.Unlisted = append(v.v.Unlisted, o.Key)
		}
	}
	for _, name := range published {
		if err := v.dissection(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// dissection compares an index database that is published with its sums, all of it or, of a
// subset of the packets, its description and these sums.
func (v *verifier) dissection(ctx context.Context, name string) error {
	v.v.Objects++
	at := dissectionPath(name) + dissectionName
	r, err := v.s.Dissection(ctx, name)
	if err == nil && v.whole() {
		at = r.path
		err = v.pieces(ctx, r)
	}
	if errors.Is(err, ErrIntegrity) || errors.Is(err, fs.ErrNotExist) {
		v.problem(at, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", at, err)
	}
	return nil
}

// pieces reads a published database through.
func (v *verifier) pieces(ctx context.Context, r *Remote) error {
	buf := make([]byte, pieceSize)
	for at := int64(0); at < r.Size(); at += pieceSize {
		n, err := r.ReadAt(ctx, buf[:min(pieceSize, r.Size()-at)], at)
		if err != nil {
			return err
		}
		v.total += int64(n) // it is not known before
		v.read(n)
	}
	return nil
}

// object compares one object with the manifest, and keeps it if it is an index. It
// returns what is wrong with it.
func (v *verifier) object(ctx context.Context, o *Object) (string, error) {
	var text []byte
	index := o.Kind == KindBlocks
	if index && o.Size > maxIndex {
		return fmt.Sprintf("it has %d bytes, more than the %d that there can be", o.Size, maxIndex), nil
	}
	buf := make([]byte, min(max(o.Size+1, 32<<10), 1<<20))
	reason, err := v.stream(ctx, o, func(in io.Reader) error {
		for {
			n, err := in.Read(buf)
			if index && int64(len(text)) <= o.Size {
				text = append(text, buf[:n]...)
			}
			if err != nil {
				return err
			}
		}
	})
	if !index || reason != "" || err != nil {
		return reason, err
	}
	x, err := block.ParseIndex(text)
	if err != nil {
		return err.Error(), nil
	}
	v.indexes[o.Path] = x
	return "", nil
}

// stream reads an object through read, which ends with io.EOF, and compares it with the
// manifest. It returns what is wrong with it.
func (v *verifier) stream(ctx context.Context, o *Object, read func(io.Reader) error) (string, error) {
	f, err := v.s.files.Open(ctx, o.Path, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is missing", ctx.Err()
	}
	if err != nil {
		return unread(ctx, err)
	}
	defer f.Close()
	sum := &summing{ctx: ctx, in: f, sum: sha256.New(), read: v.read}
	if err := read(sum); err != nil && err != io.EOF {
		return unread(ctx, err)
	}
	switch got := hex.EncodeToString(sum.sum.Sum(nil)); {
	case sum.size != o.Size:
		return fmt.Sprintf("it has %d bytes, by the manifest %d", sum.size, o.Size), nil
	case got != o.SHA256:
		return fmt.Sprintf("its SHA-256 is %s, by the manifest %s", got, o.SHA256), nil
	}
	return "", nil
}

// unread tells whether what could not be read is a problem of the object: what may pass,
// such as a network that is down, is none.
func unread(ctx context.Context, err error) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case bucket.Temporary(err):
		return "", err
	}
	return err.Error(), nil
}

// packets reads all of a packets object and compares it with the manifest and its index.
func (v *verifier) packets(ctx context.Context, o *Object) (string, error) {
	x := v.index(o)
	if x == nil {
		return v.object(ctx, o)
	}
	c := x.Checker(v.o.Workers)
	reason, err := v.stream(ctx, o, func(in io.Reader) error {
		for i := range x.Blocks {
			packed := c.Buffer(x.Blocks[i].Packed)
			if _, err := io.ReadFull(in, packed); err != nil {
				if err == io.ErrUnexpectedEOF {
					err = io.EOF // its size says so
				}
				return err
			}
			c.Add(i, packed)
		}
		_, err := io.Copy(io.Discard, in)
		return err
	})
	found := c.Close()
	switch {
	case reason != "" || err != nil:
		return reason, err
	case found.Fault != nil:
		return found.Fault.String(), nil
	case found.Bytes != o.Bytes:
		return fmt.Sprintf("its packets have %d bytes on the wire, by the manifest %d", found.Bytes, o.Bytes), nil
	case !o.Window.is(&found):
		return "its packets are not of the time that the manifest says", nil
	}
	return "", nil
}

// is tells whether a window is that of packets.
func (w *Window) is(f *block.Found) bool {
	if w == nil || f.Packets == 0 {
		return w == nil && f.Packets == 0
	}
	return w.From.Equal(time.Unix(0, f.First)) && w.To.Equal(time.Unix(0, f.Last))
}

// index returns the index of a packets object; nil when it is not sound, which is noted.
func (v *verifier) index(o *Object) *block.Index {
	x := v.indexes[o.Index]
	if x != nil && (x.Size() != o.Size || x.Packets() != o.Packets || len(x.Blocks) != o.Blocks) {
		v.problem(o.Index, "it is not the index of "+o.Path)
		return nil
	}
	return x
}

// choose returns which blocks of each packets object are read. Those without a sound index
// have none.
func (v *verifier) choose(packets []*Object) [][]int {
	chosen := make([][]int, len(packets))
	if v.whole() {
		return chosen
	}
	type place struct{ object, block, size int }
	var all []place
	for i, o := range packets {
		v.v.AllBlockBytes += o.Size
		if x := v.index(o); x != nil {
			for j := range x.Blocks {
				all = append(all, place{i, j, x.Blocks[j].Packed})
			}
		}
	}
	v.v.AllBlocks = len(all)
	s := v.o.Subset
	want := max(s.Bytes, int64(s.Percent/100*float64(v.v.AllBlockBytes)), 1)
	if s.Of <= 0 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	for i, p := range all {
		if s.Of > 0 && i%s.Of != s.Part-1 {
			continue
		}
		if s.Of <= 0 && v.v.BlockBytes >= want {
			break
		}
		chosen[p.object] = append(chosen[p.object], p.block)
		v.v.Blocks++
		v.v.BlockBytes += int64(p.size)
	}
	for _, list := range chosen {
		slices.Sort(list)
	}
	v.total += v.v.BlockBytes
	return chosen
}

// subset compares the size of a packets object with the manifest, and some of its blocks
// with the index.
func (v *verifier) subset(ctx context.Context, o *Object, blocks []int) (string, error) {
	info, err := v.s.files.Stat(ctx, o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is missing", ctx.Err()
	case err != nil:
		return unread(ctx, err)
	case info.Size != o.Size:
		return fmt.Sprintf("it has %d bytes, by the manifest %d", info.Size, o.Size), nil
	case len(blocks) == 0:
		return "", nil
	}
	f := block.File{Name: o.Path, Index: v.indexes[o.Index], Fetch: func(ctx context.Context, from, n int64) (io.ReadCloser, error) {
		return v.s.files.Open(ctx, o.Path, from, n)
	}}
	found, err := f.Check(ctx, blocks, v.o.Workers, v.read)
	switch {
	case err != nil:
		return unread(ctx, err)
	case found.Fault != nil:
		return found.Fault.String(), nil
	}
	return "", nil
}

// summing sums up what is read of an object.
type summing struct {
	ctx  context.Context
	in   io.Reader
	sum  hash.Hash
	size int64
	read func(int)
}

func (s *summing) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.in.Read(p)
	_, _ = s.sum.Write(p[:n]) // a hash takes all
	s.size += int64(n)
	s.read(n)
	return n, err
}
