// Package nats reads the NATS client protocol
// (https://docs.nats.io/reference/reference-protocols/nats-protocol).
//
// Most of it is one-way. A PUB or HPUB that asks for a reply on a subject that the same
// client is subscribed to is a call, answered by the first message delivered on that
// subject; a second request that waits on the same subject cannot be told from the
// first and is one-way. PING of the client is answered by PONG. A client that is verbose
// has all its commands answered by +OK or -ERR in order, and its replies are one-way.
//
// Payloads are passed over, but for the answers of the JetStream API, in which errors
// are looked for.
package nats

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxLine     = 64 << 10 // bytes of a line: INFO lists the servers of a cluster
	maxSubject  = 1024     // bytes of a subject
	maxName     = 256      // bytes of a name, of a queue and of a subscription id
	maxError    = 256      // bytes of an error text
	maxPayload  = 64 << 20 // bytes of a payload; the server's own limit
	maxStatus   = 256      // bytes of headers looked at for a status line
	maxAnswer   = 16 << 10 // bytes of an answer of the JetStream API that is read
	maxSubs     = 1024     // subscriptions remembered
	maxPatterns = 32       // those of them with wildcards: a reply is held against each
	maxTokens   = 32       // tokens of one of these
	maxWaiting  = 4096     // requests that wait for a reply
	maxProbe    = 4 << 10  // bytes of a line that a probe waits for
)

// The fields.
var (
	Subject     = field.NewText("nats_subject", "Subject published to, subscribed to or delivered on.", `nats_subject.startsWith("orders.")`)
	Reply       = field.NewText("nats_reply", "Subject on which the sender waits for a reply.", `nats && nats_reply != ""`)
	Queue       = field.NewText("nats_queue", "Queue group of a subscription.", `nats_queue == "workers"`)
	SID         = field.NewText("nats_sid", "Subscription id, which the client chose.", `nats_sid == "1"`)
	PayloadSize = field.NewInt("nats_payload_size", "bytes", "Size of the payload, headers not counted.", `nats_payload_size > 10000`)
	Name        = field.NewText("nats_name", "Name of the client in CONNECT, of the server in INFO.", `nats_name == "billing"`)
	User        = field.NewText("nats_user", "User name of a CONNECT.", `nats_user == "shop"`)
	API         = field.NewText("nats_api", "What is asked of JetStream, such as STREAM.INFO.", `nats_api == "STREAM.INFO"`)
	Error       = field.NewText("nats_error", "Text of -ERR, or of an error of JetStream.", `nats_error.contains("Permissions")`)
)

// Protocol is NATS. A call has failed when its answer is -ERR, has a status of 400 or
// above in its headers, or is an error of the JetStream API.
var Protocol = &dissector.Protocol{
	Name:      "nats",
	Label:     "NATS",
	Doc:       "NATS client protocol with requests, replies and JetStream.",
	Transport: dissector.TCP,
	Ports:     []uint16{4222},
	Fields: field.Fields(
		Subject, Reply, Queue, SID, PayloadSize, Name, User, API, Error,
		field.NewAlias("nats_command", field.Operation, "Protocol message, such as PUB.", `nats_command == "PUB"`),
		field.NewAlias("nats_request_size", field.RequestSize, "Size of the request.", `nats_request_size > 10000`),
		field.NewAlias("nats_response_size", field.ResponseSize, "Size of the reply.", `nats_response_size > 10000`),
		field.NewAlias("nats_total_size", field.TotalSize, "Size of both.", `nats && nats_total_size > 10000`),
	),
	Sync:  "PHSUCIM+-",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed nats message")
