package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"shark/traffic"
)

// check is one thing that the index must say just as the generator does.
type check struct {
	name string
	sql  string // rows of a name and a number
	want map[string]int64
}

// callRows is SQL for the entries that are calls, each with the one protocol that it
// is of in the first place.
const callRows = `entry e JOIN protocols p ON p.label = e.protocol WHERE p.name NOT IN ('conn', 'flow')`

// carrierName is SQL for a call's protocol as the generators name it: to them a call of
// GraphQL is one of HTTP.
const carrierName = `CASE WHEN p.name <> 'gql' THEN p.name WHEN e.id IN (SELECT id FROM http2) THEN 'http2' ELSE 'http' END`

// counts is SQL for how many rows have each value.
func counts(value, from string) string {
	return "SELECT " + value + ", count(*) FROM " + from + " GROUP BY 1"
}

// halves is SQL for how many requests and responses there are in a view.
func halves(view, where, request, response string) string {
	from := fmt.Sprintf("FROM %s v WHERE %s", view, where)
	return fmt.Sprintf("SELECT '%s', sum(v.has_request) %s UNION ALL SELECT '%s', sum(v.has_response) %[2]s", request, from, response)
}

// ownTruth makes checks of what the repository's generator says.
func ownTruth(path string, t *traffic.Truth) *capture {
	c := &capture{path: path, calls: t.Calls, connections: t.Connections}
	of := make(map[string]int64)
	for name, p := range t.Protocols {
		of[name] = p.Calls
		where := callRows + " AND p.name = '" + name + "'"
		c.checks = append(c.checks,
			check{name + " method", counts("e.operation", where), p.Methods},
			check{name + " status", counts("e.status", where), p.Statuses})
	}
	slices.SortFunc(c.checks, func(a, b check) int { return strings.Compare(a.name, b.name) })
	c.checks = append(c.checks, totals(t.Packets, t.Connections, of)...)
	return c
}

// totals are the checks of all together. of is the calls by protocol: there must
// be no others.
func totals(packets, connections int64, of map[string]int64) []check {
	return []check{
		{"packets", `SELECT 'packets', json_extract(value, '$.report.Packets') FROM meta WHERE key = 'coverage'`, one("packets", packets)},
		{connectionsCheck, `SELECT 'tcp', count(*) FROM conn WHERE tcp_conn`, one("tcp", connections)},
		{"calls", counts(carrierName, callRows), of},
	}
}

const connectionsCheck = "connections"

// expectConnections corrects how many connections there are.
func (c *capture) expectConnections(n int64) {
	c.connections = n
	for i := range c.checks {
		if c.checks[i].name == connectionsCheck {
			c.checks[i].want = one("tcp", n)
		}
	}
}

func one(name string, n int64) map[string]int64 { return map[string]int64{name: n} }

// given is the truth that make_bench_pcap.sh writes beside a capture.
type given struct {
	Packets int64            `json:"packets"`
	Exact   bool             `json:"exact"`
	TCP     map[string]int64 `json:"tcp"`

	HTTP         map[string]int64 `json:"http"`
	HTTPMethod   map[string]int64 `json:"http_method"`
	HTTPStatus   map[string]int64 `json:"http_status"`
	HTTP2        map[string]int64 `json:"http2"`
	HTTP2Status  map[string]int64 `json:"http2_status"`
	GRPC         map[string]int64 `json:"grpc"`
	GRPCStatus   map[string]int64 `json:"grpc_status"`
	GRPCMethod   map[string]int64 `json:"grpc_method"`
	Redis        map[string]int64 `json:"redis"`
	RedisCommand map[string]int64 `json:"redis_command"`
	RedisReply   map[string]int64 `json:"redis_reply"`
	Kafka        map[string]int64 `json:"kafka"`
	KafkaAPI     map[string]int64 `json:"kafka_api"`
	DNS          map[string]int64 `json:"dns"`
	DNSType      map[string]int64 `json:"dns_qtype"`
	DNSCode      map[string]int64 `json:"dns_rcode"`
}

// readGiven makes checks of the truth that stands beside a capture.
func readGiven(path string) (*capture, error) {
	text, err := os.ReadFile(strings.TrimSuffix(path, ".pcap") + ".json")
	if err != nil {
		return nil, err
	}
	var t given
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("truth of %s: %w", path, err)
	}
	if !t.Exact {
		return nil, fmt.Errorf("truth of %s: it is not exact", path)
	}
	return t.capture(path), nil
}

