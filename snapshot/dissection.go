package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
)

const (
	// dissectionFormat is the version of a dissection's description.
	dissectionFormat = 1
	// dissectionName is the name of the description, which is written last.
	dissectionName = "dissection.json"
	// pieceSize is how much of a published file has a sum of its own, in bytes. It is what
	// is read of it at least: as much as comes in a tenth of the time that a request
	// waits for its first byte.
	pieceSize = 256 << 10
	// maxDissection and maxSums are how large a description and the sums of a file may be,
	// in bytes: those of a file of a terabyte.
	maxDissection = 1 << 20
	maxSums       = 64 << 20
)

// Dissection describes an index database that is published with a snapshot. It is not
// part of the evidence: no signature covers it.
type Dissection struct {
	Format   int       `json:"format"`
	Snapshot string    `json:"snapshot"` // SHA-256 of the manifest of what was dissected
	Creator  string    `json:"creator"`
	Created  time.Time `json:"created"`
	Shards   []Shard   `json:"shards"` // one, so far
}

// Shard is one database of a dissection.
type Shard struct {
	Path string `json:"path"` // relative to the description
	Size int64  `json:"size"`
	Sums string `json:"sums"`   // path of the sums of its pieces, 16 bytes each
	SHA  string `json:"sha256"` // of the sums
	// Guide says where in the database lies what questions read, for those who read it from
	// afar; absent: nobody knows.
	Guide json.RawMessage `json:"guide,omitempty"`
}

// dissectionPath is where the parts of a dissection are.
func dissectionPath(name string) string { return "dissections/" + name + "/" }

// dissectionOf returns the name of the dissection that an object belongs to.
func dissectionOf(key string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(key, "dissections/")
	name, _, nested := strings.Cut(rest, "/")
	return name, ok && nested
}

// Unpublish removes the dissection of a name: its description first, and with it the
// dissection. It can be published anew.
func (s *Snapshot) Unpublish(ctx context.Context, name string) error {
	err := s.files.Remove(ctx, dissectionPath(name)+dissectionName)
	if err == nil {
		err = removeAll(ctx, s.files.Sub(strings.TrimSuffix(dissectionPath(name), "/")))
	}
	if err != nil {
		return fmt.Errorf("remove the published index of snapshot %s: %w", s.Manifest.ID, err)
	}
	return nil
}

// Published tells whether there is a dissection of a name.
func (s *Snapshot) Published(ctx context.Context, name string) (bool, error) {
	_, err := s.files.Stat(ctx, dissectionPath(name)+dissectionName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("published indexes of snapshot %s: %w", s.Manifest.ID, err)
	}
	return true, nil
}

// Publish puts the index database at a path into the snapshot, as the dissection of a
// name, which is lower-case letters and digits. It is there as a whole or not at all: its
// parts have names that tell their content, so what an interrupted try has left serves the
// next, and two that publish at a time do each other no harm. What somebody else has
// published under the name meanwhile stays; then published is false.
func (s *Snapshot) Publish(ctx context.Context, name, creator, file string, guide []byte, progress func(done, total int64)) (published bool, err error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("publish the index of snapshot %s: %w", s.Manifest.ID, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	sums, shard, err := sumPieces(ctx, f)
	if err != nil {
		return fail(err)
	}
	shard.Guide = guide
	to := s.files.Sub(strings.TrimSuffix(dissectionPath(name), "/"))
	if err := s.upload(ctx, to, shard, f, progress); err != nil {
		return fail(err)
	}
	if err := to.Publish(ctx, shard.Sums, sums); err != nil {
		return fail(err)
	}
	text, err := seal(Dissection{dissectionFormat, s.Digest, creator, time.Now().UTC().Truncate(time.Second), []Shard{shard}}, "")
	if err != nil {
		return fail(err)
	}
	err = to.Publish(ctx, dissectionName, text)
	if errors.Is(err, fs.ErrExist) { // somebody was faster
		return false, nil
	}
	if err != nil {
		return fail(err)
	}
	return true, nil
}

// sumPieces reads a file through.
func sumPieces(ctx context.Context, f io.Reader) (sums []byte, shard Shard, err error) {
	piece := make([]byte, pieceSize)
	for {
		if err := ctx.Err(); err != nil {
			return nil, shard, err
		}
		n, err := io.ReadFull(f, piece)
		if n > 0 {
			sum := cache.SumOf(piece[:n])
			sums, shard.Size = append(sums, sum[:]...), shard.Size+int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, shard, err
		}
	}
	if len(sums) > maxSums {
		return nil, shard, fmt.Errorf("it has %d bytes, too many to be read in place", shard.Size)
	}
	whole := sha256.Sum256(sums)
	shard.SHA = hex.EncodeToString(whole[:])
	shard.Path = "shard-000-" + shard.SHA[:16] + ".db"
	shard.Sums = strings.TrimSuffix(shard.Path, ".db") + ".sums"
	return sums, shard, nil
}

// upload writes the file, unless it is there.
func (s *Snapshot) upload(ctx context.Context, to bucket.Bucket, shard Shard, f io.ReadSeeker, progress func(done, total int64)) error {
	there, err := to.Stat(ctx, shard.Path)
	if err == nil && there.Size == shard.Size {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w, err := to.Create(ctx, shard.Path)
	if err != nil {
		return err
	}
	buf := make([]byte, copyBuffer)
	for done := int64(0); ; {
		n, err := f.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				w.Abort()
				return err
			}
			done += int64(n)
			progress(done, shard.Size)
		}
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			w.Abort()
			return err
		}
	}
}
