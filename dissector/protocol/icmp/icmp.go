// Package icmp reads ICMP (RFC 792) and ICMPv6 (RFC 4443): echo and the other
// questions that hosts ask one another, the errors that come back about other
// packets, and the messages of neighbours and routers.
//
// Questions and answers pair by type, identifier and sequence number. Everything
// else is one-way; errors count as failed and say which flow they are about.
package icmp

import (
	"encoding/binary"
	"errors"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// headerLen is what every message has: type, code, checksum and four more bytes.
// Some ICMPv6 messages stop there, none before.
const headerLen = 8

// The fields.
var (
	Type     = field.NewText("icmp_type", "Type of the message, a number as text.", `icmp && icmp_type == "3"`)
	TypeName = field.NewText("icmp_type_name", "Type of the message by name.", `icmp_type_name == "Time Exceeded"`)
	Code     = field.NewInt("icmp_code", "", "Code of the message, which its type gives a meaning.", `icmp_type == "3" && icmp_code == 4`)
	Version  = field.NewInt("icmp_version", "", "4 for ICMP, 6 for ICMPv6.", `icmp && icmp_version == 6`)
	Length   = field.NewInt("icmp_length", "bytes", "Length of the message.", `icmp_length > 1000`)
	ID       = field.NewInt("icmp_id", "", "Identifier of a question and its answer.", `icmp_id > 0`)
	Sequence = field.NewInt("icmp_sequence", "", "Sequence number of a question and its answer.", `icmp && icmp_sequence > 3`)
	About    = field.NewText("icmp_about", "The flow that an error is about: transport, source and destination of the packet it quotes.", `icmp_about.startsWith("udp ")`)
	Target   = field.NewText("icmp_target", "Address that a neighbour or redirect message is about: the neighbour, or the better gateway.", `icmp_target == "fd00:1::2"`)
	MTU      = field.NewInt("icmp_mtu", "bytes", "Largest packet that the next link takes, by an error that says so.", `icmp_mtu > 0 && icmp_mtu < 1500`)
)

// Protocol is ICMP for IPv4 and IPv6.
var Protocol = &dissector.Protocol{
	Name:      "icmp",
	Label:     "ICMP",
	Doc:       "Internet control messages for IPv4 and IPv6: pings, errors, neighbours and routers.",
	Transport: dissector.ICMP | dissector.ICMPv6,
	Fields:    field.Fields(Type, TypeName, Code, Version, Length, ID, Sequence, About, Target, MTU),
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return parse },
}

var errMalformed = errors.New("malformed icmp message")

// probe cannot tell the versions apart, nor does it need to: no type answers in
// one what it asks in the other.
func probe(head []byte) dissector.Guess {
	if len(head) < headerLen {
		return dissector.No
	}
	if t := lookup(&types4, head[0]); t.kind == answer {
		return dissector.Response
	}
	if t := lookup(&types6, head[0]); t.kind == answer {
		return dissector.Response
	}
	return dissector.Request
}

func parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerLen {
		return 0, errMalformed
	}
	v := &m.Values
	types, version := &types4, 4
	if m.Transport == dissector.ICMPv6 {
		types, version = &types6, 6
	}
	t := lookup(types, buf[0])
	Version.Set(v, int64(version))
	Length.Set(v, int64(len(buf)))
	var number [3]byte
	Type.Set(v, strconv.AppendUint(number[:0], uint64(buf[0]), 10))
	Code.Set(v, int64(buf[1]))
	if t.name != "" {
		TypeName.SetString(v, t.name)
	}
	operation := t.name
	if t.asked != "" {
		operation = t.asked
	}
	if operation != "" {
		dissector.Operation.SetString(v, operation)
	}
	switch t.kind {
	case question, answer:
		ask(t, from, buf, m)
	case failure:
		m.Role = dissector.OneWay
		fail(t, version, buf, v)
	default:
		m.Role = dissector.OneWay
		tell(t, version, buf, v)
	}
	m.SetBody(headerLen, int64(len(buf)-headerLen))
	return int64(len(buf)), nil
}

// ask reads a question or its answer: bytes 4 to 7 are identifier and sequence
// number, save in the types that have a shape of their own.
func ask(t kindOf, from dissector.Side, buf []byte, m *dissector.Message) {
	if (t.kind == answer) != (from == dissector.Server) {
		m.Role = dissector.OneWay
	}
	v := &m.Values
	word := binary.BigEndian.Uint32(buf[4:])
	id, seq := word>>16, word&0xffff
	switch t.shape {
	case extended: // RFC 8335: a sequence number of one byte
		seq >>= 8
	case information: // RFC 4620: a nonce of 8 bytes
		if len(buf) >= 16 {
			m.SetKey(binary.BigEndian.Uint64(buf[8:]) ^ uint64(t.pair)<<56)
			return
		}
	}
	ID.Set(v, int64(id))
	Sequence.Set(v, int64(seq))
	m.SetKey(uint64(t.pair)<<32 | uint64(id)<<16 | uint64(seq))
	var text [32]byte
	b := strconv.AppendUint(append(text[:0], "id "...), uint64(id), 10)
	b = strconv.AppendUint(append(b, " seq "...), uint64(seq), 10)
	dissector.Summary.Set(v, b)
	if t.kind != answer {
		return
	}
	if t.shape == extended && buf[1] != 0 {
		dissector.Failed.Set(v, true)
	}
	dissector.StatusCode.Set(v, int64(buf[1]))
	dissector.Status.SetString(v, "Reply")
}

// fail reads an error: bytes 8 on quote the packet it is about.
func fail(t kindOf, version int, buf []byte, v *field.Values) {
	dissector.Failed.Set(v, true)
	dissector.StatusCode.Set(v, int64(buf[1]))
	status := t.name
	if int(buf[1]) < len(t.codes) && t.codes[buf[1]] != "" {
		status = t.codes[buf[1]]
	}
	dissector.Status.SetString(v, status)
	switch {
	case version == 4 && t.shape == redirect:
		Target.SetString(v, packet.AddrFrom4(buf[4:]).String())
	case version == 4 && buf[0] == 3 && buf[1] == 4: // RFC 1191
		MTU.Set(v, int64(binary.BigEndian.Uint16(buf[6:])))
	case version == 6 && buf[0] == 2:
		MTU.Set(v, int64(binary.BigEndian.Uint32(buf[4:])))
	}
	var text [128]byte
	if about := quoted(text[:0], buf[headerLen:]); len(about) > 0 {
		About.Set(v, about)
		dissector.Summary.Set(v, about)
	}
}

// tell reads the messages of neighbours, routers and groups.
func tell(t kindOf, version int, buf []byte, v *field.Values) {
	if version == 6 && t.shape == neighbour && len(buf) >= 24 {
		target := packet.AddrFrom16(buf[8:]).String()
		Target.SetString(v, target)
		dissector.Summary.SetString(v, target)
		return
	}
	if t.name != "" {
		dissector.Summary.SetString(v, t.name)
	}
}
