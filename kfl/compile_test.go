package kfl_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/kfl"
)

var now = time.Date(2026, 3, 14, 22, 30, 0, 0, time.UTC)

// row is a row by field name.
type row map[string]any

func (r row) Value(f *field.Field) any { return r[f.Name] }

func compile(t testing.TB, e *kfl.Env, expr string) *kfl.Plan {
	t.Helper()
	p, err := e.Compile(expr, now)
	if err != nil {
		t.Fatalf("%s\n%v", expr, err)
	}
	return p
}

// variables returns KFL2's variables, by the type they have there.
func variables(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../testdata/kfl2.tsv")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	for line := range strings.Lines(string(b)) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		out[kind] = append(out[kind], name)
	}
	return out
}

// zero is true of a row without the variable, and compiles only for its type.
var zero = map[string]string{
	"bool": "!X", "string": `X == "" && X + "a" == "a"`, "int": "X == 0 && X + 1 == 1", "list": `size(X) == 0 && !("a" in X) && !X.exists(x, x == "a")`,
	"map": `size(X) == 0 && map_get(X, "a", "b") == "b" && !("a" in X) && X != {"a": "b"}`, "bytes": `X == b""`, "timestamp": `X == timestamp("1970-01-01T00:00:00Z")`,
}

func TestVariables(t *testing.T) {
	e := env(t, columns{})
	for kind, names := range variables(t) {
		for _, name := range names {
			expr := strings.ReplaceAll(zero[kind], "X", name)
			p, err := e.Compile(expr, now)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			if ok, err := p.MatchAll(row{}); !ok || err != nil {
				t.Errorf("%s: %v, %v on an empty row", expr, ok, err)
			}
		}
	}
}

func TestExamples(t *testing.T) {
	e := env(t, columns{})
	for _, f := range e.Catalogue().Fields() {
		if _, err := e.Compile(f.Example, now); err != nil {
			t.Errorf("example of %s: %v", f.Name, err)
		}
	}
	for _, f := range kfl.Functions() {
		if strings.ContainsAny(f.Usage, "(\"") {
			expr := f.Usage
			if _, err := e.Compile(expr, now); err != nil && !strings.Contains(err.Error(), "a filter is true or false") && !strings.Contains(expr, " list") {
				t.Errorf("usage of %s: %v", f.Name, err)
			}
		}
	}
}

