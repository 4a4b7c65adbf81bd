package tds_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tds"
)

// told collects the statements with their rows and errors, as the clients of the captures
// write them, without what they ask for themselves: the settings of a session, the
// preparation of statements, transactions.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != tds.Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	q, a := &e.Request.Values, &e.Response.Values
	text, procedure := string(tds.Query.Get(q)), string(tds.Procedure.Get(q))
	if text == "" {
		text = procedure
	}
	if text == "" || strings.HasPrefix(text, "set ansi_nulls on") || procedure == "sp_prepare" || procedure == "sp_unprepare" {
		return nil
	}
	status := strings.TrimPrefix(string(dissector.Status.Get(a)), "ERROR ")
	if status == "ATTENTION" {
		status = "stopped"
	}
	c.lines = append(c.lines, fmt.Sprintf("%.60s\t%d\t%s", strings.TrimSpace(text), tds.Rows.Get(a), status))
	return nil
}

// TestAgainstClients compares every statement with what the client was told. The server
// is a script (testdata/tds/server.go.txt): what it says is made up, how clients and
// server say it is what the clients accept. FreeTDS's truth is the script's.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "tds", func(t *testing.T, capture string, want []string) {
		for i, line := range want {
			want[i] = strings.Replace(line, "password = 'hidden', default_databa", "password ***", 1)
		}
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, tds.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// counted counts messages by type.
type counted map[string]int

func (c counted) Entry(e *dissector.Entry) error {
	if e.Protocol != tds.Protocol {
		return nil
	}
	if e.Request != nil {
		c[string(dissector.Operation.Get(&e.Request.Values))]++
	}
	if e.Response != nil {
		c["response"]++
	}
	return nil
}

// The messages of a capture of SQL Server itself that others made are those that tshark
// counts: 3 packets of type 1, 17 of type 3, of which one message has two, and 10 of type 4.
func TestRecordedTraffic(t *testing.T) {
	root, got := dissectortest.Public(t), counted{}
	dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(root, "ndpi", "mssql_tds.pcap")), got, tds.Protocol)
	if fmt.Sprint(got) != fmt.Sprint(counted{"SQL_BATCH": 3, "RPC": 16, "response": 10}) {
		t.Errorf("got %v", got)
	}
}
