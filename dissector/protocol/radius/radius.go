// Package radius reads RADIUS over UDP: authentication (RFC 2865), accounting
// (RFC 2866) and changes of sessions (RFC 5176).
//
// A response pairs with the latest request of its identifier between the same
// ports. A packet with identifier and authenticator of the one before is sent
// again (RFC 2865 section 2.5) and is not another call.
//
// Passwords, hidden or not, are left alone: User-Password, CHAP-Password and
// whatever else no field is made of.
package radius

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one packet may make us do or keep.
const (
	maxPacket  = 4096 // bytes of a packet, RFC 2865 section 3
	maxReplies = 8    // replies and vendors listed of a packet
)

// The fields.
var (
	Code            = field.NewInt("radius_code", "", "Code of the packet, the request's where there is one.", `radius && radius_code == 1`)
	CodeName        = field.NewText("radius_code_name", "Name of the code.", `radius_code_name == "Access-Request"`)
	Authenticator   = field.NewText("radius_request_authenticator", "Authenticator of the request, hexadecimal.", `radius_request_authenticator.startsWith("0101")`)
	Identifier      = field.NewInt("radius_identifier", "", "Identifier, which a response repeats.", `radius && radius_identifier > 200`)
	User            = field.NewText("radius_user", "User-Name: who asks for access or whose session it is.", `radius_user == "bob"`)
	NAS             = field.NewText("radius_nas", "Network access server: its NAS-Identifier, else its address.", `radius_nas == "ap-lobby"`)
	NASAddress      = field.NewText("radius_nas_address", "NAS-IP-Address, else NAS-IPv6-Address.", `radius_nas_address == "10.9.9.9"`)
	NASPort         = field.NewInt("radius_nas_port", "", "NAS-Port: the access server's port that the user is at, not a port of UDP.", `radius && radius_nas_port == 3`)
	CallingStation  = field.NewText("radius_calling_station", "Calling-Station-Id: the user's phone number or hardware address.", `radius_calling_station == "02-00-00-00-00-07"`)
	CalledStation   = field.NewText("radius_called_station", "Called-Station-Id: the number called, or the access point's address and network name.", `radius_called_station.endsWith(":guests")`)
	FramedAddress   = field.NewText("radius_framed_address", "Framed-IP-Address or Framed-IPv6-Address: the address the user is given.", `radius_framed_address == "10.1.2.3"`)
	AcctStatus      = field.NewText("radius_acct_status", "Acct-Status-Type by name: Start, Stop, Interim-Update, Accounting-On and so on.", `radius_acct_status == "Stop"`)
	SessionID       = field.NewText("radius_session_id", "Acct-Session-Id.", `radius_session_id == "s1"`)
	ReplyMessages   = field.NewList("radius_reply_messages", "Reply-Message: what the user is shown; at most 8.", `radius_reply_messages.exists(r, r.contains("code"))`)
	Vendors         = field.NewList("radius_vendors", "Vendors of the vendor-specific attributes, by name or number, each once; at most 8.", `"Cisco" in radius_vendors`)
	ErrorCause      = field.NewText("radius_error_cause", "Error-Cause by name: why a session was not changed.", `radius_error_cause == "Session-Context-Not-Found"`)
	Retransmissions = field.NewInt("radius_retransmissions", "", "How often the request was sent again before its answer; not set when it was not.", `radius && radius_retransmissions > 0`)
)

// Protocol is RADIUS. A call has failed when it is answered with Access-Reject,
// Disconnect-NAK or CoA-NAK.
var Protocol = &dissector.Protocol{
	Name:      "radius",
	Label:     "RADIUS",
	Doc:       "RADIUS authentication, accounting and dynamic authorization over UDP.",
	Transport: dissector.UDP,
	Ports:     []uint16{1812, 1813, 3799, 1645, 1646, 1700},
	Fields: field.Fields(
		Code, CodeName, Authenticator,
		field.NewAlias("radius_request", field.HasRequest, "The request was seen.", `radius_request && !radius_response`),
		field.NewAlias("radius_response", field.HasResponse, "The response was seen.", `radius && !radius_response`),
		field.NewAlias("radius_request_length", field.RequestSize, "Size of the request.", `radius_request_length > 50`),
		field.NewAlias("radius_response_length", field.ResponseSize, "Size of the response.", `radius_response_length > 50`),
		field.NewAlias("radius_total_size", field.TotalSize, "Size of request and response.", `radius_total_size > 100`),
		Identifier, User, NAS, NASAddress, NASPort, CallingStation, CalledStation, FramedAddress,
		AcctStatus, SessionID, ReplyMessages, Vendors, ErrorCause, Retransmissions,
	),
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return (&parser{latest: make(map[byte]latest)}).parse },
}

var errMalformed = errors.New("malformed radius packet")
