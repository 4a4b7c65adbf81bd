package ring

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	metaName = "ring.json"
	runsName = "runs.json"
	lockName = "lock"
	// format is the version of the folder's form.
	format = 1
)

// meta is what ring.json says.
type meta struct {
	Format int    `json:"format"`
	Node   string `json:"node"`
}

// initialize makes the folder of a ring, if it is none yet, and says whose it is.
func initialize(dir, node string) error {
	if err := os.MkdirAll(filepath.Join(dir, pinsFolder), 0o700); err != nil {
		return err
	}
	m, err := readMeta(dir)
	if err == nil && m.Node == node {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNoRing) {
		return err
	}
	data, err := json.Marshal(meta{format, node})
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, metaName+".new")
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, metaName))
}

func readMeta(dir string) (m meta, err error) {
	data, err := os.ReadFile(filepath.Join(dir, metaName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: there is no %s", ErrNoRing, metaName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil || m.Format < 1 {
		return m, fmt.Errorf("%w: %s is not sound", ErrNoRing, metaName)
	}
	if m.Format > format {
		return m, ErrFormat
	}
	return m, nil
}

// listed returns the segments that a folder lists, from the oldest to the newest, and its
// spares.
func listed(dir string) (segments []name, spares []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if n, ok := parseName(e.Name()); ok {
			segments = append(segments, n)
		} else if isSpare(e.Name()) {
			spares = append(spares, e.Name())
		}
	}
	slices.SortFunc(segments, func(a, b name) int { return cmp.Compare(a.seq, b.seq) })
	return segments, spares, nil
}

// recover reads what is there, and seals what a crash left. Only sealed segments, which
// their heads and ends describe, are not read through.
func (p *pool) recover() error {
	sweep(p.dir)
	names, spares, err := listed(p.dir)
	if err != nil {
		return err
	}
	for _, spare := range spares {
		if err := p.disk.remove(spare); err != nil {
			return err
		}
	}
	for _, n := range names {
		p.seq = max(p.seq, n.seq)
		if err := p.adopt(n); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

// adopt takes a segment that is there into the pool.
func (p *pool) adopt(n name) error {
	path := filepath.Join(p.dir, n.String())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s, err := inspect(f, info.Size(), n)
	if err == nil && s.live {
		if s, err = mend(osFile{f}, info.Size(), n); errors.Is(err, errNothing) {
			return errors.Join(f.Close(), os.Remove(path))
		}
	}
	if err == nil {
		p.segments = append(p.segments, s)
	}
	return errors.Join(err, f.Close())
}

var errNothing = errors.New("there is nothing in it")

// mend seals a segment that was not: what is behind the last whole block goes.
func mend(f file, size int64, n name) (segment, error) {
	c, err := walk(f, size)
	if err != nil {
		return segment{}, err
	}
	if c.packets == 0 && len(c.interfaces) == 0 {
		return segment{}, errNothing
	}
	if c.stated >= 0 { // and then cut
		if _, err := f.WriteAt([]byte{255, 255, 255, 255, 255, 255, 255, 255}, lengthAt); err != nil {
			return segment{}, err
		}
	}
	if err := f.Truncate(c.end); err != nil {
		return segment{}, err
	}
	a := &active{name: n, f: f, end: c.end, size: c.end, first: c.first, last: c.last, section: c.interfaces}
	for i := range a.section { // since it said so last, more packets came
		a.section[i].received = a.section[i].packets + a.section[i].dropped
	}
	until := time.Unix(0, max(c.until, n.first, 0)) // it is not known that it recorded for longer
	return a.seal(until.UnixNano())
}
