package radius

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// What tshark shows of the same packets, but for secrets.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"radius_of_access.pcap": {
			"code: 1 (Access-Request)\nidentifier: 105\nauthenticator: 8902a4222d6fdc58d4703103a4f13bcb\nUser-Name: bob\nUser-Password: ***\nNAS-IP-Address: 10.9.9.9\nNAS-Port: 7",
			"Framed-IP-Address: 10.1.2.3\nVendor-Specific MikroTik\n  attribute 8: 2M/2M\nVendor-Specific Cisco\n  attribute 1: ip:route=10.0.0.0/8",
			"NAS-IPv6-Address: 2001:db8::1\nNAS-Identifier: ap-lobby", "Reply-Message: first of two\nReply-Message: second of two", "CHAP-Password: ***",
		},
		"radius_of_accounting.pcap": {"Acct-Status-Type: 1 (Start)"},
	})
}

func TestOutlineOfValues(t *testing.T) {
	m := dissector.Message{Raw: []byte(packet(accessRequest, 7, "a",
		attr(2, "hunter22"), attr(3, "\x01hunter22"), attr(60, "hunter22"), attr(69, "\x00hunter22"),
		attr(attrVendorSpecific, "\x00\x00\x01\x37\x10\x0a\x00unter22"), attr(attrVendorSpecific, "\x00\x00\x00\x09\x01\x19user-password=hunter22x"),
		attr(6, "\x00\x00\x00\x02"), attr(55, "\x65\x00\x00\x00"), attr(97, "\x00\x20\x20\x01\x0d\xb8"), attr(5, "\x01"), attr(249, "\x00\x01"), attr(79, "\x02\x01\x00\x04"),
	))}
	m.Raw = append(m.Raw, "padding"...)
	got := string(outlined(&m, nil, 4096))
	want := "User-Password: ***\nCHAP-Password: ***\nCHAP-Challenge: ***\nTunnel-Password: ***\nVendor-Specific Microsoft\n  attribute 16: 8 bytes\n" +
		"Vendor-Specific Cisco\n  attribute 1: ***\nService-Type: 2 (Framed)\nEvent-Timestamp: 2023-09-12T06:06:56Z\n" +
		"Framed-IPv6-Prefix: 2001:db8::/32\nNAS-Port: 01\nattribute 249: 0001\nEAP-Message: 4 bytes\n"
	if _, got, _ = strings.Cut(got, "6161\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
