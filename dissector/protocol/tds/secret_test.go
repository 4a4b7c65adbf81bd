package tds

import (
	"encoding/binary"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

func TestQueriesHideSecrets(t *testing.T) {
	for query, want := range map[string]string{
		"create login a with PASSWORD = N'it''s', x = y":             "create login a with PASSWORD ***",
		"select * from openrowset('x', 'server=a;uid=b;pwd=c', 'd')": "select * from openrowset ***",
		"exec sp_addlogin 'a', 'b'":                                  "exec sp_addlogin ***",
		"alter login a with password = 'cut":                         "alter login a with password ***",
		"select 'a'":                                                 "select 'a'",
		"select [a].[password], b from a where c = 'd'":              "select [a].[password], b from a where c = 'd'",
		"insert into a (password, b) values (@p1, @p2)":              "insert into a (password, b) values (@p1, @p2)",
		"insert into a (password, b) values ('x', 'y')":              "insert into a (password ***",
		"select 1 exec a @password = x":                              "select 1 exec a @password ***",
		"select 'http://a:80/', 'b@c'":                               "select 'http://a:80/', 'b@c'",
		"update a set password = x":                                  "update a set password ***",
		"update a set password = @p1":                                "update a set password = @p1",
		"select 'http://a:b@c'":                                      "select 'http://a:***",
		strings.Repeat("x", maxQuery) + " password 'y'":              strings.Repeat("x", maxQuery) + "... ***",
	} {
		if got := string(appendQuery(nil, []byte(query), maxQuery, false)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := string(appendQuery(nil, []byte("select password, a from b"), maxQuery, true)); got != "select password ***" {
		t.Errorf("of a statement that goes on: %s", got)
	}
}

// message makes the token of an error or of what else the server says.
func message(kind byte, s string) string {
	text := binary.LittleEndian.AppendUint16(nil, uint16(len([]rune(s))))
	body := "\x66\x00\x00\x00\x01\x0f" + string(text) + ucs(s) + "\x00\x00\x01\x00\x00\x00"
	return string(binary.LittleEndian.AppendUint16([]byte{kind}, uint16(len(body)))) + body
}

// No field of a statement or of the answer to it has what the statement keeps secret.
func TestSecretsAreNotShown(t *testing.T) {
	for _, query := range []string{
		"-- don't run twice\nALTER LOGIN sa WITH PASSWORD = 'hunter2'",
		"CREATE LOGIN [o'brien] WITH PASSWORD = 'hunter2'",
		"CREATE CREDENTIAL c WITH IDENTITY = 'a', SECRET = 'hunter2'",
		"EXEC sp_addlinkedsrvlogin 's', 'false', NULL, 'sa', 'hunter2'",
		"EXEC sp_setapprole 'a', 'hunter2'",
		"SELECT * FROM OPENROWSET('SQLNCLI','srv';'sa';'hunter2', 'select 1')",
		"SELECT DECRYPTBYPASSPHRASE('hunter2', a) FROM b",
		"CREATE SYMMETRIC KEY k WITH ALGORITHM = AES_256, KEY_SOURCE = 'hunter2' ENCRYPTION BY CERTIFICATE c",
		"SELECT password, a FROM b ALTER LOGIN sa WITH PASSWORD = 'hunter2'",
	} {
		said := answer(message(tokenInfo, "Near \"hunter2\".") + message(tokenError, "Incorrect syntax near 'hunter2'.") + done(doneError, 0))
		sent := dissectortest.NewScript().Client(batch(query)).Server(said)
		shown, answers := sent.Close().Shown(t, Protocol)
		if answers != 1 || strings.Contains(shown, "hunter2") || !strings.Contains(shown, "Incorrect syntax near '***'") || !strings.Contains(shown, "Near '***'") {
			t.Errorf("%s: %d answers: %s", query, answers, shown)
		}
	}
}

// A procedure that sets a password hides what it is called with.
func TestParametersHideSecrets(t *testing.T) {
	name := "sp_setapprole"
	value := "\x00\x00\xe7\x40\x1f\x09\x04\xd0\x00\x34\x0e\x00" + ucs("hunter2")
	body := headers + string(rune(len(name))) + "\x00" + ucs(name) + "\x00\x00" + value + value
	m := dissector.Message{Detail: true}
	if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(packet(typeRPC, true, 1, body)), &m); err != nil {
		t.Fatal(err)
	}
	if got := string(Parameters.Get(&m.Values)); got != "***, ***" {
		t.Errorf("got %s", got)
	}
}
