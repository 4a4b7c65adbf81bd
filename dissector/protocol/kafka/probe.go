package kafka

import (
	"encoding/binary"

	"shark/dissector"
)

// Limits of the probe: bytes that it asks for at most, and what it believes.
const (
	maxWait  = 4 + 8 + 2 + maxClient + 16 // to see a request's header
	maxWhole = 8 << 10                    // longest response to wait for

	maxCounted = 1 << 24 // requests that a connection is believed to have had
)

// probe knows a request by its header. A response has nothing to be known by but
// its length, so one may be there only when it ends just where the bytes at hand
// do, or where another one begins with the next correlation id.
func probe(head []byte) dissector.Guess {
	if len(head) < 4 {
		return dissector.More
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size < 6 || size > maxSize {
		return dissector.No
	}
	frame := head[4:min(int64(len(head)), 4+size)]
	whole := int64(len(frame)) == size
	h, short, ok := readHeader(frame, size)
	switch {
	case ok && !short && h.key < len(apis) && size >= 8 && h.body > 8 && believable(head, size, h):
		return dissector.Request
	case ok && short && !whole && len(head) < maxWait:
		return dissector.More
	}
	return responses(head)
}

// believable checks what follows a request's header: its body, when all of it is
// at hand, and the size of the next one. The beginning of a body proves less, and so
// does one of an unknown version: then the client must have a name, the correlation
// id be one that a counter reaches, and the acknowledgements that a producer wants
// must exist.
func believable(head []byte, size int64, h header) bool {
	frame := head[4:min(int64(len(head)), 4+size)]
	api := &apis[h.key]
	known := api.request != nil && h.version <= int(api.max)
	var b body
	b.begin(frame, h.body, h.version, api.flexible(h.version), new(dissector.Message))
	named := h.correlation < maxCounted && len(h.client) > 0
	if int64(len(frame)) < size {
		if !named {
			return false
		}
		if h.key != keyProduce || !known {
			return true
		}
		b.since(3, func() { b.str() })
		acks := b.i16()
		return b.bad || acks >= -1 && acks <= 1
	}
	if !known && !named {
		return false
	}
	if known {
		if api.request(&b); b.bad && (size < maxHead || !named) {
			return false
		}
		if h.key == keyProduce && b.topics.n == 0 {
			return false // nobody produces nothing, but a ZooKeeper session begins so
		}
	}
	if rest := head[4+size:]; len(rest) >= 4 {
		next := int64(binary.BigEndian.Uint32(rest))
		return next >= 8 && next <= maxSize
	}
	return true
}

// responses checks that head is a run of responses with rising correlation ids:
// good Kafka, but good ZooKeeper too.
func responses(head []byte) dissector.Guess {
	last := int64(-1)
	for len(head) > 0 {
		if len(head) < 10 {
			return enough(last, 0)
		}
		size, id := int64(binary.BigEndian.Uint32(head)), int64(int32(binary.BigEndian.Uint32(head[4:])))
		if size < 6 || size > maxSize || id < 0 || last >= 0 && id != last+1 {
			return dissector.No
		}
		// The body begins with a small number: a count, a time, an error code, or
		// the count of tagged fields.
		if b := head[8]; b != 0 && !(b == 0xff && head[9] == 0xff) {
			return dissector.No
		}
		if int64(len(head)) < 4+size {
			return enough(last, size)
		}
		head, last = head[4+size:], id
	}
	return dissector.MaybeResponse
}

// enough is the answer when a response of size bytes is not all there: one before
// it was enough, and else it must not be too long to wait for.
func enough(last, size int64) dissector.Guess {
	switch {
	case last >= 0:
		return dissector.MaybeResponse
	case size <= maxWhole:
		return dissector.More
	}
	return dissector.No
}
