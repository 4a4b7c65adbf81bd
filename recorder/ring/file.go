package ring

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"shark/packet/pcapng"
)

// Block types that are met in a segment.
const (
	sectionBlock    = 0x0a0d0d0a
	interfaceBlock  = 1
	statisticsBlock = 5
	packetBlock     = 6
	// fillerBlock is of the range for local use, which other programs pass over.
	fillerBlock = pcapng.BlockFiller
)

const (
	// lengthAt is where the section's length stands, which is not stated until the
	// segment is sealed.
	lengthAt = 16
	// minBlock is the size of an empty block, and that of a filler that only pads.
	minBlock = 12
	// minFiller is that of one which covers something.
	minFiller = 16
	// headSize is how much of a block walk looks at.
	headSize = 96
)

var le = binary.LittleEndian

// name is what the name of a segment says.
type name struct {
	seq   uint64
	first int64 // nanoseconds since 1970
	run   string
}

const timeForm = "20060102t150405.000000000z"

func (n name) String() string {
	return fmt.Sprintf("packets-%012d-%s-%s.pcapng", n.seq, time.Unix(0, n.first).UTC().Format(timeForm), n.run)
}

var nameForm = regexp.MustCompile(`^packets-(\d{12,20})-(\d{8}t\d{6}\.\d{9}z)-([a-z0-9]{1,26})\.pcapng$`)

func parseName(s string) (n name, ok bool) {
	m := nameForm.FindStringSubmatch(s)
	if m == nil {
		return n, false
	}
	seq, err := strconv.ParseUint(m[1], 10, 63)
	t, bad := time.Parse(timeForm, m[2])
	return name{seq, t.UnixNano(), m[3]}, err == nil && bad == nil
}

// segment is a segment that is complete.
type segment struct {
	name
	size        int64
	first, last int64 // times of its packets; of the name until that is known
	live        bool  // it is not sealed: last is not known
	// until is up to when its run recorded, of the last segment of a run: at least last. If the
	// run was killed that is not known, and until is last.
	until  int64
	killed bool
}

// overlaps tells whether a segment may have packets of a window.
func (s *segment) overlaps(from, to int64) bool {
	return s.name.first-int64(late) <= to && (s.live || s.last >= from)
}

// boundary returns where the filler that begins at x ends, in a file of size bytes: at the
// next cell, where another begins, or at the end.
func boundary(x, size int64) int64 {
	b := (x + minFiller + cellSize - 1) / cellSize * cellSize
	if size-b < minFiller {
		return size
	}
	return b
}

// appendFiller appends the beginning of a filler of n bytes, and with all set, for small
// ones, all of it.
func appendFiller(dst []byte, n int64, all bool) []byte {
	dst = le.AppendUint32(dst, fillerBlock)
	dst = le.AppendUint32(dst, uint32(n))
	if all {
		dst = append(dst, make([]byte, n-minBlock)...)
		dst = le.AppendUint32(dst, uint32(n))
	}
	return dst
}

// pad makes b a multiple of 8 bytes long, of which it is one of 4: what follows is
// committed by 8 bytes that lie in one page.
func pad(b []byte) []byte {
	if len(b)%8 != 0 {
		b = appendFiller(b, minBlock, true)
	}
	return b
}

// tally is what a section says of one of its interfaces.
type tally struct{ packets, received, dropped uint64 }

// contents is what walk finds in a segment.
type contents struct {
	end         int64 // of the last whole block
	stated      int64 // the size that a sealed segment has; -1 when it is none
	torn        bool  // what is behind it is neither the end of the file nor a filler
	interfaces  []tally
	packets     uint64
	first, last int64 // times of the packets
	until       int64 // of the last block that has a time
}

// walk reads a segment of size bytes up to the filler, or to where a crash tore it.
func walk(r io.ReaderAt, size int64) (c contents, err error) {
	c.first, c.last, c.until, c.stated, c.torn = math.MaxInt64, math.MinInt64, math.MinInt64, -1, true
	in := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 256<<10)
	for {
		head, err := in.Peek(8)
		if err != nil {
			c.torn = len(head) > 0
			return c, ended(err)
		}
		n := int64(le.Uint32(head[4:]))
		if n < minBlock || n%4 != 0 || c.end+n > size || n > mostSegment || (c.end == 0) != (le.Uint32(head) == sectionBlock) {
			return c, nil
		}
		if kind := le.Uint32(head); kind == fillerBlock && n > minBlock {
			c.torn = false
			return c, nil
		}
		whole, err := c.block(in, int(n))
		if err != nil || !whole {
			return c, ended(err)
		}
		c.end += n
	}
}

