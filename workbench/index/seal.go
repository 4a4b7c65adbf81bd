package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"zombiezen.com/go/sqlite"
)

// A damaged page may well be a page, with other values: SQLite then answers, and
// wrongly. So the last page of a finished file is a free one, of which SQLite
// reads the first 8 bytes, and at its end stands the checksum of all before it.
// To compare it takes under a tenth of the time of SQLite's own check, which finds
// less. Once SQLite has written to the file, its change counter is another one
// and there is only its own check.

const (
	sealMark = "shark: checksum "
	// sealSize is that of the mark, the change counter and the checksum.
	sealSize = len(sealMark) + 4 + 4

	// Places in the header of the first page:
	// https://www.sqlite.org/fileformat2.html#the_database_header.
	changesOffset = 24
	freeOffset    = 32 // number of the first free page, then how many there are
	validOffset   = 92 // change counter of whoever set the number of pages

	// sumBuffer is how much is read at once.
	sumBuffer = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal adds the checksum to a finished file, of which a part is summed up already:
// n bytes after the first front ones.
func seal(f *os.File, front, n int64, sum uint32) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	number := uint32(info.Size()/pageSize) + 1
	if number == lockPage {
		number++
	}
	var head [validOffset + 4]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return err
	}
	last := make([]byte, pageSize)
	copy(last, head[freeOffset:freeOffset+4]) // the free page after this one
	copy(last[pageSize-sealSize:], sealMark)
	copy(last[pageSize-8:], head[changesOffset:changesOffset+4])
	binary.BigEndian.PutUint32(head[sizeOffset:], number)
	binary.BigEndian.PutUint32(head[freeOffset:], number)
	binary.BigEndian.PutUint32(head[freeOffset+4:], binary.BigEndian.Uint32(head[freeOffset+4:])+1)
	if _, err := f.WriteAt(head[:], 0); err != nil {
		return err
	}
	size := int64(number) * pageSize
	if _, err := f.WriteAt(last, size-pageSize); err != nil {
		return err
	}
	whole, err := checksum(f, 0, 0, front)
	if err != nil {
		return err
	}
	if whole, err = checksum(f, joined(whole, sum, n), front+n, size-4); err != nil {
		return err
	}
	_, err = f.WriteAt(binary.BigEndian.AppendUint32(nil, whole), size-4)
	return err
}

// checkSeal compares the file with its checksum. Not sealed, it has none, or none
// that still counts.
func checkSeal(path string) (sealed bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	var head [validOffset + 4]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return false, err
	}
	var mark [sealSize]byte
	if _, err := f.ReadAt(mark[:], info.Size()-int64(sealSize)); err != nil {
		return false, err
	}
	changes, want := mark[sealSize-8:sealSize-4], binary.BigEndian.Uint32(mark[sealSize-4:])
	altered := !bytes.Equal(head[changesOffset:changesOffset+4], changes) && bytes.Equal(head[changesOffset:changesOffset+4], head[validOffset:])
	if !bytes.HasPrefix(mark[:], []byte(sealMark)) || altered {
		return false, nil
	}
	sum, err := checksum(f, 0, 0, info.Size()-4)
	if err == nil && sum != want {
		err = fmt.Errorf("%w: its checksum is not the one it was made with", ErrDamaged)
	}
	return true, err
}

// checksum continues a checksum with the bytes of the file between two places.
func checksum(f *os.File, sum uint32, from, to int64) (uint32, error) {
	r, buf := io.NewSectionReader(f, from, to-from), make([]byte, min(sumBuffer, to-from))
	for from < to {
		m, err := r.Read(buf)
		sum = crc32.Update(sum, castagnoli, buf[:m])
		if from += int64(m); err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// joined is the checksum of bytes whose checksum is front and n more whose checksum
// is back. A checksum is a polynomial, of which each bit after it is a multiplication
// by x: those of n bytes are one by x to the power of 8n.
func joined(front, back uint32, n int64) uint32 {
	for power := uint32(1) << (31 - 8); n > 0; n >>= 1 {
		if n&1 != 0 {
			front = product(front, power)
		}
		power = product(power, power)
	}
	return front ^ back
}

// product multiplies two polynomials modulo Castagnoli's. The highest bit is that of x^0.
func product(a, b uint32) (p uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			p ^= b
		}
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return p
}

// quickCheck is SQLite's own check of its structures. It runs what the schema
// says, so the schema must be ours.
func quickCheck(conn *sqlite.Conn) error {
	return query(conn, `PRAGMA quick_check(1)`, func(r *sqlite.Stmt) error {
		if found := r.ColumnText(0); found != "ok" {
			return fmt.Errorf("%w: %q", ErrDamaged, found)
		}
		return nil
	})
}
