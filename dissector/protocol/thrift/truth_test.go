package thrift_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/thrift"
)

// told collects the calls as the recorded clients write them: method, how it was
// answered, and the text of an exception.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != thrift.Protocol {
		return nil
	}
	line := string(dissector.Summary.Get(&e.Request.Values))
	switch {
	case e.OneWay:
		line += " oneway"
	case e.Response == nil:
		line += " unanswered"
	default:
		v := &e.Response.Values
		line += " " + string(dissector.Status.Get(v)) + " " + string(thrift.Exception.Get(v))
	}
	c.lines = append(c.lines, strings.TrimSpace(line))
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "thrift", func(t *testing.T, capture string, want []string) {
		want = slices.Clone(want)
		for i := range want { // the Go library sends a one-way call as any other
			want[i] = strings.Replace(want[i], "log OK", "log unanswered", 1)
		}
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, thrift.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// TestPublicCaptures compares the calls of a tutorial's client with what tshark makes of
// them: methods and how many there are of each.
func TestPublicCaptures(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, name := range []string{"thrift_tutorial.pcap", "thrift_tutorial_framed_transport.pcap"} {
		file := filepath.Join(dir, "packetbeat", name)
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, file), &got, thrift.Protocol)
		for i, line := range got.lines {
			got.lines[i], _, _ = strings.Cut(line, " ")
		}
		dissectortest.SameLines(t, got.lines, tshark(t, file))
	}
}

// tshark returns the methods of the calls that tshark sees in a capture.
func tshark(t *testing.T, file string) []string {
	t.Helper()
	cmd := exec.Command("tshark", "-r", file, "-d", "tcp.port==9090,thrift", "-Y", "thrift.mtype == 1 || thrift.mtype == 4", "-T", "fields", "-e", "thrift.method")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
