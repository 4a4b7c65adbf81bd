package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/snapshot/bucket"
	"shark/snapshot/identity"
)

// Progress is how far the making of a snapshot has come.
type Progress struct {
	Node    string // being read
	Packets uint64 // so far
	Bytes   int64  // of what is read, so far
	Total   int64  // bytes it has
}

// Policy says what of that which opens TLS is not to be kept. That it was left out stands in
// the manifest's coverage.
type Policy struct {
	NoPlaintext bool // of what TLS libraries sent and received
	NoSecrets   bool // of sessions
}

// builder writes one snapshot, whatever it is made of: data, then the manifest.
type builder struct {
	ctx      context.Context
	files    bucket.Bucket
	manifest *Manifest
	policy   Policy
	carried  bool // identity logs that lie among packets are taken
	progress func(Progress)
	packets  uint64 // of the nodes before
	read     int64  // bytes of them
	total    int64
	each     int64 // about how many of them a node has, before they are packed
}

// build begins a snapshot of which m says what is known beforehand: of so many nodes, and
// total bytes in all.
func (s *Store) build(ctx context.Context, m Manifest, nodes int, total int64, progress func(Progress)) *builder {
	if m.Created.IsZero() {
		m.Created = time.Now()
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	m.Format, m.ID, m.Created = FormatVersion, newID(m.Created), m.Created.UTC()
	m.Nodes, m.Objects, m.Coverage = []Node{}, []Object{}, []Note{}
	return &builder{ctx: ctx, files: s.files.Sub(m.ID), manifest: &m, progress: progress, total: total, each: total / int64(max(nodes, 1))}
}

// end publishes the manifest, or after an error removes what is there.
func (x *builder) end(what string, err error) (*Manifest, error) {
	if err == nil {
		err = x.ctx.Err()
	}
	var data []byte
	if err == nil {
		data, err = x.manifest.encode()
	}
	if err == nil {
		err = x.files.Publish(x.ctx, manifestName, data)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", what, err), remove(context.WithoutCancel(x.ctx), x.files))
	}
	return x.manifest, nil
}

// create begins an object of a node.
func (x *builder) create(kind ObjectKind, node, file string) (*object, error) {
	return createObject(x.ctx, x.files, Object{Path: "nodes/" + PathPart(node) + "/" + file, Kind: kind, Node: node})
}

func (x *builder) note(kind NoteKind, node, format string, args ...any) {
	x.manifest.Coverage = append(x.manifest.Coverage, Note{kind, node, fmt.Sprintf(format, args...)})
}

// identity copies an identity log, which is opened twice, to a node: the logs of a snapshot
// are read together. By is who says where it was cut.
func (x *builder) identity(open func() (io.ReadCloser, error), node, by string) (err error) {
	f, err := open()
	if err != nil {
		return err
	}
	log, err := identity.Read(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	damage := log.Damage()
	for i, d := range damage[:min(len(damage), maxNotes)] {
		if i == maxNotes-1 && len(damage) > maxNotes {
			x.note(NoteIdentity, "", "%d or more lines of the identity log more", len(damage)-i)
			break
		}
		x.note(NoteIdentity, "", "%s", d)
	}
	if f, err = open(); err != nil {
		return err
	}
	defer f.Close()
	out, err := x.create(KindIdentity, node, "identity.jsonl.zst")
	if err != nil {
		return err
	}
	out.Records = log.Records()
	if err := out.close(x.copyLog(out, f, log.Until(), by)); err != nil {
		return err
	}
	x.manifest.Objects = append(x.manifest.Objects, out.Object)
	return nil
}

// copyLog packs a log anew. Where it was cut it says so itself from now on.
func (x *builder) copyLog(w io.Writer, in io.Reader, until int64, by string) error {
	r, err := identity.Unpack(in)
	if err != nil {
		return err
	}
	defer r.Close()
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = io.Copy(z, cancelled{x.ctx, r})
	if until < math.MaxInt64 && x.ctx.Err() == nil { // what is wrong with the packing is known by now
		_, err = z.Write([]byte("\n"))
		if err == nil {
			err = identity.NewWriter(z).Write(&identity.Record{Time: time.Unix(0, until), Op: identity.Upsert, Kind: identity.Cut, Name: by})
		}
	}
	return errors.Join(err, z.Close())
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
