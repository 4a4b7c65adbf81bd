package pcapng

import (
	"encoding/binary"
	"fmt"
	"slices"

	"shark/packet"
)

// Aside is what stands in a file beside its packets and is carried into others as it is: a
// block, or the header of a section. All is little-endian and in nanoseconds, whatever the
// file's own order and clocks are. What a Reader makes use of (names, secrets, descriptions of
// interfaces) is none, unless it says more than is made use of.
type Aside struct {
	Type      uint32 // of the block
	Section   uint32 // of its file, from 0
	Interface uint32 // of statistics: whose they are, by its index among all of the source
	Body      []byte // of a section its options; of statistics their time and options; else all
}

// IsSection tells whether it is the header of a section: what follows up to the next stood in it.
func (a *Aside) IsSection() bool { return a.Type == blockSectionHeader }

// IsStatistics tells whether it is an Interface Statistics Block.
func (a *Aside) IsStatistics() bool { return a.Type == blockStatistics }

// texts returns the options of a section's header with a code.
func (a *Aside) texts(code uint16) (list []string) {
	for c, v := range options(a.Body, false) {
		if c == code {
			list = append(list, string(v))
		}
	}
	return list
}

// Size is about how many bytes it takes in a file.
func (a *Aside) Size() int { return minBlock + sectionFixed + len(a.Body) + 4 }

