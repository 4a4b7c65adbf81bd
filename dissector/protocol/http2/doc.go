// Package http2 reads HTTP/2 (RFC 9113) in clear text: with prior knowledge,
// after an upgrade from HTTP/1.1, or decrypted.
//
// Each stream is an exchange, its id the key. HEADERS with their CONTINUATIONs,
// DATA and RST_STREAM are pieces of its messages. GOAWAY is remarked on all that are
// going on, and ends those that it refuses. SETTINGS and WINDOW_UPDATE tell when a side
// could not go on with its DATA. All other frames say nothing about an exchange and are
// passed over. PUSH_PROMISE is the request that the response answers which it promises, as if the
// client had made it. The request that asked for an upgrade is answered on stream 1. What a client says first is a request of its own, PRI, where a server refuses
// it or nothing comes of it.
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
	Fields:    slices.Concat(http.Fields, field.Fields(StreamID, Pushed, Reset, Unprocessed, GoAway, GoAwayDebug, RequestStall, ResponseStall, Exhausted, WindowsUnknown, Unknown, Holed)),
	Implies:   []string{"http"},
	Sync:      "\x00", // of the frame's length
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return newParser().parse },
	Content:   http.Content,
}

// The fields of HTTP/2 beyond those of HTTP.
var (
	StreamID       = field.NewInt("http2_stream", "", "Id of the stream in its connection.", "http2 && http2_stream == 1")
	Pushed         = field.Rarely(field.NewBool("http2_pushed", "The client did not ask: the server did in its place, and pushed the response (PUSH_PROMISE).", "http2 && http2_pushed"))
	Reset          = field.Rarely(field.NewText("http2_reset", "Error code with which a side ended the stream early (RST_STREAM).", `http2 && http2_reset == "REFUSED_STREAM"`))
	Unprocessed    = field.Rarely(field.NewBool("http2_unprocessed", "The server said that it did nothing for this request, so that it is safe to send it again: it refused the stream (RST_STREAM with REFUSED_STREAM), or did not take it any more when it went away (GOAWAY).", `http2 && http2_unprocessed`))
	GoAway         = field.Rarely(field.NewText("http2_goaway", "Error code with which a side announced the end of the connection (GOAWAY) while the call was going on, or refused the call for having done so. Of several the last one, but NO_ERROR takes no other's place.", `http2 && http2_goaway == "ENHANCE_YOUR_CALM"`))
	GoAwayDebug    = field.Rarely(field.NewText("http2_goaway_debug", "What the side that sent GOAWAY said besides, often why; at most 1024 bytes of it.", `http2_goaway_debug == "too_many_calls"`))
	RequestStall   = field.Rarely(field.NewInt("http2_request_stall", "µs", "How long the client could not go on with its body, for the server's flow-control window was used up, until the WINDOW_UPDATE that let it go on (or the RST_STREAM that ended the wait), seen from where it was captured. Not set when it never waited, when the body has no end, or with http2_windows_unknown.", "http2 && http2_request_stall > 100000"))
	ResponseStall  = field.Rarely(field.NewInt("http2_response_stall", "µs", "The same of the server: the client, or whoever reads for it, took the response slowly.", "http2 && http2_response_stall > 100000"))
	Exhausted      = field.Rarely(field.NewText("http2_exhausted_window", "Flow-control window that was used up, the first time, before a side had ended its body: stream, or connection, which all calls of the connection share. Without a stall, the call may have waited until its connection ended.", `http2 && http2_exhausted_window == "connection"`))
	WindowsUnknown = field.Rarely(field.NewBool("http2_windows_unknown", "A side may have waited for a flow-control window without this being told: what the windows were is not known, for the connection's beginning or bytes of it were not captured, or it began as HTTP/1.1 (upgrade). Set only where there is a body.", "http2 && !http2_windows_unknown && http2_response_stall == 0"))
	Unknown        = field.Rarely(field.NewInt("http2_unknown_headers", "", "How many header fields could not be told, because earlier ones they refer to were not captured. One of which only the name could not be told is in the headers as ?.", "http2 && http2_unknown_headers > 0"))
	Holed          = field.Rarely(field.NewBool("http2_holed", "Bytes of the connection are missing from the time of this exchange: frames of it may be among them.", "http2 && http2_holed"))
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
	maxControl       = 16 << 10 // bytes of a frame of settings or GOAWAY; larger ones are passed over, and the windows unknown from then on
	maxDebug         = 1 << 10  // bytes of the debug data of a GOAWAY
	maxGoAways       = 8        // GOAWAYs of a side that calls are told of
	maxSettings      = 8        // SETTINGS of a side that are not acknowledged; with more of them the windows are unknown
)
