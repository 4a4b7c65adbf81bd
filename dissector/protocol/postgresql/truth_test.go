package postgresql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/postgresql"
	"shark/dissector/protocol/tls"
)

// call is what is compared of a call.
type call struct {
	command, status, code, notice, query string
	rows, copied                         int64
	answered                             bool
}

type sink struct{ calls []call }

func (s *sink) Entry(e *dissector.Entry) error {
	if e.Protocol != postgresql.Protocol {
		return nil
	}
	var c call
	if m := e.Request; m != nil {
		c.command, c.query = string(postgresql.Command.Get(&m.Values)), string(postgresql.Query.Get(&m.Values))
		c.code = string(postgresql.ErrorCode.Get(&m.Values)) // of a one-way error
	}
	if m := e.Response; m != nil {
		c.answered = true
		c.status, c.code = string(dissector.Status.Get(&m.Values)), string(postgresql.ErrorCode.Get(&m.Values))
		c.notice = string(postgresql.Notice.Get(&m.Values))
		c.rows, c.copied = postgresql.Rows.Get(&m.Values), postgresql.CopyBytes.Get(&m.Values)
	}
	s.calls = append(s.calls, c)
	return nil
}

func calls(t *testing.T, file string) []call {
	t.Helper()
	var s sink
	dissectortest.Dissect(t, dissectortest.Open(t, file), &s, postgresql.Protocol, tls.Protocol)
	return s.calls
}

const folder = "../../../testdata/postgresql/postgresql_of_"

func truth(t *testing.T, scenario string) []string {
	t.Helper()
	b, err := os.ReadFile(folder + scenario + ".truth")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(b), "\n"), "\n")
}

// What the driver was told is what was found.
func TestDriver(t *testing.T) {
	for _, scenario := range []string{"extended", "pipelined", "batch", "copy", "cancel", "notify", "large", "concurrent"} {
		t.Run(scenario, func(t *testing.T) {
			var got []string
			for _, c := range calls(t, folder+scenario+".pcap") {
				status, rows := c.code, c.rows
				switch {
				case c.code != "":
					rows = 0
				case c.answered || c.command == "NOTIFICATION":
					status = "OK"
				default:
					status = "none"
				}
				got = append(got, fmt.Sprint(c.command, " ", status, " ", rows))
				if c.copied > 0 {
					got = append(got, fmt.Sprint("bytes ", c.copied))
				}
				if c.command == "NOTIFICATION" {
					got = append(got, "channel news")
				}
			}
			dissectortest.SameLines(t, got, truth(t, scenario))
		})
	}
}

// psql prints the tag of what is no query, and how many rows a query has.
func TestPsql(t *testing.T) {
	var got []string
	for _, c := range calls(t, folder+"simple.pcap") {
		switch {
		case c.command == "STARTUP" || c.code != "":
		case strings.HasPrefix(c.status, "SELECT") && c.rows == 1:
			got = append(got, "(1 row)")
		case strings.HasPrefix(c.status, "SELECT"):
			got = append(got, fmt.Sprintf("(%d rows)", c.rows))
		case c.query != "copy item to stdout;":
			got = append(got, c.status)
		}
	}
	want := slices.DeleteFunc(truth(t, "simple"), func(s string) bool { return s == "" || strings.Contains(s, "\t") })
	dissectortest.SameLines(t, got, want)
}

// pgbench's transactions are those that it says it made, in each mode.
func TestPgbench(t *testing.T) {
	want, got := 0, 0
	for _, line := range truth(t, "pgbench") {
		var n, of int
		if _, err := fmt.Sscanf(line, "number of transactions actually processed: %d/%d", &n, &of); err == nil {
			want += n
		}
	}
	kinds := make(map[string]int)
	for _, c := range calls(t, folder+"pgbench.pcap") {
		if c.command == "END" && c.status == "COMMIT" {
			got++
		}
		kinds[c.command+" "+c.status]++
	}
	if want == 0 || got != want || kinds["BEGIN BEGIN"] != want || kinds["UPDATE UPDATE 1"] != 3*want || kinds["INSERT INSERT 0 1"] != want {
		t.Errorf("%d transactions, want %d: %v", got, want, kinds)
	}
}

// The calls of traffic that others recorded are those that tshark counts: Query and
// Execute, StartupMessage and SSLRequest, ErrorResponse, and DataRow.
func TestRecordedTraffic(t *testing.T) {
	root := dissectortest.Public(t)
	for _, want := range []struct {
		name                                string
		statements, sessions, errors, other int
		rows                                int64
	}{
		{"packetbeat/http_10_connection_close.pcap", 0, 1, 0, 0, 0},
		{"suricata-verify/pgsql-copy-data-in__TLPW-Jason-copyfrom-small.pcap", 1, 2, 0, 0, 0},
		{"suricata-verify/pgsql-copy-data-out__input.pcap", 1, 2, 0, 0, 0},
		{"suricata-verify/pgsql-simple-query-rollback__input.pcap", 22, 2, 5, 0, 8},
		{"suricata-verify/pgsql-ssl-rejected-md5-auth-simple-query__input.pcap", 1, 4, 0, 0, 3},
		{"zeek/psql-aws-ssl-disable.pcap", 1, 1, 0, 0, 1},
		{"zeek/psql-create-insert-select-delete-drop.pcap", 7, 1, 0, 0, 2},
		{"zeek/psql-insert-fail-drop-fail.pcap", 5, 1, 2, 0, 0},
		{"zeek/psql-login-no-sslrequest.pcap", 0, 2, 0, 0, 0},
		{"zeek/psql-select-now.pcap", 1, 2, 0, 0, 1},
		// Parse with Describe and Sync alone, and NotificationResponse, are the others.
		{"live/pg.pcap", 91, 3, 9, 9, 653},
	} {
		got := want
		got.statements, got.sessions, got.errors, got.other, got.rows = 0, 0, 0, 0, 0
		for _, c := range calls(t, filepath.Join(root, want.name)) {
			switch c.command {
			case "STARTUP", "SSL_REQUEST":
				got.sessions++
			case "PARSE", "NOTIFICATION":
				got.other++
			default:
				got.statements++
			}
			if c.code != "" {
				got.errors++
			}
			if strings.HasPrefix(c.status, "SELECT") {
				got.rows += c.rows
			}
		}
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
