package index

import (
	"encoding/binary"

	"shark/packet"
)

// link is what all entries have in common that go the same way over the same
// connection; the table links has each once.
type link struct {
	conn             uint64
	group            uint64
	srcPort, dstPort uint16
	transport        packet.Proto
	tunnel           packet.Tunnel
	vlan             uint16
	iface            uint32
}

// linkSize is the length of a link in a row, in bytes, without its connection.
const linkSize = 8 + 2 + 2 + 1 + 1 + 4 + 2 + 4

// put writes a link, without its connection, in linkSize bytes.
func (l *link) put(b []byte) {
	be := binary.BigEndian
	_ = b[linkSize-1]
	be.PutUint64(b, l.group)
	be.PutUint16(b[8:], l.srcPort)
	be.PutUint16(b[10:], l.dstPort)
	b[12], b[13] = byte(l.transport), byte(l.tunnel.Kind)
	be.PutUint32(b[14:], l.tunnel.ID)
	be.PutUint16(b[18:], l.vlan)
	be.PutUint32(b[20:], l.iface)
}

// readLink reads what put wrote.
func readLink(b []byte, conn uint64) (l link) {
	be := binary.BigEndian
	l.conn, l.group, l.srcPort, l.dstPort = conn, be.Uint64(b), be.Uint16(b[8:]), be.Uint16(b[10:])
	l.transport, l.tunnel.Kind = packet.Proto(b[12]), packet.TunnelKind(b[13])
	l.tunnel.ID, l.vlan, l.iface = be.Uint32(b[14:]), be.Uint16(b[18:]), be.Uint32(b[20:])
	return l
}
