package mysql

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// packet is a packet as it is sent.
func packet(seq byte, payload string) string {
	n := len(payload)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}) + payload
}

func column(seq byte) string {
	return packet(seq, "\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x0b\x00\x00\x00\x03\x00\x00\x00\x00\x00")
}

const (
	okPayload  = "\x00\x00\x00\x02\x00\x00\x00"
	eofPayload = "\xfe\x00\x00\x02\x00"
	greetingOf = "\x0a8.0.35\x00\x01\x00\x00\x0012345678\x00\xff\xff\x2d\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "123456789012\x00caching_sha2_password\x00"
)

// loginOf is a login of app to shop.
func loginOf(caps uint32) string {
	caps |= capProtocol41 | capSecureConnection | capConnectWithDB | capMySQL
	head := []byte{byte(caps), byte(caps >> 8), byte(caps >> 16), byte(caps >> 24), 0, 0, 0, 1, 33}
	return string(append(head, make([]byte, 23)...)) + "app\x00\x00shop\x00"
}

func execute(id byte) string {
	return packet(0, string([]byte{comStmtExecute, id, 0, 0, 0, 0, 1, 0, 0, 0}))
}

// begun is a connection whose login has been granted.
func begun(caps uint32) *dissectortest.Script {
	return dissectortest.NewScript().Server(packet(0, greetingOf)).Client(packet(1, loginOf(caps))).Server(packet(2, okPayload))
}

// segments cuts what is too long for one.
func segments(b string) (out []string) {
	for part := range slices.Chunk([]byte(b), 50_000) {
		out = append(out, string(part))
	}
	return out
}

