package kfl

import (
	"slices"
	"sort"
	"strings"
)

// oldNames are names that older filters, other tools and guesses use, and what
// takes their place.
var oldNames = map[string]string{
	"response.status": "status_code", "response.statusCode": "status_code", "response.status_code": "status_code", "response.code": "status_code",
	"statusCode": "status_code", "http.status": "status_code", "http.status_code": "status_code", "rcode": "status_code", "dns_rcode": "status_code", "dns.rcode": "status_code",
	"request.path": "path", "http.path": "path", "request.url": "url", "http.url": "url", "request.method": "method", "http.method": "method",
	"request.queryString": "query_string", "request.query_string": "query_string", "request.query": "query_string", "queryString": "query_string",
	"request.host": `request.headers["host"]`, "host": `request.headers["host"]`, "headers": "request.headers", "cookies": "request.cookies",
	"response.latency": "elapsed_time", "latency": "elapsed_time", "latency_us": "elapsed_time", "elapsedTime": "elapsed_time", "elapsed": "elapsed_time",
	"latency_ms": "elapsed_time, in microseconds", "response.latency_ms": "elapsed_time, in microseconds",
	"request.size": "request_size", "response.size": "response_size", "requestSize": "request_size", "responseSize": "response_size",
	"src.ns": "src.pod.namespace", "dst.ns": "dst.pod.namespace", "src.pod.ns": "src.pod.namespace", "dst.pod.ns": "dst.pod.namespace",
	"src.pod": "src.pod.name", "dst.pod": "dst.pod.name", "src.service": "src.service.name", "dst.service": "dst.service.name",
	"src.workload": "src.workload.name", "dst.workload": "dst.workload.name", "src.node": "local_node_name", "dst.node": "remote_node_name",
	"src.process": "local_process_name", "dst.process": "remote_process_name", "src.host": "src.name", "dst.host": "dst.name",
	"src.label": "src.labels", "dst.label": "dst.labels", "srcip": "src.ip", "dstip": "dst.ip", "ip.src": "src.ip", "ip.dst": "dst.ip",
	"namespace": "namespaces", "pod": "pods", "service": "services", "node.id": "node_id", "nodeName": "node_name",
	"time": "timestamp", "startTime": "timestamp", "proto": "protocol", "proto.name": "protocol",
	"mongo": "mongodb", "postgres": "postgresql", "pg": "postgresql", "graphql": "gql", "websocket": "ws", "http1": "http",
	"http2": `http && http_version == "HTTP/2"`,
	"error": "failed",
}

// noBody are names of what is not kept, and noBodyHelp what to do about it.
var noBody = []string{"request.body", "response.body", "body", "payload", "request.content", "response.content"}

const noBodyHelp = "bodies cannot be filtered: they stay in the packets, and show and export find them there"

// oldFunctions are calls that other languages and KFL's first version have, and
// what to do instead.
var oldFunctions = map[string]string{
	"limit":      "there is no limit(): the number of rows is not part of a filter, give it beside the filter",
	"record":     "there is no record(): a filter looks at the snapshot it is used on",
	"redact":     "there is no redact(): a filter does not change what is shown",
	"json":       "there is no json(): bodies cannot be filtered",
	"xml":        "there is no xml(): bodies cannot be filtered",
	"datetime":   `there is no datetime(): write timestamp("2026-03-14T22:00:00Z")`,
	"seconds":    `there is no seconds(): write now() - duration("30s")`,
	"minutes":    `there is no minutes(): write now() - duration("5m")`,
	"hours":      `there is no hours(): write now() - duration("2h")`,
	"days":       `there is no days(): write now() - duration("24h")`,
	"weeks":      `there is no weeks(): write now() - duration("168h")`,
	"months":     `there is no months(): write now() - duration("720h")`,
	"years":      `there is no years(): write now() - duration("8760h")`,
	"exists":     `exists needs a name and a condition: list.exists(x, x == "a")`,
	"all":        `all needs a name and a condition: list.all(x, x == "a")`,
	"exists_one": `exists_one needs a name and a condition: list.exists_one(x, x == "a")`,
	"filter":     `filter needs a name and a condition: list.filter(x, x != "")`,
	"map":        `map needs a name and an expression: list.map(x, x.lowerAscii())`,
	"has":        "has needs a map and a key: has(request.headers.accept)",
	"now":        "now() takes nothing",
	"startswith": "write startsWith",
	"endswith":   "write endsWith",
	"hasPrefix":  "write startsWith",
	"hasSuffix":  "write endsWith",
	"includes":   "write contains",
	"match":      "write matches",
	"regex":      `write path.matches("^/v[0-9]")`,
	"lower":      "write path.lowerAscii()",
	"toLower":    "write path.lowerAscii()",
	"upper":      "write path.upperAscii()",
	"toUpper":    "write path.upperAscii()",
	"len":        "write size",
	"length":     "write size",
	"get":        `write map_get(request.headers, "accept", "")`,
	"inCIDR":     `write ip_in_range(src.ip, "10.0.0.0/8")`,
	"cidr":       `write ip_in_range(src.ip, "10.0.0.0/8")`,
	"replace":    "there is no replace(): its result has no bound",
	"join":       "there is no join(): its result has no bound; use list.exists(x, x == \"a\")",
	"format":     "there is no format()",
}

