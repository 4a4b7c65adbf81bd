package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

// node writes what one node contributed.
func (x *importer) node(n nodeFiles) error {
	w := &nodeWriter{x: x, name: n.name, first: math.MaxInt64, last: math.MinInt64}
	defer w.close()
	for _, path := range n.paths {
		if err := w.open(path); err != nil {
			return err
		}
	}
	sources := make([]packet.Source, len(w.inputs))
	for i, in := range w.inputs {
		sources[i] = in.reader
	}
	w.source = pcapng.Merge(sources...)
	if err := w.blocks(); err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	if err := w.secrets(); err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	return w.finish()
}

// nodeWriter merges the files of one node into blocks.
type nodeWriter struct {
	x      *importer
	name   string
	inputs []*inputFile
	source *pcapng.Merged

	count, bytes uint64
	cut          uint64   // packets not whole
	early        uint64   // packets from before 1970
	perInterface []uint64 // packets
	first, last  int64
}

// inputFile is a capture file being read.
type inputFile struct {
	file   *os.File
	reader *pcapng.Reader
	sum    hash.Hash
	read   atomic.Int64
}

// Read implements io.Reader for the reader, which may do so in a goroutine.
func (in *inputFile) Read(p []byte) (int, error) {
	n, err := in.file.Read(p)
	in.sum.Write(p[:n])
	in.read.Add(int64(n))
	return n, err
}

func (w *nodeWriter) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	in := &inputFile{file: f, sum: sha256.New()}
	if in.reader, err = pcapng.NewReader(in, path); err != nil {
		_ = f.Close() // it was only read from
		return err
	}
	w.inputs = append(w.inputs, in)
	return nil
}

func (w *nodeWriter) close() {
	for _, in := range w.inputs {
		_, _ = in.reader.Close(), in.file.Close() // they were only read from
	}
}

// blocks writes all packets, and the index of their blocks.
func (w *nodeWriter) blocks() error {
	out, err := w.x.create(KindPackets, w.name, "packets.pcapng.zst")
	if err != nil {
		return err
	}
	index, err := w.packets(out)
	out.Packets, out.Bytes, out.Window = w.count, w.bytes, w.window()
	if err := out.close(err); err != nil {
		return err
	}
	list, err := w.x.create(KindBlocks, w.name, "packets.blocks")
	if err != nil {
		return err
	}
	data, err := index.Encode()
	if err == nil {
		_, err = list.Write(data)
	}
	if err := list.close(err); err != nil {
		return err
	}
	out.Blocks, out.Index = len(index.Blocks), list.Path
	w.x.manifest.Objects = append(w.x.manifest.Objects, out.Object, list.Object)
	return nil
}

// packets writes all packets to out.
func (w *nodeWriter) packets(out io.Writer) (*block.Index, error) {
	blocks, err := block.NewWriter(w.x.ctx, out, block.Options{Workers: runtime.GOMAXPROCS(0), Application: "shark"})
	if err != nil {
		return nil, err
	}
	err = w.copy(blocks)
	index, end := blocks.Close(block.Extras{Interfaces: w.source.Interfaces(), Names: w.source.Names(), Comments: w.source.Comments()})
	if err == nil {
		err = end
	}
	return index, err
}

