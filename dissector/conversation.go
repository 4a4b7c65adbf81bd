package dissector

import (
	"cmp"
	"slices"

	"shark/dissector/field"
	"shark/packet"
)

// ConnProtocol is what the entries of connections belong to.
var ConnProtocol = pseudo(field.ConnGroup())

// FlowProtocol is what the entries of flows belong to.
var FlowProtocol = pseudo(field.FlowGroup())

// pseudo makes a protocol that no probe finds of a group of fields.
func pseudo(g field.Group) *Protocol {
	return &Protocol{Name: g.Name, Label: g.Label, Doc: g.Doc, Fields: g.Fields}
}

// flowGroup adds up the connections between two addresses and one server port.
type flowGroup struct {
	id          uint64
	flow        packet.Flow // SrcPort is 0
	first, last int64
	dirs        [2]direction // client, server
	spoken      []*Protocol
	open        bool // a connection without its end
	begun       bool // a connection with its beginning
	conns       int  // that are not finished
	iface       uint32
	tunnel      packet.Tunnel // none if the connections went in several
	vlan        uint16        // the same
	firstPacket uint64
	lastPacket  uint64
}

// flowSize is roughly how many bytes a flow holds on to. All flows of a partition may
// take half of its memory, besides its connections.
const flowSize = 400

// groupOf returns the id of the flow that the connection belongs to: that of the
// first connection that asked. Entries already have it, so it does not change, even
// if an older connection joins later. The first answer stands, even if who asks
// whom changes.
func (c *conn) groupOf(f packet.Flow) uint64 {
	if c.group == nil {
		f.SrcPort = 0
		g := c.p.flows[f]
		if g == nil {
			g = c.p.flowGroup()
			g.id, g.flow, g.first, g.firstPacket = c.id, f, c.first, c.id
			g.iface, g.tunnel, g.vlan = c.iface, c.tunnel, c.vlan
			c.p.flows[f] = g
		}
		g.conns++
		c.group = g
	}
	return c.group.id
}

// emitConn hands the connection itself to the sink.
func (c *conn) emitConn(evicted bool) {
	client := c.clientDir()
	flow := c.direction(client)
	p := c.p
	e := &p.entry
	m := p.message()
	p.nums = c.numbers.appendTo(p.nums[:0])
	*e = Entry{
		Protocol: ConnProtocol, Carriers: e.Carriers[:0], Time: c.first, End: c.last, Conn: c.id, Group: c.groupOf(flow), Index: c.index,
		Flow: flow, Tunnel: c.tunnel, VLAN: c.vlan, Iface: c.iface, Request: m, OneWay: true,
		First: p.nums[0], Last: p.nums[len(p.nums)-1], Packets: p.nums,
	}
	if evicted {
		e.Marks |= MarkEvicted
	}
	if c.missing[0]+c.missing[1] > 0 || c.sctp != nil && c.sctp.Missing() > 0 {
		e.Marks |= MarkLost
	}
	c.describe(m, client, evicted)
	c.describeTLS(e)
	c.group.add(c, client)
	if c.hidden() {
		p.free(m)
		return
	}
	if len(c.spoken) == 0 && c.said() {
		p.report.Unknown++
	}
	p.report.Missing += c.missing[0] + c.missing[1]
	p.report.Skipped += c.skipped[0] + c.skipped[1]
	p.put(e)
	p.free(m)
}

// describe sets the connection's fields.
func (c *conn) describe(m *Message, client int, evicted bool) {
	v := &m.Values
	local, remote := c.dirs[client], c.dirs[client^1]
	m.Size, m.Lost = local.bytes+remote.bytes, c.missing[0]+c.missing[1]
	field.ConnLocalPkts.Set(v, local.packets)
	field.ConnLocalBytes.Set(v, local.bytes)
	field.ConnRemotePkts.Set(v, remote.packets)
	field.ConnRemoteBytes.Set(v, remote.bytes)
	field.ConnDuration.Set(v, (c.last-c.first)/1000)
	field.ConnGroupID.Set(v, int64(c.group.id))
	for _, s := range c.spoken {
		field.ConnL7.AddString(v, s.Label)
	}
	if evicted {
		field.ConnEvicted.Set(v, true)
	}
	Operation.SetString(v, c.flow.Proto.String())
	state, ended := "open", "open"
	switch c.transport {
	case TCP:
		field.TCPConn.Set(v, true)
		state, ended = c.tcp.health.State()
		c.tcp.health.Describe(v, client, c.missing[0]+c.missing[1], c.unique)
	case UDP:
		field.UDPConn.Set(v, true)
	case SCTP:
		field.SCTPConn.Set(v, true)
		state, ended = c.sctp.State()
		c.sctp.Describe(v)
	}
	field.ConnState.SetString(v, state)
	field.ConnEnded.SetString(v, ended)
	Status.SetString(v, ended)
	Failed.Set(v, c.tcp != nil && c.tcp.health.Refused() || c.sctp != nil && c.sctp.Refused())
}