// words are operators of other languages.
var words = map[string]string{"and": "&&", "or": "||", "not": "!"}

func (e *Env) noName(full string) string {
	msg := "unknown name " + quote(full)
	if slices.Contains(noBody, full) {
		return msg + "; " + noBodyHelp
	}
	if found := e.suggest(full); len(found) > 0 {
		return msg + "; did you mean " + alternatives(found) + "?"
	}
	return msg
}

func (e *Env) noFunction(name string) string {
	msg := "unknown function " + quote(name)
	var found []near
	for _, f := range Functions() {
		if d := distance(strings.ToLower(f.Name), strings.ToLower(name)); d <= 1+len(name)/4 {
			found = append(found, near{f.Name, d})
		}
	}
	if e.cat.Lookup(name) != nil {
		return msg + "; " + name + " is a field and is written without parentheses"
	}
	if names := closest(found); len(names) > 0 {
		return msg + "; did you mean " + alternatives(names) + "?"
	}
	return msg
}

// suggest returns what may have been meant by an unknown name, best first.
func (e *Env) suggest(full string) []string {
	if to, ok := e.old(full); ok {
		return []string{to}
	}
	last := full[strings.LastIndexByte(full, '.')+1:]
	lower := strings.ToLower(full)
	var found []near
	for _, n := range e.names {
		d := distance(lower, n)
		switch {
		case d <= len(full)/3 && d <= 4:
		case len(lower) >= 3 && (strings.HasPrefix(n, lower) || strings.HasSuffix(n, "."+lower) || strings.HasSuffix(n, "_"+lower)):
			d = 5 + len(n) - len(lower)
		case last != full && n == last:
			d = 3
		default:
			continue
		}
		found = append(found, near{n, d})
	}
	return closest(found)
}

// old looks a name up among the old names whose successors exist.
func (e *Env) old(full string) (string, bool) {
	if to, ok := oldNames[full]; ok {
		end := strings.IndexAny(to, " ,[")
		if end < 0 {
			end = len(to)
		}
		return to, e.cat.Lookup(to[:end]) != nil
	}
	for from, to := range map[string]string{"source.": "src.", "destination.": "dst.", "client.": "src.", "server.": "dst."} {
		if rest, ok := strings.CutPrefix(full, from); ok && e.cat.Lookup(to+rest) != nil {
			return to + rest, true
		}
	}
	return "", slices.Contains(noBody, full)
}

type near struct {
	name     string
	distance int
}

// closest returns the names of the smallest distances, three at most.
func closest(found []near) []string {
	sort.SliceStable(found, func(i, j int) bool { return found[i].distance < found[j].distance })
	var out []string
	for _, n := range found {
		if len(out) < 3 && n.distance <= found[0].distance+1 {
			out = append(out, n.name)
		}
	}
	return out
}

func alternatives(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	if d := len(a) - len(b); d > 8 || d < -8 || len(a) > 64 {
		return 99
	}
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := slices.Repeat([]int{i}, len(b)+1)
		for j := 1; j <= len(b); j++ {
			change := prev[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, prev[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
