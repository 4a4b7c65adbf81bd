package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// digest returns the SHA-256 of what the answers depend on: the content of the
// inputs in their order, and the identities. A snapshot's manifest has the sums of
// its objects, but what is read are the objects: a copy of it may be damaged, and
// then it is not the same.
func (e *Evidence) digest(ctx context.Context) (string, error) {
	h := sha256.New()
	if e.snapshot != nil {
		fmt.Fprintf(h, "snapshot %s\n", e.snapshot.Digest)
	}
	e.altered = nil
	for _, in := range e.inputs {
		sum, err := e.w.fileDigest(ctx, in.path)
		if err != nil {
			return "", err
		}
		if in.sum != "" && sum != in.sum {
			e.altered = append(e.altered, fmt.Sprintf("%s is not what the manifest says it was; shark snapshot verify tells more", in.label))
		}
		fmt.Fprintf(h, "packets %s\n", sum)
	}
	if e.identitySum != "" {
		fmt.Fprintf(h, "identity %s\n", e.identitySum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stamp is what tells that a file has not changed since it was read through.
type stamp struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256"`
}

// settled is how long a file must have been left alone for its digest to be
// remembered: one that changes may do so again within the resolution of its clock.
const settled = 2 * time.Second

// fileDigest returns the SHA-256 of a file. It is remembered by path, size and
// time of the last change, so that asking again does not read a terabyte again.
func (w *Workbench) fileDigest(ctx context.Context, path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(full)
	if err != nil {
		return "", err
	}
	if w.cfg.Cache == "" {
		return sha256File(ctx, full)
	}
	name := sha256.Sum256([]byte(full))
	memo := filepath.Join(w.cfg.Cache, "digest", hex.EncodeToString(name[:16])+".json")
	var s stamp
	if b, err := os.ReadFile(memo); err == nil && json.Unmarshal(b, &s) == nil &&
		s.Path == full && s.Size == info.Size() && s.Modified.Equal(info.ModTime()) {
		return s.SHA256, nil
	}
	sum, err := sha256File(ctx, full)
	if err != nil {
		return "", err
	}
	after, err := os.Stat(full)
	if err != nil {
		return "", err
	}
	if after.Size() == info.Size() && after.ModTime().Equal(info.ModTime()) && w.cfg.Now().Sub(info.ModTime()) > settled {
		s = stamp{Path: full, Size: info.Size(), Modified: info.ModTime(), SHA256: sum}
		if b, err := json.Marshal(s); err == nil {
			_ = writeFile(memo, b) // a cache: without it the file is read again
		}
	}
	return sum, nil
}

func sha256File(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// writeFile writes a small file so that it appears whole or not at all.
func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
