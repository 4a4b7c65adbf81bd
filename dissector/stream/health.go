package stream

import (
	"shark/dissector/field"
	"shark/packet"
)

// Health is what the headers of a TCP connection tell about it, by the
// definitions of Wireshark's TCP analysis, so that its users find its numbers.
type Health struct {
	ends         [2]end
	completeness uint8
	rtt          rtt
	synTime      int64
	handshake    int64    // ns from SYN to the ACK that ends the handshake
	firstData    [2]int64 // times of the first payload
	counts       counts
}

// end is what one side has shown so far.
type end struct {
	seen            bool
	syn, synAck     bool
	fin, rst        bool
	base            uint32 // sequence number of its SYN, seen or worked out
	baseKnown       bool
	next            uint32 // highest sequence number expected next
	nextKnown       bool
	nextTime        int64  // when next last grew
	unbroken        uint32 // highest number expected next without a hole: what may be acknowledged
	unbrokenKnown   bool
	ack             uint32 // last acknowledgement sent
	acked           bool
	ackTime         int64
	window          uint16
	duplicates      int // of ack
	keepAlive       bool
	zeroWindowProbe bool
	scale           int8 // window scale offered, -1 none
	afterHandshake  bool // its window counts scaled
}

// counts are the expert counters of both directions together.
type counts struct {
	retransmissions, fast, outOfOrder, duplicateAcks int64
	zeroWindows, windowFull, keepAlives              int64
	lost, ackedLost, spurious                        int64
	resets, fins, payload                            int64
}

// Bits of the completeness, as in the field tcp.completeness of Wireshark.
const (
	seenSYN = 1 << iota
	seenSYNACK
	seenACK
	seenData
	seenFIN
	seenRST
)

// fastWindow is how soon after the last duplicate acknowledgement a fast
// retransmission comes, and lateWindow how soon after the highest segment one out
// of order does, when the round-trip time is not known. In ns.
const (
	fastWindow = 20e6
	lateWindow = 3e6
)

const control = packet.SYN | packet.FIN | packet.RST

func after(a, b uint32) bool { return int32(a-b) > 0 }

// Touch brings h into the processor's cache. What it returns means nothing.
func (h *Health) Touch() byte {
	return byte(h.ends[0].base^h.ends[0].unbroken^h.ends[1].base^h.ends[1].unbroken) ^ byte(h.synTime^h.counts.fast^h.counts.payload)
}

// Segment takes the next packet of a side.
func (h *Health) Segment(side int, p *packet.Packet) {
	f, r := &h.ends[side], &h.ends[side^1]
	if !f.seen {
		f.seen, f.scale = true, -1
		if !f.baseKnown {
			f.base, f.baseKnown = p.Seq, true
			if p.Flags&packet.SYN == 0 {
				f.base--
			}
		}
	}
	if !r.baseKnown && p.Flags&packet.ACK != 0 {
		r.base, r.baseKnown = p.Ack-1, true
	}
	h.stage(side, p)
	ackKnown := p.Flags&packet.ACK != 0
	probe := p.PayloadLen == 1 && f.nextKnown && p.Seq == f.next && r.seen && r.window == 0
	keepAlive, stop := false, probe
	if !probe {
		keepAlive, stop = h.windows(f, r, p)
	}
	if !stop && f.repeats(p) && p.Window != 0 && p.Window == f.window {
		f.duplicates++
		h.counts.duplicateAcks++
	}
	if p.Ack != f.ack {
		f.duplicates = 0
	}
	if ackKnown && r.unbrokenKnown && after(p.Ack, r.unbroken) {
		h.counts.ackedLost++
		r.unbroken = p.Ack
	}
	if (p.PayloadLen > 0 || p.Flags&(packet.SYN|packet.FIN) != 0) && !(keepAlive && p.PayloadLen > 0) {
		h.again(f, r, side, p)
	}
	if p.PayloadLen > 0 && f.nextKnown && !after(f.next, p.Seq) {
		h.rtt.send(side, p.Seq+p.PayloadLen, p.Time)
	}
	f.advance(p, probe)
	if ackKnown {
		h.rtt.acked(side^1, p.Ack, p.Time)
	}
	f.window, f.ack, f.acked, f.ackTime = p.Window, p.Ack, ackKnown, p.Time
	f.keepAlive, f.zeroWindowProbe = keepAlive, probe
	f.afterHandshake = p.Flags&packet.SYN == 0
}

