package pcapng

import (
	"errors"
	"io"
	"slices"
	"sort"

	"shark/packet"
)

// Merged is several inputs as one, in order of time. It is a packet.Source; like
// a Reader it is for one goroutine at a time.
type Merged struct {
	inputs  []input
	heap    []head // inputs with packets left, the one with the next packet first
	primed  bool
	number  uint64 // of the last packet
	keep    bool   // packets keep the numbers of their source
	origins []Origin
	errs    []error

	free      []*packet.Shared // batches that nobody uses
	bytes     int64            // given out since the last restart point
	points    []Point
	noRestart bool
}

// input is one of the sources merged. Its batch holds the packets to come.
type input struct {
	source     packet.Source
	batch      *packet.Shared
	next       int      // index into batch.Records
	skip       uint64   // packets to pass over first
	base       uint64   // what is added to numbers that are kept
	interfaces []uint32 // index among all interfaces, by the source's own
	done       bool
	user       *packet.Batch // that has taken from batch since it was filled
}

// head is the next packet of an input.
type head struct {
	time  int64
	input int
}

// Origin tells where an interface of a Merged comes from.
type Origin struct {
	File      uint32 // index of the source
	Interface uint32 // index among the source's interfaces
}

// Merge merges sources by time. The earliest of their next packets comes first,
// on a tie that of the earlier source; so each source keeps its own order, even
// where its times go backwards. Packets are numbered from 1 in the new order and
// interfaces are indexed in the order met. The sources belong to the result,
// which holds a batch of each in memory, and those that batches it filled take
// their records from. When reading one fails, the others are read to their ends
// before the error is returned.
func Merge(sources ...packet.Source) *Merged {
	m := &Merged{inputs: make([]input, len(sources))}
	for i, s := range sources {
		m.inputs[i].source = s
		if r, ok := s.(*Reader); !ok || !r.seekable {
			m.noRestart = true
		}
	}
	return m
}

// MergeNumbered is Merge for sources that number their packets themselves: in the result
// each number is base more, of which there is one for every source.
func MergeNumbered(bases []uint64, sources ...packet.Source) *Merged {
	m := Merge(sources...)
	m.keep, m.noRestart = true, true
	for i, base := range bases {
		m.inputs[i].base = base
	}
	return m
}

// ReadBatch implements packet.Source. The records stand in the memory of the
// inputs' batches: of several large captures nothing is copied.
func (m *Merged) ReadBatch(b *packet.Batch) error {
	if len(m.inputs) == 1 && m.inputs[0].skip == 0 && !m.primed {
		return m.readOnly(b)
	}
	m.release(b)
	if !m.primed {
		m.prime()
	}
	m.mark()
	size, spent := 0, 0
	for len(m.heap) > 0 && len(b.Records) < maxBatchRecords && size < readSize && spent < readSize {
		first := &m.heap[0]
		in := &m.inputs[first.input]
		size += m.take(b, in)
		if in.next++; in.next == len(in.batch.Records) {
			spent += len(in.batch.Buf)
			m.load(first.input)
		}
		if in.done {
			*first = m.heap[len(m.heap)-1]
			m.heap = m.heap[:len(m.heap)-1]
		} else {
			first.time = in.batch.Records[in.next].Time
		}
		switch {
		case len(m.heap) > 2:
			m.sink(0)
		case len(m.heap) == 2 && m.heap[1].before(first):
			m.heap[0], m.heap[1] = m.heap[1], m.heap[0]
		}
	}
	m.bytes += int64(size) + recordHeader*int64(len(b.Records))
	if len(b.Records) > 0 {
		return nil
	}
	if len(m.errs) > 0 {
		return errors.Join(m.errs...)
	}
	return io.EOF
}

