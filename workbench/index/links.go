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

func (l *link) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, l.group)
	b = binary.BigEndian.AppendUint16(b, l.srcPort)
	b = binary.BigEndian.AppendUint16(b, l.dstPort)
	b = append(b, byte(l.transport), byte(l.tunnel.Kind))
	b = binary.BigEndian.AppendUint32(b, l.tunnel.ID)
	b = binary.BigEndian.AppendUint16(b, l.vlan)
	return binary.BigEndian.AppendUint32(b, l.iface)
}

// readLink reads what append wrote.
func readLink(b []byte, conn uint64) (l link) {
	be := binary.BigEndian
	l.conn, l.group, l.srcPort, l.dstPort = conn, be.Uint64(b), be.Uint16(b[8:]), be.Uint16(b[10:])
	l.transport, l.tunnel.Kind = packet.Proto(b[12]), packet.TunnelKind(b[13])
	l.tunnel.ID, l.vlan, l.iface = be.Uint32(b[14:]), be.Uint16(b[18:]), be.Uint32(b[20:])
	return l
}

// maxLinks bounds how many links are remembered to be found again. Past it a link
// may stand in the table twice.
const maxLinks = 1 << 16

// links hands out the ids of the rows of the table of the same name.
type links struct {
	rows *tables
	ids  map[linkKey]int64
	next int64
}

type linkKey struct {
	link
	src, dst int64
}

// id returns the row of a link between two endpoints.
func (x *links) id(l *link, src, dst int64) (int64, error) {
	key := linkKey{*l, src, dst}
	if id, known := x.ids[key]; known {
		return id, nil
	}
	if len(x.ids) == maxLinks {
		clear(x.ids)
	}
	x.next++
	x.ids[key] = x.next
	return x.next, x.rows.insert(tableLinks, x.next, []cell{
		intCell(src), intCell(dst), intCell(int64(l.srcPort)), intCell(int64(l.dstPort)), intCell(int64(l.transport)),
		intCell(int64(l.conn)), intCell(int64(l.group)),
		intCell(int64(l.vlan)), intCell(int64(l.tunnel.Kind)), intCell(int64(l.tunnel.ID)), intCell(int64(l.iface)),
	})
}
