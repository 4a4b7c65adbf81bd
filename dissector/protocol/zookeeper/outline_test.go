package zookeeper

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// What tshark and the client say of the same packets.
func TestOutline(t *testing.T) {
	acl := "acl\n  permissions: 31 (read, write, create, delete, admin)\n  scheme: world\n  id: anyone\n"
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"zookeeper_basics.pcap": {
			"operation: connect\nprotocol: 0\nzxid: 0x0\ntimeout: 6000\nsession: 0x0\npassword: ***",
			"protocol: 0\ntimeout: 6000\nsession: 0x100021994930000\npassword: ***",
			"xid: 1\noperation: 1 (create)\npath: /shop\ndata: 5 bytes\n" + acl + "mode: 0 (PERSISTENT)",
			"xid: 1\nzxid: 0x2\nerror: 0 (OK)\npath: /shop",
			"path: /shop/stat\nczxid: 0x3\nmzxid: 0x3\ncreated: 2026-11-22T07:40:13.428Z\nmodified: 2026-11-22T07:40:13.428Z\nversion: 0\ncversion: 0\naversion: 0\nephemeral_owner: 0x0\nsize: 1\nchildren: 0\npzxid: 0x3",
		},
		"zookeeper_watches.pcap": {"xid: -1"},
	})
}

func TestOutlineHasNoSecrets(t *testing.T) {
	framed := func(parts ...string) []byte {
		b := strings.Join(parts, "")
		return append([]byte{0, 0, 0, byte(len(b))}, b...)
	}
	text := func(s string) string { return "\x00\x00\x00" + string(rune(len(s))) + s }
	for _, b := range [][]byte{
		framed("\xff\xff\xff\xfc", "\x00\x00\x00\x64", "\x00\x00\x00\x00", text("digest"), text("bob:hunter22")), // auth
		framed("\x00\x00\x00\x05", "\x00\x00\x00\x66", text("hunter22")),                                         // sasl
		framed("\x00\x00\x00\x05", "\x00\x00\x00\x07", text("/a"), "\x00\x00\x00\x01", "\x00\x00\x00\x1f", text("digest"), text("bob:hunter22"), "\x00\x00\x00\x00"),
		framed("\x00\x00\x00\x00", strings.Repeat("\x00", 20), text("hunter22")), // connect
	} {
		got := string(outlined(&dissector.Message{Raw: b}, nil, 4096))
		if strings.Contains(got, "hunter22") || !strings.Contains(got, "***") {
			t.Errorf("%s", got)
		}
	}
}

func FuzzOutline(f *testing.F) {
	codes := []int32{1, 4, 6, 7, 8, 12, 14, 15, 22, 103, 104, 107, opConnect}
	dissectortest.FuzzOutline(f, Protocol, func(kind byte) *dissector.Message {
		return &dissector.Message{Notes: known | uint64(uint32(codes[int(kind)%len(codes)]))}
	})
}
