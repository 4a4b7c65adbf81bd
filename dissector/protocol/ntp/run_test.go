package ntp_test

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/ntp"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, ntp.Protocol) }

// entries collects a line for every entry that has one.
type entries struct {
	line func(e *dissector.Entry) string
	out  []string
}

func (c *entries) Entry(e *dissector.Entry) error {
	if e.Protocol == ntp.Protocol {
		if s := c.line(e); s != "" {
			c.out = append(c.out, s)
		}
	}
	return nil
}

func dissect(t testing.TB, file string, line func(e *dissector.Entry) string) []string {
	c := entries{line: line}
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, ntp.Protocol)
	return c.out
}

// TestTruth compares every call with what its client asked and was told.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "ntp", func(t *testing.T, capture string, want []string) {
		dissectortest.SameLines(t, dissect(t, capture, told), want)
	})
}

// told is a call as said.py of the recordings writes it.
func told(e *dissector.Entry) string {
	asked, answered := "-", "-"
	var v, w field.Values
	if e.Request != nil {
		asked, v = fmt.Sprint(e.Request.Size), e.Request.Values
	}
	if e.Response != nil {
		answered, w = fmt.Sprint(e.Response.Size), e.Response.Values
	}
	operation := string(dissector.Operation.Get(&v))
	switch string(ntp.Mode.Get(&v)) {
	case "control":
		code := map[string]int{"read status": 1, "read variables": 2, "remote address statistics": 10, "nonce": 12}[operation]
		failure := map[string]string{"okay": "-", "unknown variable name": "UNKNOWNVAR"}[string(dissector.Status.Get(&w))]
		return fmt.Sprint("control ", code, " ", ntp.Association.Get(&v), " ", asked, " ", answered, " ", e.Interim, " ", failure)
	case "private":
		code := map[string]int{"MON_GETLIST_1": 42}[operation]
		return fmt.Sprint("private ", code, " ", asked, " ", answered)
	}
	leap, kiss := strings.ReplaceAll(string(ntp.Leap.Get(&w)), " ", "-"), string(ntp.KissCode.Get(&w))
	return fmt.Sprint(cmp.Or(operation, "-"), " ", e.Flow.Dst, " ", asked, " ", answered, " ", ntp.Stratum.Get(&w), " ", leap, " ", cmp.Or(kiss, "-"))
}

// TestAgainstTshark compares modes and strata of all messages with tshark's, and who
// answers whom.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	var files []string
	for _, name := range []string{"arkime/gre-sample.pcap", "arkime/ospf.pcap", "ndpi/tls_certificate_too_long.pcap", "pcapplusplus/many_interfaces-1.pcapng"} {
		files = append(files, filepath.Join(dir, name))
	}
	own, err := filepath.Glob("../../../testdata/ntp/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := dissect(t, file, func(e *dissector.Entry) string {
				if e.Request != nil && e.Response != nil && !answers(e) {
					t.Errorf("%d and %d do not belong together", e.Request.First, e.Response.First)
				}
				return strings.Join(slices.Concat(message(e.Request), message(e.Response), make([]string, e.Interim)), ",")
			})
			got = slices.DeleteFunc(strings.Split(strings.Join(got, ","), ","), func(s string) bool { return s == "" })
			dissectortest.SameLines(t, got, tsharkMessages(t, file))
		})
	}
}

// answers tells whether the mode of an answer fits.
func answers(e *dissector.Entry) bool {
	asked, answered := string(ntp.Mode.Get(&e.Request.Values)), string(ntp.Mode.Get(&e.Response.Values))
	return asked == answered || asked == "client" && answered == "server"
}

// message is the mode of a message, with its number where it is no interim answer.
func message(m *dissector.Message) []string {
	if m == nil {
		return nil
	}
	return []string{fmt.Sprintf("%d %s", m.First, ntp.Mode.Get(&m.Values))}
}

func tsharkMessages(t *testing.T, file string) (out []string) {
	b, err := exec.Command("tshark", "-r", file, "-Y", "ntp && !icmp && !icmpv6 && !(ntp.flags.mode == 6 && ntp.ctrl.flags2.more == 1)", "-T", "fields", "-e", "frame.number", "-e", "ntp.flags.mode").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"", "symmetric active", "symmetric passive", "client", "server", "broadcast", "control", "private"}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		out = append(out, f[0]+" "+names[f[1][0]-'0'])
	}
	return out
}
