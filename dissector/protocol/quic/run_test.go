package quic_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/quic"
	"shark/dissector/protocol/tls"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, quic.Protocol, tls.Protocol) }

// texts returns the values of a field by its name, joined by commas.
func texts(m *dissector.Message, name string) string {
	var out []string
	if m != nil {
		for f, v := range m.All() {
			switch {
			case f.Name != name:
			case f.Kind == field.Int || f.Kind == field.Bool:
				out = append(out, fmt.Sprint(v.Int))
			default:
				out = append(out, string(v.Bytes))
			}
		}
	}
	return strings.Join(out, ",")
}

// told collects the connections as the recorded clients write them.
type told struct {
	late  bool // it is of interest that the hello was sent again
	lines []string
}

func (c *told) Entry(e *dissector.Entry) error {
	switch {
	case e.Protocol != quic.Protocol:
		return nil
	case texts(e.Request, "quic_migrated_from") != "":
		c.lines = append(c.lines, "moved "+texts(e.Request, "tlsx_sni"))
		return nil
	case e.OneWay:
		return nil
	}
	offered := strings.Split(texts(e.Request, "tlsx_alpn_offered"), ",")
	offered = slices.DeleteFunc(offered, func(s string) bool { return strings.HasPrefix(s, "doq-i") }) // of which kdig says nothing
	head := fmt.Sprint(texts(e.Request, "tlsx_sni"), " ", strings.Join(offered, ","), " ", texts(e.Request, "quic_version_name"))
	c.lines = append(c.lines, c.outcome(head, e.Request, e.Response))
	return nil
}

func (c *told) outcome(head string, req, resp *dissector.Message) string {
	one := func(name string) string { return texts(req, name) + texts(resp, name) }
	switch {
	case resp == nil:
		return "unanswered " + head
	case texts(resp, "quic_error_code") != "":
		return fmt.Sprintf("error %s %s %s", head, texts(resp, "quic_error_code"), texts(resp, "quic_reason"))
	case texts(resp, "quic_versions") != "":
		vs := strings.Split(texts(resp, "quic_versions"), ",")
		return "versions " + head + " " + strings.Join(slices.DeleteFunc(vs, func(s string) bool { return strings.HasPrefix(s, "0x") }), ",")
	}
	group := strings.ToLower(texts(resp, "tlsx_group"))
	line := "ok " + head + " " + texts(resp, "tlsx_cipher") + " " + strings.ReplaceAll(group, "secp384r1", "curvep384")
	for _, also := range [][2]string{
		{"quic_token", "token"},
		{"quic_retry", "retry"},
		{"tlsx_hello_retry", "hrr"},
		{"quic_retransmissions", "again"},
		{"quic_zero_rtt", "0rtt"},
		{"tlsx_resumed", "resumed"},
	} {
		if one(also[0]) != "" && (also[1] != "again" || c.late) {
			line += " " + also[1]
		}
	}
	return line
}

// TestEveryPacketParses: clients go on with IDs that servers gave them encrypted, and their packets
// are still read.
func TestEveryPacketParses(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/quic/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		opts := dissector.Options{Protocols: []*dissector.Protocol{quic.Protocol}}
		report, err := dissector.Run(t.Context(), dissectortest.Open(t, file), opts, func(int) dissector.Sink { return new(told) })
		if err != nil || report.ParseErrors > 0 {
			t.Errorf("%s: %d packets did not parse, %v", filepath.Base(file), report.ParseErrors, err)
		}
	}
}

// TestAgainstClients compares every connection with what the client that made it was
// told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "quic", func(t *testing.T, capture string, want []string) {
		got := told{late: strings.Contains(capture, "late")}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, quic.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// hellos collects what tshark tells of the hellos too.
type hellos struct{ lines []string }

func (h *hellos) Entry(e *dissector.Entry) error {
	if e.Protocol != quic.Protocol {
		return nil
	}
	if ja3 := texts(e.Request, "tlsx_ja3"); ja3 != "" {
		h.lines = append(h.lines, fmt.Sprint("client ", ja3, " ", texts(e.Request, "tlsx_sni"), " ", texts(e.Request, "tlsx_alpn_offered")))
	}
	if ja3s := texts(e.Response, "tlsx_ja3s"); ja3s != "" {
		h.lines = append(h.lines, "server "+ja3s)
	}
	return nil
}

// TestAgainstTshark compares the hellos of other people's captures with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{
		"arkime/arkime_synthetic.pcap", "arkime/quicietf.pcap", "ndpi/doq.pcapng", "ndpi/doq_adguard.pcapng", "ndpi/quic-33.pcapng", "ndpi/quic-v2.pcapng",
		"ndpi/quic_interop_V.pcapng",
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			var got hellos
			dissectortest.Dissect(t, dissectortest.Open(t, path), &got, quic.Protocol)
			dissectortest.SameLines(t, got.lines, tsharkHellos(t, path))
		})
	}
}

// tsharkHellos returns a line for each hello, those that were sent again once.
func tsharkHellos(t *testing.T, path string) []string {
	out, err := exec.Command("tshark", "-r", path, "-Y", "quic && tls.handshake.type in {1,2}", "-T", "fields", "-E", "occurrence=a",
		"-e", "tls.handshake.random", "-e", "tls.handshake.ja3", "-e", "tls.handshake.extensions_server_name",
		"-e", "tls.handshake.extensions_alpn_str", "-e", "tls.handshake.ja3s").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var want []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		switch {
		case seen[f[0]]:
		case f[1] != "":
			want = append(want, fmt.Sprint("client ", f[1], " ", f[2], " ", f[3]))
		default:
			want = append(want, "server "+f[4])
		}
		seen[f[0]] = true
	}
	return want
}

// Google's QUIC is another protocol.
func TestClaimsNoGoogleQUIC(t *testing.T) {
	dir := dissectortest.Public(t)
	for _, file := range []string{"ndpi/quic.pcap", "pcapplusplus/many_interfaces-1.pcapng"} {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, file)), &got, quic.Protocol)
		if len(got.lines) > 0 {
			t.Errorf("%s: %q", file, got.lines)
		}
	}
}
