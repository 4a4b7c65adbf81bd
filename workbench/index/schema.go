package index

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"shark/dissector"
	"shark/dissector/field"
)

const (
	// applicationID marks the file as an index database: "shrk".
	applicationID = 0x7368726b
	// formatVersion is the file's user_version. It changes with the meaning of
	// a table that the schema's hash does not cover.
	formatVersion = 2
	// maxFlags is how many protocol flags fit the column flags.
	maxFlags = 63
)

// Positions of the fixed tables in Schema.tables; the protocols' tables follow.
const (
	tableEntries = iota
	tableLinks
	tableEndpoints
	tableWords
	tableConnections
	tablePoints
	tableInterfaces
	tableProtocols
	tableFields
	tableMeta
	fixedTables
)

// Schema is the layout of an index database, made from the protocols that may
// stand in it. It is read only once made.
type Schema struct {
	protocols []*dissector.Protocol
	catalogue *field.Catalogue
	ids       map[*dissector.Protocol]int // position in protocols
	flags     []string                    // bit i of the column flags is the KFL flag flags[i]
	bits      map[string]uint
	masks     []uint64 // flags that an entry of protocols[i] carries
	tables    []table
	stored    map[*field.Field]spot // where a stored field stands
	commons   []common              // variables of every entry; a spot in tableEntries is a position here
	byName    map[string]int        // in commons
	places    map[*field.Field]place
	views     []string // statements that make the views
	texts     int      // columns that have a number
	hash      string
	blank     func() (*blank, error) // made at the first call
}

// table is a table keyed by an integer id; rows are added in ascending order.
type table struct {
	name    string
	columns []column // without the id
	needed  []int    // those that always have a value
}

type column struct {
	name, decl string
	field      *field.Field // of a protocol's table
	number     int          // among the columns of all tables that may hold words
}

// The numbers of the columns of entries that may hold words; those of the protocols'
// tables follow.
const (
	columnOperation = iota
	columnSummary
	columnStatus
	columnOwn
)

// spot is a column of a table.
type spot struct{ table, column int }

// indexes are built after the rows. Their columns are whole numbers.
var indexes = []struct {
	sql, name     string
	table, column int // the column without the id
}{
	{`CREATE INDEX connections_conn ON connections(conn)`, "connections_conn", tableConnections, connectionsConn},
}

// connectionsConn is the position of the column conn in the table connections.
const connectionsConn = 0

// NewSchema lays out a database for the entries of protocols, in the order in
// which they are listed. A field that several protocols declare stands in the
// table of the first. The catalogue is of all fields that may be asked for.
func NewSchema(protocols []*dissector.Protocol, catalogue *field.Catalogue) (*Schema, error) {
	s := &Schema{
		protocols: protocols,
		catalogue: catalogue,
		ids:       make(map[*dissector.Protocol]int),
		bits:      make(map[string]uint),
		tables:    fixed(),
		stored:    make(map[*field.Field]spot),
		texts:     columnOwn,
	}
	if err := s.addFlags(); err != nil {
		return nil, err
	}
	if err := s.addFields(); err != nil {
		return nil, err
	}
	s.addCommons()
	s.places = make(map[*field.Field]place)
	for _, f := range catalogue.Fields() {
		s.places[f] = s.find(f)
	}
	s.views = append(s.views, s.viewOfAll())
	for i := range protocols {
		s.views = append(s.views, s.view(i))
	}
	for i := range s.tables {
		t := &s.tables[i]
		for c := range t.columns {
			if strings.Contains(t.columns[c].decl, "NOT NULL") {
				t.needed = append(t.needed, c)
			}
		}
	}
	s.hash = s.digest()
	s.blank = sync.OnceValues(func() (*blank, error) { return makeBlank(s) })
	return s, nil
}

// addFlags gives each protocol, and each flag that only is implied, its bit.
func (s *Schema) addFlags() error {
	for i, p := range s.protocols {
		if _, twice := s.bits[p.Name]; twice {
			return fmt.Errorf("protocol %s is listed twice", p.Name)
		}
		s.ids[p] = i
		s.addFlag(p.Name)
	}
	for _, p := range s.protocols {
		for _, name := range p.Implies {
			if _, known := s.bits[name]; !known {
				s.addFlag(name)
			}
		}
	}
	if len(s.flags) > maxFlags {
		return fmt.Errorf("%d protocol flags, more than the %d that the index has room for", len(s.flags), maxFlags)
	}
	for i := range s.protocols {
		s.masks = append(s.masks, s.mask(i, 0))
	}
	return nil
}

func (s *Schema) addFlag(name string) {
	s.bits[name] = uint(len(s.flags))
	s.flags = append(s.flags, name)
}

