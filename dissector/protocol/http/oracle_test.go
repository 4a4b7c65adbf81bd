package http_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// calls collects "method target" and "method target status", the latter for
// requests that were answered.
type calls struct{ asked, answered []string }

// maxTarget is how much of a target is compared: the oracle cuts long ones.
const maxTarget = 150

func (c *calls) add(method, target, status string) {
	what := method + " " + target[:min(len(target), maxTarget)]
	c.asked = append(c.asked, what)
	if status != "" {
		c.answered = append(c.answered, what+" "+status)
	}
}

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != http.Protocol || e.Request == nil {
		return nil
	}
	var status []byte
	if e.Response != nil {
		status = dissector.Status.Get(&e.Response.Values)
	}
	c.add(string(http.Method.Get(&e.Request.Values)), string(http.URL.Get(&e.Request.Values)), string(status))
	return nil
}

// TestAgainstOracle compares calls with those that tshark finds: the requests are
// the same, and those that tshark sees answered have the same answer.
func TestAgainstOracle(t *testing.T) {
	dir := dissectortest.Public(t)
	for _, file := range []string{
		"live/http.pcap", "arkime/http-wrapped-header.pcap", "arkime/single-packets.pcap",
		"ndpi/http_asymmetric.pcapng", "ndpi/http_connect.pcap",
		"ndpi/http_ua_splitted_in_two_pkts.pcapng", "packetbeat/http_post.pcap",
		"packetbeat/http_unmatched.pcap", "pcapplusplus/example2.pcap",
	} {
		t.Run(file, func(t *testing.T) {
			var got calls
			dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, file)), &got, http.Protocol)
			want := oracleCalls(t, dir, file)
			for _, diff := range []struct{ what, lines string }{
				{"requests too many", dissectortest.Without(got.asked, want.asked)},
				{"requests missing", dissectortest.Without(want.asked, got.asked)},
				{"answers missing", dissectortest.Without(want.answered, got.answered)},
			} {
				if diff.lines != "" {
					t.Errorf("%s:\n%s", diff.what, diff.lines)
				}
			}
		})
	}
}

func oracleCalls(t *testing.T, dir, file string) (out calls) {
	t.Helper()
	var oracle struct {
		Tables struct {
			Calls []struct {
				Method, URI string
				Status      int
			} `json:"http1_calls"`
		}
	}
	dissectortest.Oracle(t, dir, file, &oracle)
	for _, c := range oracle.Tables.Calls {
		status := ""
		if c.Status != 0 {
			status = strconv.Itoa(c.Status)
		}
		out.add(c.Method, c.URI, status)
	}
	return out
}
