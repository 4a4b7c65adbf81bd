// Package grpc reads gRPC calls, which HTTP/2 carries:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
//
// The method is the request's path, the messages are prefixed with their length
// in the bodies, and the status comes in the response's trailers, or in its
// headers when there is nothing else.
//
// gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md) goes over any
// version of HTTP: its trailers stand in the body behind the messages, and in its text form
// all of that is in base64.
package grpc

import (
	"bytes"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// Protocol is gRPC over HTTP/2, and gRPC-Web.
var Protocol = &dissector.Protocol{
	Name:      "grpc",
	Label:     "gRPC",
	Doc:       "gRPC calls over HTTP/2, and gRPC-Web calls over any HTTP.",
	Transport: dissector.TCP,
	Fields:    field.Fields(Method, Service, Status, StatusMessage, RequestMessages, ResponseMessages, Compressed, Web),
	Implies:   []string{"http"},
	Over:      "http",
	Carry:     &dissector.Rider{Claim: claim, Body: body, Done: done},
	Content:   content,
}

// The fields of gRPC beyond those of HTTP.
var (
	Method           = field.NewText("grpc_method", "Method that is called: the last segment of the path.", `grpc && grpc_method == "Charge"`)
	Service          = field.NewText("grpc_service", "Service that the method belongs to, with its package: the path before the method.", `grpc && grpc_service == "payments.Payment"`)
	Status           = field.NewInt("grpc_status", "", "Status of the call, from the trailers or the headers of the response; 0 is OK.", "grpc && grpc_status == 14")
	StatusMessage    = field.Rarely(field.NewText("grpc_message", "What the server says about the status, percent-decoded.", `grpc && grpc_message.contains("no such host")`))
	RequestMessages  = field.NewInt("grpc_request_messages", "", "Messages of the client that were seen whole; a call that was cut short may have more.", "grpc && grpc_request_messages > 1")
	ResponseMessages = field.NewInt("grpc_response_messages", "", "Messages of the server that were seen whole; a call that was cut short may have more.", "grpc && grpc_response_messages == 0")
	Compressed       = field.Rarely(field.NewBool("grpc_compressed", "Messages of the call are compressed, by the coding in the header grpc-encoding.", "grpc && grpc_compressed"))
	Web              = field.Rarely(field.NewText("grpc_web", "Form of gRPC-Web that the call has: binary, or text, which is base64; empty for gRPC itself.", `grpc && grpc_web != ""`))
)

// The limits of what is kept.
const (
	maxStatusMessage = 4 << 10 // bytes of a status message
	maxTrailers      = 8 << 10 // bytes of the trailers in a body
)

// claim takes messages by their content type.
func claim(m *dissector.Message) bool { return formOf(contentType(m)) != notGRPC }

// contentType returns the content type of a message. A response without one, such as
// one whose headers could not be told, has that of its request.
func contentType(m *dissector.Message) []byte {
	t, ok := http.ContentType(m)
	if !ok && m.From == dissector.Server {
		if req := m.Peer(); req != nil {
			t, _ = http.ContentType(req)
		}
	}
	return t
}

// form is how a message is written.
type form uint8

const (
	notGRPC form = iota
	plain
	webBinary
	webText
)

// formOf tells whether a content type is application/grpc, application/grpc-web or
// application/grpc-web-text, maybe with the message format behind a plus sign.
func formOf(contentType []byte) form {
	const name, web, inText = "application/grpc", "-web", "-text"
	if len(contentType) < len(name) {
		return notGRPC
	}
	begin, rest := contentType[:len(name)], contentType[len(name):]
	if string(begin) != name && (begin[len(name)-1]|0x20 != 'c' || !bytes.EqualFold(begin, []byte(name))) {
		return notGRPC // application/json, which is as long, without looking at all of it
	}
	f := plain
	if len(rest) >= len(web) && bytes.EqualFold(rest[:len(web)], []byte(web)) {
		if f, rest = webBinary, rest[len(web):]; len(rest) >= len(inText) && bytes.EqualFold(rest[:len(inText)], []byte(inText)) {
			f, rest = webText, rest[len(inText):]
		}
	}
	if len(rest) == 0 || rest[0] == '+' || rest[0] == ';' || rest[0] == ' ' {
		return f
	}
	return notGRPC
}

func done(m *dissector.Message) {
	setForm(m)
	if m.From == dissector.Client {
		setMethod(&m.Values, http.Path.Get(&m.Values))
		setMessages(m, RequestMessages)
		return
	}
	if trailers := trailersInBody(m); len(trailers) > 0 {
		http.ResponseTrailers.AddLines(&m.Values, trailers)
	}
	if !setStatus(&m.Values) && whole(m) {
		dissector.Failed.Set(&m.Values, true)
		dissector.Status.SetString(&m.Values, noStatus)
	}
	setMessages(m, ResponseMessages)
	if req := m.Peer(); req != nil && !claim(req) {
		setMethod(&m.Values, http.Path.Get(&req.Values)) // nobody could tell that the request is gRPC
	}
}

// noStatus is the status of a response that ended without one. Clients make an error of it,
// UNKNOWN or INTERNAL, whatever the messages say.
const noStatus = "no grpc-status"

// whole tells whether all of a good response of HTTP/2 was seen, to its end: a status that is
// not there was not sent.
func whole(m *dissector.Message) bool {
	return dissector.StatusCode.Get(&m.Values) == 200 && !m.Truncated && !m.Resumed && !m.Cancel && m.Lost == 0 && formOf(contentType(m)) == plain
}

// setForm says which form of gRPC-Web a message has, if it is one.
func setForm(m *dissector.Message) {
	var f form
	if c, ok := m.Ride.(*counter); ok {
		f = c.form
	} else {
		f = formOf(contentType(m))
	}
	switch f {
	case webBinary:
		Web.SetString(&m.Values, "binary")
	case webText:
		Web.SetString(&m.Values, "text")
	}
}

// setMethod takes a path apart: "/" service "/" method.
func setMethod(v *field.Values, path []byte) {
	i := bytes.LastIndexByte(path, '/')
	if i < 0 {
		return
	}
	Method.Set(v, path[i+1:])
	Service.Set(v, bytes.TrimPrefix(path[:i], []byte("/")))
	dissector.Operation.Set(v, path[i+1:])
}

// setStatus reads the status of a call, and tells whether it has one. It stands in the
// trailers, or in the headers of a response that has nothing else ("Trailers-Only").
func setStatus(v *field.Values) bool {
	from := http.ResponseTrailers
	text, ok := from.Get(v, "grpc-status")
	if !ok {
		from = http.ResponseHeaders
		if text, ok = from.Get(v, "grpc-status"); !ok {
			return false
		}
	}
	code, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return false
	}
	Status.Set(v, int64(code))
	if code != 0 {
		dissector.Failed.Set(v, true)
	}
	dissector.Status.SetString(v, statusText(code))
	if message, ok := from.Get(v, "grpc-message"); ok && len(message) > 0 {
		StatusMessage.Set(v, unescape(message[:min(len(message), maxStatusMessage)]))
	}
	return true
}

// statusText returns a status code and its name:
// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md.
func statusText(code uint64) string {
	if code < uint64(len(statusTexts)) {
		return statusTexts[code]
	}
	return strconv.FormatUint(code, 10)
}

var statusTexts = [...]string{
	"0 OK", "1 CANCELLED", "2 UNKNOWN", "3 INVALID_ARGUMENT", "4 DEADLINE_EXCEEDED", "5 NOT_FOUND",
	"6 ALREADY_EXISTS", "7 PERMISSION_DENIED", "8 RESOURCE_EXHAUSTED", "9 FAILED_PRECONDITION",
	"10 ABORTED", "11 OUT_OF_RANGE", "12 UNIMPLEMENTED", "13 INTERNAL", "14 UNAVAILABLE",
	"15 DATA_LOSS", "16 UNAUTHENTICATED",
}

// unescape undoes percent-encoding; what is not encoded rightly stays as it is.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}
