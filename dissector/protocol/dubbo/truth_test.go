package dubbo_test

import (
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/dubbo"
)

// told collects the calls as the recorded clients write them: method, how it was
// answered, and the text of an error.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != dubbo.Protocol {
		return nil
	}
	line := string(dissector.Operation.Get(&e.Request.Values))
	if line == "" {
		line = "-"
	}
	switch {
	case e.OneWay:
		line += " one-way"
	case e.Response == nil:
		line += " unanswered"
	default:
		v := &e.Response.Values
		line += " " + string(dissector.Status.Get(v)) + " " + string(dubbo.Error.Get(v))
	}
	c.lines = append(c.lines, strings.TrimSpace(line))
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "dubbo", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, dubbo.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// TestPublicCaptures reads what Dubbo for Java said.
func TestPublicCaptures(t *testing.T) {
	dir := dissectortest.Public(t)
	for name, want := range map[string]string{
		"dubbo_hessian2.pcap": "login OK",
		"dubbo-sw8.pcap":      "findItem unanswered",
	} {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, "deepflow", name)), &got, dubbo.Protocol)
		dissectortest.SameLines(t, got.lines, []string{want})
	}
	for _, name := range []string{"brpc-echo.pcap", "sofa-new.pcap"} {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, "deepflow", name)), &got, dubbo.Protocol)
		dissectortest.SameLines(t, got.lines, nil)
	}
}
