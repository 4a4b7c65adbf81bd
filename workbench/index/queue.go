package index

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// queue hands rows from the goroutine that makes them to one that lays them out in
// pages, in their order: the two take about as long.
type queue struct {
	batch []byte
	full  chan []byte
	empty chan []byte
	done  chan struct{} // closed when all rows are laid out
	stop  atomic.Bool   // laying out failed: no more rows are wanted
	err   error         // why; to be read after done
}

// queueBatch is how many bytes of rows are handed over at once; queueBatches of
// them are on their way.
const (
	queueBatch   = 256 << 10
	queueBatches = 3
)

// errStopped ends the making of rows after an error of which wait tells.
var errStopped = errors.New("rows can no longer be written")

// newQueue begins to lay out rows by insert. It ends with wait.
func newQueue(insert func(table int, id int64, row []byte) error) *queue {
	q := &queue{full: make(chan []byte, queueBatches), empty: make(chan []byte, queueBatches), done: make(chan struct{})}
	for range queueBatches - 1 {
		q.empty <- make([]byte, 0, queueBatch)
	}
	go q.work(q.full, insert)
	return q
}

func (q *queue) work(full <-chan []byte, insert func(table int, id int64, row []byte) error) {
	defer close(q.done)
	for b := range full {
		if q.err == nil {
			q.err = eachRow(b, insert)
			q.stop.Store(q.err != nil)
		}
		q.empty <- b[:0]
	}
}

// add hands over a row that comes in two parts. It keeps nothing of them.
func (q *queue) add(table int, id int64, front, back []byte) error {
	q.batch = binary.AppendUvarint(q.batch, uint64(table))
	q.batch = binary.AppendVarint(q.batch, id)
	q.batch = binary.AppendUvarint(q.batch, uint64(len(front)+len(back)))
	q.batch = append(append(q.batch, front...), back...)
	if len(q.batch) < queueBatch {
		return nil
	}
	q.full <- q.batch
	q.batch = <-q.empty
	if q.stop.Load() {
		return errStopped
	}
	return nil
}

// wait hands over what is left, and returns when everything is laid out. It is
// harmless to call it again.
func (q *queue) wait() error {
	if q.full != nil {
		q.full <- q.batch
		close(q.full)
		q.full, q.batch = nil, nil
	}
	<-q.done
	return q.err
}

// eachRow takes a batch apart.
func eachRow(b []byte, insert func(table int, id int64, row []byte) error) error {
	for len(b) > 0 {
		table, n := binary.Uvarint(b)
		id, m := binary.Varint(b[n:])
		size, k := binary.Uvarint(b[n+m:])
		b = b[n+m+k:]
		if err := insert(int(table), id, b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
