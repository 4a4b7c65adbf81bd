package traffic

import (
	"strconv"

	"shark/packet"
	"shark/packet/pcapng"
)

// kind is a kind of conversation that the mixer begins.
type kind struct {
	protocol string
	weight   float64
	port     uint16
	tcp      bool
	script   func(calls int) script
}

// mixer keeps a number of conversations under way, of protocols that share the
// calls as the Mix says.
type mixer struct {
	o       *Options
	random  random
	world   *world
	library *library
	kinds   []kind
	total   float64 // sum of the weights
	pods    []pod
	begun   uint64 // conversations so far
}

// pod is a pod's addresses of both families.
type pod struct{ four, six host }

func newMixer(o *Options, out *pcapng.Writer) *mixer {
	nodes := []string{"eth0"}
	if o.Nodes > 1 {
		nodes = nil
		for i := range o.Nodes {
			nodes = append(nodes, "node-"+strconv.Itoa(i)+"/eth0")
		}
	}
	m := &mixer{o: o, random: newRandom(o.Seed, 'M'), library: newLibrary(o.Seed, o.Body)}
	m.world = newWorld(out, nodes, o.OnCall)
	m.world.truth.Seed = o.Seed
	m.world.flaws = o.Flaws
	m.world.stop = func(w *world) bool {
		return o.Size > 0 && w.planned >= o.Size || o.Calls > 0 && w.truth.Calls >= o.Calls
	}
	for _, k := range []kind{
		{"http", o.Mix.HTTP, 8080, true, func(n int) script { return &httpScript{o: o, library: m.library, left: n} }},
		{"http2", o.Mix.HTTP2, 8081, true, func(n int) script { return &http2Script{o: o, library: m.library, left: n} }},
		{"grpc", o.Mix.GRPC, 50051, true, func(n int) script { return &http2Script{o: o, library: m.library, left: n, grpc: true} }},
		{"dns", o.Mix.DNS, 53, false, func(int) script { return dnsScript{single: o.PerConn == 1} }},
		{"redis", o.Mix.Redis, 6379, true, func(n int) script { return &redisScript{left: n} }},
		{"kafka", o.Mix.Kafka, 9092, true, func(n int) script { return &kafkaScript{left: n, library: m.library} }},
		{"tlsx", o.Mix.TLS, 443, true, func(n int) script { return &tlsScript{left: min(n, maxExchanges)} }},
	} {
		if k.weight > 0 {
			m.kinds = append(m.kinds, k)
			m.total += k.weight
		}
	}
	for i := range o.Pods {
		m.pods = append(m.pods, newPod(i, uint32(i%o.Nodes)))
	}
	return m
}

// newPod returns pod i: 10.244.0.0/16 and fd00:10:244::/48 are the pods'.
func newPod(i int, node uint32) pod {
	name, used := "pod-"+strconv.Itoa(i), make(map[uint16]bool)
	n := i + 10
	mac := [6]byte{2, 0x42, 10, 244, byte(n >> 8), byte(n)}
	return pod{
		four: host{name: name, mac: mac, node: node, used: used, addr: packet.AddrFrom4([]byte{10, 244, byte(n >> 8), byte(n)})},
		six: host{name: name, mac: mac, node: node, used: used, addr: packet.AddrFrom16([]byte{
			0xfd, 0, 0, 0x10, 2, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n),
		})},
	}
}

// run makes the capture.
func (m *mixer) run() error {
	at := m.o.Start.UnixNano()
	for range m.o.Concurrency {
		c := new(conversation)
		if m.another(c, at+m.random.between(0, 200*millisecond)) {
			m.world.start(c)
		}
	}
	return m.world.run(func(c *conversation) bool {
		return m.another(c, max(c.last[client], c.last[server])+c.skewed(10*microsecond, 20*millisecond))
	})
}

// another makes c a conversation of which something is captured. It returns
// false when enough was said.
func (m *mixer) another(c *conversation, at int64) bool {
	for {
		if from := c.ends[client]; from.host != nil {
			delete(from.host.used, from.port)
		}
		if m.world.full() {
			return false
		}
		m.begin(c, at)
		if c.refill() {
			return true
		}
	}
}

// next returns the kind whose share of the calls is furthest behind. The
// conversions keep processors from rounding less than others do.
func (m *mixer) next() *kind {
	var best *kind
	var most float64
	for i := range m.kinds {
		k := &m.kinds[i]
		due := float64(k.weight * float64(m.world.truth.Calls+1))
		behind := due - float64(m.total*float64(m.world.truth.protocol(k.protocol).Calls))
		if best == nil || behind > most {
			best, most = k, behind
		}
	}
	return best
}

// begin makes c the next conversation, at a time.
func (m *mixer) begin(c *conversation, at int64) {
	m.begun++
	c.random = newRandom(m.o.Seed, m.begun)
	k := m.next()
	i := c.below(len(m.pods))
	j := c.below(len(m.pods) - 1)
	if j >= i {
		j++
	}
	from, to := &m.pods[i].four, &m.pods[j].four
	if c.chance(m.o.IPv6) {
		from, to = &m.pods[i].six, &m.pods[j].six
	}
	calls := 1
	if m.o.PerConn > 1 {
		calls += c.below(2*m.o.PerConn - 1)
	}
	port := from.ephemeral(m.o.Ports)
	from.used[port] = true
	c.begin(m.world, endpoint{from, port}, endpoint{to, k.port}, k.tcp, at)
	c.script = k.script(calls)
	t := &m.world.truth
	t.connection(k.protocol, k.tcp)
	if k.tcp && c.chance(m.o.Flaws.Midstream) {
		c.blind = 3 + c.below(6)
		t.Midstream++
	}
}
