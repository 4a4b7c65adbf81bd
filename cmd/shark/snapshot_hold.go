package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shark/snapshot"
	"shark/workbench"
)

// keptSnapshot is a snapshot as it is shown: with its hold, if it has one.
type keptSnapshot struct {
	*snapshot.Manifest
	Hold *snapshot.Hold      `json:"hold,omitempty"`
	TLS  *workbench.Readings `json:"tls,omitempty"` // nil: nobody asked, or it is not known
}

// held tells who holds it, for a column.
func (k keptSnapshot) held() string {
	if k.Hold == nil {
		return ""
	}
	return cmp.Or(k.Hold.By, "yes")
}

func newSnapshotHold(a *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "hold SNAPSHOT",
		Short: "Keep a snapshot from being deleted until it is released",
		Long: `Keep a snapshot of the store from being deleted or pruned until it is released. Who holds
it, since when and why is kept beside it and shown with it. A hold is of one place: copies
are not held. It keeps shark from removing the snapshot, and nobody else: against those who
can write to the store, use what the store has (S3 Object Lock, retention policies).`,
		Example:           "  shark snapshot hold outage --reason 'legal, case 7'",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSnapshotHold(cmd.Context(), a, args[0], reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it is held")
	return cmd
}

func runSnapshotHold(ctx context.Context, a *app, ref, reason string) error {
	w, err := a.workbench()
	if err != nil {
		return err
	}
	id, h, err := w.HoldSnapshot(ctx, ref, reason)
	if err != nil {
		return heldError(err, ref)
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: held %s\n", id, sanitize(h.String(), false))
	}
	return nil
}

func newSnapshotRelease(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "release SNAPSHOT",
		Short:             "End the hold of a snapshot: it can be deleted again",
		Example:           "  shark snapshot release outage",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runSnapshotRelease(cmd.Context(), a, args[0]) },
	}
}

func runSnapshotRelease(ctx context.Context, a *app, ref string) error {
	w, err := a.workbench()
	if err != nil {
		return err
	}
	id, h, err := w.ReleaseSnapshot(ctx, ref)
	switch {
	case err != nil:
		return err
	case a.quiet:
	case h == nil:
		fmt.Fprintf(a.err, "%s: it was not held\n", id)
	default:
		fmt.Fprintf(a.err, "%s: released; it was held %s\n", id, sanitize(h.String(), false))
	}
	return nil
}
