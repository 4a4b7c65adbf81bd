// Package snmp reads SNMP over UDP: versions 1 (RFC 1157), 2c (RFC 1901, RFC 3416) and
// 3 (RFC 3412, RFC 3414), of which a message may be encrypted.
//
// A response pairs with the latest request of its request-id, in version 3 of its msgID.
// A request that is sent again before its answer, byte by byte, is not another call.
// Traps are one-way, informs are answered. Of an encrypted message the header tells
// whether an answer is wanted; one that wants none and answers nothing is one-way.
//
// The community and the user are credentials: the first is shown as ***, the
// second, and the rest of the security parameters but the engine, not at all. Variables
// that hold a community or a password are *** too.
package snmp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxListed   = 8    // variables listed of one message
	maxDetail   = 1024 // the same of a message that is looked at
	maxValue    = 64   // bytes of a variable's value that are shown
	maxArcs     = 128  // numbers of an object identifier, RFC 3416 section 4.1
	maxEngine   = 32   // bytes of an engine's id, RFC 3411 section 5
	maxContext  = 255  // bytes of a context's name
	maxSummary  = 3    // variables named in a summary
	maxRequests = 32   // latest requests remembered, to know them when they are sent again

	usualText = 128 // bytes that the variables' names come to in a usual message

	againTime = 30e9 // how long after a request it may be sent again, in ns
)

// The fields.
var (
	Version           = field.NewText("snmp_version", "Version: 1, 2c or 3.", `snmp_version == "2c"`)
	Community         = field.NewText("snmp_community", "*** where there is a community, which is as good as a password and never shown.", `snmp_community == "***"`)
	RequestID         = field.NewInt("snmp_request_id", "", "Request id, which a response repeats.", `snmp && snmp_request_id > 0`)
	MessageID         = field.NewInt("snmp_message_id", "", "Id of a message of version 3, which an answer repeats.", `snmp && snmp_message_id > 0`)
	SecurityLevel     = field.NewText("snmp_security_level", "Level of version 3: noAuthNoPriv, authNoPriv or authPriv.", `snmp_security_level == "noAuthNoPriv"`)
	EngineID          = field.NewText("snmp_engine_id", "Authoritative engine of a message of version 3, hexadecimal.", `snmp_engine_id.startsWith("80001f88")`)
	Context           = field.NewText("snmp_context", "Context of a message of version 3.", `snmp_context == "vlan-7"`)
	OIDs              = field.NewList("snmp_oids", "Variables of the request or trap, in dots; the first 8.", `snmp_oids.exists(o, o.startsWith("1.3.6.1.2.1.1."))`)
	Values            = field.NewList("snmp_values", "Variables with their values, of the answer or of what sets or tells them; the first 8, and at most 64 bytes of each.", `snmp_values.exists(v, v.startsWith("1.3.6.1.2.1.1.5.0 = "))`)
	Variables         = field.NewInt("snmp_variables", "", "Number of variables in the request or trap.", `snmp && snmp_variables > 3`)
	ResponseVariables = field.NewInt("snmp_response_variables", "", "Number of variables in the response.", `snmp && snmp_response_variables > 20`)
	Exceptions        = field.NewInt("snmp_exceptions", "", "Variables of the response that have noSuchObject, noSuchInstance or endOfMibView in the place of a value; not set when there is none.", `snmp && snmp_exceptions > 0`)
	ErrorIndex        = field.NewInt("snmp_error_index", "", "Number of the variable that the error is about; 0 when it is about none.", `snmp && snmp_error_index > 1`)
	NonRepeaters      = field.NewInt("snmp_non_repeaters", "", "Variables of a GetBulkRequest that are asked for once.", `snmp && snmp_non_repeaters > 0`)
	MaxRepetitions    = field.NewInt("snmp_max_repetitions", "", "How often the others are asked for, at most.", `snmp && snmp_max_repetitions > 50`)
	Trap              = field.NewText("snmp_trap", "What a trap or inform tells: coldStart, warmStart, linkDown, linkUp, authenticationFailure, egpNeighborLoss, or an identifier, made as RFC 3584 has it of version 1.", `snmp_trap == "linkDown"`)
	Enterprise        = field.NewText("snmp_enterprise", "Kind of device that sent a trap of version 1, in dots.", `snmp_enterprise.startsWith("1.3.6.1.4.1.9.")`)
	AgentAddress      = field.NewText("snmp_agent_address", "Address of the device that a trap of version 1 is about.", `snmp_agent_address == "10.0.0.7"`)
	Retransmissions   = field.NewInt("snmp_retransmissions", "", "How often the request was sent again before its answer; not set when it was not.", `snmp && snmp_retransmissions > 1`)
)

// Protocol is SNMP. A call has failed when its response has an error status, or when it
// is answered with a report that is not part of finding out an engine's id and time.
var Protocol = &dissector.Protocol{
	Name:      "snmp",
	Label:     "SNMP",
	Doc:       "SNMP requests, traps and informs over UDP.",
	Transport: dissector.UDP,
	Ports:     []uint16{161, 162},
	Fields: field.Fields(
		Version, Community, RequestID, MessageID, SecurityLevel, EngineID, Context, OIDs, Values, Variables, ResponseVariables,
		Exceptions, ErrorIndex, NonRepeaters, MaxRepetitions, Trap, Enterprise, AgentAddress, Retransmissions,
		field.NewAlias("snmp_pdu_type", field.Operation, "Kind of the request: GetRequest, GetNextRequest, GetBulkRequest, SetRequest, InformRequest, Trap, SNMPv2-Trap, or encryptedPDU.", `snmp_pdu_type == "SetRequest"`),
		field.NewAlias("snmp_request_size", field.RequestSize, "Size of the request.", `snmp_request_size > 100`),
		field.NewAlias("snmp_response_size", field.ResponseSize, "Size of the response.", `snmp_response_size > 1000`),
		field.NewAlias("snmp_total_size", field.TotalSize, "Size of both.", `snmp_total_size > 1000`),
	),
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return newParser().parse },
}

var errMalformed = errors.New("malformed snmp message")
