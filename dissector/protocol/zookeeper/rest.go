package zookeeper

import "shark/dissector"

// rest is what stands behind a value that is too long to be looked at: it is the second
// piece of its message.
type rest struct {
	size int // bytes; 0 when there is none
	key  uint64
	code int32
}

// split cuts a message of span bytes behind its value, if that does not end within what
// is at hand. It returns the span of the piece.
func (r *rest) split(span, dataAt, dataSize int, xid, code int32, m *dissector.Message) int {
	end := 4 + dataAt + dataSize
	if dataSize < 0 || end <= maxHead || end >= span || span-end > maxHead {
		return span
	}
	*r = rest{size: span - end, key: uint64(uint32(xid)), code: code}
	m.Open = true
	return end
}

// readRest reads the rest of a message: the mode or the version of a request, the node's
// version of an answer.
func (p *parser) readRest(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	r := &p.rest[from]
	if len(buf) < r.size {
		m.Need = r.size
		return 0, dissector.ErrShort
	}
	j := jute{b: buf[:r.size], size: r.size}
	m.SetKey(r.key)
	if from == dissector.Server {
		answer := response{dataSize: -1, children: -1}
		stat(&j, &answer)
		answer.set(m)
	} else {
		p.request.reset()
		if r.code == opSetData {
			setDataRest(&j, &p.request)
		} else {
			createRest(&j, &p.request)
		}
		p.request.setRest(&m.Values)
	}
	span := r.size
	r.size = 0
	return int64(span), nil
}
