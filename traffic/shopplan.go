package traffic

import (
	"bytes"
	"strconv"
)

// plan is all that the shop's conversations will say, made up call by call: a
// call takes a free connection or opens one, and makes the calls it needs
// before it is answered.
type plan struct {
	random
	world *world
	cast  *cast
	lines []*line
	idle  map[wire][]*line
}

// wire is two ends that have connections between them.
type wire struct {
	from, to *host
	port     uint16
}

// line is one conversation of the plan.
type line struct {
	from, to endpoint
	protocol string
	udp      bool
	at       int64 // when it begins
	free     int64 // when the last exchange ends
	old      bool  // it was there before the capture began
	flaws    *Flaws
	open     func(c *conversation)   // nil: the handshake
	parts    []func(c *conversation) // what is said, in order
	end      func(c *conversation)   // nil: it stays open
	h2       *http2Conn
	kafka    *kafkaConn
	hurry    int64 // when it must be closed
}

func newPlan(w *world) *plan {
	return &plan{random: newRandom(1, 'P'), world: w, cast: newCast(), idle: make(map[wire][]*line)}
}

// begin adds a conversation.
func (p *plan) begin(from, to *host, port uint16, protocol string, at int64) *line {
	l := &line{from: endpoint{from, from.ephemeral(allPorts)}, to: endpoint{to, port}, protocol: protocol, at: at, free: at}
	p.lines = append(p.lines, l)
	return l
}

// conversation returns the conversation that plays the line.
func (l *line) conversation(p *plan) *conversation {
	c := &conversation{random: newRandom(uint64(l.at), uint64(l.from.port)<<16|uint64(l.to.port))}
	c.begin(p.world, l.from, l.to, !l.udp, shopStart+l.at)
	if l.flaws != nil {
		c.flaws = l.flaws
	}
	c.script = &lineScript{line: l}
	p.world.truth.connection(l.protocol, !l.udp)
	return c
}

// lineScript plays a line.
type lineScript struct {
	line *line
	next int
}

func (s *lineScript) step(c *conversation) bool {
	l := s.line
	switch {
	case s.next == 0 && l.open != nil:
		l.open(c)
	case s.next == 0 && !l.old && !l.udp:
		c.open()
	}
	if s.next < len(l.parts) {
		l.parts[s.next](c)
		s.next++
	}
	if s.next < len(l.parts) {
		return true
	}
	if l.end != nil {
		l.end(c)
	}
	return false
}

// The pace of the shop.
const (
	hop      = 200 * microsecond // from pod to pod
	keepIdle = 20 * second       // after which a connection is closed
)

// connect returns a connection that is free at a time, and when it can be used:
// a new one needs its peer's name looked up and a handshake.
func (p *plan) connect(from *host, to *target, protocol string, at int64) (*line, int64) {
	k := wire{from, to.host, to.port}
	for _, l := range p.idle[k] {
		if l.free <= at && l.protocol == protocol && at < l.free+keepIdle {
			return l, at
		}
	}
	if to.name != "" {
		at = p.lookup(from, to.name, at, to.host)
	}
	l := p.begin(from, to.host, to.port, protocol, at)
	if protocol == "grpc" {
		l.h2 = new(http2Conn)
		l.open = func(c *conversation) { l.h2.open(c, true) }
	}
	l.end = func(c *conversation) { p.hangUp(l, c) }
	p.idle[k] = append(p.idle[k], l)
	return l, at + 3*millisecond/2
}

// hangUp closes a connection that was idle for long; others stay open.
func (p *plan) hangUp(l *line, c *conversation) {
	end := l.free + keepIdle
	if l.hurry > 0 {
		end = max(l.hurry, l.free)
	}
	if end > shopLength {
		return
	}
	c.waitUntil(shopStart + end)
	if l.h2 != nil {
		l.h2.close(c)
		return
	}
	c.close(client)
}

