package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
)

// The first and the last pieces of an index database are read at once when it is opened:
// its tables begin in the first, and the smallest are in both.
const headPieces, tailPieces = 4, 2

// Dissection opens the index database that was published under a name. Without one the
// error is fs.ErrNotExist. It may come from a stranger: what it says is checked, and what
// is read of it compared with its sums.
//
// Its description, the sums and the ends of the database are read at once, by what the
// snapshot was seen to have when it was opened. What is known from before takes no request:
// the same description was listed then.
func (s *Snapshot) Dissection(ctx context.Context, name string) (*Remote, error) {
	dir := dissectionPath(name)
	var text []byte
	listed, known := s.published[dir+dissectionName]
	remembered := fmt.Sprintf("%s/%s %d %d", s.files, dir+dissectionName, listed.Size, listed.Modified.UnixNano())
	if known {
		text = s.cache.Recall(remembered)
	}
	var g *guess
	if text == nil {
		var err error
		g = s.guess(ctx, dir)
		text, err = bucket.ReadAll(ctx, s.files, dir+dissectionName, maxDissection)
		if errors.Is(err, bucket.ErrTooLarge) {
			err = fmt.Errorf("%w: %s: %w", ErrIntegrity, dir+dissectionName, err)
		}
		if g.wait(); err != nil {
			return nil, err
		}
	}
	d, err := describe(text, s.Digest)
	if err != nil {
		if !errors.Is(err, errOther) {
			err = fmt.Errorf("%w: %w", ErrIntegrity, err)
		}
		return nil, fmt.Errorf("%s%s: %w", dir, dissectionName, err)
	}
	r, err := s.remote(ctx, dir, d, g)
	if err == nil && known {
		s.cache.Remember(remembered, text)
	}
	return r, err
}

// errOther says that a description is of another version than this program reads: it may be sound.
var errOther = errors.New("this program does not read it")

// describe reads the description of a dissection of the snapshot whose manifest has a digest. Of another version the error wraps errOther.
func describe(text []byte, digest string) (*Dissection, error) {
	d := new(Dissection)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	if d.Format > dissectionFormat {
		return nil, fmt.Errorf("it has format %d, newer than %d: %w", d.Format, dissectionFormat, errOther)
	}
	if err := checkSeal(text); err != nil {
		return nil, err
	}
	switch {
	case d.Format != dissectionFormat:
		return nil, fmt.Errorf("there is no format %d", d.Format)
	case d.Snapshot != digest:
		return nil, errors.New("it is of another snapshot")
	case len(d.Shards) != 1:
		return nil, fmt.Errorf("it has %d databases: %w", len(d.Shards), errOther)
	}
	shard := &d.Shards[0]
	if shard.Size <= 0 || shard.pieces() > maxSums/int64(len(cache.Sum{})) || !validKey("dissections/x/"+shard.Path) || !validKey("dissections/x/"+shard.Sums) ||
		path.Dir(shard.Path) != "." || path.Dir(shard.Sums) != "." || !validSum(shard.SHA) {
		return nil, errors.New("it cannot be so")
	}
	return d, nil
}

// pieces is how many pieces the database has.
func (x *Shard) pieces() int64 { return (x.Size + pieceSize - 1) / pieceSize }

