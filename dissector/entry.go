package dissector

import (
	"shark/dissector/field"
	"shark/packet"
)

// Entry is one thing that happened: a call (request and response, or the one
// that was seen), a one-way message, a connection or a flow. It lives as long as
// the call of Sink.Entry that hands it over.
type Entry struct {
	Protocol *Protocol   // the most specific one
	Carriers []*Protocol // the others it belongs to
	Time     int64       // when its first byte was captured, ns since 1970
	End      int64       // when its last byte was
	Conn     uint64      // id of its connection: the number of the connection's first packet
	Group    uint64      // id of its flow: that of one of the flow's connections
	Index    uint32      // position among its connection's entries, in the order they are completed
	// Partition is which of the Partitions it comes from: all entries of a connection,
	// and of a pair of addresses, come from one, and in an order of their own.
	Partition int
	Flow      packet.Flow // from the client to the server
	Tunnel    packet.Tunnel
	VLAN      uint16 // id + 1; 0 when untagged
	Iface     uint32 // interface of its first packet, or NoInterface

	// Request and Response are nil when not seen. A one-way message is the
	// Request, with OneWay set; a connection or flow has its fields there.
	Request, Response *Message
	OneWay            bool
	Interim           int // responses before the final one

	TLS       bool // it was said in TLS and could be read: with secrets, or it is Plaintext
	Plaintext bool // it was taken from a TLS library

	First, Last uint64 // numbers of its first and last packet
	Marks       Marks

	// Packets are the numbers of all packets of a connection, ascending; set on
	// connection entries only.
	Packets []uint64
}

// NoInterface is the interface of a flow whose connections were captured on several.
const NoInterface = 1<<32 - 1

// Marks say what is not certain or not complete about an entry.
type Marks uint16

const (
	// MarkLost says that bytes of it were never captured.
	MarkLost Marks = 1 << iota
	// MarkTruncated says that it ended before it was complete.
	MarkTruncated
	// MarkResumed says that it is the first message after a loss, or its beginning was
	// not captured.
	MarkResumed
	// MarkUnpaired says that its other half may exist but could not be told, after a loss
	// or for a limit of its protocol's.
	MarkUnpaired
	// MarkEvicted says that it was cut short by a memory limit.
	MarkEvicted
)

// Each calls f for every value of the entry: those of the request, then those of
// the response that the request did not set.
func (e *Entry) Each(f func(*field.Field, field.Value)) {
	var req field.Values
	if e.Request != nil {
		req = e.Request.Values
	}
	for i := range req.Len() {
		f(req.At(i))
	}
	if e.Response == nil {
		return
	}
	for i := range e.Response.Len() {
		k, v := e.Response.At(i)
		if k == Failed.Field || k.Kind == field.Map || !req.Has(k) {
			f(k, v)
		}
	}
}

// Sink takes entries. It is called by one goroutine at a time. The sinks of several
// workers share the partitions: entries of one may come to any of them, in their
// order, and never to two at once.
type Sink interface {
	Entry(e *Entry) error
}

// The fields that messages of every protocol may set. The index keeps them with
// the entry itself.
var (
	Operation  = field.NewText("operation", "What was asked for, in the protocol's own word: an HTTP method, a DNS type, a Redis command.", `operation == "GET"`)
	Summary    = field.NewText("summary", "What the entry is about, in one line.", `summary.contains("/cart")`)
	Status     = field.NewText("status", "How it was answered, in the protocol's own words; empty while unanswered.", `status == "NXDOMAIN"`)
	StatusCode = field.NewInt("status_code", "", "The answer's number: HTTP status, DNS response code; 0 when there is none.", `http && status_code >= 500`)
	Failed     = field.NewBool("failed", "The answer says that the call failed, by the protocol's own rules.", `failed && dst.service.name == "payment"`)
)
