package workbench_test

import (
	"os"
	"strings"
	"testing"

	"shark/workbench"
)

// zeroOf is true of an entry without the variable X, and compiles only for its
// type.
var zeroOf = map[string]string{
	"bool": "!X", "string": `X == "" && X + "a" == "a"`, "int": "X == 0 && X + 1 == 1", "list": `size(X) == 0 && !X.exists(x, x == "a")`,
	"map": `size(X) == 0 && map_get(X, "a", "b") == "b"`, "bytes": `X == b""`, "timestamp": `X == timestamp("1970-01-01T00:00:00Z")`,
}

// TestKFL2Variables: every variable that users of KFL2 know is there, with its
// type and its default.
func TestKFL2Variables(t *testing.T) {
	w, err := workbench.New(workbench.Config{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("../testdata/kfl2.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(list)) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if _, err := w.Explain(strings.ReplaceAll(zeroOf[kind], "X", name)); err != nil {
			t.Error(err)
		}
		n++
	}
	if n < 200 {
		t.Errorf("only %d variables are listed", n)
	}
}

// TestKFL2Queries: the queries of its reference compile, and so does the example
// of every field.
func TestKFL2Queries(t *testing.T) {
	w, err := workbench.New(workbench.Config{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	queries := []string{
		`http && method in ["POST","PUT","DELETE"] && status_code >= 500 && dst.pod.namespace == "prod"`,
		`http && elapsed_time > 1000000`,
		`http && "authorization" in request.headers`,
		`http && map_get(request.headers, "content-type", "") == "application/json"`,
		`http && path.matches("^/v[0-9]+/users")`,
		`map_get(local_labels, "app", "") == "cart" || map_get(remote_labels, "app", "") == "cart"`,
		`src.pod.namespace != dst.pod.namespace`,
		`dst.dns != "" && !dst.dns.endsWith(".svc.cluster.local")`,
		`dns && dns_response && size(dns_answers) == 0`,
		`dns && dns_questions.exists(q, q.endsWith(".example"))`,
		`tlsx && tlsx_cipher_suites.exists(c, c.contains("RC4"))`,
		`capture_source == "ebpf_tls" && http`,
		`grpc && grpc_status == 14`,
		`(mysql && !mysql_success) || (postgresql && postgresql_error_code == "23505")`,
		`tcp_flow && flow_local_bps > 5000000`,
		`timestamp >= timestamp("2026-03-14T22:00:00Z") && timestamp < timestamp("2026-03-14T23:00:00Z")`,
	}
	for _, f := range w.Catalogue().Fields() {
		queries = append(queries, f.Example)
	}
	for _, q := range queries {
		if _, err := w.Explain(q); err != nil {
			t.Error(err)
		}
	}
}

// TestOldNames: what other versions of the language called things is an error
// that names the right one.
func TestOldNames(t *testing.T) {
	w, err := workbench.New(workbench.Config{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string][]string{
		`http and response.status == 500`: {"&&", "status_code"},
		`response.status == 500`:          {"status_code"},
		`request.path.contains("cart")`:   {"path"},
		`request.path contains "cart"`:    {"contains("},
		`src.ns == "prod"`:                {"src.pod.namespace"},
		`response.latency > 100`:          {"elapsed_time"},
		`dns_questions.exists()`:          {"exists("},
	} {
		_, err := w.Explain(expr)
		if err == nil {
			t.Errorf("%s compiles", expr)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error does not say %q:\n%v", expr, part, err)
			}
		}
	}
}
