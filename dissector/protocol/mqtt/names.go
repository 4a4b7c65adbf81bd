package mqtt

// The control packet types (5.0, 2.1.2).
const (
	connect = iota + 1
	connack
	publish
	puback
	pubrec
	pubrel
	pubcomp
	subscribe
	suback
	unsubscribe
	unsuback
	pingreq
	pingresp
	disconnect
	auth
)

var types = [16]string{
	"", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
	"UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// sender says which types only one side sends.
var sender = [16]whose{
	connect: client, subscribe: client, unsubscribe: client, pingreq: client,
	connack: server, suback: server, unsuback: server, pingresp: server,
}

type whose uint8

const (
	either whose = iota
	client
	server
)

// The protocol levels.
const (
	v31  = 3
	v311 = 4
	v5   = 5
)

var versions = map[byte]string{v31: "3.1", v311: "3.1.1", v5: "5.0"}

// returns are the return codes of a CONNACK before 5.0 (3.1.1, table 3.1).
var returns = [...]string{
	"Connection Accepted", "Connection Refused, unacceptable protocol version", "Connection Refused, identifier rejected",
	"Connection Refused, Server unavailable", "Connection Refused, bad user name or password", "Connection Refused, not authorized",
}

// reasons are the reason codes (5.0, 2.4); 0 is named by what it is the reason of.
var reasons = map[byte]string{
	0x00: "Success", 0x01: "Granted QoS 1", 0x02: "Granted QoS 2", 0x04: "Disconnect with Will Message",
	0x10: "No matching subscribers", 0x11: "No subscription existed", 0x18: "Continue authentication", 0x19: "Re-authenticate",
	0x80: "Unspecified error", 0x81: "Malformed Packet", 0x82: "Protocol Error", 0x83: "Implementation specific error",
	0x84: "Unsupported Protocol Version", 0x85: "Client Identifier not valid", 0x86: "Bad User Name or Password",
	0x87: "Not authorized", 0x88: "Server unavailable", 0x89: "Server busy", 0x8A: "Banned", 0x8B: "Server shutting down",
	0x8C: "Bad authentication method", 0x8D: "Keep Alive timeout", 0x8E: "Session taken over", 0x8F: "Topic Filter invalid",
	0x90: "Topic Name invalid", 0x91: "Packet Identifier in use", 0x92: "Packet Identifier not found",
	0x93: "Receive Maximum exceeded", 0x94: "Topic Alias invalid", 0x95: "Packet too large", 0x96: "Message rate too high",
	0x97: "Quota exceeded", 0x98: "Administrative action", 0x99: "Payload format invalid", 0x9A: "Retain not supported",
	0x9B: "QoS not supported", 0x9C: "Use another server", 0x9D: "Server moved", 0x9E: "Shared Subscriptions not supported",
	0x9F: "Connection rate exceeded", 0xA0: "Maximum connect time", 0xA1: "Subscription Identifiers not supported",
	0xA2: "Wildcard Subscriptions not supported",
}

// reasonName names a reason code of a packet of a type.
func reasonName(kind, code byte) string {
	switch {
	case code == 0 && kind == suback:
		return "Granted QoS 0"
	case code == 0 && kind == disconnect:
		return "Normal disconnection"
	case code == 0x80 && kind == suback:
		return "Failure" // as 3.1.1 has it; 5.0 says Unspecified error
	}
	if name, ok := reasons[code]; ok {
		return name
	}
	return "Unknown reason"
}