func TestConnections(t *testing.T) {
	const login = "COM_CONNECT user app database shop > OK"
	result := packet(1, "\x01") + column(2) + packet(3, eofPayload) + packet(4, "\x011") + packet(5, eofPayload)
	short := packet(1, "\x01") + column(2) + packet(3, "\x011") + packet(4, "\xfe\x00\x00\x02\x00\x00\x00")
	big := strings.Repeat("b", maxPacket)
	for _, c := range []struct {
		name   string
		script *dissectortest.Script
		want   []string
	}{
		{
			"a greeting and no more", dissectortest.NewScript().Server(packet(0, greetingOf)),
			[]string{"- > greeting"},
		},
		{
			"an error in place of a greeting", dissectortest.NewScript().Server(packet(0, "\xff\x10\x04#08004Too many connections")),
			[]string{"- > ERROR 1040 (08004)"},
		},
		{
			"switch of the plugin", dissectortest.NewScript().Server(packet(0, greetingOf)).Client(packet(1, loginOf(0))).
				Server(packet(2, "\xfemysql_native_password\x00scramble")).Client(packet(3, "secret")).Server(packet(4, "\x01\x03") + packet(5, okPayload)),
			[]string{login},
		},
		{
			"refused before the login", dissectortest.NewScript().Server(packet(0, "\xff\x10\x04#08004Too many connections")),
			[]string{"- > ERROR 1040 (08004)"},
		},
		{"compression by zstd", begun(capZstd).Client("\x01\x02\x03\x04\x05"), []string{login + ", compressed by zstd from here on"}},
		{
			"without EOF packets", begun(capDeprecateEOF).Client(packet(0, "\x03SELECT 1")).Server(short),
			[]string{login, "COM_QUERY SELECT 1 > OK"},
		},
		{
			"seen from its middle", dissectortest.NewScript().Client(packet(0, "\x03SELECT 1")).Server(result).Client(packet(0, "\x03SELECT 2")).Server(result),
			[]string{"COM_QUERY SELECT 1 > OK", "COM_QUERY SELECT 2 > OK"},
		},
		{
			"the same without EOF packets", dissectortest.NewScript().Client(packet(0, "\x03SELECT 1")).Server(short).Client(packet(0, "\x03SELECT 2")).Server(short),
			[]string{"COM_QUERY SELECT 1 > OK", "COM_QUERY SELECT 2 > OK"},
		},
		{
			"a statement prepared out of sight", dissectortest.NewScript().Client(execute(7)).Server(packet(1, okPayload)),
			[]string{"COM_STMT_EXECUTE > OK resumed"},
		},
		{
			"prepared, with EOF packets not known to come", dissectortest.NewScript().Client(packet(0, "\x16SELECT ?, ?")).
				Server(packet(1, "\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00") + column(2) + packet(3, eofPayload) + column(4) + packet(5, eofPayload)).
				Client(execute(5)).Server(result),
			[]string{"COM_STMT_PREPARE SELECT ?, ? > OK", "COM_STMT_EXECUTE SELECT ?, ? > OK"},
		},
		{
			"the same, of parameters only", dissectortest.NewScript().Client(packet(0, "\x16DELETE ?")).
				Server(packet(1, "\x00\x05\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00") + column(2) + packet(3, eofPayload)).Client(execute(5)).Server(packet(1, okPayload)),
			[]string{"COM_STMT_PREPARE DELETE ? > OK", "COM_STMT_EXECUTE DELETE ? > OK"},
		},
		{
			"a client before 4.1", dissectortest.NewScript().Server(packet(0, greetingOf)).Client(packet(1, "\x0d\x00\x00\x00\x00app\x00scramble\x00shop")).
				Server(packet(2, "\xfe")).Client(packet(3, "scramble\x00")).Server(packet(4, "\x00\x00\x00\x02\x00")).
				Client(packet(0, "\x03SELECT a")).Server(packet(1, "\x01") + packet(2, "\x01a\x01a\x03") + packet(3, "\xfe") + packet(4, "\x011") + packet(5, "\xfe")).
				Client(packet(0, "\x03SELECT b")).Server(packet(1, "\xff\x1e\x04Unknown column 'b'")),
			[]string{login, "COM_QUERY SELECT a > OK", "COM_QUERY SELECT b > ERROR 1054"},
		},
		{
			"a database that the server says it uses", begun(capSessionTrack).Client(packet(0, "\x03CALL p")).
				Server(packet(1, "\x00\x00\x00\x02\x40\x00\x00\x00\x08\x01\x06\x05other")).
				Client(packet(0, "\x11bob\x00\x00pub\x00")).Server(packet(1, okPayload)),
			[]string{login, "COM_QUERY CALL p > OK", "COM_CHANGE_USER user bob database pub > OK"},
		},
		{
			"attributes of a query", begun(capQueryAttributes).
				Client(packet(0, "\x03\x04\x01\x08\x01\xfe\x00\x01a\x03\x00\x01b\x0c\x00\x01c\xfe\x00\x01d\x03val\x01\x00\x00\x00\x04\x07\xe8\x01\x01DO 1")).
				Server(packet(1, okPayload)),
			[]string{login, "COM_QUERY DO 1 > OK"},
		},
		{
			"executed before its id is known", begun(0).Client(packet(0, "\x16DELETE ?") + packet(0, "\x17\xff\xff\xff\xff\x00\x01\x00\x00\x00")).
				Server(packet(1, "\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")).Server(packet(1, okPayload)),
			[]string{login, "COM_STMT_PREPARE DELETE ? > OK", "COM_STMT_EXECUTE DELETE ? > OK"},
		},
		{
			"a file, and an error for it", begun(0).Client(packet(0, "\x03LOAD DATA")).Server(packet(1, "\xfba.csv")).Client(packet(2, "1,2\n"), packet(3, "")).
				Server(packet(4, "\xff\x66\x04#22003Out of range")),
			[]string{login, "LOCAL INFILE a.csv one-way", "COM_QUERY LOAD DATA > ERROR 1126 (22003)"},
		},
		{
			"progress of MariaDB", begun(0).Client(packet(0, "\x03ALTER TABLE a")).Server(packet(1, "\xff\xff\xff\x01\x01\x02\x00\x00\x00\x00")).Server(packet(2, okPayload)),
			[]string{login, "COM_QUERY ALTER TABLE a > OK"},
		},
		{
			"replication", begun(0).Client(packet(0, "\x12\x04\x00\x00\x00\x00\x00\x09\x00\x00\x00")).Server(packet(1, "\x00event")).Server(packet(2, "\x00event")),
			[]string{login, "COM_BINLOG_DUMP > OK, events follow"},
		},
		{
			"packets of 16 MB", begun(0).Client(segments(packet(0, "\x03INSERT "+big[8:]) + packet(1, "rest"))...).Server(packet(2, okPayload)).
				Client(packet(0, "\x03SELECT b")).
				Server(segments(packet(1, "\x01") + column(2) + packet(3, eofPayload) + packet(4, big) + packet(5, "\xfe tail") + packet(6, eofPayload))...),
			[]string{login, "COM_QUERY INSERT " + big[:maxSummary-7] + "... > OK", "COM_QUERY SELECT b > OK"},
		},
		{
			"a lost packet of an answer", begun(0).Client(packet(0, "\x03SELECT 1")).Lose().Server(packet(1, "\x01")).Server(column(2)).
				Client(packet(0, "\x03SELECT 2")).Server(result),
			[]string{login, "COM_QUERY SELECT 1 > - unpaired", "COM_QUERY SELECT 2 > OK resumed"},
		},
		{"packets out of order", begun(0).Client(packet(0, "\x03SELECT 1")).Server(packet(3, okPayload)), []string{login, "COM_QUERY SELECT 1 > - unpaired"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.script.Close().Calls(t, Protocol); !slices.Equal(got, c.want) {
				t.Errorf("got  %.600q\nwant %.600q", got, c.want)
			}
		})
	}
}

