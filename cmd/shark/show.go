package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"shark/workbench"
)

type showOptions struct {
	output   string
	identity string
	body     byteSize
	raw      bool
}

func newShow(a *app) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show SNAPSHOT... ENTRY...",
		Short: "Show entries in full: fields, headers, bodies, times",
		Long: `Show entries in full: their fields under their KFL names, then what was sent.
Binary messages are written out in lines where their fields do not say it all.
Headers and bodies are read from the packets; bodies are shown as the application
saw them: put together, decompressed. An ENTRY is a number as in the first column
of shark query. -o json has all fields, those too that repeat others.`,
		Example: `  shark show outage.pcap 1234
  shark show outage.pcap 1234 1235
  shark show outage.pcap 1234 -o json | jq -r .response.body
  shark show outage.pcap 1234 --raw > picture.png`,
		Args:              argsAtLeast(2),
		ValidArgsFunction: a.completeFirst,
		RunE:              func(cmd *cobra.Command, args []string) error { return runShow(cmd.Context(), a, args, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "table", "form of the answer: table, json")
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.Var(&o.body, "body", "show at most so much of each body (default 64Ki; with --raw all)")
	f.BoolVar(&o.raw, "raw", false, "write the response's body, or else the request's, as it is")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	return cmd
}

// entryID reads an entry's id.
func entryID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, usagef("%q is not the id of an entry: a number as in the first column of shark query", s)
	}
	return id, nil
}

