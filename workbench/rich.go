package workbench

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/identity"
	"shark/workbench/index"
)

// Limits of what a rich file says beside its packets.
const (
	// maxTalks is how many connections get a comment; each takes about 400 bytes of memory.
	maxTalks = 256 << 10
	// maxTalkEntries is how many entries a comment lists.
	maxTalkEntries = 8
	// maxPodFaces is how many interfaces are made for pods.
	maxPodFaces = 64 << 10
	// maxPodless is how many nodes without pods a note names.
	maxPodless = 8
	// maxTalkName is how many bytes of a name go into a comment.
	maxTalkName = 256
)

// richness is what a rich file says beside its packets that the input does not.
type richness struct {
	names  []pcapng.Name
	finder *podFinder
	why    string // there are no names, where that is so
	faces  map[podFace]uint32
	talks  map[packet.Flow][]*talk // by the flow, the lesser end first
	known  map[uint64]*talk        // by connection
	used   []bool                  // interfaces of the input that packets came by
	mute   int64                   // connections beyond maxTalks
	alike  int64                   // packets of pods beyond maxPodFaces
}

// podFace is a pod seen at an interface of the input.
type podFace struct {
	in          uint32
	space, name string
}

// talk is a connection that gets a comment.
type talk struct {
	from     int64 // time of its first packet
	src, dst string
	id       int64 // entry of the connection
	calls    []int64
	more     int64 // calls beyond maxTalkEntries
	said     bool
}

// richness finds out about all connections and addresses of the evidence in a window.
func (e *Evidence) richness(ctx context.Context, window [2]time.Time) (*richness, error) {
	if err := e.know(ctx); err != nil {
		return nil, err
	}
	r := &richness{
		finder: newPodFinder(e.identity), faces: make(map[podFace]uint32),
		talks: make(map[packet.Flow][]*talk), known: make(map[uint64]*talk),
	}
	if r.why = "there is no identity log"; e.unnamed != nil {
		r.why = "the identity log cannot be read"
	}
	var err error
	if r.names, err = names(e.identity, window); err != nil {
		return nil, err
	}
	t := e.w.newTalks(r)
	t.log = e.identity
	if err := e.eachRow(ctx, dissector.ConnProtocol.Name, t.conn); err != nil {
		return nil, err
	}
	return r, e.eachRow(ctx, calls, t.call)
}

// calls selects what is neither a connection nor a flow.
const calls = "!conn && !flow"

// eachRow calls f with the entries that an expression selects.
func (e *Evidence) eachRow(ctx context.Context, expr string, f func(*index.Row)) error {
	x, plan, err := e.plan(ctx, expr)
	if err != nil {
		return err
	}
	for row, err := range x.db.Query(ctx, plan, index.QueryOptions{}) {
		if err != nil {
			return err
		}
		f(row)
	}
	return nil
}

// names lists the addresses that one pod, service or node alone had in a window: pods as
// name.namespace, services as name.namespace.svc.
func names(log *identity.Log, window [2]time.Time) (out []pcapng.Name, err error) {
	all, err := log.IPs(identity.IPFilter{})
	if err != nil {
		return nil, err
	}
	for _, ip := range all {
		addr, err := netip.ParseAddr(ip.IP)
		if err != nil {
			continue
		}
		if name := onlyOwner(ip.Records, window); name != "" {
			out = append(out, pcapng.Name{Addr: packet.AddrFrom(addr), Name: name})
		}
	}
	return out, nil
}

// onlyOwner returns the name of the one that had an address in a window; empty when there
// were several. A node goes before the pods that share its address.
func onlyOwner(records []identity.IPRecord, window [2]time.Time) string {
	pick := func(nodes bool) (names map[string]bool) {
		names = make(map[string]bool)
		for _, r := range records {
			before := !r.To.IsZero() && !window[0].IsZero() && r.To.Before(window[0])
			after := !window[1].IsZero() && !r.From.Before(window[1])
			if !before && !after && nodes == (r.Kind == identity.Node) {
				names[hostName(r)] = true
			}
		}
		return names
	}
	found := pick(true)
	if len(found) == 0 {
		found = pick(false)
	}
	if len(found) != 1 {
		return ""
	}
	for name := range found {
		return name
	}
	return ""
}

// hostName writes who had an address as the name of a host.
func hostName(r identity.IPRecord) string {
	name := printable(r.Name)
	if r.Namespace != "" {
		name += "." + printable(r.Namespace)
	}
	if r.Kind == identity.Service {
		name += ".svc"
	}
	return name
}

// printable leaves of a name what is fit to be read.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if len(s) > maxTalkName {
		s = strings.ToValidUTF8(s[:maxTalkName], "")
	}
	return s
}

// talks reads connections and calls.
type talks struct {
	r                      *richness
	w                      *Workbench
	names, spaces, process [2]*field.Field // of client and server
	log                    *identity.Log
}