// mask returns seen with the flags of protocols[i] and of all that it implies.
func (s *Schema) mask(i int, seen uint64) uint64 {
	p := s.protocols[i]
	seen |= 1 << s.bits[p.Name]
	for _, name := range p.Implies {
		bit := s.bits[name]
		if seen&(1<<bit) != 0 {
			continue
		}
		if int(bit) < len(s.protocols) {
			seen = s.mask(int(bit), seen)
		}
		seen |= 1 << bit
	}
	return seen
}

// addFields gives each stored field its column. Protocols that imply another, as
// gRPC does HTTP, share its table: their entries then have one row and not several.
// What is rare comes last.
func (s *Schema) addFields() error {
	placed := make(map[*field.Field]bool)
	taken := map[string]bool{viewName: true, "sqlite_sequence": true, "sqlite_stat1": true}
	for _, t := range s.tables {
		taken[t.name] = true
	}
	homes := make(map[string]int)
	rare := make(map[int][]*field.Field) // by table
	for _, p := range s.protocols {
		name := p.Name + "_fields"
		if taken[p.Name] || taken[name] {
			return fmt.Errorf("protocol %s has the name of a table of the index", p.Name)
		}
		taken[p.Name], taken[name] = true, true
		home := len(s.tables)
		for _, implied := range p.Implies {
			if at, ok := homes[implied]; ok {
				home = at
				break
			}
		}
		homes[p.Name] = home
		if home == len(s.tables) {
			s.tables = append(s.tables, table{name: name})
		}
		fields, err := s.unplaced(p, placed)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.Rare {
				rare[home] = append(rare[home], f)
			} else {
				s.addColumn(home, f)
			}
		}
		if len(s.tables[home].columns)+len(rare[home]) == 0 {
			s.tables = s.tables[:home]
			delete(homes, p.Name)
		}
	}
	for home := range s.tables {
		for _, f := range rare[home] {
			s.addColumn(home, f)
		}
	}
	return nil
}

