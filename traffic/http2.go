package traffic

import (
	"encoding/binary"
	"strconv"
)

// Frame types and flags of RFC 9113, section 6.
const (
	frameData     = 0
	frameHeaders  = 1
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
	frameWindow   = 8

	flagEndStream  = 1
	flagAck        = 1
	flagEndHeaders = 4
)

// maxFrameData is the largest payload of a frame that nobody negotiated.
const maxFrameData = 16384

// refill is after how many received bytes a side opens its window again.
const refillWindow = 4 << 20

// http2Conn is the state of an HTTP/2 connection without TLS (prior knowledge).
type http2Conn struct {
	codec    [2]hpackEncoder
	next     uint32 // id of the next stream
	received [2]int
	broken   bool // a header block may be missing, without which later ones cannot be read
}

// http2Call is a call on a stream. For gRPC, bodies are single messages.
type http2Call struct {
	grpc              bool
	method, authority string
	path, agent       string
	status            int
	body              []byte // of the request; nil for none
	reply             []byte // of the response; nil for none
	code              int    // gRPC status
	message           string // gRPC status message
	trace             string // id sent along; empty for none

	stream uint32
	sent   int // bytes of reply that were sent
	head   bool
	span
}

func appendFrame(b []byte, kind, flags byte, stream uint32, n int) []byte {
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return binary.BigEndian.AppendUint32(b, stream)
}

