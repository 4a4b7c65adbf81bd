package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shark/snapshot"
	"shark/workbench"
)

func newSnapshot(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Keep captured traffic: create, import, list, show, copy, sign, verify, hold, prune",
		Long: `Keep captured traffic as snapshots, in the store that --store or SHARK_STORE names:

  /path/of/a/folder
  s3://bucket/prefix?region=eu-central-1
  s3://bucket/prefix?region=us-east-1&endpoint=https://minio.example:9000&use_path_style=true
  gs://bucket/prefix
  azblob://container/prefix?storage_account=name

Credentials are those that the programs of each cloud use: AWS_* or a profile, gcloud's, AZURE_STORAGE_*,
or the machine's role. A snapshot is named by its id, by its name if only one has that, or by
where it lies: a folder, or a location as above that ends with its id.`,
		Example: `  shark snapshot import outage.pcap --name outage
  shark snapshot list
  shark query outage 'http && failed'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSnapshotCreate(a), newSnapshotImport(a), newSnapshotList(a), newSnapshotShow(a), newSnapshotVerify(a), newSnapshotSign(a), newSnapshotDelete(a),
		newSnapshotCopy(a), newSnapshotDownload(a), newSnapshotUpload(a), newSnapshotCat(a),
		newSnapshotHold(a), newSnapshotRelease(a), newSnapshotPrune(a), newSnapshotRepair(a))
	return cmd
}

func newSnapshotImport(a *app) *cobra.Command {
	var o snapshot.ImportOptions
	cmd := &cobra.Command{
		Use:   "import [NODE=]FILE... | [NODE=]-",
		Short: "Keep capture files, and who had which address, as a snapshot",
		Long: `Keep capture files as a snapshot: packed, checksummed, with what is missing written
down. NODE= says which node captured a file; files of one node are merged by time. Standard
input is -, alone.

Questions have the answers that the capture gives. Numbers of packets, connections and
flows may be others, since packets are kept by their addresses; so may the order and the
ids of entries that begin at the same moment.`,
		Example: `  shark snapshot import outage.pcap --name outage
  shark snapshot import node-a=a.pcapng node-b=b.pcapng --identity identity.jsonl --name outage --note 'payment fails'`,
		Args: argsAtLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Files = args
			return runSnapshotImport(cmd.Context(), a, o)
		},
	}
	f := cmd.Flags()
	policyFlags(f, &o.Policy)
	f.StringVar(&o.Identity, "identity", "", "identity log: who had which address when")
	f.StringVar(&o.Name, "name", "", "name of the snapshot, best one that no other has (default: that of the first node)")
	f.StringVar(&o.Note, "note", "", "a note to keep with it")
	f.StringVar(&o.Cluster, "cluster", "", "cluster that the traffic is from")
	return cmd
}

func runSnapshotImport(ctx context.Context, a *app, o snapshot.ImportOptions) error {
	if err := checkFiles(append(filesOf(o.Files), o.Identity)); err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	m, err := w.ImportSnapshot(ctx, o, a.in)
	if err != nil {
		return err
	}
	return a.made(ctx, w, m)
}

// made tells which snapshot was made, and what it misses.
func (a *app) made(ctx context.Context, w *workbench.Workbench, m *snapshot.Manifest) error {
	a.bar.clear()
	if _, err := fmt.Fprintln(a.out, m.ID); err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: %s\n", sanitize(m.Name, false), contents(m))
		if others := namesakes(ctx, w, m); len(others) > 0 {
			more := ""
			if n := len(others) - 1; n > 0 {
				more = fmt.Sprintf(" and %s more", workbench.Grouped(int64(n)))
			}
			fmt.Fprintf(a.err, "  %s is also the name of %s%s: to mean one of them, give its id\n", sanitize(m.Name, false), others[len(others)-1], more)
		}
	}
	return a.notes(m)
}

// namesakes lists the ids of the other snapshots of the same name, which is
// therefore not enough to tell them apart. Those that cannot be read have none.
func namesakes(ctx context.Context, w *workbench.Workbench, m *snapshot.Manifest) (ids []string) {
	list, err := w.Snapshots(ctx)
	if err != nil {
		return nil // the import itself went well
	}
	for _, l := range list {
		if l.Manifest != nil && l.ID != m.ID && l.Manifest.Name == m.Name {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// filesOf returns the paths among arguments that may say NODE= before one.
func filesOf(args []string) []string {
	paths := slices.Clone(args)
	for i, arg := range args {
		if _, path, ok := strings.Cut(arg, "="); ok && checkFiles([]string{arg}) != nil {
			paths[i] = path
		}
	}
	return paths
}

// contents is what a snapshot holds, for people.
func contents(m *snapshot.Manifest) string {
	packets, size := int64(0), int64(0)
	for _, n := range m.Nodes {
		packets += int64(n.Packets)
	}
	for _, o := range m.Objects {
		size += o.Size
	}
	return fmt.Sprintf("%s of %s in %s", workbench.Count(packets, "packets"), workbench.Count(int64(len(m.Nodes)), "nodes"), byteText(size))
}

// notes tells on stderr what a snapshot misses.
func (a *app) notes(m *snapshot.Manifest) error {
	partial := false
	for _, n := range m.Coverage {
		partial = partial || n.Kind == snapshot.NoteDamage || n.Kind == snapshot.NoteIdentity || n.Kind == snapshot.NoteNode
		fmt.Fprintln(a.err, "  "+sanitize(strings.TrimPrefix(n.Node+": "+n.Text, ": "), false))
	}
	if partial {
		return errPartial
	}
	return nil
}

func newSnapshotList(a *app) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the snapshots of the store",
		Example: "  shark snapshot list\n  shark snapshot list -o json | jq -r '.snapshots[].id'",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSnapshotList(cmd.Context(), a, form, cmd.Flags().Changed("store"))
		},
	}
	outputFlag(cmd, &form)
	return cmd
}

// storeThere refuses a store that is a folder which is not there. Where it was named by hand, its
// name is likely wrong, and nothing found there would read as if all were well.
func (a *app) storeThere() error {
	if strings.Contains(a.store, "://") {
		return nil
	}
	if _, err := os.Stat(a.store); errors.Is(err, fs.ErrNotExist) {
		return missingError{"store " + a.store}
	}
	return nil
}

// runSnapshotList lists the store. One that was named by hand has to be there.
func runSnapshotList(ctx context.Context, a *app, form string, named bool) error {
	if err := checkOutput(form); err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	list, err := w.Snapshots(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 && named {
		if err := a.storeThere(); err != nil {
			return err
		}
	}
	var good []keptSnapshot
	var bad error
	for _, l := range list {
		if l.Err != nil {
			fmt.Fprintf(a.err, "%s: %s\n", sanitize(l.ID, false), sanitize(l.Err.Error(), false))
			bad = errPartial
			continue
		}
		good = append(good, keptSnapshot{Manifest: l.Manifest, Hold: l.Hold})
	}
	if form == "json" || form == "jsonl" {
		return a.snapshotsJSON(good, form == "jsonl", bad)
	}
	out, err := a.rows(form, []string{"id", "name", "created", "from", "to", "nodes", "packets", "held", "note"}, []bool{false, false, false, false, false, true, true, false, false})
	if err != nil {
		return err
	}
	for _, m := range good {
		from, to, packets := reach(m.Manifest)
		if err := out.row([]string{m.ID, m.Name, moment(m.Created), from, to, fmt.Sprint(len(m.Nodes)), fmt.Sprint(packets), m.held(), m.Note}); err != nil {
			return err
		}
	}
	if err := out.close(); err != nil {
		return err
	}
	return bad
}

func (a *app) snapshotsJSON(list []keptSnapshot, lines bool, bad error) error {
	if !lines {
		return errors.Join(a.writeJSON(map[string][]keptSnapshot{"snapshots": append([]keptSnapshot{}, list...)}), bad)
	}
	for _, m := range list {
		b, err := encodeJSON(m, "")
		if err != nil {
			return err
		}
		if _, err := a.out.Write(b); err != nil {
			return err
		}
	}
	return bad
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// reach is when a snapshot begins and ends, and how many packets it has.
func reach(m *snapshot.Manifest) (from, to string, packets uint64) {
	var first, last time.Time
	for _, n := range m.Nodes {
		packets += n.Packets
		if n.Got == nil {
			continue
		}
		if first.IsZero() || n.Got.From.Before(first) {
			first = n.Got.From
		}
		if n.Got.To.After(last) {
			last = n.Got.To
		}
	}
	if first.IsZero() {
		return "", "", packets
	}
	return moment(first), moment(last), packets
}

func newSnapshotShow(a *app) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:               "show SNAPSHOT",
		Short:             "Show what a snapshot holds and what it misses",
		Example:           "  shark snapshot show outage\n  shark snapshot show outage -o json | jq .coverage",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runSnapshotShow(cmd.Context(), a, args[0], form) },
	}
	cmd.Flags().StringVarP(&form, "output", "o", "table", "form of the answer: table, json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	return cmd
}

func runSnapshotShow(ctx context.Context, a *app, ref, form string) error {
	if form != "table" && form != "json" {
		return usagef("--output %q: one of table, json", form)
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	m, err := w.Snapshot(ctx, ref)
	if err != nil {
		return err
	}
	hold, err := w.SnapshotHold(ctx, ref)
	if err != nil {
		return err
	}
	tls, err := w.SnapshotTLS(ctx, ref)
	if err != nil {
		return err
	}
	if form == "json" {
		return a.writeJSON(keptSnapshot{m, hold, tls})
	}
	fmt.Fprintf(a.out, "id       %s\nname     %s\ncreated  %s UTC by %s\n", m.ID, sanitize(m.Name, false), moment(m.Created), sanitize(m.Creator, false))
	for _, l := range [][2]string{{"cluster", m.Cluster}, {"note", m.Note}} {
		if l[1] != "" {
			fmt.Fprintf(a.out, "%-8s %s\n", l[0], sanitize(l[1], false))
		}
	}
	if hold != nil {
		fmt.Fprintf(a.out, "held     %s\n", sanitize(hold.String(), false))
	}
	fmt.Fprintf(a.out, "holds    %s\n", contents(m))
	if m.Filter != nil {
		fmt.Fprintf(a.out, "filter   %s\n         %s\n", sanitize(m.Filter.String(), false), filtered(m))
	}
	fmt.Fprintf(a.out, "tls      %s\n\n", shareText(tls))
	out, err := a.rows("table", []string{"node", "from", "to", "packets", "bytes", "cut", "dropped"}, []bool{false, false, false, true, true, true, true})
	if err != nil {
		return err
	}
	for _, n := range m.Nodes {
		from, to := "", ""
		if n.Got != nil {
			from, to = moment(n.Got.From), moment(n.Got.To)
		}
		if err := out.row([]string{n.Name, from, to, fmt.Sprint(n.Packets), byteText(int64(n.Bytes)), fmt.Sprint(n.CutPackets), dropped(n)}); err != nil {
			return err
		}
	}
	if err := out.close(); err != nil {
		return err
	}
	return a.notes(m)
}

// dropped is how many packets a node's capture says that it lost; empty when it
// does not say.
func dropped(n snapshot.Node) string {
	var sum uint64
	known := false
	for _, i := range n.Interfaces {
		if i.Dropped != nil {
			sum += *i.Dropped
			known = true
		}
	}
	if !known {
		return ""
	}
	return fmt.Sprint(sum)
}
