// Package http3 reads HTTP/3 (RFC 9114): what the two sides of a QUIC connection say in its
// streams, once the secrets have opened them.
//
// Each stream that the client opens for both sides is an exchange, its ID the key. HEADERS and
// DATA are pieces of its messages, and so is how a side ends it: with its last bytes,
// RESET_STREAM or STOP_SENDING. GOAWAY and the end of the connection are remarked on all that
// are going on, and end those that they refuse. SETTINGS and the streams of QPACK say what
// field sections mean. Pushes (section 4.6), which clients do not allow, and what is said in
// streams and frames of unknown types are passed over.
//
// Where bytes of a stream are missing from the capture, what can no longer be known is left
// out: the rest of a message behind a hole in its frames, and fields that refer to what was
// inserted there, which http3_unknown_headers counts. A hole inside a body does it no harm but
// that it is incomplete.
package http3

import (
	"slices"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// Protocol is HTTP/3. It is never probed for: a handshake of QUIC agrees on it.
var Protocol = &dissector.Protocol{
	Name:      "http3",
	Label:     "HTTP/3",
	Doc:       "HTTP/3 requests and responses (RFC 9114) in connections of QUIC that the secrets open.",
	Transport: dissector.QUIC,
	Ports:     []uint16{443},
	Fields:    slices.Concat(httpFields, field.Fields(StreamID, Reset, Unprocessed, GoAway, Closed, Unknown)),
	Implies:   []string{"http"},
	Probe:     func([]byte) dissector.Guess { return dissector.No },
	New:       func(dissector.Transport) dissector.Parse { return newParser().parse },
	Content:   http.Content,
}

// httpFields are those of HTTP but for the reason phrase, which there is none of.
var httpFields = slices.DeleteFunc(slices.Clone(http.Fields), func(f *field.Field) bool { return f == http.Reason.Field })

// The fields of HTTP/3 beyond those of HTTP.
var (
	StreamID    = field.NewInt("http3_stream", "", "ID of the stream in its connection.", "http3 && http3_stream == 0")
	Reset       = field.Rarely(field.NewText("http3_reset", "Error code with which a side ended the stream early (RESET_STREAM or the client's STOP_SENDING).", `http3 && http3_reset == "H3_REQUEST_CANCELLED"`))
	Unprocessed = field.Rarely(field.NewBool("http3_unprocessed", "The server said that it did nothing for this request, so that it is safe to send it again: it rejected the stream (H3_REQUEST_REJECTED), or did not take it any more when it went away (GOAWAY).", "http3 && http3_unprocessed"))
	GoAway      = field.Rarely(field.NewBool("http3_goaway", "The server announced the end of the connection (GOAWAY) while the call was going on, or refused the call for having done so.", "http3 && http3_goaway"))
	Closed      = field.Rarely(field.NewText("http3_closed", "Error code with which a side ended the connection while the call was going on.", `http3 && http3_closed != "H3_NO_ERROR"`))
	Unknown     = field.Rarely(field.NewInt("http3_unknown_headers", "", "How many header fields could not be told, because earlier ones they refer to were not captured. One of which only the name could not be told is in the headers as ?.", "http3 && http3_unknown_headers > 0"))
)

// version is the value of http_version.
const version = "HTTP/3"

// The limits of what is read, beside those of package qpack.
const (
	maxSection = 64 << 10 // bytes of a field section; larger ones are passed over and their fields unknown
	maxControl = 4 << 10  // bytes of a frame of the control stream; larger ones are passed over
	maxBlocked = 64 << 10 // bytes of a side that wait for what a field section refers to
	maxStreams = 1024     // exchanges of a connection that are remembered at a time
	maxOneWay  = 16       // streams of one side only, for each side; others are passed over
)
