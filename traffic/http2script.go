package traffic

import (
	"strconv"
	"strings"
)

// grpcStatuses are the gRPC status codes: number and name.
var grpcStatuses = []string{
	"0 OK", "1 CANCELLED", "2 UNKNOWN", "3 INVALID_ARGUMENT", "4 DEADLINE_EXCEEDED", "5 NOT_FOUND",
	"6 ALREADY_EXISTS", "7 PERMISSION_DENIED", "8 RESOURCE_EXHAUSTED", "9 FAILED_PRECONDITION",
	"10 ABORTED", "11 OUT_OF_RANGE", "12 UNIMPLEMENTED", "13 INTERNAL", "14 UNAVAILABLE",
}

func lastSlash(s string) int { return strings.LastIndexByte(s, '/') }

// maxStreams is the most calls that a script has on one connection at once.
const maxStreams = 4

// http2Script is a connection of HTTP/2 or gRPC calls at random.
type http2Script struct {
	http2Conn
	o       *Options
	library *library
	grpc    bool
	left    int
	agent   string
}

var (
	rpcs = []string{
		"/shop.Cart/GetCart", "/shop.Cart/AddItem", "/shop.Catalog/ListProducts", "/shop.Catalog/GetProduct",
		"/shop.Payment/Charge", "/shop.Shipping/Quote", "/shop.Currency/Convert", "/grpc.health.v1.Health/Check",
	}
	verbs = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
)

func (s *http2Script) step(c *conversation) bool {
	if s.agent == "" {
		s.agent = pick(&c.random, agents)
		s.open(c, s.o.Huffman)
	} else {
		c.wait(c.skewed(200*microsecond, 30*millisecond))
	}
	var calls [maxStreams]http2Call
	n := min(s.left, 1+c.below(maxStreams))
	s.left -= n
	for i := range n {
		if s.grpc {
			s.inventRPC(c, &calls[i])
		} else {
			s.invent(c, &calls[i])
		}
		s.request(c, &calls[i])
	}
	var under [maxStreams]*http2Call
	for i := range n {
		under[i] = &calls[i]
	}
	c.wait(c.skewed(300*microsecond, 50*millisecond))
	for m := n; m > 0; { // frames of all streams, mixed
		i := c.below(m)
		if s.respond(c, under[i]) {
			m--
			under[i] = under[m]
		}
	}
	for i := range n {
		s.report(c, &calls[i])
	}
	if c.chance(0.05) {
		c.wait(c.skewed(millisecond, 100*millisecond))
		s.ping(c)
	}
	if s.left > 0 && !c.world.full() {
		return true
	}
	c.wait(c.skewed(microsecond, 5*millisecond))
	s.close(c)
	return false
}

// invent makes up an HTTP/2 call.
func (s *http2Script) invent(c *conversation, k *http2Call) {
	*k = http2Call{
		method: pick(&c.random, verbs), authority: c.ends[server].host.name, agent: s.agent, status: 200,
		path:  "/v2/" + pick(&c.random, collections) + "/" + strconv.Itoa(c.below(3000)),
		trace: strconv.FormatUint(c.next(), 16),
	}
	if k.method == "POST" || k.method == "PUT" {
		k.body = s.library.pick(&c.random).plain
	}
	switch n := c.below(100); {
	case n < 3:
		k.status, k.reply = 404, errorBody
	case n < 5:
		k.status, k.reply = 500, errorBody
	case k.method == "DELETE":
		k.status = 204
	default:
		k.reply = s.library.pick(&c.random).plain
	}
}

// inventRPC makes up a gRPC call.
func (s *http2Script) inventRPC(c *conversation, k *http2Call) {
	*k = http2Call{
		grpc: true, method: "POST", authority: c.ends[server].host.name, agent: "grpc-go/1.70.0", status: 200,
		path: pick(&c.random, rpcs), body: c.message(1 + c.below(4)),
	}
	if c.chance(0.04) {
		k.code = pick(&c.random, []int{3, 4, 5, 13, 14})
		k.message = "the call could not be served"
		return
	}
	k.reply = c.message(1 + c.below(20))
}

// message returns a gRPC message, in the arena: protobuf with n fields.
func (c *conversation) message(n int) []byte {
	at := len(c.arena)
	b := append(c.arena, 0, 0, 0, 0, 0) // not compressed, length
	for i := range n {
		if i%2 == 0 {
			word := pick(&c.random, goods)
			b = append(b, byte(i%15+1)<<3|2, byte(len(word)))
			b = append(b, word...)
			continue
		}
		b = append(b, byte(i%15+1)<<3, byte(c.below(128)))
	}
	size := len(b) - at - 5
	b[at+3], b[at+4] = byte(size>>8), byte(size)
	c.arena = b
	return b[at:len(b):len(b)]
}