// unplaced returns the stored fields of a protocol that have no column yet, and notes
// that they get one.
func (s *Schema) unplaced(p *dissector.Protocol, placed map[*field.Field]bool) ([]*field.Field, error) {
	var out []*field.Field
	for _, f := range p.Fields {
		if s.catalogue.Lookup(f.Name) != f {
			return nil, fmt.Errorf("protocol %s: field %s is not in the catalogue", p.Name, f.Name)
		}
		if placed[f] {
			continue
		}
		placed[f] = true
		if f.Alias == field.None && f.From == nil && !isShared(f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// addColumn adds a field to a table.
func (s *Schema) addColumn(home int, f *field.Field) {
	t := &s.tables[home]
	s.stored[f] = spot{home, len(t.columns)}
	t.columns = append(t.columns, column{name: f.Name, decl: sqlType(f.Kind), field: f, number: s.texts})
	s.texts++
	if f.Kind == field.Map { // its lines that come again
		t.columns = append(t.columns, column{name: f.Name + ".steady", decl: "INTEGER"})
	}
}

// isShared tells whether f is one of the fields that stand in entries.
func isShared(f *field.Field) bool {
	switch f {
	case dissector.Operation.Field, dissector.Summary.Field, dissector.Status.Field, dissector.StatusCode.Field, dissector.Failed.Field:
		return true
	}
	return false
}

func sqlType(k field.Kind) string {
	switch k {
	case field.Bool, field.Int, field.Time:
		return "INTEGER"
	case field.Float:
		return "REAL"
	case field.Bytes:
		return "BLOB"
	case field.Map:
		return "TEXT"
	}
	return "" // a text, or a whole number that stands for one
}

// fixed lists the tables that every index has, in the order of the constants.
func fixed() []table {
	def := func(name string, columns ...string) table {
		t := table{name: name}
		for _, c := range columns {
			n, d, _ := strings.Cut(c, " ")
			t.columns = append(t.columns, column{name: n, decl: d})
		}
		return t
	}
	const integer, text = " INTEGER NOT NULL", " TEXT NOT NULL"
	return []table{
		def("entries", "link"+integer, "ts"+integer, "duration"+integer, "lag INTEGER", "tail INTEGER",
			"protocol"+integer, "flags"+integer, "idx"+integer, "operation", "summary", "status", "status_code"+integer,
			"request_size INTEGER", "response_size INTEGER", "state"+integer, "lost"+integer, "first_packet"+integer, "packet_span"+integer),
		def("links", "src"+integer, "dst"+integer, "src_port"+integer, "dst_port"+integer, "transport"+integer,
			"conn"+integer, "flow"+integer, "vlan"+integer, "tunnel"+integer, "tunnel_id"+integer, "interface"+integer),
		def("endpoints", "ip"+text, "name"+text, "namespace"+text, "pod"+text, "pod_namespace"+text,
			"service"+text, "service_namespace"+text, "node"+text, "node_ip"+text, "workload_kind"+text, "workload"+text,
			"process"+text, "dns"+text, "labels"+text, "annotations"+text, "unknown"+text),
		def("words", "text"+text),
		def("connections", "conn"+integer, "count"+integer, "packets BLOB NOT NULL"),
		def("points", "file"+text, "pos"+integer, "packet"+integer, "ts"+integer, "state BLOB"),
		def("interfaces", "node"+text, "node_ip"+text, "link"+integer, "snaplen"+integer, "name"+text, "description"+text, "filter"+text, "os"+text,
			"received INTEGER", "dropped INTEGER"),
		def("protocols", "name"+text, "label"+text, "doc"+text, "mask"+integer),
		def("fields", "grp"+text, "name"+text, "type"+text, "unit"+text, "doc"+text, "example"+text, "stored_in"+text),
		def("meta", "key"+text, "value"),
	}
}

// quote makes an SQL identifier of any name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal makes an SQL text literal. A NUL would end the statement.
func literal(s string) string {
	return `'` + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", "\uFFFD"), `'`, `''`) + `'`
}

func (t *table) create() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (id INTEGER PRIMARY KEY", quote(t.name))
	for _, c := range t.columns {
		b.WriteString(", " + quote(c.name))
		if c.decl != "" {
			b.WriteString(" " + c.decl)
		}
	}
	b.WriteString(")")
	return b.String()
}

// statements returns what makes the schema, except the indexes.
func (s *Schema) statements() []string {
	var out []string
	for i := range s.tables {
		out = append(out, s.tables[i].create())
	}
	return append(out, s.views...)
}

func indexSQL() (out []string) {
	for _, x := range indexes {
		out = append(out, x.sql)
	}
	return out
}

// digest covers all that decides what a row means.
func (s *Schema) digest() string {
	h := sha256.New()
	for _, sql := range append(s.statements(), indexSQL()...) {
		fmt.Fprintln(h, sql)
	}
	for i, p := range s.protocols {
		fmt.Fprintf(h, "%q %q %d\n", p.Name, p.Label, s.masks[i])
	}
	fmt.Fprintln(h, s.catalogue.Hash())
	return hex.EncodeToString(h.Sum(nil))
}

// timeText is SQL for a time in nanoseconds as RFC 3339 text.
func timeText(ns string) string {
	part := "((" + ns + ") % 1000000000 + 1000000000) % 1000000000"
	return "strftime('%Y-%m-%dT%H:%M:%S', ((" + ns + ") - " + part + ") / 1000000000, 'unixepoch') || printf('.%09dZ', " + part + ")"
}

// view makes the statement of a protocol's view: the columns most questions ask
// for, then the protocol's own, all by their KFL names. It stands on the view of all
// entries: SQLite reads the text of every view whenever it opens an index.
func (s *Schema) view(i int) string {
	p := s.protocols[i]
	cols := viewColumns{seen: map[string]bool{"id": true}}
	for _, name := range []string{
		"timestamp", "protocol", "src.name", "src.namespace", "src.ip", "src.port", "dst.name", "dst.namespace", "dst.ip", "dst.port",
		"operation", "summary", "status", "status_code", "failed", "elapsed_time", "conn_id", "has_request", "has_response",
	} {
		cols.add(name, "e."+quote(name))
	}
	var n need
	for _, f := range p.Fields {
		if f.Alias != field.None {
			cols.add(f.Name, "e."+quote(string(f.Alias)))
		} else if at, ok := s.stored[f]; ok {
			s.addSpot(&n, at)
			cols.add(f.Name, s.inView(at))
		}
	}
	return fmt.Sprintf("CREATE VIEW %s AS SELECT e.id AS id%s FROM %s e%s WHERE e.flags & %d <> 0",
		quote(p.Name), cols.String(), viewName, s.joins(n), uint64(1)<<s.bits[p.Name])
}

// viewOfAll makes the statement of the view of all entries, with what they have in
// common.
func (s *Schema) viewOfAll() string {
	cols := viewColumns{seen: map[string]bool{"id": true}}
	cols.add("timestamp", timeText("e.ts"))
	for _, c := range s.commons {
		if c.kind != field.List { // those are put together of other columns, for JSON
			cols.add(c.name, c.sql)
		}
	}
	cols.add("flags", "e.flags")
	return fmt.Sprintf("CREATE VIEW %s AS SELECT e.id AS id%s%s", viewName, cols.String(), s.from(need{ends: endSrc | endDst}))
}

// viewName is the view of all entries.
const viewName = "entry"

// viewColumns are the columns of a view, each name once.
type viewColumns struct {
	strings.Builder
	seen map[string]bool
}

func (v *viewColumns) add(name, sql string) {
	if v.seen[name] { // names are in lower case: SQL's columns know no other
		return
	}
	v.seen[name] = true
	fmt.Fprintf(v, ",\n  %s AS %s", sql, quote(name))
}

// alias is the name by which statements know a protocol's table.
func alias(t int) string { return fmt.Sprintf("t%d", t) }
