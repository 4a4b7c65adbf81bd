package cassandra_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/cassandra"
)

// told collects the statements with their rows and errors, as the drivers of the captures
// write them. What a driver asks for itself is left out: all that names a system table,
// and the preparation of what is then executed.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != cassandra.Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	q, a := &e.Request.Values, &e.Response.Values
	query, op := string(cassandra.Query.Get(q)), string(dissector.Operation.Get(q))
	status, failed := "OK", a.Has(cassandra.ErrorCode)
	if failed {
		status = fmt.Sprintf("0x%04x", cassandra.ErrorCode.Get(a))
	}
	switch {
	case query == "", strings.Contains(query, "system"), strings.HasPrefix(strings.ToLower(query), "use "), op == "PREPARE" && !failed:
		return nil
	}
	c.lines = append(c.lines, fmt.Sprintf("%.60s\t%d\t%s", query, cassandra.Rows.Get(a), status))
	return nil
}

// TestAgainstDrivers compares every statement with what the driver was told. The server
// is a script (testdata/cassandra/server.go.txt): what it says is made up, how drivers
// and server say it is what drivers accept.
func TestAgainstDrivers(t *testing.T) {
	dissectortest.Told(t, "cassandra", func(t *testing.T, capture string, want []string) {
		for i, line := range want {
			want[i] = strings.Replace(line, "password = 'hidden' and login = true", "password ***", 1)
		}
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, cassandra.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// counted counts envelopes, as tshark does.
type counted struct{ requests, responses, errors int }

func (c *counted) Entry(e *dissector.Entry) error {
	if e.Protocol != cassandra.Protocol {
		return nil
	}
	if e.Request != nil {
		c.requests++
	}
	if m := e.Response; m != nil {
		c.responses++
		if m.Has(cassandra.ErrorCode) {
			c.errors++
		}
	}
	return nil
}

// The envelopes of captures of Cassandra itself that others made are those that tshark
// counts, and so are the errors.
func TestRecordedTraffic(t *testing.T) {
	root := dissectortest.Public(t)
	for name, want := range map[string]counted{
		"cassandra_create_index":    {8, 8, 0},
		"cassandra_create_keyspace": {4, 4, 0},
		"cassandra_mixed_frame":     {17, 17, 0},
		"cassandra_select":          {1, 1, 0},
		"cassandra_trace_err":       {1, 1, 1},
	} {
		var got counted
		dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(root, "packetbeat", name+".pcap")), &got, cassandra.Protocol)
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
