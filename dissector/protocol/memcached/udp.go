package memcached

import (
	"encoding/binary"

	"shark/dissector"
)

// frameSize is the frame that UDP puts before a message: request id, number of the
// datagram, count of datagrams, zero, two bytes each.
const frameSize = 8

// datagram reads one datagram. Those behind the first of an answer are skipped.
func (p *parser) datagram(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	seq, ok := readFrame(buf)
	if !ok {
		return 0, errMalformed
	}
	if seq > 0 {
		m.Skip = true
		return int64(len(buf)), nil
	}
	m.SetKey(uint64(binary.BigEndian.Uint16(buf)))
	_, err := p.parse(from, buf[frameSize:], m)
	p.reply, p.hush, m.Open = reply{}, false, false
	m.SetBody(0, 0)
	if err != nil {
		return 0, err
	}
	return int64(len(buf)), nil
}

// readFrame reads the number of the datagram.
func readFrame(b []byte) (seq int, ok bool) {
	if len(b) <= frameSize {
		return 0, false
	}
	seq, total := int(binary.BigEndian.Uint16(b[2:])), int(binary.BigEndian.Uint16(b[4:]))
	return seq, seq < total && b[6] == 0 && b[7] == 0
}
