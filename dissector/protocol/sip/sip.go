// Package sip reads SIP (RFC 3261) over UDP and TCP.
//
// A response pairs with its request by the branch of the topmost Via, the Call-ID and
// the CSeq; 100 to 199 are interim responses. ACK, which nothing answers, is one-way; so
// is what was sent again, and a second final response of a forked request. On a TCP
// connection both sides may ask.
//
// Bodies are passed over, but for the media of a session description (RFC 8866).
// Passwords in URIs and credentials are never kept, but for the name of the user.
package sip

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxHead         = 64 << 10 // bytes of a head
	maxLine         = 8 << 10  // bytes of a start line
	maxProbe        = 2 << 10  // bytes of a start line that a probe waits for
	maxText         = 512      // bytes of a field
	maxMethod       = 32       // bytes of a method
	maxMedia        = 16       // media of a session description
	maxDescription  = 8 << 10  // bytes of a session description that are looked at
	maxTransactions = 4096     // transactions of a connection that are remembered
	maxBody         = 1 << 30  // bytes of a body
)

// The fields.
var (
	URI            = field.NewText("sip_uri", "Request-URI; *** for a password in it.", `sip_uri.startsWith("sip:bob@")`)
	CallID         = field.NewText("sip_call_id", "Call-ID, which all messages of a dialog share.", `sip_call_id.endsWith("@127.0.0.1")`)
	CSeq           = field.NewInt("sip_cseq", "", "Sequence number of CSeq.", `sip && sip_cseq > 1`)
	Branch         = field.NewText("sip_branch", "Branch of the topmost Via, which names the transaction.", `sip_branch.startsWith("z9hG4bK")`)
	From           = field.NewText("sip_from", "URI of From.", `sip_from.contains("ann@")`)
	FromTag        = field.NewText("sip_from_tag", "Tag of From.", `sip_from_tag.endsWith("SIPpTag001")`)
	To             = field.NewText("sip_to", "URI of To.", `sip_to.contains("bob@")`)
	ToTag          = field.NewText("sip_to_tag", "Tag of To; of a request that begins a dialog, that of its response.", `sip_method == "INVITE" && sip_to_tag.endsWith("uas1")`)
	Contact        = field.NewText("sip_contact", "URI of the first Contact of the request, or else of the response.", `sip_contact.contains("127.0.0.1")`)
	User           = field.NewText("sip_user", "User name of a Digest authorization.", `sip_user == "ann"`)
	UserAgent      = field.NewText("sip_user_agent", "User-Agent of the request.", `sip_user_agent.contains("sipp")`)
	Server         = field.NewText("sip_server", "Server, or User-Agent, of the response.", `sip_server.startsWith("sipp")`)
	Reason         = field.NewText("sip_reason", "Reason phrase of the response.", `sip_reason == "Busy Here"`)
	ContentType    = field.NewText("sip_content_type", "Content-Type of the request, or else of the response.", `sip_content_type == "application/sdp"`)
	Media          = field.NewList("sip_media", "Media of the session description of the request, or else of the response: kind, where to send it, protocol; at most 16, then ....", `sip_media.exists(m, m.startsWith("video "))`)
	Retransmission = field.NewBool("sip_retransmission", "The message was sent again.", `sip && sip_retransmission`)
)

// Protocol is SIP. A call has failed when its status code is 400 or above.
var Protocol = &dissector.Protocol{
	Name:      "sip",
	Label:     "SIP",
	Doc:       "Signalling of calls: SIP requests and responses over UDP and TCP.",
	Transport: dissector.TCP | dissector.UDP,
	Ports:     []uint16{5060},
	Fields: field.Fields(
		field.NewAlias("sip_method", field.Operation, "Method, such as INVITE; of a response by itself that of its CSeq.", `sip_method == "REGISTER"`),
		URI, CallID, CSeq, Branch, From, FromTag, To, ToTag, Contact, User, UserAgent, Server, Reason, ContentType, Media, Retransmission,
		field.NewAlias("sip_success", field.Succeeded, "Answered, and not with an error.", `sip && !sip_success`),
	),
	Peers: true, // on a connection each side may ask
	Sync:  "SIABCROPNMU",
	Probe: probe,
	New: func(t dissector.Transport) dissector.Parse {
		p := new(parser)
		if t == dissector.UDP {
			return p.datagram
		}
		return p.stream
	},
}

var errMalformed = errors.New("malformed sip message")

// parser reads one connection, or all datagrams between two ports.
type parser struct {
	searched [2]int  // bytes of a side in which no end of the head is
	checked  [2]bool // its start line is good
	known    map[uint64]transaction
	gaps     [2]int // holes in what each side said
}

// transaction is what is remembered of one.
type transaction struct {
	answer uint64 // its final response, 0 while there is none
	gaps   int    // as many holes the answering side had when it was asked
}