// repeats tells whether p says nothing that the side has not said before.
func (f *end) repeats(p *packet.Packet) bool {
	return p.PayloadLen == 0 && f.nextKnown && p.Seq == f.next && p.Ack == f.ack && p.Flags&control == 0
}

// stage notes how far the connection has come.
func (h *Health) stage(side int, p *packet.Packet) {
	f := &h.ends[side]
	switch p.Flags & (packet.SYN | packet.ACK) {
	case packet.SYN:
		f.syn = true
		h.completeness |= seenSYN
		if h.synTime == 0 {
			h.synTime = p.Time
		}
		f.scale = windowScale(p.Options)
	case packet.SYN | packet.ACK:
		f.synAck = true
		h.completeness |= seenSYNACK
		f.scale = windowScale(p.Options)
	case packet.ACK:
		if p.PayloadLen > 0 {
			h.completeness |= seenData
		} else if h.completeness&seenSYNACK != 0 {
			h.completeness |= seenACK
		}
		if h.handshake == 0 && f.syn && h.ends[side^1].synAck && p.Flags&packet.RST == 0 {
			h.handshake = p.Time - h.synTime
		}
	}
	if p.PayloadLen > 0 {
		if h.firstData[side] == 0 {
			h.firstData[side] = p.Time
		}
		h.counts.payload += int64(p.PayloadLen)
	}
	if p.Flags&packet.FIN != 0 {
		f.fin = true
		h.completeness |= seenFIN
		h.counts.fins++
	}
	if p.Flags&packet.RST != 0 {
		f.rst = true
		h.completeness |= seenRST
		h.counts.resets++
	}
}

// windows counts what a segment says of the receive windows. stop says that the
// segment is an answer to a probe and nothing else.
func (h *Health) windows(f, r *end, p *packet.Packet) (keepAlive, stop bool) {
	plain := p.Flags&control == 0
	if p.Window == 0 && plain {
		h.counts.zeroWindows++
	}
	if f.nextKnown && after(p.Seq, f.next) && p.Flags&packet.RST == 0 {
		h.counts.lost++
	}
	if p.PayloadLen <= 1 && f.nextKnown && p.Seq == f.next-1 && plain {
		keepAlive = true
		h.counts.keepAlives++
	}
	if p.PayloadLen > 0 && plain && r.seen && r.acked && r.scale >= 0 && f.scale >= 0 {
		window := uint32(r.window)
		if r.afterHandshake {
			window <<= uint(r.scale)
		}
		if p.Seq+p.PayloadLen == r.ack+window {
			h.counts.windowFull++
		}
	}
	if f.repeats(p) && p.Window == f.window && r.keepAlive {
		return keepAlive, true
	}
	if p.PayloadLen == 0 && p.Window == 0 && f.window == 0 && f.nextKnown && p.Seq == f.next &&
		(p.Ack == f.ack || p.Ack == f.ack+1) && r.zeroWindowProbe && plain {
		return keepAlive, true
	}
	return keepAlive, false
}

// again counts a segment that does not advance: sent again, or out of order.
func (h *Health) again(f, r *end, side int, p *packet.Packet) {
	behind := f.nextKnown && after(f.next, p.Seq)
	if p.PayloadLen > 1 && f.next-1 == p.Seq {
		behind = false // it adds to a probe's byte
	}
	length := p.PayloadLen
	if p.Flags&(packet.SYN|packet.FIN) != 0 {
		length++
	}
	late := int64(lateWindow)
	if h.handshake > 0 {
		late = h.handshake
	}
	switch {
	case p.PayloadLen > 0 && r.acked && !after(p.Seq+p.PayloadLen, r.ack):
		h.counts.spurious++
		h.counts.retransmissions++
	case !behind:
		return
	case r.duplicates >= 2 && r.ack == p.Seq && within(p.Time-r.ackTime, fastWindow):
		h.counts.fast++
		h.counts.retransmissions++
	case within(p.Time-f.nextTime, late) && f.next != p.Seq+length:
		h.counts.outOfOrder++
	default:
		h.counts.retransmissions++
	}
	h.rtt.again(side)
}

