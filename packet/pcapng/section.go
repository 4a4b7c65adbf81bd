package pcapng

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"shark/packet"
)

// Options of blocks (pcapng draft, section 4), by the block they stand in.
const (
	optEnd     = 0
	optComment = 1

	optHardware    = 2 // section header
	optSystem      = 3
	optApplication = 4

	optName         = 2 // interface description
	optDescription  = 3
	optIPv4         = 4
	optIPv6         = 5
	optMAC          = 6
	optEUI          = 7
	optSpeed        = 8
	optResolution   = 9
	optTimeZone     = 10
	optFilter       = 11
	optIfSystem     = 12
	optFCS          = 13
	optTimeOffset   = 14
	optIfHardware   = 15
	optTxSpeed      = 16
	optRxSpeed      = 17
	optZoneName     = 18
	optTimeOffsetNS = 19

	optStart         = 2 // interface statistics
	optLast          = 3
	optReceived      = 4
	optDropped       = 5
	optAccepted      = 6
	optSystemDropped = 7
	optDelivered     = 8
)

// metadata is what a file says beside its packets.
type metadata struct {
	interfaces []packet.Interface
	shared     bool // a caller holds interfaces
	names      []Name
	known      map[Name]struct{}
	secrets    []Secret
	comments   []string
	identity   [][]byte // lines, by block
	identified int      // bytes of them, against maxIdentity
	size       int      // bytes kept, against maxMetadata

	asides  []Aside
	beside  int    // bytes of them, against maxAsides
	section uint32 // that is read
	headed  bool   // asides have its header
	omitted Omitted
}

// take counts n bytes to be kept, if there is room for them.
func (m *metadata) take(n int) bool {
	if m.size+n > maxMetadata {
		return false
	}
	m.size += n
	return true
}

var tooMuch = fmt.Sprintf("more than the %d bytes of names, secrets and comments that are kept", maxMetadata)

// text returns the string of an option, "" if there is no room for it, which is counted.
func (m *metadata) text(v []byte) string {
	v = v[:min(len(v), maxText)]
	for len(v) > 0 && v[len(v)-1] == 0 {
		v = v[:len(v)-1] // some writers end strings with zeros
	}
	if !m.take(len(v)) {
		m.omitted.Excess++
		return ""
	}
	return string(v)
}

func (m *metadata) addInterface(i packet.Interface) bool {
	if len(m.interfaces) == maxInterfaces {
		return false
	}
	m.interfaces = append(m.interfaces, i)
	return true
}

// readSection reads a Section Header Block (section 4.1).
func (f *ngFile) readSection(r *Reader, block []byte, off int64) string {
	if len(block) < minBlock+sectionFixed {
		return "section header cut short"
	}
	big, _ := byteOrder(block[8:])
	if major := load16(block[12:], big); major != 1 {
		// Nothing is known of what follows up to the next section.
		f.started = false
		return fmt.Sprintf("section of the unknown version %d.%d", major, load16(block[14:], big))
	}
	if f.started {
		r.meta.section++
	}
	f.started, f.big, f.section = true, big, off
	f.first, f.interfaces = uint32(len(r.meta.interfaces)), f.interfaces[:0]
	return r.meta.readHeader(block[8+sectionFixed:len(block)-4], big)
}

// readHeader reads the options of a section.
func (m *metadata) readHeader(raw []byte, big bool) string {
	m.headed = false
	if body := m.carry(nil, blockSectionHeader, raw, big, nil); len(body) > 0 {
		m.aside(Aside{Type: blockSectionHeader, Body: body})
	}
	for code, v := range options(raw, big) {
		if code != optComment {
			continue
		}
		if !m.take(16 + min(len(v), maxText)) {
			return tooMuch
		}
		m.comments = append(m.comments, string(v[:min(len(v), maxText)]))
	}
	return ""
}

