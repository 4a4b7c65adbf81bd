// Package kerberos reads what clients and a key distribution centre of Kerberos 5
// (RFC 4120) say to each other, over UDP, a message a datagram, and over TCP, where
// four bytes with its length come before each message (RFC 4120 section 7.2.2).
//
// Over TCP responses pair in order. Over UDP a response pairs with the request
// between the same ports that it can be the answer to; a request that is sent again
// as it was is not another call.
//
// Most of a message is encrypted: keys, and what a ticket says, are never seen. Who
// asks for a ticket with a ticket is only in the answer.
//
// AP-REQ and what else applications say to each other stands in their protocols and is
// not read here.
package kerberos

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxMessage = 1 << 20   // bytes of a message; what the servers accept
	maxHead    = 128 << 10 // bytes looked at of one message: before a request's body stand whole tickets
	maxText    = 512       // bytes of a name or of an error's text
	maxListed  = 32        // items of a list
	maxAwaited = 16        // requests between two ports of UDP whose answers are awaited
)

// The fields.
var (
	Realm       = field.NewText("kerberos_realm", "Realm that is asked for a ticket.", `kerberos_realm == "SHOP.EXAMPLE"`)
	ClientName  = field.NewText("kerberos_client", "Principal whom the ticket is for, with its realm; that of a TGS-REQ is known by its answer only.", `kerberos_client.startsWith("alice@")`)
	ServerName  = field.NewText("kerberos_server", "Principal whose ticket is asked for, with its realm.", `kerberos_server.startsWith("HTTP/")`)
	Options     = field.NewList("kerberos_options", "Options of the request that are set, such as forwardable or canonicalize.", `"renew" in kerberos_options`)
	Till        = field.NewText("kerberos_till", "Until when the ticket shall hold, as RFC 3339 writes times.", `kerberos_till > "2026"`)
	Etypes      = field.NewList("kerberos_etypes", "Encryption types that the client offers, by name, the best first; at most 32, then ....", `"rc4-hmac" in kerberos_etypes`)
	Padata      = field.NewList("kerberos_padata", "Pre-authentication data of the request, by type; at most 32, then ....", `"PA-ENC-TIMESTAMP" in kerberos_padata`)
	Offered     = field.NewList("kerberos_padata_offered", "Pre-authentication data that the server asks for where it needs some, by type; at most 32, then ....", `"PA-ENC-TIMESTAMP" in kerberos_padata_offered`)
	TicketEtype = field.NewText("kerberos_ticket_etype", "Encryption type of the ticket that is given.", `kerberos_ticket_etype == "rc4-hmac"`)
	ReplyEtype  = field.NewText("kerberos_reply_etype", "Encryption type of the answer's part for the client.", `kerberos_reply_etype == "aes128-cts-hmac-sha1-96"`)
	Error       = field.NewText("kerberos_error", "Error by name, such as KDC_ERR_C_PRINCIPAL_UNKNOWN.", `kerberos_error == "KDC_ERR_PREAUTH_FAILED"`)
	ErrorCode   = field.NewInt("kerberos_error_code", "", "Error by number.", `kerberos && kerberos_error_code == 24`)
	ErrorText   = field.NewText("kerberos_error_text", "What the server says to an error.", `kerberos_error_text.contains("PREAUTH")`)
	Repeats     = field.NewInt("kerberos_retransmissions", "", "How often the request was sent again before its answer; not set when it was not.", `kerberos && kerberos_retransmissions > 0`)
)

// Protocol is Kerberos. A call has failed when it is answered with an error, but for
// those that tell the client how to go on: KDC_ERR_PREAUTH_REQUIRED and
// KDC_ERR_MORE_PREAUTH_DATA_REQUIRED bring what it needs for its next request, as a
// part of the same exchange (RFC 4120 section 3.1.3, RFC 6113 section 5.2), and
// KRB_ERR_RESPONSE_TOO_BIG sends it to TCP (RFC 4120 section 7.2.1).
var Protocol = &dissector.Protocol{
	Name:      "kerberos",
	Label:     "Kerberos",
	Doc:       "Kerberos 5 tickets asked for and given, over UDP and TCP.",
	Transport: dissector.TCP | dissector.UDP,
	Ports:     []uint16{88},
	Fields: field.Fields(
		field.NewAlias("kerberos_type", field.Operation, "Request: AS-REQ or TGS-REQ.", `kerberos_type == "TGS-REQ"`),
		field.NewAlias("kerberos_request_size", field.RequestSize, "Size of the request.", `kerberos_request_size > 500`),
		field.NewAlias("kerberos_response_size", field.ResponseSize, "Size of the answer.", `kerberos_response_size > 500`),
		field.NewAlias("kerberos_total_size", field.TotalSize, "Size of both.", `kerberos_total_size > 1000`),
		Realm, ClientName, ServerName, Options, Till, Etypes, Padata, Offered, TicketEtype, ReplyEtype,
		Error, ErrorCode, ErrorText, Repeats,
	),
	Sync:    "\x00",
	Probe:   probe,
	Outline: outlined,
	New: func(t dissector.Transport) dissector.Parse {
		p := new(parser)
		if t == dissector.UDP {
			return p.datagram
		}
		return p.stream
	},
}

var errMalformed = errors.New("malformed kerberos message")