// remote opens a database by its description, with what was guessed to be read of it.
func (s *Snapshot) remote(ctx context.Context, dir string, d *Dissection, g *guess) (*Remote, error) {
	shard := &d.Shards[0]
	o := Object{Path: dir + shard.Sums, Size: shard.pieces() * int64(len(cache.Sum{})), SHA256: shard.SHA}
	if !g.is(shard) {
		g = nil
	} else {
		sum, _ := cache.ParseSum(shard.SHA)
		s.cache.Put(sum, g.sums)
	}
	var sums []byte
	if g != nil {
		sums = g.sums
	} else {
		var err error
		if sums, err = s.readObject(ctx, &o, maxSums); err != nil {
			return nil, err
		}
	}
	if int64(len(sums)) != o.Size {
		return nil, fmt.Errorf("%s%s: %w: %s is not of %s", dir, dissectionName, ErrIntegrity, shard.Sums, shard.Path)
	}
	r := &Remote{Dissection: *d, files: s.files, path: dir + shard.Path, size: shard.Size, cache: s.cache, turn: make(chan struct{}, 1), held: make(map[int64]*held)}
	for at := 0; at < len(sums); at += len(cache.Sum{}) {
		r.sums = append(r.sums, cache.Sum(sums[at:]))
	}
	if g != nil {
		r.requests = g.requests
		r.known(0, g.head)
		r.known(g.tailAt, g.tail)
	}
	return r, r.ahead(ctx, [][2]int64{{0, headPieces * pieceSize}, {max(shard.pieces()-tailPieces, 0) * pieceSize, shard.Size}})
}

// known takes bytes that were read from a piece on before their sums were known. What has
// another sum is read again.
func (r *Remote) known(i int64, data []byte) {
	for ; len(data) > 0 && i < int64(len(r.sums)); i++ {
		piece := data[:min(r.length(i), int64(len(data)))]
		data = data[len(piece):]
		if int64(len(piece)) != r.length(i) || cache.SumOf(piece) != r.sums[i] {
			continue
		}
		r.cache.Put(r.sums[i], piece)
		r.take(i, [][]byte{piece})
	}
}

// guess is what was read of a database before its description: where the snapshot was seen
// to have one only, that is what the description will name.
type guess struct {
	path, sumsPath string
	sums           []byte // nil: it could not be read, and whoever reads it again is told why
	head, tail     []byte
	tailAt         int64 // piece
	requests       int64

	all sync.WaitGroup
}

// guess begins to read the database in a folder; nil if it is not known which that is.
func (s *Snapshot) guess(ctx context.Context, dir string) *guess {
	g := new(guess)
	var file, sums bucket.Object
	for key, o := range s.published {
		switch rest, ok := strings.CutPrefix(key, dir); {
		case !ok || strings.HasPrefix(rest, shares):
		case strings.HasSuffix(rest, ".db") && g.path == "":
			g.path, file = rest, o
		case strings.HasSuffix(rest, ".sums") && g.sumsPath == "":
			g.sumsPath, sums = rest, o
		case rest != dissectionName:
			return nil // several
		}
	}
	x := Shard{Size: file.Size}
	if g.path == "" || g.sumsPath == "" || file.Size <= 0 || sums.Size != x.pieces()*int64(len(cache.Sum{})) || sums.Size > maxSums {
		return nil
	}
	read := func(out *[]byte, key string, from, n int64) {
		if n <= 0 {
			return
		}
		g.requests++
		g.all.Go(func() { *out = readPart(ctx, s.files, dir+key, from, n) })
	}
	head := min(file.Size, headPieces*pieceSize)
	g.tailAt = max(x.pieces()-tailPieces, headPieces)
	read(&g.sums, g.sumsPath, 0, sums.Size)
	read(&g.head, g.path, 0, head)
	read(&g.tail, g.path, g.tailAt*pieceSize, file.Size-g.tailAt*pieceSize)
	return g
}

// readPart reads a part of an object; nil if that fails.
func readPart(ctx context.Context, files bucket.Bucket, key string, from, n int64) []byte {
	in, err := files.Open(ctx, key, from, n)
	if err != nil {
		return nil
	}
	defer in.Close()
	data := make([]byte, n)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil
	}
	return data
}

// wait returns when all is read.
func (g *guess) wait() {
	if g != nil {
		g.all.Wait()
	}
}

// is tells whether the guess was right, and the sums are what they should be.
func (g *guess) is(x *Shard) bool {
	if g == nil || g.path != x.Path || g.sumsPath != x.Sums {
		return false
	}
	sum := sha256.Sum256(g.sums)
	return hex.EncodeToString(sum[:]) == x.SHA
}
