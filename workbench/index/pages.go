package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
)

const (
	// lockPage holds the bytes that SQLite locks the file by, and nothing else.
	lockPage = 1<<30/pageSize + 1
	// sizeOffset is where the first page says how many pages there are.
	sizeOffset = 28
	// writeBuffer is how much is written to the file at once, in bytes.
	writeBuffer = 16 * pageSize
)

// pages appends pages to a database file that SQLite has made.
type pages struct {
	f    *os.File
	out  *bufio.Writer
	next uint32 // number of the next page; the first of a file has 1
}

// openPages opens the file at path, which has n pages.
func openPages(path string, n uint32) (*pages, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &pages{f: f, out: bufio.NewWriterSize(f, writeBuffer), next: n + 1}, nil
}

// number returns what the next page will have, past the page that SQLite locks.
func (p *pages) number() (uint32, error) {
	if p.next == lockPage {
		p.next++
		if _, err := p.out.Write(make([]byte, pageSize)); err != nil {
			return 0, err
		}
	}
	if p.next == math.MaxUint32 {
		return 0, errors.New("the database has as many pages as SQLite has numbers for")
	}
	return p.next, nil
}

// write appends a page and returns its number.
func (p *pages) write(page []byte) (uint32, error) {
	n, err := p.number()
	if err != nil {
		return 0, err
	}
	p.next++
	_, err = p.out.Write(page)
	return n, err
}

// chain writes what of a row does not fit its page to overflow pages, and returns
// the number of the first.
func (p *pages) chain(rest []byte) (uint32, error) {
	first, err := p.number()
	if err != nil {
		return 0, err
	}
	var page [pageSize]byte
	for len(rest) > 0 {
		n := copy(page[4:], rest)
		clear(page[4+n:])
		rest = rest[n:]
		next := uint32(0)
		if len(rest) > 0 {
			next = p.next + 1
			if next == lockPage {
				next++
			}
		}
		binary.BigEndian.PutUint32(page[:], next)
		if _, err := p.write(page[:]); err != nil {
			return 0, err
		}
	}
	return first, nil
}

// rewrite puts a page in the place of one there is.
func (p *pages) rewrite(number uint32, page []byte) error {
	_, err := p.f.WriteAt(page, int64(number-1)*pageSize)
	return err
}

// finish writes what is not written yet and makes the file say how long it is.
func (p *pages) finish() error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	_, err := p.f.WriteAt(binary.BigEndian.AppendUint32(nil, p.next-1), sizeOffset)
	return err
}

func (p *pages) close() error { return p.f.Close() }