// readInterface reads an Interface Description Block (section 4.2). Of a text that is there
// twice the first counts; the other stays among the options, as all do that nothing is read of.
func (f *ngFile) readInterface(r *Reader, body []byte) string {
	if len(body) < interfaceFixed {
		return "interface description cut short"
	}
	i := packet.Interface{Link: packet.LinkType(load16(body, f.big)), SnapLen: load32(body[4:], f.big)}
	resolution, seconds, nanos := byte(6), int64(0), int32(0)
	m := &r.meta
	text := func(to *string, v []byte) bool {
		if *to != "" {
			return false
		}
		*to = m.text(v)
		return true
	}
	rest := m.carry(nil, blockInterface, body[interfaceFixed:], f.big, func(code uint16, v []byte) bool {
		switch {
		case code == optName:
			return text(&i.Name, v)
		case code == optDescription:
			return text(&i.Description, v)
		case code == optFilter && len(v) > 0 && v[0] == 0: // a string, not BPF code
			return text(&i.Filter, v[1:])
		case code == optIfSystem:
			return text(&i.OS, v)
		case code == optResolution && len(v) == 1:
			resolution = v[0]
		case code == optTimeOffset && len(v) == 8:
			seconds = int64(load64(v, f.big))
		case code == optTimeOffsetNS && len(v) == 4:
			nanos = int32(load32(v, f.big))
		default:
			return code == optResolution || code == optTimeOffset || code == optTimeOffsetNS // not well formed: times are written anew
		}
		return true
	})
	if len(rest) > maxInterfaceOptions || !m.take(len(rest)) {
		m.omitted.Excess++
		rest = nil
	}
	i.Options = string(rest)
	if !m.addInterface(i) {
		return fmt.Sprintf("more than %d interfaces", maxInterfaces)
	}
	c := newClock(resolution, seconds)
	c.offset += int64(nanos)
	if c.finer() {
		m.omitted.Fine++
	}
	f.interfaces = append(f.interfaces, ngInterface{c, i.SnapLen, i.Link})
	return ""
}

// readStatistics reads an Interface Statistics Block (section 4.6).
func (f *ngFile) readStatistics(r *Reader, body []byte) string {
	if len(body) < statisticsFixed {
		return "interface statistics cut short"
	}
	id := load32(body, f.big)
	if id >= uint32(len(f.interfaces)) {
		return fmt.Sprintf("statistics of interface %d, which is not described", id)
	}
	m := &r.meta
	if m.shared { // a caller may be reading the old ones
		m.interfaces, m.shared = slices.Clone(m.interfaces), false
	}
	countPackets(&m.interfaces[f.first+id], body[statisticsFixed:], f.big)
	f.keepStatistics(m, body, id)
	return ""
}

// countPackets takes over what the options of statistics say was received and dropped.
func countPackets(i *packet.Interface, raw []byte, big bool) {
	for code, v := range options(raw, big) {
		if len(v) != 8 {
			continue
		}
		switch n := load64(v, big); code {
		case optReceived:
			i.Received = &n
		case optDropped:
			i.Dropped = &n
		}
	}
}

// keepStatistics keeps statistics with their times in nanoseconds.
func (f *ngFile) keepStatistics(m *metadata, body []byte, id uint32) {
	at := func(v []byte) int64 {
		return f.interfaces[id].clock.nanoseconds(uint64(load32(v, f.big))<<32 | uint64(load32(v[4:], f.big)))
	}
	var times []byte
	rest := m.carry(nil, blockStatistics, body[statisticsFixed:], f.big, func(code uint16, v []byte) bool {
		if (code == optStart || code == optLast) && len(v) == 8 {
			times = binary.LittleEndian.AppendUint16(times, code)
			times = appendTime(append(times, 8, 0), at(v))
			return true
		}
		return false
	})
	m.aside(Aside{Type: blockStatistics, Interface: f.first + id, Body: slices.Concat(appendTime(nil, at(body[4:])), times, rest)})
}

// readNames reads a Name Resolution Block (section 4.5). One address may have
// several names.
func (m *metadata) readNames(body []byte, big bool) string {
	m.keepNames(body, big)
	for code, v := range options(body, big) {
		var a packet.Addr
		switch {
		case code == 1 && len(v) > 4:
			a, v = packet.AddrFrom4(v), v[4:]
		case code == 2 && len(v) > 16:
			a, v = packet.AddrFrom16(v), v[16:]
		default:
			continue
		}
		for len(v) > 0 {
			end := slices.Index(v, 0)
			if end < 0 {
				end = len(v)
			}
			if end > 0 && !m.addName(Name{a, string(v[:end])}) {
				return tooMuch
			}
			v = v[min(end+1, len(v)):]
		}
	}
	return ""
}

