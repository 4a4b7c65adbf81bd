package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sync/atomic"
)

const (
	// lockPage holds the bytes that SQLite locks the file by, and nothing else.
	lockPage = 1<<30/pageSize + 1
	// sizeOffset is where the first page says how many pages there are.
	sizeOffset = 28
	// writeBatch is how much is written to the file at once, in bytes;
	// writeBatches of them are on their way.
	writeBatch   = 16 * pageSize
	writeBatches = 4
	// writeBackStep is after how many bytes the disk is asked to begin.
	writeBackStep = 8 << 20
)

// pages appends pages to the database file that a blank begins. A goroutine of its
// own writes them and sums them up: the two take about as long as laying them out.
type pages struct {
	f     *os.File
	begin uint32 // number of the first page that is appended
	next  uint32 // number of the next page; the first of a file has 1
	batch []byte // pages to be written

	full   chan []byte
	empty  chan []byte
	done   chan struct{} // closed when all is written
	failed atomic.Bool   // writing did: no more is wanted
	err    error         // why; to be read after failed or done
	sum    uint32        // of what is appended; to be read after done
}

// createPages makes the file at path, which begins with the pages of front. It is its
// owner's only: what was said in TLS may be in it.
func createPages(path string, front []byte) (*pages, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(front); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := newPages(f, uint32(len(front)/pageSize))
	p.f = f
	return p, nil
}

// newPages begins to write what is appended to n pages. It ends with flush.
func newPages(out io.Writer, n uint32) *pages {
	p := &pages{
		begin: n + 1, next: n + 1, batch: make([]byte, 0, writeBatch),
		full: make(chan []byte, writeBatches), empty: make(chan []byte, writeBatches), done: make(chan struct{}),
	}
	for range writeBatches - 1 {
		p.empty <- make([]byte, 0, writeBatch)
	}
	go p.work(p.full, out)
	return p
}

func (p *pages) work(full <-chan []byte, out io.Writer) {
	defer close(p.done)
	begin := int64(p.begin-1) * pageSize // of what the disk was not asked to write
	end := begin
	for b := range full {
		if p.err == nil {
			p.sum = crc32.Update(p.sum, castagnoli, b)
			if _, p.err = out.Write(b); p.err != nil {
				p.failed.Store(true)
			}
		}
		if end += int64(len(b)); end-begin >= writeBackStep {
			if f, ok := out.(*os.File); ok {
				writeBack(f, begin, end-begin)
			}
			begin = end
		}
		p.empty <- b[:0]
	}
}

// flush returns when everything is written. Nothing may be appended any more. It is
// harmless to call it again.
func (p *pages) flush() error {
	if p.full != nil {
		p.full <- p.batch
		close(p.full)
		p.full, p.batch = nil, nil
	}
	<-p.done
	return p.err
}

// number returns what the next page will have, past the page that SQLite locks.
func (p *pages) number() (uint32, error) {
	if p.next == lockPage {
		if err := p.append(make([]byte, pageSize)); err != nil {
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
	return n, p.append(page)
}

func (p *pages) append(page []byte) error {
	p.next++
	p.batch = append(p.batch, page...)
	if len(p.batch) < writeBatch {
		return nil
	}
	p.full <- p.batch
	p.batch = <-p.empty
	if p.failed.Load() {
		return p.err
	}
	return nil
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

// rewrite puts a page in the place of one that was there before.
func (p *pages) rewrite(number uint32, page []byte) error {
	_, err := p.f.WriteAt(page, int64(number-1)*pageSize)
	return err
}

// finish writes what is not written yet, makes the file say how long it is and
// seals it.
func (p *pages) finish() error {
	if err := p.flush(); err != nil {
		return err
	}
	if _, err := p.f.WriteAt(binary.BigEndian.AppendUint32(nil, p.next-1), sizeOffset); err != nil {
		return err
	}
	front := int64(p.begin-1) * pageSize
	return seal(p.f, front, int64(p.next-1)*pageSize-front, p.sum)
}

// close ends the writing and closes the file. That writing failed is told by append
// and finish.
func (p *pages) close() error {
	_ = p.flush()
	return p.f.Close()
}
