package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
)

// byDescription is who says of a published index how large it is and what its sums are.
const byDescription = "its description"

// beside checks what lies below the snapshot's id and is no evidence: published indexes with
// their shares, and a hold. What nobody knows of is noted.
func (v *verifier) beside(ctx context.Context) error {
	listed := map[string]bool{manifestName: true, signatureName: true}
	for i := range v.s.Manifest.Objects {
		listed[v.s.Manifest.Objects[i].Path] = true
	}
	published := make(map[string][]bucket.Object) // by the name of the dissection
	for o, err := range v.s.files.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		switch name, ok := dissectionOf(o.Key); {
		case listed[o.Key]:
		case ok:
			published[name] = append(published[name], o)
		case o.Key == holdName:
			if err := v.hold(ctx); err != nil {
				return err
			}
		default:
			v.v.Unlisted = append(v.v.Unlisted, o.Key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(published)) {
		if err := v.published(ctx, name, published[name]); err != nil {
			return err
		}
	}
	return nil
}

// hold notes a hold that is none. It holds all the same.
func (v *verifier) hold(ctx context.Context) error {
	h, err := readHold(ctx, v.s.files)
	if err != nil {
		return fmt.Errorf("verify %s: %w", holdName, err)
	}
	if h != nil && h.Unreadable {
		v.v.Unchecked = append(v.v.Unchecked, Problem{holdName, "it does not say who holds the snapshot, and holds it all the same"})
	}
	return nil
}

// published checks all that is published under a name.
func (v *verifier) published(ctx context.Context, name string, files []bucket.Object) error {
	known := make(map[string]bool)
	sizes := make(map[string]int64, len(files))
	for _, o := range files {
		sizes[o.Key] = o.Size
	}
	dir := dissectionPath(name)
	if _, ok := sizes[dir+dissectionName]; ok {
		known[dir+dissectionName] = true
		d, err := v.description(ctx, dir)
		if err != nil {
			return err
		}
		if d == nil { // nobody knows what is its
			return nil
		}
		x := &d.Shards[0]
		known[dir+x.Path], known[dir+x.Sums] = true, true
		if err := v.database(ctx, dir, x); err != nil {
			return err
		}
	}
	for _, o := range files {
		if known[o.Key] {
			continue
		}
		x, ok := parseShare(o.Key, o.Size)
		if !ok || !strings.HasPrefix(o.Key, sharePath(name)) {
			v.v.Unlisted = append(v.v.Unlisted, o.Key)
			continue
		}
		if err := v.share(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// description reads the description of a published index; nil: it cannot be used, which is noted.
func (v *verifier) description(ctx context.Context, dir string) (*Dissection, error) {
	v.v.Objects++
	text, err := bucket.ReadAll(ctx, v.s.files, dir+dissectionName, maxDissection)
	if errors.Is(err, fs.ErrNotExist) { // it was removed since it was listed
		return nil, nil
	}
	if err != nil {
		reason, err := unread(ctx, err)
		return nil, v.note(dir+dissectionName, reason, err)
	}
	v.more(int64(len(text)))
	d, err := describe(text, v.s.Digest)
	if errors.Is(err, errOther) {
		v.v.Unchecked = append(v.v.Unchecked, Problem{dir + dissectionName, err.Error()})
		return nil, nil
	}
	if err != nil {
		v.problem(dir+dissectionName, err.Error())
		return nil, nil
	}
	return d, nil
}

// database compares a published database with its sums, and these with the description; of a
// subset of the packets only its size.
func (v *verifier) database(ctx context.Context, dir string, x *Shard) error {
	v.v.Objects += 2
	o := Object{Path: dir + x.Sums, Size: x.pieces() * int64(len(cache.Sum{})), SHA256: x.SHA}
	var sums []byte
	v.total += o.Size
	reason, err := v.stream(ctx, &o, byDescription, func(in io.Reader) (err error) {
		if sums, err = io.ReadAll(io.LimitReader(in, o.Size)); err == nil {
			_, err = io.Copy(io.Discard, in)
		}
		return err
	})
	if err != nil || reason != "" {
		return v.note(o.Path, reason, err)
	}
	info, err := v.s.files.Stat(ctx, dir+x.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason, err = "it is missing", nil
	case err != nil:
		reason, err = unread(ctx, err)
	case info.Size != x.Size:
		reason = fmt.Sprintf("it has %d bytes, by %s %d", info.Size, byDescription, x.Size)
	case v.whole():
		reason, err = v.pieces(ctx, dir+x.Path, x.Size, sums)
	}
	return v.note(dir+x.Path, reason, err)
}

// pieces compares a published file of so many bytes with the sums of its pieces.
func (v *verifier) pieces(ctx context.Context, path string, size int64, sums []byte) (string, error) {
	in, err := v.s.files.Open(ctx, path, 0, -1)
	if err != nil {
		return unread(ctx, err)
	}
	defer in.Close()
	v.total += size
	buf := make([]byte, pieceSize)
	for at := int64(0); at < size; at += pieceSize {
		piece := buf[:min(pieceSize, size-at)]
		n, err := io.ReadFull(cancelled{ctx, in}, piece)
		v.read(n)
		if err != nil {
			return unread(ctx, err)
		}
		if cache.SumOf(piece) != cache.Sum(sums[:len(cache.Sum{})]) {
			return fmt.Sprintf("its bytes from %d on have another sum than %s says", at, byDescription), nil
		}
		sums = sums[len(cache.Sum{}):]
	}
	return "", nil
}

// share compares a published share of a dissection with the sum in its name, unless a subset of
// the packets is read.
func (v *verifier) share(ctx context.Context, x Share) error {
	v.v.Objects++
	if !v.whole() {
		return nil
	}
	v.total += x.Size
	buf := make([]byte, pieceSize)
	reason, err := v.stream(ctx, &Object{Path: x.key, Size: x.Size, SHA256: x.SHA}, "its name", func(in io.Reader) error {
		for {
			if _, err := in.Read(buf); err != nil {
				return err
			}
		}
	})
	return v.note(x.key, reason, err)
}

// more counts bytes that were read, of which it was not known before that they would be.
func (v *verifier) more(n int64) {
	v.total += n
	v.read(int(n))
}

// note notes what is wrong with an object beside the evidence, if something is.
func (v *verifier) note(path, reason string, err error) error {
	if err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	if reason != "" {
		v.problem(path, reason)
	}
	return nil
}