// open plays the handshake and the prefaces of both sides.
func (h *http2Conn) open(c *conversation, huffman bool) {
	h.next = 1
	h.codec[client].huffman, h.codec[server].huffman = huffman, huffman
	c.open()
	c.say(client, func(b []byte) []byte {
		return preface(append(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"...))
	})
	c.say(server, func(b []byte) []byte { return appendFrame(preface(b), frameSettings, flagAck, 0, 0) })
	c.say(client, func(b []byte) []byte { return appendFrame(b, frameSettings, flagAck, 0, 0) })
}

// preface appends SETTINGS, and a WINDOW_UPDATE that makes the connection's
// window as large as the streams'.
func preface(b []byte) []byte {
	const window = 1 << 30
	b = appendFrame(b, frameSettings, 0, 0, 12)
	b = binary.BigEndian.AppendUint16(b, 3) // SETTINGS_MAX_CONCURRENT_STREAMS
	b = binary.BigEndian.AppendUint32(b, 250)
	b = binary.BigEndian.AppendUint16(b, 4) // SETTINGS_INITIAL_WINDOW_SIZE
	b = binary.BigEndian.AppendUint32(b, window)
	b = appendFrame(b, frameWindow, 0, 0, 4)
	return binary.BigEndian.AppendUint32(b, window-65535)
}

// request sends a request.
func (h *http2Conn) request(c *conversation, k *http2Call) {
	k.stream = h.next
	h.next += 2
	k.span = c.say(client, func(b []byte) []byte {
		flags := byte(flagEndHeaders)
		if k.body == nil {
			flags |= flagEndStream
		}
		b = h.headers(b, client, k.stream, flags, func(b []byte, e *hpackEncoder) []byte { return k.requestFields(b, e) })
		if k.body != nil && len(k.body) <= inlineBody {
			b = append(appendFrame(b, frameData, flagEndStream, k.stream, len(k.body)), k.body...)
		}
		return b
	})
	if len(k.body) > inlineBody {
		for off := 0; off < len(k.body); {
			n, _ := h.data(c, client, k.stream, k.body[off:], true)
			off += n
		}
	}
	h.consume(c, client, len(k.body))
}

// headers appends a HEADERS frame.
func (h *http2Conn) headers(b []byte, from side, stream uint32, flags byte, fields func([]byte, *hpackEncoder) []byte) []byte {
	at := len(b)
	b = appendFrame(b, frameHeaders, flags, stream, 0)
	b = fields(b, &h.codec[from])
	n := len(b) - at - 9
	b[at], b[at+1], b[at+2] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// data sends the front of a body in one frame. It returns its length and when
// all of it was captured.
func (h *http2Conn) data(c *conversation, from side, stream uint32, body []byte, end bool) (n int, last int64) {
	n = min(len(body), maxFrameData)
	flags := byte(0)
	if end && n == len(body) {
		flags = flagEndStream
	}
	if n < inlineBody {
		s := c.say(from, func(b []byte) []byte {
			return append(appendFrame(b, frameData, flags, stream, n), body[:n]...)
		})
		return n, s.last
	}
	c.say(from, func(b []byte) []byte { return appendFrame(b, frameData, flags, stream, n) })
	return n, c.send(from, body[:n]).last
}

// consume counts what the side other than from received, and opens its window
// again now and then.
func (h *http2Conn) consume(c *conversation, from side, n int) {
	to := from.other()
	h.received[to] += n
	if h.received[to] < refillWindow {
		return
	}
	c.say(to, func(b []byte) []byte {
		b = appendFrame(b, frameWindow, 0, 0, 4)
		return binary.BigEndian.AppendUint32(b, uint32(h.received[to]))
	})
	h.received[to] = 0
}

func (k *http2Call) requestFields(b []byte, e *hpackEncoder) []byte {
	b = e.field(b, ":method", k.method, hpackKeep)
	b = e.field(b, ":scheme", "http", hpackKeep)
	path := hpackKeep
	if !k.grpc {
		path = hpackPass // most paths are asked for once
	}
	b = e.field(b, ":path", k.path, path)
	b = e.field(b, ":authority", k.authority, hpackKeep)
	if k.grpc {
		b = e.field(b, "content-type", "application/grpc", hpackKeep)
		b = e.field(b, "te", "trailers", hpackKeep)
		b = e.field(b, "grpc-timeout", "5S", hpackKeep)
	} else if k.body != nil {
		b = e.field(b, "content-type", "application/json", hpackKeep)
		b = e.field(b, "content-length", strconv.Itoa(len(k.body)), hpackPass)
	}
	b = e.field(b, "user-agent", k.agent, hpackKeep)
	b = e.field(b, "authorization", "Bearer c2hhcms", hpackNever)
	if k.trace != "" {
		b = e.field(b, "x-request-id", k.trace, hpackPass)
	}
	return b
}

// bare tells a gRPC call that failed before it had anything to say: one HEADERS
// frame is all of the response.
func (k *http2Call) bare() bool { return k.grpc && k.reply == nil }

// respond sends the next frame of a response and tells whether it was the last.
func (h *http2Conn) respond(c *conversation, k *http2Call) bool {
	switch {
	case !k.head:
		k.head = true
		end := k.bare() || !k.grpc && k.reply == nil
		flags := byte(flagEndHeaders)
		if end {
			flags |= flagEndStream
		}
		k.last = c.say(server, func(b []byte) []byte { return h.headers(b, server, k.stream, flags, k.responseFields) }).last
		return end
	case k.sent < len(k.reply):
		n, last := h.data(c, server, k.stream, k.reply[k.sent:], !k.grpc)
		k.sent += n
		k.last = last
		h.consume(c, server, n)
		return k.sent == len(k.reply) && !k.grpc
	}
	k.last = c.say(server, func(b []byte) []byte {
		return h.headers(b, server, k.stream, flagEndHeaders|flagEndStream, k.trailers)
	}).last
	return true
}

func (k *http2Call) responseFields(b []byte, e *hpackEncoder) []byte {
	b = e.field(b, ":status", strconv.Itoa(k.status), hpackKeep)
	if k.grpc {
		b = e.field(b, "content-type", "application/grpc", hpackKeep)
		if k.bare() {
			b = k.trailers(b, e)
		}
		return b
	}
	b = e.field(b, "server", "envoy", hpackKeep)
	if k.reply != nil {
		b = e.field(b, "content-type", "application/json", hpackKeep)
		b = e.field(b, "content-length", strconv.Itoa(len(k.reply)), hpackPass)
	}
	return b
}

func (k *http2Call) trailers(b []byte, e *hpackEncoder) []byte {
	b = e.field(b, "grpc-status", strconv.Itoa(k.code), hpackKeep)
	if k.message != "" {
		b = e.field(b, "grpc-message", k.message, hpackKeep)
	}
	return b
}

// report notes a call whose response was sent.
func (h *http2Conn) report(c *conversation, k *http2Call) {
	h.broken = h.broken || c.missing
	call := Call{
		Protocol: "http2", Method: k.method, Status: strconv.Itoa(k.status),
		Start: k.first, Elapsed: k.last - k.first, Partial: h.broken,
	}
	if k.grpc {
		call.Protocol, call.Method, call.Status = "grpc", k.path[lastSlash(k.path)+1:], grpcStatuses[k.code]
	}
	c.report(call, []byte(k.path))
}

// ping plays a PING and its answer.
func (h *http2Conn) ping(c *conversation) {
	id := c.next()
	c.say(client, func(b []byte) []byte {
		return binary.BigEndian.AppendUint64(appendFrame(b, framePing, 0, 0, 8), id)
	})
	c.say(server, func(b []byte) []byte {
		return binary.BigEndian.AppendUint64(appendFrame(b, framePing, flagAck, 0, 8), id)
	})
}

// close says goodbye and closes the connection.
func (h *http2Conn) close(c *conversation) {
	c.say(client, func(b []byte) []byte {
		return append(appendFrame(b, frameGoAway, 0, 0, 8), 0, 0, 0, 0, 0, 0, 0, 0)
	})
	c.close(client)
}
