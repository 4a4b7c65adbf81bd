package ring

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"shark/snapshot/identity"
)

// rotateAt is how many bytes of changes a file of the log has at least before another is
// begun.
const rotateAt = 1 << 20

// logKind is what the files of a log hold, and how their names begin.
type logKind string

const (
	identityKind logKind = "identity"
	secretsKind  logKind = "secrets"
)

// suffix is how the names of the log's files end.
func (k logKind) suffix() string {
	if k == secretsKind {
		return "pcapng"
	}
	return "jsonl"
}

// logName is what the name of a file of a log says: its number, and from when on it tells
// everything.
type logName struct {
	kind logKind
	seq  uint64
	from int64
}

func (n logName) String() string {
	return fmt.Sprintf("%s-%012d-%s.%s", n.kind, n.seq, time.Unix(0, n.from).UTC().Format(timeForm), n.kind.suffix())
}

var logForm = regexp.MustCompile(`^(identity|secrets)-(\d{12,20})-(\d{8}t\d{6}\.\d{9}z)\.(jsonl|pcapng)$`)

func parseLogName(s string) (n logName, ok bool) {
	m := logForm.FindStringSubmatch(s)
	if m == nil || logKind(m[1]).suffix() != m[4] {
		return n, false
	}
	seq, err := strconv.ParseUint(m[2], 10, 63)
	t, bad := time.Parse(timeForm, m[3])
	return logName{logKind(m[1]), seq, t.UnixNano()}, err == nil && bad == nil
}

// logs returns the files of a log in a folder, from the oldest to the newest.
func logs(dir string, kind logKind) (list []logName, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if n, ok := parseLogName(e.Name()); ok && n.kind == kind {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b logName) int { return cmp.Compare(a.seq, b.seq) })
	return list, err
}

// covering returns the files that tell what held in a window: that which begins last before
// it, and those after, of which the first behind the window may have what was noticed late.
func covering(list []logName, from, to int64) []logName {
	begin := 0
	for i := range list {
		if list[i].from <= from {
			begin = i
		}
	}
	end := begin
	for end < len(list) && (end == begin || list[end-1].from <= to) {
		end++
	}
	return list[begin:end]
}

// What waits for a disk that takes nothing: as many bytes of changes, and so long until it is
// tried again, since each time all that holds is written.
const (
	maxPending = 1 << 20
	tryAgain   = time.Second
)

// identityLog writes who had which address: files that begin with all that holds. It holds
// in memory what holds, and for a while what the disk did not take.
type identityLog struct {
	dir string
	now func() time.Time

	mu             sync.Mutex
	f              *os.File // nil until there is something to write
	state          map[objectKey]*identity.Record
	list           []logName
	whole, changes int64    // bytes of the state in the file, and of what came since
	pending        [][]byte // lines that the disk did not take, the oldest first
	waits          int      // bytes of them
	failed         error    // why, the last time
	tried          time.Time
	lost           uint64 // records that were not kept
}

// objectKey tells objects apart as identity.Record says.
type objectKey struct {
	kind              identity.Kind
	scope, name, more string
}

func keyOf(r *identity.Record) objectKey {
	switch r.Kind {
	case identity.Node:
		return objectKey{r.Kind, "", r.Name, ""}
	case identity.Process, identity.Socket:
		return objectKey{r.Kind, r.Node, r.Name, r.UID}
	}
	return objectKey{r.Kind, r.Namespace, r.Name, ""}
}

// openLog reads what held when the log was last written.
func openLog(dir string, now func() time.Time) (*identityLog, error) {
	l := &identityLog{dir: dir, now: now, state: make(map[objectKey]*identity.Record)}
	var err error
	if l.list, err = logs(dir, identityKind); err != nil || len(l.list) == 0 {
		return l, err
	}
	f, err := os.Open(filepath.Join(dir, l.list[len(l.list)-1].String()))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return l, nil // a line without an end was torn by a crash
		}
		if err != nil {
			return nil, err
		}
		r := new(identity.Record)
		if json.Unmarshal(line, r) == nil {
			l.apply(r)
		}
	}
}

func (l *identityLog) apply(r *identity.Record) {
	if r.Op == identity.Delete {
		delete(l.state, keyOf(r))
		return
	}
	l.state[keyOf(r)] = r
}

// Identity writes down who has which address from now on, or no longer has it. It may be
// called by any goroutine.
func (w *Writer) Identity(records ...identity.Record) error {
	return w.log.write(records)
}

