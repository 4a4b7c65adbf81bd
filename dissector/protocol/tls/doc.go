// Package tls reads the part of a TLS handshake that is sent in the clear: the
// client's hello and the server's answer to it (RFC 8446, RFC 5246, and SSL 3.0
// and the SSL 2.0 form of a hello as RFC 6101 and RFC 5246, appendix E, have
// them). An entry is a handshake; after it the connection is opaque.
//
// The parser takes records one by one. It keeps bytes only of a handshake
// message that goes on in a further record.
package tls
