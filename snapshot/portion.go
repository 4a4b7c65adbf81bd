package snapshot

import (
	"io"
	"runtime"

	"shark/packet"
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
}

// packets writes all packets of the portion to out.
func (p *portion) packets(out io.Writer) (*block.Index, error) {
	blocks, err := block.NewWriter(p.w.x.ctx, out, block.Options{Workers: runtime.GOMAXPROCS(0), Bytes: p.w.x.each, Application: "shark"})
	if err != nil {
		return nil, err
	}
	err = p.copy(blocks)
	p.met = 0 // what they received and dropped is known by now
	p.meet(p.source.Interfaces())
	extras := block.Extras{Interfaces: p.own}
	if extras.Interfaces == nil {
		extras.Interfaces = []packet.Interface{}
	}
	if p.kind == KindPackets {
		if s, ok := p.source.(named); ok {
			extras.Names = s.Names()
		}
		if s, ok := p.source.(commented); ok {
			extras.Comments = s.Comments()
		}
	}
	index, end := blocks.Close(extras)
	if err == nil {
		err = end
	}
	return index, err
}

// meet finds those of the portion among the source's interfaces.
func (p *portion) meet(all []packet.Interface) {
	if p.met == len(all) {
		return
	}
	p.met, p.places, p.own = len(all), p.places[:0], nil
	for i := range all {
		if (all[i].Name == packet.PlaintextInterface) != (p.kind == KindPlaintext) {
			p.places = append(p.places, -1)
			continue
		}
		p.places = append(p.places, len(p.own))
		p.own = append(p.own, all[i])
	}
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
