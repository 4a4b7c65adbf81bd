package postgresql

import (
	"strings"
	"testing"

	"shark/dissector/dissectortest"
)

func TestQueriesHideSecrets(t *testing.T) {
	for query, want := range map[string]string{
		"alter role a PASSWORD 'it''s \\' secret' login":  "alter role a PASSWORD ***",
		"options (user 'a', password 'x')":                "options (user 'a', password ***",
		"connection 'host=a password=x dbname=b'":         "connection 'host=a password ***",
		"update a set password = 'x', b = 'y'":            "update a set password ***",
		"update a set password = $1":                      "update a set password = $1",
		"update a set password = $$x$$":                   "update a set password ***",
		"update a set password = x":                       "update a set password ***",
		"update a set password = 1":                       "update a set password ***",
		"select password from a":                          "select password from a",
		`SELECT "a"."password", "b" FROM a WHERE b = 'c'`: `SELECT "a"."password", "b" FROM a WHERE b = 'c'`,
		"select password, b from a where password = 'x'":  "select password, b from a where password ***",
		"insert into a (password, b) values ('x', 'y')":   "insert into a (password ***",
		"insert into a (password, b) values ($1, $2)":     "insert into a (password, b) values ($1, $2)",
		"select 'http://a:80/b', 'c@d'":                   "select 'http://a:80/b', 'c@d'",
		"select 'http://a:b@c'":                           "select 'http://a:***",
		"password":                                        "password ***",
		strings.Repeat("x", maxQuery) + "password 'x'":    strings.Repeat("x", maxQuery) + "... ***",
	} {
		if got := string(appendQuery(nil, []byte(query), maxQuery, false)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := string(appendQuery(nil, []byte("select password, a from b"), maxQuery, true)); got != "select password ***" {
		t.Errorf("of a statement that goes on: %s", got)
	}
}

// No field of a statement, prepared or not, or of the error for it has what the
// statement keeps secret.
func TestSecretsAreNotShown(t *testing.T) {
	for _, c := range []struct{ query, message string }{
		{"ALTER ROLE a PASSWORD $$hunter2$$", `syntax error at or near "$$hunter2$$"`},
		{"ALTER ROLE a PASSWORD U&'hunter2'", `syntax error at or near "U&'hunter2'"`},
		{"ALTER ROLE a PASSWORD /* new */ 'hunter2'", `syntax error at or near "'hunter2'"`},
		{"ALTER ROLE a PASSWORD 'a'\n'hunter2'", "Fehler bei »'hunter2'«"},
		{"CREATE SUBSCRIPTION s CONNECTION 'host=h password=''hunter2''' PUBLICATION p", "no"},
		{"CREATE SUBSCRIPTION s CONNECTION 'postgresql://r:hunter2@h/d' PUBLICATION p", "no"},
		{"SELECT * FROM dblink('host=h password=hunter2', 'select 1') AS t (a int)", `missing "=" after "hunter2"`},
		{"-- don't\nALTER ROLE \"o'brien\" PASSWORD 'hunter2'", "no"},
		{"CREATE ROLE \"password's\" PASSWORD 'hunter2'", "no"},
		{"SELECT password, a FROM b; ALTER ROLE a PASSWORD 'hunter2'", "no"},
		{"SELECT crypt('hunter2', a), pgp_sym_decrypt(b, 'hunter2') FROM c", "no"},
	} {
		refused := msg('N', "SNOTICE\x00M"+c.message+"\x00\x00") + msg('E', "SERROR\x00C42601\x00M"+c.message+"\x00\x00")
		sent := dissectortest.NewScript().Client(begin).Server(welcome).Client(query(c.query)).Server(refused + ready).
			Client(prepare("a", c.query) + bindTo("a") + execute + sync).Server(refused + ready)
		shown, answers := sent.Close().Shown(t, Protocol)
		if answers != 3 || strings.Contains(shown, "hunter2") || !strings.Contains(shown, "***") {
			t.Errorf("%s: %d answers: %s", c.query, answers, shown)
		}
	}
}
