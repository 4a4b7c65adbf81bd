package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"sync"

	"zombiezen.com/go/sqlite"

	"shark/kfl"
)

// Errors that a caller acts upon.
var (
	// ErrNotIndex: the file is not an index database, or not a whole one.
	ErrNotIndex = errors.New("not an index database")
	// ErrStale: it is one, of another version or other fields. It has to be made anew.
	ErrStale = errors.New("index database of another version")
	// ErrDamaged: it is one, and not as it was written.
	ErrDamaged = errors.New("the index database is damaged; make it anew with shark dissect")
	// ErrNotFound: there is no such entry.
	ErrNotFound = errors.New("no such entry")
)

const (
	// maxIdle is how many connections are kept for the next query.
	maxIdle = 4
	// maxValue bounds a value that is read, in bytes: more comes from no
	// dissection, only from a file made to do harm.
	maxValue = 256 << 20
	// maxObjects, maxMeta, maxInterfaces and maxPoints bound the rows that are
	// read when a file is opened: in a damaged one a table may seem endless.
	maxObjects    = 10_000
	maxMeta       = 1000
	maxInterfaces = 1 << 16
	maxPoints     = 1 << 20
	// readCache is what each connection may hold of the file, in KiB.
	readCache = 8 << 10
)

// DB reads one database. It may be used by several goroutines.
type DB struct {
	path   string
	uri    string // of a file of this machine
	file   File   // that lies elsewhere, which SQLite reads by vfs; else nil
	vfs    string
	guide  *guide // nil: none
	schema *Schema
	meta   *Meta

	mu     sync.Mutex
	idle   []*session
	closed bool
}

// Is tells whether the file is an index database by its first bytes, of whatever
// version. A file that cannot be read is not one.
func Is(path string) bool {
	err := checkHeader(path)
	return err == nil || errors.Is(err, ErrStale)
}

// checkHeader looks at the database header: https://www.sqlite.org/fileformat.html#the_database_header.
func checkHeader(path string) error {
	// Opening a pipe would wait for its other end.
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return ErrNotIndex
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var h [headerSize]byte
	if _, err := io.ReadFull(f, h[:]); err != nil {
		return ErrNotIndex
	}
	return checkMarks(&h)
}

// headerSize is that of the database header.
const headerSize = 100

