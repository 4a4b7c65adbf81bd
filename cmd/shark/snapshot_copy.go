package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"shark/workbench"
)

func newSnapshotCopy(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "copy SNAPSHOT TARGET",
		Short: "Copy a snapshot to another store, checked on the way",
		Long: `Copy a snapshot to another store, a folder or a bucket, with its id and signature. All
that is read is compared with the manifest, which goes last: the target has the
snapshot whole or not at all. A copy that was interrupted goes on when it is started
again. A damaged snapshot is not copied; the exit code is then 4.

SNAPSHOT is an id or a unique name in the store, a snapshot's folder, or its URL.
TARGET is a folder, s3://, gs:// or azblob://.`,
		Example: `  shark snapshot copy outage /mnt/evidence
  shark snapshot copy outage 's3://evidence/2026?region=eu-north-1'
  shark snapshot copy s3://evidence/2026/20260314t220501123z-mq3pd7xk2a gs://archive`,
		Args:              argsBetween(2, 2),
		ValidArgsFunction: a.completeFirst,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "" {
				return usagef("where to? name a folder or a bucket")
			}
			return runSnapshotCopy(cmd.Context(), a, workbench.SnapshotCopy{Ref: args[0], From: a.store, To: args[1]})
		},
	}
}

func newSnapshotDownload(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "download SNAPSHOT [FOLDER]",
		Short: "Copy a snapshot of the store to this machine",
		Long: `Copy a snapshot of the store to a folder of snapshots: FOLDER, or else the one that is
the store when neither --store nor SHARK_STORE is given. It is snapshot copy to there.
For its packets alone, as a capture file, see shark export.`,
		Example: `  shark snapshot download outage --store s3://evidence/2026
  shark snapshot download outage ./snapshots --store gs://evidence`,
		Args:              argsBetween(1, 2),
		ValidArgsFunction: a.completeFirst,
		RunE: func(cmd *cobra.Command, args []string) error {
			to := defaultStore()
			if len(args) > 1 {
				to = args[1]
			}
			return runSnapshotCopy(cmd.Context(), a, workbench.SnapshotCopy{Ref: args[0], From: a.store, To: to})
		},
	}
}

func newSnapshotUpload(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "upload SNAPSHOT",
		Short: "Copy a snapshot of this machine into the store",
		Long: `Copy a snapshot of this machine into the store that --store or SHARK_STORE names.
SNAPSHOT is a snapshot's folder, or an id or a unique name in the folder that is the
store when neither is given. It is snapshot copy from there.`,
		Example: `  shark snapshot upload outage --store s3://evidence/2026
  shark snapshot upload ./snapshots/20260314t220501123z-mq3pd7xk2a --store gs://evidence`,
		Args: argsBetween(1, 1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			local := *a
			local.store = defaultStore()
			return local.completeFirst(cmd, args, prefix)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSnapshotCopy(cmd.Context(), a, workbench.SnapshotCopy{Ref: args[0], From: defaultStore(), To: a.store})
		},
	}
}

func runSnapshotCopy(ctx context.Context, a *app, c workbench.SnapshotCopy) error {
	w, err := a.workbench()
	if err != nil {
		return err
	}
	m, done, err := w.CopySnapshot(ctx, c)
	if err != nil {
		return err
	}
	a.bar.clear()
	if _, err := fmt.Fprintln(a.out, m.ID); err != nil {
		return err
	}
	if a.quiet {
		return nil
	}
	kept := ""
	if done.Kept > 0 {
		kept = fmt.Sprintf(", %s of them there already", workbench.Grouped(int64(done.Kept)))
	}
	fmt.Fprintf(a.err, "%s: %s, %s, in %s%s\n", sanitize(m.Name, false), workbench.Count(int64(done.Objects), "objects"), byteText(done.Bytes), sanitize(placeOf(c.To, m.ID), false), kept)
	return nil
}

// placeOf is where a snapshot lies in a store, for people.
func placeOf(store, id string) string {
	if place, _, _ := strings.Cut(store, "?"); strings.Contains(place, "://") {
		return strings.TrimSuffix(place, "/") + "/" + id
	}
	return filepath.Join(store, id)
}