func (t *given) capture(path string) *capture {
	const plain = "v.id NOT IN (SELECT id FROM http2)"
	of := map[string]int64{
		"http": t.HTTP["requests"], "http2": t.HTTP2["requests"] - t.GRPC["calls"], "grpc": t.GRPC["calls"],
		"redis": t.Redis["commands"], "kafka": t.Kafka["requests"], "dns": t.DNS["queries"],
	}
	c := &capture{path: path, connections: t.TCP["connections"], silent: t.TCP["midstream_connections"]}
	for _, n := range of {
		c.calls += n
	}
	c.checks = append([]check{
		{"http", halves("http", plain, "requests", "responses"), pick(t.HTTP, "requests", "responses")},
		{"http method", counts("v.method", "http v WHERE "+plain), t.HTTPMethod},
		{"http status", counts("v.status_code", "http v WHERE "+plain), t.HTTPStatus},
		{"http2", halves("http2", "true", "requests", "responses"), pick(t.HTTP2, "requests", "responses")},
		{"http2 status", counts("v.status_code", "http2 v"), t.HTTP2Status},
		{
			"grpc",
			"SELECT 'calls', count(*) FROM grpc UNION ALL SELECT 'messages', sum(grpc_request_messages + grpc_response_messages) FROM grpc",
			pick(t.GRPC, "calls", "messages"),
		},
		{"grpc status", counts("v.grpc_status", "grpc v"), t.GRPCStatus},
		{"grpc method", counts("'/' || v.grpc_service || '/' || v.grpc_method", "grpc v"), t.GRPCMethod},
		{"redis", halves("redis", "true", "commands", "replies"), pick(t.Redis, "commands", "replies")},
		{"redis command", counts("v.operation", "redis v"), t.RedisCommand},
		{"redis reply", counts(replyType, "redis v"), t.RedisReply},
		{"kafka", halves("kafka", "true", "requests", "responses"), pick(t.Kafka, "requests", "responses")},
		{"kafka api", counts("v.kafka_api_key", "kafka v"), byNumber(t.KafkaAPI)},
		{"dns", halves("dns", "true", "queries", "responses"), pick(t.DNS, "queries", "responses")},
		{"dns type", counts("v.operation", "dns v"), t.DNSType},
		{"dns code", counts("v.status_code", "dns v WHERE v.has_response"), byNumber(t.DNSCode)},
	}, totals(t.Packets, c.connections, of)...)
	return c
}

// replyType is SQL for a Redis reply's type by the names of the protocol's
// description, where a missing value is a bulk string too.
const replyType = `CASE v.redis_reply_type WHEN 'status' THEN 'string' WHEN 'string' THEN 'bulk_string' WHEN 'null' THEN 'bulk_string' ELSE v.redis_reply_type END`

func pick(m map[string]int64, names ...string) map[string]int64 {
	out := make(map[string]int64)
	for _, n := range names {
		out[n] = m[n]
	}
	return out
}

// byNumber makes "0" of "Produce (0)".
func byNumber(m map[string]int64) map[string]int64 {
	number := regexp.MustCompile(`\((\d+)\)$`)
	out := make(map[string]int64)
	for name, n := range m {
		if found := number.FindStringSubmatch(name); found != nil {
			name = found[1]
		}
		out[name] = n
	}
	return out
}

// maxDifferences is how many differences are listed.
const maxDifferences = 30

// verify returns how many numbers the index at path has as the generator says,
// and an error that lists those it has not.
func (c *capture) verify(ctx context.Context, path string) (same int, err error) {
	db, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetInterrupt(ctx.Done())
	var wrong []error
	for _, k := range c.checks {
		got := make(map[string]int64)
		err := sqlitex.ExecuteTransient(db, k.sql, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
			got[row.ColumnText(0)] = row.ColumnInt64(1)
			return nil
		}})
		if err != nil {
			return 0, fmt.Errorf("%s: %w", k.name, err)
		}
		n, diffs := compare(k, got)
		same += n
		wrong = append(wrong, diffs...)
	}
	if more := len(wrong) - maxDifferences; more > 0 {
		wrong = append(wrong[:maxDifferences], fmt.Errorf("and %d more", more))
	}
	return same, errors.Join(wrong...)
}

// checkIntegrity has SQLite look at a database.
func checkIntegrity(ctx context.Context, path string) error {
	db, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetInterrupt(ctx.Done())
	var found []error
	err = sqlitex.ExecuteTransient(db, "PRAGMA integrity_check", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		if what := row.ColumnText(0); what != "ok" {
			found = append(found, errors.New(what))
		}
		return nil
	}})
	return errors.Join(append(found, err)...)
}

// compare holds what the index says against what is wanted. A number that one
// side does not have is 0.
func compare(k check, got map[string]int64) (same int, wrong []error) {
	all := maps.Clone(got)
	maps.Copy(all, k.want)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if k.want[name] == got[name] {
			same++
		} else {
			wrong = append(wrong, fmt.Errorf("%s %.80q: there are %d, and %d in the index", k.name, name, k.want[name], got[name]))
		}
	}
	return same, wrong
}
