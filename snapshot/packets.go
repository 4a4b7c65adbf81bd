package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

const (
	// maxIndex is how large an index of blocks may be, packed, in bytes.
	maxIndex = 512 << 20
	// maxSecrets is how large the session secrets of a node may be, in bytes.
	maxSecrets = 256 << 20
	// openers is how many indexes are read at once.
	openers = 16
)

// Selection says which packets are asked for. Numbers are those of the snapshot: of all
// packets of the nodes in their order, then of what their TLS libraries sent and received.
type Selection struct {
	block.Selection
	Node string // empty: of all nodes
	Once bool   // they are not going to be read again: the cache need not keep them
}

// Packets is a packet.Source of a snapshot: packets of its nodes, merged by time. It gives
// all that are asked for, and others of the same blocks.
type Packets struct {
	*pcapng.Merged
	nodes   []string // by source
	sources []*block.Source
}

// Nodes tells which node captured each of the Interfaces.
func (p *Packets) Nodes() []string {
	origins := p.Origins()
	out := make([]string, len(origins))
	for i, o := range origins {
		out[i] = p.nodes[o.File]
	}
	return out
}

// Fetched returns how many requests were made so far, and for how many bytes.
func (p *Packets) Fetched() (requests, bytes int64) {
	for _, s := range p.sources {
		r, b := s.Fetched()
		requests, bytes = requests+r, bytes+b
	}
	return requests, bytes
}

// Packets begins to read the packets that are asked for, and with Extras the TLS session
// secrets of their nodes, too. Only blocks that may hold some are read. The caller closes the result.
func (s *Snapshot) Packets(ctx context.Context, sel Selection) (*Packets, error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, err
	}
	p := new(Packets)
	var bases []uint64
	var sources []packet.Source
	add := func(node string, base uint64, src packet.Source) {
		p.nodes, bases, sources = append(p.nodes, node), append(bases, base), append(sources, src)
	}
	fail := func(err error) (*Packets, error) {
		return nil, errors.Join(err, pcapng.Merge(sources...).Close())
	}
	for i := range s.Manifest.Objects {
		if o := &s.Manifest.Objects[i]; o.Kind == KindSecrets && sel.Extras && sel.takes(o.Node) { // they come before what they decrypt
			src, err := s.secrets(ctx, o)
			if err != nil {
				return fail(err)
			}
			add(o.Node, 0, src)
		}
	}
	base := uint64(0)
	for _, f := range files {
		if sel.takes(f.node) {
			file := f.File
			file.Once = sel.Once
			src, err := file.Source(ctx, f.Index.Select(sel.of(base, f.Index.Packets())))
			if err != nil {
				return fail(err)
			}
			add(f.node, base, src)
			p.sources = append(p.sources, src)
		}
		base += f.Index.Packets()
	}
	p.Merged = pcapng.MergeNumbered(bases, sources...)
	return p, nil
}

func (s *Selection) takes(node string) bool { return s.Node == "" || s.Node == node }

// of returns the selection for a file whose first packet has number base+1.
func (s *Selection) of(base, packets uint64) block.Selection {
	own := s.Selection
	if s.Numbers != nil {
		own.Numbers = []uint64{}
		for _, n := range s.Numbers {
			if n > base && n <= base+packets {
				own.Numbers = append(own.Numbers, n-base)
			}
		}
	}
	return own
}

// secrets opens the TLS session secrets of a node.
func (s *Snapshot) secrets(ctx context.Context, o *Object) (packet.Source, error) {
	data, err := s.readObject(ctx, o, maxSecrets)
	if err != nil {
		return nil, err
	}
	src, err := pcapng.NewReader(bytes.NewReader(data), o.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	return onlySecrets{src}, nil
}

// onlySecrets is a file of secrets, whose own header says nothing of a capture.
type onlySecrets struct{ *pcapng.Reader }

func (onlySecrets) Asides() []pcapng.Aside  { return nil }
func (onlySecrets) Omitted() pcapng.Omitted { return pcapng.Omitted{} }

// nodePackets is the packets of one node, or what its TLS libraries sent and received.
type nodePackets struct {
	block.File
	node string
}

// indexes returns the packets of all nodes with their indexes, which are read once.
func (s *Snapshot) indexes(ctx context.Context) ([]*nodePackets, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packets != nil {
		return s.packets, nil
	}
	var list []*nodePackets
	var objects []*Object
	for _, kind := range []ObjectKind{KindPackets, KindPlaintext} { // in the order of their numbers
		for i := range s.Manifest.Objects {
			if o := &s.Manifest.Objects[i]; o.Kind == kind {
				list, objects = append(list, &nodePackets{node: o.Node}), append(objects, o)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	turn := make(chan struct{}, openers)
	for i, o := range objects {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			if err := s.openPackets(ctx, o, list[i]); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s.packets = list
	return list, nil
}

// openPackets reads the index of a packets object and compares it with the manifest.
func (s *Snapshot) openPackets(ctx context.Context, o *Object, f *nodePackets) error {
	data, err := s.readObject(ctx, s.Manifest.object(o.Index), maxIndex)
	if err != nil {
		return err
	}
	x, err := block.ParseIndex(data)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIntegrity, o.Index, err)
	}
	if !o.describes(x) {
		return fmt.Errorf("%w: %s is not of %s", ErrIntegrity, o.Index, o.Path)
	}
	f.File = block.File{Name: o.Path, Index: x, Cache: s.cache, Fetch: func(ctx context.Context, from, n int64) (io.ReadCloser, error) {
		in, err := s.files.Open(ctx, o.Path, from, n)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", ErrIntegrity, err)
		}
		return in, err
	}}
	return nil
}

// PacketBytes returns how many bytes the packets of all nodes have as they are kept.
func (s *Snapshot) PacketBytes() (n int64) {
	for _, o := range s.Manifest.Objects {
		if o.blocked() {
			n += o.Size
		}
	}
	return n
}
