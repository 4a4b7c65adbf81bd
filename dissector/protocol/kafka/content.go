package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"shark/dissector"
)

var (
	errLost = errors.New("bytes of the message are missing")
	errCut  = errors.New("more of the message is not at hand or not known")
)

// content writes out what a message says of topics, of their partitions and of groups, a line
// each. Messages that say nothing of them are shown as they were sent.
func content(m *dissector.Message, _ []byte, limit int) ([]byte, error) {
	key, version := noted(m)
	switch {
	case m.Notes&known == 0 || len(m.Raw) < prefix:
		return nil, nil
	case m.Lost > 0:
		return nil, errLost
	}
	w := walk{key: key, version: version}
	frame, off := m.Raw[prefix:], 4 // behind the correlation id
	if m.From == dissector.Client {
		h, short, ok := readHeader(frame, int64(binary.BigEndian.Uint32(m.Raw)))
		if short || !ok {
			return nil, nil
		}
		off = h.body
	} else if version > int(apiOf(key).max) {
		return nil, nil
	}
	t := tree{limit: limit}
	w.begin(frame, off, new(dissector.Message))
	w.body.tree = &t
	w.run(m.From)
	t.flush()
	out := t.out[:min(len(t.out), limit)]
	switch {
	case !t.names:
		return nil, nil
	case w.body.bad:
		return out, errCut
	}
	return out, nil
}

// tree writes what a body reads as lines: topics, groups and other names, and below them
// partitions. A line is begun by what it is about and has what is read until the next one
// begins; an error code may come first. A nil tree takes everything and keeps nothing.
type tree struct {
	out   []byte
	limit int  // bytes of out after which no line is added
	names bool // there is more than error codes

	// The line at hand.
	about []byte // empty: it says of nothing yet what it is about
	deep  bool   // that is a partition
	code  int16
	coded bool
	more  []byte // what else is read of it
}

// name begins the line of something that has a name.
func (t *tree) name(kind string, name []byte) {
	if t == nil || len(name) == 0 {
		return
	}
	t.begin()
	t.names = true
	t.about = append(t.about, kind...)
	for _, c := range name {
		if c < ' ' || c == 0x7f { // it must not forge another line
			c = '?'
		}
		t.about = append(t.about, c)
	}
}

// partition begins the line of a partition.
func (t *tree) partition(n int) {
	if t == nil {
		return
	}
	t.begin()
	t.about, t.deep = strconv.AppendInt(append(t.about, "  partition "...), int64(n), 10), true
}

func (t *tree) begin() {
	if len(t.about) > 0 {
		t.flush()
	}
}

// list begins what stands in the thing at hand, if that is none itself that stands in another.
func (t *tree) list() {
	if t != nil && !t.deep {
		t.flush()
	}
}

// err takes an error code.
func (t *tree) err(code int16) {
	if t == nil {
		return
	}
	if t.coded {
		t.flush()
	}
	t.code, t.coded = code, true
}

// note takes a number; below 0 it is none.
func (t *tree) note(what string, n int64) {
	if t != nil && n >= 0 {
		t.more = fmt.Appendf(t.more, ", %s %d", what, n)
	}
}

// recordsOf takes what was found in so many bytes of records.
func (t *tree) recordsOf(size int, found *tally) {
	if t == nil {
		return
	}
	if found.unknown {
		t.more = append(t.more, ", records not all counted"...)
	} else {
		t.more = fmt.Appendf(t.more, ", records %d", found.records)
	}
	t.note("bytes", int64(size))
	found.names(func(name string) { t.more = append(append(t.more, ", compression "...), name...) })
}

// flush ends the line at hand.
func (t *tree) flush() {
	if len(t.out) < t.limit && (len(t.about) > 0 || t.coded) {
		t.out = append(t.out, t.about...)
		before := ": "
		if t.coded {
			if len(t.about) == 0 {
				t.out = append(t.out, "error"...)
			}
			t.out = append(append(t.out, before...), errorName(t.code)...)
			before = ", "
		}
		if len(t.more) > 0 {
			t.out = append(append(t.out, before...), t.more[len(", "):]...)
		}
		t.out = append(t.out, '\n')
	}
	t.about, t.more, t.deep, t.coded = t.about[:0], t.more[:0], false, false
}
