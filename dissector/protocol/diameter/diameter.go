// Package diameter reads Diameter (RFC 6733) over TCP and SCTP: the base protocol,
// the applications of the IETF and those of 3GPP.
//
// Both ends of a connection ask and answer. An answer pairs with the request of the
// same hop-by-hop identifier and command that went the other way. Results of the
// classes 3xxx, 4xxx and 5xxx are failures (RFC 6733 section 7.1).
package diameter

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	// maxHead is how many bytes of a message are looked at; the AVPs behind are
	// passed over.
	maxHead = 64 << 10
	// maxText is how many bytes of a text are kept.
	maxText = 1024
	// maxList is how many values of an AVP that comes several times are kept, and how
	// many AVPs that failed.
	maxList = 16
	// maxDepth is how deep AVPs that hold others are followed when all are shown.
	maxDepth = 8
)

// The fields.
var (
	CommandCode   = field.NewInt("diameter_command_code", "", "Code of the command.", `diameter && diameter_command_code == 316`)
	Application   = field.NewText("diameter_application", "Application of the message by name, the number where it has none.", `diameter_application == "3GPP S6a/S6d"`)
	ApplicationID = field.NewInt("diameter_application_id", "", "Application of the message.", `diameter && diameter_application_id == 16777251`)
	HopByHop      = field.NewInt("diameter_hop_by_hop", "", "Hop-by-hop identifier: request and answer share it.", `diameter_hop_by_hop > 0`)
	EndToEnd      = field.NewInt("diameter_end_to_end", "", "End-to-end identifier: it stays the same behind relays.", `diameter_end_to_end > 0`)
	Proxiable     = field.NewBool("diameter_proxiable", "The message may be relayed, proxied or redirected.", `diameter && !diameter_proxiable`)
	Retransmitted = field.NewBool("diameter_retransmitted", "The request may have been sent before, over another connection: its flag T is set.", `diameter_retransmitted`)
	Proxied       = field.NewBool("diameter_proxied", "The request came through an agent: it has Route-Record.", `diameter_proxied && failed`)
	Route         = field.NewList("diameter_route", "Peers that the request came through, by Route-Record.", `"a.example.net" in diameter_route`)

	SessionID        = field.NewText("diameter_session_id", "Session-Id.", `diameter_session_id.startsWith("client.example.net;")`)
	OriginHost       = field.NewText("diameter_origin_host", "Origin-Host of the request: who asked first.", `diameter_origin_host == "client.example.net"`)
	OriginRealm      = field.NewText("diameter_origin_realm", "Origin-Realm of the request.", `diameter_origin_realm == "example.net"`)
	DestinationHost  = field.NewText("diameter_destination_host", "Destination-Host of the request; empty when any host of the realm may answer.", `diameter_destination_host == "pcrf.example.org"`)
	DestinationRealm = field.NewText("diameter_destination_realm", "Destination-Realm of the request.", `diameter_destination_realm == "example.net"`)
	AnsweredBy       = field.NewText("diameter_answered_by", "Origin-Host of the answer.", `diameter_answered_by != diameter_destination_host`)
	User             = field.NewText("diameter_user", "User-Name: of 3GPP mostly the IMSI.", `diameter_user == "001010000000001"`)
	Subscriptions    = field.NewList("diameter_subscriptions", "Subscription-Ids: IMSI, number, SIP URI or other name of who pays.", `diameter_subscriptions.exists(s, s.startsWith("49"))`)

	ResultCode   = field.NewInt("diameter_result_code", "", "Result-Code, or Experimental-Result-Code where diameter_result_vendor is set; 0 when there is none.", `diameter_result_code >= 5000`)
	ResultVendor = field.NewText("diameter_result_vendor", "Whose code an Experimental-Result-Code is; empty for a Result-Code.", `diameter_result_vendor == "3GPP" && diameter_result_code == 5001`)
	ErrorMessage = field.NewText("diameter_error_message", "Error-Message of the answer.", `diameter_error_message != ""`)
	FailedAVPs   = field.NewList("diameter_failed_avps", "AVPs that Failed-AVP names.", `"Destination-Realm" in diameter_failed_avps`)

	RequestType   = field.NewText("diameter_cc_request_type", "CC-Request-Type of a credit control request.", `diameter_cc_request_type == "INITIAL_REQUEST"`)
	RequestNumber = field.NewInt("diameter_cc_request_number", "", "CC-Request-Number of a credit control request.", `diameter_cc_request_number > 2`)
	RecordType    = field.NewText("diameter_accounting_record_type", "Accounting-Record-Type of an accounting request.", `diameter_accounting_record_type == "START_RECORD"`)
	Cause         = field.NewText("diameter_cause", "Termination-Cause of a session's end, or Disconnect-Cause of a connection's.", `diameter_cause == "REBOOTING"`)
)

// Protocol is Diameter.
var Protocol = &dissector.Protocol{
	Name:      "diameter",
	Label:     "Diameter",
	Doc:       "Authentication, authorization, accounting, subscriber data, policy and charging by Diameter.",
	Transport: dissector.TCP | dissector.SCTP,
	Ports:     []uint16{3868},
	Fields: field.Fields(
		CommandCode, Application, ApplicationID, HopByHop, EndToEnd, Proxiable, Retransmitted, Proxied, Route,
		SessionID, OriginHost, OriginRealm, DestinationHost, DestinationRealm, AnsweredBy, User, Subscriptions,
		ResultCode, ResultVendor, ErrorMessage, FailedAVPs, RequestType, RequestNumber, RecordType, Cause,
		field.NewAlias("diameter_method", field.Operation, "Name of the command.", `diameter && diameter_method == "Capabilities-Exchange"`),
		field.NewAlias("diameter_summary", field.Summary, "What the command is about.", `diameter && diameter_summary != ""`),
		field.NewAlias("diameter_request", field.HasRequest, "The request was captured.", `diameter && diameter_request`),
		field.NewAlias("diameter_response", field.HasResponse, "The answer was captured.", `diameter && !diameter_response`),
		field.NewAlias("diameter_request_length", field.RequestSize, "Size of the request.", `diameter && diameter_request_length > 1000`),
		field.NewAlias("diameter_response_length", field.ResponseSize, "Size of the answer.", `diameter && diameter_response_length > 1000`),
		field.NewAlias("diameter_total_size", field.TotalSize, "Size of request and answer together.", `diameter && diameter_total_size > 1000`),
	),
	Peers:   true,
	Sync:    "\x01",
	Probe:   probe,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
	Content: content,
}

var errMalformed = errors.New("malformed diameter message")
