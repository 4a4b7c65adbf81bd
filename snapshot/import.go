package snapshot

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"shark/packet"
	"shark/packet/packing"
	"shark/packet/pcapng"
)

// ImportOptions say what becomes a snapshot.
type ImportOptions struct {
	// Files are capture files, each a path or, to say which node captured it,
	// node=path. Files of one node are merged by time; a file without a node is
	// one of its own, called like the file.
	Files    []string
	Identity string // path of an identity log; empty: what the files carry
	Policy
	Name    string    // empty: that of the first node
	Note    string    // free text, like the two that follow
	Creator string    // who makes it
	Cluster string    // it is of
	Created time.Time // zero: now
}

// Import makes a snapshot of capture files and puts it into the store. It is
// there when Import returns, and before that, or after an error, it is not.
// Damage of the files is no error: it stands in the manifest's coverage. Progress
// may be nil.
func (s *Store) Import(ctx context.Context, o ImportOptions, progress func(Progress)) (*Manifest, error) {
	nodes, total, raw, err := gather(o.Files)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if o.Name == "" {
		o.Name = nodes[0].name
	}
	x := s.build(ctx, Manifest{Name: o.Name, Note: o.Note, Creator: o.Creator, Cluster: o.Cluster, Created: o.Created}, len(nodes), total, progress)
	x.policy, x.each = o.Policy, raw/int64(len(nodes))
	err = x.imported(nodes, o.Identity)
	return x.end("import", err)
}

// imported writes what the files hold.
func (x *builder) imported(nodes []nodeFiles, log string) error {
	x.carried = log == ""
	for _, n := range nodes {
		if err := x.node(n.name, x.opener(n)); err != nil {
			return err
		}
	}
	if log == "" {
		return nil
	}
	open := func() (io.ReadCloser, error) { return os.Open(log) }
	if err := x.identity(open, nodes[0].name, "import"); err != nil { // it is that of all nodes
		return fmt.Errorf("identity log %s: %w", log, err)
	}
	return nil
}

// nodeFiles are the capture files of one node.
type nodeFiles struct {
	name  string
	paths []string
}

// packedRatio is about how many times as large a capture is before it is packed.
const packedRatio = 6

// unpackedSize is about how many bytes a file has that may be packed.
func unpackedSize(path string, info fs.FileInfo) int64 {
	if !info.Mode().IsRegular() { // what it has can be read once
		return info.Size()
	}
	f, err := os.Open(path)
	if err != nil {
		return info.Size() // whoever reads it says why not
	}
	defer f.Close()
	if packing.Of(bufio.NewReader(f)) == packing.None {
		return info.Size()
	}
	return info.Size() * packedRatio
}

// gather sorts files by node, and tells how many bytes they have, and about how many when they
// are not packed.
func gather(files []string) (nodes []nodeFiles, total, raw int64, err error) {
	if len(files) == 0 {
		return nil, 0, 0, errors.New("no capture file is named")
	}
	var unnamed []string
	for _, f := range files {
		name, path := "", f
		info, err := os.Stat(path)
		if n, p, ok := strings.Cut(f, "="); err != nil && ok {
			name, path = n, p
			if info, err = os.Stat(path); name == "" {
				return nil, 0, 0, fmt.Errorf("%s: no node is named before the =", f)
			}
		}
		switch {
		case err != nil:
			return nil, 0, 0, err
		case info.IsDir():
			return nil, 0, 0, fmt.Errorf("%s is a folder, not a capture file", path)
		}
		total, raw = total+info.Size(), raw+unpackedSize(path, info)
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
	return nodes, total, raw, nil
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

// captures are the capture files of a node, merged by time.
type captures struct {
	*pcapng.Merged
	ctx    context.Context
	inputs []*inputFile
}

// inputFile is a capture file being read.
type inputFile struct {
	file   *os.File
	reader *pcapng.Reader
	sum    hash.Hash
	bytes  atomic.Int64
}

// Read implements io.Reader for the reader, which may do so in a goroutine.
func (in *inputFile) Read(p []byte) (int, error) {
	n, err := in.file.Read(p)
	in.sum.Write(p[:n])
	in.bytes.Add(int64(n))
	return n, err
}

// opener returns what opens the files of a node, again and again unless one is a pipe.
func (x *builder) opener(n nodeFiles) func() (source, error) {
	opened := false
	return func() (source, error) {
		for _, path := range n.paths {
			if info, err := os.Stat(path); opened && err == nil && !info.Mode().IsRegular() {
				return nil, fmt.Errorf("%s can be read once only: send it to standard input and name -", path)
			}
		}
		opened = true
		c, err := x.open(n)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// open opens the files of a node.
func (x *builder) open(n nodeFiles) (*captures, error) {
	c := &captures{ctx: x.ctx}
	var sources []packet.Source
	for _, path := range n.paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		in := &inputFile{file: f, sum: sha256.New()}
		c.inputs = append(c.inputs, in)
		if in.reader, err = pcapng.NewReader(in, path); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		sources = append(sources, in.reader)
	}
	c.Merged = pcapng.Merge(sources...)
	return c, nil
}

// Close implements packet.Source.
func (c *captures) Close() error {
	for _, in := range c.inputs {
		if in.reader != nil {
			in.reader.Close()
		}
		_ = in.file.Close() // it was only read from
	}
	return nil
}

// Read returns how many bytes of the files were read.
func (c *captures) Read() (n int64) {
	for _, in := range c.inputs {
		n += in.bytes.Load()
	}
	return n
}

// describe says in the manifest what the files were.
func (c *captures) describe(n *Node) error {
	for _, in := range c.inputs {
		// The reader must not read any more. It may have stopped at damage: the sum
		// is that of the whole file.
		if err := in.reader.Close(); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, cancelled{c.ctx, in}); err != nil {
			return fmt.Errorf("%s: %w", in.file.Name(), err)
		}
		n.Inputs = append(n.Inputs, Input{filepath.Base(in.file.Name()), in.bytes.Load(), hex.EncodeToString(in.sum.Sum(nil))})
	}
	return nil
}
