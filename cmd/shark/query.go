package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	cmd.Flags().Var(&o.from, "from", "only from this time on: RFC 3339, local (2026-03-14 22:00, or 22:00 for the first in the capture), or -15m before the end")
	cmd.Flags().Var(&o.to, "to", "only before this time, in the same forms")
}

// questionOptions are the flags of the commands that put a KFL expression.
type questionOptions struct {
	windowOptions
	output   string
	limit    int
	identity string
}

// question is a KFL expression about opened evidence.
type question struct {
	workbench.Query
	w      *workbench.Workbench
	e      *workbench.Evidence // the caller closes it
	fields []*field.Field
}

func (o *questionOptions) addFlags(cmd *cobra.Command, limit string) {
	o.windowOptions.addFlags(cmd)
	outputFlag(cmd, &o.output)
	cmd.Flags().IntVarP(&o.limit, "limit", "n", 0, limit)
	cmd.Flags().StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
}

// check refuses values that no answer can have.
func (o *questionOptions) check() error {
	if o.limit < 0 {
		return usagef("--limit %d: a number of at least 1, or 0 for all", o.limit)
	}
	return checkOutput(o.output)
}

// open checks the flags, finds the fields that are named, and opens what the
// arguments name before the expression.
func (o *questionOptions) open(ctx context.Context, a *app, args, fields []string) (*question, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	refs, expr, err := splitQuery(args)
	if err != nil {
		return nil, err
	}
	q := &question{Query: workbench.Query{KFL: cmp.Or(expr, calls), From: o.from.When, To: o.to.When}}
	if q.w, err = a.workbench(); err != nil {
		return nil, err
	}
	if q.fields, err = lookupFields(q.w, fields); err != nil {
		return nil, err
	}
	q.e, err = a.openWith(ctx, q.w, refs, o.identity)
	return q, err
}

type queryOptions struct {
	questionOptions
	newest   bool
	early    bool
	fields   []string
	explain  bool
	estimate bool
}

func newQuery(a *app) *cobra.Command {
	var o queryOptions
	cmd := &cobra.Command{
		Use:   "query SNAPSHOT... [KFL]",
		Short: "List the entries that a KFL expression selects",
		Long: `List the entries that a KFL expression selects, in the order of time. An entry is
a call, a one-way message, a connection (conn) or a flow (flow); without an
expression calls and messages are listed. The last argument is the expression,
unless it is the name of a file. Times in tables are UTC.

The language is KFL: the Common Expression Language over the fields that shark
fields lists, with the functions of shark fields --functions.`,
		Example: `  shark query outage.pcap 'http && status_code >= 500'
  shark query outage.pcap 'dns && status == "NXDOMAIN"' --from -15m
  shark query a.pcap b.pcap 'redis && elapsed_time > 100000' -o jsonl
  cat outage.pcap | shark query - 'grpc && failed' --newest -n 10
  shark query outage.pcap --explain 'http && path.matches("^/api/v[0-9]+/")'
  shark query outage.pcap 'http' --fields timestamp,src.name,path,status_code -o csv`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeQuery,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.terminal && !cmd.Flags().Changed("limit") {
				o.limit = terminalLimit
			}
			return runQuery(cmd.Context(), a, args, o)
		},
	}
	o.addFlags(cmd, "at most so many entries; 0 for all (default: 100 on a terminal, else all)")
	f := cmd.Flags()
	f.BoolVar(&o.newest, "newest", false, "newest first")
	f.BoolVar(&o.early, "early", false, "list entries of a snapshot as soon as they are found, in that order and without what is known in the end only, such as ids; with --limit dissecting ends when there are enough")
	f.StringSliceVar(&o.fields, "fields", nil, "only these fields, such as timestamp,src.name,path")
	estimateFlag(cmd, &o.estimate)
	f.BoolVar(&o.explain, "explain", false, "tell how KFL, the last argument, is answered, instead of answering it")
	_ = cmd.RegisterFlagCompletionFunc("fields", a.completeField) // fails only if the flag is missing
	return cmd
}

func runQuery(ctx context.Context, a *app, args []string, o queryOptions) error {
	if o.explain {
		return explain(a, args[len(args)-1], o)
	}
	q, err := o.open(ctx, a, args, o.fields)
	if err != nil {
		return err
	}
	defer q.e.Close()
	put := q.e.Query
	if o.early {
		put = q.e.Early
		if q.fields, err = earlyFields(q.w, q.fields, o); err != nil {
			return err
		}
	}
	if o.estimate {
		return a.printEstimate(q.e.EstimateDissect(ctx))
	}
	q.Newest = o.newest
	if o.limit > 0 {
		q.Limit = o.limit + 1 // one more, to know whether there are more
	}
	answer, err := put(ctx, q.Query)
	if err != nil {
		return err
	}
	n, more, err := a.writeEntries(q.w, answer, q.fields, o)
	if err != nil {
		return err
	}
	what := workbench.Count(n, "entries")
	if more {
		what += ", and there are more (--limit 0 for all)"
	}
	return a.footer(what, answer.Coverage, answer.Hints)
}

