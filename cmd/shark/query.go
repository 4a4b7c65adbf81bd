package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shark/dissector/field"
	"shark/workbench"
	"shark/workbench/index"
)

// terminalLimit is how many entries are shown on a terminal if nothing is said.
const terminalLimit = 100

// windowOptions are the flags of all commands that look at a part of the time.
type windowOptions struct{ from, to timeFlag }

func (o *windowOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().Var(&o.from, "from", "only from this time on: RFC 3339, local, or -15m before the end")
	cmd.Flags().Var(&o.to, "to", "only before this time")
}

type queryOptions struct {
	windowOptions
	output   string
	limit    int
	newest   bool
	fields   []string
	identity string
	explain  bool
}

func newQuery(a *app) *cobra.Command {
	var o queryOptions
	cmd := &cobra.Command{
		Use:   "query SNAPSHOT... [KFL]",
		Short: "List the entries that a KFL expression selects",
		Long: `List the entries that a KFL expression selects, in the order of time. An entry is
a call, a one-way message, a connection (conn) or a flow (flow); without an
expression calls and messages are listed. An argument that names an existing file
is a SNAPSHOT.`,
		Example: `  shark query outage.pcap 'http && status_code >= 500'
  shark query outage.pcap 'dns && status == "NXDOMAIN"' --from -15m
  shark query a.pcap b.pcap 'redis && elapsed_time > 100000' -o jsonl
  shark query outage.pcap 'http' --fields timestamp,src.name,path,status_code -o csv`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runQuery(cmd.Context(), a, args, o) },
	}
	o.addFlags(cmd)
	outputFlag(cmd, &o.output)
	f := cmd.Flags()
	f.IntVarP(&o.limit, "limit", "n", -1, "at most so many entries; 0 for all (default 100 on a terminal, else all)")
	f.BoolVar(&o.newest, "newest", false, "newest first")
	f.StringSliceVar(&o.fields, "fields", nil, "only these fields, such as timestamp,src.name,path")
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.BoolVar(&o.explain, "explain", false, "tell how the query is answered, instead of answering it")
	_ = cmd.RegisterFlagCompletionFunc("fields", a.completeField) // fails only if the flag is missing
	return cmd
}

// splitQuery parts the arguments into snapshots and the expression.
func splitQuery(args []string) (refs []string, expr string) {
	if len(args) == 1 {
		return args, ""
	}
	last := args[len(args)-1]
	if _, err := os.Stat(last); err == nil {
		return args, ""
	}
	return args[:len(args)-1], last
}

func runQuery(ctx context.Context, a *app, args []string, o queryOptions) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	refs, expr := splitQuery(args)
	w, err := a.workbench()
	if err != nil {
		return err
	}
	if o.explain {
		text, err := w.Explain(expr)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.out, text)
		return err
	}
	fields, err := lookupFields(w, o.fields)
	if err != nil {
		return err
	}
	if expr == "" {
		expr = "!conn && !flow"
	}
	if o.limit < 0 {
		o.limit = 0
		if isTerminal(a.out) {
			o.limit = terminalLimit
		}
	}
	e, err := w.Open(ctx, refs, workbench.OpenOptions{Identity: o.identity, Stdin: a.in})
	if err != nil {
		return err
	}
	defer e.Close()
	answer, err := e.Query(ctx, workbench.Query{KFL: expr, From: o.from.When, To: o.to.When, Limit: o.limit, Newest: o.newest})
	if err != nil {
		return err
	}
	n, err := a.writeEntries(w, answer, fields, o.output)
	if err != nil {
		return err
	}
	what := count(n, "entries")
	if o.limit > 0 && n == int64(o.limit) {
		what += " shown (--limit 0 for all)"
	}
	return a.footer(what, answer.Coverage, answer.Hints)
}

// lookupFields finds fields by their names.
func lookupFields(w *workbench.Workbench, names []string) ([]*field.Field, error) {
	out := make([]*field.Field, len(names))
	for i, n := range names {
		if out[i] = w.Catalogue().Lookup(n); out[i] == nil {
			return nil, usagef("there is no field %q; shark fields lists them", n)
		}
	}
	return out, nil
}

// writeEntries writes all rows of an answer.
func (a *app) writeEntries(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, form string) (int64, error) {
	if form == "json" || form == "jsonl" {
		return a.writeEntryJSON(w, answer, fields, form == "jsonl")
	}
	columns := entryColumns(w, fields, form)
	header, right := make([]string, len(columns)), make([]bool, len(columns))
	for i, c := range columns {
		header[i], right[i] = c.name, c.right
	}
	out, err := a.rows(form, header, right)
	if err != nil {
		return 0, err
	}
	var n int64
	for row, err := range answer.Rows {
		if err != nil {
			return n, err
		}
		a.bar.clear()
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.text(row)
		}
		if err := out.row(cells); err != nil {
			return n, err
		}
		n++
	}
	return n, out.close()
}

