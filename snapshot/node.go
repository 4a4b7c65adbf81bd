package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
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
	beside    interface {
		Asides() []pcapng.Aside
		Omitted() pcapng.Omitted
	}
	identified interface{ Identity() [][]byte }
	timely     interface{ Losses() []packet.Loss }
)

func moment(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }

// node writes what one node contributed. It is opened anew for what TLS libraries sent and
// received, if there is any: to fill the blocks of both at once would take twice the memory.
func (x *builder) node(name string, open func() (source, error)) error {
	w := &nodeWriter{x: x, name: name, open: open}
	err := w.write()
	if w.source != nil {
		err = errors.Join(err, w.source.Close())
	}
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// nodeWriter puts the packets of one node into blocks.
type nodeWriter struct {
	x      *builder
	name   string
	open   func() (source, error)
	source source

	wire, plain  tally
	perInterface []uint64 // packets
	omitted      pcapng.Omitted
}

// tally counts the packets of an object.
type tally struct {
	count, bytes uint64
	cut          uint64 // packets not whole
	early        uint64 // packets from before 1970
	first, last  int64
}

func (w *nodeWriter) write() (err error) {
	if w.source, err = w.open(); err != nil {
		return err
	}
	if err := w.blocks(&portion{w: w, source: w.source, kind: KindPackets, tally: &w.wire, report: true}); err != nil {
		return err
	}
	if err := w.plaintext(); err != nil {
		return err
	}
	if err := w.secrets(); err != nil {
		return err
	}
	if err := w.identity(); err != nil {
		return err
	}
	return w.finish()
}

// plaintext writes what TLS libraries sent and received, if it is to be kept.
func (w *nodeWriter) plaintext() error {
	n := uint64(0)
	for i, f := range w.source.Interfaces() {
		if f.Name == packet.PlaintextInterface && i < len(w.perInterface) {
			n += w.perInterface[i]
		}
	}
	if n == 0 {
		return nil
	}
	if w.x.policy.NoPlaintext {
		w.x.note(NotePolicy, w.name, "%d segments of TLS plaintext were recorded and left out", n)
		return nil
	}
	again, err := w.open()
	if err != nil {
		return fmt.Errorf("TLS plaintext: %w", err)
	}
	return errors.Join(w.blocks(&portion{w: w, source: again, kind: KindPlaintext, tally: &w.plain}), again.Close())
}

// blocks writes a portion of the packets, and the index of their blocks.
func (w *nodeWriter) blocks(p *portion) error {
	out, err := w.x.create(p.kind, w.name, string(p.kind)+".pcapng.zst")
	if err != nil {
		return err
	}
	index, err := p.packets(out)
	out.Packets, out.Bytes, out.Window = p.tally.count, p.tally.bytes, p.tally.window()
	if err := out.close(err); err != nil {
		return err
	}
	list, err := w.x.create(KindBlocks, w.name, string(p.kind)+".blocks")
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
	out.Blocks, out.Groups, out.Index = len(index.Blocks), index.Groups, list.Path
	w.x.manifest.Objects = append(w.x.manifest.Objects, out.Object, list.Object)
	return nil
}

func (t *tally) add(r *packet.Record) {
	t.bytes += uint64(r.OrigLen)
	if int64(r.OrigLen) > int64(len(r.Data)) {
		t.cut++
	}
	at := r.Time
	if at < 0 {
		t.early++
		at = 0 // as the writer has it
	}
	if t.count == 0 {
		t.first, t.last = at, at
	}
	t.first, t.last = min(t.first, at), max(t.last, at)
	t.count++
}

func (t *tally) window() *Window {
	if t.count == 0 {
		return nil
	}
	return &Window{time.Unix(0, t.first).UTC(), time.Unix(0, t.last).UTC()}
}

func (w *nodeWriter) report() {
	w.x.progress(Progress{Node: w.name, Packets: w.x.packets + w.wire.count, Bytes: w.x.read + w.source.Read(), Total: w.x.total})
}

// secrets writes the TLS session secrets of the source, once each.
func (w *nodeWriter) secrets() error {
	type key struct {
		kind          uint32
		data, options string
	}
	seen := make(map[key]bool)
	var all []pcapng.Secret
	keys, ok := w.source.(keyed)
	if !ok {
		return nil
	}
	for _, s := range keys.Secrets() {
		if k := (key{s.Type, string(s.Data), s.Options}); !seen[k] {
			seen[k] = true
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if w.x.policy.NoSecrets {
		w.x.note(NotePolicy, w.name, "%d TLS session secrets were recorded and left out", len(all))
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

// identity writes the log that lies among the packets, if it is to be taken.
func (w *nodeWriter) identity() error {
	src, ok := w.source.(identified)
	if !ok || !w.x.carried {
		return nil
	}
	lines := slices.Concat(src.Identity()...)
	if len(lines) == 0 {
		return nil
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(lines)), nil }
	if err := w.x.identity(open, w.name, "import"); err != nil {
		return fmt.Errorf("identity log: %w", err)
	}
	return nil
}

// finish describes the node in the manifest.
func (w *nodeWriter) finish() error {
	n := Node{Name: w.name, Got: w.wire.window().with(w.plain.window()), Packets: w.wire.count, Bytes: w.wire.bytes, CutPackets: w.wire.cut}
	w.cover(&n)
	if err := w.source.describe(&n); err != nil {
		return err
	}
	w.x.read += w.source.Read()
	w.x.packets += w.wire.count
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
		if s, ok := w.source.(timely); ok {
			for _, l := range s.Losses() {
				x.note(NoteHole, n.Name, "%d packets were lost between %s and %s", l.Packets, moment(l.From), moment(l.To))
			}
		}
	}
	if w.wire.cut > 0 {
		x.note(NoteCut, n.Name, "%d of %d packets were not captured whole", w.wire.cut, w.wire.count)
	}
	for _, text := range w.omitted.Notes() {
		x.note(NoteBeside, n.Name, "%s", text)
	}
	if early := w.wire.early + w.plain.early; early > 0 {
		x.note(NoteTimes, n.Name, "%d packets from before 1970 have the time 1970-01-01T00:00:00Z", early)
	}
}
