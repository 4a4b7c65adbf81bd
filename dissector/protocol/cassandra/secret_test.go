package cassandra

import (
	"strings"
	"testing"

	"shark/dissector/dissectortest"
)

func TestQueriesHideSecrets(t *testing.T) {
	for query, want := range map[string]string{
		"create role a with password = 'it''s' and login = true": "create role a with password ***",
		"/* x */ ALTER USER a WITH PASSWORD $$b$$":               "/* x */ ALTER USER a WITH PASSWORD ***",
		"alter role a with password = 'cut":                      "alter role a with password ***",
		"select password from t where a = 'b'":                   "select password from t where a = 'b'",
		"select a, password, b from t where password = 'b'":      "select a, password, b from t where password ***",
		"insert into t (a, password) values (?, :b)":             "insert into t (a, password) values (?, :b)",
		"insert into t (password, a) values ('b', 'c')":          "insert into t (password ***",
		"update t set password = $$b$$":                          "update t set password ***",
		"select 'http://a:80/', 'b@c'":                           "select 'http://a:80/', 'b@c'",
		"update a set password = x":                              "update a set password ***",
		"update a set password = ? where b = :c":                 "update a set password = ? where b = :c",
		"select 'http://a:b@c'":                                  "select 'http://a:***",
		strings.Repeat("x", maxQuery) + " password 'y'":          strings.Repeat("x", maxQuery) + "... ***",
	} {
		if got := string(appendQuery(nil, []byte(query), maxQuery, false)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := string(appendQuery(nil, []byte("select password, a from b"), maxQuery, true)); got != "select password ***" {
		t.Errorf("of a statement that goes on: %s", got)
	}
	if got := string(appendQuery(nil, []byte("äö"), 3, false)); got != "ä..." {
		t.Errorf("got %s", got)
	}
}

// No field of a statement or of the answer to it has what the statement keeps secret.
func TestSecretsAreNotShown(t *testing.T) {
	for _, statement := range []string{
		"CREATE ROLE 'password_bot' WITH PASSWORD = 'hunter2'",
		"ALTER ROLE a WITH PASSWORD /* don't log */ = 'hunter2'",
		"-- don't\nALTER ROLE a WITH PASSWORD = $$hunter2$$",
		"BEGIN BATCH UPDATE a SET password = 'hunter2'; APPLY BATCH",
		"INSERT INTO a (password, b) VALUES ('hunter2', 'c')",
	} {
		for _, said := range []string{
			"line 1:40 mismatched input 'hunter2' expecting '='", "no viable alternative at input 'hunter2' (... PASSWORD [=] 'hunter2')", "Failed parsing statement: [PASSWORD = $$hunter2$$]",
		} {
			refused := envelope(0x84, 8, 1, opError, "\x00\x01"+text(said)+"\x00\x00\x20\x00"+text(said))
			sent := dissectortest.NewScript().Client(query(1, statement)).Server(refused)
			shown, answers := sent.Close().Shown(t, Protocol)
			if answers != 1 || strings.Contains(shown, "hunter2") || strings.Count(shown, "'***'") != 2 {
				t.Errorf("%s: %d answers: %s", statement, answers, shown)
			}
		}
	}
}
