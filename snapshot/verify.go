package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

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

// Verification is what Verify found.
type Verification struct {
	ID       string
	Objects  int   // checked
	Bytes    int64 // read
	Problems []Problem
	// Unlisted are files that neither the manifest nor a published index knows. They are no
	// part of the snapshot; some may be what a publish that runs or was killed has written.
	Unlisted []string
	// Unchecked lies beside the evidence, and nobody can tell whether it is sound: a published
	// index of another version of the program, a hold that is not one.
	Unchecked []Problem
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
	var parts []string
	n := len(v.Problems)
	for _, x := range []struct{ path, words string }{{signatureName, "its signature"}, {manifestName, "its manifest"}} {
		if slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Path == x.path }) {
			parts = append(parts, x.words)
			n--
		}
	}
	if n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d objects", n, v.Objects))
	}
	return strings.Join(parts, " and ")
}

// Verify verifies the snapshot that ref names, as Find finds it, but one that lacks objects
// too.
func Verify(ctx context.Context, store, ref string, o VerifyOptions) (*Verification, error) {
	s, err := findDamaged(ctx, store, ref)
	if errors.Is(err, ErrIntegrity) { // the manifest is, and without it there is nothing to compare with
		_, reason, _ := strings.Cut(err.Error(), ErrIntegrity.Error()+": ")
		return &Verification{ID: ref, Problems: []Problem{{manifestName, reason}}}, err
	}
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
// compared; all else is read whole. Without a signature nobody vouches for what the manifest
// alone says: names, notes, the time asked for, filters, coverage.
func (s *Snapshot) Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	v := &verifier{s: s, o: o, v: &Verification{ID: s.Manifest.ID}, indexes: make(map[string]*block.Index), found: make(map[string]*nodeFound)}
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
	found   map[string]*nodeFound   // of nodes of which all packets were read and are sound
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
	if v.whole() {
		v.nodes()
	}
	v.sort()
	return v.beside(ctx)
}

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