// Holds says all that holds, as it is known after a start: what held before and is not
// among it ends now.
func (w *Writer) Holds(records ...identity.Record) error { return w.log.replace(records) }

func (l *identityLog) replace(records []identity.Record) error {
	l.mu.Lock()
	gone := make(map[objectKey]*identity.Record, len(l.state))
	for k, r := range l.state {
		gone[k] = r
	}
	l.mu.Unlock()
	for i := range records {
		k := keyOf(&records[i])
		if old := gone[k]; old == nil || old.UID == records[i].UID {
			delete(gone, k)
		}
	}
	all := make([]identity.Record, 0, len(gone)+len(records))
	for _, r := range gone {
		end := *r
		end.Time, end.Op = l.now(), identity.Delete
		if r.Kind == identity.Pod {
			end.UID = "" // it may still be there, and be told of later: a uid that ended never comes back
		}
		all = append(all, end)
	}
	slices.SortFunc(all, func(a, b identity.Record) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return l.write(append(all, records...))
}

// write writes records. One that cannot be is counted and hinders no other; what the disk does
// not take waits until it does, or there is no room.
func (l *identityLog) write(records []identity.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var line bytes.Buffer
	out := identity.NewWriter(&line)
	var refused error
	n := 0
	for i := range records {
		r := records[i]
		line.Reset()
		if err := out.Write(&r); err != nil {
			refused = err // the last of them stands for all
			l.lost++
			n++
			continue
		}
		l.pending = append(l.pending, bytes.Clone(line.Bytes()))
		l.waits += line.Len()
		l.apply(&r)
	}
	if n > 1 {
		refused = fmt.Errorf("%d records, of which one is: %w", n, refused)
	}
	return errors.Join(refused, l.flush())
}

// flush writes what waits, unless the disk took nothing a moment ago.
func (l *identityLog) flush() error {
	now := l.now()
	if since := now.Sub(l.tried); l.failed == nil || since < 0 || since >= tryAgain {
		l.tried, l.failed = now, l.give()
	}
	for l.failed != nil && l.waits > maxPending {
		l.waits -= len(l.pending[0])
		l.pending = l.pending[1:]
		l.lost++
	}
	return l.failed
}

// give gives what waits to the disk.
func (l *identityLog) give() error {
	if len(l.pending) == 0 {
		return nil
	}
	if l.f == nil || l.changes > max(rotateAt, l.whole) {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	lines := bytes.Join(l.pending, nil)
	if _, err := l.f.Write(lines); err != nil {
		return errors.Join(fmt.Errorf("identity log: %w", err), l.end()) // the next write begins another file
	}
	l.changes += int64(len(lines))
	l.pending, l.waits = nil, 0
	return nil
}

// tend gives the disk what waits.
func (l *identityLog) tend() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

// lostRecords is how many records were not kept.
func (l *identityLog) lostRecords() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// rotate begins a file with all that holds.
func (l *identityLog) rotate() error {
	n := logName{identityKind, 1, l.now().UnixNano()}
	if k := len(l.list); k > 0 {
		n.seq, n.from = l.list[k-1].seq+1, max(n.from, l.list[k-1].from)
	}
	if err := l.end(); err != nil {
		return err
	}
	temp := filepath.Join(l.dir, "identity.new")
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	w := identity.NewWriter(out)
	for _, r := range l.sorted() {
		if err == nil {
			err = w.Write(r)
		}
	}
	if err = errors.Join(err, out.Flush()); err == nil {
		l.whole, err = f.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(l.dir, n.String()))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("identity log: %w", err), f.Close(), os.Remove(temp)) // which gives its room back
	}
	l.f, l.changes = f, 0
	l.list = append(l.list, n)
	return nil
}

// sorted returns what holds in an order that is always the same.
func (l *identityLog) sorted() []*identity.Record {
	all := make([]*identity.Record, 0, len(l.state))
	for _, r := range l.state {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *identity.Record) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return all
}

// trim removes files that are of no use any more, when the oldest packet is of a time.
func (l *identityLog) trim(oldest int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.list) > 1 && l.list[1].from <= oldest-int64(late) {
		if err := os.Remove(filepath.Join(l.dir, l.list[0].String())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("identity log: %w", err)
		}
		l.list = l.list[1:]
	}
	return nil
}

func (l *identityLog) end() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f, l.changes = nil, math.MaxInt64/2
	return err
}

// close gives the disk a last chance to take what waits.
func (l *identityLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.give(), l.end())
}