// say adds an exchange to a line.
func (l *line) say(end int64, f func(c *conversation)) {
	l.parts = append(l.parts, f)
	l.free = end + millisecond
}

// serve is how a call is answered: it is given when the request comes in, and
// returns when the answer goes out.
type serve[R any] func(at int64) (done int64, response R)

// http makes an HTTP call and returns when it is answered, and how.
func (p *plan) http(from *host, to *target, at int64, q httpRequest, f serve[httpResponse]) (int64, int) {
	l, start := p.connect(from, to, "http", at)
	l.free = 1 << 62 // taken
	done, a := f(start + hop)
	end := done + hop + p.between(0, hop/2)
	if a.server == "" {
		a.server = "shop"
	}
	q.host = to.called()
	path, _, _ := bytes.Cut(q.target, []byte("?"))
	l.say(end, func(c *conversation) {
		c.waitUntil(shopStart + start)
		first := c.ask(&q).first
		c.waitUntil(shopStart + end - c.trip[server])
		last := c.answer(&a).last
		c.report(Call{
			Protocol: "http", Method: q.method, Status: strconv.Itoa(a.status), Start: first, Elapsed: last - first,
		}, path)
	})
	return end, a.status
}

// rpc makes a gRPC call; f returns the gRPC status and its message.
func (p *plan) rpc(from *host, to *target, at int64, path, trace string, f serve[http2Call]) (int64, int) {
	l, start := p.connect(from, to, "grpc", at)
	l.free = 1 << 62
	done, k := f(start + hop)
	end := done + hop + p.between(0, hop/2)
	fields, answers := 2+p.below(4), 2+p.below(3)
	l.say(end, func(c *conversation) {
		k := k
		k.grpc, k.method, k.status, k.path, k.trace = true, "POST", 200, path, trace
		k.authority, k.agent = "payment.payments.svc.cluster.local:50051", "grpc-go/1.70.0"
		k.body = c.message(fields)
		if k.code == 0 {
			k.reply = c.message(answers)
		}
		c.waitUntil(shopStart + start)
		l.h2.request(c, &k)
		c.waitUntil(shopStart + end - c.trip[server])
		for !l.h2.respond(c, &k) {
		}
		l.h2.report(c, &k)
	})
	return end, k.code
}

// lookup asks the cluster's DNS for both addresses of a name and returns when
// it is answered. There is no such name when owner is nil.
func (p *plan) lookup(from *host, name string, at int64, owner *host) int64 {
	l := p.begin(from, p.cast.dnsTo.host, 53, "dns", at)
	l.udp = true
	four := dnsQuestion{id: uint16(p.next()), name: name, kind: typeA, edns: true}
	if owner == nil {
		four.code = nxDomain
	} else {
		a := owner.addr.IP().As4()
		four.addr = a[:]
	}
	six := four
	six.id, six.kind, six.addr = four.id+1, typeAAAA, nil
	delay := p.skewed(200*microsecond, 2*millisecond)
	if owner == nil || owner.far {
		delay = p.skewed(3*millisecond, 12*millisecond) // asked of the servers outside
	}
	l.say(at+delay, func(c *conversation) { c.resolve(delay, &four, &six) })
	return at + delay + millisecond
}

// redis runs a command; while KEYS runs, it waits.
func (p *plan) redis(from *host, at int64, key, reply string, args ...string) int64 {
	l, start := p.connect(from, &target{host: p.cast.redis, port: 6379}, "redis", at)
	end := start + hop + p.skewed(300*microsecond, 1200*microsecond)
	for _, b := range blockades {
		if stop := b.at + b.length; start >= b.at && start < stop {
			end = stop + p.between(100*microsecond, 900*microsecond)
		}
	}
	k := redisCall{args: args, key: key, reply: []byte(reply), status: "OK"}
	l.say(end, func(c *conversation) {
		c.waitUntil(shopStart + start)
		c.redis(shopStart+end-c.trip[server]-c.now, []redisCall{k})
	})
	return end
}
