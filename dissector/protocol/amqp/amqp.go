// Package amqp reads AMQP 0-9-1 (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf)
// with RabbitMQ's extensions (https://www.rabbitmq.com/docs/extensions).
//
// A method that wants an answer is paired with it on its channel. The header
// frame and the body frames of a method that carries content belong to its
// message; bodies are passed over. A publish is one-way, or, on a channel in
// confirm mode whose publishes could all be counted, a call that the server's
// basic.ack or basic.nack answers.
//
// A delivery is a call of the server's that the client's basic.ack, basic.nack or
// basic.reject answers. To a consumer without acknowledgements (no-ack of basic.consume)
// it is one-way. How a consumer was begun that nobody saw is unknown: its deliveries are
// one-way and marked as unpaired, until the client settles one of them. What basic.get
// fetched is the answer to that, and what the client says of it then is one-way: they meet
// in channel and delivery tag. Deliveries that basic.recover or the end of the channel
// takes back have no answer.
//
// An ack of several answers each of them. The client's protocol header and
// connection.start are one call. What else the server sends of its own accord
// (basic.return) is one-way. Heartbeats are skipped. What the client proves itself with
// is never kept.
//
// A stream seen from its middle is found at a method frame that is good to its
// last octet and that only one side sends.
package amqp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxHead      = 256 << 10 // bytes of a method or header frame
	maxFrame     = 1 << 28   // bytes of a body frame
	maxBody      = 1 << 40   // bytes of a body
	maxChannels  = 2048      // channels of a connection that are told apart: on others nothing is paired
	maxKept      = 1024      // bytes of a method kept while another channel's frame comes before its header frame
	maxUnsettled = 1024      // publishes of a channel, and deliveries, whose outcome is awaited: further ones are one-way, marked as unpaired
	maxWaiting   = 2048      // the same of a connection
	maxConsumers = 2048      // consumers of a connection of which it is known whether they acknowledge: others are as unknown
	maxDoubted   = 8         // latest deliveries of a channel to consumers not known, that an ack may tell of
	idleTime     = 1e9       // ns for which a channel must be silent, after a loss, to prove that no answer is due
	maxProbe     = 8 << 10   // bytes of a frame that proves the protocol
	maxSummary   = 512       // bytes of the summary
	maxProperty  = 255       // bytes of a product's name or version
)

// The fields.
var (
	Channel      = field.NewInt("amqp_channel", "", "Channel of the connection; 0 is the connection itself.", `amqp && amqp_channel == 1`)
	Exchange     = field.NewText("amqp_exchange", "Exchange the method names; empty for the default exchange. Of exchange.bind: the one that is bound.", `amqp_exchange == "orders"`)
	RoutingKey   = field.NewText("amqp_routing_key", "Routing key of a message or a binding.", `amqp_routing_key.startsWith("order.")`)
	Queue        = field.NewText("amqp_queue", "Queue the method names, or the name the server gave it.", `amqp_queue == "billing"`)
	ContentType  = field.NewText("amqp_content_type", "Content type of the message.", `amqp_content_type == "application/json"`)
	DeliveryMode = field.NewInt("amqp_delivery_mode", "", "Delivery mode of the message: 1 transient, 2 persistent.", `amqp && amqp_delivery_mode == 2`)
	DeliveryTag  = field.NewInt("amqp_delivery_tag", "", "Number by which ack, nack and reject name what was delivered or published on the channel. A publish has one in confirm mode.", `amqp && amqp_delivery_tag == 7`)
	Requeue      = field.NewBool("amqp_requeue", "What was delivered goes back into the queue, as basic.nack or basic.reject asks.", `amqp && amqp_requeue`)
	BodySize     = field.NewInt("amqp_body_size", "bytes", "Size of the message's body, as its header frame says it.", `amqp && amqp_body_size > 10000`)
	ReplyCode    = field.NewInt("amqp_reply_code", "", "Code of channel.close, connection.close or basic.return: 200 success, 312 no route, 404 not found and so on.", `amqp && amqp_reply_code == 404`)
	ReplyText    = field.NewText("amqp_reply_text", "Text that comes with the reply code, or why the server blocks the connection.", `amqp_reply_text.contains("no queue")`)
	Vhost        = field.NewText("amqp_vhost", "Virtual host that connection.open asks for.", `amqp_vhost == "/"`)
	Product      = field.NewText("amqp_product", "Product that the server, or in connection.start-ok the client, says it is.", `amqp_product == "RabbitMQ"`)
	Mechanism    = field.NewText("amqp_mechanism", "Security mechanism that the client chose, or those that the server offers.", `amqp_mechanism == "PLAIN"`)
)

// Protocol is AMQP 0-9-1. A call has failed when a reply code is 300 or above, a publish
// also when the server answers basic.nack, and a delivery when the client answers
// basic.nack or basic.reject.
var Protocol = &dissector.Protocol{
	Name:      "amqp",
	Label:     "AMQP",
	Doc:       "AMQP 0-9-1 methods, with the messages they carry.",
	Transport: dissector.TCP,
	Ports:     []uint16{5672},
	Fields: field.Fields(
		field.NewAlias("amqp_method", field.Operation, "Class and method, such as basic.publish.", `amqp && amqp_method == "basic.publish"`),
		field.NewAlias("amqp_summary", field.Summary, "What the method is about: exchange, queue or routing key.", `amqp && amqp_summary.contains("orders")`),
		Channel, Exchange, RoutingKey, Queue, ContentType, DeliveryMode, DeliveryTag, Requeue, BodySize, ReplyCode, ReplyText, Vhost, Product, Mechanism,
		field.NewAlias("amqp_request", field.HasRequest, "The request was captured.", `amqp && amqp_request`),
		field.NewAlias("amqp_response", field.HasResponse, "The response was captured.", `amqp && !amqp_response`),
		field.NewAlias("amqp_request_length", field.RequestSize, "Size of the request.", `amqp && amqp_request_length > 1000`),
		field.NewAlias("amqp_response_length", field.ResponseSize, "Size of the response.", `amqp && amqp_response_length > 1000`),
		field.NewAlias("amqp_total_size", field.TotalSize, "Size of request and response together.", `amqp && amqp_total_size > 1000`),
	),
	Sync:    "\x01", // a method frame
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed amqp frame")
