package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// inserted writes the rows of a database into another one through SQLite, by
// ordinary statements.
func inserted(t *testing.T, path string) string {
	t.Helper()
	s := testSchema(t)
	out := filepath.Join(t.TempDir(), "inserted.db")
	conn, err := sqlite.OpenConn(out, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	statements := slices.Concat(
		[]string{fmt.Sprintf(`PRAGMA application_id=%d`, applicationID), fmt.Sprintf(`PRAGMA user_version=%d`, formatVersion), `ATTACH ` + literal(path) + ` AS laid`},
		s.statements(), indexSQL(),
	)
	for i := range s.tables {
		name := quote(s.tables[i].name)
		statements = append(statements, fmt.Sprintf(`INSERT INTO main.%s SELECT * FROM laid.%[1]s ORDER BY id DESC`, name))
	}
	for _, sql := range append(statements, `DETACH laid`, `PRAGMA analysis_limit=1000`, `ANALYZE`) {
		if err := sqlitex.ExecuteTransient(conn, sql, nil); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return out
}

// question makes a random question of conditions that SQL answers and of such that
// it does not.
func question(rng *rand.Rand) string {
	conditions := []string{
		`http`, `!grpc`, `kv`, `dns || conn`, `failed`, `complete`, `has_response`,
		fmt.Sprintf(`status_code >= %d`, 200+rng.IntN(400)), fmt.Sprintf(`path == "/item/%d"`, rng.IntN(1000)), fmt.Sprintf(`url.contains("%d")`, rng.IntN(99)),
		fmt.Sprintf(`summary.startsWith("/item/%d")`, rng.IntN(10)), `operation == "GET"`, `status == ""`, fmt.Sprintf(`elapsed_time > %d`, rng.IntN(60)),
		fmt.Sprintf(`src.ip == "10.0.0.%d"`, rng.IntN(256)), `dst.pod.name == "cart-1"`, `src.labels["app"] == "cart"`, fmt.Sprintf(`conn_id < %d`, rng.IntN(500)),
		`map_get(request.headers, "via", "") == "proxy"`, fmt.Sprintf(`"key%d" in kv_keys`, rng.IntN(100)), fmt.Sprintf(`kv_ratio < 0.%d`, rng.IntN(10)),
		fmt.Sprintf(`dns_questions.exists(q, q == "host%d.example.")`, rng.IntN(50)), `dst.name.matches("^host[0-9]")`, fmt.Sprintf(`id %% 7 == %d`, rng.IntN(7)),
	}
	var parts []string
	for range 1 + rng.IntN(3) {
		parts = append(parts, conditions[rng.IntN(len(conditions))])
	}
	return "(" + strings.Join(parts, []string{") && (", ") || ("}[rng.IntN(2)]) + ")"
}

// TestLaidOutAndInsertedAreTheSame: a database whose pages are laid out by us is to
// any reader what one is that SQLite has filled.
func TestLaidOutAndInsertedAreTheSame(t *testing.T) {
	laid := build(t, Options{Resolver: newOwners()}, 3, Meta{Source: "x"}, randomEntries(scaled(3000))...)
	other := inserted(t, laid)
	if dump(t, laid) != dump(t, other) {
		t.Error("the rows are not the same")
	}
	a, b := openTest(t, laid), openTest(t, other)
	rng := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 100 {
		expr := question(rng)
		opts := QueryOptions{Newest: rng.IntN(2) == 0, Limit: rng.IntN(2) * 50}
		answer := func(db *DB) (out []string) {
			p, enc := compile(t, newEnv(t, db.Schema()), expr), db.Schema().JSON()
			for row, err := range db.Query(context.Background(), p, opts) {
				if err != nil {
					t.Fatalf("%s: %v", expr, err)
				}
				text, err := enc.Append(nil, row)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(text))
			}
			return out
		}
		got, want := answer(a), answer(b)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, of those inserted %d, or others", expr, len(got), len(want))
		}
		found += len(got)
		if got, want := fmt.Sprint(statsOf(t, a, expr)), fmt.Sprint(statsOf(t, b, expr)); got != want {
			t.Errorf("%s: %s, of those inserted %s", expr, got, want)
		}
	}
	if found < 100 {
		t.Errorf("all questions together found %d entries", found)
	}
}

// statsOf are the calls of a question by protocol.
func statsOf(t *testing.T, db *DB, expr string) []Group {
	t.Helper()
	by := db.Schema().catalogue.Lookup("protocol")
	groups, err := db.Stats(context.Background(), compile(t, newEnv(t, db.Schema()), expr), QueryOptions{}, by)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}
