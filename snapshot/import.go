package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/snapshot/bucket"
	"shark/snapshot/identity"
)

// ImportOptions say what becomes a snapshot.
type ImportOptions struct {
	// Files are capture files, each a path or, to say which node captured it,
	// node=path. Files of one node are merged by time; a file without a node is
	// one of its own, called like the file.
	Files    []string
	Identity string    // path of an identity log; empty: none
	Name     string    // empty: that of the first node
	Note     string    // free text, like the two that follow
	Creator  string    // who makes it
	Cluster  string    // it is of
	Created  time.Time // zero: now
}

// ImportProgress is how far an import has come.
type ImportProgress struct {
	Node    string // being read
	Packets uint64 // so far
	Bytes   int64  // of the files, so far
	Total   int64  // bytes they have
}

// Import makes a snapshot of capture files and puts it into the store. It is
// there when Import returns, and before that, or after an error, it is not.
// Damage of the files is no error: it stands in the manifest's coverage. Progress
// may be nil.
func (s *Store) Import(ctx context.Context, o ImportOptions, progress func(ImportProgress)) (*Manifest, error) {
	nodes, total, err := gather(o.Files)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if o.Created.IsZero() {
		o.Created = time.Now()
	}
	if progress == nil {
		progress = func(ImportProgress) {}
	}
	id := newID(o.Created)
	files := s.files.Sub(id)
	if o.Name == "" {
		o.Name = nodes[0].name
	}
	x := &importer{ctx: ctx, files: files, progress: progress, total: total, manifest: &Manifest{
		Format: FormatVersion, ID: id, Name: o.Name, Note: o.Note, Creator: o.Creator, Cluster: o.Cluster, Created: o.Created.UTC(),
		Nodes: []Node{}, Objects: []Object{}, Coverage: []Note{},
	}}
	if err := x.run(nodes, o.Identity); err != nil {
		return nil, errors.Join(fmt.Errorf("import: %w", err), remove(context.WithoutCancel(ctx), files))
	}
	return x.manifest, nil
}

// nodeFiles are the capture files of one node.
type nodeFiles struct {
	name  string
	paths []string
}

// gather sorts files by node, and tells how many bytes they have.
func gather(files []string) (nodes []nodeFiles, total int64, err error) {
	if len(files) == 0 {
		return nil, 0, errors.New("no capture file is named")
	}
	var unnamed []string
	for _, f := range files {
		name, path := "", f
		info, err := os.Stat(path)
		if n, p, ok := strings.Cut(f, "="); err != nil && ok {
			name, path = n, p
			if info, err = os.Stat(path); name == "" {
				return nil, 0, fmt.Errorf("%s: no node is named before the =", f)
			}
		}
		switch {
		case err != nil:
			return nil, 0, err
		case info.IsDir():
			return nil, 0, fmt.Errorf("%s is a folder, not a capture file", path)
		}
		total += info.Size()
		if name == "" {
			unnamed = append(unnamed, path)
			continue
		}
		i := slices.IndexFunc(nodes, func(n nodeFiles) bool { return n.name == name })
		if i < 0 {
			i = len(nodes)
			nodes = append(nodes, nodeFiles{name: name})
		}
		nodes[i].paths = append(nodes[i].paths, path)
	}
	for _, path := range unnamed {
		name := stem(path)
		for n := 2; slices.ContainsFunc(nodes, func(o nodeFiles) bool { return o.name == name }); n++ {
			name = fmt.Sprintf("%s-%d", stem(path), n)
		}
		nodes = append(nodes, nodeFiles{name, []string{path}})
	}
	return nodes, total, nil
}

// stem is the name of a file without what says how it is written and packed.
func stem(path string) string {
	name := filepath.Base(path)
	for {
		ext := filepath.Ext(name)
		switch strings.ToLower(ext) {
		case ".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".gz", ".zst", ".zstd":
		default:
			return name
		}
		if name == ext {
			return name
		}
		name = strings.TrimSuffix(name, ext)
	}
}

// importer writes one snapshot.
type importer struct {
	ctx      context.Context
	files    bucket.Bucket
	manifest *Manifest
	progress func(ImportProgress)
	packets  uint64
	read     int64 // bytes of the files of the nodes before
	total    int64
}

// run writes data, then the manifest.
func (x *importer) run(nodes []nodeFiles, log string) error {
	for _, n := range nodes {
		if err := x.node(n); err != nil {
			return err
		}
	}
	if log != "" {
		if err := x.identity(log, nodes[0].name); err != nil {
			return fmt.Errorf("identity log %s: %w", log, err)
		}
	}
	if err := x.ctx.Err(); err != nil {
		return err
	}
	data, err := x.manifest.encode()
	if err != nil {
		return err
	}
	return x.files.Publish(x.ctx, manifestName, data)
}

// create begins an object of a node.
func (x *importer) create(kind ObjectKind, node, file string) (*object, error) {
	return createObject(x.ctx, x.files, Object{Path: "nodes/" + PathPart(node) + "/" + file, Kind: kind, Node: node})
}

func (x *importer) note(kind NoteKind, node, format string, args ...any) {
	x.manifest.Coverage = append(x.manifest.Coverage, Note{kind, node, fmt.Sprintf(format, args...)})
}

// identity copies an identity log, which is that of all nodes, to the first: the
// logs of a snapshot are read together.
func (x *importer) identity(path, node string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	log, err := identity.Read(f)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
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
	out, err := x.create(KindIdentity, node, "identity.jsonl.zst")
	if err != nil {
		return err
	}
	out.Records = log.Records()
	if err := out.close(x.copyLog(out, f, log.Until())); err != nil {
		return err
	}
	x.manifest.Objects = append(x.manifest.Objects, out.Object)
	return nil
}

// copyLog packs a log anew. Where it was cut it says so itself from now on.
func (x *importer) copyLog(w io.Writer, in io.Reader, until int64) error {
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
			err = identity.NewWriter(z).Write(&identity.Record{Time: time.Unix(0, until), Op: identity.Upsert, Kind: identity.Cut, Name: "import"})
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