// earlyFields are the fields that are shown of entries as they are found: those that were
// asked for, or all that there can be. Tables show their own.
func earlyFields(w *workbench.Workbench, asked []*field.Field, o queryOptions) ([]*field.Field, error) {
	known := w.EarlyFields()
	for _, f := range asked {
		if !slices.Contains(known, f) {
			return nil, usagef("--early: %s is known when all is dissected: leave one of the two out", f.Name)
		}
	}
	switch {
	case len(asked) > 0:
		return asked, nil
	case o.output == "csv":
		return slices.DeleteFunc(csvFields(w), func(f *field.Field) bool { return !slices.Contains(known, f) }), nil
	case o.output == "json" || o.output == "jsonl":
		return known, nil
	}
	return nil, nil
}

// explain tells how an expression would be answered.
func explain(a *app, expr string, o queryOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	text, err := w.Explain(expr)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, text)
	return err
}

// calls selects what is asked about when no expression is given: everything but
// connections and flows, which would count the same traffic again.
const calls = "!conn && !flow"

// lookupFields finds fields by their names.
func lookupFields(w *workbench.Workbench, names []string) ([]*field.Field, error) {
	out := make([]*field.Field, len(names))
	for i, n := range names {
		if out[i] = w.Catalogue().Lookup(n); out[i] != nil {
			continue
		}
		return nil, usagef("unknown name %q; %s", n, cmp.Or(w.SuggestField(n), "shark fields lists all"))
	}
	return out, nil
}

// writeEntries writes the rows of an answer, up to the limit. It returns how many,
// and whether there are more.
func (a *app) writeEntries(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, o queryOptions) (n int64, more bool, err error) {
	var write func(*index.Row) error
	var done func() error
	if o.output == "json" || o.output == "jsonl" {
		write, done = a.entryJSON(w, answer, fields, o.output == "jsonl", &more)
	} else if write, done, err = a.entryTable(w, answer, fields, o); err != nil {
		return 0, false, err
	}
	for row, err := range answer.Rows {
		if err != nil {
			return n, false, err
		}
		a.bar.clear()
		if o.limit > 0 && n == int64(o.limit) {
			more = true
			break
		}
		if err := write(row); err != nil {
			return n, false, err
		}
		n++
	}
	return n, more, done()
}

// entryTable returns what writes an entry as a row, and what ends the table.
func (a *app) entryTable(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, o queryOptions) (write func(*index.Row) error, done func() error, err error) {
	columns := entryColumns(w, answer, fields, o)
	header, right := make([]string, len(columns)), make([]bool, len(columns))
	for i, c := range columns {
		header[i], right[i] = c.name, c.right
	}
	out, err := a.rows(o.output, header, right)
	if err != nil {
		return nil, nil, err
	}
	answer.Pause = out.flush
	return func(r *index.Row) error {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.text(r)
		}
		return out.row(cells)
	}, out.close, nil
}

// entryJSON returns what writes an entry as JSON, and what ends the list. more is
// read at the end.
func (a *app) entryJSON(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, lines bool, more *bool) (write func(*index.Row) error, done func() error) {
	enc := w.JSON(fields...)
	out := newList(a, "entries", lines)
	answer.Pause = out.flush
	var buf []byte
	return func(r *index.Row) (err error) {
		if buf, err = enc.Append(buf[:0], r); err != nil {
			return err
		}
		return out.add(buf)
	}, func() error { return out.close(*more, answer.Coverage, answer.Hints) }
}

// column is one column of a table of entries.
type column struct {
	name  string
	right bool
	text  func(*index.Row) string
}

// entryColumns chooses the columns: the fields asked for, or what people look at.
func entryColumns(w *workbench.Workbench, answer *workbench.Answer, fields []*field.Field, o queryOptions) []column {
	form := o.output
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
	clock := "15:04:05.000000"
	if severalDays(answer.Coverage) || form == "wide" {
		clock = time.DateOnly + " " + clock
	}
	elapsed, size := w.Catalogue().Lookup("elapsed_time"), w.Catalogue().Lookup("total_size")
	columns := []column{
		{"time", false, func(r *index.Row) string {
			return r.Value(field.Timestamp).(time.Time).UTC().Format(clock)
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
	if o.early {
		return columns
	}
	columns = slices.Insert(columns, 0, column{"id", true, get("id")})
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
	is := func(r *index.Row, name string) bool { return r.Value(w.Catalogue().Lookup(name)) == true }
	return func(r *index.Row) string {
		var out []string
		if !is(r, "one_way") {
			if !is(r, "has_request") {
				out = append(out, "no request")
			}
			if !is(r, "has_response") {
				out = append(out, "no response")
			}
		}
		if r.Value(field.LostBytes.Field).(int64) > 0 {
			out = append(out, "lost bytes")
		}
		for _, name := range []string{"truncated", "resumed", "unpaired", "evicted"} {
			if is(r, name) {
				out = append(out, name)
			}
		}
		return strings.Join(out, ", ")
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
		return v.UTC().Format(timeForm)
	case []string:
		return strings.Join(v, " ")
	case []byte:
		return fmt.Sprintf("%x", v)
	case map[string]string:
		return mapText(v)
	}
	return fmt.Sprint(v)
}
