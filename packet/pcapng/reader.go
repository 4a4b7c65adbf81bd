package pcapng

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"shark/packet"
)

// Reader reads one capture file or stream. It is a packet.Source. A Reader is
// for one goroutine at a time.
type Reader struct {
	name   string
	src    io.Reader // the unpacked bytes
	unpack *unpacker // nil when the input is not packed
	file   *os.File  // nil when the caller owns the input
	format format

	tail []byte // bytes read and not yet parsed
	base int64  // offset of tail[0]
	eof  bool   // src has no more
	err  error  // why, unless it simply ended
	torn error  // why unpacking ended early
	over bool   // all is parsed and reported

	number   uint64 // of the last packet
	seekable bool
	points   []Point
	search   search
	damage   []packet.Damage
	meta     metadata
}

// format is the part of a Reader that knows one file format.
type format interface {
	// parse appends the records of buf, whose first byte is at r.base, to b. It
	// returns how far it came and how many bytes from there it needs to go on.
	// When r.eof is set there are no more: then it comes to the end of buf, and
	// reports what it cannot read, unless the batch is full.
	parse(r *Reader, b *packet.Batch, buf []byte) (used, need int)
	// point completes a restart point at the current place.
	point(p *Point)
}

// search is on while the reader looks for the first sound place after damage.
type search struct {
	on     bool
	start  int64
	reason string
}

// ReadBatch implements packet.Source. A batch takes what one read of the input
// gives, about 1 MiB, and its records point into b.Buf.
func (r *Reader) ReadBatch(b *packet.Batch) error {
	b.Records = b.Records[:0]
	need := 0
	for !r.over {
		buf := r.fill(b, need)
		here, damaged := r.here(), len(r.damage)
		var used int
		used, need = r.format.parse(r, b, buf)
		r.base += int64(used)
		r.tail = append(r.tail[:0], buf[used:]...)
		if r.eof && used == len(buf) && len(b.Records) < maxBatchRecords {
			r.finish()
		}
		if len(b.Records) > 0 {
			if len(r.damage) == damaged {
				r.mark(here)
			}
			return nil
		}
	}
	b.Buf = b.Buf[:0]
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

// fill puts the tail and what one read gives behind it into b.Buf. The buffer
// grows towards need only as bytes really come, so a length field alone cannot
// make it large.
func (r *Reader) fill(b *packet.Batch, need int) []byte {
	usual := readSize
	if r.base <= pcapHeader {
		usual = firstRead
	}
	// Room for a quarter more than a long tail keeps moving it about cheap.
	size := max(usual, min(need, 2*len(r.tail)), len(r.tail)+max(usual, len(r.tail))/4)
	if cap(b.Buf) < size {
		b.Buf = make([]byte, size)
	}
	b.Buf = b.Buf[:size] // and no more: batches and restart points stay of one size
	n := copy(b.Buf, r.tail)
	for tries := 0; !r.eof; tries++ {
		m, err := r.src.Read(b.Buf[n:])
		n += m
		if err == nil && m == 0 && tries > 100 {
			err = io.ErrNoProgress
		}
		if err != nil {
			r.setEnd(err)
		}
		if n >= need && m > 0 || n == len(b.Buf) {
			break
		}
	}
	b.Buf = b.Buf[:n]
	return b.Buf
}

// setEnd notes why the input has no more bytes.
func (r *Reader) setEnd(err error) {
	r.eof = true
	var bad *packingError
	switch {
	case err == io.EOF:
	case errors.As(err, &bad):
		r.torn = bad
	default:
		r.err = fmt.Errorf("read %s: %w", r.name, err)
	}
}

// finish is called once, when every byte is parsed.
func (r *Reader) finish() {
	r.over = true
	if r.torn != nil {
		r.addDamage(r.base, -1, r.torn.Error())
	}
}

// lost reports n bytes at offset off, up to the end of the input.
func (r *Reader) lost(off int64, n int, reason string) {
	switch {
	case r.err != nil: // says it all
	case r.torn != nil:
		r.addDamage(off, -1, r.torn.Error())
		r.torn = nil
	default:
		r.addDamage(off, int64(n), reason)
	}
}

func (r *Reader) addDamage(off, lost int64, reason string) {
	if len(r.damage) < maxDamage {
		r.damage = append(r.damage, packet.Damage{File: r.name, Offset: off, Packed: r.unpack != nil, Lost: lost, Reason: reason})
		return
	}
	last := &r.damage[maxDamage-1]
	last.Reason = "many damaged places from here on"
	if lost < 0 || last.Lost < 0 {
		last.Lost = -1
		return
	}
	last.Lost += lost
}

// startSearch notes that the bytes from off on cannot be read, and why.
func (r *Reader) startSearch(off int64, reason string) {
	r.search = search{on: true, start: off, reason: reason}
}

// endSearch reports the damage that ends at off.
func (r *Reader) endSearch(off int64) {
	r.search.on = false
	r.addDamage(r.search.start, off-r.search.start, r.search.reason)
}

// Interfaces implements packet.Source. The slice is the caller's to keep but
// not to change.
func (r *Reader) Interfaces() []packet.Interface {
	r.meta.shared = true
	return slices.Clip(r.meta.interfaces)
}

// Damage implements packet.Source.
func (r *Reader) Damage() []packet.Damage { return slices.Clone(r.damage) }

// Names returns the address names met so far (Name Resolution Blocks), each
// once, in the order of the file.
func (r *Reader) Names() []Name { return slices.Clip(r.meta.names) }

// Secrets returns the decryption secrets met so far, in the order of the file.
func (r *Reader) Secrets() []Secret { return slices.Clip(r.meta.secrets) }

// Identity returns the lines of the identity log met so far, block by block in the order of
// the file. They must not be changed.
func (r *Reader) Identity() [][]byte { return slices.Clip(r.meta.identity) }

// Comments returns the comments on the sections met so far.
func (r *Reader) Comments() []string { return slices.Clip(r.meta.comments) }

// Asides returns what stands beside packets, of what was met so far, in the order of the file.
func (r *Reader) Asides() []Aside { return slices.Clip(r.meta.asides) }

// Omitted counts what stands beside packets and is in none of the Asides and Interfaces, of what
// was met so far. What of packets' options cannot be carried, OmittedOf tells.
func (r *Reader) Omitted() Omitted { return r.meta.omitted }

// Close stops reading. It waits for the goroutine that unpacks, which may be
// inside a Read of the input: a stream given to NewReader that can block for
// ever must be closed by its owner first.
func (r *Reader) Close() error {
	if !r.over {
		r.over = true
		r.err = fmt.Errorf("read %s: %w", r.name, os.ErrClosed)
	}
	if r.unpack != nil {
		r.unpack.stop()
	}
	var err error
	if r.file != nil {
		err = r.file.Close()
		r.file = nil
	}
	if r.unpack != nil {
		r.unpack.wait()
	}
	return err
}