// The queries that people use, each with a row that matches and one that does not.
var queries = []struct {
	expr    string
	yes, no row
}{
	{"", row{}, nil},
	{"  # everything\n", row{}, nil},
	{"// everything", row{}, nil},
	{
		`http && method in ["POST","PUT","DELETE"] && status_code >= 500 && dst.pod.namespace == "prod"`,
		row{"http": true, "method": "PUT", "status_code": int64(503), "dst.pod.namespace": "prod"},
		row{"http": true, "method": "PUT", "status_code": int64(503), "dst.pod.namespace": "Prod"},
	},
	{`http && elapsed_time > 1000000`, row{"http": true, "elapsed_time": int64(1000001)}, row{"http": true, "elapsed_time": int64(1000000)}},
	{`http && "authorization" in request.headers`, row{"http": true, "request.headers": map[string]string{"authorization": ""}}, row{"http": true}},
	{
		`http && map_get(request.headers, "content-type", "") == "application/json"`,
		row{"http": true, "request.headers": map[string]string{"content-type": "application/json"}},
		row{"http": true},
	},
	{`http && path.matches("^/v[0-9]+/users")`, row{"http": true, "path": "/v12/users/7"}, row{"http": true, "path": "/x/v12/users"}},
	{
		`map_get(local_labels, "app", "") == "cart" || map_get(remote_labels, "app", "") == "cart"`,
		row{"remote_labels": map[string]string{"app": "cart"}},
		row{"remote_labels": map[string]string{"app": "carts"}},
	},
	{`src.pod.namespace != dst.pod.namespace`, row{"src.pod.namespace": "a"}, row{}},
	{`dst.dns != "" && !dst.dns.endsWith(".svc.cluster.local")`, row{"dst.dns": "example.com"}, row{"dst.dns": "a.b.svc.cluster.local"}},
	{`dns && dns_response && size(dns_answers) == 0`, row{"dns": true, "dns_response": true}, row{"dns": true, "dns_response": true, "dns_answers": []string{"1.2.3.4"}}},
	{`dns && dns_questions.exists(q, q.endsWith(".example"))`, row{"dns": true, "dns_questions": []string{"x", "a.example"}}, row{"dns": true, "dns_questions": []string{"a.example."}}},
	{`tlsx && tlsx_cipher_suites.exists(c, c.contains("RC4"))`, row{"tlsx": true, "tlsx_cipher_suites": []string{"TLS_RSA_WITH_RC4_128_SHA"}}, row{"tlsx": true}},
	{`capture_source == "ebpf_tls" && http`, row{"http": true, "capture_source": "ebpf_tls"}, row{"http": true, "capture_source": "ebpf"}},
	{`grpc && grpc_status == 14`, row{"grpc": true, "grpc_status": int64(14)}, row{"grpc": true}},
	{`(mysql && !mysql_success) || (postgresql && postgresql_error_code == "23505")`, row{"postgresql": true, "postgresql_error_code": "23505"}, row{"mysql": true, "mysql_success": true}},
	{`tcp_flow && flow_local_bps > 5000000`, row{"tcp_flow": true, "flow_local_bps": int64(5000001)}, row{"tcp_flow": true}},
	{`timestamp >= timestamp("2026-03-14T22:00:00Z") && timestamp < timestamp("2026-03-14T23:00:00Z")`, row{"timestamp": now}, row{"timestamp": now.Add(time.Hour)}},
	{`timestamp > now() - duration("5m")`, row{"timestamp": now.Add(-time.Minute).UnixNano()}, row{"timestamp": now.Add(-5 * time.Minute).UnixNano()}},
	{`node["name"] == "a" && node.name == "a"`, row{"node": map[string]string{"name": "a"}}, row{"node": map[string]string{"name": "b"}}},
	{`has(request.headers.accept)`, row{"request.headers": map[string]string{"accept": ""}}, row{}},
	{`ip_in_range(src.ip, "10.0.0.0/12")`, row{"src.ip": "10.15.0.1"}, row{"src.ip": "10.16.0.1"}},
	{`ip_in_range(src.ip, "10.0.0.1")`, row{"src.ip": "10.0.0.1"}, row{"src.ip": "10.0.0.11"}},
	{`ip_in_range(src.ip, "2001:db8::/32")`, row{"src.ip": "2001:db8:1::1"}, row{"src.ip": ""}},
	{`method.lowerAscii() == "get"`, row{"method": "GeT"}, row{"method": "GETS"}},
	{`path.split("/").exists(p, p == "cart")`, row{"path": "/shop/cart"}, row{"path": "/shop/carts"}},
	{`path == "/a#b" && url != "//" # a comment with "quotes"` + "\n  && http // and one more '", row{"http": true, "path": "/a#b"}, row{"http": true, "path": "/a"}},
	{`path == r"\d#" && method == '''#'''`, row{"path": `\d#`, "method": "#"}, row{}},
	{`elapsed_time > 1.5e6`, row{"elapsed_time": int64(1500001)}, row{"elapsed_time": int64(1500000)}},
	{`dns_questions.exists(path, path == "a") && path == "b"`, row{"dns_questions": []string{"a"}, "path": "b"}, row{"dns_questions": []string{"b"}, "path": "b"}},
	{`timestamp.getHours() == 22`, row{"timestamp": now}, row{"timestamp": now.Add(time.Hour)}},
}

