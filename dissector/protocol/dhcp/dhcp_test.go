package dhcp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/packet"
)

func opt(code byte, value string) string { return string([]byte{code, byte(len(value))}) + value }

// say makes a message: side, type and options.
func say(op, kind byte, options ...string) string {
	b := make([]byte, fixedLen)
	b[0], b[1], b[2] = op, ethernet, macLen
	copy(b[4:], "\xca\xfe\xba\xbe")
	copy(b[28:], "\x02\x00\x00\x00\x09\x02")
	copy(b[fixedLen-len(cookie):], cookie)
	s := string(b)
	if kind != 0 {
		s += opt(optType, string(kind))
	}
	return s + strings.Join(options, "") + "\xff\x00\x00"
}

func opt6(code uint16, value string) string {
	b := binary.BigEndian.AppendUint16(nil, code)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(value)))) + value
}

func say6(kind byte, options ...string) string {
	return string(kind) + "\x01\x06\x00" + strings.Join(options, "")
}

func relayed(kind byte, inner string) string {
	return string(kind) + "\x00\xfd" + strings.Repeat("\x00", 14) + "\x01" + strings.Repeat("\x00", 16) + inner
}

const (
	duid  = "\x00\x03\x00\x01\x02\x00\x00\x00\x09\x02"
	duid2 = "\x00\x04uuiduuiduuiduuid"
)

var (
	client6 = opt6(opt6ClientID, duid)
	server6 = opt6(opt6ServerID, duid2)
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		b    string
		want dissector.Guess
	}{
		{say(bootRequest, discover), dissector.Request},
		{say(bootReply, ack), dissector.Response},
		{say(bootRequest, 0), dissector.Request},
		{say(bootReply, 0), dissector.Response},
		{say(bootReply, force), dissector.Response},
		{say(bootRequest, ack), dissector.No},
		{say(bootReply, discover), dissector.No},
		{say(bootRequest, 14), dissector.No},
		{say(3, discover), dissector.No},
		{say(bootRequest, discover, opt(optType, "\x01")), dissector.No},
		{say(bootRequest, 0, opt(optType, "\x01\x01")), dissector.No},
		{say(bootRequest, discover)[:fixedLen+3], dissector.No},
		{say(bootRequest, discover, "\x0c\xff"), dissector.No},
		{strings.Replace(say(bootRequest, discover), cookie, "cook", 1), dissector.No},
		{say(bootRequest, discover)[:239], dissector.No},
		{say6(solicit, client6), dissector.Request},
		{say6(reply, client6, server6), dissector.Response},
		{say6(information, opt6(8, "\x00\x00")), dissector.MaybeRequest},
		{say6(solicit, opt6(8, "\x00\x00")), dissector.No},
		{say6(reply, opt6(8, "\x00\x00")), dissector.No},
		{say6(solicit, opt6(opt6ClientID, "\x01\x03\x00")), dissector.No},
		{say6(solicit, client6, "x"), dissector.No},
		{say6(solicit, client6, opt6(opt6Max+1, "")), dissector.No},
		{say6(14, client6), dissector.Request},
		{say6(15, client6), dissector.Response},
		{say6(16, client6), dissector.No},
		{relayed(relayForw, opt6(opt6RelayMsg, say6(solicit, client6))), dissector.Request},
		{relayed(relayRepl, opt6(opt6RelayMsg, say6(reply, client6, server6))), dissector.Response},
		{relayed(relayForw, opt6(opt6RelayMsg, relayed(relayForw, opt6(opt6RelayMsg, say6(solicit, client6))))), dissector.Request},
		{relayed(relayForw, opt6(opt6RelayMsg, say6(reply, client6))), dissector.No},
		{relayed(relayForw, ""), dissector.No},
		{relayed(relayForw, "")[:20], dissector.No},
		{"", dissector.No},
		{"\x01", dissector.No},
	} {
		if got := probe([]byte(c.b)); got != c.want {
			t.Errorf("%q: %d, want %d", c.b, got, c.want)
		}
	}
	b := say6(solicit, client6)
	for range maxHops + 1 {
		b = relayed(relayForw, opt6(opt6RelayMsg, b))
	}
	if probe([]byte(b)) != dissector.No {
		t.Error("too many relays")
	}
}

