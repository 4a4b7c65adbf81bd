package main

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// widthSample is how many rows a table looks at before it settles its widths.
const widthSample = 200

// maxCell is how wide a cell of a table gets; what is longer is cut, in a table
// only.
const maxCell = 60

// rowWriter writes rows under a header in one of the forms of --output.
type rowWriter interface {
	row(cells []string) error
	flush() // whoever reads is to see what is there; close tells of errors
	close() error
}

// tableWriter lines rows up in columns.
type tableWriter struct {
	out    *bufio.Writer
	right  []bool // columns of numbers
	widths []int
	held   [][]string
	wide   bool // cells are not cut
}

func newTable(out io.Writer, header []string, right []bool, wide bool) *tableWriter {
	return &tableWriter{out: bufio.NewWriter(out), right: right, held: [][]string{header}, wide: wide}
}

func (t *tableWriter) row(cells []string) error {
	for i, c := range cells {
		cells[i] = t.cell(c)
	}
	if t.widths == nil {
		t.held = append(t.held, cells)
		if len(t.held) > widthSample {
			return t.settle()
		}
		return nil
	}
	return t.line(cells)
}

// cell makes a text fit.
func (t *tableWriter) cell(s string) string {
	s = sanitize(s, false)
	if !t.wide && utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell-1]) + "…"
	}
	return s
}

// settle fixes the widths and writes what was held.
func (t *tableWriter) settle() error {
	t.widths = make([]int, len(t.held[0]))
	for _, cells := range t.held {
		for i, c := range cells {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range t.held {
		if err := t.line(cells); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

func (t *tableWriter) line(cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(c)))
		if t.right[i] {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	_, err := t.out.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	return err
}

func (t *tableWriter) close() error {
	if t.widths == nil {
		if err := t.settle(); err != nil {
			return err
		}
	}
	return t.out.Flush()
}

func (t *tableWriter) flush() {
	if t.widths == nil {
		_ = t.settle() // an error of a bufio.Writer stays
	}
	_ = t.out.Flush()
}

// csvWriter writes RFC 4180. A cell that a spreadsheet would take for a formula
// gets an apostrophe in front. What a terminal acts upon is made visible, into a file
// too, which somebody will look at; there line ends and tabs stay. JSON has the exact text.
type csvWriter struct {
	out      *bufio.Writer
	terminal bool
}

func newCSV(out io.Writer, header []string, terminal bool) (*csvWriter, error) {
	w := &csvWriter{bufio.NewWriter(out), terminal}
	return w, w.row(header)
}

func (c *csvWriter) row(cells []string) error {
	for i, s := range cells {
		if i > 0 {
			c.out.WriteByte(',')
		}
		c.out.WriteString(csvCell(sanitize(s, !c.terminal)))
	}
	_, err := c.out.WriteString("\n")
	return err
}

func (c *csvWriter) flush()       { _ = c.out.Flush() }
func (c *csvWriter) close() error { return c.out.Flush() }

// formulaSigns are what spreadsheets take for the beginning of a formula, after
// spaces too; among them the wide forms that some of them fold into the plain ones.
const formulaSigns = "=+-@\t\r\n＝＋－＠"

// csvCell writes a cell. What could be taken apart, by a semicolon too, which is
// the comma of half of the world's spreadsheets, is quoted.
func csvCell(s string) string {
	if text := strings.TrimLeft(s, " "); strings.IndexAny(text, formulaSigns) == 0 && !isNumber(text) {
		s = "'" + s
	}
	if !strings.ContainsAny(s, "\",;\t\r\n'|") && strings.TrimSpace(s) == s {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// isNumber tells whether s is a plain number, which no spreadsheet computes.
func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789.") == ""
}
