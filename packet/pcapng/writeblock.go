package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"shark/packet"
)

// namesBlock is how large a Name Resolution Block gets before the next is begun.
const namesBlock = 64 << 10

// maxName is how long a name is at most that is written: with an address and its end it is one
// record.
const maxName = 0xffff - 16 - 1

// begin starts a block, end completes it and puts it before the packets that are
// held, as what they need.
func (w *Writer) begin(kind uint32) {
	w.buf = binary.LittleEndian.AppendUint32(w.buf[:0], kind)
	w.buf = append(w.buf, 0, 0, 0, 0)
}

func (w *Writer) end() { w.whole(endBlock(w.buf, 0)) }

func (w *Writer) endOptions() { w.buf = append(w.buf, 0, 0, 0, 0) }

// writeSection writes a Section Header Block.
func (w *Writer) writeSection() { w.whole(AppendSection(w.buf[:0], &w.o)) }

// whole takes a block that is complete as one that the packets that are held need.
func (w *Writer) whole(block []byte) {
	w.buf = block
	if w.err == nil {
		w.err = w.hold.block(block, true)
	}
}

// describe writes the Interface Description Block of the source's interface i
// and returns its index in the section.
func (w *Writer) describe(i uint32, link packet.LinkType, interfaces []packet.Interface) uint32 {
	if i >= maxInterfaces {
		w.err = fmt.Errorf("write capture: interface %d: more than %d interfaces", i, maxInterfaces)
		return 0
	}
	var desc packet.Interface
	if int64(i) < int64(len(interfaces)) {
		desc = interfaces[i]
	}
	desc.Link = link
	w.whole(AppendInterface(w.buf[:0], &desc, Nanoseconds))
	for len(w.ids) <= int(i) {
		w.ids = append(w.ids, 0)
	}
	w.links = append(w.links, link)
	w.ids[i] = uint32(len(w.links))
	return w.ids[i] - 1
}

// writePacket writes an Enhanced Packet Block.
func (w *Writer) writePacket(id uint32, rec *packet.Record) {
	w.options = w.options[:0]
	if len(rec.Options) > 0 {
		w.options = appendPacketOptions(w.options, rec.Options, rec.OptionsBigEndian)
		w.omitted.Add(OmittedOf(rec))
	}
	b := w.room(packetSize(rec, w.options))
	if w.err != nil {
		return
	}
	w.err = w.hold.packet(rec.Time, len(appendPacket(b, id, rec, w.options)))
}

// ngOnly reports an error unless the format can hold what is to be written.
func (w *Writer) ngOnly(what string) error {
	if w.err == nil && w.o.Format != Pcapng {
		return fmt.Errorf("write %s to a pcap file: %w", what, errors.ErrUnsupported)
	}
	return w.err
}

// WriteInterface describes the source's interface i, if no packet did: many readers
// refuse a file without any. It is an error with pcap.
func (w *Writer) WriteInterface(i uint32, interfaces []packet.Interface) error {
	if err := w.ngOnly("interfaces"); err != nil {
		return err
	}
	if _, ok := w.lookup(i); !ok && int64(i) < int64(len(interfaces)) {
		w.describe(i, interfaces[i].Link, interfaces)
	}
	return w.err
}

// WriteStatistics writes what the source's interface i says it received and
// dropped up to the time at (nanoseconds since 1970), and describes it if no packet did.
// An interface that states neither is left out. It is an error with pcap.
func (w *Writer) WriteStatistics(i uint32, interfaces []packet.Interface, at int64) error {
	if err := w.ngOnly("statistics"); err != nil {
		return err
	}
	if int64(i) >= int64(len(interfaces)) || interfaces[i].Received == nil && interfaces[i].Dropped == nil {
		return nil
	}
	desc := &interfaces[i]
	id, ok := w.lookup(i)
	if !ok {
		if id = w.describe(i, desc.Link, interfaces); w.err != nil {
			return w.err
		}
	}
	w.buf = AppendStatistics(w.buf[:0], id, &Statistics{At: at, Received: desc.Received, Dropped: desc.Dropped})
	if w.err == nil {
		w.err = w.hold.block(w.buf, false) // it counts packets before it
	}
	return w.err
}

// WriteNames writes address names. It is an error with pcap.
func (w *Writer) WriteNames(names []Name) error {
	if err := w.ngOnly("names"); err != nil {
		return err
	}
	for len(names) > 0 && w.err == nil {
		w.begin(blockNames)
		for len(names) > 0 && len(w.buf) < namesBlock {
			n := names[0]
			names = names[1:]
			name, _, _ := bytes.Cut([]byte(n.Name), []byte{0})
			name = name[:min(len(name), maxName)]
			if len(name) == 0 || n.Addr == (packet.Addr{}) {
				continue
			}
			code, addr := uint16(2), n.Addr.IP()
			if addr.Is4() {
				code = 1
			}
			w.buf = appendOption(w.buf, code, append(append(addr.AsSlice(), name...), 0))
		}
		w.endOptions()
		w.end()
	}
	return w.err
}

// WriteAside writes what stood beside packets, behind those that were written. A section's header
// begins a section without interfaces: behind it only asides follow that are no statistics. It is
// an error with pcap.
func (w *Writer) WriteAside(a *Aside, interfaces []packet.Interface) error {
	if err := w.ngOnly("blocks beside packets"); err != nil {
		return err
	}
	id := uint32(0)
	switch {
	case a.IsStatistics():
		var ok bool
		if int64(a.Interface) >= int64(len(interfaces)) {
			return fmt.Errorf("write statistics: there is no interface %d", a.Interface)
		}
		if id, ok = w.lookup(a.Interface); !ok {
			id = w.describe(a.Interface, interfaces[a.Interface].Link, interfaces)
		}
	case a.IsSection():
		w.ids, w.links = nil, nil
	}
	if w.err == nil {
		w.buf = AppendAside(w.buf[:0], id, a)
		w.err = w.hold.block(w.buf, false)
	}
	return w.err
}

// Omitted counts what of the packets' options was left out.
func (w *Writer) Omitted() Omitted { return w.omitted }

// WriteSecrets writes decryption secrets. They should come before the packets
// they decrypt. It is an error with pcap.
func (w *Writer) WriteSecrets(s Secret) error {
	if err := w.ngOnly("secrets"); err != nil {
		return err
	}
	if len(s.Data)+len(s.Options) > maxRecord-minBlock-secretsFixed-8 {
		return fmt.Errorf("write secrets: %d bytes are more than a block holds", len(s.Data))
	}
	w.whole(AppendSecrets(w.buf[:0], &s))
	return w.err
}

// WriteIdentity writes lines of the identity log, each with its end mark. The first go before
// the first packet: from these a reader knows that there is a log. It is an error with pcap.
func (w *Writer) WriteIdentity(lines []byte) error {
	if err := w.ngOnly("the identity log"); err != nil {
		return err
	}
	for len(lines) > 0 && w.err == nil {
		part := lines[:min(len(lines), MaxIdentity)]
		if n := bytes.LastIndexByte(part, '\n'); n >= 0 {
			part = part[:n+1]
		}
		lines = lines[len(part):]
		w.whole(AppendIdentity(w.buf[:0], part))
	}
	return w.err
}