var (
	host   = packet.AddrFrom4([]byte{10, 9, 0, 100})
	server = packet.AddrFrom4([]byte{10, 9, 0, 1})
	host6  = packet.Addr{0: 0xfe, 1: 0x80, 15: 1}
	group  = packet.Addr{0: 0xff, 1: 2, 15: 2}
)

func message(src, dst packet.Addr, port uint16, from dissector.Side) *dissector.Message {
	return &dissector.Message{From: from, Flow: packet.Flow{Src: src, Dst: dst, SrcPort: 67, DstPort: port}}
}

// fields returns what a message sets.
func fields(m *dissector.Message) (out []string) {
	for f, v := range m.All() {
		if len(v.Bytes) > 0 && f != TransactionID.Field && f != ClientMAC.Field && f != dissector.Summary.Field {
			out = append(out, f.Name+"="+string(v.Bytes))
		}
	}
	return out
}

func TestMessages(t *testing.T) {
	all, nobody := packet.AddrFrom4([]byte{255, 255, 255, 255}), packet.AddrFrom4([]byte{0, 0, 0, 0})
	status := func(code byte, text string) string { return opt6(opt6Status, "\x00"+string(code)+text) }
	address := "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09" + "\x00\x00\x00\x01\x00\x00\x00\x02"
	for _, c := range []struct {
		b        string
		src, dst packet.Addr
		port     uint16
		role     dissector.Role
		want     string
	}{
		{say(bootRequest, discover), nobody, all, 67, dissector.OneWay, "operation=DISCOVER"},
		{say(bootRequest, inform), host, all, 67, dissector.OneWay, "operation=INFORM"},
		{say(bootRequest, request), host, server, 67, dissector.BySide, "operation=REQUEST"},
		{say(bootRequest, release), host, server, 67, dissector.OneWay, "operation=RELEASE"},
		{say(bootRequest, 0), host, server, 67, dissector.BySide, "operation=BOOTREQUEST"},
		{say(bootReply, nak, opt(optMessage, "wrong\x00")), server, all, 68, dissector.OneWay, "dhcp_message=wrong operation=NAK status=NAK"},
		{say(bootReply, ack), server, host, 67, dissector.OneWay, "operation=ACK status=ACK"},
		{say(bootReply, 0), server, host, 67, dissector.OneWay, "operation=BOOTREPLY status=BOOTREPLY"},
		{say(bootReply, force), server, host, 68, dissector.OneWay, "operation=FORCERENEW"},
		{say(bootRequest, request, opt(optRequested, "\x0a\x09\x00\x64"), opt(optServerID, "abc"), opt(optRouters, "\x0a\x09\x00\x01\x0a")), host, server, 67, dissector.BySide, "dhcp_requested_address=10.9.0.100 dhcp_routers=10.9.0.1 operation=REQUEST"},
		{say(bootRequest, request, opt(optOverload, "\x03"), "\xff"), host, server, 67, dissector.BySide, "operation=REQUEST"},
		{say6(solicit, client6), host6, group, 547, dissector.OneWay, "dhcp_client_id=00030001020000000902 operation=SOLICIT"},
		{say6(5, client6, opt6(opt6IANA, "iaidt1t1t2t2"+opt6(opt6IAAddr, address))), host6, host6, 547, dissector.BySide, "dhcp_client_id=00030001020000000902 dhcp_requested_address=fd00::9 operation=RENEW"},
		{say6(reply, client6, status(0, "fine")), host6, host6, 546, dissector.OneWay, "dhcp_client_id=00030001020000000902 operation=REPLY status=REPLY"},
		{say6(reply, client6, opt6(opt6IATA, "iaid"+opt6(opt6IAAddr, address+status(4, "not here")))), host6, host6, 547, dissector.OneWay, "dhcp_client_id=00030001020000000902 dhcp_address=fd00::9 dhcp_message=not here operation=REPLY status=NotOnLink"},
		{say6(reply, server6, opt6(opt6IAPD, "iaidt1t1t2t2"+status(6, "")), status(99, "")), host6, host6, 547, dissector.OneWay, "dhcp_server_id=" + "000475756964757569647575696475756964" + " operation=REPLY status=NoPrefixAvail"},
		{say6(reply, server6, status(99, "")), host6, host6, 547, dissector.OneWay, "dhcp_server_id=000475756964757569647575696475756964 operation=REPLY status=99"},
		{say6(reconfigure, server6), host6, host6, 546, dissector.OneWay, "dhcp_server_id=000475756964757569647575696475756964 operation=RECONFIGURE"},
		{relayed(relayForw, opt6(opt6RelayMsg, say6(solicit, opt6(opt6FQDN, "\x00\x04host\x04shop\x00")))+opt6(opt6LinkLayer, "\x00\x01\x02\x00\x00\x00\x00\x07")), host6, host6, 547, dissector.BySide, "dhcp_relay=fd00::1 dhcp_hostname=host.shop operation=SOLICIT"},
	} {
		from := dissector.Client
		if c.b[0] == bootReply && c.src.Is4() || !c.src.Is4() && byServer6[c.b[0]] {
			from = dissector.Server
		}
		m := message(c.src, c.dst, c.port, from)
		if _, err := Protocol.New(dissector.UDP)(from, []byte(c.b), m); err != nil {
			t.Errorf("%q: %v", c.b, err)
		}
		if got := strings.Join(fields(m), " "); got != c.want || m.Role != c.role {
			t.Errorf("%q: role %d\ngot  %s\nwant %s", c.b, m.Role, got, c.want)
		}
		code, failed := dissector.StatusCode.Get(&m.Values), dissector.Failed.Get(&m.Values)
		if failed != (code > 0 || strings.Contains(c.want, "NAK")) {
			t.Errorf("%q: failed %t", c.b, failed)
		}
	}
}

