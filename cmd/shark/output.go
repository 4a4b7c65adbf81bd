package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"shark/workbench"
)

// The forms of --output.
var outputForms = []string{"table", "wide", "json", "jsonl", "csv"}

// outputFlag adds --output to a command.
func outputFlag(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", "table", "form of the answer: "+strings.Join(outputForms, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputForms, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
}

func checkOutput(form string) error {
	if !slices.Contains(outputForms, form) {
		return usagef("--output %q: one of %s", form, strings.Join(outputForms, ", "))
	}
	return nil
}

// rows makes the writer of a form that has rows of cells.
func (a *app) rows(form string, header []string, right []bool) (rowWriter, error) {
	if form == "csv" {
		return newCSV(a.out, header, a.terminal)
	}
	titles := make([]string, len(header))
	for i, h := range header {
		titles[i] = strings.ToUpper(h)
	}
	return newTable(a.out, titles, right, form == "wide"), nil
}

// askedText names the part of the time that was asked about, if it was a part.
func askedText(w *workbench.Window) string {
	if w == nil {
		return ""
	}
	const form = time.DateTime + ".999"
	text := ", of which"
	if !w.From.IsZero() {
		text += " from " + w.From.Format(form)
	}
	if !w.To.IsZero() {
		text += " to before " + w.To.Format(form)
	}
	return text + " UTC"
}

// footer tells on stderr what the answer is about and what is missing, and makes
// the command's exit code out of it.
func (a *app) footer(what string, c workbench.Coverage, hints []string) error {
	a.bar.clear()
	if !a.quiet {
		line := what
		if c.Packets > 0 {
			to := c.To.Format(time.TimeOnly)
			if severalDays(c) {
				to = c.To.Format(time.DateTime)
			}
			line += fmt.Sprintf(" · %s to %s UTC · %s", c.From.Format(time.DateTime), to, workbench.Count(c.Packets, "packets"))
			line += askedText(c.Asked)
		}
		fmt.Fprintln(a.err, sanitize(line, false))
	}
	if !a.quiet || c.Partial {
		for _, n := range c.Notes {
			fmt.Fprintln(a.err, "  "+sanitize(oneLine(n), false))
		}
	}
	if !a.quiet {
		for _, h := range hints {
			fmt.Fprintln(a.err, "  hint: "+sanitize(h, false))
		}
	}
	switch {
	case c.Unsound:
		return errUnsound
	case c.Partial:
		return errPartial
	}
	return nil
}

// severalDays tells whether the time of a day is not enough to tell when.
func severalDays(c workbench.Coverage) bool {
	return c.From.UTC().Format(time.DateOnly) != c.To.UTC().Format(time.DateOnly)
}

// writeJSON writes one value.
func (a *app) writeJSON(v any) error {
	b, err := encodeJSON(v, "  ")
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}

// encodeJSON writes JSON as people read it: & and < stay what they are, but what a
// terminal acts upon is escaped. It ends with a line feed.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeJSON(b.Bytes()), nil
}

// escapeJSON escapes the control characters that JSON allows as they are: outside
// of texts JSON has none.
func escapeJSON(b []byte) []byte {
	unsafe := func(r rune) bool { return r >= 0x7f && (r <= 0x9f || unicode.Is(unicode.Bidi_Control, r)) }
	if bytes.IndexFunc(b, unsafe) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if unsafe(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// list writes values as a JSON object of a list and its coverage, piece by piece:
// it may be longer than memory.
type list struct {
	out   *bufio.Writer
	n     int
	lines bool // one value a line and nothing else
}

func newList(a *app, name string, lines bool) *list {
	l := &list{out: bufio.NewWriter(a.out), lines: lines}
	if !lines {
		fmt.Fprintf(l.out, "{%q: [", name)
	}
	return l
}

// add adds a value in JSON.
func (l *list) add(value []byte) error {
	if !l.lines {
		if l.n > 0 {
			l.out.WriteByte(',')
		}
		l.out.WriteString("\n  ")
	}
	l.n++
	if _, err := l.out.Write(escapeJSON(bytes.TrimSuffix(value, []byte("\n")))); err != nil {
		return err
	}
	if l.lines {
		return l.out.WriteByte('\n')
	}
	return nil
}

// flush has whoever reads see what is there; close tells of errors.
func (l *list) flush() { _ = l.out.Flush() }

// close ends the list. more says that it was cut by a limit; hints are what probably was not meant.
func (l *list) close(more bool, c workbench.Coverage, hints []string) error {
	if !l.lines {
		b, err := encodeJSON(c, "")
		if err != nil {
			return err
		}
		if l.n > 0 {
			l.out.WriteByte('\n')
		}
		if l.out.WriteByte(']'); more {
			l.out.WriteString(`, "more": true`)
		}
		fmt.Fprintf(l.out, `, "coverage": %s`, bytes.TrimSpace(b))
		if len(hints) > 0 {
			if b, err = encodeJSON(hints, ""); err != nil {
				return err
			}
			fmt.Fprintf(l.out, `, "hints": %s`, bytes.TrimSpace(b))
		}
		l.out.WriteString("}\n")
	}
	return l.out.Flush()
}
