package index

import (
	"context"
	"encoding/binary"
	"errors"
)

var errRow = errors.New("a run holds a damaged row")

// fill merges the shards into the tables.
func (w *Writer) fill(ctx context.Context, rows *tables, m *Meta) error {
	sources, err := w.sources(ctx)
	if err != nil {
		return err
	}
	f := newFiller(w.opts.Schema, w.opts.Resolver, rows)
	f.id = m.Before
	if err := mergeAhead(ctx, sources, f.row); err != nil {
		return err
	}
	if err := w.fillWords(rows); err != nil {
		return err
	}
	m.Entries, m.First, m.Last = f.count, f.first, f.last
	return w.opts.Schema.writeMeta(rows, m)
}

// fillWords writes the words that every index has, and those of all partitions.
func (w *Writer) fillWords(rows *tables) error {
	for i, text := range static {
		if err := rows.insert(tableWords, int64(firstStatic+i), []cell{textCell(text)}); err != nil {
			return err
		}
	}
	for _, v := range w.words {
		if v == nil {
			continue
		}
		for i, text := range v.texts {
			if err := rows.insert(tableWords, v.first+int64(i), []cell{textCell(text)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// filler turns merged rows into the rows of the tables.
type filler struct {
	rows        *tables
	ends        *endpoints
	routes      *routes
	id, count   int64
	first, last int64
}

func newFiller(s *Schema, r Resolver, rows *tables) *filler {
	ends := newEndpoints(r, rows)
	return &filler{rows: rows, ends: ends, routes: newRoutes(rows, ends)}
}

// row takes a row apart and puts its parts where they belong.
func (f *filler) row(row []byte) error {
	if len(row) < keySize+routeSize {
		return errRow
	}
	time, conn := int64(binary.BigEndian.Uint64(row)^1<<63), binary.BigEndian.Uint64(row[16:])
	f.id++
	if f.count++; f.count == 1 {
		f.first = time
	}
	f.last = time
	f.ends.until(time)
	link, err := f.routes.id((*[routeSize]byte)(row[keySize:]), conn, time)
	if err != nil {
		return err
	}
	types, rest, ok := cutBytes(row[keySize+routeSize:])
	values, rest, ok2 := cutBytes(rest)
	if !ok || !ok2 || len(types) == 0 {
		return errRow
	}
	if err := f.rows.insertEntry(f.id, link, types, values); err != nil {
		return err
	}
	for {
		table, n := binary.Uvarint(rest)
		if n <= 0 {
			return errRow
		}
		rest = rest[n:]
		if table == 0 {
			return f.names(rest, time)
		}
		var own []byte
		own, rest, ok = cutBytes(rest)
		if !ok || table != tableConnections && table < fixedTables || table >= uint64(len(f.rows.trees)) {
			return errRow
		}
		if err := f.rows.trees[table].insert(f.id, own); err != nil {
			return err
		}
		if table == tableConnections {
			if err := f.rows.note(tableConnections, connectionsConn, int64(conn), f.id); err != nil {
				return err
			}
		}
	}
}

// names reads what a row ends with, if it is of DNS.
func (f *filler) names(b []byte, time int64) error {
	if len(b) == 0 {
		return nil
	}
	holds, n := binary.Varint(b)
	if n <= 0 {
		return errRow
	}
	questions, rest, ok := cutBytes(b[n:])
	answers, rest, ok2 := cutBytes(rest)
	if !ok || !ok2 || len(rest) > 0 {
		return errRow
	}
	f.ends.names.read(questions, answers, time+holds)
	return nil
}

// cutBytes takes what appendBytes appended from the front of b.
func cutBytes(b []byte) (front, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 1<<7 && int(b[0]) < len(b) { // mostly
		n := int(b[0]) + 1
		return b[1:n:n], b[n:], true
	}
	n, head := binary.Uvarint(b)
	if head <= 0 || n > uint64(len(b)-head) {
		return nil, nil, false
	}
	end := head + int(n)
	return b[head:end:end], b[end:], true
}
