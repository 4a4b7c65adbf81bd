package stream

import (
	"encoding/binary"

	"shark/dissector/field"
	"shark/packet"
)

// UserMessage is what one side of an SCTP association said in one go (RFC 9260,
// section 1.3).
type UserMessage struct {
	Data   []byte // from its beginning, as far as it was captured; valid during the call only
	Len    int64  // bytes on the wire of what was seen of it, at least len(Data)
	Cut    bool   // its end is missing
	Stream uint16
	PPID   uint32 // payload protocol identifier

	First, Last At // where its first and its last fragment were captured
}

// Listener takes what an association hands out. Side is 0 or 1 as given to Add.
type Listener interface {
	// Message gives a user message.
	Message(side int, m *UserMessage)
	// Drop says that n captured bytes belong to messages whose beginning was not
	// captured.
	Drop(side int, n int64)
}

// Association puts the user messages of an SCTP association together (RFC 9260).
// The zero Association is ready.
//
// A message is handed out as soon as it is whole: what is lost in one message holds
// no other up. Chunks that come again are known by their transmission sequence
// number (TSN). Verification tags tell associations apart, but are not checked
// packet by packet: that is the receiver's business.
type Association struct {
	ends     [2]endpoint
	cookie   bool  // a side was seen to echo the cookie
	initTime int64 // of the first INIT
	setup    int64 // ns from INIT to the echo of the cookie
	shut     bool  // a side agreed to shut down
	aborted  bool
	again    int64 // chunks that were sent again
	payload  int64 // bytes of user messages, each counted once
}

// endpoint is what one side has shown so far.
type endpoint struct {
	asked    bool   // it sent INIT
	accepted bool   // it sent INIT ACK
	tag      uint32 // its initiate tag, 0 when not seen
	seen     numbers
	runs     runs
}

// Types of chunks (RFC 9260 section 3.2, RFC 8260 section 2.1, RFC 3758 section 3.2).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkAbort            = 6
	chunkShutdownAck      = 8
	chunkCookieEcho       = 10
	chunkShutdownComplete = 14
	chunkIData            = 64
	chunkForward          = 192
	chunkIForward         = 194
)

// Lengths of headers, in bytes.
const (
	commonHeader = 12
	chunkHeader  = 4
	initHeader   = 20 // of INIT and INIT ACK, without optional parameters
	dataHeader   = 16
	iDataHeader  = 20
)

// Flags of DATA and I-DATA.
const (
	lastFragment  = 1 << 0
	firstFragment = 1 << 1
	unordered     = 1 << 2
)

var be = binary.BigEndian

// Chunk is one chunk as it was captured.
type Chunk struct {
	Type, Flags byte
	Body        []byte // with its header, as far as it was captured
	Len         int    // on the wire, with its header
}

// NextChunk takes the first chunk of b, of which wire bytes were sent. It is false
// when there is none, or none that can be.
func NextChunk(b []byte, wire int) (c Chunk, rest []byte, left int, ok bool) {
	if len(b) < chunkHeader {
		return Chunk{}, nil, 0, false
	}
	c = Chunk{Type: b[0], Flags: b[1], Len: int(be.Uint16(b[2:]))}
	if c.Len < chunkHeader || c.Len > wire {
		return Chunk{}, nil, 0, false
	}
	c.Body = b[:min(c.Len, len(b))]
	padded := min((c.Len+3)&^3, wire)
	return c, b[min(padded, len(b)):], wire - padded, true
}

// Chunks returns the chunks of an SCTP packet and their length on the wire.
func Chunks(p *packet.Packet) (b []byte, wire int) {
	return p.Payload[min(commonHeader, len(p.Payload)):], int(p.PayloadLen) - commonHeader
}

// Add takes the next packet of a side in capture order, and tells whether it has data.
func (a *Association) Add(side int, p *packet.Packet, r Listener) (data bool) {
	at := At{Time: p.Time, Number: p.Number, Acked: -1}
	for b, wire := Chunks(p); ; {
		c, rest, left, ok := NextChunk(b, wire)
		if !ok {
			return data
		}
		b, wire = rest, left
		switch c.Type {
		case chunkData, chunkIData:
			data = true
			a.data(side, &c, at, r)
		case chunkForward, chunkIForward:
			if len(c.Body) >= chunkHeader+4 {
				a.ends[side].seen.skip(be.Uint32(c.Body[4:]))
			}
		default:
			a.control(side, &c, at)
		}
	}
}

