package cassandra

import "shark/dissector"

// Lengths of what surrounds a frame's payload in version 5 (section 2.2).
const (
	plainHeader      = 6
	compressedHeader = 8
	trailer          = 4
)

// frame is the header of a frame.
type frame struct {
	header   int
	payload  int // bytes of the payload as it was sent
	plain    int // bytes of it when it is decompressed
	self     bool
	packed   bool // it is compressed
	withPack bool // its header is one of a connection with compression
}

func (s *frame) size() int64 { return int64(s.header + s.payload + trailer) }

// flow is what is known of one side's frame or envelope under way.
type flow struct {
	framed  bool // frames were seen
	packs   bool // they are those of a connection with compression
	version byte
	left    int64  // bytes that are left of the payload of a frame with whole envelopes
	plain   []byte // the same decompressed
	wire    int64  // bytes of that frame that are given to no envelope yet
	rest    int64  // bytes of an envelope that come in later frames
	key     uint64 // of that envelope
	keyed   bool
}

// reset forgets what was under way.
func (f *flow) reset() { f.left, f.plain, f.wire, f.rest = 0, nil, 0, 0 }

// crc24 is the checksum of a frame's header (section 2.2): Koopman's polynomial.
func crc24(b []byte) uint32 {
	crc := uint32(0x875060)
	for _, c := range b {
		crc ^= uint32(c) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1974f0b
			}
		}
	}
	return crc & 0xffffff
}

func little24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// readFrame reads the header of a frame, of either form: packs is that of the side's
// frames before, which is tried first. The checksum tells them.
func readFrame(b []byte, packs bool) (frame, bool) {
	for range 2 {
		if s, ok := readForm(b, packs); ok {
			return s, true
		}
		packs = !packs
	}
	return frame{}, false
}

func readForm(b []byte, packs bool) (s frame, ok bool) {
	if !packs {
		if len(b) < plainHeader || b[2]&^3 != 0 || crc24(b[:3]) != little24(b[3:]) {
			return s, false
		}
		n := little24(b)
		s = frame{header: plainHeader, payload: int(n & maxPayload), self: n>>17&1 != 0}
		s.plain = s.payload
		return s, s.payload > 0
	}
	if len(b) < compressedHeader || b[4]&^7 != 0 || crc24(b[:5]) != little24(b[5:]) {
		return s, false
	}
	n := uint64(little24(b)) | uint64(b[3])<<24 | uint64(b[4])<<32
	s = frame{header: compressedHeader, payload: int(n & maxPayload), plain: int(n >> 17 & maxPayload), self: n>>34&1 != 0, withPack: true}
	if s.packed = s.plain > 0; !s.packed {
		s.plain = s.payload
	}
	return s, s.payload > 0
}

// maybeFrame tells whether bytes too few for it may begin a frame's header.
func maybeFrame(b []byte) bool {
	plain := len(b) < plainHeader && (len(b) < 3 || b[2]&^3 == 0)
	return plain || len(b) < compressedHeader && (len(b) < 5 || b[4]&^7 == 0)
}

// frame takes the frame at the front of buf, with the first envelope in it.
func (p *parser) frame(from dissector.Side, s frame, buf []byte, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	if f.rest > 0 && !s.self {
		if int64(s.plain) > f.rest {
			return 0, errMalformed
		}
		f.rest -= int64(s.plain)
		p.goesOn(f, m)
		return s.size(), nil
	}
	want := s.payload
	if !s.self {
		want = min(want, headerSize+maxHead)
	}
	if !s.packed {
		want = min(want, headerSize) // the rest is waited for when its length is known
	}
	if len(buf) < s.header+want {
		m.Need = s.header + want
		return 0, dissector.ErrShort
	}
	if s.packed {
		return p.unpack(from, s, buf[s.header:s.header+want], m)
	}
	return p.open(from, s, buf, m)
}

// goesOn says that a piece goes on with the side's envelope.
func (p *parser) goesOn(f *flow, m *dissector.Message) {
	if m.Open = f.rest > 0; f.keyed {
		m.SetKey(f.key)
	} else {
		m.Role = dissector.OneWay
	}
}

