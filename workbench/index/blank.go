package index

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// pageSize is that of the database, in bytes.
const pageSize = 16384

// blank is a database of a schema with nothing in it: tables, indexes and views as SQLite
// makes them. To read all that SQL takes it 27 ms, longer than a small capture takes us. So
// each schema has it made once, in memory, and every database begins as a copy.
type blank struct {
	file  []byte            // as it stands on disk; nobody changes it
	roots map[string]uint32 // the root page of everything that has one
}

// makeBlank has SQLite make the blank of a schema.
func makeBlank(s *Schema) (*blank, error) {
	conn, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	b := &blank{roots: make(map[string]uint32)}
	// There is nothing yet to analyze, and no other way to the tables for what is found.
	err = execute(conn, slices.Concat([]string{
		fmt.Sprintf(`PRAGMA page_size=%d`, pageSize), `PRAGMA encoding='UTF-8'`,
		fmt.Sprintf(`PRAGMA application_id=%d`, applicationID), fmt.Sprintf(`PRAGMA user_version=%d`, formatVersion), `BEGIN`,
	}, s.statements(), indexSQL(), []string{`COMMIT`, `ANALYZE ` + s.tables[tableMeta].name})...)
	err = cmp.Or(err, query(conn, `SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0`, func(r *sqlite.Stmt) error {
		b.roots[r.ColumnText(0)] = uint32(r.ColumnInt64(1))
		return nil
	}))
	if err == nil {
		b.file, err = conn.Serialize("main")
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return nil, fmt.Errorf("the schema of the index: %w", err)
	}
	return b, nil
}

func execute(conn *sqlite.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(conn, sql, nil); err != nil {
			return err
		}
	}
	return nil
}