func (m *metadata) addName(n Name) bool {
	if _, ok := m.known[n]; ok {
		return true
	}
	if !m.take(len(n.Name) + 128) { // with its place in slice and map
		return false
	}
	if m.known == nil {
		m.known = make(map[Name]struct{})
	}
	m.known[n] = struct{}{}
	m.names = append(m.names, n)
	return true
}

// readSecrets reads a Decryption Secrets Block (section 4.7).
func (m *metadata) readSecrets(body []byte, big bool) string {
	if len(body) < secretsFixed {
		return "decryption secrets cut short"
	}
	n := load32(body[4:], big)
	if n > uint32(len(body)-secretsFixed) {
		return fmt.Sprintf("decryption secrets of %d bytes in a block of %d", n, len(body)+minBlock)
	}
	if !m.take(int(n) + 32) {
		return tooMuch
	}
	data, rest := body[secretsFixed:secretsFixed+n], body[min(secretsFixed+(int(n)+3)&^3, len(body)):]
	more := m.carry(nil, blockSecrets, rest, big, nil)
	if !m.take(len(more)) {
		m.omitted.Excess++
		more = nil
	}
	m.secrets = append(m.secrets, Secret{Type: load32(body, big), Data: slices.Clone(data), Options: string(more)})
	return ""
}

// readIdentity reads an identity block, and passes over what others use its number for.
func (m *metadata) readIdentity(body []byte, big bool) string {
	if len(body) < identityFixed || string(body[:len(identityMark)]) != identityMark {
		return m.readOther(blockIdentity, body, big)
	}
	n, lines := load32(body[len(identityMark):], big), body[identityFixed:]
	if n > uint32(len(lines)) {
		return fmt.Sprintf("%d bytes of the identity log in a block of %d", n, len(body)+minBlock)
	}
	if m.identified+int(n) > maxIdentity {
		return fmt.Sprintf("more than the %d bytes of an identity log that are kept", maxIdentity)
	}
	m.identified += int(n)
	m.identity = append(m.identity, slices.Clone(lines[:n]))
	return ""
}

// clock turns an interface's timestamps into nanoseconds since 1970.
type clock struct {
	safe   uint64 // timestamps up to this one are just multiplied
	mul    uint64
	div    uint64 // with mul 1, for resolutions finer than a nanosecond
	shift  uint   // of powers of two
	binary bool
	offset int64 // nanoseconds
}

// newClock returns the clock of if_tsresol and if_tsoffset (section 4.2).
func newClock(resolution byte, offset int64) clock {
	const half = math.MaxInt64 / 2 // so that time and offset add up within int64
	const farthest = half / 1_000_000_000
	c := clock{mul: 1, div: 1, offset: min(max(offset, -farthest), farthest) * 1e9}
	digits := int(resolution & 0x7f)
	switch {
	case resolution&0x80 != 0:
		c.binary, c.shift = true, uint(digits)
	case digits <= 9:
		c.mul = power10(9 - digits)
		c.safe = half / c.mul
	case digits <= 28:
		c.div = power10(digits - 9)
	default:
		c.mul = 0 // all that 64 bits hold is less than a nanosecond
	}
	return c
}

// finer tells whether it counts what is no whole number of nanoseconds.
func (c *clock) finer() bool { return c.div > 1 || c.mul == 0 || c.binary && c.shift > 9 }

func power10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

func (c *clock) nanoseconds(ts uint64) int64 {
	if ts <= c.safe {
		return int64(ts*c.mul) + c.offset
	}
	return c.slow(ts)
}

func (c *clock) slow(ts uint64) int64 {
	var hi, lo uint64
	if c.binary {
		hi, lo = bits.Mul64(ts, 1e9)
		if c.shift < 64 {
			hi, lo = hi>>c.shift, hi<<(64-c.shift)|lo>>c.shift
		} else {
			hi, lo = 0, hi>>(c.shift-64)
		}
	} else {
		hi, lo = bits.Mul64(ts/c.div, c.mul)
	}
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return addSaturated(int64(lo), c.offset)
}
