package http_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/http"
	"shark/packet/pcapng"
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
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name the folder of captures")
	}
	for _, file := range []string{
		"live/http.pcap", "arkime/http-wrapped-header.pcap", "arkime/single-packets.pcap",
		"ndpi/http_asymmetric.pcapng", "ndpi/http_connect.pcap",
		"ndpi/http_ua_splitted_in_two_pkts.pcapng", "packetbeat/http_post.pcap",
		"packetbeat/http_unmatched.pcap", "pcapplusplus/example2.pcap",
	} {
		t.Run(file, func(t *testing.T) {
			src, err := pcapng.Open(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			var got calls
			if _, err := dissector.Run(context.Background(), src, dissector.Options{Protocols: []*dissector.Protocol{http.Protocol}}, func(int) dissector.Sink { return &got }); err != nil {
				t.Fatal(err)
			}
			want := oracleCalls(t, filepath.Join(dir, "oracle", file+".json"))
			for _, diff := range []struct{ what, lines string }{
				{"requests too many", without(got.asked, want.asked)},
				{"requests missing", without(want.asked, got.asked)},
				{"answers missing", without(want.answered, got.answered)},
			} {
				if diff.lines != "" {
					t.Errorf("%s:\n%s", diff.what, diff.lines)
				}
			}
		})
	}
}

// without returns the lines of a that b has not.
func without(a, b []string) string {
	left := make(map[string]int)
	for _, s := range b {
		left[s]++
	}
	var out []string
	for _, s := range a {
		if left[s]--; left[s] < 0 {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

func oracleCalls(t *testing.T, path string) (out calls) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Tables struct {
			Calls []struct {
				Method, URI string
				Status      int
			} `json:"http1_calls"`
		}
	}
	if err := json.Unmarshal(b, &oracle); err != nil {
		t.Fatal(err)
	}
	for _, c := range oracle.Tables.Calls {
		status := ""
		if c.Status != 0 {
			status = strconv.Itoa(c.Status)
		}
		out.add(c.Method, c.URI, status)
	}
	return out
}
