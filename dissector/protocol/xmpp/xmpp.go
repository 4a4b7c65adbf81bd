// Package xmpp reads XMPP over TCP (RFC 6120): streams, their negotiation, and stanzas.
//
// The header of the client's stream is a call, answered by the server's header with the
// features or the error behind it; so are starttls, auth, response and compress, each in
// order. An iq that asks pairs with its result or error by its id, unless bytes are
// missing between them or the id is in use. Messages, presences, all else, and whatever
// the server asks of the client are one-way.
//
// Only names and attributes are read: texts are passed over, passwords and what SASL
// sends with them. A granted STARTTLS hands the connection to TLS; behind granted
// compression nothing can be read.
package xmpp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxTag      = 4 << 10 // bytes of a tag
	maxHead     = 4 << 10 // bytes of an element that are looked at
	maxDepth    = 512     // elements in elements
	maxProbe    = 2 << 10 // bytes that a probe looks at
	maxText     = 512     // bytes of a field
	maxAsked    = 1024    // iqs without answer that are remembered
	maxFeatures = 64      // features, and mechanisms, that a server offers
)

// The fields.
var (
	To         = field.NewText("xmpp_to", "Whom the stream or the stanza is for.", `xmpp_to == "example.org"`)
	From       = field.NewText("xmpp_from", "Whom it is from, as far as that is said.", `xmpp_from.startsWith("ann@")`)
	ID         = field.NewText("xmpp_id", "Id of the stanza.", `xmpp_id == "m1"`)
	Type       = field.NewText("xmpp_type", "Type of the stanza, such as get, chat or unavailable.", `xmpp_type == "chat"`)
	Namespace  = field.NewText("xmpp_namespace", "Namespace of what is in an iq: what is asked for.", `xmpp_namespace == "jabber:iq:roster"`)
	Mechanism  = field.NewText("xmpp_mechanism", "SASL mechanism of an auth.", `xmpp_mechanism == "PLAIN"`)
	Mechanisms = field.NewList("xmpp_mechanisms", "SASL mechanisms that the server offers; at most 64, then ....", `"PLAIN" in xmpp_mechanisms`)
	Features   = field.NewList("xmpp_features", "Features that the server offers; at most 64, then ....", `"starttls" in xmpp_features`)
	Condition  = field.NewText("xmpp_condition", "Condition of an error or a failure.", `xmpp_condition == "not-authorized"`)
)

// Protocol is XMPP. A call has failed when its answer is an error or a failure.
var Protocol = &dissector.Protocol{
	Name:      "xmpp",
	Label:     "XMPP",
	Doc:       "Messaging and presence: XMPP streams, their negotiation and stanzas.",
	Transport: dissector.TCP,
	Ports:     []uint16{5222},
	Fields: field.Fields(
		field.NewAlias("xmpp_element", field.Operation, "Element by its name, such as iq; stream for a header, close for the end of a stream.", `xmpp_element == "message"`),
		To, From, ID, Type, Namespace, Mechanism, Mechanisms, Features, Condition,
		field.NewAlias("xmpp_success", field.Succeeded, "Answered, and not with an error.", `xmpp && !xmpp_success`),
	),
	Sync:  "<",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed xmpp stream")

// Kinds of requests, as Notes tell them to the parser of the answer; kindHeader is that
// of a server's header too.
const (
	kindOther uint64 = iota
	kindHeader
	kindTLS
	kindSASL
	kindCompress
)

// parser reads one connection.
type parser struct {
	scan  [2]scanner       // of the element that a side is in the middle of
	goes  [2]goesOn        // what that element is
	asked map[uint64]asked // the client's iqs without answer, by the hash of their ids
	uses  uint64           // of ids
}

// goesOn is what the pieces of an element have in common.
type goesOn struct {
	role  dissector.Role
	key   uint64
	keyed bool
	next  string
}