// readOnly reads the only input, where nothing is to be copied.
func (m *Merged) readOnly(b *packet.Batch) error {
	in := &m.inputs[0]
	err := in.source.ReadBatch(b)
	m.adopt(0)
	if _, ok := in.source.(*Reader); ok && !m.keep && len(b.Records) > 0 && b.Records[0].Number == m.number+1 {
		m.number += uint64(len(b.Records)) // the numbers are right, and so are the interfaces of an only input
		return err
	}
	for i := range b.Records {
		rec := &b.Records[i]
		rec.Number = m.numberOf(in, rec)
		rec.Interface = in.global(rec.Interface)
	}
	return err
}

// take puts the next packet of in into b, and returns its size in bytes.
func (m *Merged) take(b *packet.Batch, in *input) int {
	rec := &in.batch.Records[in.next]
	if in.user != b {
		in.user = b
		in.batch.Users++
		b.Shared = append(b.Shared, in.batch)
	}
	b.Records = extend(b.Records)
	to := &b.Records[len(b.Records)-1]
	*to = *rec
	to.Number = m.numberOf(in, rec)
	to.Interface = in.global(rec.Interface)
	return len(rec.Data) + len(rec.Options)
}

// numberOf returns the number of the next packet, which is rec of an input.
func (m *Merged) numberOf(in *input, rec *packet.Record) uint64 {
	if m.keep {
		return in.base + rec.Number
	}
	m.number++
	return m.number
}

// release empties b. Its records are not used any more.
func (m *Merged) release(b *packet.Batch) {
	for _, s := range b.Shared {
		m.leave(s)
	}
	clear(b.Shared) // so that batches of an earlier source are not kept
	b.Records, b.Buf, b.Shared = b.Records[:0], b.Buf[:0], b.Shared[:0]
	for i := range m.inputs {
		m.inputs[i].user = nil
	}
}

// leave ends one use of a batch.
func (m *Merged) leave(s *packet.Shared) {
	if s.Users--; s.Users == 0 {
		m.free = append(m.free, s)
	}
}

// batch returns one that can be filled.
func (m *Merged) batch() *packet.Shared {
	n := len(m.free) - 1
	if n < 0 {
		return &packet.Shared{Users: 1}
	}
	s := m.free[n]
	m.free = m.free[:n]
	s.Users = 1
	return s
}

// global returns the index among all interfaces of one of the input's own.
func (in *input) global(i uint32) uint32 {
	if int(i) < len(in.interfaces) {
		return in.interfaces[i]
	}
	return i
}

