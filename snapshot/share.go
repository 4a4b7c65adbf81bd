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
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
)

// shares is the folder of a dissection's shares, shareEnd how their names end. Of 16
// hexadecimal digits of the parts and 64 of the SHA-256 they are made.
const shares, shareEnd = "shares/", ".rows"

// maxShares is how many shares of a dissection are looked at.
const maxShares = 1000

// Share is a published part of a dissection: the entries of some parts of the snapshot, from
// which, with those of the others, an index database is made. It is not part of the evidence.
type Share struct {
	Parts uint64 // that it is of, a bit each, by the numbers of Snapshot.Parts
	Size  int64  // bytes
	SHA   string // SHA-256, hexadecimal
	key   string
}

// sharePath is where the shares of a dissection are.
func sharePath(name string) string { return dissectionPath(name) + shares }

// parseShare reads the name of a share's object.
func parseShare(key string, size int64) (x Share, ok bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	parts, rest, _ := strings.Cut(name, "-")
	sum, whole := strings.CutSuffix(rest, shareEnd)
	n, err := strconv.ParseUint(parts, 16, 64)
	return Share{Parts: n, Size: size, SHA: sum, key: key}, whole && err == nil && len(parts) == 16 && validSum(sum)
}

// Shares returns what is published of a dissection in shares, no two of which are of one part:
// those of the most parts first.
func (s *Snapshot) Shares(ctx context.Context, name string) ([]Share, error) {
	var all []Share
	for o, err := range s.files.List(ctx, sharePath(name)) {
		if err != nil {
			return nil, fmt.Errorf("published shares of snapshot %s: %w", s.Manifest.ID, err)
		}
		if x, ok := parseShare(o.Key, o.Size); ok && x.Parts != 0 {
			all = append(all, x)
		}
		if len(all) == maxShares {
			break
		}
	}
	slices.SortFunc(all, func(a, b Share) int {
		return cmp.Or(bits.OnesCount64(b.Parts)-bits.OnesCount64(a.Parts), cmp.Compare(a.key, b.key))
	})
	taken := uint64(0)
	return slices.DeleteFunc(all, func(x Share) bool {
		if taken&x.Parts != 0 {
			return true
		}
		taken |= x.Parts
		return false
	}), nil
}

// MayHaveShares tells, without asking the store, whether there were shares of a dissection when the
// snapshot was opened.
func (s *Snapshot) MayHaveShares(name string) bool {
	if s.published == nil {
		return true
	}
	for key := range s.published {
		if strings.HasPrefix(key, sharePath(name)) {
			return true
		}
	}
	return false
}

// PublishShare puts a file into the snapshot as the share of some parts of a dissection. It is
// there as a whole or not at all; if it was there before, published is false.
func (s *Snapshot) PublishShare(ctx context.Context, name string, parts uint64, file string, progress func(done, total int64)) (x Share, published bool, err error) {
	fail := func(err error) (Share, bool, error) {
		return Share{}, false, fmt.Errorf("publish a share of snapshot %s: %w", s.Manifest.ID, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, cancelled{ctx, f})
	if err != nil {
		return fail(err)
	}
	x = Share{Parts: parts, Size: n, SHA: hex.EncodeToString(h.Sum(nil))}
	x.key = fmt.Sprintf("%s%016x-%s%s", sharePath(name), parts, x.SHA, shareEnd)
	there, err := s.files.Stat(ctx, x.key)
	if err == nil && there.Size == n {
		return x, false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	if err := s.upload(ctx, s.files, Shard{Path: x.key, Size: n}, f, progress); err != nil {
		return fail(err)
	}
	return x, true, nil
}

// Where tells where a share lies.
func (s *Snapshot) Where(x Share) string { return fmt.Sprintf("%s/%s", s.files, x.key) }

// OpenShare begins to read a share. Its end is an error that is ErrIntegrity unless all that
// was read is what was published.
func (s *Snapshot) OpenShare(ctx context.Context, x Share) (io.ReadCloser, error) {
	in, err := s.files.Open(ctx, x.key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.key, err)
	}
	return &shareFile{ReadCloser: in, share: x, sum: sha256.New()}, nil
}

// shareFile compares a share with its name once it is read.
type shareFile struct {
	io.ReadCloser
	share Share
	sum   hash.Hash
}

func (f *shareFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	_, _ = f.sum.Write(p[:n]) // a hash takes all
	switch {
	case err == nil:
	case err != io.EOF:
		err = fmt.Errorf("%s: %w", f.share.key, err)
	case hex.EncodeToString(f.sum.Sum(nil)) != f.share.SHA:
		err = fmt.Errorf("%s: %w: it is not what was published", f.share.key, ErrIntegrity)
	}
	return n, err
}

// RemoveShares removes the shares of a dissection, which are of no use beside the whole.
func (s *Snapshot) RemoveShares(ctx context.Context, name string) error {
	if err := removeAll(ctx, s.files.Sub(strings.TrimSuffix(sharePath(name), "/"))); err != nil {
		return fmt.Errorf("remove the shares of a dissection of snapshot %s: %w", s.Manifest.ID, err)
	}
	return nil
}