// open takes a frame that is not compressed.
func (p *parser) open(from dissector.Side, s frame, buf []byte, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	h, err := p.header(from, buf[s.header:min(len(buf), s.header+s.payload)], m)
	if err == dissector.ErrShort {
		return 0, errMalformed // the payload is too short for an envelope
	}
	if err != nil || (h.size() <= int64(s.payload)) != s.self {
		return 0, errMalformed
	}
	head := int(min(h.size(), int64(s.payload), headerSize+maxHead))
	if len(buf) < s.header+head {
		m.Need = s.header + head
		return 0, dissector.ErrShort
	}
	if err := p.envelope(from, h, buf[s.header+headerSize:s.header+head], m); err != nil {
		return 0, err
	}
	f.begin(s, h)
	if !s.self {
		p.split(f, s, h, m)
		return s.size(), nil
	}
	f.left = int64(s.payload)
	return int64(s.header) + f.take(h.size()), nil
}

// begin notes what a frame tells of its side.
func (f *flow) begin(s frame, h header) {
	f.reset()
	f.framed, f.packs, f.version = true, s.withPack, h.version
}

// take takes an envelope from a frame's payload and returns its span: behind the last
// one is the frame's trailer.
func (f *flow) take(n int64) int64 {
	if f.left -= n; f.left == 0 {
		return n + trailer
	}
	return n
}

// split notes that an envelope goes on in the next frames.
func (p *parser) split(f *flow, s frame, h header, m *dissector.Message) {
	f.rest = h.size() - int64(s.plain)
	f.keyed = h.opcode != opEvent
	f.key = p.uses.key
	p.goesOn(f, m)
}

// within takes an envelope inside a frame's payload.
func (p *parser) within(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	h, err := p.header(from, buf[:min(int64(len(buf)), f.left)], m)
	if err == dissector.ErrShort && f.left < headerSize {
		err = errMalformed
	}
	if err != nil {
		return 0, err
	}
	if h.size() > f.left {
		return 0, errMalformed
	}
	head := int(min(h.size(), headerSize+maxHead))
	if len(buf) < head {
		m.Need = head
		return 0, dissector.ErrShort
	}
	if err := p.envelope(from, h, buf[headerSize:head], m); err != nil {
		return 0, err
	}
	return f.take(h.size()), nil
}

// unpack takes a compressed frame. Of one with whole envelopes all is decompressed.
func (p *parser) unpack(from dissector.Side, s frame, payload []byte, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	limit := s.plain
	if !s.self {
		limit = min(limit, headerSize+maxHead)
	}
	plain, ok := lz4(make([]byte, 0, limit), payload, limit)
	if !ok && len(payload) == s.payload || s.self && len(plain) != s.plain || len(plain) < headerSize {
		return 0, errMalformed
	}
	Compression.SetString(&m.Values, "lz4")
	if !s.self {
		h, err := p.header(from, plain, m)
		if err != nil || h.size() <= int64(s.plain) {
			return 0, errMalformed
		}
		if err := p.envelope(from, h, plain[headerSize:], m); err != nil {
			return 0, err
		}
		f.begin(s, h)
		p.split(f, s, h, m)
		return s.size(), nil
	}
	h, err := p.header(from, plain, m)
	if err != nil || h.size() > int64(len(plain)) {
		return 0, errMalformed
	}
	f.begin(s, h)
	f.plain, f.wire = plain, s.size()
	return p.packed(from, m)
}

// packed takes an envelope of a decompressed payload. Each has the share of the frame
// that its length says, so that their sizes add up to what was sent.
func (p *parser) packed(from dissector.Side, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	h, err := p.header(from, f.plain, m)
	if err != nil || h.size() > int64(len(f.plain)) {
		return 0, errMalformed
	}
	Compression.SetString(&m.Values, "lz4")
	body := f.plain[headerSize:h.size()]
	if err := p.envelope(from, h, body[:min(len(body), maxHead)], m); err != nil {
		return 0, err
	}
	share := max(1, f.wire*h.size()/int64(len(f.plain)))
	f.plain = f.plain[h.size():]
	if len(f.plain) == 0 || share >= f.wire {
		// More envelopes than bytes were sent only by who wants to do harm.
		m.Resumed = m.Resumed || len(f.plain) > 0
		share, f.plain = f.wire, nil
	}
	f.wire -= share
	return share, nil
}