// control notes how far the association has come.
func (a *Association) control(side int, c *Chunk, at At) {
	e := &a.ends[side]
	switch c.Type {
	case chunkInit, chunkInitAck:
		e.asked = e.asked || c.Type == chunkInit
		e.accepted = e.accepted || c.Type == chunkInitAck
		if c.Type == chunkInit && a.initTime == 0 {
			a.initTime = at.Time
		}
		if len(c.Body) >= initHeader && e.tag == 0 {
			e.tag = be.Uint32(c.Body[4:])
			if !e.seen.known {
				e.seen.start(be.Uint32(c.Body[16:]))
			}
		}
	case chunkCookieEcho:
		if !a.cookie && a.initTime != 0 {
			a.setup = at.Time - a.initTime
		}
		a.cookie = true
	case chunkAbort:
		a.aborted = true
	case chunkShutdownAck, chunkShutdownComplete:
		a.shut = true
	}
}

// data takes a fragment of a message, or a whole one.
func (a *Association) data(side int, c *Chunk, at At, r Listener) {
	header := dataHeader
	if c.Type == chunkIData {
		header = iDataHeader
	}
	if len(c.Body) < header || c.Len == header { // without data it is an error (RFC 9260 section 6.2)
		return
	}
	e, b := &a.ends[side], c.Body
	tsn := be.Uint32(b[4:])
	if !e.seen.add(tsn) {
		a.again++
		return
	}
	f := fragment{
		pos: tsn, first: c.Flags&firstFragment != 0, last: c.Flags&lastFragment != 0,
		stream: be.Uint16(b[8:]), ppid: be.Uint32(b[12:]), data: b[header:], size: int64(c.Len - header), at: at, tsn: tsn,
	}
	if c.Type == chunkIData {
		f.ppid = be.Uint32(b[16:]) // of the first fragment; in the others their number
		f.pos = f.ppid
		if f.first {
			f.pos = 0
		}
		f.key = 1<<63 | uint64(c.Flags&unordered)<<60 | uint64(f.stream)<<32 | uint64(be.Uint32(b[12:]))
	}
	a.payload += f.size
	if f.first && f.last {
		r.Message(side, &UserMessage{
			Data: f.data, Len: f.size, Cut: int64(len(f.data)) < f.size, Stream: f.stream, PPID: f.ppid, First: at, Last: at,
		})
		return
	}
	e.runs.add(side, &f, r)
}

// Flush hands out what is there of incomplete messages.
func (a *Association) Flush(r Listener) {
	for side := range a.ends {
		for x := &a.ends[side].runs; len(x.list) > 0; {
			x.giveUp(side, 0, r)
		}
	}
}

// Held returns the bytes that the association keeps waiting.
func (a *Association) Held() int {
	n := 0
	for i := range a.ends {
		n += a.ends[i].runs.bytes + runOverhead*len(a.ends[i].runs.list)
	}
	return n
}

// Restarted tells whether p opens a new association between the same ports: its INIT
// has another tag than the one before, or comes after data without one.
func (a *Association) Restarted(side int, p *packet.Packet) bool {
	c, _, _, ok := NextChunk(Chunks(p))
	if !ok || c.Type != chunkInit || len(c.Body) < initHeader {
		return false
	}
	e := &a.ends[side]
	if e.tag == 0 {
		return e.seen.known
	}
	return e.tag != be.Uint32(c.Body[4:])
}

// Client returns the side that asked for the association, if that was seen.
func (a *Association) Client() (side int, ok bool) {
	for i := range a.ends {
		if a.ends[i].asked || a.ends[i^1].accepted {
			return i, true
		}
	}
	return 0, false
}

// Closed tells whether no side will send more.
func (a *Association) Closed() bool { return a.shut || a.aborted }

// Refused tells whether the association was aborted before it was open.
func (a *Association) Refused() bool {
	return a.aborted && !a.cookie && (a.ends[0].asked || a.ends[1].asked)
}

// State returns the values of conn_state and conn_ended.
func (a *Association) State() (state, ended string) {
	_, begun := a.Client()
	switch {
	case a.aborted:
		return "closed", "reset"
	case a.shut:
		return "closed", "fin"
	case begun:
		return "open", "open"
	}
	return "in_progress", "open"
}

// Describe sets the fields of the association's health.
func (a *Association) Describe(v *field.Values) {
	field.ConnHandshake.Set(v, a.setup/1000)
	field.ConnRetransmissions.Set(v, a.again)
	field.ConnMissingChunks.Set(v, a.Missing())
	field.ConnGoodput.Set(v, a.payload)
}

// Goodput returns the bytes of user messages, each counted once.
func (a *Association) Goodput() int64 { return a.payload }

// Missing returns how many data chunks were never captured, by their numbers.
func (a *Association) Missing() int64 {
	return a.ends[0].seen.missing() + a.ends[1].seen.missing()
}
