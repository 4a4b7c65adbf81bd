package grpc

import (
	"encoding/base64"
	"encoding/binary"
	"sync"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http2"
)

// prefixLen is the length of what stands before each message: a flag that says
// whether it is compressed, and its length.
const prefixLen = 5

// trailersFlag stands instead of the flag before the trailers of gRPC-Web.
const trailersFlag = 0x80

// counter walks over the messages of one body as it passes by.
type counter struct {
	prefix     [prefixLen]byte
	have       int   // bytes of the prefix at hand
	left       int64 // bytes of the message that are still to come
	inside     bool  // between a prefix and the end of its message
	messages   int64
	compressed bool
	lost       int64 // of the body, as far as it is accounted for
	broken     bool  // where messages begin is not known any more

	form     form
	quad     [4]byte // of base64, which comes in fours, those at hand
	quads    int
	ending   bool // what is passed is the trailers
	trailers []byte
}

var counters = sync.Pool{New: func() any { return new(counter) }}

func body(m *dissector.Message, chunk []byte) {
	c, ok := m.Ride.(*counter)
	if !ok {
		c = counters.Get().(*counter)
		*c = counter{form: formOf(contentType(m)), trailers: c.trailers[:0]}
		m.Ride = c
	}
	if m.Lost > c.lost {
		c.skip(m.Lost - c.lost)
		c.lost = m.Lost
	}
	if c.form == webText {
		c.decode(chunk)
	} else {
		c.walk(chunk)
	}
}

// decode takes base64 off. What a server sends at one time may be padded by itself.
func (c *counter) decode(b []byte) {
	for len(b) > 0 && !c.broken {
		n := copy(c.quad[c.quads:], b)
		c.quads += n
		b = b[n:]
		if c.quads < len(c.quad) {
			return
		}
		c.quads = 0
		var three [3]byte
		n, err := base64.StdEncoding.Decode(three[:], c.quad[:])
		c.broken = err != nil
		c.walk(three[:n])
	}
}

// skip passes over n bytes that are missing. Inside a message that is no harm.
func (c *counter) skip(n int64) {
	if !c.inside || n > c.left || c.form == webText || c.ending {
		c.broken = true
		return
	}
	c.pass(n)
}

func (c *counter) walk(b []byte) {
	for len(b) > 0 && !c.broken {
		if c.inside {
			n := min(c.left, int64(len(b)))
			if c.ending {
				c.trailers = append(c.trailers, b[:min(n, int64(maxTrailers-len(c.trailers)))]...)
			}
			c.pass(n)
			b = b[n:]
			continue
		}
		n := copy(c.prefix[c.have:], b)
		c.have += n
		b = b[n:]
		if c.have == prefixLen {
			c.have, c.inside = 0, true
			c.ending = c.form >= webBinary && c.prefix[0] == trailersFlag
			c.broken = c.prefix[0] > 1 && !c.ending
			c.compressed = c.compressed || c.prefix[0] == 1
			c.left = int64(binary.BigEndian.Uint32(c.prefix[1:]))
			c.pass(0)
		}
	}
}

// pass takes n bytes of a message.
func (c *counter) pass(n int64) {
	if c.left -= n; c.left == 0 {
		c.inside = false
		if !c.ending {
			c.messages++
		}
	}
}

// trailersInBody returns the trailers that stand in a body of gRPC-Web, if they were seen
// whole.
func trailersInBody(m *dissector.Message) []byte {
	c, ok := m.Ride.(*counter)
	if !ok || !c.ending || c.inside || c.broken {
		return nil
	}
	return c.trailers
}

// setMessages sets how many messages a body had, if that is certain.
func setMessages(m *dissector.Message, f field.IntField) {
	c, ok := m.Ride.(*counter)
	if !ok {
		if m.BodySize == 0 && !http2.Holed.Get(&m.Values) {
			f.Set(&m.Values, 0)
		}
		return
	}
	m.Ride = nil
	if !c.broken && m.Lost <= c.lost && !http2.Holed.Get(&m.Values) {
		f.Set(&m.Values, c.messages)
	}
	if c.compressed {
		Compressed.Set(&m.Values, true)
	}
	counters.Put(c)
}
