package pcapng

import (
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

	optName        = 2 // interface description
	optDescription = 3
	optResolution  = 9
	optFilter      = 11
	optIfSystem    = 12
	optTimeOffset  = 14

	optStart    = 2 // interface statistics
	optLast     = 3
	optReceived = 4
	optDropped  = 5
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

// text returns the string of an option, "" if there is no room for it.
func (m *metadata) text(v []byte) string {
	v = v[:min(len(v), maxText)]
	for len(v) > 0 && v[len(v)-1] == 0 {
		v = v[:len(v)-1] // some writers end strings with zeros
	}
	if !m.take(len(v)) {
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
	f.started, f.big, f.section = true, big, off
	f.first, f.interfaces = uint32(len(r.meta.interfaces)), f.interfaces[:0]
	for code, v := range options(block[8+sectionFixed:len(block)-4], big) {
		if code != optComment {
			continue
		}
		if !r.meta.take(16 + min(len(v), maxText)) {
			return tooMuch
		}
		r.meta.comments = append(r.meta.comments, string(v[:min(len(v), maxText)]))
	}
	return ""
}

// readInterface reads an Interface Description Block (section 4.2).
func (f *ngFile) readInterface(r *Reader, body []byte) string {
	if len(body) < interfaceFixed {
		return "interface description cut short"
	}
	i := packet.Interface{Link: packet.LinkType(load16(body, f.big)), SnapLen: load32(body[4:], f.big)}
	resolution, offset := byte(6), int64(0)
	for code, v := range options(body[interfaceFixed:], f.big) {
		switch {
		case code == optName:
			i.Name = r.meta.text(v)
		case code == optDescription:
			i.Description = r.meta.text(v)
		case code == optFilter && len(v) > 0 && v[0] == 0: // a string, not BPF code
			i.Filter = r.meta.text(v[1:])
		case code == optIfSystem:
			i.OS = r.meta.text(v)
		case code == optResolution && len(v) == 1:
			resolution = v[0]
		case code == optTimeOffset && len(v) == 8:
			offset = int64(load64(v, f.big))
		}
	}
	if !r.meta.addInterface(i) {
		return fmt.Sprintf("more than %d interfaces", maxInterfaces)
	}
	f.interfaces = append(f.interfaces, ngInterface{newClock(resolution, offset), i.SnapLen, i.Link})
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
	i := &m.interfaces[f.first+id]
	for code, v := range options(body[statisticsFixed:], f.big) {
		if len(v) != 8 {
			continue
		}
		switch n := load64(v, f.big); code {
		case optReceived:
			i.Received = &n
		case optDropped:
			i.Dropped = &n
		}
	}
	return ""
}

// readNames reads a Name Resolution Block (section 4.5). One address may have
// several names.
func (m *metadata) readNames(body []byte, big bool) string {
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
	m.secrets = append(m.secrets, Secret{load32(body, big), slices.Clone(body[secretsFixed : secretsFixed+n])})
	return ""
}

// readIdentity reads an identity block, and passes over what others use its number for.
func (m *metadata) readIdentity(body []byte, big bool) string {
	if len(body) < identityFixed || string(body[:len(identityMark)]) != identityMark {
		return ""
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
