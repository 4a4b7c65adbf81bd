package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// checkRow tells whether a row is one that Finish takes, and that makes sound pages. Its order
// among others is not looked at.
func (s *Schema) checkRow(row []byte) error {
	if len(row) < keySize+routeSize {
		return fmt.Errorf("%w: a row of %d bytes", ErrShare, len(row))
	}
	types, rest, ok := cutBytes(row[keySize+routeSize:])
	values, rest, ok2 := cutBytes(rest)
	if !ok || !ok2 || len(types) == 0 || !soundRecord(types, len(values), 1, s.tables[tableEntries].needed[1:]) { // the link comes later
		return fmt.Errorf("%w: the row of an entry is none", ErrShare)
	}
	had := make([]uint64, 0, 8)
	for {
		table, n := binary.Uvarint(rest)
		if n <= 0 {
			return fmt.Errorf("%w: a row breaks off", ErrShare)
		}
		rest = rest[n:]
		if table == 0 {
			return checkNames(rest)
		}
		var own []byte
		own, rest, ok = cutBytes(rest)
		if !ok || slices.Contains(had, table) || table != tableConnections && table < fixedTables || table >= uint64(len(s.tables)) || !soundRow(own, s.tables[table].needed) {
			return fmt.Errorf("%w: the row of table %d is none", ErrShare, table)
		}
		if table == tableConnections && !soundConnection(own, binary.BigEndian.Uint64(row[16:])) {
			return fmt.Errorf("%w: the packets of a connection are another's", ErrShare)
		}
		had = append(had, table)
	}
}

// checkNames looks at what a row of DNS ends with.
func checkNames(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, n := binary.Varint(b)
	if n > 0 {
		_, rest, ok := cutBytes(b[n:])
		_, rest, ok2 := cutBytes(rest)
		if ok && ok2 && len(rest) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: the names of a row are none", ErrShare)
}

// soundRow tells whether b is a row as layout.append writes it, with values in the columns that
// are needed.
func soundRow(b []byte, needed []int) bool {
	head, n := readVarint(b)
	return n > 0 && head <= uint64(len(b)) && uint64(n) < head && soundRecord(b[n:head], len(b)-int(head), 0, needed)
}

// soundConnection tells whether a sound row of the table connections begins with a connection's
// number, as its index will have it.
func soundConnection(b []byte, conn uint64) bool {
	var want layout
	want.begin()
	want.int(int64(conn))
	head, n := readVarint(b)
	return bytes.HasPrefix(b[n:head], want.types) && bytes.HasPrefix(b[head:], want.values)
}

// soundRecord tells whether the values of types have so many bytes, and whether the columns that
// are needed have one. The first type is that of the id, which has none here, the next that of a
// column.
func soundRecord(types []byte, size, column int, needed []int) bool {
	if len(types) == 0 || types[0] != serialNull {
		return false
	}
	sum := uint64(0)
	for types = types[1:]; len(types) > 0; column++ {
		serial, n := readVarint(types)
		if n == 0 || serial == 10 || serial == 11 {
			return false
		}
		if len(needed) > 0 && needed[0] == column && serial != serialNull {
			needed = needed[1:]
		}
		if sum += serialSize(serial); sum > uint64(size) {
			return false
		}
		types = types[n:]
	}
	return sum == uint64(size) && len(needed) == 0
}

// serialSize is how many bytes a value of a type has.
func serialSize(serial uint64) uint64 {
	sizes := [...]uint64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}
	if serial < uint64(len(sizes)) {
		return sizes[serial]
	}
	return (serial - serialBlob) / 2
}

// readVarint reads a number as appendVarint writes it, up to 8 bytes; 0 bytes: there is none.
func readVarint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		if n++; b[n-1]&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}
