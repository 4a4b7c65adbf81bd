package radius_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/radius"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, radius.Protocol) }

// calls collects "identifier operation answer", with - for what was not seen.
type calls []string

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != radius.Protocol {
		return nil
	}
	asked, answered := "-", "-"
	first := e.Request
	if e.Request != nil {
		asked = string(dissector.Operation.Get(&e.Request.Values))
	} else {
		first = e.Response
	}
	if e.Response != nil {
		answered = string(dissector.Status.Get(&e.Response.Values))
	}
	*c = append(*c, fmt.Sprintf("%d %s %s", radius.Identifier.Get(&first.Values), asked, answered))
	return nil
}

func dissect(t testing.TB, file string) (c calls) {
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, radius.Protocol)
	return c
}

// TestTruth compares every call with what the client said it did.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "radius", func(t *testing.T, capture string, want []string) {
		dissectortest.SameLines(t, dissect(t, capture), want)
	})
}

// TestAgainstTshark compares calls with tshark's, which finds for itself what is
// sent again and which response a request has.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{
		"live/radius.pcap", "tcpdump/RADIUS-RFC3162.pcap", "tcpdump/RADIUS-RFC4675.pcap",
		"zeek/radius.trace", "zeek/radius_localhost.pcap",
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			dissectortest.SameLines(t, dissect(t, path), tsharkCalls(t, path))
		})
	}
}

func tsharkCalls(t *testing.T, path string) (out []string) {
	b, err := exec.Command("tshark", "-r", path, "-Y", "radius", "-T", "fields", "-e", "frame.number", "-e", "radius.code", "-e", "radius.id",
		"-e", "radius.reqframe", "-e", "radius.dup").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"1": "Access-Request", "2": "Access-Accept", "3": "Access-Reject", "4": "Accounting-Request", "5": "Accounting-Response", "11": "Access-Challenge", "12": "Status-Server", "40": "Disconnect-Request", "41": "Disconnect-ACK", "42": "Disconnect-NAK", "43": "CoA-Request", "44": "CoA-ACK", "45": "CoA-NAK"}
	asked := make(map[string]int) // index in out by frame
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		name := names[f[1]]
		switch i, ok := asked[f[3]]; {
		case f[4] != "":
		case strings.HasSuffix(name, "-Request") || name == "Status-Server":
			asked[f[0]] = len(out)
			out = append(out, f[2]+" "+name+" -")
		case ok:
			out[i] = strings.TrimSuffix(out[i], "-") + name
		default: // tshark leaves Status-Server without its answer
			i := slices.Index(out, f[2]+" Status-Server -")
			if i < 0 {
				t.Fatalf("%s: an answer to nothing", line)
			}
			out[i] = strings.TrimSuffix(out[i], "-") + name
		}
	}
	slices.Sort(out)
	return out
}
