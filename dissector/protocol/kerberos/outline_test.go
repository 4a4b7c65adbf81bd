package kerberos

import (
	"testing"

	"shark/dissector/dissectortest"
)

// What tshark shows of the same packets.
func TestOutline(t *testing.T) {
	request := "message: 10 (AS-REQ)\npre-authentication\n  PA-AS-FRESHNESS: 0 bytes\n  PA-REQ-ENC-PA-REP: 0 bytes\noptions: forwardable, renewable\n" +
		"client, NT-PRINCIPAL: alice\nrealm: SHOP.EXAMPLE\nserver, NT-SRV-INST: krbtgt/SHOP.EXAMPLE\ntill: 20261122154140Z\nrenew till: 20261124074140Z\nnonce: 1163110227\n" +
		"encryption types\n  aes256-cts-hmac-sha1-96: 18\n  aes128-cts-hmac-sha1-96: 17"
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"kerberos_of_udp.pcap": {
			request,
			"message: 30 (KRB-ERROR)\nserver time: 20261122074140Z\nserver microseconds: 423594\nerror: 25 (KDC_ERR_PREAUTH_REQUIRED)\nclient realm: SHOP.EXAMPLE\n" +
				"client, NT-PRINCIPAL: alice\nrealm: SHOP.EXAMPLE\nserver, NT-SRV-INST: krbtgt/SHOP.EXAMPLE\ntext: NEEDED_PREAUTH\ndata: 81 bytes\npre-authentication\n  PA-FX-FAST: 0 bytes",
			"ticket\n  realm: SHOP.EXAMPLE\n  server, NT-SRV-INST: krbtgt/SHOP.EXAMPLE\n  encrypted part\n    encryption type: 18 (aes256-cts-hmac-sha1-96)\n    key version: 1\n    cipher: 341 bytes\n" +
				"encrypted part\n  encryption type: 18 (aes256-cts-hmac-sha1-96)\n  cipher: 285 bytes",
		},
		"kerberos_of_tcp.pcap": {"message: 12 (TGS-REQ)"},
	})
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
