// Package ldap reads LDAP (RFC 4511) over TCP, and over UDP as CLDAP, which
// Active Directory's clients use to find a server ([MS-ADTS] section 6.3.3).
//
// Responses pair by message id. What a search finds, its references and the
// intermediate responses are pieces of its response, which searchResDone ends:
// the response is as large and lasts as long as all of them. Abandon, unbind and
// unsolicited notifications are one-way.
//
// A granted StartTLS hands the connection to TLS. A SASL security layer
// (RFC 4513 section 5.2.1.8) is one call to the end of the connection: nothing in
// it can be read. Values are passed over, passwords and credentials too.
package ldap

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxMessage = 256 << 20 // bytes of a message
	maxHead    = 16 << 10  // bytes looked at of one message
	maxText    = 512       // bytes of a name or of a message to people
	maxFilter  = 1024      // bytes of ldap_filter
	maxDetail  = 16 << 10  // the same two of an entry that is looked at
	maxDepth   = 32        // filters in filters
	maxListed  = 64        // items of a list
	maxSummary = 8         // attributes that a summary names
	maxPending = 1024      // requests whose responses are awaited
)

// The fields.
var (
	MessageID  = field.NewInt("ldap_message_id", "", "Message id, which a response repeats; 0 in an unsolicited notification.", `ldap && ldap_message_id == 7`)
	DN         = field.NewText("ldap_dn", "Name that binds, or of the entry that is added, deleted, modified, renamed or compared; empty when somebody binds without a name.", `ldap_type == "bind" && ldap_dn.startsWith("cn=admin,")`)
	Mechanism  = field.NewText("ldap_mechanism", "How a bind authenticates: simple, which sends the password as it is, or the SASL mechanism.", `ldap_mechanism == "simple"`)
	BaseDN     = field.NewText("ldap_base_dn", "Base of a search; empty for the root of the server.", `ldap_base_dn.endsWith("dc=shop,dc=example")`)
	Scope      = field.NewText("ldap_scope", "Scope of a search, in the words of LDAP URLs: base, one, sub; also subordinates.", `ldap_scope == "sub"`)
	Filter     = field.NewText("ldap_filter", "Filter of a search as RFC 4515 writes it; at most 1024 bytes of it, then ...; passwords are ***.", `ldap_filter.contains("(uid=")`)
	Attributes = field.NewList("ldap_attributes", "Attributes that a search asks for, that a modify or an add sets, or that a compare looks at; at most 64, then ....", `"userPassword" in ldap_attributes`)
	OID        = field.NewText("ldap_oid", "Object identifier of an extended operation, of an intermediate response or of an unsolicited notification.", `ldap_oid == "1.3.6.1.4.1.1466.20037"`)
	Result     = field.NewText("ldap_result", "Result code by name, such as success, noSuchObject or invalidCredentials.", `ldap_result == "invalidCredentials"`)
	ResultCode = field.NewInt("ldap_result_code", "", "Result code.", `ldap && ldap_result_code == 49`)
	Diagnostic = field.NewText("ldap_diagnostic", "Message to people in a response.", `ldap_diagnostic.contains("undefined")`)
	MatchedDN  = field.NewText("ldap_matched_dn", "The part of the name that was found, where not all of it was.", `ldap_matched_dn != ""`)
	Referrals  = field.NewList("ldap_referrals", "URIs where to go on: of a referral, and of a search's references; at most 64, then ....", `ldap_referrals.exists(u, u.startsWith("ldap://"))`)
	Entries    = field.NewInt("ldap_entries", "", "Entries that a search found; not set where bytes of the response are missing.", `ldap && ldap_entries > 5`)
	References = field.NewInt("ldap_references", "", "References to other servers among what a search found.", `ldap && ldap_references > 0`)
)

// Protocol is LDAP. A call has failed when its result code is one of the errors:
// success, compareFalse, compareTrue, referral and saslBindInProgress are none
// (RFC 4511 appendix A.1).
var Protocol = &dissector.Protocol{
	Name:      "ldap",
	Label:     "LDAP",
	Doc:       "LDAP operations and their results over TCP, and CLDAP over UDP.",
	Transport: dissector.TCP | dissector.UDP,
	Ports:     []uint16{389, 3268},
	Fields: field.Fields(
		field.NewAlias("ldap_type", field.Operation, "Operation: bind, unbind, search, modify, add, delete, modifyDN, compare, abandon, extended, intermediate; sasl for what a security layer hides.", `ldap_type == "bind"`),
		field.NewAlias("ldap_summary", field.Summary, "What the operation is about.", `ldap_summary.contains("dc=example")`),
		field.NewAlias("ldap_request", field.HasRequest, "The request was seen.", `ldap_request && !ldap_response`),
		field.NewAlias("ldap_response", field.HasResponse, "The response was seen.", `ldap && !ldap_response`),
		field.NewAlias("ldap_request_length", field.RequestSize, "Size of the request.", `ldap_request_length > 10000`),
		field.NewAlias("ldap_response_length", field.ResponseSize, "Size of the response, with all that a search found.", `ldap_response_length > 10000`),
		field.NewAlias("ldap_total_size", field.TotalSize, "Size of request and response.", `ldap_total_size > 10000`),
		MessageID, DN, Mechanism, BaseDN, Scope, Filter, Attributes, OID,
		Result, ResultCode, Diagnostic, MatchedDN, Referrals, Entries, References,
	),
	Sync:  "0",
	Probe: probe,
	New: func(t dissector.Transport) dissector.Parse {
		p := &parser{pending: make(map[int64]pending)}
		if t == dissector.UDP {
			return p.datagram
		}
		return p.parse
	},
}

// nextTLS is what both sides speak behind a granted StartTLS.
const nextTLS = "tlsx"

var errMalformed = errors.New("malformed ldap message")
