package kfl_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/kfl"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// wrong are expressions that people write and that do not compile. What is said
// of them is in testdata/errors.golden.
var wrong = []string{
	`http and response.status == 500`,
	`http or dns`,
	`not http`,
	`http && request.path contains "cart"`,
	`request.path.contains("cart")`,
	`src.ns == "prod"`,
	`dst.ns == "prod" && response.latency > 100`,
	`latency_ms > 500`,
	`response.status >= 500`,
	`request.headers["x"] == "a" && request.method == "GET"`,
	`response.body.contains("error")`,
	`destination.ip == "1.2.3.4" || source.port == 80`,
	`dns_questions.exists()`,
	`dns_questions.contains("example")`,
	`dns_questions == "example"`,
	`status >= 500`,
	`status_code == "500"`,
	`http && limit(100)`,
	`timestamp > datetime("10/19/2025")`,
	`timestamp > now() - minutes(5)`,
	`timestamp > "2026-03-14"`,
	`timestamp > timestamp("yesterday")`,
	`now() - duration("5 minutes") < timestamp`,
	`now(5) > timestamp`,
	`status_code = 500`,
	`http & dns`,
	`http | dns`,
	`path =~ "^/v"`,
	`path.matches("^/v[0-9")`,
	`path.matches(url)`,
	`path.matches("((((a{10}){10}){10})[^b]*){5}")`,
	`path.startswith("/v")`,
	`method.toLower() == "get"`,
	`path.replace("a", "b") == ""`,
	`ip_in_range(src.ip, "10.0.0.0/33")`,
	`src.ip.inCIDR("10.0.0.0/8")`,
	`path`,
	`status_code`,
	`dns_answers`,
	`request.headers`,
	`1 + 1`,
	`http && `,
	`http && (dns`,
	`http)`,
	`http && path == "/cart`,
	`htp`,
	`http2`,
	`statuscode >= 500`,
	`src.pod.nmae == "cart"`,
	`pod.name == "cart"`,
	`pod == "cart"`,
	`grpc.status == 1`,
	`redis.key == "a"`,
	`postgres && mongo`,
	`xyzzy_plugh_quux == 1`,
	`http()`,
	`serialize(path) == ""`,
	`http &&` + "\n\t# only the cart\n\tpath == \"/cart\" &&\n\tstatus.code == 500",
	`"größe" == path && pfad == "größe"`,
	"path == \"\xff\"",
	strings.Repeat("(", 200) + "http" + strings.Repeat(")", 200),
	strings.Repeat(`path == "aaaaaaaaaaaaaaaa" || `, 20) + "stauts_code == 1 || " + strings.Repeat(`path == "aaaaaaaaaaaaaaaa" || `, 20) + "http",
	"http" + strings.Repeat(" == true", 3000),
	`http ` + "\x1b" + `[31m`,
	strings.Repeat("x", 300) + ` == 1`,
	`a == 1 || b == 1 || c == 1 || d == 1 || e == 1 || f == 1 || g == 1 || h == 1 || i == 1 || j == 1`,
	`http ? 1 : 2`,
	`http && dst.namespace`,
	`path in "abc"`,
	`path.exists(x, x == "a")`,
	`request.headers.exists(k, v == "a")`,
	`9223372036854775808 == id`,
	strings.Repeat("http dns ", 1000),
	strings.Repeat("a ? ", 1000),
	strings.Repeat("pods.all(p,p==\"\")||", 850) + "http",
	strings.Repeat("http || ", 2100) + "http",
}

func TestErrors(t *testing.T) {
	e := env(t, columns{})
	var b strings.Builder
	for _, expr := range wrong {
		_, err := e.Compile(expr, now)
		var ke *kfl.Error
		if !errors.As(err, &ke) || len(ke.Problems) == 0 {
			t.Errorf("%.100s: got %v, want an Error", expr, err)
			continue
		}
		for _, p := range ke.Problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" || p.Caret > len([]rune(p.Excerpt)) {
				t.Errorf("%.100s: problem %+v", expr, p)
			}
		}
		shown := expr
		if len(shown) > 120 {
			shown = shown[:120] + "…"
		}
		b.WriteString("# " + strings.ReplaceAll(strings.ToValidUTF8(shown, "?"), "\n", "\n# ") + "\n" + err.Error() + "\n\n")
	}
	golden(t, "errors.golden", b.String())
}

// right are expressions whose plan or hints are worth a look.
var explained = []string{
	``,
	`http && status_code >= 500`,
	`http && path.matches("^/v[0-9]+/users") && method in ["POST", "PUT"] && "x" in request.headers`,
	`(http && path.matches("^/v[0-9]+/users")) || (dns && dns_questions.exists(q, q.endsWith(".example")))`,
	`http || "x" in request.headers`,
	`timestamp > now() - duration("5m") && now() - timestamp < duration("1h")`,
	`src.pod.namespace != dst.pod.namespace && size(path) > 100 && !(path.startsWith("/a") || path.endsWith("é") || path.contains("%_"))`,
	`ip_in_range(src.ip, "10.0.0.0/12") && ip_in_range(dst.ip, "192.168.7.1") && ip_in_range(dst.ip, "::/0")`,
	`http ? status_code >= 500 : path.matches("cart.*")`,
	`elapsed_time * 2 > 1000 && status_code == 2 * 100`,
	`path == r"^/v[0-9]" && "X-Request-ID" in request.headers`,
	`tls_summary == ""`,
	`tls && tls_summary == ""`,
	`status_code < 400`,
	`false || path == ""`,
}

func TestExplain(t *testing.T) {
	e := env(t, columns{})
	var b strings.Builder
	for _, expr := range explained {
		b.WriteString("# " + expr + "\n" + compile(t, e, expr).Explain() + "\n")
	}
	golden(t, "explain.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := 0; i < len(g) || i < len(w); i++ {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d differs from what is said now, from\n%s", file, i+1, strings.Join(g[min(i, len(g)):min(i+8, len(g))], "\n"))
		}
	}
}
