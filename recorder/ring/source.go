package ring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"shark/packet"
	"shark/packet/pcapng"
)

// Source is a packet.Source of the packets of a window that is pinned, in the order they were
// recorded. An interface is the same in all segments; what it received and dropped is of
// the window, where nothing says more exactly of the segments' parts about it.
type Source struct {
	p       *Pinned
	next    int // segment
	f       *os.File
	in      *pcapng.Reader
	damage  []packet.Damage
	number  uint64
	read    int64 // bytes of the segments before
	before  int64 // time up to which the segment was read
	ids     []uint32
	states  []tally // by the segment's interface, so far
	all     []packet.Interface
	counted []tally
	losses  losses
	known   map[packet.Interface]uint32
	secrets []pcapng.Secret // nil until somebody asked
	asides  []pcapng.Aside
	beside  int // bytes of them
	omitted pcapng.Omitted
}

// Open begins to read the packets. The caller closes the Source, and then may read anew.
func (p *Pinned) Open() packet.Source {
	return &Source{p: p, known: make(map[packet.Interface]uint32)}
}

// ReadBatch implements packet.Source.
func (s *Source) ReadBatch(b *packet.Batch) error {
	for {
		if s.in == nil {
			if s.next == len(s.p.segments) {
				b.Records = b.Records[:0]
				return io.EOF
			}
			if err := s.open(&s.p.segments[s.next]); err != nil {
				return err
			}
			s.next++
		}
		err := s.in.ReadBatch(b)
		s.adopt()
		s.count(b, err != nil)
		s.pick(b)
		switch {
		case errors.Is(err, io.EOF):
			if err := s.closeSegment(); err != nil {
				return err
			}
		case err != nil:
			return err
		case len(b.Records) > 0:
			return nil
		}
	}
}

// open opens a segment up to where it is written.
func (s *Source) open(g *segment) error {
	path := filepath.Join(s.p.dir, g.String())
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	end := info.Size()
	if g.live {
		c, err := s.p.end(s.next, f, end)
		if err != nil {
			return errors.Join(fmt.Errorf("ring: %w", err), f.Close())
		}
		if end = c.end; c.damaged() {
			s.damage = append(s.damage, packet.Damage{File: g.String(), Offset: end, Lost: info.Size() - end, Reason: "the segment is cut or damaged"})
		}
	}
	in, err := pcapng.NewReader(io.NewSectionReader(f, 0, end), g.String())
	if errors.Is(err, pcapng.ErrFormat) {
		s.damage = append(s.damage, packet.Damage{File: g.String(), Lost: end, Reason: err.Error()})
		in, err = pcapng.NewReader(bytes.NewReader(pcapng.AppendSection(nil, &pcapng.Options{})), g.String())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.f, s.in, s.before = f, in, g.name.first
	s.ids, s.states = s.ids[:0], s.states[:0]
	return nil
}

func (s *Source) closeSegment() error {
	s.damage = append(s.damage, s.in.Damage()...)
	s.takeAsides()
	s.read += s.p.segments[s.next-1].size
	err := errors.Join(s.in.Close(), s.f.Close())
	s.in, s.f = nil, nil
	return err
}

// takeAsides takes what stands beside packets in the segment. Its own header says nothing of the
// capture, and its statistics count from its beginning: Interfaces tell those of the window.
func (s *Source) takeAsides() {
	s.omitted.Add(s.in.Omitted())
	for _, a := range s.in.Asides() {
		switch {
		case a.IsStatistics() || a.IsSection() && a.Section == 0:
		case s.beside+a.Size() > maxBeside:
			s.omitted.Excess++
		default:
			s.beside += a.Size()
			s.asides = append(s.asides, a)
		}
	}
}

// Asides returns what stands beside packets in the segments of which all was read.
func (s *Source) Asides() []pcapng.Aside { return s.asides }

// Omitted counts what of it was left out.
func (s *Source) Omitted() pcapng.Omitted { return s.omitted }

// adopt finds the interfaces that the segment describes among those of all.
func (s *Source) adopt() {
	own := s.in.Interfaces()
	for len(s.ids) < len(own) {
		desc := own[len(s.ids)]
		desc.Received, desc.Dropped = nil, nil
		id, ok := s.known[desc]
		if !ok {
			id = uint32(len(s.all))
			s.known[desc] = id
			s.all, s.counted = append(s.all, desc), append(s.counted, tally{})
		}
		s.ids, s.states = append(s.ids, id), append(s.states, tally{})
	}
}

// count takes down what was dropped since the last batch, if that may be in the window.
func (s *Source) count(b *packet.Batch, end bool) {
	from, to, size := s.before, s.before, 0
	for i := range b.Records {
		t := b.Records[i].Time
		from, to, size = min(from, t), max(to, t), size+len(b.Records[i].Data)
	}
	from = s.losses.began(from, size)
	if s.before = to; end {
		to = max(to, s.p.segments[s.next-1].last)
		if s.p.segments[s.next-1].live {
			to = math.MaxInt64
		}
	}
	for i, desc := range s.in.Interfaces() {
		if desc.Dropped == nil || *desc.Dropped <= s.states[i].dropped {
			continue
		}
		n := *desc.Dropped - s.states[i].dropped
		s.states[i].dropped = *desc.Dropped
		if from <= s.p.to && to >= s.p.from {
			s.counted[s.ids[i]].dropped += n
			s.losses.add(packet.Loss{From: from, To: s.before, Packets: n})
		}
	}
}

// pick leaves in b what is of the window.
func (s *Source) pick(b *packet.Batch) {
	kept := b.Records[:0]
	for i := range b.Records {
		r := &b.Records[i]
		if r.Time < s.p.from || r.Time > s.p.to {
			continue
		}
		s.number++
		r.Number = s.number
		r.Interface = s.ids[r.Interface]
		s.counted[r.Interface].packets++
		if len(kept) < i {
			kept = append(kept, *r)
			continue
		}
		kept = kept[:i+1]
	}
	b.Records = kept
}

// Interfaces implements packet.Source. Each tells what was received and dropped so far.
func (s *Source) Interfaces() []packet.Interface {
	out := make([]packet.Interface, len(s.all))
	copy(out, s.all)
	for i := range out {
		c := s.counted[i]
		received := c.packets + c.dropped
		out[i].Received, out[i].Dropped = &received, &c.dropped
	}
	return out
}

// Damage implements packet.Source.
func (s *Source) Damage() []packet.Damage {
	if s.in == nil {
		return s.damage
	}
	return append(s.damage[:len(s.damage):len(s.damage)], s.in.Damage()...)
}

// Secrets returns the secrets of TLS sessions whose handshakes may be in the window, and
// perhaps more. What of them cannot be read is damage.
func (s *Source) Secrets() []pcapng.Secret {
	if s.secrets == nil {
		var damage []packet.Damage
		s.secrets, damage = readSecrets(s.p.secrets)
		s.damage = append(s.damage, damage...)
	}
	return s.secrets
}

// Losses tells when what the interfaces dropped in the window was lost, as exactly as that was
// written down.
func (s *Source) Losses() []packet.Loss { return s.losses.list }

// Read returns how many bytes of the segments were read, those of which all was.
func (s *Source) Read() int64 { return s.read }

// Close implements packet.Source.
func (s *Source) Close() error {
	if s.in == nil {
		return nil
	}
	return s.closeSegment()
}

var _ packet.Source = (*Source)(nil)
