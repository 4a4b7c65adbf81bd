package ring

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
)

// Options say what a ring may have. Bytes must be given.
type Options struct {
	Node string // that records
	// Bytes is how many the segments may have together. Segments that are out of the ring but
	// pinned may have PinBytes more; 0: as many again.
	Bytes, PinBytes int64
	// SecretBytes is how many the secrets of TLS sessions may have; 0: a sixteenth of Bytes, from
	// 1 MiB to 64 MiB.
	SecretBytes int64
	Age         time.Duration // packets older than this go; 0: none do
	// SegmentBytes is the size of a segment; 0: a sixteenth of Bytes, up to 64 MiB.
	SegmentBytes int64
	// BufferBytes is how many bytes of packets may wait for the disk; 0: 16 MiB.
	BufferBytes int64
	// Flush is how long a packet waits at most before it is given to the disk, unless the disk
	// is slow; 0: one second. It is also how often what is too old goes.
	Flush time.Duration
	Now   func() time.Time // nil: time.Now
}

func (o *Options) complete() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = o.Bytes / 16
	}
	if o.Bytes < 0 || o.PinBytes < 0 || o.SecretBytes < 0 || o.BufferBytes < 0 || o.Age < 0 || o.Flush < 0 {
		return errors.New("a size or an age below zero")
	}
	o.SegmentBytes = min(max(o.SegmentBytes, leastSegment), mostSegment) / 8 * 8
	if o.Bytes < 2*o.SegmentBytes {
		return fmt.Errorf("a ring of %d bytes has no room for two segments of %d", o.Bytes, o.SegmentBytes)
	}
	o.PinBytes = cmp.Or(o.PinBytes, o.Bytes)
	o.SecretBytes = cmp.Or(o.SecretBytes, min(max(o.Bytes/16, 1<<20), mostSecrets))
	if o.SecretBytes < leastSecrets || o.SecretBytes > mostSecrets {
		return fmt.Errorf("a budget of %d bytes for secrets: it may be from %d to %d", o.SecretBytes, leastSecrets, mostSecrets)
	}
	o.BufferBytes = cmp.Or(o.BufferBytes, 16<<20)
	o.Flush = cmp.Or(o.Flush, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// buffer is packets on their way to the disk.
type buffer struct {
	fresh        bool // a segment begins
	descriptions []byte
	body         []byte
	counts       []count
	packets      uint64
	bytes        uint64 // captured, of them
	first, last  int64
}

// count is what an interface counted while a buffer was filled.
type count struct {
	iface, local     uint32 // the source's, and the section's
	packets, dropped uint64
}

// iface is what a Writer keeps of an interface.
type iface struct {
	local   uint32
	segment uint64 // the one that local is of
	touched bool   // it counted since the buffer was begun
	count
}

// Status is what a Writer did since it was opened: of what was given to it, Recorded
// packets are in segments or on their way there, and the others Dropped.
type Status struct {
	Recorded, Dropped uint64
	Bytes             uint64 // of the packets Recorded, as they were captured
	// Of those Dropped, Lost were lost before, Unwritten the disk did not take, and the others
	// found no room in memory, since the disk is slow.
	Lost, Unwritten uint64
	Oldest          time.Time // packet that is kept; zero: none
	Segments        int
	Kept            int64 // bytes of the segments
	// Secrets is how many secrets were written, and SecretsFrom from when on all are kept that
	// were: zero, unless the budget made older ones go before their packets.
	Secrets     uint64
	SecretsFrom time.Time
	// IdentityLost are records of who had which address that could not be kept: they were not
	// sound, or the disk took none for too long.
	IdentityLost uint64
	Err          error     // why the disk took something not, the last time
	Failed       time.Time // when that was
}

// Writer records packets. Write and Lost are for one goroutine, the others for any. It
// holds Options.BufferBytes, and a few MiB for the identity log at most. Identity, Holds and
// Secrets wait for the disk.
type Writer struct {
	o       Options
	room    int // of a buffer
	lock    *lock
	log     *identityLog
	secrets *secretLog
	pool    *pool
	full    chan *buffer
	flushes chan chan error
	stop    chan struct{}
	done    sync.WaitGroup

	mu      sync.Mutex // of what follows
	free    []*buffer  // the one last used at the end: the processor has it at hand
	current *buffer
	sources []packet.Interface // as the last call had them
	ifaces  []iface
	touched []uint32 // interfaces that counted since the buffer was begun
	// segment is the number of the buffers' segment. A segment of the disk is a part of one.
	segment uint64
	locals  uint32 // interfaces of it
	filled  int64  // bytes of it
	status  Status
	closed  bool
}

// Create opens the ring in a folder to be written, and makes it if there is none. What a
// crash left of one is made whole first. The caller ends it with Close.
func Create(dir string, o Options) (*Writer, error) {
	w, err := create(dir, o, folder(dir))
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", dir, err)
	}
	return w, nil
}

