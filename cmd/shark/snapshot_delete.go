package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"shark/snapshot"
)

func newSnapshotDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete SNAPSHOT...",
		Aliases: []string{"rm"},
		Short:   "Delete snapshots of the store",
		Long: `Delete snapshots of the store: by id, by the beginning of an id, or by a name that
only one has. It does not ask back. What is held is not deleted: see shark snapshot hold.
A deletion that was interrupted is completed by the same command with the whole id, or by
shark snapshot prune.`,
		Example:           "  shark snapshot delete outage\n  shark snapshot delete 20260314t220501123z-mq3pd7xk2a",
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runSnapshotDelete(cmd.Context(), a, args) },
	}
}

func runSnapshotDelete(ctx context.Context, a *app, refs []string) error {
	w, err := a.workbench()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := w.DeleteSnapshot(ctx, ref); err != nil {
			return heldError(err, ref)
		}
		if !a.quiet {
			fmt.Fprintf(a.err, "deleted %s\n", sanitize(ref, false))
		}
	}
	return nil
}

// heldError says of a snapshot that is held how that ends.
func heldError(err error, ref string) error {
	if errors.Is(err, snapshot.ErrHeld) {
		return fmt.Errorf("%w (shark snapshot release %s ends that)", err, ref)
	}
	return err
}
