// Package mqtt reads MQTT 3.1, 3.1.1 and 5.0 (OASIS Standards).
//
// What the client asks is paired with what the server answers by packet identifier:
// CONNECT with CONNACK, SUBSCRIBE with SUBACK, UNSUBSCRIBE with UNSUBACK, PINGREQ with
// PINGRESP, and a PUBLISH of the client with PUBACK or, as one call with its PUBREL,
// with PUBREC and PUBCOMP. All else is one-way: what the server publishes, how the
// client acknowledges that, DISCONNECT and AUTH.
//
// Payloads are passed over. Both sides may publish, so that a stream seen from its
// middle is read only from where a packet tells which side is the client.
package mqtt

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxHead    = 16 << 10 // bytes of a packet that are looked at, its payload not counted
	maxTopic   = 1024     // bytes of a topic
	maxName    = 256      // bytes of a client id or a user name
	maxSummary = 256      // bytes of the summary, but in detail
	maxDetail  = 8 << 10  // bytes of the summary in detail
	maxAliases = 1024     // topic aliases kept of a side; a higher one is not resolved
	maxBehind  = 1024     // publications behind a loss of which it is known, when they are released, that nothing is missing
	maxProbe   = 8 << 10  // bytes of a side that a probe asks for
)

// The fields.
var (
	Topic       = field.NewText("mqtt_topic", "Topic of the message, resolved where an alias stands for it; first topic filter of a subscription; at most 1024 bytes.", `mqtt_topic.startsWith("sensors/")`)
	QoS         = field.NewInt("mqtt_qos", "", "Quality of service: of a message, or the highest that a subscription asks for.", `mqtt && mqtt_qos == 2`)
	ClientID    = field.NewText("mqtt_client_id", "Client identifier of the connection, given by the client or by the server.", `mqtt_client_id == "gateway-1"`)
	User        = field.NewText("mqtt_user", "User name of a CONNECT.", `mqtt_user == "gateway"`)
	Version     = field.NewText("mqtt_version", "Protocol version that a CONNECT asks for: 3.1, 3.1.1 or 5.0.", `mqtt_version == "5.0"`)
	Reason      = field.NewText("mqtt_reason", "Name of the reason code or return code, such as Not authorized; of several, the first that is an error, or else the first.", `mqtt_reason == "Not authorized"`)
	PacketID    = field.NewInt("mqtt_packet_id", "", "Packet identifier, by which an acknowledgement names what it is for.", `mqtt && mqtt_packet_id == 7`)
	PayloadSize = field.NewInt("mqtt_payload_size", "bytes", "Size of the published message.", `mqtt_payload_size > 10000`)
	Retain      = field.NewBool("mqtt_retain", "The message is to be kept for later subscribers, or was.", `mqtt && mqtt_retain`)
)

// Protocol is MQTT. A call has failed when its reason code is 0x80 or above, or in
// versions before 5 the return code of a CONNACK is not 0.
var Protocol = &dissector.Protocol{
	Name:      "mqtt",
	Label:     "MQTT",
	Doc:       "MQTT control packets (3.1, 3.1.1 and 5.0).",
	Transport: dissector.TCP,
	Ports:     []uint16{1883},
	Fields: field.Fields(
		Topic, QoS, ClientID, User, Version, Reason, PacketID, PayloadSize, Retain,
		field.NewAlias("mqtt_type", field.Operation, "Type of the control packet, such as PUBLISH.", `mqtt_type == "SUBSCRIBE"`),
		field.NewAlias("mqtt_request_size", field.RequestSize, "Size of the request, with the PUBREL of a QoS 2 message.", `mqtt_request_size > 10000`),
		field.NewAlias("mqtt_response_size", field.ResponseSize, "Size of the response.", `mqtt_response_size > 10`),
		field.NewAlias("mqtt_total_size", field.TotalSize, "Size of request and response.", `mqtt && mqtt_total_size > 10000`),
	),
	Sync:  "\x10\x20\x30\x31\x32\x33\x34\x35\x40\x50\x62\x70\x82\x90\xa2\xb0\xc0\xd0",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed mqtt packet")
