package ring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
)

// What the secrets of a ring may have, in bytes. More than mostSecrets no reader of a
// snapshot takes.
const (
	leastSecrets = 64 << 10
	mostSecrets  = 64 << 20
)

// secretLog writes secrets of TLS sessions: pcapng files of nothing but Decryption Secrets
// Blocks, each of a span of time. Every block is given to the kernel at once. Where the budget
// makes a file go before its packets, an empty one stays in its place, which says so.
type secretLog struct {
	dir string
	o   Options

	mu    sync.Mutex
	f     *os.File // nil until there is something to write
	list  []logName
	sizes []int64 // of the files
	count uint64  // of secrets written
	buf   []byte
}

// openSecrets finds what is there. What a crash tore is left to readers: the next secret
// begins another file.
func openSecrets(dir string, o Options) (*secretLog, error) {
	l := &secretLog{dir: dir, o: o}
	var err error
	if l.list, err = logs(dir, secretsKind); err != nil {
		return nil, err
	}
	for _, n := range l.list {
		info, err := os.Stat(filepath.Join(dir, n.String()))
		if err != nil {
			return nil, err
		}
		l.sizes = append(l.sizes, info.Size())
	}
	return l, nil
}

// Secrets keeps secrets that were known at time t: lines of a key log (package keylog). It may
// be called by any goroutine.
func (w *Writer) Secrets(t time.Time, data []byte) error {
	if err := w.secrets.write(t, data); err != nil {
		return fmt.Errorf("keep TLS secrets: %w", err)
	}
	return nil
}

func (l *secretLog) write(t time.Time, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int64(len(data)) > l.part() {
		return fmt.Errorf("%d bytes at a time are more than %d", len(data), l.part())
	}
	l.buf = pcapng.AppendSecrets(l.buf[:0], &pcapng.Secret{Type: pcapng.SecretTLS, Data: data})
	if err := l.ready(t, int64(len(l.buf))); err != nil {
		return err
	}
	n, err := l.f.Write(l.buf)
	l.sizes[len(l.sizes)-1] += int64(n)
	if err != nil {
		return errors.Join(err, l.end()) // what follows half a block would be lost
	}
	l.count++
	return nil
}

// part is how large a file gets, so that what goes at a time is a small part of all.
func (l *secretLog) part() int64 { return l.o.SecretBytes / 16 }

// ready makes sure that there is a file with room for n bytes of time t.
func (l *secretLog) ready(t time.Time, n int64) error {
	last := len(l.list) - 1
	if l.f != nil && l.sizes[last]+n <= l.part() && t.UnixNano() < l.list[last].from+int64(secretSpan) {
		return nil
	}
	if err := l.end(); err != nil {
		return err
	}
	name := logName{secretsKind, 1, t.UnixNano()}
	if last >= 0 {
		name.seq = l.list[last].seq + 1
	}
	f, err := os.OpenFile(filepath.Join(l.dir, name.String()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	head := pcapng.AppendSection(nil, &pcapng.Options{Application: "shark"})
	if _, err := f.Write(head); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	l.f, l.list, l.sizes = f, append(l.list, name), append(l.sizes, int64(len(head)))
	return l.fit()
}

// fit empties the oldest files until the new one may grow within the budget. Who pinned one
// keeps what it held.
func (l *secretLog) fit() error {
	total := l.part()
	for _, n := range l.sizes {
		total += n
	}
	for i := 0; total > l.o.SecretBytes && i < len(l.list)-1; i++ {
		if l.sizes[i] == 0 {
			continue
		}
		temp := filepath.Join(l.dir, "secrets.new")
		err := os.WriteFile(temp, nil, 0o600)
		if err == nil {
			err = os.Rename(temp, filepath.Join(l.dir, l.list[i].String()))
		}
		if err != nil {
			return err
		}
		total -= l.sizes[i]
		l.sizes[i] = 0
	}
	return nil
}

// trim removes what is of no use any more when the oldest packet is of a time.
func (l *secretLog) trim(oldest int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.list) > 0 && l.list[0].until()+int64(secretSpan) <= oldest {
		if len(l.list) == 1 {
			if err := l.end(); err != nil {
				return fmt.Errorf("TLS secrets: %w", err)
			}
		}
		err := os.Remove(filepath.Join(l.dir, l.list[0].String()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("TLS secrets: %w", err)
		}
		l.list, l.sizes = l.list[1:], l.sizes[1:]
	}
	return nil
}

// until returns the end of the time that a file of secrets is of.
func (n logName) until() int64 { return n.from + int64(secretSpan) }

// status returns how many secrets were written, and from when on all are there.
func (l *secretLog) status() (n uint64, from time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.list {
		if l.sizes[i] == 0 {
			from = time.Unix(0, l.list[i].until()).UTC()
		}
	}
	return l.count, from
}

func (l *secretLog) end() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

func (l *secretLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end()
}

// secretsOf returns the files that may have the secrets of a window's handshakes.
func secretsOf(list []logName, from, to int64) (some []logName) {
	for _, n := range list {
		if n.until()+int64(secretSpan) > from && n.from-int64(secretSpan) <= to {
			some = append(some, n)
		}
	}
	return some
}

// missedSecrets says of which time secrets had to go before their packets.
func missedSecrets(paths []string) (notes []string) {
	var from, until int64
	for _, path := range paths {
		n, ok := parseLogName(filepath.Base(path))
		if info, err := os.Stat(path); !ok || err != nil || info.Size() > 0 {
			continue
		}
		if from == 0 {
			from = n.from
		}
		until = n.until()
	}
	if from > 0 {
		notes = append(notes, fmt.Sprintf("TLS secrets from between %s and %s had to go: they may have more bytes", moment(from), moment(until)))
	}
	return notes
}

// readSecrets reads files of secrets, up to their last whole blocks.
func readSecrets(paths []string) (all []pcapng.Secret, damage []packet.Damage) {
	all = []pcapng.Secret{}
	for _, path := range paths {
		some, lost, err := readSecretFile(path)
		if err != nil {
			lost = append(lost, packet.Damage{File: filepath.Base(path), Lost: -1, Reason: err.Error()})
		}
		all, damage = append(all, some...), append(damage, lost...)
	}
	return all, damage
}

func readSecretFile(path string) ([]pcapng.Secret, []packet.Damage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return nil, nil, err
	}
	r, err := pcapng.NewReader(f, filepath.Base(path))
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var b packet.Batch
	for err == nil {
		err = r.ReadBatch(&b)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return r.Secrets(), r.Damage(), err
}
