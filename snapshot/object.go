package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
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
	data, sound, err := s.readWhole(ctx, o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", ErrIntegrity, o.Path)
	}
	if errors.Is(err, bucket.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %s: %w", ErrIntegrity, o.Path, err)
	}
	if err == nil && !sound {
		err = fmt.Errorf("%w: %s is not what the manifest says it was", ErrIntegrity, o.Path)
	}
	return data, err
}

// readWhole reads an object, from the cache if that has it. It is sound if it is what the
// manifest says, and kept then.
func (s *Snapshot) readWhole(ctx context.Context, o *Object) (data []byte, sound bool, err error) {
	key, _ := cache.ParseSum(o.SHA256) // the manifest was checked
	if data := s.cache.Get(key, o.Size); data != nil {
		return data, true, nil
	}
	if data, err = bucket.ReadAll(ctx, s.files, o.Path, o.Size); err != nil {
		return nil, false, err
	}
	sum := sha256.Sum256(data)
	if sound = hex.EncodeToString(sum[:]) == o.SHA256; sound {
		s.cache.Put(key, data)
	}
	return data, sound, nil
}

// maxKept is how large what could be read piece by piece may be to be kept in the cache,
// in bytes: it is in memory meanwhile.
const maxKept = 64 << 20

// openObject opens an object to be read from its beginning, damaged or not.
func (s *Snapshot) openObject(ctx context.Context, o *Object) (io.ReadCloser, error) {
	if s.cache == nil || o.Size > maxKept {
		return s.files.Open(ctx, o.Path, 0, -1)
	}
	data, _, err := s.readWhole(ctx, o)
	return io.NopCloser(bytes.NewReader(data)), err
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