func create(dir string, o Options, d disk) (*Writer, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := initialize(dir, o.Node); err != nil {
		return nil, err
	}
	l, err := acquire(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, ErrLocked
	}
	w := &Writer{o: o, lock: l, segment: 1, stop: make(chan struct{}), flushes: make(chan chan error)}
	w.pool = &pool{dir: dir, disk: d, o: o, run: strings.ToLower(rand.Text()[:8])}
	if err := w.pool.recover(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	if w.log, err = openLog(dir, o.Now); err != nil {
		return nil, errors.Join(err, l.release())
	}
	if w.secrets, err = openSecrets(dir, o); err != nil {
		return nil, errors.Join(err, l.release())
	}
	w.room = int(min(bufferSize, o.SegmentBytes/4))
	n := int(max(o.BufferBytes/int64(w.room), 2))
	w.full = make(chan *buffer, n)
	for range n {
		w.free = append(w.free, new(buffer))
	}
	w.report(w.pool.begin(o.Now())) // a full disk is no reason not to record
	w.settle()                      // what is there from before
	w.done.Go(w.drain)
	return w, nil
}

// Write takes packets, in the order of time, with the interfaces of their source. It copies
// them and never waits for the disk: what finds no room is dropped and counted.
func (w *Writer) Write(records []packet.Record, interfaces []packet.Interface) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sources = interfaces
	for i := range records {
		w.put(&records[i])
	}
}

// Lost says that n packets of an interface were lost on their way to the Writer: they were
// received, and are written down as dropped.
func (w *Writer) Lost(i uint32, n uint64, interfaces []packet.Interface) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sources = interfaces
	w.status.Lost += n
	w.drop(i, n)
}

// put adds a packet to the current buffer.
func (w *Writer) put(rec *packet.Record) {
	size := pcapng.PacketSize(rec)
	if size > w.room || int64(rec.Interface) >= int64(len(w.sources)) || w.closed || !w.ready(size) {
		w.drop(rec.Interface, 1)
		return
	}
	b := w.current
	f := w.describe(rec.Interface)
	b.body = pcapng.AppendPacket(b.body, f.local, rec)
	f.packets++
	t := max(rec.Time, 0)
	if b.packets == 0 {
		b.first, b.last = t, t
	}
	b.first, b.last = min(b.first, t), max(b.last, t)
	b.packets++
	b.bytes += uint64(len(rec.Data))
	w.status.Recorded++
	w.status.Bytes += uint64(len(rec.Data))
}

// ready makes sure that there is a buffer with room for size bytes.
func (w *Writer) ready(size int) bool {
	if w.current != nil && len(w.current.body)+size <= w.room {
		return true
	}
	w.hand()
	last := len(w.free) - 1
	if last < 0 {
		return false
	}
	w.current, w.free = w.free[last], w.free[:last]
	if w.current.body == nil {
		w.current.body = make([]byte, 0, w.room+4<<10) // with room for what is written behind
	}
	if w.filled+int64(w.room) > w.o.SegmentBytes*7/8 || w.filled == 0 { // an eighth is for what is not packets
		w.current.fresh = true
		w.segment++
		w.filled, w.locals = 1, 0
	}
	return true
}

// at returns what is kept of the source's interface i.
func (w *Writer) at(i uint32) *iface {
	for int(i) >= len(w.ifaces) {
		w.ifaces = append(w.ifaces, iface{})
	}
	f := &w.ifaces[i]
	f.iface = i
	if !f.touched {
		f.touched = true
		w.touched = append(w.touched, i)
	}
	return f
}

// describe makes sure that the current buffer's segment describes an interface.
func (w *Writer) describe(i uint32) *iface {
	f := w.at(i)
	if f.segment != w.segment && int64(i) < int64(len(w.sources)) {
		f.segment, f.local = w.segment, w.locals
		w.locals++
		w.current.descriptions = pcapng.AppendInterface(w.current.descriptions, &w.sources[i], pcapng.Nanoseconds)
	}
	return f
}

func (w *Writer) drop(i uint32, n uint64) {
	w.at(i).dropped += n
	w.status.Dropped += n
}