func (w *Workbench) newTalks(r *richness) *talks {
	pair := func(a, b string) [2]*field.Field {
		return [2]*field.Field{w.catalogue.Lookup(a), w.catalogue.Lookup(b)}
	}
	return &talks{
		r: r, w: w, names: pair("src.name", "dst.name"), spaces: pair("src.namespace", "dst.namespace"),
		process: pair("local_process_name", "remote_process_name"),
	}
}

// call takes a call.
func (t *talks) call(row *index.Row) {
	k := t.r.known[uint64(row.Value(field.ConnID.Field).(int64))]
	switch {
	case k == nil:
	case len(k.calls) < maxTalkEntries:
		k.calls = append(k.calls, row.ID())
	default:
		k.more++
	}
}

// conn takes a connection.
func (t *talks) conn(row *index.Row) {
	if len(t.r.known) == maxTalks {
		t.r.mute++
		return
	}
	f, ok := flowOf(row)
	if !ok {
		return
	}
	p := t.w.place(row)
	k := &talk{from: p.time.UnixNano(), src: t.end(row, 0, p.time), dst: t.end(row, 1, p.time), id: row.ID()}
	t.r.known[p.conn] = k
	t.r.talks[f] = append(t.r.talks[f], k)
}

// pid returns the number of the process at one end of a connection; 0 when nobody knows.
func (t *talks) pid(row *index.Row, side int, at time.Time) int64 {
	f, ok := flowOf(row)
	ip, err := netip.ParseAddr(row.Value([2]field.TextField{field.SrcIP, field.DstIP}[side].Field).(string))
	if !ok || err != nil {
		return 0
	}
	port := uint16(row.Value([2]field.IntField{field.SrcPort, field.DstPort}[side].Field).(int64))
	if f.Src != packet.AddrFrom(ip) || f.SrcPort != port {
		f = f.Reverse()
	}
	return t.log.Owner(sender(f), at.UnixNano()).PID
}

// sender is the end of a flow that sends.
func sender(f packet.Flow) *identity.End {
	return &identity.End{Protocol: f.Proto, Local: f.Src, Port: f.SrcPort, Peer: f.Dst, PeerPort: f.DstPort}
}

// end writes who one end of a connection is, and which process.
func (t *talks) end(row *index.Row, side int, at time.Time) string {
	get := func(f *field.Field) string {
		s, _ := row.Value(f).(string)
		return printable(s)
	}
	name := get(t.names[side])
	if space := get(t.spaces[side]); space != "" && name != "" {
		name = space + "/" + name
	}
	if name == "" {
		ips, ports := [2]field.TextField{field.SrcIP, field.DstIP}, [2]field.IntField{field.SrcPort, field.DstPort}
		name = endText(row.Value(ips[side].Field).(string), row.Value(ports[side].Field).(int64))
	}
	process := get(t.process[side])
	if process == "" {
		return name
	}
	pid := t.pid(row, side, at)
	switch {
	case process == name && pid > 0:
		name += fmt.Sprintf(" (pid %d)", pid)
	case process != name && pid > 0:
		name += fmt.Sprintf(" (process %s, pid %d)", process, pid)
	case process != name:
		name += " (process " + process + ")"
	}
	return name
}

// flowOf returns the flow of a connection's entry, the lesser end first.
func flowOf(row *index.Row) (packet.Flow, bool) {
	src, err := netip.ParseAddr(row.Value(field.SrcIP.Field).(string))
	dst, err2 := netip.ParseAddr(row.Value(field.DstIP.Field).(string))
	if err != nil || err2 != nil {
		return packet.Flow{}, false
	}
	f := packet.Flow{
		Src: packet.AddrFrom(src), Dst: packet.AddrFrom(dst),
		SrcPort: uint16(row.Value(field.SrcPort.Field).(int64)), DstPort: uint16(row.Value(field.DstPort.Field).(int64)),
	}
	transport := row.Value(field.Carrier.Field).(string)
	for _, p := range []packet.Proto{packet.TCP, packet.UDP, packet.SCTP, packet.ICMP, packet.ICMPv6} {
		if p.String() == transport {
			f.Proto = p
		}
	}
	return lesser(f), f.Proto != 0
}

// lesser returns a flow in the direction in which the lesser end comes first.
func lesser(f packet.Flow) packet.Flow {
	if cmp.Or(strings.Compare(string(f.Src[:]), string(f.Dst[:])), cmp.Compare(f.SrcPort, f.DstPort)) > 0 {
		return f.Reverse()
	}
	return f
}

// begin gives the names to what is written beside packets.
func (r *richness) begin(x *extras) {
	x.names, x.own = r.names, len(r.names)
}

