package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Verification is what Verify found.
type Verification struct {
	ID       string
	Objects  int   // checked
	Bytes    int64 // read
	Problems []Problem
	// Unlisted are files that the manifest does not know. They are no part of the
	// snapshot.
	Unlisted []string
}

// Problem is an object that is not what the manifest says.
type Problem struct {
	Path   string
	Reason string // a clause, such as "it is missing"
}

// Verify reads every object of the snapshot that ref names and compares it with the
// manifest. With problems its error wraps ErrIntegrity. Progress, which may be
// nil, is told how many bytes of all were read.
func (s *Store) Verify(ctx context.Context, ref string, progress func(done, total int64)) (*Verification, error) {
	id, err := s.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	x, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return x.Verify(ctx, progress)
}

// Verify is Store.Verify for a snapshot that was opened.
func (s *Snapshot) Verify(ctx context.Context, progress func(done, total int64)) (*Verification, error) {
	v := &Verification{ID: s.Manifest.ID}
	total := int64(0)
	listed := map[string]bool{manifestName: true, manifestName + ".minisig": true}
	for _, o := range s.Manifest.Objects {
		total += o.Size
		listed[o.Path] = true
	}
	for i := range s.Manifest.Objects {
		o := &s.Manifest.Objects[i]
		reason, err := s.verify(ctx, o, func(n int) {
			v.Bytes += int64(n)
			if progress != nil {
				progress(v.Bytes, total)
			}
		})
		if err != nil {
			return v, fmt.Errorf("verify %s: %w", o.Path, err)
		}
		v.Objects++
		if reason != "" {
			v.Problems = append(v.Problems, Problem{o.Path, reason})
		}
	}
	for o, err := range s.files.List(ctx, "") {
		if err != nil {
			return v, fmt.Errorf("verify: %w", err)
		}
		if !listed[o.Key] && !strings.HasPrefix(o.Key, "dissections/") { // which come later
			v.Unlisted = append(v.Unlisted, o.Key)
		}
	}
	if n := len(v.Problems); n > 0 {
		p := v.Problems[0]
		return v, fmt.Errorf("snapshot %s: %w: %d of %d objects, the first is %s: %s", v.ID, ErrIntegrity, n, v.Objects, p.Path, p.Reason)
	}
	return v, nil
}

// verify compares one object with the manifest. It returns what is wrong with it.
func (s *Snapshot) verify(ctx context.Context, o *Object, read func(int)) (string, error) {
	f, err := s.files.Open(ctx, o.Path, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is missing", ctx.Err()
	}
	if err != nil {
		return err.Error(), ctx.Err()
	}
	defer f.Close()
	sum, size := sha256.New(), int64(0)
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		size += int64(n)
		read(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err.Error(), nil
		}
	}
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case size != o.Size:
		return fmt.Sprintf("it has %d bytes, by the manifest %d", size, o.Size), nil
	case got != o.SHA256:
		return fmt.Sprintf("its SHA-256 is %s, by the manifest %s", got, o.SHA256), nil
	}
	return "", nil
}
