// Package http2 reads HTTP/2 (RFC 9113) in clear text: with prior knowledge,
// after an upgrade from HTTP/1.1, or decrypted.
//
// Each stream is an exchange, its id the key. HEADERS with their CONTINUATIONs,
// DATA and RST_STREAM are pieces of its messages; all other frames say nothing
// about an exchange and are passed over. A pushed response is an entry without a
// request: what PUSH_PROMISE promises stands in it.
//
// Header compression makes every block depend on those before it. When some of
// them are missing, what can no longer be known is left out and counted in
// http2_unknown_headers; what is given is right.
package http2

import (
	"slices"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// Protocol is HTTP/2 over TCP.
var Protocol = &dissector.Protocol{
	Name:      "http2",
	Label:     "HTTP/2",
	Doc:       "HTTP/2 requests and responses (RFC 9113), also on connections whose beginning was not captured.",
	Transport: dissector.TCP,
	Ports:     []uint16{50051, 80, 8080},
	Fields:    slices.Concat(http.Fields, field.Fields(StreamID, Reset, Unknown, Holed)),
	Implies:   []string{"http"},
	Sync:      "\x00", // of the frame's length
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return newParser().parse },
	Content:   http.Content,
}

// The fields of HTTP/2 beyond those of HTTP.
var (
	StreamID = field.NewInt("http2_stream", "", "Id of the stream in its connection.", "http2 && http2_stream == 1")
	Reset    = field.NewText("http2_reset", "Error code with which a side ended the stream early (RST_STREAM).", `http2 && http2_reset == "REFUSED_STREAM"`)
	Unknown  = field.NewInt("http2_unknown_headers", "", "How many header fields could not be told, because earlier ones they refer to were not captured. One of which only the name could not be told is in the headers as ?.", "http2 && http2_unknown_headers > 0")
	Holed    = field.NewBool("http2_holed", "Bytes of the connection are missing from the time of this exchange: frames of it may be among them.", "http2 && http2_holed")
)

// version is the value of http_version.
const version = "HTTP/2"

// The limits of what is read, beside those of package hpack.
const (
	maxBlock         = 64 << 10 // bytes of a header block and its frames; larger ones are passed over and leave their fields unknown
	maxContinuations = 64       // frames that one header block may go on in
	maxStreams       = 1024     // streams of a connection that are remembered at a time
	maxUnknownFrame  = 16 << 10 // length of a frame of unknown type: the default SETTINGS_MAX_FRAME_SIZE
	maxProbeFrames   = 32       // frames that a probe walks through
	keepLines        = 8 << 10  // memory for header lines that is kept from list to list
)
