package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"shark/dissector"
	"shark/packet"
	"shark/packet/sighting"
	"shark/snapshot"
	"shark/workbench/index"
)

// chosen is packets of the evidence that are dissected, the others left out: those that an
// export would write.
type chosen struct {
	ctx context.Context
	by  *exporter
	of  Export
}

// text says which packets they are; empty of nil.
func (c *chosen) text() string {
	if c == nil {
		return ""
	}
	var parts []string
	for _, p := range []struct{ name, value string }{{"of node", c.of.Node}, {"from or to workload", c.of.Workload}, {"from or to", c.of.IP}, {"that match", c.of.BPF}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if t := c.by.window[0]; !t.IsZero() {
		parts = append(parts, "from "+text(t.UTC())+" on")
	}
	if t := c.by.window[1]; !t.IsZero() {
		parts = append(parts, "before "+text(t.UTC()))
	}
	return "only packets " + strings.Join(parts, ", ") + " were dissected"
}

// selection is what of a snapshot has to be read.
func (m *making) selection() (sel snapshot.Selection) {
	switch {
	case m == nil:
		sel.Once = true
	case m.chosen != nil:
		sel = m.chosen.by.selection()
		sel.Extras = false
	default:
		sel = m.excerpt.selection()
	}
	return sel
}

// wants tells whether the conversation of a packet is dissected.
func (m *making) wants(p *packet.Packet) bool { return m == nil || m.excerpt.wants(p) }

// choose leaves in a source what is chosen.
func (m *making) choose(src source) source {
	if m == nil || m.chosen == nil {
		return src
	}
	by := *m.chosen.by // each source has a decoder and interfaces of its own
	if by.ends != nil {
		ends := *by.ends
		ends.dec = packet.NewDecoder()
		by.ends = &ends
	}
	return &choosing{source: src, ctx: m.chosen.ctx, by: &by}
}

// choosing is a source of which some packets are chosen.
type choosing struct {
	source
	ctx context.Context
	by  *exporter
}

// ReadBatch implements packet.Source.
func (c *choosing) ReadBatch(b *packet.Batch) error {
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		end := c.source.ReadBatch(b)
		if end != nil && !errors.Is(end, io.EOF) {
			return end
		}
		if err := c.by.check(c.source.Interfaces()); err != nil {
			return err
		}
		c.by.faces.nodes = c.source.Nodes()
		b.Records = slices.DeleteFunc(b.Records, func(r packet.Record) bool {
			return r.Time < c.by.from || r.Time >= c.by.to && c.by.to != math.MaxInt64 || !c.by.selects(&r)
		})
		if len(b.Records) > 0 || end != nil {
			return end
		}
	}
}

// part is the packets of a partition.
type part struct {
	*sighting.Source
	packets *snapshot.Packets
	making  *making         // what is wanted of them; nil: all
	damage  []packet.Damage // known when it is closed
}

// Wants implements dissector.Selector.
func (p *part) Wants(x *packet.Packet) bool { return p.making.wants(x) }

// Close implements packet.Source.
func (p *part) Close() error {
	p.damage = p.Damage()
	return p.packets.Close()
}

// dissectChosen dissects some packets into a file.
func (e *Evidence) dissectChosen(ctx context.Context, o DissectOptions) (*Dissected, error) {
	if o.Output == "" {
		return nil, usage("an index of some packets is not for the cache: say with -o where to put it")
	}
	if o.Packets.KFL != "" {
		return nil, usage("packets to dissect are not chosen by KFL")
	}
	by := &exporter{e: e, q: o.Packets, result: new(Exported)}
	if err := by.prepare(ctx); err != nil {
		return nil, err
	}
	if first, last, ok := e.stated(); ok {
		if _, _, err := e.window(o.Packets.From, o.Packets.To, first, last); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	dir, err := e.folder(o)
	if err != nil {
		return nil, err
	}
	sum, err := e.digest(ctx, nil)
	if err != nil {
		return nil, err
	}
	m := &making{dir: dir, chosen: &chosen{ctx, by, o.Packets}, total: e.size(), sink: func(s dissector.Sink) dissector.Sink { return s }}
	source := sha256.Sum256([]byte(sum + " " + m.chosen.text()))
	m.name = func(_ bool, meta *index.Meta) string {
		meta.Source = hex.EncodeToString(source[:])
		return o.Output
	}
	if err := e.make(ctx, m); err != nil {
		return nil, err
	}
	x, err := e.load(o.Output, hex.EncodeToString(source[:]))
	if err != nil {
		return nil, fmt.Errorf("index of the packets: %w", err)
	}
	return &Dissected{Path: o.Output, Entries: x.db.Meta().Entries, Coverage: e.coverage(x)}, nil
}

var _ source = (*choosing)(nil)
