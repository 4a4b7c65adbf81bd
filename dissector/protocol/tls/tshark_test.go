package tls_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/tls"
)

// hellos collects "ClientHello ja3 name" and "ServerHello ja3s suite".
type hellos []string

func (h *hellos) Entry(e *dissector.Entry) error {
	if e.Protocol != tls.Protocol {
		return nil
	}
	if e.Request != nil && len(list(e.Request, "tlsx_ja3")) > 0 {
		*h = append(*h, fmt.Sprintf("client %s %s", list(e.Request, "tlsx_ja3")[0], strings.Join(list(e.Request, "tlsx_sni"), "")))
	}
	if e.Response != nil && len(list(e.Response, "tlsx_ja3s")) > 0 {
		*h = append(*h, "server "+list(e.Response, "tlsx_ja3s")[0])
	}
	return nil
}

// TestAgainstTshark compares fingerprints and names with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{
		"arkime/arkime_synthetic.pcap", "live/http.pcap", "malformed/arkime/badcurveball.pcap",
		"malformed/ndpi/tls-esni-fuzzed.pcap", "ndpi/ftp-start-tls.pcap", "ndpi/http_connect.pcap",
		"ndpi/tls_certificate_too_long.pcap", "ndpi/tor.pcap", "ndpi/vxlan.pcap", "ndpi/zoom.pcap",
		"packetbeat/http2-16-ssl.pcap", "pcapplusplus/example2.pcap", "pcapsql/ldap-ssl.pcapng",
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			var got hellos
			dissectortest.Dissect(t, dissectortest.Open(t, path), &got, tls.Protocol, http.Protocol)
			dissectortest.SameLines(t, got, tsharkHellos(t, path))
		})
	}
}

func tsharkHellos(t *testing.T, path string) []string {
	out, err := exec.Command("tshark", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "tcp && tls.handshake.type in {1,2}",
		"-T", "fields", "-E", "occurrence=a", "-e", "tls.handshake.ja3", "-e", "tls.handshake.extensions_server_name", "-e", "tls.handshake.ja3s").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if f[0] != "" {
			want = append(want, fmt.Sprintf("client %s %s", f[0], f[1]))
		}
		if f[2] != "" {
			for _, ja3s := range strings.Split(f[2], ",") {
				want = append(want, "server "+ja3s)
			}
		}
	}
	return want
}
