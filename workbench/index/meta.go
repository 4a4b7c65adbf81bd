package index

import (
	"encoding/json"
	"fmt"
	"strconv"

	"zombiezen.com/go/sqlite"

	"shark/packet"
)

// Meta is what a database says of itself.
type Meta struct {
	Source     string          // digest of what was dissected
	Version    string          // of the program
	Options    string          // that decide what the entries are
	Coverage   json.RawMessage // what is missing and why; may be nil
	Interfaces []packet.Interface
	Points     []Point
	Before     int64 // ids begin after it

	// The writer sets what follows.
	Entries     int64
	First, Last int64 // time of the first and of the last entry, ns since 1970; 0 when there is none
}

// Point is a place of the input where reading may start. The index keeps it as
// it is.
type Point struct {
	File   string
	Offset int64
	Packet uint64 // number of the first packet after it
	Time   int64  // ns since 1970
	State  []byte
}

// The keys of the table meta. keyFinished is written last.
const (
	keySource   = "source"
	keyVersion  = "version"
	keyOptions  = "options"
	keyCoverage = "coverage"
	keySchema   = "schema"
	keyBefore   = "before"
	keyEntries  = "entries"
	keyFirst    = "first"
	keyLast     = "last"
	keyFinished = "finished"
)

// writeMeta fills the tables by which the file describes itself.
func (s *Schema) writeMeta(rows *tables, m *Meta) error {
	for i, p := range m.Points {
		state := cell{}
		if p.State != nil {
			state = blobCell(p.State)
		}
		if err := rows.insert(tablePoints, int64(i)+1, []cell{textCell(p.File), intCell(p.Offset), intCell(int64(p.Packet)), intCell(p.Time), state}); err != nil {
			return err
		}
	}
	for i, f := range m.Interfaces {
		cells := []cell{
			textCell(f.Node), textCell(f.NodeIP), intCell(int64(f.Link)), intCell(int64(f.SnapLen)), textCell(f.Name), textCell(f.Description), textCell(f.Filter), textCell(f.OS),
			countCell(f.Received), countCell(f.Dropped),
		}
		if err := rows.insert(tableInterfaces, int64(i), cells); err != nil {
			return err
		}
	}
	if err := s.writeProtocols(rows); err != nil {
		return err
	}
	for i, kv := range [][2]string{
		{keySource, m.Source},
		{keyVersion, m.Version},
		{keyOptions, m.Options},
		{keyCoverage, string(m.Coverage)},
		{keySchema, s.hash},
		{keyBefore, strconv.FormatInt(m.Before, 10)},
		{keyEntries, strconv.FormatInt(m.Entries, 10)},
		{keyFirst, strconv.FormatInt(m.First, 10)},
		{keyLast, strconv.FormatInt(m.Last, 10)},
		{keyFinished, "1"},
	} {
		if err := rows.insert(tableMeta, int64(i)+1, []cell{textCell(kv[0]), textCell(kv[1])}); err != nil {
			return err
		}
	}
	return nil
}

func countCell(n *uint64) cell {
	if n == nil {
		return cell{}
	}
	return intCell(int64(*n))
}

// writeProtocols describes the protocols and all fields that may have a value.
func (s *Schema) writeProtocols(rows *tables) error {
	for i, p := range s.protocols {
		if err := rows.insert(tableProtocols, int64(i), []cell{textCell(p.Name), textCell(p.Label), textCell(p.Doc), intCell(int64(s.masks[i]))}); err != nil {
			return err
		}
	}
	id := int64(0)
	for _, g := range s.catalogue.Groups() {
		for _, f := range g.Fields {
			id++
			where := "" // worked out when asked for
			if p := s.place(f); p.way == wayColumn {
				where = s.tables[p.at.table].name
			}
			cells := []cell{textCell(g.Name), textCell(f.Name), textCell(f.Kind.String()), textCell(f.Unit), textCell(f.Doc), textCell(f.Example), textCell(where)}
			if err := rows.insert(tableFields, id, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// readMeta reads what writeMeta wrote. It checks the marks of a finished file of
// this schema.
func (s *Schema) readMeta(conn *sqlite.Conn) (*Meta, error) {
	kv := make(map[string]string)
	if err := query(conn, fmt.Sprintf(`SELECT key, value FROM meta LIMIT %d`, maxMeta), func(r *sqlite.Stmt) error {
		kv[r.ColumnText(0)] = r.ColumnText(1)
		return nil
	}); err != nil {
		return nil, err
	}
	if kv[keyFinished] != "1" {
		return nil, fmt.Errorf("%w: it was not finished", ErrNotIndex)
	}
	if kv[keySchema] != s.hash {
		return nil, fmt.Errorf("%w: its fields are others", ErrStale)
	}
	m := &Meta{Source: kv[keySource], Version: kv[keyVersion], Options: kv[keyOptions]}
	if c := kv[keyCoverage]; json.Valid([]byte(c)) {
		m.Coverage = json.RawMessage(c)
	}
	m.Before, _ = strconv.ParseInt(kv[keyBefore], 10, 64)
	m.Entries, _ = strconv.ParseInt(kv[keyEntries], 10, 64)
	m.First, _ = strconv.ParseInt(kv[keyFirst], 10, 64)
	m.Last, _ = strconv.ParseInt(kv[keyLast], 10, 64)
	return m, nil
}

func readInterfaces(conn *sqlite.Conn, m *Meta) error {
	sql := fmt.Sprintf(`SELECT node, link, snaplen, name, description, filter, os, received, dropped, node_ip FROM interfaces ORDER BY id LIMIT %d`, maxInterfaces)
	return query(conn, sql, func(r *sqlite.Stmt) error {
		m.Interfaces = append(m.Interfaces, packet.Interface{
			Node: r.ColumnText(0), Link: packet.LinkType(r.ColumnInt64(1)), SnapLen: uint32(r.ColumnInt64(2)), Name: r.ColumnText(3),
			Description: r.ColumnText(4), Filter: r.ColumnText(5), OS: r.ColumnText(6), Received: count(r, 7), Dropped: count(r, 8), NodeIP: r.ColumnText(9),
		})
		return nil
	})
}

func count(r *sqlite.Stmt, col int) *uint64 {
	if r.ColumnIsNull(col) {
		return nil
	}
	n := uint64(r.ColumnInt64(col))
	return &n
}

// readPoints reads the restart points.
func readPoints(conn *sqlite.Conn) (out []Point, err error) {
	err = query(conn, fmt.Sprintf(`SELECT file, pos, packet, ts, state FROM points ORDER BY id LIMIT %d`, maxPoints), func(r *sqlite.Stmt) error {
		p := Point{File: r.ColumnText(0), Offset: r.ColumnInt64(1), Packet: uint64(r.ColumnInt64(2)), Time: r.ColumnInt64(3)}
		if !r.ColumnIsNull(4) {
			p.State = columnBytes(r, 4)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}
