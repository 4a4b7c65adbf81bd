package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
		Use:   "show SNAPSHOT... ENTRY",
		Short: "Show one entry in full: fields, headers, bodies, times",
		Long: `Show one entry in full. Headers and bodies are read from the packets; bodies are
shown as the application saw them: put together, decompressed.`,
		Example: `  shark show outage.pcap 1234
  shark show outage.pcap 1234 -o json | jq -r .response.body`,
		Args:              argsAtLeast(2),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runShow(cmd.Context(), a, args, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "table", "form of the answer: table, json")
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.Var(&o.body, "body", "show at most so much of each body (default 64Ki)")
	f.BoolVar(&o.raw, "raw", false, "write the response's body, or else the request's, as it is")
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

func runShow(ctx context.Context, a *app, args []string, o showOptions) error {
	if o.output != "table" && o.output != "json" {
		return usagef("--output %q: one of table, json", o.output)
	}
	id, err := entryID(args[len(args)-1])
	if err != nil {
		return err
	}
	e, err := a.open(ctx, args[:len(args)-1], o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	d, err := e.Show(ctx, id, int(o.body))
	if err != nil {
		return err
	}
	a.bar.clear()
	switch {
	case o.raw:
		m := d.Response
		if m == nil || len(m.Body) == 0 {
			m = d.Request
		}
		if m == nil {
			return usagef("entry %d has no bytes of its own", id)
		}
		if _, err := a.out.Write(m.Body); err != nil {
			return err
		}
	case o.output == "json":
		if err := a.showJSON(d); err != nil {
			return err
		}
	default:
		if err := a.showText(d); err != nil {
			return err
		}
	}
	return a.footer(fmt.Sprintf("entry %d", id), d.Coverage, nil)
}

// messageJSON is a message in JSON: text where it is text, else base64.
type messageJSON struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Size     int64     `json:"size"`
	Lost     int64     `json:"lost,omitempty"`
	Head     string    `json:"head,omitempty"`
	Body     string    `json:"body,omitempty"`
	Encoding string    `json:"encoding,omitempty"` // base64 of head and body, where they are not text
	BodySize int64     `json:"body_size,omitempty"`
	Cut      bool      `json:"cut,omitempty"`
	Note     string    `json:"note,omitempty"`
}

func newMessageJSON(m *workbench.Message) *messageJSON {
	if m == nil {
		return nil
	}
	out := &messageJSON{Start: m.Start, End: m.End, Size: m.Size, Lost: m.Lost, BodySize: m.BodySize, Cut: m.Cut, Note: m.Note}
	out.Head, out.Body = string(m.Head), string(m.Body)
	if !utf8.Valid(m.Head) || !utf8.Valid(m.Body) {
		out.Encoding = "base64"
		out.Head, out.Body = base64.StdEncoding.EncodeToString(m.Head), base64.StdEncoding.EncodeToString(m.Body)
	}
	return out
}

func (a *app) showJSON(d *workbench.Detail) error {
	return a.writeJSON(struct {
		Entry    json.RawMessage    `json:"entry"`
		Request  *messageJSON       `json:"request,omitempty"`
		Response *messageJSON       `json:"response,omitempty"`
		Packets  []uint64           `json:"packets"`
		Coverage workbench.Coverage `json:"coverage"`
	}{d.Entry, newMessageJSON(d.Request), newMessageJSON(d.Response), d.Packets, d.Coverage})
}

func (a *app) showText(d *workbench.Detail) error {
	var fields bytes.Buffer
	if err := json.Indent(&fields, d.Entry, "", "  "); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(a.out, sanitize(fields.String(), true)); err != nil {
		return err
	}
	for _, m := range []struct {
		title string
		*workbench.Message
	}{{"REQUEST", d.Request}, {"RESPONSE", d.Response}} {
		if m.Message == nil {
			continue
		}
		if err := a.showMessage(m.title, m.Message); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) showMessage(title string, m *workbench.Message) error {
	took := microText(m.End.Sub(m.Start).Microseconds())
	fmt.Fprintf(a.out, "\n%s  %s, %s in %s\n", title, m.Start.Format("15:04:05.000000"), byteText(m.Size), took)
	if m.Lost > 0 {
		fmt.Fprintf(a.out, "(%s of it were never captured)\n", byteText(m.Lost))
	}
	fmt.Fprint(a.out, a.bytesText(m.Head))
	if len(m.Body) > 0 || m.BodySize > 0 {
		fmt.Fprintf(a.out, "\n%s", a.bytesText(m.Body))
	}
	if m.Note != "" {
		fmt.Fprintf(a.out, "(body %s)\n", sanitize(m.Note, false))
	}
	if m.Cut {
		fmt.Fprintln(a.out, "(the body goes on: --body shows more)")
	}
	return nil
}

// bytesText shows bytes: text as text, other bytes as a dump.
func (a *app) bytesText(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	if isText(b) {
		out := sanitize(string(b), true)
		if out[len(out)-1] != '\n' {
			out += "\n"
		}
		return out
	}
	return hex.Dump(b)
}

// isText tells whether b is UTF-8 with few control characters; it may end within
// a character.
func isText(b []byte) bool {
	odd := 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 && utf8.FullRune(b) {
			return false
		}
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' {
			odd++
		}
		b = b[n:]
	}
	return odd == 0
}
