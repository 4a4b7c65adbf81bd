package dhcp

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/packet"
)

// What tshark shows of the same packets.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"dhcp_of_relayed.pcap": {
			"op: 1 (request)\nhops: 1\ntransaction: 0xbde35a13\nseconds: 0\nbroadcast: false\nrelay: 10.7.0.2\nclient hardware address: 02:00:00:00:07:02\nmessage type: 1 (DISCOVER)",
			"parameters: subnet mask, routers, name servers, host name, domain, broadcast, NTP servers",
			"message type: 2 (OFFER)\nserver: 10.8.0.1\nlease time: 600\nsubnet mask: 255.255.255.0\nrouters: 10.7.0.2\nname servers: 10.9.0.53, 10.9.0.54\ndomain: shop.example",
		},
		"dhcp_of_six.pcap": {
			"type: 1 (SOLICIT)\ntransaction: 0x82433f\nclient id: 0001000132968ccb020000000902\nparameters: name servers, search domains, client FQDN, SNTP servers",
			"  address fd00:9::120\n    preferred lifetime: 375\n    valid lifetime: 600", "search domains: shop.example",
		},
	})
}

func TestOutlineOfOptions(t *testing.T) {
	b := make([]byte, fixedLen)
	b[0], b[1], b[2] = bootRequest, ethernet, macLen
	copy(b[fixedLen-len(cookie):], cookie)
	copy(b[bootFile:], "tftp://me:hunter22@boot/x")
	b = append(b, "\x79\x0d\x18\x0a\x01\x02\x0a\x00\x00\x01\x00\x0a\x00\x00\xfe"+"\x52\x0a\x01\x03eth\x08\x03abc"+"\x5a\x03\x01\x02\x03"+"\x72\x15http://x/?pass=hunter"+"\xfa\x02ab"+"\x13\x01\x01\xff"...)
	m := dissector.Message{Raw: b}
	m.Flow.Src = packet.AddrFrom4([]byte{10, 0, 0, 1})
	got := string(outlined(&m, nil, 4096))
	want := "client hardware address: 00:00:00:00:00:00\nboot file: tftp://***@boot/x\nclassless routes: 10.1.2.0/24 by 10.0.0.1, 0.0.0.0/0 by 10.0.0.254\n" +
		"relay agent\n  circuit id: eth\n  authentication: ***\nauthentication: ***\ncaptive portal: http://x/?pass=***\noption 250: ab\nIP forwarding: true\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestOutlineOfNests: options in options, and relays of relays, are shown a few levels deep.
func TestOutlineOfNests(t *testing.T) {
	inner := ""
	for range 40 {
		inner = "\x00\x04" + string([]byte{byte((len(inner) + 4) >> 8), byte(len(inner) + 4)}) + "\x00\x00\x00\x01" + inner
	}
	relayed := "\x01\x00\x00\x01" + inner
	for range 2 * maxHops {
		relayed = "\x0c\x00" + strings.Repeat("\x00", 32) + "\x00\x09" + string([]byte{byte(len(relayed) >> 8), byte(len(relayed))}) + relayed
	}
	m := dissector.Message{Raw: []byte(relayed)}
	m.Flow.Src = packet.AddrFrom16(make([]byte, 16))
	got := string(outlined(&m, nil, 1<<16))
	if hops := strings.Count(got, "relayed message"); hops != maxHops+1 {
		t.Errorf("%d relays", hops)
	}
	m.Raw = []byte("\x01\x00\x00\x01" + inner)
	if n := strings.Count(string(outlined(&m, nil, 1<<16)), "IA_TA"); n != maxNested+1 {
		t.Errorf("%d levels", n)
	}
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
