package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shark/dissector/field"
	"shark/workbench"
)

// maxDump is how many bytes that are no text are shown, unless --body asks for more.
const maxDump = 256

// entryText shows one entry to people.
type entryText struct {
	out       *bufio.Writer
	catalogue *field.Catalogue
	named     bool // an identity log is there
	whole     bool // what is no text is shown too
	entry     map[string]any
}

// repeated are fields that show leaves out: each says again what another says, or
// what holds for the whole capture.
var repeated = []string{
	"stream", "flow_id", "conn_group_id", "flow_group_id", "index", "has_pcap", "has_request", "has_response", "total_size",
	"capture", "capture_source_code", "local_labels", "remote_labels", "local_resolution_status", "remote_resolution_status",
	"namespaces", "pods", "services", "dns_resolutions", "node", "node_id", "worker",
}

// all shows entries one after the other.
func (t *entryText) all(details []*workbench.Detail) error {
	for i, d := range details {
		if i > 0 {
			fmt.Fprint(t.out, "\n\n")
		}
		if err := t.write(d); err != nil {
			return err
		}
	}
	return t.out.Flush()
}

func (t *entryText) write(d *workbench.Detail) error {
	t.entry = nil
	dec := json.NewDecoder(bytes.NewReader(d.Entry))
	dec.UseNumber()
	if err := dec.Decode(&t.entry); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	var rows [][2]string
	for _, f := range t.catalogue.Fields() {
		if v, ok := t.value(f.Name); ok && !t.hides(f, v, d) {
			rows = append(rows, fieldLines(f, v)...)
		}
	}
	width := 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintln(t.out, strings.TrimRight(fmt.Sprintf("%-*s  %s", width, r[0], r[1]), " "))
	}
	t.message("REQUEST", "request", d.Request)
	t.message("RESPONSE", "response", d.Response)
	return nil
}

// value finds a field in the entry: dots lead into objects.
func (t *entryText) value(name string) (v any, ok bool) {
	v = t.entry
	for part := range strings.SplitSeq(name, ".") {
		object, _ := v.(map[string]any)
		if v, ok = object[part]; !ok {
			return nil, false
		}
	}
	return v, true
}

// hides tells whether a field says nothing that is not shown elsewhere.
func (t *entryText) hides(f *field.Field, v any, d *workbench.Detail) bool {
	same := func(name string) bool {
		other, ok := t.value(name)
		return ok && other == v
	}
	side, what, _ := strings.Cut(f.Name, ".")
	message := map[string]*workbench.Message{"request": d.Request, "response": d.Response}[side]
	switch {
	case slices.Contains(repeated, f.Name), t.catalogue.IsFlag(f), f.Alias != field.None:
		return true
	case v == false:
		return f.Name != "complete"
	case f.From != nil && strings.HasSuffix(f.From.Name, ".headers"):
		return true // worked out from a header
	case what == "headers":
		return message != nil // which shows them
	case what == "unknown":
		return !t.named && same("src.unknown") && same("dst.unknown")
	case what == "pod.name", what == "service.name":
		return same(side + ".name")
	case what == "pod.namespace", what == "service.namespace":
		return same(side + ".namespace")
	case f.Name == "capture_source":
		return v == "unspecified"
	}
	return false
}

// fieldLines is a field as name and value, in as many lines as it takes.
func fieldLines(f *field.Field, v any) (rows [][2]string) {
	add := func(name, value string) {
		rows = append(rows, [2]string{sanitize(name, false), sanitize(value, false)})
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			add(fmt.Sprintf("%s[%q]", f.Name, k), fmt.Sprint(v[k]))
		}
	case []any:
		name := f.Name
		for _, item := range v {
			add(name, fmt.Sprint(item))
			name = ""
		}
	case json.Number:
		add(f.Name, numberText(v, f.Unit))
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); f.Kind == field.Time && err == nil {
			v = at.UTC().Format("2006-01-02 15:04:05.000000000") + " UTC"
		}
		add(f.Name, v)
	default:
		add(f.Name, fmt.Sprint(v))
	}
	return rows
}

// numberText is a number with its unit.
func numberText(n json.Number, unit string) string {
	i, err := n.Int64()
	switch {
	case err != nil:
		return strings.TrimSpace(n.String() + " " + unit)
	case unit == "µs":
		return microText(i)
	case unit == "":
		return n.String()
	}
	return workbench.Count(i, unit)
}

// byteCount is an exact number of bytes.
func byteCount(n int64) string { return workbench.Count(n, "bytes") }

// message shows one side.
func (t *entryText) message(title, side string, m *workbench.Message) {
	if m == nil {
		return
	}
	fmt.Fprintf(t.out, "\n%s  %s UTC, %s", title, m.Start.UTC().Format("15:04:05.000000"), byteCount(m.Size))
	if took := m.End.Sub(m.Start).Microseconds(); took > 0 {
		fmt.Fprintf(t.out, " in %s", microText(took))
	}
	fmt.Fprintln(t.out)
	if len(m.Outline) > 0 {
		fmt.Fprintln(t.out, sanitize(string(m.Outline), true))
	}
	headers, _ := t.value(side + ".headers")
	lines, _ := headers.(map[string]any)
	if len(lines) > 0 && !isText(m.Head) {
		for _, k := range slices.Sorted(maps.Keys(lines)) {
			for line := range strings.SplitSeq(fmt.Sprint(lines[k]), "\n") {
				fmt.Fprintf(t.out, "%s: %s\n", sanitize(k, false), sanitize(line, false))
			}
		}
	} else {
		t.bytes(bytes.TrimRight(m.Head, "\r\n"))
	}
	if len(m.Body) > 0 {
		fmt.Fprintln(t.out)
		t.bytes(m.Body)
	}
	for _, note := range messageNotes(m) {
		fmt.Fprintf(t.out, "(%s)\n", sanitize(note, false))
	}
}

// bytes shows bytes: text as text, other bytes as a dump.
func (t *entryText) bytes(b []byte) {
	if len(b) == 0 {
		return
	}
	if isText(b) {
		fmt.Fprintln(t.out, strings.TrimSuffix(textOf(b), "\n"))
		return
	}
	more := len(b) - maxDump
	if t.whole || more <= 0 {
		fmt.Fprint(t.out, hex.Dump(b))
		return
	}
	fmt.Fprintf(t.out, "%s(%s more; --body shows them)\n", hex.Dump(b[:maxDump]), byteCount(int64(more)))
}

// textOf is captured text, fit for a terminal.
func textOf(b []byte) string {
	return sanitize(string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))), true)
}

// isText tells whether b reads as text: UTF-8 with few characters that are none. It
// may begin or end within a character.
func isText(b []byte) bool {
	odd, all := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f {
			odd++
		}
		all++
		b = b[n:]
	}
	return odd*20 <= all
}
