package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shark/workbench"
)

func newSnapshotRepair(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "repair SNAPSHOT",
		Short: "Make anew what a snapshot has lost, as far as that can be done",
		Long: `Read all of a snapshot, as verify does, and make anew what can be made: the index of
blocks that is lost or damaged, of the packets. What is written has the SHA-256 of the
manifest, else nothing is: the manifest stays what it is, and a signature good. Each object
that cannot be repaired is a line on standard output; with any, the exit code is 4. Packets,
identities and secrets are in copies of the snapshot only. A published index database that
is damaged is removed.`,
		Example:           "  shark snapshot repair outage",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runSnapshotRepair(cmd.Context(), a, args[0]) },
	}
}

func runSnapshotRepair(ctx context.Context, a *app, ref string) error {
	w, err := a.workbench()
	if err != nil {
		return err
	}
	done, err := w.RepairSnapshot(ctx, ref)
	if done == nil {
		return err
	}
	a.bar.clear()
	for _, path := range done.Repaired {
		what := "repaired"
		if strings.HasPrefix(path, "dissections/") {
			what = "removed, it was damaged; shark dissect --publish makes it again"
		}
		fmt.Fprintf(a.out, "%s: %s\n", sanitize(path, false), what)
	}
	for _, p := range done.Left {
		fmt.Fprintf(a.out, "%s: %s\n", sanitize(p.Path, false), sanitize(p.Reason, false))
	}
	if err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: %s, %d of them repaired, all as the manifest says\n", done.ID, workbench.Count(int64(done.Objects), "objects"), len(done.Repaired))
	}
	return nil
}
