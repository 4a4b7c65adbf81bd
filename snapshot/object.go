package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"

	"shark/snapshot/bucket"
)

// object is an object being written.
type object struct {
	Object
	w   bucket.Writer
	sum hash.Hash
}

func createObject(ctx context.Context, files bucket.Bucket, o Object) (*object, error) {
	w, err := files.Create(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	return &object{o, w, sha256.New()}, nil
}

func (o *object) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.sum.Write(p[:n])
	o.Size += int64(n)
	return n, err
}

// close has the object appear, unless writing it failed with err, and fills in its sum.
func (o *object) close(err error) error {
	if err != nil {
		o.w.Abort()
		return err
	}
	o.SHA256 = hex.EncodeToString(o.sum.Sum(nil))
	return o.w.Close()
}

// readObject reads an object of at most most bytes and compares it with the manifest.
func (s *Snapshot) readObject(ctx context.Context, o *Object, most int64) ([]byte, error) {
	if o.Size > most {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than the %d that there can be", ErrIntegrity, o.Path, o.Size, most)
	}
	data, err := bucket.ReadAll(ctx, s.files, o.Path, o.Size)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", ErrIntegrity, o.Path)
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != o.SHA256 {
		return nil, fmt.Errorf("%w: %s is not what the manifest says it was", ErrIntegrity, o.Path)
	}
	return data, nil
}

// put writes a small object, whatever is there.
func (s *Snapshot) put(ctx context.Context, key string, data []byte) error {
	w, err := s.files.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}