// said tells whether the connection carried bytes that a protocol could claim.
func (c *conn) said() bool {
	switch c.transport {
	case TCP, UDP:
		return c.dirs[0].payload+c.dirs[1].payload > 0
	case SCTP:
		return c.sctp.Goodput() > 0
	}
	return false
}

// add counts a finished connection.
func (g *flowGroup) add(c *conn, client int) {
	g.first, g.last = min(g.first, c.first), max(g.last, c.last)
	for i, d := range []direction{c.dirs[client], c.dirs[client^1]} {
		if c.key.plain { // the bytes on the wire are others
			break
		}
		g.dirs[i].packets += d.packets
		g.dirs[i].bytes += d.bytes
	}
	for _, s := range c.spoken {
		if !slices.Contains(g.spoken, s) {
			g.spoken = append(g.spoken, s)
		}
	}
	state := "open"
	switch c.transport {
	case TCP:
		state, _ = c.tcp.health.State()
	case SCTP:
		state, _ = c.sctp.State()
	}
	g.open = g.open || state != "closed"
	g.begun = g.begun || state != "in_progress"
	g.conns--
	if g.iface != c.iface {
		g.iface = NoInterface
	}
	if g.tunnel != c.tunnel {
		g.tunnel = packet.Tunnel{}
	}
	if g.vlan != c.vlan {
		g.vlan = 0
	}
	g.firstPacket = min(g.firstPacket, c.id)
	g.lastPacket = max(g.lastPacket, c.numbers.last)
}

// trimFlows hands out the flows that no open connection belongs to. Connections to
// come make new flows of them.
func (p *partition) trimFlows() {
	p.emitFlows(func(g *flowGroup) bool { return g.conns == 0 }, MarkEvicted)
	p.maxFlows = max(p.limit/2/flowSize, 2*len(p.flows))
}

// emitFlows hands those flows to the sink for which which is true, in the order of
// their ids, and forgets them.
func (p *partition) emitFlows(which func(*flowGroup) bool, marks Marks) {
	var some []*flowGroup
	for f, g := range p.flows {
		if which(g) {
			some = append(some, g)
			delete(p.flows, f)
		}
	}
	slices.SortFunc(some, func(a, b *flowGroup) int { return cmp.Compare(a.id, b.id) })
	for _, g := range some {
		m := p.message()
		p.entry = Entry{
			Protocol: FlowProtocol, Carriers: p.entry.Carriers[:0], Time: g.first, End: g.last, Conn: g.id, Group: g.id, Index: flowIndex,
			Flow: g.flow, Tunnel: g.tunnel, VLAN: g.vlan, Iface: g.iface, Request: m, OneWay: true, First: g.firstPacket, Last: g.lastPacket, Marks: marks,
		}
		g.describe(m)
		p.put(&p.entry)
		p.free(m)
		p.recycleGroup(g)
		if marks&MarkEvicted != 0 {
			p.report.Evicted++
		}
	}
}

// flowIndex puts a flow behind the entries of the connection it is named by.
const flowIndex = 1<<32 - 1

func (g *flowGroup) describe(m *Message) {
	v := &m.Values
	m.Size = g.dirs[0].bytes + g.dirs[1].bytes
	field.FlowLocalPkts.Set(v, g.dirs[0].packets)
	field.FlowLocalBytes.Set(v, g.dirs[0].bytes)
	field.FlowRemotePkts.Set(v, g.dirs[1].packets)
	field.FlowRemoteBytes.Set(v, g.dirs[1].bytes)
	field.FlowGroupID.Set(v, int64(g.id))
	if seconds := float64(g.last-g.first) / 1e9; seconds > 0 {
		field.FlowLocalPPS.Set(v, int64(float64(g.dirs[0].packets)/seconds))
		field.FlowLocalBPS.Set(v, int64(float64(g.dirs[0].bytes)/seconds))
		field.FlowRemotePPS.Set(v, int64(float64(g.dirs[1].packets)/seconds))
		field.FlowRemoteBPS.Set(v, int64(float64(g.dirs[1].bytes)/seconds))
	}
	for _, s := range g.spoken {
		field.FlowL7.AddString(v, s.Label)
	}
	switch g.flow.Proto {
	case packet.TCP:
		field.TCPFlow.Set(v, true)
	case packet.UDP:
		field.UDPFlow.Set(v, true)
	case packet.SCTP:
		field.SCTPFlow.Set(v, true)
	}
	state := "closed"
	if g.open {
		state = "in_progress"
		if g.begun {
			state = "open"
		}
	}
	field.FlowState.SetString(v, state)
	Operation.SetString(v, g.flow.Proto.String())
	Status.SetString(v, state)
}