// mark puts a packet that came by interface in under that of its pod, the id of its
// sightings and the process that sent it on it, and the comment of its connection, if no
// packet had that yet.
func (r *richness) mark(rec *packet.Record, in uint32, id uint64, f *faces) {
	if int(in) >= len(r.used) {
		r.used = append(r.used, make([]bool, int(in)+1-len(r.used))...)
	}
	r.used[in] = true
	if space, name := r.finder.here(rec, f.nodes[in]); name != "" && !f.plain[in] {
		rec.Interface = r.face(podFace{f.same[in], space, name}, f)
	}
	rec.Options = identified(rec, id, r.finder.process(f.nodes[in]))
	p := &r.finder.p
	if p.Kind != packet.Transport {
		return
	}
	for _, k := range r.talks[lesser(p.Flow())] {
		if !k.said && k.from <= rec.Time {
			k.said = true
			rec.Options = commented(rec, k.text())
			return
		}
	}
}

// face returns the interface of a pod.
func (r *richness) face(k podFace, f *faces) uint32 {
	if i, ok := r.faces[k]; ok {
		return i
	}
	if len(r.faces) == maxPodFaces {
		r.alike++
		return f.of[k.in]
	}
	r.faces[k] = f.pod(k.in, printable(k.space)+"/"+printable(k.name))
	return r.faces[k]
}

// text is the comment.
func (k *talk) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s; entry %d", k.src, k.dst, k.id)
	for i, id := range k.calls {
		if i == 0 {
			b.WriteString("; calls ")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, id)
	}
	if k.more > 0 {
		fmt.Fprintf(&b, " and %s more", Grouped(k.more))
	}
	return b.String()
}

// Options of packets (pcapng draft, sections 3.5 and 4.3).
const (
	optionComment  = 1
	optionPacketID = 5
	optionProcess  = 8 // two 32-bit numbers: the process that sent the packet, and its thread
)

// optionOrder is the byte order of a packet's options, and of those put before them.
func optionOrder(rec *packet.Record) binary.AppendByteOrder {
	if len(rec.Options) == 0 {
		rec.OptionsBigEndian = false
	}
	if rec.OptionsBigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// commented returns the options of a packet with a comment before them.
func commented(rec *packet.Record, text string) []byte {
	order := optionOrder(rec)
	b := order.AppendUint16(nil, optionComment)
	b = append(order.AppendUint16(b, uint16(len(text))), text...)
	b = append(b, "\x00\x00\x00"[:-len(text)&3]...)
	return append(b, rec.Options...)
}

// identified returns the options of a packet with an id before them, in the place of one that
// they have: what it tied to others in its own capture file, ids of several files would not.
// The process that sent the packet is added behind them, unless it is 0 or the capture says
// one itself; of its threads nobody knows (0).
func identified(rec *packet.Record, id uint64, process uint32) []byte {
	order := optionOrder(rec)
	read := binary.ByteOrder(binary.LittleEndian)
	if rec.OptionsBigEndian {
		read = binary.BigEndian
	}
	out := order.AppendUint16(nil, optionPacketID)
	out = order.AppendUint64(order.AppendUint16(out, 8), id)
	rest := rec.Options
	for len(rest) >= 4 && read.Uint16(rest) != 0 {
		n := min(4+(int(read.Uint16(rest[2:]))+3)&^3, len(rest))
		switch read.Uint16(rest) {
		case optionPacketID:
			rest = rest[n:]
			continue
		case optionProcess:
			process = 0
		}
		out, rest = append(out, rest[:n]...), rest[n:]
	}
	if process != 0 {
		out = order.AppendUint16(order.AppendUint16(out, optionProcess), 8)
		out = order.AppendUint32(order.AppendUint32(out, process), 0)
	}
	return append(out, rest...)
}

// notes says where a limit bit, and where pods have no interfaces since nobody knows them.
func (r *richness) notes(f *faces) (out []string) {
	if r.mute > 0 {
		out = append(out, fmt.Sprintf("%s without a comment: the first %s have one", Count(r.mute, "connections"), Grouped(maxTalks)))
	}
	if r.alike > 0 {
		out = append(out, fmt.Sprintf("%s of pods without an interface of their own: the first %s have one", Count(r.alike, "packets"), Grouped(maxPodFaces)))
	}
	hosts := r.finder.log.PodNodes()
	switch {
	case r.finder.log == nil:
		return append(out, "no pod has an interface of its own and no address a name: "+r.why)
	case len(hosts) == 0:
		return append(out, "no pod has an interface of its own: the identity log knows none")
	}
	if list := r.podless(hosts, f); len(list) > 0 {
		text := strings.Join(list[:min(len(list), maxPodless)], ", ")
		if n := len(list) - maxPodless; n > 0 {
			text += fmt.Sprintf(" and %s more", Grouped(int64(n)))
		}
		out = append(out, "no pod of "+text+" has an interface of its own: the identity log knows none there")
	}
	return out
}

// podless lists the nodes that packets came from and which are not among those with pods.
func (r *richness) podless(hosts []string, f *faces) (list []string) {
	for i, used := range r.used {
		node := f.nodes[i]
		if used && node != "" && !f.plain[i] && !slices.Contains(hosts, node) && !slices.Contains(list, node) {
			list = append(list, node)
		}
	}
	return list
}
