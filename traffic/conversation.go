package traffic

import "shark/packet"

// The pace of a network, in nanoseconds.
const (
	microsecond = int64(1000)
	millisecond = 1000 * microsecond
	second      = 1000 * millisecond

	delayedAck = 40 * millisecond  // after which received data is acknowledged by itself
	retransmit = 200 * millisecond // the shortest retransmission timeout
)

// Segments that a sender has under way at most: at first, and ever.
const (
	firstWindow = 10
	fullWindow  = 40
)

// side is an end of a conversation.
type side uint8

const (
	client side = iota
	server
)

func (s side) other() side { return s ^ 1 }

// host is a pod, service, node or machine outside.
type host struct {
	name string
	addr packet.Addr
	mac  [6]byte
	node uint32          // index of the interface that sees its packets
	port uint16          // the last client port it used
	used map[uint16]bool // client ports of conversations under way; nil where ports never come again
	far  bool            // outside of the cluster: packets are captured at the other end
}

// ephemeral returns the host's next client port, of Linux' range or of its first
// n ports, which must be more than are in use.
func (h *host) ephemeral(n int) uint16 {
	for {
		h.port = max(h.port, firstPort-1) + 1
		if int(h.port) >= firstPort+n {
			h.port = firstPort
		}
		if !h.used[h.port] {
			return h.port
		}
	}
}

// Linux' range of client ports.
const (
	firstPort = 32768
	allPorts  = 28232
)

// endpoint is a port of a host.
type endpoint struct {
	host *host
	port uint16
}

// script is what the two sides of a conversation say.
type script interface {
	// step plays the next part of the conversation by the methods of c. It
	// returns false when it played the last.
	step(c *conversation) bool
}

// conversation is one TCP connection, or the datagrams between two UDP ports. A
// script plays it, in steps; each step puts packets into the queues of the two
// directions and moves the conversation's clock on. Once they are written, the
// next step is played: so a conversation holds the packets of one step.
type conversation struct {
	random
	world  *world
	script script
	done   bool // the script has ended
	ends   [2]endpoint

	frames [2]template
	queues [2]queue
	arena  []byte // memory of what is said in this step

	now   int64    // when, as seen by the capture, the side whose turn it is goes on
	turn  side     // who spoke last
	last  [2]int64 // time of the last packet of each side
	trip  [2]int64 // from the capture to the side and back
	seq   [2]uint32
	heard [2]int // segments the side received and did not acknowledge
	wide  [2]int // segments the side may have under way
	stamp [2]uint32
	echo  [2]uint32 // timestamp that the side saw last
	tcp   bool

	blind   int    // packets still to come that the capture began too late for
	missing bool   // payload of this step was not captured
	home    uint32 // interface that sees it
	away    uint32 // interface that sees duplicates
	flaws   *Flaws
}

// begin makes c ready for a conversation that starts at the time at.
func (c *conversation) begin(w *world, cl, sv endpoint, tcp bool, at int64) {
	c.world, c.ends, c.tcp, c.now = w, [2]endpoint{cl, sv}, tcp, at
	c.turn, c.done, c.missing, c.blind, c.flaws = client, false, false, 0, &w.flaws
	c.home, c.away = cl.host.node, sv.host.node
	for s := range c.ends {
		c.queues[s].reset()
		c.last[s], c.heard[s], c.wide[s] = 0, 0, firstWindow
		c.seq[s], c.stamp[s], c.echo[s] = uint32(c.next()), uint32(c.next()), 0
		c.frames[s].fill(&c.ends[s], &c.ends[1-s], tcp, uint16(c.next()))
	}
	c.trip = [2]int64{c.between(20, 60) * microsecond, c.between(80, 500) * microsecond}
	switch {
	case cl.host.far:
		c.home = sv.host.node
		c.trip = [2]int64{c.between(8, 30) * millisecond, c.trip[client]}
	case sv.host.far:
		c.trip[server] = c.between(10, 20) * millisecond
	case cl.host.node == sv.host.node:
		c.trip[server] = c.between(30, 90) * microsecond
	}
}

// mss is the payload that a segment takes.
func (c *conversation) mss() int {
	if c.frames[client].v6 {
		return mtu - ip6Header - tcpHeader - stampOption
	}
	return mtu - ip4Header - tcpHeader - stampOption
}

// wait lets time pass before whoever speaks next.
func (c *conversation) wait(d int64) {
	if to := c.turn.other(); c.tcp && d >= delayedAck && c.heard[to] > 0 {
		c.ack(to, c.now+c.trip[to]+delayedAck)
	}
	c.now += max(d, 0)
}

// waitUntil lets time pass up to t, if that is still to come.
func (c *conversation) waitUntil(t int64) {
	if t > c.now {
		c.wait(t - c.now)
	}
}

// take makes it a side's turn and returns the earliest time it can send at. An
// answer comes a round trip after what it answers.
func (c *conversation) take(from side) int64 {
	if c.turn != from {
		c.now += c.trip[from]
		c.turn = from
	}
	return max(c.now, c.last[from]+microsecond)
}

// open plays the handshake.
func (c *conversation) open() {
	t := c.take(client)
	c.control(client, t, packet.SYN)
	c.control(server, t+c.trip[server], packet.SYN|packet.ACK)
	c.now = c.control(client, t+c.trip[server]+c.trip[client], packet.ACK)
}

// refuse plays a connection attempt that nobody listens to.
func (c *conversation) refuse() {
	t := c.take(client)
	c.control(client, t, packet.SYN)
	c.seq[server] = 0
	c.now = c.control(server, t+c.trip[server], packet.RST|packet.ACK)
	c.turn = server
}

// close plays the end of a connection, begun by from.
func (c *conversation) close(from side) {
	to := from.other()
	t := c.control(from, c.take(from), packet.FIN|packet.ACK)
	t = c.control(to, t+c.trip[to], packet.FIN|packet.ACK)
	c.now = c.control(from, t+c.trip[from], packet.ACK)
}

// reset ends a connection the hard way.
func (c *conversation) reset(from side) {
	c.now = c.control(from, c.take(from), packet.RST|packet.ACK)
}

// control sends a segment without payload. SYN and FIN take a sequence number.
func (c *conversation) control(from side, at int64, flags uint16) int64 {
	s := segment{at: at, seq: c.seq[from], flags: uint8(flags)}
	if flags&packet.ACK != 0 {
		s.ack = c.seq[from.other()]
	}
	at = c.push(from, s)
	if flags&(packet.SYN|packet.FIN) != 0 {
		c.seq[from]++
	}
	c.heard[from] = 0
	return at
}

// ack acknowledges all that a side received.
func (c *conversation) ack(from side, at int64) int64 { return c.control(from, at, packet.ACK) }

// datagram sends one UDP datagram and returns when.
func (c *conversation) datagram(from side, b []byte) int64 {
	c.now = c.push(from, segment{at: c.take(from), payload: b})
	return c.now
}
