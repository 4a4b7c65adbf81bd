package snapshot

import (
	"io"
	"runtime"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

// portion is those packets of a node that belong into one object: what was captured, or what
// TLS libraries sent and received.
type portion struct {
	w      *nodeWriter
	source source
	kind   ObjectKind
	tally  *tally
	report bool // how far it has come

	met    int                // interfaces of the source
	places []int              // of each among those of the portion; -1: it is not of it
	own    []packet.Interface // of the portion
	said   int                // bytes of their options
}

// maxOptions bounds what the options of a node's interfaces have, in bytes: each block repeats
// those of its own, and the last has all of them. Those of later ones are left out.
const maxOptions = 8 << 20

// packets writes all packets of the portion to out.
func (p *portion) packets(out io.Writer) (*block.Index, error) {
	blocks, err := block.NewWriter(p.w.x.ctx, out, block.Options{Workers: runtime.GOMAXPROCS(0), Bytes: p.w.x.each, Application: "shark"})
	if err != nil {
		return nil, err
	}
	err = p.copy(blocks)
	p.met = 0 // what they received and dropped is known by now
	p.meet(p.source.Interfaces())
	p.w.omitted.Excess += p.unsaid(p.source.Interfaces())
	extras := block.Extras{Interfaces: p.own}
	if extras.Interfaces == nil {
		extras.Interfaces = []packet.Interface{}
	}
	p.beside(&extras)
	index, end := blocks.Close(extras)
	p.w.omitted.Excess += blocks.Excess()
	if err == nil {
		err = end
	}
	return index, err
}

// beside takes what the source has beside packets: each portion the statistics of its interfaces,
// that of the captured packets all else.
func (p *portion) beside(x *block.Extras) {
	captured := p.kind == KindPackets
	if s, ok := p.source.(named); ok && captured {
		x.Names = s.Names()
	}
	s, ok := p.source.(beside)
	if c, said := p.source.(commented); said && captured && !ok {
		x.Comments = c.Comments()
	}
	if !ok {
		return
	}
	for _, a := range s.Asides() {
		switch {
		case a.IsStatistics() && (int(a.Interface) >= len(p.places) || p.places[a.Interface] < 0), !a.IsStatistics() && !captured:
			continue
		case a.IsStatistics():
			a.Interface = uint32(p.places[a.Interface])
		}
		x.Asides = append(x.Asides, a)
	}
	if captured {
		p.w.omitted.Add(s.Omitted())
	}
}

// meet finds those of the portion among the source's interfaces.
func (p *portion) meet(all []packet.Interface) {
	if p.met == len(all) {
		return
	}
	p.met, p.places, p.own, p.said = len(all), p.places[:0], nil, 0
	for i := range all {
		if (all[i].Name == packet.PlaintextInterface) != (p.kind == KindPlaintext) {
			p.places = append(p.places, -1)
			continue
		}
		p.places = append(p.places, len(p.own))
		p.own = append(p.own, p.bounded(all[i]))
	}
}

// unsaid counts the portion's interfaces whose options were left out.
func (p *portion) unsaid(all []packet.Interface) (n uint64) {
	for i := range all {
		if at := p.places[i]; at >= 0 && all[i].Options != p.own[at].Options {
			n++
		}
	}
	return n
}

// bounded returns an interface without its options, if those before it have too many bytes.
func (p *portion) bounded(f packet.Interface) packet.Interface {
	if p.said += len(f.Options); p.said > maxOptions {
		p.said -= len(f.Options)
		f.Options = ""
	}
	return f
}

func (p *portion) copy(blocks *block.Writer) error {
	var b packet.Batch
	for {
		if err := p.w.x.ctx.Err(); err != nil {
			return err
		}
		end := p.source.ReadBatch(&b)
		p.meet(p.source.Interfaces())
		for i := range b.Records {
			if err := p.write(blocks, &b.Records[i]); err != nil {
				return err
			}
		}
		if p.report {
			p.w.report()
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

// write writes a packet, if it is of the portion. What is not is counted when packets are
// captured ones, to know whether there is more to be written.
func (p *portion) write(blocks *block.Writer, r *packet.Record) error {
	place := int(r.Interface) // of one that is not there: the writer says so
	if place < len(p.places) {
		place = p.places[r.Interface]
		if p.report {
			p.w.count(r.Interface)
		}
	}
	if place < 0 {
		return nil
	}
	r.Interface = uint32(place)
	if err := blocks.Write(r, p.own); err != nil {
		return err
	}
	if len(r.Options) > 0 {
		p.w.omitted.Add(pcapng.OmittedOf(r))
	}
	p.tally.add(r)
	return nil
}

// count counts a packet of an interface of the source.
func (w *nodeWriter) count(i uint32) {
	for int(i) >= len(w.perInterface) {
		w.perInterface = append(w.perInterface, 0)
	}
	w.perInterface[i]++
}
