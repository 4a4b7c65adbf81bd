// Package udp makes an entry of each UDP datagram with payload (RFC 768) that belongs
// to no other entry: of what is not dissected, packet by packet.
package udp

import (
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

const (
	headerLen = 8
	// maxPayload is how many bytes of a payload are kept.
	maxPayload = 1024
)

// The fields.
var (
	Length   = field.NewInt("udp_length", "bytes", "Length of the datagram, header included.", `udp && udp_length > 512`)
	Checksum = field.NewInt("udp_checksum", "", "Checksum of the datagram as it was captured; 0 when the sender made none.", `udp && udp_checksum == 0`)
	Payload  = field.NewBytes("udp_payload", "Payload of the datagram, its first 1024 bytes.", `udp && size(udp_payload) > 0`)
)

// Protocol is UDP, as far as no other protocol is found in it.
var Protocol = &dissector.Protocol{
	Name:      "udp",
	Label:     "UDP",
	Doc:       "One UDP datagram with payload that belongs to no other entry.",
	Transport: dissector.UDP,
	Fields:    field.Fields(Length, Checksum, Payload),
	Packet:    read,
}

func read(p *packet.Packet, m *dissector.Message) {
	v := &m.Values
	Length.Set(v, int64(p.PayloadLen)+headerLen)
	Checksum.Set(v, int64(p.Checksum))
	Payload.Set(v, p.Payload[:min(len(p.Payload), maxPayload)])
	dissector.Operation.SetString(v, "Datagram")
	var text [32]byte
	dissector.Summary.Set(v, append(strconv.AppendUint(text[:0], uint64(p.PayloadLen), 10), " bytes"...))
}
