package diameter_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/diameter"
	"shark/dissector/protocol/tls"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, diameter.Protocol, tls.Protocol) }

// calls collects Diameter's calls.
type calls struct {
	told    []string // as a peer tells them
	numbers []string // as tshark lists them
}

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != diameter.Protocol {
		return nil
	}
	first := e.Request
	if first == nil {
		first = e.Response
	}
	v, result := &first.Values, "-"
	if e.Response != nil && diameter.ResultCode.Get(&e.Response.Values) != 0 {
		result = fmt.Sprint(diameter.ResultCode.Get(&e.Response.Values))
	}
	call := fmt.Sprintf("%d %d %d %s", diameter.CommandCode.Get(v), diameter.ApplicationID.Get(v), diameter.EndToEnd.Get(v), result)
	if e.Marks != 0 || e.Request == nil {
		call += " marked"
	}
	c.told = append(c.told, fmt.Sprintf("%d asked %s", e.Flow.SrcPort, call), fmt.Sprintf("%d answered %s", e.Flow.DstPort, call))
	if e.Flow.DstPort == 3868 {
		c.told = append(c.told, "any asked "+call)
	} else {
		c.told = append(c.told, "any answered "+call)
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			c.numbers = append(c.numbers, fmt.Sprintf("%d %t %d %d %d", m.First, m == e.Request, diameter.CommandCode.Get(&m.Values),
				diameter.HopByHop.Get(&m.Values), diameter.EndToEnd.Get(&m.Values)))
		}
	}
	return nil
}

func dissect(t testing.TB, file string) (c calls) {
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, diameter.Protocol, tls.Protocol)
	return c
}

// TestTruth compares every call of the peers that tell theirs with what they told,
// whichever of both asked: "port asked command application end-to-end result".
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "diameter", func(t *testing.T, capture string, want []string) {
		who := make(map[string]bool) // ports
		for _, line := range want {
			port, _, _ := strings.Cut(line, " ")
			who[port] = true
		}
		got := dissect(t, capture).told
		got = slices.DeleteFunc(got, func(line string) bool {
			port, _, _ := strings.Cut(line, " ")
			return !who[port]
		})
		dissectortest.SameLines(t, got, want)
	})
}

// publicCaptures are the captures of other people's that hold Diameter.
var publicCaptures = []string{"arkime/diameter_synthetic.pcap", "open5gs/volte.pcapng", "open5gs/nonipsec_reg.pcapng"}

// TestAgainstTshark compares every message with what tshark shows: packet, direction,
// command and identifiers.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, name := range publicCaptures {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			cmd := exec.Command("tshark", "-r", file, "-d", "tcp.port==3871,diameter", "-Y", "diameter", "-T", "fields", "-E", "occurrence=f",
				"-e", "frame.number", "-e", "diameter.flags.request", "-e", "diameter.cmd.code", "-e", "diameter.hopbyhopid", "-e", "diameter.endtoendid")
			b, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(b)) {
				var frame, command, hop, end int64
				var request string
				if _, err := fmt.Sscan(line, &frame, &request, &command, &hop, &end); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				want = append(want, fmt.Sprintf("%d %t %d %d %d", frame, request == "1" || request == "True", command, hop, end))
			}
			dissectortest.SameLines(t, dissect(t, file).numbers, want)
		})
	}
}
