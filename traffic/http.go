package traffic

import "strconv"

// inlineBody is the largest body that is sent in one write with its head, and
// copied for that.
const inlineBody = 16 << 10

// chunk is the size of the chunks of a body.
const chunk = 4096

// httpRequest is an HTTP/1.1 request.
type httpRequest struct {
	method, host, agent string
	target              []byte
	body                []byte
	chunked             bool
	expect              bool   // wait for 100 Continue before the body
	trace               uint64 // id that is sent along; 0 for none
}

// httpResponse is an HTTP/1.1 response.
type httpResponse struct {
	status  int
	kind    string // media type of the body
	body    []byte // as it is sent
	packed  bool   // body is gzip
	chunked bool
	bare    bool // no body follows, whatever the head says
	server  string
	retry   bool // with Retry-After
	date    int64
}

// head appends the request up to its body.
func (r *httpRequest) head(b []byte) []byte {
	b = append(append(append(append(b, r.method...), ' '), r.target...), " HTTP/1.1\r\nHost: "...)
	b = append(append(append(b, r.host...), "\r\nUser-Agent: "...), r.agent...)
	b = append(b, "\r\nAccept: */*\r\n"...)
	if r.trace != 0 {
		b = append(b, "X-Request-Id: "...)
		b = strconv.AppendUint(b, r.trace, 16)
		b = append(b, "\r\n"...)
	}
	if r.expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if r.body != nil {
		b = append(b, "Content-Type: application/json\r\n"...)
		b = framing(b, r.chunked, len(r.body))
	}
	return append(b, "\r\n"...)
}

// framing appends the header that says where the body ends.
func framing(b []byte, chunked bool, n int) []byte {
	if chunked {
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	return append(number(b, n), "\r\n"...)
}

// head appends the response up to its body.
func (r *httpResponse) head(b []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = number(b, r.status)
	b = append(append(b, ' '), reason(r.status)...)
	b = append(append(b, "\r\nServer: "...), r.server...)
	b = append(b, "\r\nDate: "...)
	b = append(httpDate(b, r.date), "\r\n"...)
	if r.kind != "" {
		b = append(append(append(b, "Content-Type: "...), r.kind...), "\r\n"...)
	}
	if r.packed {
		b = append(b, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"...)
	}
	if r.retry {
		b = append(b, "Retry-After: 5\r\n"...)
	}
	if r.status != 204 && r.status != 304 {
		b = framing(b, r.chunked, len(r.body))
	}
	return append(b, "\r\n"...)
}

// appendBody appends a body as it goes over the wire.
func appendBody(b, body []byte, chunked bool) []byte {
	if !chunked {
		return append(b, body...)
	}
	for len(body) > 0 {
		n := min(chunk, len(body))
		b = append(strconv.AppendInt(b, int64(n), 16), "\r\n"...)
		b = append(append(b, body[:n]...), "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// say sends what build appends to the arena.
func (c *conversation) say(from side, build func(b []byte) []byte) span {
	n := len(c.arena)
	c.arena = build(c.arena)
	return c.send(from, c.arena[n:len(c.arena):len(c.arena)])
}

// sendMessage sends a head and its body, in one write if it is small.
func (c *conversation) sendMessage(from side, head func([]byte) []byte, body []byte, chunked bool) span {
	if len(body) <= inlineBody {
		return c.say(from, func(b []byte) []byte {
			return appendBody(head(b), body, chunked)
		})
	}
	s := c.say(from, head)
	s.last = c.sendBody(from, body, chunked).last
	return s
}

// sendBody sends a body by itself.
func (c *conversation) sendBody(from side, body []byte, chunked bool) span {
	if !chunked {
		return c.send(from, body)
	}
	var s span
	for off := 0; off < len(body); {
		n := min(8*chunk, len(body)-off)
		line := c.say(from, func(b []byte) []byte {
			if off > 0 {
				b = append(b, "\r\n"...)
			}
			return append(strconv.AppendInt(b, int64(n), 16), "\r\n"...)
		})
		if off == 0 {
			s.first = line.first
		}
		c.send(from, body[off:off+n])
		off += n
	}
	s.last = c.say(from, func(b []byte) []byte { return append(b, "\r\n0\r\n\r\n"...) }).last
	return s
}

// ask sends a request, but of one that waits for 100 Continue the head only.
func (c *conversation) ask(r *httpRequest) span {
	if r.expect {
		return c.say(client, r.head)
	}
	return c.sendMessage(client, r.head, r.body, r.chunked)
}

// proceed plays 100 Continue and the body that waited for it.
func (c *conversation) proceed(r *httpRequest) {
	c.wait(c.between(50, 400) * microsecond)
	c.send(server, continueLine)
	c.sendBody(client, r.body, r.chunked)
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// answer sends a response.
func (c *conversation) answer(r *httpResponse) span {
	r.date = c.now
	if r.bare || r.status == 204 || r.status == 304 {
		return c.say(server, r.head)
	}
	return c.sendMessage(server, r.head, r.body, r.chunked)
}

// reason returns the reason phrase of a status (RFC 9110, section 15).
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 201:
		return "Created"
	case 202:
		return "Accepted"
	case 204:
		return "No Content"
	case 304:
		return "Not Modified"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 409:
		return "Conflict"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	}
	return "Unknown"
}
