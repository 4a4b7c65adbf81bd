package workbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
)

// selection is a packet.Source: all packets of the evidence, or those of some
// numbers. What lies between those is passed over without being read, where the
// index knows places to restart at.
type selection struct {
	ctx        context.Context
	e          *Evidence
	src        source
	all        bool
	somewhere  bool     // packets do not come in the order of their numbers
	whole      bool     // read to the end, whatever is selected
	numbers    []uint64 // of the packets still to come, ascending
	at         uint64   // number of the next packet of src
	points     []pcapng.Point
	origins    []pcapng.Origin
	interfaces []packet.Interface // by the index; after a restart src does not know all
}

// everything selects all packets; of a snapshot, those of the blocks that sel selects.
func (e *Evidence) everything(ctx context.Context, sel snapshot.Selection) (*selection, error) {
	src, err := e.packets(ctx, sel)
	if err != nil {
		return nil, err
	}
	return &selection{ctx: ctx, e: e, src: src, all: true}, nil
}

// selection selects the packets of some numbers, which are ascending and by the
// index x. With all set, all of the input is read, for what it holds beside packets.
func (e *Evidence) selection(ctx context.Context, x *opened, numbers []uint64, all bool) (*selection, error) {
	var sel snapshot.Selection
	sel.Numbers, sel.Extras = append([]uint64{}, numbers...), all
	src, err := e.packets(ctx, sel)
	if err != nil {
		return nil, err
	}
	s := &selection{ctx: ctx, e: e, src: src, whole: all, numbers: numbers, at: 1, somewhere: e.snapshot != nil}
	if !all && !s.somewhere {
		s.points, s.origins = x.points(), x.account.Origins
		s.interfaces = make([]packet.Interface, len(s.origins))
		copy(s.interfaces, x.db.Meta().Interfaces)
	}
	return s, nil
}

// ReadBatch implements packet.Source.
func (s *selection) ReadBatch(b *packet.Batch) error {
	if s.all {
		return s.src.ReadBatch(b)
	}
	if s.somewhere {
		return s.readAnywhere(b)
	}
	for {
		b.Records = b.Records[:0]
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if len(s.numbers) == 0 && !s.whole {
			return io.EOF
		}
		if err := s.skip(); err != nil {
			return err
		}
		err := s.src.ReadBatch(b)
		if e := s.pick(b); e != nil {
			return e
		}
		switch {
		case len(b.Records) > 0:
			return nil
		case errors.Is(err, io.EOF) && len(s.numbers) > 0:
			return s.missing()
		case err != nil:
			return err
		}
	}
}

// readAnywhere is ReadBatch for packets that come by time, not by number.
func (s *selection) readAnywhere(b *packet.Batch) error {
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := s.src.ReadBatch(b)
		b.Records = slices.DeleteFunc(b.Records, func(r packet.Record) bool {
			_, selected := slices.BinarySearch(s.numbers, r.Number)
			return !selected
		})
		if len(b.Records) > 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if len(b.Records) > 0 || err != nil {
			return err
		}
	}
}

// pick leaves in b the packets that are selected.
func (s *selection) pick(b *packet.Batch) error {
	kept := b.Records[:0]
	for i := range b.Records {
		r := b.Records[i]
		s.at = r.Number + 1
		if len(s.numbers) == 0 || r.Number < s.numbers[0] {
			continue
		}
		if r.Number > s.numbers[0] {
			return s.missing()
		}
		s.numbers = s.numbers[1:]
		kept = append(kept, r)
	}
	b.Records = kept
	return nil
}

func (s *selection) missing() error {
	return fmt.Errorf("%s: packet %d of the index is not there: have the files changed?", s.e.Name, s.numbers[0])
}

// skip goes to the last restart place before the next packet, if it is ahead.
func (s *selection) skip() error {
	if len(s.numbers) == 0 {
		return nil
	}
	p := pcapng.PointBefore(s.points, s.numbers[0])
	if len(p) == 0 || p[0].Number <= s.at {
		return nil
	}
	next, ok, err := pcapng.OpenFilesAt(s.e.paths(), p, s.origins)
	if err != nil {
		return err
	}
	if !ok {
		s.points = nil // not in this place, and so nowhere
		return next.Close()
	}
	err = s.src.Close()
	s.src = captures{next, s.e.node}
	return err
}

// Interfaces implements packet.Source.
func (s *selection) Interfaces() []packet.Interface {
	if s.interfaces != nil {
		return s.interfaces
	}
	return s.src.Interfaces()
}

// Origins tells where each of the Interfaces comes from.
func (s *selection) Origins() []pcapng.Origin {
	if s.interfaces != nil {
		return s.origins
	}
	return s.src.Origins()
}

// Nodes tells which node captured each of the Interfaces.
func (s *selection) Nodes() []string {
	if s.interfaces != nil { // of capture files, which do not tell
		return make([]string, len(s.interfaces))
	}
	return s.src.Nodes()
}

// Damage implements packet.Source.
func (s *selection) Damage() []packet.Damage { return s.src.Damage() }

// Close implements packet.Source.
func (s *selection) Close() error { return s.src.Close() }

// readPoints reads the restart places that an index keeps. Without them reading
// starts at the beginning.
func (x *opened) readPoints() []pcapng.Point {
	stored := x.db.Meta().Points
	out := make([]pcapng.Point, len(stored))
	for i, p := range stored {
		if json.Unmarshal(p.State, &out[i]) != nil {
			return nil
		}
	}
	return out
}

var _ packet.Source = (*selection)(nil)