func TestQueries(t *testing.T) {
	for _, cols := range []kfl.Columns{nil, columns{}} {
		e := env(t, cols)
		for _, q := range queries {
			p := compile(t, e, q.expr)
			if ok, err := p.MatchAll(q.yes); !ok || err != nil {
				t.Errorf("%s: %v, %v on the row that matches", q.expr, ok, err)
			}
			if q.no == nil {
				continue
			}
			if ok, err := p.MatchAll(q.no); ok || err != nil {
				t.Errorf("%s: %v, %v on the row that does not", q.expr, ok, err)
			}
			if cols == nil && (p.Where != "" || !p.Residual()) {
				t.Errorf("%s: SQL %q without columns", q.expr, p.Where)
			}
		}
	}
}

func TestMissingKey(t *testing.T) {
	p := compile(t, env(t, columns{}), `http && request.headers["x"] == "a"`)
	ok, err := p.Match(row{"http": true})
	if ok || err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("missing key: %v, %v", ok, err)
	}
	if ok, err := p.MatchAll(row{}); ok || err != nil {
		t.Errorf("missing key behind false: %v, %v", ok, err)
	}
	ok, err = p.Match(row{"http": true, "request.headers": "x"})
	if ok || err == nil || !strings.Contains(err.Error(), "request.headers: the row has a string where a map(string, string) belongs") {
		t.Errorf("wrong type: %v, %v", ok, err)
	}
}

func TestCost(t *testing.T) {
	p := compile(t, env(t, columns{}), `dns_questions.exists(a, dns_questions.exists(b, dns_questions.exists(c, a + b + c == "x")))`)
	many := make([]string, 300)
	ok, err := p.Match(row{"dns_questions": many})
	if ok || err != kfl.ErrCost {
		t.Errorf("27 million turns: %v, %v", ok, err)
	}
	if _, err := p.Match(row{"dns_questions": many[:10]}); err != nil {
		t.Errorf("a thousand turns: %v", err)
	}
}

func TestNames(t *testing.T) {
	e := env(t, nil)
	if got := strings.Join(e.Names("src.po"), " "); got != "src.pod.name src.pod.namespace src.port" {
		t.Error(got)
	}
	if got := e.Names("zz"); len(got) != 0 {
		t.Error(got)
	}
	if len(e.Names("")) != len(e.Catalogue().Fields()) {
		t.Error("an empty prefix does not give all names")
	}
}

func TestOnePlanManyGoroutines(t *testing.T) {
	p := compile(t, env(t, nil), `http && dns_questions.exists(q, q == path) && timestamp < now()`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				want := (i+j)%2 == 0
				r := row{"http": true, "path": "a", "dns_questions": []string{"b", map[bool]string{true: "a", false: "c"}[want]}}
				if ok, err := p.Match(r); ok != want || err != nil {
					t.Errorf("%v, %v, want %v", ok, err, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestFieldsOfAPlan(t *testing.T) {
	names := func(fs []*field.Field) string {
		var out []string
		for _, f := range fs {
			out = append(out, f.Name)
		}
		return strings.Join(out, " ")
	}
	p := compile(t, env(t, columns{}), `http && status_code == 200 && dns_questions.exists(method, method == src.pod.name) && "a" in request.headers`)
	if got := names(p.Fields()); got != "dns_questions src.pod.name request.headers" {
		t.Errorf("residual reads %s", got)
	}
	if got := names(p.SQLFields()); got != "http status_code" {
		t.Errorf("SQL reads %s", got)
	}
	if got := names(p.AllFields()); got != "http status_code dns_questions src.pod.name request.headers" {
		t.Errorf("the expression reads %s", got)
	}
	asked := make(map[string]int)
	ok, err := p.Match(counting{asked, row{"dns_questions": []string{"x", "y"}, "src.pod.name": "z"}})
	if ok || err != nil || asked["src.pod.name"] != 1 || asked["request.headers"] != 0 || len(asked) != 2 {
		t.Errorf("%v, %v, asked %v", ok, err, asked)
	}
}

// counting counts what a row is asked for.
type counting struct {
	asked map[string]int
	row
}

func (c counting) Value(f *field.Field) any {
	c.asked[f.Name]++
	return c.row.Value(f)
}
