package traffic

import (
	"strconv"
	"time"
)

// httpDate appends a time in the form of RFC 9110, section 5.6.7.
func httpDate(b []byte, at int64) []byte {
	return time.Unix(0, at).UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
}

// maxPipelined is the most requests that are sent at once.
const maxPipelined = 6

// httpScript is a keep-alive connection of HTTP/1.1 calls at random.
type httpScript struct {
	o       *Options
	library *library
	left    int // calls still to be made
	agent   string
}

var (
	collections = []string{"orders", "products", "carts", "users", "payments", "shipments", "reviews", "prices"}
	agents      = []string{"Go-http-client/1.1", "python-requests/2.32.3", "axios/1.7.9", "okhttp/4.12.0"}
)

// httpCall is a call as the script makes it up.
type httpCall struct {
	request  httpRequest
	response httpResponse
	path     []byte
	span
}

func (h *httpScript) step(c *conversation) bool {
	if h.agent == "" {
		h.agent = pick(&c.random, agents)
		c.open()
	} else {
		c.wait(c.skewed(200*microsecond, 30*millisecond))
	}
	n := 1
	if h.left > 1 && c.chance(h.o.Pipelined) {
		n = min(h.left, 2+c.below(maxPipelined-1))
	}
	h.left -= n
	var calls [maxPipelined]httpCall
	for i := range n {
		h.invent(c, &calls[i], n > 1)
		calls[i].first = c.ask(&calls[i].request).first
	}
	for i := range n {
		k := &calls[i]
		if k.request.expect {
			c.proceed(&k.request)
		}
		c.wait(c.skewed(300*microsecond, 60*millisecond))
		k.last = c.answer(&k.response).last
	}
	for i := range n {
		k := &calls[i]
		c.report(Call{
			Protocol: "http", Method: k.request.method, Status: strconv.Itoa(k.response.status),
			Start: k.first, Elapsed: k.last - k.first,
		}, k.path)
	}
	if h.left > 0 && !c.world.full() {
		return true
	}
	c.wait(c.skewed(microsecond, 5*millisecond))
	if from := side(c.below(2)); c.chance(0.02) {
		c.reset(from)
	} else {
		c.close(from)
	}
	return false
}

// invent makes up a call.
func (h *httpScript) invent(c *conversation, k *httpCall, pipelined bool) {
	start := len(c.arena)
	c.arena = append(c.arena, "/api/v1/"...)
	c.arena = append(append(c.arena, pick(&c.random, collections)...), '/')
	c.arena = number(c.arena, c.below(5000))
	k.path = c.arena[start:]
	if c.chance(0.2) {
		c.arena = append(c.arena, "?page="...)
		c.arena = number(c.arena, c.below(50))
	}
	k.request = httpRequest{
		target: c.arena[start:], host: c.ends[server].host.name, agent: h.agent, trace: c.next() | 1,
	}
	k.response = httpResponse{status: 200, kind: "application/json", server: "envoy"}
	q, a := &k.request, &k.response
	switch n := c.below(100); {
	case n < 62:
		q.method = "GET"
	case n < 86:
		q.method, a.status = "POST", 201
	case n < 93:
		q.method = "PUT"
	case n < 98:
		q.method, a.status = "DELETE", 204
	default:
		q.method, a.bare = "HEAD", true
	}
	if q.method == "POST" || q.method == "PUT" {
		q.body = h.library.pick(&c.random).plain
		q.chunked = c.chance(h.o.Chunked)
		q.expect = !pipelined && c.chance(h.o.Continue)
	}
	h.outcome(c, k)
}

// outcome decides how a call ends.
func (h *httpScript) outcome(c *conversation, k *httpCall) {
	a := &k.response
	switch n := c.below(200); {
	case n < 5:
		a.status = 404
	case n < 7:
		a.status = 500
	case n < 9:
		a.status = 503
	case n < 11:
		a.status = 400
	case n < 15 && k.request.method == "GET":
		a.status = 304
	}
	if a.status >= 400 {
		a.body = errorBody
		return
	}
	if a.status == 204 || a.status == 304 {
		a.kind = ""
		return
	}
	doc := h.library.pick(&c.random)
	a.body = doc.plain
	if c.chance(h.o.Gzip) {
		a.body, a.packed = doc.packed, true
	}
	a.chunked = c.chance(h.o.Chunked)
}

var errorBody = []byte(`{"error":"the request could not be served"}`)