// About returns what the first section that says so was recorded on: hardware and operating
// system.
func About(list []Aside) (hardware, os string) {
	for i := range list {
		if a := &list[i]; a.IsSection() {
			h, o := a.texts(optHardware), a.texts(optSystem)
			if hardware == "" && os == "" && len(h)+len(o) > 0 {
				hardware, os = first(h), first(o)
			}
		}
	}
	return hardware, os
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// WithoutComments returns the list without the first n comments on sections, which are written
// elsewhere, and without the headers of sections of which then nothing is left.
func WithoutComments(list []Aside, n int) (out []Aside) {
	for i, a := range list {
		if a.IsSection() {
			var body []byte
			for code, v := range options(a.Body, false) {
				if code == optComment && n > 0 {
					n--
					continue
				}
				body = appendOption(body, code, v)
			}
			a.Body = body
			if len(body) == 0 && (i+1 == len(list) || list[i+1].IsSection()) {
				continue
			}
		}
		out = append(out, a)
	}
	return out
}

// Covers tells for each interface whether the statistics in list say all that it does of what
// was received and dropped.
func Covers(list []Aside, interfaces []packet.Interface) []bool {
	said := make([]packet.Interface, len(interfaces))
	for i := range list {
		if a := &list[i]; a.IsStatistics() && int64(a.Interface) < int64(len(said)) {
			countPackets(&said[a.Interface], a.Body[8:], false)
		}
	}
	same := func(a, b *uint64) bool { return b == nil || a != nil && *a == *b }
	out := make([]bool, len(interfaces))
	for i := range out {
		out[i] = same(said[i].Received, interfaces[i].Received) && same(said[i].Dropped, interfaces[i].Dropped)
	}
	return out
}

// Omitted counts what of a capture cannot be carried into another file, or is not kept.
type Omitted struct {
	Private   uint64 // custom blocks and options that must not be copied into another file, as they say
	Order     uint64 // blocks and options of unknown types in big-endian sections
	Malformed uint64 // lists of options that are cut off
	Excess    uint64 // blocks and options beyond what is kept
	Fine      uint64 // interfaces with times finer than a nanosecond
	Filtered  uint64 // blocks and headers of sections, where packets were chosen by a filter
}

// Add adds what another counts.
func (o *Omitted) Add(p Omitted) {
	o.Private += p.Private
	o.Order += p.Order
	o.Malformed += p.Malformed
	o.Excess += p.Excess
	o.Fine += p.Fine
	o.Filtered += p.Filtered
}

// Notes says what is missing, in clauses; none if nothing is.
func (o Omitted) Notes() (list []string) {
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{o.Private, "custom blocks and options left out, which say that they must not be copied into another file"},
		{o.Order, "blocks and options of unknown types in big-endian sections left out, since nobody knows their numbers"},
		{o.Malformed, "lists of options cut off where they are not well formed"},
		{o.Excess, fmt.Sprintf("blocks and options beside packets left out: of a file %d MiB of them are kept, of a block %d MiB, of an interface %d KiB", maxAsides>>20, maxAside>>20, maxInterfaceOptions>>10)},
		{o.Filtered, "blocks and headers of sections beside packets left out, since a filter chose packets"},
		{o.Fine, "interfaces count time in less than a nanosecond: what is less is cut off"},
	} {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return list
}

// OmittedOf counts what of a packet's options is not carried into another file. It allocates
// nothing.
func OmittedOf(rec *packet.Record) Omitted {
	return omits(blockPacket, rec.Options, rec.OptionsBigEndian)
}

// carry appends the options of a block in little-endian order, without an end mark, to dst:
// those that read, which may be nil, has no use for. It counts those that are not carried.
func (m *metadata) carry(dst []byte, block uint32, raw []byte, big bool, read func(code uint16, v []byte) bool) []byte {
	for code, v := range options(raw, big) {
		if read != nil && read(code, v) {
			continue
		}
		switch {
		case private(code):
			m.omitted.Private++
			continue
		case big && !swappable(block, code, v):
			m.omitted.Order++
			continue
		}
		dst = appendOption(dst, code, v)
		if big {
			swapOption(block, code, dst[len(dst)-(len(v)+3)&^3:][:len(v)])
		}
	}
	if !ended(raw, big) {
		m.omitted.Malformed++
	}
	return dst
}

// aside keeps a block, if there is room for it. Before the first of a section stands its header,
// so that it is known which ones belong together; statistics are of interfaces.
func (m *metadata) aside(a Aside) {
	if len(a.Body) > maxAside || m.beside+len(a.Body)+asideCost > maxAsides {
		m.omitted.Excess++
		return
	}
	m.beside += len(a.Body) + asideCost
	a.Section = m.section
	switch {
	case a.IsSection():
		m.headed = true
	case !a.IsStatistics() && !m.headed:
		m.headed = true
		m.asides = append(m.asides, Aside{Type: blockSectionHeader, Section: m.section})
	}
	m.asides = append(m.asides, a)
}

// readOther keeps a block of which nothing is read.
func (m *metadata) readOther(kind uint32, body []byte, big bool) string {
	if len(body) > maxAside {
		m.omitted.Excess++
		return ""
	}
	switch kind {
	case BlockFiller:
		return ""
	case blockCustomPrivate:
		m.omitted.Private++
		return ""
	case blockCustom:
		if len(body) < 4 {
			return "custom block cut short"
		}
		body = slices.Clone(body)
		if big { // what follows only its owner knows
			swap(body[:4])
		}
	case blockJournal:
		body = slices.Clone(body)
	default:
		if big {
			m.omitted.Order++
			return ""
		}
		body = slices.Clone(body)
	}
	m.aside(Aside{Type: kind, Body: body})
	return ""
}

// keepNames keeps a Name Resolution Block that has more than names of IP addresses.
func (m *metadata) keepNames(body []byte, big bool) {
	var records []byte
	more, rest := false, body
	for len(rest) >= 4 {
		code, n := load16(rest, big), int(load16(rest[2:], big))
		if 4+n > len(rest) {
			m.omitted.Malformed++
			return
		}
		v := rest[4 : 4+n]
		rest = rest[min(4+(n+3)&^3, len(rest)):]
		if code == optEnd {
			break
		}
		if big && code > 4 {
			m.omitted.Order++
			continue
		}
		more = more || code > 2
		records = appendOption(records, code, v)
	}
	options := m.carry(nil, blockNames, rest, big, nil)
	if more || len(options) > 0 {
		body = append(append(records, 0, 0, 0, 0), options...)
		if len(options) > 0 {
			body = append(body, 0, 0, 0, 0)
		}
		m.aside(Aside{Type: blockNames, Body: body})
	}
}

// AppendAside appends the block. Statistics are of the section's interface id.
func AppendAside(dst []byte, id uint32, a *Aside) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, a.Type)
	dst = append(dst, 0, 0, 0, 0)
	switch {
	case a.IsSection():
		dst = appendVersion(dst)
	case a.IsStatistics():
		dst = binary.LittleEndian.AppendUint32(dst, id)
	}
	dst = appendPadded(dst, a.Body)
	if a.IsSection() || a.IsStatistics() {
		dst = append(dst, 0, 0, 0, 0)
	}
	return endBlock(dst, start)
}