// What is in fields for the server's name and the file goes on the options.
func TestOverload(t *testing.T) {
	b := []byte(say(bootReply, ack, opt(optOverload, "\x03")))
	copy(b[bootFile:], opt(optBootFile, "file")+"\xff")
	copy(b[serverName:], opt(optDomain, "domain")+opt(optHostname, "host")+"\xff")
	m := message(server, host, 67, dissector.Server)
	if _, err := Protocol.New(dissector.UDP)(dissector.Server, b, m); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(fields(m), " "); got != "dhcp_boot_file=file dhcp_domain=domain dhcp_hostname=host operation=ACK status=ACK" {
		t.Error(got)
	}
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		op, kind byte
		your     byte
		rapid    bool
		want     byte
	}{
		{bootRequest, request, 0, false, request},
		{bootReply, 2, 1, false, discover},
		{bootReply, ack, 1, false, request},
		{bootReply, ack, 0, false, inform},
		{bootReply, ack, 1, true, discover},
		{bootReply, nak, 0, false, request},
		{bootReply, 13, 0, false, 10},
		{bootReply, 0, 1, false, 0},
	} {
		b := []byte(say(c.op, c.kind))
		b[16] = c.your
		if got := question(&said{kind: c.kind, rapid: c.rapid}, b); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Credentials in a URL are not shown.
func TestBootURLs(t *testing.T) {
	for url, want := range map[string]string{
		"http://ann:hunter2@boot.example/x":        "http://***@boot.example/x",
		"http://ann:p@hunter2@boot.example":        "http://***@boot.example",
		"https://boot.example/a@b?token=hunter2&x": "https://boot.example/a@b?token=***&x",
		"http://boot.example/?a=b&Passwd=hunter2":  "http://boot.example/?a=b&Passwd=***",
		"tftp://boot.example/pass@x":               "tftp://boot.example/pass@x",
		"pxe/ann@x":                                "pxe/ann@x",
	} {
		m := message(host6, host6, 546, dissector.Server)
		if _, err := Protocol.New(dissector.UDP)(dissector.Server, []byte(say6(reply, server6, opt6(opt6BootURL, url))), m); err != nil {
			t.Fatal(err)
		}
		if got := string(BootFile.Get(&m.Values)); got != want {
			t.Errorf("%s: %s", url, got)
		}
		m = message(server, host, 68, dissector.Server)
		if _, err := Protocol.New(dissector.UDP)(dissector.Server, []byte(say(bootReply, ack, opt(optBootFile, url))), m); err != nil {
			t.Fatal(err)
		}
		if got := string(BootFile.Get(&m.Values)); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestCutDatagrams(t *testing.T) {
	parse := Protocol.New(dissector.UDP)
	whole := say(bootRequest, discover, opt(optHostname, "laptop"))
	for _, c := range []struct {
		b   string
		src packet.Addr
	}{{whole[:len(whole)-3], host}, {say6(solicit, opt6(8, "\x00\x00"), client6), host6}} {
		for n := range c.b {
			m := message(c.src, server, 67, dissector.Client)
			if span, err := parse(dissector.Client, []byte(c.b[:n]), m); err == nil && (span != int64(n) || c.src == host) {
				t.Fatalf("%d bytes: span %d", n, span)
			}
		}
	}
	m := message(host, server, 67, dissector.Client)
	if _, err := parse(dissector.Client, []byte(whole[:fixedLen+5]), m); err != dissector.ErrShort || string(Hostname.Get(&m.Values)) != "" || !m.Has(dissector.Operation) {
		t.Error("a message that is cut in its options:", err, fields(m))
	}
	if _, err := parse(dissector.Server, []byte(say(bootRequest, discover)), message(host, server, 67, dissector.Server)); err != errMalformed {
		t.Error("a server's question:", err)
	}
}

func TestLimits(t *testing.T) {
	m := message(server, host, 67, dissector.Server)
	b := say(bootReply, ack, opt(optDNS, strings.Repeat("\x0a\x00\x00\x01", 40)), opt(optClientID, strings.Repeat("i", 250)))
	if _, err := Protocol.New(dissector.UDP)(dissector.Server, []byte(b), m); err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Collect(NameServers.Each(&m.Values))); n != maxListed || len(ClientID.Get(&m.Values)) != 2*maxID {
		t.Errorf("%d servers, %d digits", n, len(ClientID.Get(&m.Values)))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(say(bootRequest, discover, opt(optHostname, "laptop"), opt(optRequested, "\x0a\x09\x00\x64"))), byte(0))
	f.Add([]byte(say(bootReply, ack, opt(optDNS, "abcdefgh"), opt(optOverload, "\x03"))), byte(9))
	f.Add([]byte(say6(solicit, client6, opt6(opt6IANA, "iaidt1t1t2t2"+opt6(opt6Status, "\x00\x02no")))), byte(1))
	f.Add([]byte(relayed(relayRepl, opt6(opt6RelayMsg, say6(reply, client6, server6)))), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		for range 3 {
			guess, src := probe(b), host6
			if isV4(b) {
				src = host
			}
			for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
				m := message(src, server, uint16(67+cut&1), from)
				span, err := Protocol.New(dissector.UDP)(from, b, m)
				if err == nil && span != int64(len(b)) {
					t.Fatalf("span %d", span)
				}
				if err != nil && (guess == dissector.Request && from == dissector.Client || guess == dissector.Response && from == dissector.Server) {
					t.Fatalf("the probe takes what the parser does not: %v", err)
				}
			}
			b = b[:max(0, len(b)-int(cut))]
		}
	})
}
