package mysql

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// call is what a client can say of a command that it sent.
type call struct {
	command, outcome       string
	rows, affected, insert string
	query                  string
	conn                   uint64
	first                  uint64
}

func (c call) String() string {
	return strings.Join([]string{c.command, c.outcome, c.rows, c.affected, c.insert, c.query}, "\t")
}

type calls []call

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	x := call{
		command: string(dissector.Operation.Get(v)), query: string(Query.Get(v)),
		outcome: "none", rows: "-", affected: "-", insert: "-", conn: e.Conn, first: e.First,
	}
	if e.OneWay {
		x.outcome = "ok"
	}
	if e.Response != nil {
		v := &e.Response.Values
		x.outcome = "ok"
		if code := ErrorCode.Get(v); code != 0 {
			x.outcome = fmt.Sprint(code)
		}
		if v.Has(Rows) {
			x.rows = fmt.Sprint(Rows.Get(v))
		}
		if v.Has(AffectedRows) {
			x.affected, x.insert = fmt.Sprint(AffectedRows.Get(v)), fmt.Sprint(InsertID.Get(v))
		}
	}
	*c = append(*c, x)
	return nil
}

// dissect returns the calls of a capture in the order in which they began.
func dissect(t *testing.T, file string) calls {
	t.Helper()
	var c calls
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, Protocol)
	slices.SortStableFunc(c, func(a, b call) int { return int(a.first) - int(b.first) })
	return c
}

// Every call is as the client saw it, and there is no other.
func TestCallsAreThoseOfTheClient(t *testing.T) {
	dissectortest.Told(t, "mysql", func(t *testing.T, capture string, want []string) {
		// Their connections go on in any order.
		several := strings.Contains(capture, "concurrency") || strings.Contains(capture, "load")
		var got []string
		for i, c := range dissect(t, capture) {
			if i < len(want) && !several {
				c = c.known(want[i])
			}
			c.query = strings.ReplaceAll(c.query, "\n", `\n`)
			got = append(got, c.String())
		}
		if several {
			for i := range got {
				got[i], want[min(i, len(want)-1)] = clean(got[i]), clean(want[min(i, len(want)-1)])
			}
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// known leaves of a call what its client knows too.
func (c call) known(line string) call {
	w := strings.Split(line, "\t")
	for i, f := range []*string{&c.rows, &c.affected, &c.insert} {
		if w[2+i] == "-" {
			*f = "-"
		}
	}
	return c
}

// clean removes what the client does not know of any call of its scenario.
func clean(line string) string {
	w := strings.Split(line, "\t")
	w[3], w[4] = "-", "-"
	return strings.Join(w, "\t")
}

// oracle is the part of an oracle file that speaks of MySQL.
type oracle struct {
	Tables struct {
		Calls []struct {
			Frame   uint64 `json:"frame"`
			Command string `json:"command"`
			Query   string `json:"query"`
			Error   int    `json:"error"`
		} `json:"mysql_calls"`
	} `json:"tables"`
}

// Every command that tshark finds in recorded traffic is found, and no other.
func TestCallsOfRecordedTraffic(t *testing.T) {
	root := dissectortest.Public(t)
	for _, name := range []string{
		"live/mysql.pcap", "packetbeat/mysql_connection.pcap", "packetbeat/mysql_long.pcap", "packetbeat/mysql_windows_lineending.pcap",
		"packetbeat/mysql_with_whitespaces.pcap", "zeek/auth.trace", "zeek/many-query-attrs.pcap", "zeek/mysql-9.0.0-query-attributes.pcap",
		"zeek/mysql-show-engine-innodb-status-no-password.pcap", "zeek/mysql.trace", "zeek/mysql8-navicat-login-failed.pcapng",
		"arkime/no-syn-ack.pcap", "open5gs/nonipsec_reg.pcapng",
	} {
		t.Run(name, func(t *testing.T) {
			var o oracle
			dissectortest.Oracle(t, root, name, &o)
			var want, got []string
			for _, c := range o.Tables.Calls {
				var number int
				_, after, _ := strings.Cut(c.Command, "(")
				if _, err := fmt.Sscan(strings.TrimSuffix(after, ")"), &number); err != nil {
					t.Fatal(err)
				}
				if commands[number] == "" {
					continue // a password, encrypted, that it takes for a command
				}
				if strings.Contains(name, "query-attributes") && number == comQuery {
					c.Query = "SELECT version()" // which it does not find behind the attributes
				}
				want = append(want, line(commands[number], c.Query, c.Error))
			}
			for _, c := range dissect(t, filepath.Join(root, name)) {
				if strings.HasPrefix(c.command, "COM_") && c.command != "COM_CONNECT" {
					if strings.HasPrefix(c.command, "COM_STMT") && c.command != "COM_STMT_PREPARE" {
						c.query = "" // tshark has it not
					}
					code, _ := strconv.Atoi(c.outcome)
					got = append(got, line(c.command, c.query, code))
				}
			}
			dissectortest.SameLines(t, got, want)
		})
	}
}

// line is a call as far as an oracle has it: it cuts long statements.
func line(command, query string, code int) string {
	return fmt.Sprint(command, " ", code, " ") + strings.Join(strings.Fields(query[:min(len(query), 200)]), " ")
}
