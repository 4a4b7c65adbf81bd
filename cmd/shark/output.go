package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

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
		return newCSV(a.out, header)
	}
	titles := make([]string, len(header))
	for i, h := range header {
		titles[i] = strings.ToUpper(strings.ReplaceAll(h, "_", " "))
	}
	return newTable(a.out, titles, right, form == "wide"), nil
}

// footer tells on stderr what the answer is about and what is missing, and makes
// the command's exit code out of it.
func (a *app) footer(what string, c workbench.Coverage, hints []string) error {
	a.bar.clear()
	if !a.quiet {
		line := what
		if c.Packets > 0 {
			line += fmt.Sprintf(" · %s to %s UTC · %s", c.From.Format("2006-01-02 15:04:05"), c.To.Format("15:04:05"), count(c.Packets, "packets"))
		}
		fmt.Fprintln(a.err, sanitize(line, false))
	}
	if !a.quiet || c.Partial {
		for _, n := range c.Notes {
			fmt.Fprintln(a.err, "  "+sanitize(n, false))
		}
	}
	for _, h := range hints {
		fmt.Fprintln(a.err, "  hint: "+sanitize(h, false))
	}
	if c.Partial {
		return errPartial
	}
	return nil
}

// writeJSON writes one value.
func (a *app) writeJSON(v any) error {
	enc := newEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// newEncoder writes JSON as people read it: & and < stay what they are.
func newEncoder(out io.Writer) *json.Encoder {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc
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

func (l *list) add(value []byte) error {
	if !l.lines {
		if l.n > 0 {
			l.out.WriteByte(',')
		}
		l.out.WriteString("\n  ")
	}
	l.n++
	if _, err := l.out.Write(value); err != nil {
		return err
	}
	if l.lines {
		return l.out.WriteByte('\n')
	}
	return nil
}

func (l *list) close(c workbench.Coverage) error {
	if !l.lines {
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		fmt.Fprintf(l.out, "\n], \"coverage\": %s}\n", b)
	}
	return l.out.Flush()
}
