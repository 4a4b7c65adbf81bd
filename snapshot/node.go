package snapshot

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

// source is the packets of a node on their way into a snapshot. It may have names, secrets
// and comments beside them, as a pcapng.Merged has.
type source interface {
	packet.Source
	Read() int64            // bytes, so far
	describe(n *Node) error // says in the manifest what was read, when all is
}

// What a source may have.
type (
	named     interface{ Names() []pcapng.Name }
	keyed     interface{ Secrets() []pcapng.Secret }
	commented interface{ Comments() []string }
)

// node writes what one node contributed.
func (x *builder) node(name string, src source) error {
	w := &nodeWriter{x: x, name: name, source: src, first: math.MaxInt64, last: math.MinInt64}
	if err := w.blocks(); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	if err := w.secrets(); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return w.finish()
}

// nodeWriter puts the packets of one node into blocks.
type nodeWriter struct {
	x      *builder
	name   string
	source source

	count, bytes uint64
	cut          uint64   // packets not whole
	early        uint64   // packets from before 1970
	perInterface []uint64 // packets
	first, last  int64
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
	extras := block.Extras{Interfaces: w.source.Interfaces()}
	if s, ok := w.source.(named); ok {
		extras.Names = s.Names()
	}
	if s, ok := w.source.(commented); ok {
		extras.Comments = s.Comments()
	}
	index, end := blocks.Close(extras)
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
	w.x.progress(Progress{Node: w.name, Packets: w.x.packets + w.count, Bytes: w.x.read + w.source.Read(), Total: w.x.total})
}

// secrets writes the TLS session secrets of the source, once each.
func (w *nodeWriter) secrets() error {
	type key struct {
		kind uint32
		data string
	}
	seen := make(map[key]bool)
	var all []pcapng.Secret
	keys, ok := w.source.(keyed)
	if !ok {
		return nil
	}
	for _, s := range keys.Secrets() {
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
	if err := w.source.describe(&n); err != nil {
		return err
	}
	w.x.read += w.source.Read()
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
