package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"shark/dissector"
	"shark/dissector/field"
)

// readAll uses all ways of reading. It returns the first error.
func readAll(ctx context.Context, path string, s *Schema) error {
	db, err := Open(path, s)
	if err != nil {
		return err
	}
	defer db.Close()
	enc, b := s.JSON(), []byte(nil)
	for row, err := range db.Query(ctx, nil, QueryOptions{From: start, Limit: 5000}) {
		if err != nil {
			return err
		}
		if b, err = enc.Append(b[:0], row); err != nil {
			return err
		}
		if _, err := db.Packets(ctx, uint64(row.Value(field.ConnID.Field).(int64))); err != nil {
			return err
		}
	}
	if _, err := db.Count(ctx, nil, QueryOptions{}); err != nil {
		return err
	}
	_, err = db.Stats(ctx, nil, QueryOptions{Limit: 5000}, field.DstName.Field)
	return err
}

// TestDamagedFiles flips bytes and cuts files: reading may fail, but it ends, and
// without a panic.
func TestDamagedFiles(t *testing.T) {
	s := testSchema(t)
	whole, err := os.ReadFile(build(t, Options{Resolver: newOwners()}, 1, Meta{}, randomEntries(150)...))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	path := filepath.Join(t.TempDir(), "damaged.db")
	failed, tries := 0, scaled(400)
	for i := range tries {
		b := append([]byte(nil), whole...)
		switch i % 3 {
		case 0:
			b = b[:rng.IntN(len(b))]
		case 1: // the heads of the pages, where the structure is
			for range 4 {
				b[(1+rng.IntN(len(b)/pageSize-1))*pageSize+rng.IntN(60)] = byte(rng.IntN(256))
			}
		default:
			for range 1 + rng.IntN(200) {
				b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := readAll(ctx, path, s)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("try %d does not end", i)
		}
		if err != nil {
			failed++
		}
		cancel()
	}
	if failed < tries/3 {
		t.Errorf("only %d of %d damaged files were found out", failed, tries)
	}
}

// change makes a copy of an index and runs SQL on it.
func change(t *testing.T, statements ...string) string {
	t.Helper()
	path := build(t, Options{}, 1, Meta{}, call(web, start, 1))
	alter(t, path, statements...)
	return path
}

// alter runs SQL on an index.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(conn, sql, nil); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		name, path string
		want       error
	}{
		{"missing", filepath.Join(dir, "missing"), os.ErrNotExist},
		{"empty", file("empty", nil), ErrNotIndex},
		{"text", file("text", make([]byte, 5000)), ErrNotIndex},
		{"other application", change(t, `PRAGMA application_id=1`), ErrNotIndex},
		{"other version", change(t, fmt.Sprintf(`PRAGMA user_version=%d`, formatVersion+1)), ErrStale},
		{"other fields", change(t, `UPDATE meta SET value='x' WHERE key='schema'`), ErrStale},
		{"other fields and tables", change(t, `UPDATE meta SET value='x' WHERE key='schema'`, `DROP TABLE kv_fields`), ErrStale},
		{"not finished", change(t, `DELETE FROM meta WHERE key='finished'`), ErrNotIndex},
		{"a table that is a view", change(t, `DROP TABLE entries`,
			`CREATE VIEW entries AS WITH RECURSIVE x(id) AS (SELECT 1 UNION ALL SELECT id FROM x) SELECT * FROM x`), ErrNotIndex},
		{"meta that never ends", change(t, `DROP TABLE meta`,
			`CREATE VIEW meta AS WITH RECURSIVE x(key, value) AS (SELECT 'schema', '' UNION ALL SELECT key, value FROM x) SELECT * FROM x`), ErrNotIndex},
		{"a trigger", change(t, `CREATE TRIGGER x AFTER INSERT ON entries BEGIN DELETE FROM meta; END`), ErrNotIndex},
		{"a table more", change(t, `CREATE TABLE more(x)`), ErrNotIndex},
		{"a word that is too long", change(t, fmt.Sprintf(`UPDATE words SET text = printf('%%.*c', %d, 'x') WHERE id = 3`, maxWord+1)), ErrNotIndex},
		{"too many words", change(t, fmt.Sprintf(`INSERT INTO words WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT 100000 + i, 'x' FROM n`, maxAllWords)), ErrNotIndex},
		{"entries without their link", change(t, `DELETE FROM links`), ErrDamaged},
		{"entries of other links", change(t, `UPDATE entries SET link = 9999999`), ErrDamaged},
		{"links without their endpoints", change(t, `DELETE FROM endpoints`), ErrDamaged},
		{"fewer entries than there were", change(t, `DELETE FROM entries WHERE id = 1`), ErrDamaged},
	} {
		if _, err := Open(tc.path, testSchema(t)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestStrangeValuesAreRead(t *testing.T) {
	path := change(t, `UPDATE entries SET summary = CAST(x'00ff41' AS TEXT), flags = -1, protocol = 'x'`,
		`INSERT INTO http_fields (id, method, url, "request.headers", body_size) VALUES (1, 2000, x'80', 'no lines', 'text')`, `INSERT INTO kv_fields VALUES (1, 'x', 'y', 7, '{"a":[1]}')`,
		`INSERT INTO connections VALUES (1, 1, 1, x'ffffffffffffffffffffff')`, `UPDATE endpoints SET labels = '[1', dns = x'ff'`)
	db := openTest(t, path)
	for row, err := range db.Query(context.Background(), nil, QueryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for f, want := range map[*field.Field]any{
			dissector.Summary.Field: "\uFFFD\uFFFDA", webMethod.Field: "", webURL.Field: "\uFFFD", webSize.Field: int64(0),
			kvRatio.Field: 0.0, kvRaw.Field: []byte("7"), field.Protocol.Field: "",
		} {
			if got := row.Value(f); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s is %#v, want %#v", f.Name, got, want)
			}
		}
		if _, err := db.Schema().JSON().Append(nil, row); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Packets(context.Background(), 1); !errors.Is(err, errPackets) {
		t.Errorf("damaged packets: %v", err)
	}
}

// FuzzRow reads rows as a run may hold them after damage.
func FuzzRow(f *testing.F) {
	s := testSchema(f)
	c := encoder{schema: s, words: new(vocabularies), dns: s.dnsFields()}
	for _, e := range randomEntries(20) {
		row, err := c.encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte(nil), row...))
	}
	rows := memoryTables(f)
	filler := newFiller(s, newOwners(), rows)
	f.Fuzz(func(t *testing.T, row []byte) {
		before := rows.trees[tableEndpoints].rows
		if err := filler.row(row); err != nil && !errors.Is(err, errRow) {
			t.Error(err)
		}
		if made := rows.trees[tableEndpoints].rows - before; made > 2 {
			t.Errorf("%d endpoints of a row", made)
		}
	})
}

// FuzzText checks that whatever is stored is text that every reader takes.
func FuzzText(f *testing.F) {
	f.Add([]byte("a\x00\xff\u2028\x9b\U0001F600"))
	f.Fuzz(func(t *testing.T, b []byte) {
		clean := textCell(string(b)).b
		if !cleanText(clean) {
			t.Fatalf("%q is stored as %q", b, clean)
		}
		if back := listOf(append(appendQuoted([]byte{'['}, clean), ']')); len(back) != 1 || back[0] != string(clean) {
			t.Fatalf("%q comes back from JSON as %q", clean, back)
		}
		list := appendQuoted(append(appendQuoted([]byte{'['}, clean), ','), clean)
		if texts := appendTexts(nil, append(list, ']')); len(texts) != 2 || !bytes.Equal(texts[0], clean) || !bytes.Equal(texts[1], clean) {
			t.Fatalf("%q comes back as %q", clean, texts)
		}
	})
}
