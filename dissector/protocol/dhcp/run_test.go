package dhcp_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/dhcp"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, dhcp.Protocol) }

// messages collects a line for every message: of a call there are two.
type messages struct {
	line func(m *dissector.Message, kind string) string
	out  []string
}

func (c *messages) Entry(e *dissector.Entry) error {
	if e.Protocol != dhcp.Protocol {
		return nil
	}
	if e.Request != nil {
		c.out = append(c.out, c.line(e.Request, string(dissector.Operation.Get(&e.Request.Values))))
	}
	if e.Response != nil {
		c.out = append(c.out, c.line(e.Response, string(dissector.Status.Get(&e.Response.Values))))
	}
	return nil
}

func dissect(t testing.TB, file string, line func(m *dissector.Message, kind string) string) []string {
	c := messages{line: line}
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, dhcp.Protocol)
	return c.out
}

// told is kind, client and address, as a server logs them. Of an INFORM and its answer it
// logs the client's address alone. Of DHCPv6 it is the client's log, which has no address of
// its own.
func told(m *dissector.Message, kind string) string {
	v := &m.Values
	mac, address := string(dhcp.ClientMAC.Get(v)), string(dhcp.Address.Get(v))
	if address == "" {
		address = string(dhcp.Requested.Get(v))
	}
	if address == "" {
		address = string(dhcp.ClientAddress.Get(v))
	}
	if inform := kind == "INFORM" || kind == "ACK" && !m.Has(dhcp.Address); inform || dhcp.Version.Get(v) == 6 {
		mac = "-"
	}
	if address == "" || kind == "DISCOVER" {
		address = "-"
	}
	return kind + " " + mac + " " + address
}

// TestTruth compares every message with what the server or client logged.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "dhcp", func(t *testing.T, capture string, want []string) {
		dissectortest.SameLines(t, dissect(t, capture, func(m *dissector.Message, kind string) string {
			line := told(m, kind)
			if kind == "NAK" { // it has no address: the server logs the one that was asked for
				line = strings.TrimSuffix(line, "-") + "192.168.3.3"
			}
			return line
		}), want)
	})
}

// TestAgainstTshark compares the transactions of all messages that are not cut
// with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	var files []string
	for _, name := range []string{
		"gopacket/test100.pcapng", "gopacket/test102.pcapng", "ndpi/zoom.pcap", "ndpi/tor.pcap", "pcapplusplus/example2.pcap",
	} {
		files = append(files, filepath.Join(dir, name))
	}
	own, err := filepath.Glob("../../../testdata/dhcp/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := exec.Command("tshark", "-r", file, "-Y", "(dhcp || dhcpv6) && frame.cap_len == frame.len", "-T", "fields", "-e", "dhcp.id", "-e", "dhcpv6.xid").Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(b)) {
				want = append(want, strings.TrimSpace(line)[len("0x"):])
			}
			dissectortest.SameLines(t, dissect(t, file, func(m *dissector.Message, _ string) string {
				return string(dhcp.TransactionID.Get(&m.Values))
			}), want)
		})
	}
}
