package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shark/snapshot"
	"shark/workbench"
)

func newSnapshotPrune(a *app) *cobra.Command {
	var o snapshot.PruneOptions
	var form string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete old snapshots by rules, and what was left behind",
		Long: `Delete the snapshots of the store that no --keep rule keeps, and what interrupted imports,
copies, publications and deletions have left there. Without a rule no snapshot is deleted. It does not ask
back: --dry-run shows what it would do, and why.

Rules are by the time of creation, and add up: what one of them keeps is kept. --keep-last
keeps the newest; --keep-daily, --keep-weekly and --keep-monthly the newest of each of as many
days, weeks and months that have one, in UTC, and the oldest snapshot as long as these are
fewer. --name is for which snapshots the rules are: others are neither counted nor deleted.

What is held (shark snapshot hold) is never deleted. What cannot be read stays too, and
the exit code is then 3. What was left behind is deleted once nothing has touched it for a day, as
somebody may still be writing it; --rubbish-older-than says otherwise, with 0s that all of it is
deleted at once, which is for a store that nobody writes to meanwhile. Index databases that
were published with snapshots (shark dissect --publish) stay, also those of other versions of
the program, unless --indexes-older-than says how old they may be: they can be made again.`,
		Example: `  shark snapshot prune --keep-within 30d --dry-run
  shark snapshot prune --name 'nightly-*' --keep-daily 7 --keep-weekly 5 --keep-monthly 12
  shark snapshot prune`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSnapshotPrune(cmd.Context(), a, o, form, cmd.Flags().Changed("store"))
		},
	}
	f := cmd.Flags()
	f.Var((*atLeastOne)(&o.Rules.Last), "keep-last", "keep the `n` newest")
	f.Var((*days)(&o.Rules.Within), "keep-within", "keep what was created within a time from now: 30d, 8w, 36h")
	f.Var((*atLeastOne)(&o.Rules.Daily), "keep-daily", "keep the newest of each of `n` days")
	f.Var((*atLeastOne)(&o.Rules.Weekly), "keep-weekly", "keep the newest of each of `n` weeks")
	f.Var((*atLeastOne)(&o.Rules.Monthly), "keep-monthly", "keep the newest of each of `n` months")
	f.StringVar(&o.Name, "name", "", "the rules are for snapshots whose name is like `pattern`, such as 'nightly-*'")
	f.Var((*age)(&o.Age), "rubbish-older-than", "delete what was left behind so long ago: 6h, 2d, 0s for all (default 1d)")
	f.Var((*age)(&o.Indexes), "indexes-older-than", "delete index databases that were published so long ago: 30d, 8w, 0s for all (default: none)")
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "delete nothing, show what would be")
	outputFlag(cmd, &form)
	return cmd
}

// atLeastOne is a flag of how many there are.
type atLeastOne int

// String implements pflag.Value. The flag is not shown with a default.
func (n *atLeastOne) String() string { return "" }

// Type implements pflag.Value.
func (n *atLeastOne) Type() string { return "n" }

// Set implements pflag.Value.
func (n *atLeastOne) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 {
		return fmt.Errorf("%q is not how many: 1 or more", text)
	}
	*n = atLeastOne(v)
	return nil
}

// days is a flag of a duration such as 30d, 8w or 36h.
type days time.Duration

// String implements pflag.Value. The flag is not shown with a default.
func (d *days) String() string { return "" }

// Type implements pflag.Value.
func (d *days) Type() string { return "duration" }

// Set implements pflag.Value.
func (d *days) Set(text string) error {
	v, err := time.ParseDuration(text)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			var n int
			if n, err = strconv.Atoi(number); err == nil && time.Duration(n) <= math.MaxInt64/length {
				v = time.Duration(n) * length
			}
		}
	}
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a time such as 30d, 8w or 36h", text)
	}
	*d = days(v)
	return nil
}

// age is a flag of how old something is, which may be nothing at all: then it is the least
// there is, since none given is 0.
type age time.Duration

// String implements pflag.Value. The flag is not shown with a default.
func (d *age) String() string { return "" }

// Type implements pflag.Value.
func (d *age) Type() string { return "duration" }

// Set implements pflag.Value.
func (d *age) Set(text string) error {
	if v, err := time.ParseDuration(strings.TrimRight(text, "dw")); err == nil && v == 0 {
		*d = age(time.Nanosecond)
		return nil
	}
	return (*days)(d).Set(text)
}

func runSnapshotPrune(ctx context.Context, a *app, o snapshot.PruneOptions, form string, named bool) error {
	if err := checkOutput(form); err != nil {
		return err
	}
	if o.Name != "" && o.Rules.None() {
		return usagef("--name says for which snapshots the rules are: add one, such as --keep-last 3")
	}
	w, err := a.workbench()
	if err == nil && named {
		err = a.storeThere()
	}
	if err != nil {
		return err
	}
	list, failed := w.PruneSnapshots(ctx, o)
	if list == nil && failed != nil {
		return failed
	}
	if err := a.pruned(list, form); err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintln(a.err, pruneSummary(list, o))
	}
	for _, x := range list {
		if x.Unreadable && failed == nil {
			failed = errPartial
		}
	}
	return failed
}

// pruned writes what became of each snapshot and leftover.
func (a *app) pruned(list []snapshot.Pruned, form string) error {
	switch form {
	case "json":
		return a.writeJSON(map[string][]snapshot.Pruned{"snapshots": append([]snapshot.Pruned{}, list...)})
	case "jsonl":
		for i := range list {
			b, err := encodeJSON(&list[i], "")
			if err != nil {
				return err
			}
			if _, err := a.out.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
	out, err := a.rows(form, []string{"id", "name", "created", "size", "action", "why"}, []bool{false, false, false, true, false, false})
	if err != nil {
		return err
	}
	for _, x := range list {
		created := ""
		if !x.Created.IsZero() {
			created = moment(x.Created)
		}
		why := x.Why
		if x.Path != "" {
			why += ": " + x.Path
		}
		if err := out.row([]string{x.ID, x.Name, created, byteText(x.Bytes), pruneAction(&x), why}); err != nil {
			return err
		}
	}
	return out.close()
}

// pruneAction is what becomes of a snapshot, in a word.
func pruneAction(x *snapshot.Pruned) string {
	switch {
	case x.Failed != "":
		return "failed"
	case x.Remove:
		return "remove"
	}
	return "keep"
}

// pruneSummary says in a line what was done.
func pruneSummary(list []snapshot.Pruned, o snapshot.PruneOptions) string {
	var snapshots, leftovers, kept, bytes int64
	for _, x := range list {
		switch {
		case x.Remove && x.Failed == "" && x.Rubbish:
			leftovers++
		case x.Remove && x.Failed == "":
			snapshots++
		case !x.Rubbish:
			kept++
			continue
		default:
			continue
		}
		bytes += x.Bytes
	}
	text := fmt.Sprintf("removed %s and %s, %s; %s kept", workbench.Count(snapshots, "snapshots"), workbench.Count(leftovers, "leftovers"), byteText(bytes), workbench.Count(kept, "snapshots"))
	if o.DryRun {
		text = "would have " + text + ": it is a dry run"
	}
	if o.Rules.None() {
		text += "; no --keep rule was given"
	}
	return text
}
