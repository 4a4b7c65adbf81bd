// Package http reads HTTP/1.0 and HTTP/1.1 (RFC 9112) and is the home of what
// every version of HTTP shares: its fields (RFC 9110), what a status means, and
// how a body is decoded.
//
// What the parser must remember from one piece of a message to the next, and from
// a request to its response, stands in Message.Notes; but for a head that is too
// long to be read as a whole it holds no state of its own. It never holds a body,
// whatever its length.
package http