// within tells whether d is below limit; a clock that went back tells nothing.
func within(d, limit int64) bool { return d >= 0 && d < limit }

// advance moves the side's numbers on.
func (f *end) advance(p *packet.Packet, probe bool) {
	next := p.Seq + p.PayloadLen
	if p.Flags&(packet.SYN|packet.FIN) != 0 {
		next++
	}
	if probe {
		return
	}
	if !f.nextKnown || after(next, f.next) {
		f.next, f.nextKnown, f.nextTime = next, next != 0, p.Time
	}
	if !f.unbrokenKnown || p.Seq == f.unbroken {
		f.unbroken, f.unbrokenKnown = f.next, true
	}
}

// windowScale returns the shift a SYN offers, -1 for none (RFC 7323, section 2.2).
func windowScale(options []byte) int8 {
	for len(options) > 0 {
		switch options[0] {
		case 0:
			return -1
		case 1:
			options = options[1:]
			continue
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return -1
		}
		if options[0] == 3 && options[1] == 3 {
			return int8(min(options[2], 14))
		}
		options = options[options[1]:]
	}
	return -1
}

// Client returns the side that opened the connection, if the handshake was seen.
func (h *Health) Client() (side int, ok bool) {
	for i := range h.ends {
		if h.ends[i].syn || h.ends[i^1].synAck {
			return i, true
		}
	}
	return 0, false
}

// Closed tells whether no side will send more.
func (h *Health) Closed() bool {
	return h.ends[0].fin && h.ends[1].fin || h.reset()
}

func (h *Health) reset() bool { return h.ends[0].rst || h.ends[1].rst }

// Refused tells whether the connection was reset before it was open.
func (h *Health) Refused() bool {
	return h.completeness&(seenSYN|seenSYNACK|seenData|seenRST) == seenSYN|seenRST
}

// State returns the values of conn_state and conn_ended.
func (h *Health) State() (state, ended string) {
	switch {
	case h.reset():
		return "closed", "reset"
	case h.Closed():
		return "closed", "fin"
	case h.completeness&(seenSYN|seenSYNACK) != 0:
		return "open", "open"
	}
	return "in_progress", "open"
}

// Reused tells whether p opens a new connection between the same ports, as
// Wireshark decides it.
func (h *Health) Reused(side int, p *packet.Packet) bool {
	if p.Flags&(packet.SYN|packet.ACK) != packet.SYN || !h.ends[side].baseKnown {
		return false
	}
	return p.Seq != h.ends[side].base
}

// Describe sets the fields of a TCP connection's health. missing is how many
// payload bytes were never captured, unique how many were, each counted once.
func (h *Health) Describe(v *field.Values, client int, missing, unique int64) {
	c := &h.counts
	field.ConnCompleteness.Set(v, int64(h.completeness))
	field.ConnHandshake.Set(v, h.handshake/1000)
	if h.firstData[client] > 0 && h.firstData[client^1] > h.firstData[client] {
		field.ConnFirstByte.Set(v, (h.firstData[client^1]-h.firstData[client])/1000)
	}
	h.rtt.describe(v)
	field.ConnRetransmissions.Set(v, c.retransmissions)
	field.ConnFastRetrans.Set(v, c.fast)
	field.ConnSpuriousRetrans.Set(v, c.spurious)
	field.ConnOutOfOrder.Set(v, c.outOfOrder)
	field.ConnLostSegments.Set(v, c.lost)
	field.ConnAckedUnseen.Set(v, c.ackedLost)
	field.ConnDuplicateAcks.Set(v, c.duplicateAcks)
	field.ConnZeroWindows.Set(v, c.zeroWindows)
	field.ConnWindowFull.Set(v, c.windowFull)
	field.ConnKeepAlives.Set(v, c.keepAlives)
	field.ConnResets.Set(v, c.resets)
	field.ConnFins.Set(v, c.fins)
	field.ConnMissingBytes.Set(v, missing)
	field.ConnWindowScale.Set(v, h.ends[0].scale >= 0 && h.ends[1].scale >= 0 && h.ends[0].seen && h.ends[1].seen)
	field.ConnGoodput.Set(v, unique)
}
