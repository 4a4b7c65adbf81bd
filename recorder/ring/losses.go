package ring

import "shark/packet"

// maxLosses is how many losses a Source tells of; what comes later is joined to the last.
const maxLosses = 50

// losses are times in which packets were lost, in order. Those that overlap are one.
type losses struct {
	list   []packet.Loss
	recent []stretch // what was read last, at least as much as a buffer has
}

// stretch is packets that were read at once.
type stretch struct {
	from int64
	size int // bytes
}

// began returns from when on what is counted in packets that begin at a time, and have so many
// bytes, may have been lost: a Writer counts losses behind the packets of the buffer in which
// they were noticed, and so many bytes before may be of that.
func (l *losses) began(from int64, size int) int64 {
	first, n := from, 0
	at := len(l.recent)
	for at > 0 && n < bufferSize {
		at--
		first, n = min(first, l.recent[at].from), n+l.recent[at].size
	}
	l.recent = append(l.recent[:0], l.recent[at:]...)
	l.recent = append(l.recent, stretch{from, size})
	return first
}

func (l *losses) add(x packet.Loss) {
	if end := len(l.list) - 1; end >= 0 && (x.From <= l.list[end].To || len(l.list) == maxLosses) {
		last := &l.list[end]
		last.From, last.To, last.Packets = min(last.From, x.From), max(last.To, x.To), last.Packets+x.Packets
		return
	}
	l.list = append(l.list, x)
}
