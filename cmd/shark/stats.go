package main

import (
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

type statsOptions struct {
	questionOptions
	by     []string
	chosen bool // by whoever asks
}

func newStats(a *app) *cobra.Command {
	var o statsOptions
	cmd := &cobra.Command{
		Use:   "stats SNAPSHOT... [KFL]",
		Short: "Count entries and their times, by any fields",
		Long: `Count the entries that a KFL expression selects (without one: calls and messages)
with their failures and the percentiles of the time from the first byte of the
request to the last of the response, grouped by fields. JSON and CSV give these
times in µs.`,
		Example: `  shark stats outage.pcap
  shark stats outage.pcap http --by dst.name,status_code
  shark stats outage.pcap 'grpc && failed' --by grpc_method,grpc_status -o json`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeQuery,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.chosen = cmd.Flags().Changed("by")
			return runStats(cmd.Context(), a, args, o)
		},
	}
	o.addFlags(cmd, "at most so many groups, the largest; 0 for all")
	f := cmd.Flags()
	f.StringSliceVar(&o.by, "by", []string{"protocol", "dst.name"}, "fields to group by; '' counts all together; without --by and where nothing has a name, protocol,dst.ip,dst.port")
	f.Lookup("by").DefValue = "protocol,dst.name"
	_ = cmd.RegisterFlagCompletionFunc("by", a.completeField) // fails only if the flag is missing
	return cmd
}

func runStats(ctx context.Context, a *app, args []string, o statsOptions) error {
	by := o.by
	if len(by) == 1 && by[0] == "" {
		by = nil
	}
	q, err := o.open(ctx, a, args, by)
	if err != nil {
		return err
	}
	defer q.e.Close()
	groups, fields, coverage, err := q.e.Stats(ctx, workbench.Stats{Query: q.Query, By: by})
	if err == nil && !o.chosen && nameless(groups) {
		groups, fields, coverage, err = q.e.Stats(ctx, workbench.Stats{Query: q.Query, By: []string{"protocol", "dst.ip", "dst.port"}})
	}
	if err != nil {
		return err
	}
	a.bar.clear()
	what := workbench.Count(int64(len(groups)), "groups")
	more := o.limit > 0 && len(groups) > o.limit
	if more {
		groups = groups[:o.limit]
		what = fmt.Sprintf("the largest %s of %s", workbench.Grouped(int64(o.limit)), what)
	}
	if o.output == "json" || o.output == "jsonl" {
		err = a.statsJSON(groups, fields, coverage, o.output == "jsonl", more)
	} else {
		err = a.statsTable(groups, fields, o.output)
	}
	if err != nil {
		return err
	}
	return a.footer(what, coverage, nil)
}

// nameless tells whether no group has a name, the last field of its key.
func nameless(groups []index.Group) bool {
	return !slices.ContainsFunc(groups, func(g index.Group) bool { return g.Key[len(g.Key)-1] != "" })
}

// statsJSON writes a group as an object of its key's fields and its figures.
func (a *app) statsJSON(groups []index.Group, fields []*field.Field, c workbench.Coverage, lines, more bool) error {
	out := newList(a, "groups", lines)
	for _, g := range groups {
		key := make(map[string]any, len(fields))
		for i, f := range fields {
			key[f.Name] = g.Key[i]
		}
		b, err := encodeJSON(struct {
			By     map[string]any `json:"by"`
			Count  int64          `json:"count"`
			Failed int64          `json:"failed"`
			Timed  int64          `json:"timed"` // those whose both halves were seen; the times are theirs, in µs
			P50    int64          `json:"p50"`
			P95    int64          `json:"p95"`
			P99    int64          `json:"p99"`
			Max    int64          `json:"max"`
		}{key, g.Count, g.Failed, g.Timed, g.P50, g.P95, g.P99, g.Max}, "")
		if err != nil {
			return err
		}
		if err := out.add(b); err != nil {
			return err
		}
	}
	return out.close(more, c, nil)
}

func (a *app) statsTable(groups []index.Group, fields []*field.Field, form string) error {
	var header []string
	var right []bool
	for _, f := range fields {
		header, right = append(header, f.Name), append(right, f.Kind == field.Int)
	}
	header = append(header, "count", "failed", "p50", "p95", "p99", "max")
	right = append(right, true, true, true, true, true, true)
	out, err := a.rows(form, header, right)
	if err != nil {
		return err
	}
	for _, g := range groups {
		var cells []string
		for _, k := range g.Key {
			cells = append(cells, keyText(k))
		}
		cells = append(cells, fmt.Sprint(g.Count), fmt.Sprint(g.Failed))
		for _, us := range []int64{g.P50, g.P95, g.P99, g.Max} {
			switch {
			case g.Timed == 0:
				cells = append(cells, "")
			case form == "csv":
				cells = append(cells, fmt.Sprint(us))
			default:
				cells = append(cells, microText(us))
			}
		}
		if err := out.row(cells); err != nil {
			return err
		}
	}
	return out.close()
}

// keyText is a value of a group's key in a cell.
func keyText(k any) string {
	switch k := k.(type) {
	case []string:
		return strings.Join(k, " ")
	case map[string]string:
		return mapText(k)
	case time.Time:
		return k.UTC().Format(timeForm)
	}
	return fmt.Sprint(k)
}