func (a *app) writeEntryJSON(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, lines bool) (int64, error) {
	enc := w.JSON(fields...)
	out := newList(a, "entries", lines)
	var buf []byte
	for row, err := range answer.Rows {
		if err != nil {
			return int64(out.n), err
		}
		a.bar.clear()
		if buf, err = enc.Append(buf[:0], row); err != nil {
			return int64(out.n), err
		}
		if err := out.add(buf); err != nil {
			return int64(out.n), err
		}
	}
	return int64(out.n), out.close(answer.Coverage)
}

// column is one column of a table of entries.
type column struct {
	name  string
	right bool
	text  func(*index.Row) string
}

// entryColumns chooses the columns: the fields asked for, or what people look at.
func entryColumns(w *workbench.Workbench, fields []*field.Field, form string) []column {
	if len(fields) == 0 && form == "csv" {
		fields = csvFields(w)
	}
	if len(fields) > 0 {
		out := make([]column, len(fields))
		for i, f := range fields {
			out[i] = column{f.Name, f.Kind == field.Int || f.Kind == field.Float, func(r *index.Row) string { return plain(f, r) }}
		}
		return out
	}
	get := func(name string) func(*index.Row) string {
		f := w.Catalogue().Lookup(name)
		return func(r *index.Row) string { return plain(f, r) }
	}
	elapsed, size := w.Catalogue().Lookup("elapsed_time"), w.Catalogue().Lookup("total_size")
	columns := []column{
		{"id", true, get("id")},
		{"time", false, func(r *index.Row) string {
			return r.Value(field.Timestamp).(time.Time).UTC().Format("15:04:05.000000")
		}},
		{"from", false, func(r *index.Row) string {
			return endText(r, field.SrcName, field.SrcIP, field.SrcPort, form == "wide")
		}},
		{"to", false, func(r *index.Row) string { return endText(r, field.DstName, field.DstIP, field.DstPort, true) }},
		{"protocol", false, get("protocol")},
		{"operation", false, get("operation")},
		{"summary", false, get("summary")},
		{"status", false, get("status")},
		{"elapsed", true, func(r *index.Row) string {
			v, ok := r.Get(elapsed)
			if !ok {
				return ""
			}
			return microText(v.(int64))
		}},
		{"size", true, func(r *index.Row) string { return byteText(r.Value(size).(int64)) }},
		{"marks", false, markText(w)},
	}
	if form == "wide" {
		columns = append(columns, column{"connection", true, get("conn_id")}, column{"packets", false, func(r *index.Row) string {
			return fmt.Sprintf("%d-%d", r.Value(field.FirstPacket.Field), r.Value(field.LastPacket.Field))
		}})
	}
	return columns
}

// csvFields are the columns of CSV if none are asked for.
func csvFields(w *workbench.Workbench) []*field.Field {
	names := []string{
		"id", "timestamp", "src.ip", "src.port", "src.name", "src.namespace", "dst.ip", "dst.port", "dst.name", "dst.namespace",
		"protocol", "operation", "summary", "status", "status_code", "failed", "elapsed_time", "request_size", "response_size", "complete", "conn_id",
	}
	out := make([]*field.Field, len(names))
	for i, n := range names {
		out[i] = w.Catalogue().Lookup(n)
	}
	return out
}

// endText is who one end of an entry is.
func endText(r *index.Row, name field.TextField, ip field.TextField, port field.IntField, withPort bool) string {
	out := r.Value(name.Field).(string)
	if out == "" {
		out = r.Value(ip.Field).(string)
	}
	if p := r.Value(port.Field).(int64); withPort && p > 0 {
		if strings.Contains(out, ":") {
			out = "[" + out + "]"
		}
		out += fmt.Sprintf(":%d", p)
	}
	return out
}

// markText lists what is not certain or not complete about an entry.
func markText(w *workbench.Workbench) func(*index.Row) string {
	names := []string{"truncated", "resumed", "unpaired", "evicted"}
	return func(r *index.Row) string {
		var out []string
		if r.Value(field.LostBytes.Field).(int64) > 0 {
			out = append(out, "lost")
		}
		for _, n := range names {
			if r.Value(w.Catalogue().Lookup(n)) == true {
				out = append(out, n)
			}
		}
		return strings.Join(out, ",")
	}
}

// plain is a value as text in a cell.
func plain(f *field.Field, r *index.Row) string {
	v, ok := r.Get(f)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return strings.Join(v, " ")
	case []byte:
		return fmt.Sprintf("%x", v)
	case map[string]string:
		return mapText(v)
	}
	return fmt.Sprint(v)
}
