package workbench

import "shark/packet"

// What reorder holds back at most.
const (
	reorderPackets = 4096
	reorderBytes   = 16 << 20
)

// reorder hands packets on in order of time, as far as those that are late come
// within its reach. Packets that come in order are held too, since a later one
// may be earlier; their bytes are copied into memory that is used again.
type reorder struct {
	held  []packet.Record // by time, in order of arrival where times are equal
	spare [][]byte
	bytes int
	last  int64 // time of the last packet handed on
	some  bool
	late  int64 // packets handed on that are earlier than one before them
}

// add takes the next packet; it is not kept.
func (o *reorder) add(r *packet.Record, write func(*packet.Record) error) error {
	var buf []byte
	if n := len(o.spare); n > 0 {
		buf, o.spare = o.spare[n-1], o.spare[:n-1]
	}
	rec := *r
	rec.Data = append(buf[:0], r.Data...)
	if r.Options != nil {
		rec.Options = append([]byte(nil), r.Options...)
	}
	o.bytes += len(rec.Data)
	i := len(o.held)
	for i > 0 && o.held[i-1].Time > rec.Time {
		i--
	}
	o.held = append(o.held, packet.Record{})
	copy(o.held[i+1:], o.held[i:])
	o.held[i] = rec
	if len(o.held) < reorderPackets && o.bytes < reorderBytes {
		return nil
	}
	return o.release(len(o.held)/2, write)
}

func (o *reorder) flush(write func(*packet.Record) error) error {
	return o.release(len(o.held), write)
}

// release hands the first n packets on.
func (o *reorder) release(n int, write func(*packet.Record) error) error {
	for i := range o.held[:n] {
		r := &o.held[i]
		if o.some && r.Time < o.last {
			o.late++
		}
		o.last, o.some = r.Time, true
		if err := write(r); err != nil {
			return err
		}
		o.bytes -= len(r.Data)
		o.spare = append(o.spare, r.Data)
	}
	o.held = o.held[:copy(o.held, o.held[n:])]
	return nil
}