func (w *nodeWriter) copy(blocks *block.Writer) error {
	var b packet.Batch
	for {
		if err := w.x.ctx.Err(); err != nil {
			return err
		}
		end := w.source.ReadBatch(&b)
		interfaces := w.source.Interfaces()
		for i := range b.Records {
			if err := blocks.Write(&b.Records[i], interfaces); err != nil {
				return err
			}
			w.tally(&b.Records[i])
		}
		w.report()
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

func (w *nodeWriter) tally(r *packet.Record) {
	w.count++
	w.bytes += uint64(r.OrigLen)
	if int64(r.OrigLen) > int64(len(r.Data)) {
		w.cut++
	}
	t := r.Time
	if t < 0 {
		w.early++
		t = 0 // as the writer has it
	}
	w.first, w.last = min(w.first, t), max(w.last, t)
	for int(r.Interface) >= len(w.perInterface) {
		w.perInterface = append(w.perInterface, 0)
	}
	w.perInterface[r.Interface]++
}

func (w *nodeWriter) window() *Window {
	if w.count == 0 {
		return nil
	}
	return &Window{time.Unix(0, w.first).UTC(), time.Unix(0, w.last).UTC()}
}

func (w *nodeWriter) report() {
	p := ImportProgress{Node: w.name, Packets: w.x.packets + w.count, Bytes: w.x.read, Total: w.x.total}
	for _, in := range w.inputs {
		p.Bytes += in.read.Load()
	}
	w.x.progress(p)
}

// secrets writes the TLS session secrets of all files, once each.
func (w *nodeWriter) secrets() error {
	type key struct {
		kind uint32
		data string
	}
	seen := make(map[key]bool)
	var all []pcapng.Secret
	for _, s := range w.source.Secrets() {
		if k := (key{s.Type, string(s.Data)}); !seen[k] {
			seen[k] = true
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	out, err := w.x.create(KindSecrets, w.name, "secrets.pcapng")
	if err != nil {
		return err
	}
	section, err := pcapng.NewWriter(out, pcapng.Options{Application: "shark"})
	for i := 0; err == nil && i < len(all); i++ {
		err = section.WriteSecrets(all[i])
	}
	if err == nil {
		err = section.Close()
	}
	if err := out.close(err); err != nil {
		return err
	}
	w.x.manifest.Objects = append(w.x.manifest.Objects, out.Object)
	return nil
}

// finish describes the node in the manifest.
func (w *nodeWriter) finish() error {
	n := Node{Name: w.name, Got: w.window(), Packets: w.count, Bytes: w.bytes, CutPackets: w.cut}
	w.cover(&n)
	for _, in := range w.inputs {
		// The reader must not read any more. It may have stopped at damage: the sum
		// is that of the whole file.
		if err := in.reader.Close(); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, cancelled{w.x.ctx, in}); err != nil {
			return fmt.Errorf("%s: %w", in.file.Name(), err)
		}
		size := in.read.Load()
		n.Inputs = append(n.Inputs, Input{filepath.Base(in.file.Name()), size, hex.EncodeToString(in.sum.Sum(nil))})
		w.x.read += size
	}
	w.x.packets += w.count
	w.x.manifest.Nodes = append(w.x.manifest.Nodes, n)
	return nil
}

// cover notes what is missing of the node, and describes its interfaces.
func (w *nodeWriter) cover(n *Node) {
	x := w.x
	damage := w.source.Damage()
	for i, d := range damage {
		if i == maxNotes-1 && len(damage) > maxNotes {
			x.note(NoteDamage, n.Name, "%d or more places of damage more", len(damage)-i)
			break
		}
		lost := fmt.Sprintf("%d bytes are", d.Lost)
		if d.Lost < 0 {
			lost = "the rest is"
		}
		x.note(NoteDamage, n.Name, "%s, %s: %s; %s lost", filepath.Base(d.File), d.Place(), d.Reason, lost)
	}
	interfaces := w.source.Interfaces()
	dropped := uint64(0)
	for i := range interfaces {
		f := &interfaces[i]
		if f.Dropped != nil {
			dropped += *f.Dropped
		}
		if i >= maxInterfaces {
			continue
		}
		d := Interface{
			Name: f.Name, Description: f.Description, OS: f.OS, Filter: f.Filter, LinkType: uint16(f.Link), SnapLen: f.SnapLen,
			Received: f.Received, Dropped: f.Dropped,
		}
		if i < len(w.perInterface) {
			d.Packets = w.perInterface[i]
		}
		n.Interfaces = append(n.Interfaces, d)
	}
	if dropped > 0 {
		x.note(NoteDrops, n.Name, "the capture dropped %d packets", dropped)
	}
	if w.cut > 0 {
		x.note(NoteCut, n.Name, "%d of %d packets were not captured whole", w.cut, w.count)
	}
	if w.early > 0 {
		x.note(NoteTimes, n.Name, "%d packets from before 1970 have the time 1970-01-01T00:00:00Z", w.early)
	}
}
