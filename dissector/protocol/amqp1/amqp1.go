// Package amqp1 reads AMQP 1.0 (OASIS Standard, 29 October 2012: part 1 types, part 2
// transport, part 3 messaging, part 4 transactions, part 5 security). AMQP 0-9-1,
// another protocol of the same name and port, is package amqp.
//
// What the client begins the server answers: the protocol header, sasl-init with
// sasl-outcome, open, begin, attach, detach, end and close with their like. A transfer
// is answered by the disposition that says its outcome; one that is settled as it is
// sent is one-way. A disposition of several answers each of them. A server that will
// not attach a link may end the session, or close the connection, instead: that is the
// answer then.
//
// Transfers of the server are calls, too, that the client's dispositions answer. What
// else the server begins is one-way, and so is what the client replies to it. Flows are
// one-way. Empty frames, which keep a connection alive, are skipped. What a
// client proves itself with is never kept.
//
// The frames of a transfer are one message. Its sections are read up to its body,
// which is passed over.
//
// Nearly all frames look alike from both sides. Who sends is told by a security
// frame, or by a begin: it names the session that it answers. A stream that is seen
// from its middle is left alone until such a frame comes.
package amqp1

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxFrame      = 1 << 28   // bytes of a frame
	maxHead       = 64 << 10  // bytes of a performative, or of a frame's sections before the body
	maxSessions   = 1024      // sessions of a connection that are told apart: on others nothing is paired
	maxLinks      = 4096      // links of a connection that are told apart: the same
	maxAwaited    = 64        // requests without an answer of which it is known that the end of a session may be it
	maxName       = 512       // bytes of a link's name or address that are kept
	maxKept       = 4 << 10   // bytes of a section that is parted over frames; a longer one is passed over
	maxKeptAll    = 256 << 10 // bytes of these that a connection keeps
	maxUnsettled  = 1024      // unsettled transfers of a session and side that are paired: further ones are one-way, marked as unpaired
	maxWaiting    = 2048      // the same of a connection
	maxRecent     = 32        // transfers of a session and side whose address is known to a disposition
	maxProperties = 64        // application properties of a message that are shown
	maxValue      = 256       // bytes of a property's value that are shown
	maxSummary    = 512       // bytes of the summary
)

// The fields.
var (
	Channel        = field.NewInt("amqp1_channel", "", "Channel on which the frame was sent: the sender's number of the session.", `amqp1 && amqp1_channel == 1`)
	Container      = field.NewText("amqp1_container", "Container id that open gives: the client's, or the server's where only that was seen.", `amqp1_container == "shop"`)
	Hostname       = field.NewText("amqp1_hostname", "Host that open or sasl-init asks for.", `amqp1_hostname.startsWith("vhost:")`)
	Product        = field.NewText("amqp1_product", "Product that open says its sender is.", `amqp1_product == "RabbitMQ"`)
	Mechanism      = field.NewText("amqp1_mechanism", "Security mechanism that the client chose, or those that the server offers.", `amqp1_mechanism == "PLAIN"`)
	Link           = field.NewText("amqp1_link", "Name of the link.", `amqp1_link.startsWith("orders-")`)
	Handle         = field.NewInt("amqp1_handle", "", "Handle by which the frame's sender names the link.", `amqp1 && amqp1_handle == 0`)
	Role           = field.NewText("amqp1_role", "What the client is on the link: sender or receiver.", `amqp1_role == "receiver"`)
	Address        = field.NewText("amqp1_address", "Address of the node at the server's end of the link.", `amqp1_address == "/queue/orders"`)
	Source         = field.NewText("amqp1_source", "Address of the source that attach names.", `amqp1_source == "/queue/orders"`)
	Target         = field.NewText("amqp1_target", "Address of the target that attach names.", `amqp1_target == "/queue/orders"`)
	Credit         = field.NewInt("amqp1_credit", "messages", "Link credit that flow gives.", `amqp1 && amqp1_credit > 0`)
	DeliveryID     = field.NewInt("amqp1_delivery_id", "", "Delivery id of a transfer, or the first that a disposition is about.", `amqp1 && amqp1_delivery_id == 7`)
	DeliveryLast   = field.NewInt("amqp1_delivery_last", "", "Last delivery id that a disposition is about.", `amqp1 && amqp1_delivery_last > 5`)
	Settled        = field.NewBool("amqp1_settled", "The transfer, or the disposition, is settled by who sent it.", `amqp1 && amqp1_settled`)
	Outcome        = field.NewText("amqp1_outcome", "Outcome of a delivery: accepted, rejected, released, modified, declared.", `amqp1_outcome == "rejected"`)
	Condition      = field.NewText("amqp1_error", "Condition of an error.", `amqp1_error == "amqp:not-found"`)
	Description    = field.NewText("amqp1_error_description", "Description of an error.", `amqp1_error_description.contains("no queue")`)
	MessageID      = field.NewText("amqp1_message_id", "Id of the message.", `amqp1_message_id == "42"`)
	To             = field.NewText("amqp1_to", "Node that the message is for.", `amqp1_to == "/queue/orders"`)
	Subject        = field.NewText("amqp1_subject", "Subject of the message.", `amqp1_subject == "paid"`)
	ReplyTo        = field.NewText("amqp1_reply_to", "Node to which a reply is to be sent.", `amqp1_reply_to.startsWith("/queue/")`)
	CorrelationID  = field.NewText("amqp1_correlation_id", "Id of the message that this one belongs to.", `amqp1_correlation_id == "41"`)
	ContentType    = field.NewText("amqp1_content_type", "Content type of the message.", `amqp1_content_type == "application/json"`)
	Durable        = field.NewBool("amqp1_durable", "The message is to outlive the server.", `amqp1 && amqp1_durable`)
	AppProperties  = field.NewMap("amqp1_application_properties", "Application properties of the message.", `amqp1_application_properties["region"] == "north"`)
	BodySize       = field.NewInt("amqp1_body_size", "bytes", "Size of the message's body: of its first data or value and of all that comes behind it.", `amqp1 && amqp1_body_size > 1000`)
	DeliveryFailed = field.NewBool("amqp1_delivery_failed", "The outcome modified counts as an attempt to deliver that failed.", `amqp1 && amqp1_delivery_failed`)
)

// Protocol is AMQP 1.0. A call has failed when the answer holds an error, when a
// transfer's outcome is other than accepted or declared, when a link is attached
// without the terminus that was asked for, when the security layer says so, and when
// the server answers with another protocol header.
var Protocol = &dissector.Protocol{
	Name:      "amqp1",
	Label:     "AMQP 1.0",
	Doc:       "AMQP 1.0 performatives, with the messages they transfer.",
	Transport: dissector.TCP,
	Ports:     []uint16{5672},
	Fields: field.Fields(
		Channel, Container, Hostname, Product, Mechanism, Link, Handle, Role, Address, Source, Target, Credit, DeliveryID, DeliveryLast, Settled, Outcome,
		DeliveryFailed, Condition, Description, MessageID, To, Subject, ReplyTo, CorrelationID, ContentType, Durable, AppProperties, BodySize,
	),
	Sync:    "\x00", // the first octet of the size of a frame below 16 MiB
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed amqp 1.0 frame")
