package thrift

import (
	"testing"

	"shark/dissector/dissectortest"
)

// The same values in every protocol and transport, as the client sent and got them.
func TestOutline(t *testing.T) {
	item := "field 0 struct\n  field 1 string: lamp\n  field 2 double: 9.5\n  field 3 list of 2\n    item string: a\n    item string: bc\n" +
		"  field 4 map of 2\n    key string: here\n    value i64: 1099511627776\n    key string: there\n    value i64: -3\n  field 5 bool: true\n" +
		"  field 6 struct\n    field 1 string: part\n  field 7 set of 2\n    item i16: 1\n    item i16: 300\n  field 8 string: 0080"
	calls := func(transport, protocol string) []string {
		return []string{"transport: " + transport + "\nprotocol: " + protocol + "\nmessage: 1 (CALL)\nmethod: add", "field 1 i32: 3\nfield 2 i32: -5", item}
	}
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"thrift_binary.pcap": calls("unframed", "binary"), "thrift_compact.pcap": calls("unframed", "compact"),
		"thrift_framed.pcap": calls("framed", "binary"), "thrift_framedcompact.pcap": calls("framed", "compact"),
		"thrift_header.pcap": {item}, "thrift_zlib.pcap": {item},
	})
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
