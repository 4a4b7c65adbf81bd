package secret

import (
	"bytes"
	"strings"
	"testing"

	"shark/dissector/dissectortest"
)

// plain is a language with the words that all have.
var plain = Dialect{
	Words: ['z' + 1][]string{'p': {"password", "pwd"}, 's': {"secret"}},
	Sign:  '@', List: `"`, Close: `"`, Value: "'\";", Verbs: []string{"truncate"}, Comments: []string{"#"}, Quote: "$",
	Literal: func(statement []byte) bool { return strings.Contains(string(statement), "0x") },
}

func TestShown(t *testing.T) {
	for _, c := range []struct {
		statement string
		cut       bool
		shown     string // with the mask
	}{
		{"select 1", false, "select 1"},
		{"", false, ""},
		{"alter user a identified by password 'x'", false, "alter user a identified by password ***"},
		{"ALTER USER a PASSWORD'x'", false, "ALTER USER a PASSWORD ***"},
		{"set pwd", true, "set pwd ***"},
		{"set passwords", false, "set password ***"}, // whatever the word goes on with

		// names that are listed, and values that stand elsewhere
		{"select password, name from users", false, "select password, name from users"},
		{`select "password" from users`, false, `select "password" from users`},
		{"select password_hash, name from users where name = 'a'", false, "select password_hash, name from users where name = 'a'"},
		{"select name from users where password = 'x'", false, "select name from users where password ***"},
		{"select password, 'x' from users", false, "select password, 'x' from users"},
		{"select password", false, "select password"},
		{"select password;\n", false, "select password;\n"},
		{"select password, name from u", true, "select password ***"}, // what follows is not known

		// values that are parameters
		{"update users set password = ? where id = @p1", false, "update users set password = ? where id = @p1"},
		{"insert into users (name, password) values (?, ?)", false, "insert into users (name, password) values (?, ?)"},
		{"insert into users (name, password) values (?, 12)", false, "insert into users (name, password ***"},
		{"insert into users (name, password) values (?, '12')", false, "insert into users (name, password ***"},
		{"update users set password = secret1", false, "update users set password ***"},
		{"update users set password = ?", true, "update users set password ***"},
		{"update users set password = ? -- or x", false, "update users set password ***"},
		{"update users set password = ? /* x */", false, "update users set password ***"},
		{"update users set password = ? # x", false, "update users set password ***"},
		{"update users set password = ? + 0x41", false, "update users set password ***"},
		{"truncate password", false, "truncate password"},
		{"drop password", false, "drop password ***"},

		// URLs
		{"copy t from 's3://key:hidden@bucket/x'", false, "copy t from 's3://key:***"},
		{"copy t from 's3://bucket:9000/x'", false, "copy t from 's3://bucket:9000/x'"},
		{"copy t from 's3://bucket/x:y@z'", false, "copy t from 's3://bucket/x:y@z'"},
		{"copy t from 's3://key:hid", true, "copy t from 's3://key:***"},
		{"copy t from 's3://key:hid", false, "copy t from 's3://key:hid"},
		{"copy t from 's3://secret=abc:x@bucket'", false, "copy t from 's3://secret ***"},
		{"at 12:30", false, "at 12:30"},
	} {
		n, mask := plain.Shown([]byte(c.statement), c.cut)
		if shown := c.statement[:n] + mask; shown != c.shown {
			t.Errorf("Shown(%q, %v) = %q, want %q", c.statement, c.cut, shown, c.shown)
		}
	}
}

func TestDiscreet(t *testing.T) {
	for _, c := range []struct{ text, shown, want string }{
		{"syntax error near 'x'", "select 1", "syntax error near 'x'"},
		{"syntax error near 'x'' y'", "set password ***", "syntax error near '***'"},
		{"erreur près de «x»", "set password ***", "erreur près de '***'"},
		{"at $x$", "set password ***", "at '***'"},
		{"no such user", "set password ***", "no such user"},
	} {
		if got := plain.Discreet([]byte(c.text), []byte(c.shown)); string(got) != c.want {
			t.Errorf("Discreet(%q, %q) = %q, want %q", c.text, c.shown, got, c.want)
		}
	}
}

// FuzzShown says what must hold of any statement: nothing behind a hidden secret alters
// what is shown, and one that was cut off shows no more than a whole one.
func FuzzShown(f *testing.F) {
	f.Add([]byte("select password, name from users where pwd = 'x'"), []byte(" from t"))
	f.Add([]byte("update users set password = ?"), []byte(" -- x"))
	f.Add([]byte("copy t from 's3://key:"), []byte("hidden@bucket"))
	f.Fuzz(func(t *testing.T, statement, more []byte) {
		defer dissectortest.Bounded(t)()
		whole, mask := plain.Shown(statement, false)
		if whole < 0 || whole > len(statement) || mask == "" && whole < len(statement) {
			t.Fatalf("Shown(%q) = %d, %q", statement, whole, mask)
		}
		cut, mask := plain.Shown(statement, true)
		if cut > whole {
			t.Fatalf("Shown(%q): %d bytes of the whole, %d if it was cut off", statement, whole, cut)
		}
		if mask == "" || bytes.Contains(statement, []byte("://")) { // a password may turn out to be a port
			return
		}
		if n, mask := plain.Shown(append(statement[:len(statement):len(statement)], more...), true); n != cut || mask == "" {
			t.Fatalf("Shown(%q): %d bytes, with %q behind it %d, %q", statement, cut, more, n, mask)
		}
	})
}