// A login says how what follows is compressed: as the client asks, if the server offers it.
func TestCompression(t *testing.T) {
	poor := strings.Replace(greetingOf, "\xff\xff\x2d\x02\x00\xff\xdf", "\xdf\xff\x2d\x02\x00\xff\xdb", 1)
	for _, c := range []struct {
		greeting string
		caps     uint32
		want     string
	}{
		{greetingOf, capCompress, "zlib"},
		{greetingOf, capZstd, "zstd"},
		{greetingOf, capCompress | capZstd, "zlib"},
		{greetingOf, 0, ""},
		{poor, capCompress | capZstd, ""},
	} {
		parse := Protocol.New(dissector.TCP)
		var m dissector.Message
		for i, buf := range []string{packet(0, c.greeting), packet(1, loginOf(c.caps)), packet(2, okPayload)} {
			m = dissector.Message{}
			if _, err := parse(dissector.Side((i+1)%2), []byte(buf), &m); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(Compression.Get(&m.Values)); got != c.want || (m.Next == dissector.Opaque) != (c.want != "") {
			t.Errorf("%x: %q, and what follows is %q", c.caps, got, m.Next)
		}
	}
}

// operations collects what calls say that they were.
type operations []string

func (c *operations) Entry(e *dissector.Entry) error {
	if e.Protocol == Protocol {
		*c = append(*c, string(dissector.Operation.Get(&e.Response.Values)))
	}
	return nil
}

// TestErrorsSeenFirst: an error in place of a greeting refuses the login. On a connection that
// is joined in its middle, it may as well answer a command.
func TestErrorsSeenFirst(t *testing.T) {
	const refused = "\xff\x10\x04#08004Too many connections"
	for name, x := range map[string]struct {
		script *dissectortest.Script
		want   string
	}{
		"from the beginning":           {dissectortest.NewScript().Server(packet(0, refused)), "COM_CONNECT"},
		"late":                         {dissectortest.NewLate().Server(packet(1, refused)), ""},
		"late, but before any command": {dissectortest.NewLate().Server(packet(0, refused)), "COM_CONNECT"},
	} {
		var got operations
		x.script.Each(t, &got, Protocol)
		if !slices.Equal(got, operations{x.want}) {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

func TestTextOfStatements(t *testing.T) {
	long := strings.Repeat("x", maxQuery)
	for _, c := range []struct{ sql, want string }{
		{"SELECT 1", "SELECT 1"},
		{"CREATE USER 'a'@'%' IDENTIFIED BY 'pa\\'ss', 'b' IDENTIFIED BY 'x'", "CREATE USER 'a'@'%' IDENTIFIED BY ***"},
		{"/* c */ set password for 'a'@'%' = \"x\"", "/* c */ set password ***"},
		{"CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD='p", "CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD ***"},
		{"/*!50001 GRANT ALL ON *.* TO a IDENTIFIED BY 'x'*/", "/*!50001 GRANT ALL ON *.* TO a IDENTIFIED BY ***"},
		{"SELECT 'password' AS x", "SELECT 'password ***"},
		{"SELECT name, `password` FROM t WHERE name = 'a'", "SELECT name, `password` FROM t WHERE name = 'a'"},
		{"UPDATE t SET password = ? WHERE a = ?", "UPDATE t SET password = ? WHERE a = ?"},
		{"UPDATE t SET password = x", "UPDATE t SET password ***"},
		{"INSERT INTO t (name, password) VALUES (?, ?)", "INSERT INTO t (name, password) VALUES (?, ?)"},
		{"INSERT INTO t (password, name) VALUES ('x', 'y')", "INSERT INTO t (password ***"},
		{"SELECT 'http://a:80/', 'b@c'", "SELECT 'http://a:80/', 'b@c'"},
		{long + " IDENTIFIED BY 'x'", long + "... ***"},
		{"SELECT '\xff\xfe'", "SELECT '\uFFFD'"},
		{long + "y", long + "..."},
		{long[1:] + "é", long[1:] + "..."},
	} {
		if got := string(appendSQL(nil, []byte(c.sql), maxQuery, false)); got != c.want {
			t.Errorf("%q: got %q", c.sql, got)
		}
	}
	for _, c := range []struct{ sql, want string }{
		{"USE shop", "shop"}, {"use `a b`;", "a b"}, {"-- c\nUSE x", "x"}, {"use `mysql`; IDENTIFIED BY 'x'", "mysql"}, {"USE mysql;ALTER", "mysql"}, {"USE `a``b`", ""}, {"USER x", ""}, {"USE", ""}, {"SELECT 1", ""}, {"", ""},
	} {
		if got := string(used([]byte(c.sql))); got != c.want {
			t.Errorf("%q: got %q", c.sql, got)
		}
	}
	if got := string(appendLine(nil, []byte("  a\n\t b é  "), 20)); got != "a b é" {
		t.Errorf("got %q", got)
	}
}

// No field of a statement, or of what follows it, has what the statement keeps secret.
func TestSecretsAreNotShown(t *testing.T) {
	for _, sql := range []string{
		"CREATE USER 'password_bot'@'%' IDENTIFIED BY 'hunter2'",
		"ALTER USER a IDENTIFIED /* it's new */ BY 'hunter2'",
		"SET PASSWORD FOR `o'brien`@`%` = 'hunter2'",
		"CLONE INSTANCE FROM 'u'@'h':3306 IDENTIFIED BY 'hunter2'",
		"UPDATE mysql.user SET Password=PASSWORD('hunter2') WHERE User='a'",
		"UPDATE mysql.user SET authentication_string='hunter2'",
		"PREPARE s FROM 'ALTER USER a IDENTIFIED BY ''hunter2'''",
		`EXECUTE IMMEDIATE 'ALTER USER a IDENTIFIED BY \'hunter2\''`,
		"USE mysql; ALTER USER a IDENTIFIED BY 'hunter2'",
		"USE `mysql`; ALTER USER a IDENTIFIED BY 'hunter2'",
		"CREATE TABLE t (a INT) ENGINE=FEDERATED CONNECTION='mysql://u:hunter2@h/d/t'",
		"CALL mysql.rds_set_external_master('h',3306,'u','hunter2','f',4,0)",
		"SELECT password, name FROM t; SET PASSWORD = 'hunter2'",
		"INSERT INTO t (password, name) VALUES ('hunter2', 'a')",
		"SELECT AES_DECRYPT(a, 'hunter2') FROM t",
		"UPDATE t SET password = ? /* it's */, b = 'hunter2'",
		"SELECT 'http://h:80/', 'mysql://u:hunter2@h/'",
		"/* don't */ alter user a identified with sha256_password as 'hunter2'",
	} {
		for _, detail := range []bool{false, true} {
			parse := Protocol.New(dissector.TCP)
			for _, step := range []struct {
				from  dissector.Side
				bytes string
			}{{dissector.Client, packet(0, "\x03"+sql)}, {dissector.Server, packet(1, okPayload)}, {dissector.Client, packet(0, "\x03SELECT 1")}} {
				m := dissector.Message{From: step.from, Detail: detail}
				if _, err := parse(step.from, []byte(step.bytes), &m); err != nil {
					t.Fatal(err)
				}
				for i := range m.Values.Len() {
					if b := m.Values.Bytes(i); bytes.Contains(b, []byte("hunter2")) {
						t.Errorf("%s: %s is %s", sql, m.Values.Field(i).Name, b)
					}
				}
			}
		}
	}
}

func TestErrorsQuoteNoSecrets(t *testing.T) {
	for _, text := range []string{
		"check the manual for the right syntax to use near 'BY 'hunter2'' at line 1", "Unknown column 'hunter2' in 'field list'", `near "hunter2"`, "bei »hunter2«",
	} {
		if got := string(secrets.Discreet([]byte(text), []byte("IDENTIFIED BY ***"))); strings.Contains(got, "hunter2") || !strings.HasSuffix(got, "'***'") {
			t.Errorf("got %s", got)
		}
		if got := string(secrets.Discreet([]byte(text), []byte("SELECT hunter2"))); got != text {
			t.Errorf("got %s", got)
		}
	}
}

func TestLengthEncodedIntegers(t *testing.T) {
	for _, c := range []struct {
		bytes string
		want  uint64
		bad   bool
	}{
		{"\x07", 7, false},
		{"\xfc\x00\x01", 256, false},
		{"\xfd\x00\x00\x01", 1 << 16, false},
		{"\xfe\x00\x00\x00\x00\x01\x00\x00\x00", 1 << 32, false},
		{"\xfb", 0, true},
		{"\xff", 0, true},
		{"\xfc\x01", 1, true},
		{"", 0, true},
	} {
		r := newReader([]byte(c.bytes))
		if got := r.lenenc(); r.Bad != c.bad || got != c.want && !c.bad {
			t.Errorf("%x: got %d, %t", c.bytes, got, r.Bad)
		}
	}
}

func TestStatementsAreBounded(t *testing.T) {
	var s session
	for i := range 1000 {
		s.prepared(uint32(i), bytes.Repeat([]byte("x"), i%300))
		if s.kept > maxPrepared || len(s.statements) > maxStatements {
			t.Fatalf("%d bytes of %d statements", s.kept, len(s.statements))
		}
	}
	if _, ok := s.text(999); !ok {
		t.Error("the last one is not kept")
	}
	for i := range 1000 {
		s.close(uint64(i))
	}
	if s.kept != 0 || len(s.statements) != 0 {
		t.Errorf("%d bytes of %d statements are left", s.kept, len(s.statements))
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{"", dissector.More},
		{packet(0, greetingOf), dissector.Response},
		{packet(0, greetingOf)[:20], dissector.More},
		{packet(0, "\x0aSSH-2.0-OpenSSH\x00 and more than that"), dissector.No},
		{packet(0, "\x093.20.32\x00\x01\x00\x00\x0012345678\x00"), dissector.MaybeResponse},
		{packet(0, "\xff\x10\x04#08004Too many connections"), dissector.Response},
		{packet(0, "\xff\x6a\x04Host is not allowed"), dissector.MaybeResponse},
		{packet(1, loginOf(0)), dissector.Request},
		{packet(1, loginOf(0))[:30], dissector.More},
		{packet(1, loginOf(capSSL)[:32]), dissector.Request},
		{packet(0, "\x03SELECT 1"), dissector.Request},
		{packet(0, "\x03\x00\x01SELECT 1"), dissector.Request},
		{packet(0, "\x03 /* x */ select 1"), dissector.Request},
		{packet(0, "\x03Hello, world"), dissector.No},
		{packet(0, "\x03SELECT 1")[:7], dissector.More},
		{packet(0, "\x16INSERT INTO t VALUES (?)"), dissector.Request},
		{execute(1), dissector.Request},
		{packet(0, "\x0e"), dissector.MaybeRequest},
		{packet(0, "\x0e") + "rubbish", dissector.No},
		{packet(0, "\x19\x01\x00\x00\x00") + packet(0, "\x03COMMIT"), dissector.Request},
		{packet(0, "\x19\x00\x00\x00\x00"), dissector.No},
		{packet(0, "\x02shop"), dissector.MaybeRequest},
		{packet(1, okPayload), dissector.MaybeResponse},
		{packet(1, okPayload) + "x", dissector.No},
		{packet(1, "\x01") + column(2), dissector.Response},
		{packet(1, "\x01") + column(3), dissector.No},
		{packet(1, "\x01"), dissector.More},
		{packet(1, "\xff\x26\x04#23000Duplicate entry"), dissector.Response},
		{packet(1, "\x00\x05\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00") + column(2), dissector.Response},
		{"\x00\x00\x00\x00\x00\x00", dissector.No},
		{"GET / HTTP/1.1\r\n", dissector.No},
		{"\x16\x03\x01\x02\x00\x01", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(packet(0, greetingOf)+packet(1, okPayload)), []byte(packet(1, loginOf(0))+packet(0, "\x03SELECT 1")), byte(3))
	f.Add([]byte(packet(1, "\x01")+column(2)+packet(3, eofPayload)), []byte(packet(0, "\x11u\x00\x00d\x00")+execute(1)), byte(0))
	f.Add([]byte(packet(1, "\xfba.csv")), []byte(packet(0, "\x03\x01\x01\x00\x01\xfe\x00\x01a\x01bLOAD")+packet(2, "x")), byte(40))
	f.Fuzz(func(t *testing.T, server, client []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(server)
		probe(client)
		parse := Protocol.New(dissector.TCP)
		sides := [][]byte{client, server}
		off, dead := [2]int{}, [2]bool{}
		var open [2]*dissector.Message
		for have := 1 + int(cut); ; have += 1 + int(cut) {
			for from := range sides {
				b := sides[from][:min(have, len(sides[from]))]
				for !dead[from] && off[from] < len(b) {
					m := open[from]
					if open[from] = nil; m == nil {
						m = new(dissector.Message)
					}
					m.Open = false
					span, err := parse(dissector.Side(from), b[off[from]:], m)
					if err == dissector.ErrShort {
						if m.Need > dissector.MaxUnparsed {
							t.Fatalf("needs %d", m.Need)
						}
						break
					}
					if dead[from] = err != nil; err != nil {
						break
					}
					if span <= 0 {
						t.Fatal("span", span)
					}
					if off[from] += int(span); m.Open {
						open[from] = m
					}
				}
			}
			if have >= len(client) && have >= len(server) {
				return
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	parse := Protocol.New(dissector.TCP)
	req := []byte(packet(0, "\x03SELECT id, name, price FROM orders WHERE customer = 42 AND state = 'open'"))
	var rows strings.Builder
	for i := range 100 {
		rows.WriteString(packet(byte(4+i), fmt.Sprintf("\x0a%010d", i)))
	}
	resp := []byte(packet(1, "\x01") + column(2) + packet(3, eofPayload) + rows.String() + packet(104, eofPayload))
	var m dissector.Message
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		for from, buf := range [][]byte{req, resp} {
			m.Values.Reset()
			if _, err := parse(dissector.Side(from), buf, &m); err != nil {
				b.Fatal(err)
			}
		}
	}
}
