package kfl_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"shark/dissector/field"
	"shark/kfl"
)

// Fields of the differential test. The last ones have no column.
var (
	truths = []string{"http", "dns", "failed", "mysql_success"}
	ints   = []string{"status_code", "id", "src.port"}
	texts  = []string{"method", "path", "src.ip", "dst.dns", "src.pod.name"}
	times  = []string{"timestamp"}

	bareTruth, bareInt, bareText = "kafka", "elapsed_time", "url"
)

var (
	nastyTexts = []string{
		"", "a", "A", "ab", "aB", "abc", "%", "_", "a%", "%a", "a_c", "'", `"`, `\`, "''", "é", "e\u0301", "É", "ß", "日本", "日", "本", "🦈", "a🦈b", " ", "\t", "\n",
		"*", "?", "[a]", "10.0.0.1", "10.1.2.3", "10.10.0.1", "1", "192.168.7.1", "2001:db8::1", "::ffff:10.0.0.1", "/v1/users", "/v12/users/7", "GET", "get", "PoSt", "\u007f", "\u0080", "\uffff", "\U0010ffff", "aaaaab", "zz.svc.cluster.local",
	}
	extremeInts = []int64{0, 1, -1, 2, 3, 80, 200, 404, 500, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 53, 1<<53 + 1, -1 << 31}
	nastyTimes  = []int64{0, 1, -1, now.UnixNano(), now.UnixNano() + 1, now.UnixNano() - 1, now.Add(-5 * time.Minute).UnixNano(), math.MaxInt64, math.MinInt64}
	patterns    = []string{"a", "^a", "^a|b", "^/v[0-9]+", "(?i)AB", "^(?i)ab", "a.c", "b$", "", "^", "^*", "^{1}a", "[a-c]+b", "日", `\.`, "^$", "a*b", "(a|A)b", "^aaa"}
	ranges      = []string{"10.0.0.0/8", "10.0.0.0/12", "10.0.0.0/4", "10.0.0.1", "10.1.0.0/16", "192.168.7.1/32", "2001:db8::/32", "::/0", "0.0.0.0/0"}
)

type generator struct{ *rand.Rand }

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

func (g generator) row() row {
	r := row{}
	maybe := func(name string, v any) {
		if g.IntN(8) > 0 {
			r[name] = v
		}
	}
	for _, n := range append([]string{bareTruth}, truths...) {
		maybe(n, g.IntN(2) == 0)
	}
	for _, n := range append([]string{bareInt}, ints...) {
		maybe(n, pick(g, extremeInts))
	}
	for _, n := range append([]string{bareText}, texts...) {
		v := pick(g, nastyTexts)
		if g.IntN(3) == 0 {
			v += pick(g, nastyTexts)
		}
		maybe(n, v)
	}
	maybe("timestamp", pick(g, nastyTimes))
	maybe("dns_questions", []string{pick(g, nastyTexts), pick(g, nastyTexts)})
	maybe("request.headers", map[string]string{pick(g, nastyTexts): pick(g, nastyTexts), "a": pick(g, nastyTexts)})
	return r
}

// truth returns a random expression of type bool, no deeper than n.
func (g generator) truth(n int) string { return "(" + g.bare(n) + ")" }

func (g generator) bare(n int) string {
	if n <= 0 {
		return pick(g, append([]string{"true", "false", bareTruth, truths[0], truths[1]}, truths...))
	}
	cmp := pick(g, []string{"==", "!=", "<", "<=", ">", ">="})
	switch g.IntN(22) {
	case 0, 1, 2, 3:
		return "(" + g.truth(n-1) + " && " + g.truth(n-1) + ")"
	case 4, 5, 6:
		return "(" + g.truth(n-1) + " || " + g.truth(n-1) + ")"
	case 7:
		return "!(" + g.truth(n-1) + ")"
	case 8:
		return "(" + g.truth(n-1) + " ? " + g.truth(n-1) + " : " + g.truth(n-1) + ")"
	case 9:
		return "(" + g.truth(n-1) + " " + cmp + " " + g.truth(n-1) + ")"
	case 10, 11:
		return g.int(n-1) + " " + cmp + " " + g.int(n-1)
	case 12, 13:
		return g.text(n-1) + " " + cmp + " " + g.text(n-1)
	case 14:
		return g.time(n-1) + " " + cmp + " " + g.time(n-1)
	case 15, 16:
		return g.text(n-1) + "." + pick(g, []string{"contains", "startsWith", "endsWith"}) + "(" + g.text(n-2) + ")"
	case 17:
		return g.text(n-1) + ".matches(" + strconv.Quote(pick(g, patterns)) + ")"
	case 18:
		return g.text(n-1) + " in [" + g.text(n-2) + ", " + g.text(n-2) + ", " + g.text(0) + "]"
	case 19:
		return pick(g, []string{g.int(n-1) + " in [" + g.int(0) + ", " + g.int(0) + "]", g.int(0) + " in []"})
	case 20:
		return "ip_in_range(" + g.text(n-2) + ", " + strconv.Quote(pick(g, ranges)) + ")"
	}
	return pick(g, []string{
		`dns_questions.exists(x, x.contains(` + g.text(0) + `))`, g.text(0) + " in dns_questions", `size(dns_questions) == ` + g.int(0),
		`request.headers[` + g.text(0) + `] == ` + g.text(0), `map_get(request.headers, "a", "") == ` + g.text(0), g.text(0) + ` in request.headers`,
		`request.headers.a == ` + g.text(0), g.int(0) + ` <= 1.0`,
	})
}

func (g generator) int(n int) string {
	switch g.IntN(10) {
	case 0, 1, 2:
		return pick(g, ints)
	case 3:
		return bareInt
	case 4:
		return "size(" + g.text(n-1) + ")"
	case 5:
		if n > 0 {
			return "(" + g.int(n-1) + pick(g, []string{" + ", " - ", " * ", " / ", " % "}) + g.int(n-1) + ")"
		}
	case 6:
		if n > 0 {
			return "(" + g.truth(n-1) + " ? " + g.int(n-1) + " : " + g.int(n-1) + ")"
		}
	case 7:
		return g.text(0) + ".size()"
	}
	return strconv.FormatInt(pick(g, extremeInts), 10)
}

func (g generator) text(n int) string {
	switch g.IntN(10) {
	case 0, 1, 2, 3:
		return pick(g, texts)
	case 4:
		return bareText
	case 5:
		if n > 0 {
			return g.text(n-1) + pick(g, []string{".lowerAscii()", ".upperAscii()", ".substring(1)"})
		}
	case 6:
		if n > 0 {
			return "(" + g.truth(n-1) + " ? " + g.text(n-1) + " : " + g.text(n-1) + ")"
		}
	case 7:
		if n > 0 {
			return "(" + g.text(n-1) + " + " + g.text(n-1) + ")"
		}
	}
	if g.IntN(20) == 0 {
		return `"a\x00b"`
	}
	return strconv.Quote(pick(g, nastyTexts))
}

func (g generator) time(n int) string {
	switch g.IntN(6) {
	case 0, 1:
		return "timestamp"
	case 2:
		return "now()"
	case 3:
		return `now() - duration("` + pick(g, []string{"5m", "1ns", "-1ns", "0s", "9000h"}) + `")`
	case 4:
		return `timestamp("` + pick(g, []string{"2026-03-14T22:30:00Z", "2026-03-14T22:30:00.000000001Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-14T23:30:00+01:00"}) + `")`
	}
	if n > 0 {
		return "(" + g.truth(n-1) + " ? " + g.time(n-1) + " : " + g.time(n-1) + ")"
	}
	return "timestamp"
}

// some gives columns to some fields only.
type some struct{}

func (some) Column(f *field.Field) (string, bool) {
	for _, with := range [][]string{truths, ints, texts, times} {
		if slices.Contains(with, f.Name) {
			return strconv.Quote(f.Name), true
		}
	}
	return "", false
}

func table(t *testing.T, rows []row) *sqlite.Conn {
	t.Helper()
	db, err := sqlite.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var names []string
	var cols []string
	for kind, list := range map[string][]string{"INTEGER": slices.Concat(truths, ints, times), "TEXT": texts} {
		for _, n := range list {
			names = append(names, n)
			cols = append(cols, strconv.Quote(n)+" "+kind+" NOT NULL")
		}
	}
	if err := sqlitex.ExecuteTransient(db, "CREATE TABLE r (n INTEGER PRIMARY KEY, "+strings.Join(cols, ", ")+")", nil); err != nil {
		t.Fatal(err)
	}
	insert := "INSERT INTO r VALUES (?" + strings.Repeat(", ?", len(names)) + ")"
	for i, r := range rows {
		args := []any{i}
		for _, n := range names {
			v := r[n]
			if v == nil && slices.Contains(texts, n) {
				v = ""
			}
			if v == nil {
				v = int64(0)
			}
			args = append(args, v)
		}
		if err := sqlitex.Execute(db, insert, &sqlitex.ExecOptions{Args: args}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// selected returns the rows that Where lets through.
func selected(db *sqlite.Conn, p *kfl.Plan) (map[int]bool, error) {
	in := make(map[int]bool)
	query := "SELECT n FROM r"
	if p.Where != "" {
		query += " WHERE " + p.Where
	}
	return in, sqlitex.ExecuteTransient(db, query, &sqlitex.ExecOptions{Args: p.Args, ResultFunc: func(s *sqlite.Stmt) error {
		in[s.ColumnInt(0)] = true
		return nil
	}})
}

// TestSQLAgreesWithCEL checks on random expressions and rows that SQL and the
// residual select what CEL alone selects, and that no evaluation error is lost.
func TestSQLAgreesWithCEL(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	rows := make([]row, 250)
	for i := range rows {
		rows[i] = g.row()
	}
	db, e := table(t, rows), env(t, some{})
	n := 1500
	if testing.Short() {
		n = 300
	}
	var sql, cel, both, failures, matches int
	for range n {
		expr := g.truth(1 + g.IntN(4))
		p, err := e.Compile(expr, now)
		if err != nil {
			t.Fatalf("generated expression: %v", err)
		}
		switch {
		case p.Where != "" && p.Residual():
			both++
		case p.Residual():
			cel++
		default:
			sql++
		}
		in, err := selected(db, p)
		if err != nil {
			t.Fatalf("%s\n%s\n%v", expr, p.Where, err)
		}
		for i, r := range rows {
			want, wantErr := p.MatchAll(r)
			var got bool
			var gotErr error
			if in[i] {
				got, gotErr = p.Match(r)
			}
			if got != want || (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("%s\nrow %d: %v\nSQL and residual %v (%v), CEL %v (%v)\n%s", expr, i, r, got, gotErr, want, wantErr, p.Explain())
			}
			if want {
				matches++
			}
			if wantErr != nil {
				failures++
			}
		}
	}
	t.Logf("%d expressions on %d rows: %d all SQL, %d SQL and CEL, %d all CEL; %d matches, %d evaluation errors", n, len(rows), sql, both, cel, matches, failures)
	for what, count := range map[string]int{"SQL": sql, "SQL and CEL": both, "CEL": cel, "matches": matches, "errors": failures} {
		if count == 0 {
			t.Errorf("the test met no case of %s", what)
		}
	}
}

// TestLong checks that the longest expressions compile, become SQL that SQLite
// takes, and say the same as CEL.
func TestLong(t *testing.T) {
	many := make([]string, 2500)
	for i := range many {
		many[i] = fmt.Sprintf("%d", i)
	}
	rows := []row{{"http": true, "status_code": int64(2499), "path": "/"}, {"status_code": int64(-1)}}
	db, e := table(t, rows), env(t, some{})
	for _, expr := range []string{
		strings.Repeat("http || ", 2000) + "dns",
		strings.Repeat("(status_code != -1 && http) || ", 500) + "dns",
		"status_code in [" + strings.Join(many, ",") + "]",
		"http" + strings.Repeat(" == true", 90),
		"status_code" + strings.Repeat(" + 0", 90) + " == 2499",
		"status_code == 2499" + strings.Repeat(" + 0", 90),
		strings.Repeat("!", 2000) + "http",
		strings.Repeat("(", 90) + "http" + strings.Repeat(")", 90),
		strings.Repeat("http ? true : ", 90) + "false",
		"http" + strings.Repeat(` && path.matches("^/")`, 600),
	} {
		p := compile(t, e, expr)
		in, err := selected(db, p)
		if err != nil {
			t.Fatalf("%.80s…: %v", expr, err)
		}
		for i, r := range rows {
			want, err := p.MatchAll(r)
			if err != nil || want != (i == 0) {
				t.Errorf("%.80s…: row %d: %v, %v", expr, i, want, err)
			}
			if got, err := p.Match(r); err != nil || (in[i] && got) != want {
				t.Errorf("%.80s…: row %d: SQL %v, residual %v, %v; want %v", expr, i, in[i], got, err, want)
			}
		}
	}
}
