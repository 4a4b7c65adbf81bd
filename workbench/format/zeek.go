package format

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shark/dissector/field"
	"shark/workbench/index"
)

// zeek writes logs in the form of Zeek's: tab-separated values below lines that say what
// they are. The columns are those of Zeek, with the names of both ends behind them; what
// is not known is unset (-).
type zeek struct {
	values
	create  func(name string) (io.WriteCloser, error)
	began   time.Time
	logs    map[string]*zeekLog
	skipped int64
}

// zeekLog is one of the logs.
type zeekLog struct {
	out  *bufio.Writer
	file io.WriteCloser
}

// zeekColumn is one column of a log.
type zeekColumn struct {
	name, kind string
	text       func(z *zeek, r *index.Row) string // written as Zeek writes it
}

// NewZeek begins logs, which create makes the files of, each before its first entry: conn,
// http, dns. Entries of other protocols have no place in them. began stands in their head.
func NewZeek(create func(name string) (io.WriteCloser, error), c *field.Catalogue, began time.Time) Writer {
	return &zeek{values: newValues(c), create: create, began: began, logs: make(map[string]*zeekLog)}
}

// Write implements Writer.
func (z *zeek) Write(r *index.Row) error {
	for _, name := range []string{"conn", "http", "dns"} {
		if z.is(r, name) {
			return z.line(name, r)
		}
	}
	z.skipped++
	return nil
}

// Skipped implements Writer.
func (z *zeek) Skipped() int64 { return z.skipped }

// line writes an entry to a log.
func (z *zeek) line(name string, r *index.Row) error {
	columns := zeekLogs[name]
	log := z.logs[name]
	if log == nil {
		file, err := z.create(name + ".log")
		if err != nil {
			return err
		}
		log = &zeekLog{bufio.NewWriterSize(file, 1<<16), file}
		z.logs[name] = log
		log.head(name, columns, z.began)
	}
	for i, c := range columns {
		if i > 0 {
			log.out.WriteByte('\t')
		}
		log.out.WriteString(c.text(z, r))
	}
	return log.out.WriteByte('\n')
}

const zeekTime = "2006-01-02-15-04-05"

func (l *zeekLog) head(path string, columns []zeekColumn, began time.Time) {
	fmt.Fprintf(l.out, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#open\t%s\n#fields", path, began.UTC().Format(zeekTime))
	for _, c := range columns {
		l.out.WriteString("\t" + c.name)
	}
	l.out.WriteString("\n#types")
	for _, c := range columns {
		l.out.WriteString("\t" + c.kind)
	}
	l.out.WriteByte('\n')
}

// Close implements Writer. It closes the files that create made.
func (z *zeek) Close() error {
	var errs []error
	for _, l := range z.logs {
		fmt.Fprintf(l.out, "#close\t%s\n", z.began.UTC().Format(zeekTime))
		errs = append(errs, l.out.Flush(), l.file.Close())
	}
	return errors.Join(errs...)
}

const unset = "-"

// zeekText writes a text: what would be read as something else, and what is not ASCII's
// printable part, as \x and two digits, or in UTF-8.
func zeekText(s string) string { return zeekEscape(s, "") }

func zeekEscape(s, also string) string {
	switch s {
	case "":
		return "(empty)"
	case "-":
		return `\x2d`
	case "(empty)":
		return `\x28empty)`
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || strings.ContainsRune(also, r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\\' || strings.ContainsRune(also, r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// zeekList writes a vector or set.
func zeekList(list []string) string {
	if len(list) == 0 {
		return unset
	}
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = zeekEscape(s, ",")
	}
	return strings.Join(parts, ",")
}

// micros writes a time in µs as seconds.
func micros(us int64) string { return fmt.Sprintf("%d.%06d", us/1e6, us%1e6) }

// maybe is text, or unset where there is none.
func maybe(s string) string {
	if s == "" {
		return unset
	}
	return zeekText(s)
}

func truth(b bool) string {
	if b {
		return "T"
	}
	return "F"
}

// Columns that are made of one field.
func textColumn(name, f string) zeekColumn {
	return zeekColumn{name, "string", func(z *zeek, r *index.Row) string { return maybe(z.text(r, f)) }}
}

func countColumn(name, f string) zeekColumn {
	return zeekColumn{name, "count", func(z *zeek, r *index.Row) string {
		if n, ok := z.value(r, f); ok {
			return fmt.Sprint(n)
		}
		return unset
	}}
}

func listColumn(name, kind, f string) zeekColumn {
	return zeekColumn{name, kind, func(z *zeek, r *index.Row) string { return zeekList(z.list(r, f)) }}
}

func boolColumn(name, f string) zeekColumn {
	return zeekColumn{name, "bool", func(z *zeek, r *index.Row) string { return truth(z.is(r, f)) }}
}

// unknownColumn is one that Zeek knows and we do not.
func unknownColumn(name, kind string) zeekColumn {
	return zeekColumn{name, kind, func(*zeek, *index.Row) string { return unset }}
}

func zeekAddr(name, f string) zeekColumn {
	return zeekColumn{name, "addr", func(z *zeek, r *index.Row) string {
		if a, err := netip.ParseAddr(z.text(r, f)); err == nil {
			return a.String()
		}
		return unset
	}}
}

func zeekPort(name, f string) zeekColumn {
	return zeekColumn{name, "port", func(z *zeek, r *index.Row) string { return strconv.FormatInt(z.number(r, f), 10) }}
}

// ends is what each line begins with, names what it ends with.
var (
	zeekEnds = []zeekColumn{
		{"ts", "time", func(z *zeek, r *index.Row) string { return micros(z.time(r).UnixMicro()) }},
		{"uid", "string", func(z *zeek, r *index.Row) string { return "C" + z.text(r, "stream") }},
		zeekAddr("id.orig_h", "src.ip"), zeekPort("id.orig_p", "src.port"), zeekAddr("id.resp_h", "dst.ip"), zeekPort("id.resp_p", "dst.port"),
	}
	zeekNames = []zeekColumn{
		{"orig_name", "string", func(z *zeek, r *index.Row) string { return maybe(z.who(r, "src")) }},
		{"resp_name", "string", func(z *zeek, r *index.Row) string { return maybe(z.who(r, "dst")) }},
	}
)
