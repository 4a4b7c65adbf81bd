package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// common is a KFL variable that every entry has, as SQL over the entry e and its
// endpoints s (source) and d (destination).
type common struct {
	name   string
	sql    string // NULL where the entry has no such value
	kind   field.Kind
	ends   ends
	decode func(text string) any // for lists and maps
}

// ends says what an expression reads of where an entry went: its endpoints, or
// only its link.
type ends uint8

const (
	endSrc ends = 1 << iota
	endDst
	endLink
)

// addCommons lists the variables of every entry: those that the reference of KFL2
// names and those of the index itself. What no column tells is the same for all.
func (s *Schema) addCommons() {
	integer := func(name, sql string) common { return common{name: name, sql: sql, kind: field.Int} }
	text := func(name, sql string) common { return common{name: name, sql: sql, kind: field.Text} }
	truth := func(name, sql string) common { return common{name: name, sql: sql, kind: field.Bool} }
	state := func(name string, bit int) common { return truth(name, fmt.Sprintf("e.state & %d <> 0", bit)) }
	without := func(name string, bit int) common { return truth(name, fmt.Sprintf("e.state & %d = 0", bit)) }
	linked := func(c common) common { c.ends = endLink; return c }
	out := []common{
		integer("id", "e.id"),
		{name: "timestamp", sql: "e.ts", kind: field.Time},
		integer("elapsed_time", "e.duration / 1000 - e.lag"), integer("first_byte_time", "e.duration / 1000 - e.lag - e.tail"),
		text("protocol", s.labelSQL()), linked(text("transport", transportSQL())),
		linked(integer("conn_id", "l.conn")), linked(integer("flow_id", "l.flow")), integer("index", "e.idx"),
		linked(text("stream", "printf('%x', l.conn)")),
		text("operation", wordSQL("e.operation")), text("summary", wordSQL("e.summary")), text("status", wordSQL("e.status")),
		integer("status_code", "e.status_code"), state("failed", stateFailed),
		integer("request_size", "e.request_size"), integer("response_size", "e.response_size"),
		integer("total_size", "ifnull(e.request_size, 0) + ifnull(e.response_size, 0)"),
		without("has_request", stateNoRequest), without("has_response", stateNoResponse), state("one_way", stateOneWay),
		truth("succeeded", fmt.Sprintf("e.state & %d = 0", stateNoResponse|stateFailed)),
		integer("lost_bytes", "e.lost"), integer("first_packet", "e.first_packet"), integer("last_packet", "e.first_packet + e.packet_span"),
		truth("has_pcap", "e.first_packet <> 0"), state("tls", stateTLS), linked(text("capture_source", ofInterface(captureSQL, "'unspecified'"))),
		linked(integer("vlan", "CASE WHEN l.vlan > 0 THEN l.vlan - 1 END")),
		linked(text("tunnel", tunnelSQL())), linked(integer("tunnel_id", "l.tunnel_id")), linked(integer("interface", fmt.Sprintf("CASE WHEN l.interface < %d THEN l.interface END", uint32(dissector.NoInterface)))),
		linked(text("node_name", ofInterface("node", "''"))), linked(text("node_id", ofInterface("node", "''"))), linked(text("node_ip", ofInterface("node_ip", "''"))),
		linked(text("worker", ofInterface("CASE WHEN "+captureSQL+" <> 'unspecified' THEN node ELSE '' END", "''"))),
		linked(common{name: "node", sql: ofInterface("CASE WHEN node <> '' THEN json_object('name', node, 'ip', node_ip) ELSE '{}' END", "'{}'"), kind: field.Map, decode: object}),
	}
	const doubts = dissector.MarkTruncated | dissector.MarkResumed | dissector.MarkUnpaired | dissector.MarkEvicted
	out = append(out, truth("complete", fmt.Sprintf("e.state & %d = 0 AND e.lost = 0 AND (e.state & %d <> 0 OR e.state & %d = 0)", doubts*stateMarks, stateOneWay, stateNoRequest|stateNoResponse)))
	for _, m := range []struct {
		name string
		mark dissector.Marks
	}{
		{"truncated", dissector.MarkTruncated},
		{"resumed", dissector.MarkResumed},
		{"unpaired", dissector.MarkUnpaired},
		{"evicted", dissector.MarkEvicted},
	} {
		out = append(out, state(m.name, int(m.mark)*stateMarks))
	}
	out = append(out, peer("src", "s", endSrc, "l.src_port")...)
	out = append(out, peer("dst", "d", endDst, "l.dst_port")...)
	out = append(out, nearFar("local", "s", endSrc)...)
	out = append(out, nearFar("remote", "d", endDst)...)
	s.commons = append(out,
		both("namespaces", "pod_namespace", "service_namespace"), both("pods", "pod"), both("services", "service"),
		both("dns_resolutions", "dns"),
	)
	s.byName = make(map[string]int)
	for i, c := range s.commons {
		s.byName[c.name] = i
	}
}

