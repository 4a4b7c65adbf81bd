package smb2

import (
	"testing"

	"shark/dissector/dissectortest"
)

// What tshark shows of the same packets.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"smb2_of_files.pcap": {
			"dialects: 5\nsecurity mode: 0x0001\ncapabilities: 0x0000007f\nclient: 4bfbbff18ed47443957c7b1c03606f93\noffered: 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1",
			"security mode: 0x0001\ndialect: 3.1.1\nserver: 66696c65730000000000000000000000\ncapabilities: 0x0000000f\nlargest transaction: 8388608 bytes\n" +
				"largest read: 8388608 bytes\nlargest write: 8388608 bytes\nsystem time: 2026-11-22T07:54:28.331433Z\nsecurity buffer: 74 bytes",
			"command: 3 (TREE_CONNECT)\nstatus: STATUS_SUCCESS\ncredits: 1\nflags: response, signed\nmessage id: 3\ntree id: 192577801\nsession id: 0x00000000a5594f3a\nshare type: pipe",
			"oplock: none\nimpersonation: 2\naccess: 0x00000080\nattributes: 0x00000010\nshare access: 0x00000003\ndisposition: create\noptions: 0x00000001\nfile: docs\ncontexts: 0 bytes",
			"action: created\ncreated: 2026-11-22T07:54:28.3928553Z", "file id: e27092b90000000064bed07000000000", "status: STATUS_NOT_FOUND",
		},
		"smb2_of_compound.pcap": {"flags: related"},
	})
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
