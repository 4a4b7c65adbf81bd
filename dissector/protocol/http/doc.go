// Package http reads HTTP/1.0 and HTTP/1.1 (RFC 9112) and is the home of what
// every version of HTTP shares: its fields (RFC 9110), what a status means, and
// how a body is decoded.
//
// The parser holds no state of its own: what it must remember from one piece of
// a message to the next, and from a request to its response, stands in
// Message.Notes. It never holds a body, whatever its length.
package http