// captureSQL tells how packets of an interface were captured: the recorder names interfaces
// of plaintext so, and describes others by their network namespaces.
const captureSQL = "CASE WHEN name = '" + packet.PlaintextInterface + "' THEN 'ebpf_tls' WHEN description GLOB 'netns [0-9]*' THEN 'af_packet' ELSE 'unspecified' END"

// ofInterface is an expression on the interface that an entry was captured on, and what it is
// if that is not known.
func ofInterface(sql, unknown string) string {
	return "ifnull((SELECT " + sql + " FROM interfaces WHERE interfaces.id = l.interface), " + unknown + ")"
}

// peer lists the variables of one side of an entry.
func peer(name, table string, from ends, port string) []common {
	text := func(n, sql string) common {
		return common{name: name + "." + n, sql: strings.ReplaceAll(sql, "$", table+"."), kind: field.Text, ends: from}
	}
	return []common{
		text("ip", "$ip"),
		{name: name + ".port", sql: port, kind: field.Int, ends: endLink},
		text("name", "$name"), text("namespace", "$namespace"),
		text("pod.name", "CASE WHEN $pod <> '' THEN $pod ELSE $service END"),
		text("pod.namespace", "CASE WHEN $pod <> '' THEN $pod_namespace ELSE $service_namespace END"),
		text("service.name", "$service"), text("service.namespace", "$service_namespace"),
		text("workload.kind", "$workload_kind"), text("workload.name", "$workload"),
		text("dns", "$dns"), text("unknown", "$unknown"),
		{name: name + ".labels", sql: table + ".labels", kind: field.Map, ends: from, decode: object},
		{name: name + ".annotations", sql: table + ".annotations", kind: field.Map, ends: from, decode: object},
	}
}

// nearFar lists KFL2's other names for the sides: local is the client's, remote
// the server's.
func nearFar(name, table string, from ends) []common {
	return []common{
		{name: name + "_labels", sql: table + ".labels", kind: field.Map, ends: from, decode: object},
		{name: name + "_annotations", sql: table + ".annotations", kind: field.Map, ends: from, decode: object},
		{name: name + "_node_name", sql: table + ".node", kind: field.Text, ends: from},
		{name: name + "_process_name", sql: table + ".process", kind: field.Text, ends: from},
		{name: name + "_resolution_status", sql: table + ".unknown", kind: field.Text, ends: from},
	}
}

// both is a list of the values that some columns have on both sides.
func both(name string, columns ...string) common {
	var parts []string
	for _, side := range []string{"s.", "d."} {
		for _, c := range columns {
			parts = append(parts, side+c)
		}
	}
	return common{name: name, sql: strings.Join(parts, " || char(10) || "), kind: field.List, ends: endSrc | endDst, decode: distinct}
}

// distinct splits lines and drops those that are empty or came before.
func distinct(text string) any {
	out := []string{}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// object reads a JSON object of texts.
func object(text string) any {
	out := make(map[string]string)
	if text != "{}" && json.Unmarshal([]byte(text), &out) != nil || out == nil {
		return map[string]string{}
	}
	return out
}

// labelSQL names the protocol of an entry.
func (s *Schema) labelSQL() string {
	if len(s.protocols) == 0 {
		return "''"
	}
	var b strings.Builder
	b.WriteString("CASE e.protocol")
	for i, p := range s.protocols {
		fmt.Fprintf(&b, " WHEN %d THEN %s", i, literal(p.Label))
	}
	return b.String() + " ELSE '' END"
}

func transportSQL() string {
	var b strings.Builder
	b.WriteString("CASE l.transport")
	for _, p := range []packet.Proto{packet.TCP, packet.UDP, packet.SCTP, packet.ICMP, packet.ICMPv6} {
		fmt.Fprintf(&b, " WHEN %d THEN %s", p, literal(p.String()))
	}
	return b.String() + " ELSE '' END"
}

// tunnelNames name the kinds of packet.Tunnel.
var tunnelNames = [...]string{packet.GRE: "gre", packet.IPinIP: "ipip", packet.VXLAN: "vxlan", packet.Geneve: "geneve", packet.GTPU: "gtpu", packet.CAPWAP: "capwap"}

func tunnelSQL() string {
	var b strings.Builder
	b.WriteString("CASE l.tunnel")
	for i, name := range tunnelNames {
		if name != "" {
			fmt.Fprintf(&b, " WHEN %d THEN %s", i, literal(name))
		}
	}
	return b.String() + " ELSE '' END"
}
