// Package sctp makes an entry of each SCTP packet (RFC 9260) that belongs to no other
// entry: of associations whose messages are not dissected, and of the packets that
// open, acknowledge and close them.
package sctp

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/stream"
	"shark/packet"
)

// maxListed is how many chunks of a packet the summary names.
const maxListed = 8

// The fields.
var (
	Checksum  = field.NewInt("sctp_checksum", "", "Checksum of the packet as it was captured.", `sctp && sctp_checksum > 0`)
	Length    = field.NewInt("sctp_length", "bytes", "Length of the packet, header included.", `sctp && sctp_length > 512`)
	ChunkType = field.NewText("sctp_chunk_type", "Type of the first chunk.", `sctp && sctp_chunk_type == "DATA"`)
)

// Protocol is SCTP, as far as no other protocol is found in it.
var Protocol = &dissector.Protocol{
	Name:      "sctp",
	Label:     "SCTP",
	Doc:       "One SCTP packet that belongs to no other entry.",
	Transport: dissector.SCTP,
	Fields:    field.Fields(Checksum, Length, ChunkType),
	Packet:    read,
}

// types are the names of the chunk types (IANA's register of SCTP parameters).
var types = map[byte]string{
	0: "DATA", 1: "INIT", 2: "INIT_ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT_ACK", 6: "ABORT", 7: "SHUTDOWN", 8: "SHUTDOWN_ACK",
	9: "ERROR", 10: "COOKIE_ECHO", 11: "COOKIE_ACK", 12: "ECNE", 13: "CWR", 14: "SHUTDOWN_COMPLETE", 15: "AUTH", 64: "I_DATA",
	128: "ASCONF_ACK", 130: "RE_CONFIG", 132: "PAD", 192: "FORWARD_TSN", 193: "ASCONF", 194: "I_FORWARD_TSN",
}

// abort is the type of the chunk that ends an association at once.
const abort = 6

func read(p *packet.Packet, m *dissector.Message) {
	v := &m.Values
	Checksum.Set(v, int64(binary.BigEndian.Uint32(p.Payload[8:]))) // the header is there: without it the packet is malformed
	Length.Set(v, int64(p.PayloadLen))
	var summary []byte
	b, wire := stream.Chunks(p)
	for n := 0; ; n++ {
		c, rest, left, ok := stream.NextChunk(b, wire)
		if !ok {
			break
		}
		b, wire = rest, left
		name := types[c.Type]
		if name == "" {
			name = strconv.Itoa(int(c.Type))
		}
		if n == 0 {
			ChunkType.SetString(v, name)
			dissector.Operation.SetString(v, name)
		}
		if c.Type == abort {
			dissector.Failed.Set(v, true)
		}
		switch {
		case n == maxListed:
			summary = append(summary, " …"...)
		case n < maxListed:
			if n > 0 {
				summary = append(summary, ' ')
			}
			summary = append(summary, name...)
		}
	}
	dissector.Summary.Set(v, summary)
}
