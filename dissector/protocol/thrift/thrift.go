// Package thrift reads the calls of Apache Thrift: the binary protocol, with its version
// and as it was before it had one, and the compact protocol
// (https://github.com/apache/thrift/tree/master/doc/specs), each in frames, without, or
// behind a THeader (HeaderFormat.md).
//
// A message in a frame is passed over behind its head. Without a frame only a walk over
// the values of a message finds its end: they are passed over as they come, texts by
// their length, and nothing is kept but the way back up.
//
// A reply is paired with its call by sequence id, where the client counts; clients that
// always send 0 are answered in order, and by the name of the method. Arguments and
// results are not stored, for there may be passwords among them. What a service declares as an exception has no name on the
// wire: it is told by the number of its field.
package thrift

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxFrame   = 1 << 30  // bytes of a frame; Thrift's own default is 16 MB
	maxHead    = 4 << 10  // bytes of a framed message that are looked at, and inflated ones
	maxName    = 255      // bytes of a method's name
	maxText    = 512      // bytes kept of an exception's text
	maxDepth   = 64       // values within values: Thrift's own limit is 64
	maxString  = 1 << 30  // bytes of a text
	maxItems   = 1 << 28  // items of a container
	maxWait    = 16 << 10 // bytes that the probe walks over
	maxWaiting = 4096     // calls without a reply that are remembered
	idleTime   = 1e9      // ns of silence after which no reply is due
)

// The fields.
var (
	Type       = field.NewText("thrift_message_type", "Type of the request's message: CALL, or ONEWAY for one that has no reply.", `thrift_message_type == "ONEWAY"`)
	Reply      = field.NewText("thrift_reply_type", "Type of the answer's message: REPLY, or EXCEPTION for an error of Thrift itself.", `thrift_reply_type == "EXCEPTION"`)
	SequenceID = field.NewInt("thrift_sequence_id", "", "Number by which a reply names its call; many clients always send 0.", `thrift && thrift_sequence_id == 7`)
	Service    = field.NewText("thrift_service", "Service that a multiplexed call names before the method.", `thrift_service == "Shop"`)
	Wire       = field.NewText("thrift_protocol", "Protocol: binary, old binary (without a version) or compact.", `thrift_protocol == "compact"`)
	Transport  = field.NewText("thrift_transport", "Transport: unframed, framed, header, or header (zlib) where it is compressed.", `thrift_transport == "framed"`)
	Exception  = field.NewText("thrift_exception", "Text of the exception: of one that the service declares, its first text.", `thrift_exception.contains("sold out")`)
	Declared   = field.NewInt("thrift_exception_field", "", "Number, in the service's declaration, of the exception that was thrown.", `thrift_exception_field == 1`)
)

// Protocol is Thrift. A call has failed when it is answered by an exception, Thrift's
// own or a declared one.
var Protocol = &dissector.Protocol{
	Name:      "thrift",
	Label:     "Thrift",
	Doc:       "Calls of Apache Thrift.",
	Transport: dissector.TCP,
	Ports:     []uint16{9090},
	Fields: field.Fields(
		field.NewAlias("thrift_method", field.Operation, "Method that is called.", `thrift_method == "add"`),
		Type, Reply, SequenceID, Service, Wire, Transport, Exception, Declared,
	),
	Sync:    "\x80\x82\x00",
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed thrift message")
