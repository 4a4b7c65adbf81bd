// Package quic reads QUIC (RFC 9000, RFC 9001, RFC 9369 and drafts): what keys from the packets
// themselves open, which is Initial packets, Retry and Version Negotiation, and with the secrets of
// the handshake what follows: the server's Handshake packets as far as they say what is spoken,
// 0-RTT and 1-RTT packets. What those say in streams is told as records (package record), for the
// parser of what is spoken.
//
// An entry is a connection: the client's ClientHello is the request, the server's
// ServerHello, Version Negotiation or CONNECTION_CLOSE the response; Retry and
// HelloRetryRequest are interim. All else, such as packets sent again and those of the
// connection itself, makes no entry. A CONNECTION_CLOSE that answers nothing is one-way.
//
// A conversation of two ports may hold several connections, which their connection
// IDs tell apart. Where a client goes on from another port of its address (RFC 9000 section
// 9), such as behind a NAT that forgot the first one, its packets there are a conversation
// of their own, which a one-way entry ties to the handshake. It is known by a connection ID
// that was seen before: the one that the server gave in the handshake, or another one of
// the same length that the client used since. New ones are exchanged encrypted, and a client
// that moves of its own accord takes one of those (section 9.5): it is not known again,
// nor is one whose address is another, one whose server gave an ID of less than 4 bytes
// (dissector.MinTrail), or one of several connections of a port with an ID given later.
//
// Google's QUIC, versions Q0xx and T0xx, is another protocol.
package quic

import (
	"errors"
	"slices"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/tls"
)

// Limits on what packets may make us do or keep.
const (
	maxConnections = 8         // handshakes of a conversation that are remembered
	maxHello       = 8 << 10   // bytes of CRYPTO frames of a side; RFC 9000 section 7.5 asks for 4096
	maxHoles       = 2 << 10   // bytes that may be missing before a CRYPTO frame: of a common hello at most its first datagram
	maxPieces      = 64        // runs of CRYPTO bytes with holes between them
	maxPackets     = 16        // packets of a datagram
	maxVersions    = 32        // versions that are listed
	maxParameters  = 64        // transport parameters that are looked at
	maxText        = 256       // bytes of a reason or of a parameter
	maxStreams     = 1024      // streams of a side that are open; beyond, the oldest ones are passed over
	maxSkipped     = 256       // streams of a kind that are open because a later one is; servers allow 100 or 128 at a time
	maxHeld        = 256 << 10 // bytes of a side's streams that wait for what is before them
	maxChunks      = 512       // runs of bytes of a stream that wait
	maxWait        = 2e9       // ns that they do
	maxOffered     = 8         // application protocols that are remembered
	maxWrong       = 64        // packets in a row that do not open
	minSegment     = 1200      // bytes of a datagram that is one of several: the least that all paths take (RFC 9000 section 14)
	maxSegment     = 1500      // the same, and the most that Ethernet does
)