// hand gives the current buffer to the disk, with what interfaces counted.
func (w *Writer) hand() {
	b := w.current
	if b == nil {
		return
	}
	rest := w.touched[:0]
	for _, i := range w.touched {
		f := w.describe(i)
		if f.segment != w.segment { // of a source that never was
			rest = append(rest, i)
			continue
		}
		b.counts = append(b.counts, count{i, f.local, f.packets, f.dropped})
		f.packets, f.dropped, f.touched = 0, 0, false
	}
	w.touched = rest
	w.filled += int64(len(b.body) + len(b.descriptions))
	w.current = nil
	w.full <- b // there is room for all buffers
}

// drain writes buffers until the Writer is closed.
func (w *Writer) drain() {
	tick := time.NewTicker(w.o.Flush)
	defer tick.Stop()
	for {
		select {
		case b := <-w.full:
			w.write(b)
		case <-tick.C:
			w.tend()
		case reply := <-w.flushes:
			w.tend()
			w.empty()
			w.mu.Lock()
			reply <- w.status.Err
			w.mu.Unlock()
		case <-w.stop:
			for range 2 { // what the disk does not take the first time is counted in the second
				w.tend()
				w.empty()
			}
			w.report(w.pool.seal(w.o.Now()))
			return
		}
	}
}

// tend hands out what waits, and lets go of what is too old.
func (w *Writer) tend() {
	w.mu.Lock()
	if len(w.touched) > 0 && w.ready(0) { // else nothing waits
		w.hand()
	}
	w.mu.Unlock()
	now := w.o.Now()
	if p := w.pool; p.active != nil && len(w.full) == 0 && p.aged(now.UnixNano()) {
		w.report(p.seal(now))
	}
	w.pool.expire(now)
	w.settle()
}

// empty writes all buffers that wait.
func (w *Writer) empty() {
	for {
		select {
		case b := <-w.full:
			w.write(b)
		default:
			return
		}
	}
}

// write writes a buffer, or counts as dropped what it has.
func (w *Writer) write(b *buffer) {
	written, err := w.pool.write(b)
	if err != nil {
		w.report(err)
	}
	if !written {
		w.mu.Lock()
		for _, c := range b.counts {
			w.at(c.iface).dropped += c.packets + c.dropped
			w.status.Recorded -= c.packets
			w.status.Dropped += c.packets
			w.status.Unwritten += c.packets
		}
		w.status.Bytes -= b.bytes
		w.mu.Unlock()
	}
	*b = buffer{body: b.body[:0], descriptions: b.descriptions[:0], counts: b.counts[:0]}
	w.mu.Lock()
	w.free = append(w.free, b)
	w.mu.Unlock()
	w.settle()
}

// settle takes down what the ring holds.
func (w *Writer) settle() {
	if err := w.log.tend(); err != nil {
		w.report(err)
	}
	oldest, some := w.pool.oldest()
	if some {
		if err := w.log.trim(oldest); err != nil {
			w.report(err)
		}
	} else if w.o.Age > 0 {
		oldest = w.o.Now().Add(-w.o.Age).UnixNano()
	}
	if err := w.secrets.trim(oldest); err != nil {
		w.report(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Oldest, w.status.Segments, w.status.Kept = time.Time{}, len(w.pool.segments), w.pool.used()
	if some {
		w.status.Oldest = time.Unix(0, oldest).UTC()
	}
	if a := w.pool.active; a != nil {
		w.status.Segments++
		w.status.Kept += a.size
	}
}

func (w *Writer) report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.status.Err, w.status.Failed = err, w.o.Now()
	}
}

// Status returns what was done so far.
func (w *Writer) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Secrets, s.SecretsFrom = w.secrets.status()
	s.IdentityLost = w.log.lostRecords()
	return s
}

// Flush returns when all that was given to the Writer is in a segment or counted as dropped.
// Its error is the disk's last one, from whenever.
func (w *Writer) Flush(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case w.flushes <- reply:
	case <-w.stop:
		return errors.New("the ring is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what waits and seals the segment. Its error is the disk's last one.
func (w *Writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.mu.Unlock()
	stopped := w.o.Now()
	close(w.stop)
	w.done.Wait()
	err := errors.Join(w.log.close(), w.secrets.close(), w.pool.stop(stopped), w.lock.release())
	return errors.Join(w.Status().Err, err)
}

// Options returns what the ring may have.
func (w *Writer) Options() Options { return w.o }
