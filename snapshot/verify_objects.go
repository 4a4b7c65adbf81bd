package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"time"

	"shark/snapshot/block"
	"shark/snapshot/bucket"
)

// object compares one object with the manifest, and keeps it if it is an index. It
// returns what is wrong with it.
func (v *verifier) object(ctx context.Context, o *Object) (string, error) {
	var text []byte
	index := o.Kind == KindBlocks
	if index && o.Size > maxIndex {
		return fmt.Sprintf("it has %d bytes, more than the %d that there can be", o.Size, maxIndex), nil
	}
	buf := make([]byte, min(max(o.Size+1, 32<<10), 1<<20))
	reason, err := v.stream(ctx, o, byManifest, func(in io.Reader) error {
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

// byManifest is who says of evidence how large it is and what its sum is.
const byManifest = "the manifest"

// stream reads an object through read, which ends with io.EOF, and compares it with what by,
// such as the manifest, says of it. It returns what is wrong with it.
func (v *verifier) stream(ctx context.Context, o *Object, by string, read func(io.Reader) error) (string, error) {
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
		return fmt.Sprintf("it has %d bytes, by %s %d", sum.size, by, o.Size), nil
	case got != o.SHA256:
		return fmt.Sprintf("its SHA-256 is %s, by %s %s", got, by, o.SHA256), nil
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
	x := v.indexes[o.Index]
	if x == nil || !o.describes(x) {
		reason, err := v.object(ctx, o)
		if reason == "" && err == nil {
			v.stray(o)
		}
		return reason, err
	}
	c := x.Checker(v.o.Workers)
	reason, err := v.stream(ctx, o, byManifest, func(in io.Reader) error {
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
	v.tell(o, x, &found)
	return "", nil
}

// is tells whether a window is that of packets.
func (w *Window) is(f *block.Found) bool {
	if w == nil || f.Packets == 0 {
		return w == nil && f.Packets == 0
	}
	return w.From.Equal(time.Unix(0, f.First)) && w.To.Equal(time.Unix(0, f.Last))
}

// stray notes that the index of a packets object, both of which are what the manifest says, is not
// of it.
func (v *verifier) stray(o *Object) {
	if x := v.indexes[o.Index]; x != nil && !o.describes(x) {
		v.problem(o.Index, "it is not the index of "+o.Path)
	}
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