// prime loads the first batch of every input.
func (m *Merged) prime() {
	m.primed = true
	for i := range m.inputs {
		if !m.inputs[i].done {
			m.load(i)
		}
		if !m.inputs[i].done {
			in := &m.inputs[i]
			m.heap = append(m.heap, head{in.batch.Records[in.next].Time, i})
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
}

// load reads the next batch of input i.
func (m *Merged) load(i int) {
	in := &m.inputs[i]
	if in.batch != nil {
		m.leave(in.batch)
	}
	in.batch, in.user = m.batch(), nil
	for {
		err := in.source.ReadBatch(&in.batch.Batch)
		m.adopt(i)
		if err != nil {
			m.leave(in.batch)
			in.batch, in.next, in.done = nil, 0, true
			if err != io.EOF {
				m.errs = append(m.errs, err)
			}
			return
		}
		n := min(in.skip, uint64(len(in.batch.Records)))
		in.skip -= n
		if in.next = int(n); in.next < len(in.batch.Records) {
			return
		}
	}
}

// adopt gives the interfaces that input i has met since their index.
func (m *Merged) adopt(i int) {
	in := &m.inputs[i]
	for n := len(in.source.Interfaces()); len(in.interfaces) < n; {
		in.interfaces = append(in.interfaces, uint32(len(m.origins)))
		m.origins = append(m.origins, Origin{uint32(i), uint32(len(in.interfaces) - 1)})
	}
}

// sink moves the input at place i of the heap down to where it belongs.
func (m *Merged) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(m.heap); c++ {
			if m.heap[c].before(&m.heap[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (h *head) before(other *head) bool {
	return h.time < other.time || h.time == other.time && h.input < other.input
}

// Interfaces implements packet.Source.
func (m *Merged) Interfaces() []packet.Interface {
	own := make([][]packet.Interface, len(m.inputs))
	for i := range m.inputs {
		own[i] = m.inputs[i].source.Interfaces()
	}
	all := make([]packet.Interface, len(m.origins))
	for i, o := range m.origins {
		if int(o.Interface) < len(own[o.File]) { // not all are met after a restart
			all[i] = own[o.File][o.Interface]
		}
	}
	return all
}

// Origins tells where each of the Interfaces comes from.
func (m *Merged) Origins() []Origin { return slices.Clip(m.origins) }

// Damage implements packet.Source: the damage of each source in turn.
func (m *Merged) Damage() []packet.Damage {
	var all []packet.Damage
	for i := range m.inputs {
		all = append(all, m.inputs[i].source.Damage()...)
	}
	return all
}

// Names returns the address names of those sources that have some, in turn.
func (m *Merged) Names() []Name { return collect(m, namer.Names) }

// Secrets returns the decryption secrets of those sources that have some, in turn.
func (m *Merged) Secrets() []Secret { return collect(m, keeper.Secrets) }

// Identity returns the lines of the identity logs of those sources that have some, in turn.
func (m *Merged) Identity() [][]byte { return collect(m, identified.Identity) }

// Comments returns the section comments of those sources that have some, in turn.
func (m *Merged) Comments() []string { return collect(m, commenter.Comments) }

// Asides returns what stands beside packets in those sources that tell, in turn. Statistics are
// of the interfaces of all.
func (m *Merged) Asides() (all []Aside) {
	for i := range m.inputs {
		s, ok := m.inputs[i].source.(asider)
		if !ok {
			continue
		}
		own := slices.Clone(s.Asides())
		m.adopt(i)
		for j := range own {
			own[j].Interface = m.inputs[i].global(own[j].Interface)
		}
		all = append(all, own...)
	}
	return all
}

// Omitted counts what those sources left out that tell.
func (m *Merged) Omitted() (all Omitted) {
	for i := range m.inputs {
		if s, ok := m.inputs[i].source.(asider); ok {
			all.Add(s.Omitted())
		}
	}
	return all
}

// What sources may have beside packets.
type (
	namer      interface{ Names() []Name }
	keeper     interface{ Secrets() []Secret }
	identified interface{ Identity() [][]byte }
	commenter  interface{ Comments() []string }
	asider     interface {
		Asides() []Aside
		Omitted() Omitted
	}
)

// collect asks those sources that are an S.
func collect[S, T any](m *Merged, of func(S) []T) []T {
	var all []T
	for i := range m.inputs {
		if s, ok := m.inputs[i].source.(S); ok {
			all = append(all, of(s)...)
		}
	}
	return all
}

// Close closes the sources.
func (m *Merged) Close() error {
	var errs []error
	for i := range m.inputs {
		errs = append(errs, m.inputs[i].source.Close())
	}
	return errors.Join(errs...)
}

// mark keeps a restart point now and then: for every input the last of its own
// before its next packet, and how many packets are between.
func (m *Merged) mark() {
	if m.noRestart || len(m.heap) == 0 || len(m.points) > 0 && m.bytes < pointSize*int64(len(m.inputs)) {
		return
	}
	m.bytes = 0
	for i := range m.inputs {
		in := &m.inputs[i]
		p := Point{Number: m.number + 1, File: uint32(i), Offset: -1}
		if !in.done {
			number := in.batch.Records[in.next].Number
			own := in.source.(*Reader).points
			n := sort.Search(len(own), func(n int) bool { return own[n].Number > number }) - 1
			p = own[n]
			p.Skip = number - p.Number
			p.Number, p.File = m.number+1, uint32(i)
		}
		m.points = append(m.points, p)
	}
}
