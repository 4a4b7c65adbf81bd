// Package tls reads the part of a TLS handshake that is sent in the clear: the
// client's hello and the server's answer to it (RFC 8446, RFC 5246, and SSL 3.0
// and the SSL 2.0 form of a hello as RFC 6101 and RFC 5246, appendix E, have
// them). An entry is a handshake; after it the connection is opaque, unless there are
// secrets of the session.
//
// The parser takes records one by one. It keeps bytes only of a handshake
// message that goes on in a further record.
//
// With secrets, an opener takes the encryption off the records behind the hellos, of all
// suites with AES or ChaCha20 and of 3DES, from TLS 1.0 to 1.3. What a record says is given only
// if its own check holds. The next key (of a TLS 1.3 handshake's end, or of a key update) is known
// by the first record that opens with it. Where bytes are missing, a place is proven by a record
// that opens with one of the next numbers; behind a handshake of which bytes are missing nothing
// can be read. What TLS 1.3 says encrypted of its handshake, such as
// the certificate, goes into the handshake's entry.
package tls