// checkMarks looks at a database header.
func checkMarks(h *[headerSize]byte) error {
	if string(h[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(h[68:]) != applicationID {
		return ErrNotIndex
	}
	if v := binary.BigEndian.Uint32(h[60:]); v != formatVersion {
		return fmt.Errorf("%w: format %d, not %d", ErrStale, v, formatVersion)
	}
	return nil
}

// Open opens a database for reading, and reads it once for its checksum. It may
// come from a stranger: its tables, views and indexes must be just those of the
// schema.
func Open(path string, schema *Schema) (*DB, error) { return openAs(path, schema, true) }

// OpenOwn is Open for a database that stood nowhere but in this program's own cache:
// it is not read for its checksum, which takes a second for some gigabytes.
func OpenOwn(path string, schema *Schema) (*DB, error) { return openAs(path, schema, false) }

func openAs(path string, schema *Schema, check bool) (*DB, error) {
	db, err := open(path, schema, check)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	return db, nil
}

func open(path string, schema *Schema, check bool) (*DB, error) {
	if err := checkHeader(path); err != nil {
		return nil, err
	}
	if check {
		sealed, err := checkSeal(path)
		if err != nil {
			return nil, err
		}
		check = !sealed // then SQLite does
	}
	uri, err := fileURI(path)
	if err != nil {
		return nil, err
	}
	db := &DB{path: path, uri: uri, schema: schema}
	return db, db.begin(context.Background(), check)
}

// begin opens a first connection and looks at what the file says of itself.
func (db *DB) begin(ctx context.Context, check bool) error {
	s, err := db.session(ctx)
	if err != nil && db.file != nil {
		return err
	}
	if err != nil {
		return damaged(err) // the header is sound, the rest is not
	}
	if err := db.inspect(s.conn, check); err != nil {
		return errors.Join(s.told(err), s.close())
	}
	db.release(s)
	return nil
}

// inspect checks the schema and reads what the file says of itself. Only a meta
// that is a table of ours is asked: a view of that name may never end. SQLite checks
// the pages if check says so.
func (db *DB) inspect(conn *sqlite.Conn, check bool) error {
	same, meta, err := db.schema.matches(conn)
	if err != nil {
		return damaged(err)
	}
	if !meta {
		return fmt.Errorf("%w: it says nothing of itself", ErrNotIndex)
	}
	if db.meta, err = db.schema.readMeta(conn); err != nil {
		return damaged(err)
	}
	if !same {
		return fmt.Errorf("%w: its tables are not those of its fields", ErrNotIndex)
	}
	if check {
		if err := errors.Join(quickCheck(conn), db.checkReferences(conn)); err != nil {
			return damaged(err)
		}
	}
	if err := checkWords(conn); err != nil {
		return damaged(err)
	}
	if err := readInterfaces(conn, db.meta); err != nil {
		return damaged(err)
	}
	if db.meta.Points, err = readPoints(conn); err != nil {
		return damaged(err)
	}
	return nil
}

// checkReferences looks whether what entries refer to is there. Without it they
// would be missing from every answer.
func (db *DB) checkReferences(conn *sqlite.Conn) error {
	const sql = `SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM entries e JOIN links l ON l.id = e.link JOIN endpoints s ON s.id = l.src JOIN endpoints d ON d.id = l.dst)`
	return query(conn, sql, func(r *sqlite.Stmt) error {
		if all, whole := r.ColumnInt64(0), r.ColumnInt64(1); all != db.meta.Entries || whole != all {
			return fmt.Errorf("%w: it should have %d entries, has %d, and of those %d can be read", ErrDamaged, db.meta.Entries, all, whole)
		}
		return nil
	})
}

// checkWords looks whether the words are few and short: every row may refer to them.
func checkWords(conn *sqlite.Conn) error {
	sql := fmt.Sprintf(`SELECT count(*), max(octet_length(text)) FROM (SELECT text FROM words LIMIT %d)`, maxAllWords+1)
	return query(conn, sql, func(r *sqlite.Stmt) error {
		if r.ColumnInt64(0) > maxAllWords || r.ColumnInt64(1) > maxWord {
			return fmt.Errorf("%w: its words are more or longer than a dissection makes them", ErrNotIndex)
		}
		return nil
	})
}

// damaged says of an error of opening that the file is to blame.
func damaged(err error) error {
	err = blamed(err)
	if errors.Is(err, ErrStale) || errors.Is(err, ErrNotIndex) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotIndex, err)
}

// blamed says of an error of SQLite that the file is damaged, if that is why.
func blamed(err error) error {
	code := sqlite.ErrCode(err).ToPrimary()
	if code != sqlite.ResultCorrupt && code != sqlite.ResultNotADB || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// statTables are what ANALYZE makes.
var statTables = []string{"CREATE TABLE sqlite_stat1(tbl,idx,stat)", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"}

// matches tells whether the file holds the schema's tables, views and indexes
// and nothing else, and whether at least meta is ours. It runs nothing of the file.
func (s *Schema) matches(conn *sqlite.Conn) (same, meta bool, err error) {
	want := make(map[string]bool)
	for _, sql := range slices.Concat(s.statements(), indexSQL(), statTables) {
		want[sql] = true
	}
	same = true
	err = query(conn, fmt.Sprintf(`SELECT sql FROM sqlite_schema LIMIT %d`, maxObjects), func(r *sqlite.Stmt) error {
		sql := r.ColumnText(0)
		meta = meta || sql == s.tables[tableMeta].create()
		same = same && want[sql]
		delete(want, sql)
		return nil
	})
	return same && len(want) == 0, meta, err
}

// Schema returns the schema the database was opened with; it answers which
// fields SQL can tell.
func (db *DB) Schema() *Schema { return db.schema }

// Path is where the database is.
func (db *DB) Path() string { return db.path }

// Columns returns what the query language plans by.
func (db *DB) Columns() kfl.Columns { return db.schema }

// Meta returns what the database says of itself.
func (db *DB) Meta() Meta {
	m := *db.meta
	m.Interfaces = slices.Clone(m.Interfaces)
	m.Points = slices.Clone(m.Points)
	return m
}

// Close ends the use of the database. Queries that still run end by themselves.
func (db *DB) Close() error {
	db.mu.Lock()
	idle := db.idle
	db.idle, db.closed = nil, true
	db.mu.Unlock()
	var err error
	for _, s := range idle {
		err = errors.Join(err, s.close())
	}
	return err
}

// session is one connection and its statements, for one query at a time.
type session struct {
	conn     *sqlite.Conn
	handle   *handle          // of a file that lies elsewhere; else nil
	sections map[int]*section // by table
	memos    map[memoKey]any
}

func (s *session) close() error {
	err := s.conn.Close()
	if s.handle != nil {
		remotes.remove(s.handle)
	}
	return err
}

// use has the end of ctx end what the connection does.
func (s *session) use(ctx context.Context) *session {
	s.conn.SetInterrupt(ctx.Done())
	if s.handle != nil {
		s.handle.ctx, s.handle.err = ctx, nil
	}
	return s
}

// told says of an error why reading failed, which SQLite does not pass on.
func (s *session) told(err error) error {
	if err == nil || s.handle == nil || s.handle.err == nil {
		return err
	}
	return s.handle.err
}

// session takes an idle connection or opens one, for work that ctx ends.
func (db *DB) session(ctx context.Context) (*session, error) {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil, errors.New("the database is closed")
	}
	if last := len(db.idle) - 1; last >= 0 {
		s := db.idle[last]
		db.idle = db.idle[:last]
		db.mu.Unlock()
		return s.use(ctx), nil
	}
	db.mu.Unlock()
	s := &session{sections: make(map[int]*section), memos: make(map[memoKey]any)}
	uri := db.uri
	if db.file != nil {
		s.handle = remotes.add(ctx, db.file)
		uri = "file:" + s.handle.name + "?mode=ro&immutable=1&vfs=" + db.vfs
	}
	if err := s.connect(uri); err != nil {
		err = s.told(err)
		if s.handle != nil {
			remotes.remove(s.handle)
		}
		return nil, err
	}
	return s.use(ctx), nil
}

// connect opens the connection.
func (s *session) connect(uri string) error {
	conn, err := sqlite.OpenConn(uri, sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return err
	}
	conn.Limit(sqlite.LimitLength, maxValue)
	settings := []string{
		`PRAGMA trusted_schema=off`, `PRAGMA cell_size_check=on`, `PRAGMA query_only=on`, `PRAGMA mmap_size=0`,
		fmt.Sprintf(`PRAGMA cache_size=-%d`, readCache),
	}
	if s.handle != nil {
		settings = append(settings, `PRAGMA temp_store=memory`) // what it sorts has no place there
	}
	for _, sql := range settings {
		if err := query(conn, sql, func(*sqlite.Stmt) error { return nil }); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	s.conn = conn
	return nil
}

// release gives a connection back.
func (db *DB) release(s *session) {
	s.conn.SetInterrupt(nil)
	for _, x := range s.sections {
		x.at = 0
		_ = x.stmt.Reset() // an error was already told by Step
	}
	db.mu.Lock()
	keep := !db.closed && len(db.idle) < maxIdle
	if keep {
		db.idle = append(db.idle, s)
	}
	db.mu.Unlock()
	if !keep {
		_ = s.close() // it was only read from: nothing can be lost
	}
}

// query runs a statement that is needed once.
func query(conn *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, args ...any) (err error) {
	stmt, _, err := conn.PrepareTransient(sql)
	if err != nil {
		return blamed(err)
	}
	defer func() { err = errors.Join(err, stmt.Finalize()) }()
	if err := bind(stmt, 1, args); err != nil {
		return err
	}
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return blamed(err)
		}
		if err := row(stmt); err != nil {
			return err
		}
	}
}

// bind sets the parameters from number at on.
func bind(stmt *sqlite.Stmt, at int, args []any) error {
	for i, a := range args {
		switch a := a.(type) {
		case nil:
			stmt.BindNull(at + i)
		case bool:
			stmt.BindBool(at+i, a)
		case int:
			stmt.BindInt64(at+i, int64(a))
		case int64:
			stmt.BindInt64(at+i, a)
		case float64:
			stmt.BindFloat(at+i, a)
		case string:
			stmt.BindText(at+i, a)
		case []byte:
			stmt.BindBytes(at+i, a)
		default:
			return fmt.Errorf("parameter %d: %T is no value of SQL", at+i, a)
		}
	}
	return nil
}

// columnBytes copies a value.
func columnBytes(r *sqlite.Stmt, col int) []byte {
	b := make([]byte, r.ColumnLen(col))
	return b[:r.ColumnBytes(col, b)]
}

// Packets returns the numbers of all packets of connections, ascending and each
// once. An id that no connection has adds nothing.
func (db *DB) Packets(ctx context.Context, conns ...uint64) ([]uint64, error) {
	s, err := db.session(ctx)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", db.path, err)
	}
	defer db.release(s)
	var out []uint64
	for _, c := range conns {
		err := query(s.conn, `SELECT packets FROM connections WHERE conn = ?`, func(r *sqlite.Stmt) error {
			var err error
			out, err = appendNumbers(out, columnBytes(r, 0))
			return err
		}, int64(c))
		if err != nil {
			return nil, fmt.Errorf("index %s: packets of connection %d: %w", db.path, c, s.told(err))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

var errPackets = fmt.Errorf("%w: a list of packets is none", ErrDamaged)

// appendNumbers reads deltas.
func appendNumbers(out []uint64, b []byte) ([]uint64, error) {
	last := uint64(0)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		next, over := bits.Add64(last, d, 0)
		if n <= 0 || over != 0 {
			return nil, errPackets
		}
		last, b = next, b[n:]
		out = append(out, last)
	}
	return out, nil
}

var (
	_ kfl.Columns = (*Schema)(nil)
	_ kfl.Row     = (*Row)(nil)
)
