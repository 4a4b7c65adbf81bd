package kafka

import (
	"encoding/binary"

	"shark/dissector"
)

// What stands before the records of a batch. From Kafka 0.11 on that is a head
// (https://kafka.apache.org/documentation/#recordbatch): first offset 8 bytes, length of what
// follows 4, leader epoch 4, magic 1, checksum 4, attributes 2, last offset less the first 4,
// times 16, producer 14, count 4. Before it were single messages: offset 8, length 4,
// checksum 4, magic 1, attributes 1 and more; a compressed one holds others.
const (
	lengthAt     = 8
	beforeLength = 12 // bytes that the length does not count
	magicAt      = 16
	attributesAt = 21
	lastDeltaAt  = 23
	countAt      = 57
	batchHead    = 61
	messageHead  = 18

	codecBits  = 7
	controlBit = 1 << 5 // a batch of marks that a transaction leaves

	leastMessage = 4 + 1 + 1 + 4 + 4 // bytes of a message behind its length
	leastRecord  = 7                 // bytes of a record that is not compressed
)

// codecs are the names of compressions by their number, as in Kafka's configuration.
var codecs = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// tally is what was found in the records of some partitions.
type tally struct {
	records int64
	codecs  uint8 // of batches and messages, a bit each
	unknown bool  // records are not all counted
}

func (t *tally) add(other *tally) {
	t.records += other.records
	t.codecs |= other.codecs
	t.unknown = t.unknown || other.unknown
}

// names calls f with the names of the codecs.
func (t *tally) names(f func(name string)) {
	for i, name := range codecs {
		if t.codecs>>i&1 != 0 {
			f(name)
		}
	}
}

// set sets what a message's partitions had; whole says that they were all read.
func (t *tally) set(m *dissector.Message, whole bool) {
	t.names(func(name string) { Compression.AddString(&m.Values, name) })
	if whole && !t.unknown {
		Records.Set(&m.Values, t.records)
	}
}

// batches counts the records of one partition as their bytes pass. It believes what the heads
// of batches say, as far as that can be: what is compressed stays so.
type batches struct {
	tally
	partial bool  // the last one may be cut, and is none then: a broker sends as much as was asked for
	left    int64 // bytes that are to come: at first, all
	inside  int64 // of these, those of the batch at hand
	have    int   // bytes of a head that are at hand
	head    [batchHead]byte
	lost    bool // where batches begin is not known any more
}

// pass takes the next bytes, of which those behind the partition's are not its own.
func (s *batches) pass(b []byte) {
	b = b[:min(int64(len(b)), s.left)]
	for len(b) > 0 {
		if s.lost {
			s.left -= int64(len(b))
			return
		}
		if s.inside > 0 {
			n := min(s.inside, int64(len(b)))
			s.inside -= n
			s.left -= n
			b = b[n:]
			continue
		}
		n := copy(s.head[s.have:s.wanted()], b)
		s.have += n
		s.left -= int64(n)
		b = b[n:]
		if s.have > magicAt && s.have == s.wanted() {
			s.batch()
			s.have = 0
		}
	}
}

// miss takes n bytes that were never captured: in a batch they do no harm.
func (s *batches) miss(n int64) {
	n = min(n, s.left)
	s.left -= n
	if s.lost || n == 0 {
		return
	}
	if s.inside -= n; s.inside < 0 || s.have > 0 {
		s.giveUp()
	}
}

// wanted is how many bytes of a head are needed.
func (s *batches) wanted() int {
	switch {
	case s.have <= magicAt:
		return magicAt + 1
	case s.head[magicAt] == 2:
		return batchHead
	}
	return messageHead
}

func (s *batches) giveUp() { s.lost, s.unknown, s.inside = true, true, 0 }

// batch takes the head at hand. A batch that goes on behind the end of what there is was cut.
func (s *batches) batch() {
	length := int64(int32(binary.BigEndian.Uint32(s.head[lengthAt:])))
	s.inside = beforeLength + length - int64(s.have)
	switch magic := s.head[magicAt]; {
	case length < leastMessage || magic > 2 || magic == 2 && s.inside < 0:
		s.giveUp()
	case s.inside > s.left:
		s.lost = true
		s.unknown = s.unknown || !s.partial
	case magic < 2:
		s.message(s.head[messageHead-1])
	default:
		s.count(length - (batchHead - beforeLength))
	}
}

// message takes a message of the old form. How many a compressed one holds, it does not say.
func (s *batches) message(attributes byte) {
	if !s.codec(attributes) {
		return
	}
	if attributes&codecBits == 0 {
		s.records++
	} else {
		s.unknown = true
	}
}

// codec notes how records are compressed, if in a way that there is.
func (s *batches) codec(attributes byte) bool {
	c := attributes & codecBits
	if int(c) >= len(codecs) {
		s.unknown = true
		return false
	}
	s.codecs |= 1 << c
	return true
}

// count takes how many records are in a batch, that is size bytes without its head. There
// cannot be more than offsets, nor than have room.
func (s *batches) count(size int64) {
	attributes := binary.BigEndian.Uint16(s.head[attributesAt:])
	if attributes&controlBit != 0 || !s.codec(byte(attributes)) {
		return
	}
	n := int64(int32(binary.BigEndian.Uint32(s.head[countAt:])))
	last := int64(int32(binary.BigEndian.Uint32(s.head[lastDeltaAt:])))
	if n < 0 || n > last+1 || attributes&codecBits == 0 && n*leastRecord > size {
		s.unknown = true
		return
	}
	s.records += n
}

// end says that no more comes.
func (s *batches) end() {
	if s.left > 0 || s.have > 0 && !s.partial {
		s.unknown = true
	}
}