// damaged tells whether something is missing of the segment.
func (c *contents) damaged() bool { return c.torn || c.stated >= 0 && c.stated != c.end }

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// block takes one block of n bytes, whose end is checked.
func (c *contents) block(in *bufio.Reader, n int) (whole bool, err error) {
	head, err := in.Peek(min(n, headSize))
	if err != nil {
		return false, err
	}
	var kept [headSize]byte
	head = kept[:copy(kept[:], head)]
	if _, err := in.Discard(n - 4); err != nil {
		return false, err
	}
	var trailer [4]byte
	if _, err := io.ReadFull(in, trailer[:]); err != nil {
		return false, err
	}
	return le.Uint32(trailer[:]) == uint32(n) && c.take(head), nil
}

// take takes down what the beginning of a block says, and whether it is one of a segment.
func (c *contents) take(b []byte) bool {
	switch le.Uint32(b) {
	case sectionBlock:
		if len(b) < 28 {
			return false
		}
		if length := le.Uint64(b[lengthAt:]); length <= math.MaxInt64/2 {
			c.stated = int64(length) + int64(le.Uint32(b[4:]))
		}
		return true
	case interfaceBlock:
		c.interfaces = append(c.interfaces, tally{})
		return len(b) >= 20
	case packetBlock:
		if len(b) < 32 || le.Uint32(b[8:]) >= uint32(len(c.interfaces)) {
			return false
		}
		t := timeOf(b[12:])
		c.packets++
		c.interfaces[le.Uint32(b[8:])].packets++
		c.first, c.last, c.until = min(c.first, t), max(c.last, t), max(c.until, t)
		return true
	case statisticsBlock:
		id, s, ok := parseStatistics(b)
		if !ok || id >= uint32(len(c.interfaces)) {
			return false
		}
		c.until = max(c.until, s.At)
		if i := &c.interfaces[id]; s.Received != nil && s.Dropped != nil {
			i.received, i.dropped = *s.Received, *s.Dropped
		}
		return true
	}
	return le.Uint32(b) == fillerBlock
}

func timeOf(b []byte) int64 {
	return int64(min(uint64(le.Uint32(b))<<32|uint64(le.Uint32(b[4:])), math.MaxInt64))
}

// parseStatistics reads an Interface Statistics Block as pcapng.AppendStatistics writes it.
func parseStatistics(b []byte) (id uint32, s pcapng.Statistics, ok bool) {
	if len(b) < 24 || le.Uint32(b) != statisticsBlock {
		return 0, s, false
	}
	id, s.At = le.Uint32(b[8:]), timeOf(b[12:])
	for o := b[20:]; len(o) >= 12 && le.Uint16(o[2:]) == 8; o = o[12:] {
		switch n := le.Uint64(o[4:]); le.Uint16(o) {
		case 2:
			s.First = timeOf(o[4:])
		case 3:
			s.Last = timeOf(o[4:])
		case 4:
			s.Received = &n
		case 5:
			s.Dropped = &n
		}
	}
	return id, s, true
}

// inspect reads what a segment says of itself: whether it is sealed, and then of what time
// its packets are, which its last block says.
func inspect(r io.ReaderAt, size int64, n name) (segment, error) {
	s := segment{name: n, size: size, first: n.first, live: true}
	var head [28]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || le.Uint32(head[:]) != sectionBlock {
		return s, ended(err)
	}
	length, own := le.Uint64(head[lengthAt:]), int64(le.Uint32(head[4:]))
	if length > math.MaxInt64 || own+int64(length) != size {
		return s, nil
	}
	var last [4]byte
	if _, err := r.ReadAt(last[:], size-4); err != nil {
		return s, ended(err)
	}
	b := make([]byte, min(int64(le.Uint32(last[:])), 1024, size))
	if _, err := r.ReadAt(b, size-int64(len(b))); err != nil {
		return s, ended(err)
	}
	if _, stats, ok := parseStatistics(b); ok && stats.Last > 0 {
		s.first, s.last, s.live = stats.First, stats.Last, false
	}
	return s, nil
}

// spareName is what a file is called that waits to be overwritten.
func spareName(seq uint64) string { return fmt.Sprintf("spare-%012d", seq) }

func isSpare(s string) bool { return strings.HasPrefix(s, "spare-") }
