// Package tcp makes an entry of each TCP segment with payload (RFC 9293) that belongs
// to no other entry: of what is not dissected, packet by packet.
package tcp

import (
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// maxPayload is how many bytes of a payload are kept.
const maxPayload = 1024

// The fields.
var (
	Method       = field.NewText("tcp_method", "What the segment does, by its most telling flag: RST, SYN, FIN, PSH or ACK.", `tcp && tcp_method == "PSH"`)
	Payload      = field.NewBytes("tcp_payload", "Payload of the segment, its first 1024 bytes.", `tcp && size(tcp_payload) > 0`)
	ErrorType    = field.NewText("tcp_error_type", "Kind of error: Reset; empty when there is none.", `tcp && tcp_error_type != ""`)
	ErrorMessage = field.NewText("tcp_error_message", "What went wrong; empty when nothing did.", `tcp && tcp_error_message.contains("reset")`)
)

// Protocol is TCP, as far as no other protocol is found in it.
var Protocol = &dissector.Protocol{
	Name:      "tcp",
	Label:     "TCP",
	Doc:       "One TCP segment with payload that belongs to no other entry.",
	Transport: dissector.TCP,
	Fields:    field.Fields(Method, Payload, ErrorType, ErrorMessage),
	Packet:    read,
}

func read(p *packet.Packet, m *dissector.Message) {
	v := &m.Values
	method := "NONE"
	for _, f := range []struct {
		flag uint16
		name string
	}{{packet.RST, "RST"}, {packet.SYN, "SYN"}, {packet.FIN, "FIN"}, {packet.PSH, "PSH"}, {packet.ACK, "ACK"}} {
		if p.Flags&f.flag != 0 {
			method = f.name
			break
		}
	}
	Method.SetString(v, method)
	Payload.Set(v, p.Payload[:min(len(p.Payload), maxPayload)])
	dissector.Operation.SetString(v, method)
	var text [64]byte
	b := append(strconv.AppendUint(text[:0], uint64(p.PayloadLen), 10), " bytes from sequence number "...)
	dissector.Summary.Set(v, strconv.AppendUint(b, uint64(p.Seq), 10))
	if p.Flags&packet.RST != 0 {
		ErrorType.SetString(v, "Reset")
		ErrorMessage.SetString(v, "the sender reset the connection")
		dissector.Failed.Set(v, true)
	}
}
