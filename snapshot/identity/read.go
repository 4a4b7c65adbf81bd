package identity

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"shark/packet/packing"
)

// Damage is one place of a log that could not be read.
type Damage struct {
	Log    string // name of the log, where several are read together
	Line   int    // from 1
	Reason string // a clause, such as "it has no time"
}

func (d Damage) String() string {
	if d.Log == "" {
		return fmt.Sprintf("identity log, line %d: %s", d.Line, d.Reason)
	}
	return fmt.Sprintf("identity log %s, line %d: %s", d.Log, d.Line, d.Reason)
}

// Input is one of several logs that are read together.
type Input struct {
	Name   string // for messages
	Reader io.Reader
}

// Read reads a log, plain or packed with gzip or zstd. A line that cannot be
// read is passed over and reported by Damage. An input without any line that can
// is an error that wraps ErrFormat, unless it is empty.
func Read(r io.Reader) (*Log, error) { return ReadAll(Input{Reader: r}) }

// ReadAll reads several logs as one: those of the nodes of a snapshot. They may
// say the same twice.
func ReadAll(inputs ...Input) (*Log, error) {
	b := newBuilder()
	for _, in := range inputs {
		if err := b.read(in); err != nil {
			return nil, err
		}
	}
	return b.build(), nil
}

// Unpack takes the packing off a log, which it knows by its content. It gives no
// more bytes than are read of a log, and then an error.
func Unpack(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	kind := packing.Of(in)
	z, err := packing.Open(kind, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return &bounded{z, maxUnpacked}, nil
}

var errTooMuch = fmt.Errorf("more than the %d records or %d bytes that are read", maxRecords, maxUnpacked)

// bounded ends with errTooMuch when it has given all it may.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// read adds the records of one log.
func (b *builder) read(in Input) error {
	src := &packing.Input{R: in.Reader}
	r, err := Unpack(src)
	if err != nil {
		if src.Err != nil {
			return src.Err
		}
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	defer r.Close()
	p := parser{b: b, log: in.Name, newest: math.MinInt64}
	lines := lines{r: bufio.NewReaderSize(r, 64<<10)}
	for {
		line, err := lines.next()
		if err != nil && err != io.EOF {
			if src.Err != nil {
				return src.Err
			}
			p.cut(fmt.Sprintf("the rest cannot be read: %v", err))
			break
		}
		p.line(line, lines.long, err == io.EOF)
		if err == io.EOF || p.over {
			break
		}
	}
	if !p.sound && p.first != "" {
		return fmt.Errorf("%w: line %d: %s", ErrFormat, p.firstLine, p.first)
	}
	return nil
}

// lines splits a stream. A line longer than maxLine comes out empty.
type lines struct {
	r    *bufio.Reader
	buf  []byte
	long bool
}

// next returns the next line; with io.EOF the last one, which has no end mark.
func (l *lines) next() ([]byte, error) {
	l.buf, l.long = l.buf[:0], false
	for {
		part, err := l.r.ReadSlice('\n')
		if err == nil && len(l.buf) == 0 && !l.long {
			return part, nil
		}
		if l.long = l.long || len(l.buf)+len(part) > maxLine; l.long {
			l.buf = l.buf[:0]
		} else {
			l.buf = append(l.buf, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.buf, err
		}
	}
}

// parser turns the lines of one log into events.
type parser struct {
	b         *builder
	log       string
	number    int   // of the line
	newest    int64 // time of a record so far
	sound     bool  // a line could be read
	over      bool  // no more is to be read
	first     string
	firstLine int
}

// line reads one line. The last has no end mark: when it cannot be read the log
// was cut in it.
func (p *parser) line(line []byte, long, last bool) {
	p.number++
	p.b.unpacked += int64(len(line))
	line = bytes.TrimSpace(line)
	if len(line) == 0 && !long {
		return
	}
	if p.b.unpacked > maxUnpacked || len(p.b.events)+len(p.b.sockets.events) == maxRecords {
		p.cut(errTooMuch.Error())
		return
	}
	var rec Record
	reason := ""
	if long {
		reason = fmt.Sprintf("it is longer than %d bytes", maxLine)
	} else if err := json.Unmarshal(line, &rec); err != nil {
		reason = err.Error()
	} else if err := rec.check(); err != nil {
		reason = err.Error()
	}
	switch {
	case reason == "":
		p.sound = true
		p.newest = max(p.newest, rec.Time.UnixNano())
		for _, bad := range p.b.add(&rec) {
			p.damage(fmt.Sprintf("%q is not an IP address", clip(bad)))
		}
	case last:
		p.cut("the log ends in it: " + reason)
	default:
		p.damage(reason)
	}
}

// cut notes that the rest of the log is lost. What it would have said of the
// time after its newest record is not known.
func (p *parser) cut(reason string) {
	p.over = true
	p.damage(reason)
	if p.newest < p.b.until {
		p.b.until = p.newest
	}
}

func (p *parser) damage(reason string) {
	if p.first == "" {
		p.first, p.firstLine = reason, p.number
	}
	b := p.b
	b.damaged++
	p.over = p.over || !p.sound && p.number >= maxDamage // it will not get better
	switch {
	case len(b.damage) < maxDamage:
		b.damage = append(b.damage, Damage{p.log, p.number, reason})
	default:
		b.damage[maxDamage-1] = Damage{p.log, p.number, fmt.Sprintf("%s; in all %d places are not listed", reason, b.damaged-maxDamage+1)}
	}
}

// timestamp is t as messages show it.
func timestamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