// splitEntries parts the arguments into snapshots and the entries at their end. A
// number that is the name of a file is one, except as the last argument.
func splitEntries(args []string) (refs []string, ids []int64, err error) {
	n := len(args) - 1
	for n > 1 && isEntry(args[n-1]) {
		n--
	}
	for _, s := range args[n:] {
		id, err := entryID(s)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	return args[:n], ids, nil
}

// isEntry tells whether an argument that may be either is an entry, not a file.
func isEntry(s string) bool {
	if _, err := entryID(s); err != nil {
		return false
	}
	_, err := os.Stat(s)
	return err != nil
}

func (o *showOptions) check(a *app, ids []int64) error {
	switch {
	case o.output != "table" && o.output != "json":
		return usagef("--output %q: one of table, json", o.output)
	case o.raw && a.terminal:
		return usagef("raw bytes are not for a terminal: send standard output to a file or a program")
	case o.raw && len(ids) > 1:
		return usagef("--raw writes the body of one entry, and %d are named", len(ids))
	}
	return nil
}

func runShow(ctx context.Context, a *app, args []string, o showOptions) error {
	refs, ids, err := splitEntries(args)
	if err != nil {
		return err
	}
	if err := o.check(a, ids); err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	e, err := a.openWith(ctx, w, refs, o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	body := int(o.body)
	if o.raw && body == 0 {
		body = workbench.MaxBody
	}
	// All are found before the first is shown: an answer is whole or an error.
	details := make([]*workbench.Detail, len(ids))
	for i, id := range ids {
		if details[i], err = e.Show(ctx, id, body); err != nil {
			return err
		}
	}
	a.bar.clear()
	switch {
	case o.raw:
		err = a.showRaw(ids[0], details[0])
	case o.output == "json":
		err = a.showJSON(details)
	default:
		t := entryText{out: bufio.NewWriter(a.out), catalogue: w.Catalogue(), named: e.Named(), whole: o.body > 0}
		err = t.all(details)
	}
	if err != nil {
		return err
	}
	what := fmt.Sprintf("entry %d", ids[0])
	if len(ids) > 1 {
		what = workbench.Count(int64(len(ids)), "entries")
	}
	return a.footer(what, coverageOf(details), nil)
}

// coverageOf is what is missing from any of several entries of the same evidence.
func coverageOf(details []*workbench.Detail) workbench.Coverage {
	c := details[0].Coverage
	for _, d := range details[1:] {
		c.Partial = c.Partial || d.Coverage.Partial
		for _, n := range d.Coverage.Notes {
			if !slices.Contains(c.Notes, n) {
				c.Notes = append(c.Notes, n)
			}
		}
	}
	return c
}

// showRaw writes a body, and says on stderr what is missing from it.
func (a *app) showRaw(id int64, d *workbench.Detail) error {
	m := d.Response
	if m == nil || len(m.Body) == 0 && d.Request != nil {
		m = d.Request
	}
	if m == nil {
		return usagef("entry %d has no bytes of its own, or its packets are not at hand", id)
	}
	if _, err := a.out.Write(m.Body); err != nil {
		return err
	}
	for _, note := range messageNotes(m) {
		fmt.Fprintln(a.err, "  "+sanitize(note, false))
	}
	d.Coverage.Partial = d.Coverage.Partial || m.Cut || m.Lost > 0
	return nil
}

// messageNotes says what of a message is not as the application saw it.
func messageNotes(m *workbench.Message) (notes []string) {
	if m.Lost > 0 {
		notes = append(notes, byteCount(m.Lost)+" of the message never captured")
	}
	for _, p := range m.Parts {
		text := "part"
		for _, t := range []string{p.Name, p.Filename, p.ContentType} {
			if t != "" {
				text += " " + t
			}
		}
		notes = append(notes, text+", "+byteText(p.Size))
	}
	if m.Note != "" {
		notes = append(notes, "the body "+m.Note)
	}
	if m.Cut {
		notes = append(notes, fmt.Sprintf("the body goes on: these are its first %s; --body sets how many, up to %s",
			byteCount(int64(len(m.Body))), byteText(workbench.MaxBody)))
	}
	return notes
}

// messageJSON is a message in JSON: text where it is text, else base64.
type messageJSON struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Size     int64     `json:"size"`
	Lost     int64     `json:"lost,omitempty"`
	Outline  string    `json:"outline,omitempty"` // what it says, in lines
	Head     string    `json:"head,omitempty"`
	Body     string    `json:"body,omitempty"`
	Encoding string    `json:"encoding,omitempty"` // base64 of head and body, where they are not text
	BodySize int64     `json:"body_size,omitempty"`
	Cut      bool      `json:"cut,omitempty"`
	Note     string    `json:"note,omitempty"`
	Parts    any       `json:"parts,omitempty"` // of a multipart body
}

func newMessageJSON(m *workbench.Message) *messageJSON {
	if m == nil {
		return nil
	}
	out := &messageJSON{Start: m.Start, End: m.End, Size: m.Size, Lost: m.Lost, Outline: string(m.Outline), BodySize: m.BodySize, Cut: m.Cut, Note: m.Note}
	if len(m.Parts) > 0 {
		out.Parts = m.Parts
	}
	out.Head, out.Body = string(m.Head), string(m.Body)
	if !utf8.Valid(m.Head) || !utf8.Valid(m.Body) { // JSON could not tell the bytes apart
		out.Encoding = "base64"
		out.Head, out.Body = base64.StdEncoding.EncodeToString(m.Head), base64.StdEncoding.EncodeToString(m.Body)
	}
	return out
}

// detailJSON is an entry in full in JSON.
type detailJSON struct {
	Entry    json.RawMessage     `json:"entry"`
	Request  *messageJSON        `json:"request,omitempty"`
	Response *messageJSON        `json:"response,omitempty"`
	Packets  []uint64            `json:"packets"`
	Coverage *workbench.Coverage `json:"coverage,omitempty"` // where it is not said once for several
}

// showJSON writes one entry as an object, several as a list in one.
func (a *app) showJSON(details []*workbench.Detail) error {
	list := make([]detailJSON, len(details))
	for i, d := range details {
		list[i] = detailJSON{Entry: d.Entry, Request: newMessageJSON(d.Request), Response: newMessageJSON(d.Response), Packets: d.Packets}
	}
	coverage := coverageOf(details)
	if len(list) == 1 {
		list[0].Coverage = &coverage
		return a.writeJSON(list[0])
	}
	return a.writeJSON(struct {
		Entries  []detailJSON       `json:"entries"`
		Coverage workbench.Coverage `json:"coverage"`
	}{list, coverage})
}