// The fields. What the handshake says is in TLS's.
var (
	Version         = field.NewInt("quic_version", "", "Version of the client's first packet as its number: 1 is QUIC v1, 1798521807 (0x6b3343cf) v2.", `quic && quic_version != 1`)
	VersionName     = field.NewText("quic_version_name", "Version of the client's first packet by its name: v1, v2, draft-29 and so on.", `quic_version_name == "v2"`)
	Negotiated      = field.NewText("quic_negotiated_version", "Version of the server's first packet by its name.", `quic && quic_negotiated_version != quic_version_name`)
	Offered         = field.NewList("quic_versions", "Versions that the server offers in a Version Negotiation, by their names; at most 32.", `"v1" in quic_versions`)
	Destination     = field.NewText("quic_dcid", "Destination connection ID of the client's first packet, hexadecimal: the connection's name in logs.", `size(quic_dcid) > 16`)
	ClientID        = field.NewText("quic_client_cid", "Connection ID of the client, hexadecimal; empty when it has none.", `size(quic_client_cid) == 8`)
	ServerID        = field.NewText("quic_server_cid", "Connection ID of the server, hexadecimal; of a migration the one that the client goes on with.", `size(quic_server_cid) > 8`)
	MigratedFrom    = field.NewText("quic_migrated_from", "Address and port from which the client spoke before it went on from here; quic_dcid is that of its handshake.", `quic_migrated_from != ""`)
	Token           = field.NewInt("quic_token", "bytes", "Length of the token in the client's first packet: it was there before.", `quic && quic_token > 0`)
	Retry           = field.NewBool("quic_retry", "The server made the client prove its address first (Retry).", `quic && quic_retry`)
	ZeroRTT         = field.NewBool("quic_zero_rtt", "The client sent data before the server's answer (0-RTT).", `quic && quic_zero_rtt`)
	Retransmissions = field.NewInt("quic_retransmissions", "", "How often bytes of the client's hello were sent again before the answer; not set when they were not.", `quic && quic_retransmissions > 0`)
	Application     = field.NewText("quic_application", "What the first application protocol that the client offers stands for: HTTP/3, DNS over QUIC and so on; empty when that is not known.", `quic_application == "DNS over QUIC"`)
	IdleTimeout     = field.NewInt("quic_max_idle_timeout", "ms", "max_idle_timeout of the client.", `quic && quic_max_idle_timeout < 10000`)
	MaxPayload      = field.NewInt("quic_max_udp_payload_size", "bytes", "max_udp_payload_size of the client.", `quic && quic_max_udp_payload_size < 1400`)
	MaxData         = field.NewInt("quic_initial_max_data", "bytes", "initial_max_data of the client: how much the server may send at first.", `quic && quic_initial_max_data < 65536`)
	Parameters      = field.NewMap("quic_transport_parameters", "Transport parameters of the client by their names; connection IDs and what is not known are hexadecimal.", `quic_transport_parameters["max_datagram_frame_size"] != ""`)
	ErrorCode       = field.NewInt("quic_error_code", "", "Error code of a CONNECTION_CLOSE; 256 and above are TLS alerts.", `quic && quic_error_code == 376`)
	ErrorName       = field.NewText("quic_error", "Error of a CONNECTION_CLOSE by its name.", `quic_error == "CONNECTION_REFUSED"`)
	Reason          = field.NewText("quic_reason", "Reason phrase of a CONNECTION_CLOSE.", `quic_reason.contains("closing")`)
)

// Protocol is the QUIC handshake. A connection has failed when the server closes it or
// offers other versions than the client's, which ends the attempt (RFC 9000 section
// 6.2): the client may begin another one, which is an entry of its own.
var Protocol = &dissector.Protocol{
	Name:      "quic",
	Label:     "QUIC",
	Doc:       "QUIC handshakes: what client and server say before they go on encrypted. What they say then is read with the secrets.",
	Transport: dissector.UDP,
	Ports:     []uint16{443, 853, 8443, 4433, 784, 8853},
	Implies:   []string{"tlsx"},
	Fields: slices.Concat(field.Fields(
		Version, VersionName, Negotiated, Offered, Destination, ClientID, ServerID, MigratedFrom, Token, Retry, ZeroRTT, Retransmissions,
		Application, IdleTimeout, MaxPayload, MaxData, Parameters, ErrorCode, ErrorName, Reason,
	), handshake),
	Probe:   probe,
	Trail:   shortID,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

// handshake are the fields of TLS that QUIC shares: those of the hellos and of alerts.
// A certificate and what the server chose besides are encrypted.
var handshake = shared(
	"tlsx_sni", "tlsx_cipher_suites", "tlsx_alpn_offered", "tlsx_versions", "tlsx_extensions", "tlsx_ja3", "tlsx_ja4",
	"tlsx_version", "tlsx_version_name", "tlsx_cipher_suite", "tlsx_cipher", "tlsx_group", "tlsx_ja3s",
	"tlsx_resumed", "tlsx_hello_retry", "tlsx_alert", "tlsx_alert_level", "tlsx_summary", "tlsx_info",
	"tls_summary", "tls_info", "tls_request_size", "tls_response_size", "tls_total_size",
)

// Some of them are looked at or set here.
var (
	suite      = field.IntField{Field: shared("tlsx_cipher_suite")[0]}
	tlsVersion = field.IntField{Field: shared("tlsx_version")[0]}
	helloRetry = field.BoolField{Field: shared("tlsx_hello_retry")[0]}
	serverName = field.TextField{Field: shared("tlsx_sni")[0]}
)

// shared returns the fields of TLS that have one of the names.
func shared(names ...string) []*field.Field {
	var out []*field.Field
	for _, f := range tls.Protocol.Fields {
		if slices.Contains(names, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

var (
	errMalformed = errors.New("malformed quic packet")
	errKeys      = errors.New("quic packet of a handshake that was not seen")
	errTooLong   = errors.New("hello is too long")
)
