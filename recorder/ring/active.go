package ring

import (
	"fmt"
	"math"

	"shark/packet/pcapng"
)

// active is the segment that is being written.
type active struct {
	name
	f         file
	end, size int64 // of what is valid, and of the file
	describes int   // bytes of the descriptions of interfaces that are in it
	section   []tally
	first     int64 // times of its packets
	last      int64
	buf       []byte
}

// prepare makes a file of size bytes, whatever is in it, a section without packets.
func (a *active) prepare() error {
	for b := boundary(0, a.size); b < a.size; b = boundary(b, a.size) {
		n := boundary(b, a.size) - b
		if _, err := a.f.WriteAt(appendFiller(nil, n, false), b); err != nil {
			return err
		}
		if err := a.trailer(b+n, n); err != nil {
			return err
		}
	}
	head := pad(pcapng.AppendSection(nil, &pcapng.Options{Application: "shark"}))
	a.end = int64(len(head))
	n := boundary(a.end, a.size) - a.end
	if _, err := a.f.WriteAt(appendFiller(head, n, false), 0); err != nil {
		return err
	}
	return a.trailer(a.end+n, n)
}

// trailer writes the length at the end of a filler of n bytes.
func (a *active) trailer(end, n int64) error {
	_, err := a.f.WriteAt(le.AppendUint32(nil, uint32(n)), end-4)
	return err
}

// append writes whole blocks behind those that are there. They count only when the first
// eight bytes of them are written, over the beginning of the filler, which is last: until
// then the segment is what it was. After an error it still is. Of the capacity of b 64 bytes
// more than its length may be written to.
func (a *active) append(b []byte) error {
	b = pad(b)
	end := a.end + int64(len(b))
	limit, data := end, b
	if a.size-end >= minFiller {
		limit = boundary(end, a.size)
		data = appendFiller(b, limit-end, false)
	}
	if _, err := a.f.WriteAt(data[8:], a.end+8); err != nil {
		return err
	}
	if limit > end {
		if err := a.trailer(limit, limit-end); err != nil {
			return err
		}
	} else if a.size > end { // what is behind is too little to be covered
		if err := a.f.Truncate(end); err != nil {
			return err
		}
	}
	if limit == end {
		a.size = end
	}
	if _, err := a.f.WriteAt(data[:8], a.end); err != nil {
		return err
	}
	a.end = end
	return nil
}

// put writes what a buffer holds, and descriptions, which are those of all interfaces
// since the buffers' segment began.
func (a *active) put(b *buffer, descriptions []byte, now int64) error {
	if n := a.describes; n < len(descriptions) {
		if err := a.append(append(make([]byte, 0, len(descriptions)-n+64), descriptions[n:]...)); err != nil {
			return err
		}
		a.describes = len(descriptions)
	}
	for _, c := range b.counts {
		for int(c.local) >= len(a.section) {
			a.section = append(a.section, tally{})
		}
	}
	body := b.body
	for _, c := range b.counts {
		if c.dropped > 0 {
			t := a.section[c.local]
			t.add(c)
			body = pcapng.AppendStatistics(body, c.local, &pcapng.Statistics{At: max(now, b.last), Received: &t.received, Dropped: &t.dropped})
		}
	}
	if len(body) > 0 {
		if err := a.append(body); err != nil {
			return err
		}
	}
	for _, c := range b.counts {
		a.section[c.local].add(c)
	}
	if b.packets > 0 {
		a.first, a.last = min(a.first, b.first), max(a.last, b.last)
	}
	return nil
}

func (t *tally) add(c count) {
	t.packets += c.packets
	t.dropped += c.dropped
	t.received += c.packets + c.dropped
}

// seal writes what was counted and cuts the file behind it.
func (a *active) seal(now int64) (segment, error) {
	first, last := a.first, a.last
	if first > last { // it has no packets
		first, last = a.name.first, a.name.first
	}
	now = max(now, last)
	a.buf = a.buf[:0]
	for i := range a.section {
		t := &a.section[i]
		a.buf = pcapng.AppendStatistics(a.buf, uint32(i), &pcapng.Statistics{At: now, First: max(first, 1), Last: max(now, 1), Received: &t.received, Dropped: &t.dropped})
	}
	s := segment{name: a.name, first: first, last: now}
	s.name.first = a.name.first
	if len(a.buf)%8 != 0 { // the last block is that which tells the times
		a.buf = append(appendFiller(nil, minBlock, true), a.buf...)
	}
	if err := a.append(a.buf); err != nil {
		return s, fmt.Errorf("seal %s: %w", a.name, err)
	}
	if err := a.f.Truncate(a.end); err != nil {
		return s, fmt.Errorf("seal %s: %w", a.name, err)
	}
	head := int64(len(pcapng.AppendSection(nil, &pcapng.Options{Application: "shark"})))
	if _, err := a.f.WriteAt(le.AppendUint64(nil, uint64(a.end-head)), lengthAt); err != nil {
		return s, fmt.Errorf("seal %s: %w", a.name, err)
	}
	s.size = a.end
	return s, nil
}

// newActive makes a file the segment with a name. Nobody sees it under that name yet.
func newActive(f file, size int64, n name) (*active, error) {
	a := &active{name: n, f: f, size: size, first: math.MaxInt64, last: math.MinInt64}
	return a, a.prepare()
}
