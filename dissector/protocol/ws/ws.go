// Package ws reads WebSocket (RFC 6455) behind an HTTP upgrade that was accepted.
//
// A message is an entry of its own, however many frames it came in; a ping is paired
// with its pong, whichever side sent it: who pings is the client of that entry. A control
// frame between the fragments of a message is one-way, and its time is that of the
// fragment before it.
//
// Messages that permessage-deflate (RFC 7692) has packed are inflated, with all that went
// before them on their side. After a loss those are read that do not refer to what is
// missing; the others say so in ws_unreadable.
package ws

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Protocol is WebSocket over TCP.
var Protocol = &dissector.Protocol{
	Name:      "ws",
	Label:     "WebSocket",
	Doc:       "WebSocket messages (RFC 6455) behind an HTTP upgrade.",
	Transport: dissector.TCP,
	Fields: field.Fields(Opcode, Request, Response, RequestData, ResponseData, RequestLength, ResponseLength,
		ContentLength, Frames, Compressed, Unreadable, Unmasked, CloseCode, CloseReason),
	Sync:    "\x81\x82\xc1\xc2", // messages in one frame
	Probe:   probe,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
	Content: content,
}

// The fields of WebSocket.
var (
	Opcode         = field.NewText("ws_opcode", "Kind of message: text, binary, close, ping or pong; continuation where the beginning of a message is missing.", `ws && ws_opcode == "text"`)
	Request        = field.NewBool("ws_request", "The client of the connection sent it; of a ping and its pong each side sent one.", `ws && ws_request`)
	Response       = field.NewBool("ws_response", "The server of the connection sent it; of a ping and its pong each side sent one.", `ws && ws_response`)
	RequestData    = field.NewText("ws_request_payload_data", "Beginning of what the client says, unmasked and inflated, where it is text.", `ws && ws_request_payload_data.contains("order")`)
	ResponseData   = field.NewText("ws_response_payload_data", "Beginning of what the server says, inflated, where it is text.", `ws && ws_response_payload_data.contains("stock")`)
	RequestLength  = field.NewInt("ws_request_payload_length", "bytes", "Length of the client's payload as sent, without frame headers.", `ws && ws_request_payload_length > 1000`)
	ResponseLength = field.NewInt("ws_response_payload_length", "bytes", "Length of the server's payload as sent, without frame headers.", `ws && ws_response_payload_length > 1000`)
	ContentLength  = field.NewInt("ws_content_length", "bytes", "Length of a compressed message once it is inflated.", `ws && ws_content_length > 10000`)
	Frames         = field.NewInt("ws_frames", "", "Frames that a message came in, where they are more than one.", `ws && ws_frames > 10`)
	Compressed     = field.NewBool("ws_compressed", "The message is compressed (permessage-deflate).", `ws && ws_compressed`)
	Unreadable     = field.NewText("ws_unreadable", "Why a compressed message could not be inflated.", `ws && ws_unreadable != ""`)
	Unmasked       = field.NewBool("ws_unmasked", "The client did not mask it, as it must.", `ws && ws_unmasked`)
	CloseCode      = field.NewInt("ws_close_code", "", "Status code of a close; 1005 when it gives none.", `ws && ws_close_code == 1011`)
	CloseReason    = field.NewText("ws_close_reason", "What a close says besides its code.", `ws && ws_close_reason != ""`)
)

// The limits of what is kept and done.
const (
	maxData     = 256       // bytes of a message's content that are kept
	maxSummary  = 100       // bytes of it in the summary
	maxPacked   = 256 << 10 // bytes of a compressed message
	maxWindow   = 32 << 10  // bytes that deflate refers back to, RFC 1951
	freeInflate = 256 << 10 // bytes that a side's messages may inflate to, and
	maxRatio    = 64        // for each packed one of all of them these more
	maxPings    = 64        // pings of a side that wait for their pong
	sureLength  = 4         // bytes of a ping's payload that tell it from others
	maxFrames   = 256       // frames that a probe walks through
	enough      = 32        // bits of evidence for the place of a frame
	certain     = 32        // bytes of masked text that nothing else can be
)

// The values of the field Unreadable.
const (
	refersToLost = "refers to what was not captured"
	tooLarge     = "larger than is inflated"
	malformed    = "does not inflate"
)

var (
	errFrame  = errors.New("malformed frame")
	errMask   = errors.New("masked by the server, or not by the client after a loss")
	errInside = errors.New("a message inside another, or a fragment of none")
)
