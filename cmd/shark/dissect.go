package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shark/workbench"
	"shark/workbench/index"
)

type dissectOptions struct {
	windowOptions
	packetOptions
	file     string
	identity string
	force    bool
	publish  bool
	share    string
	keep     bool
	estimate bool
}

func newDissect(a *app) *cobra.Command {
	var o dissectOptions
	cmd := &cobra.Command{
		Use:   "dissect SNAPSHOT...",
		Short: "Turn packets into an index database (SQLite)",
		Long: `Turn packets into an index database, which every question is then answered from.
Other commands do so by themselves on first use; the database is kept in the cache
by the content of what it was made from. With -o it is written to a file, which
any SQLite reads: SELECT path, status_code FROM http. Of a part of the packets, by
their time, node, ends or a filter, only a file can be made: it is dissected as if
nothing else had been captured, and of a snapshot nothing else is read.

With --publish the database is put beside the snapshot. Whoever asks the same version of
shark about it, wherever, is then answered from there, and reads no more of it than the
question needs; --no-fetch dissects the packets all the same.

With --share several machines have a share of the work each, and put what they found
beside the snapshot. Whoever dissects it then takes that and dissects only what is
missing: when all shares are there, --publish makes the database of them.

With --keep-parts what is found of each part of a snapshot stays in the cache as it is done,
which takes some more time. Whoever dissects it after an interruption, or a snapshot that has
the packets of one node more, named after the others, then dissects only those parts that are
missing or in which there is something new. The database is the same.`,
		Example: `  shark dissect outage.pcap
  shark dissect node-a.pcapng node-b.pcapng --identity identity.jsonl -o outage.db
  shark dissect mysnapshot --workload shop/cart --from -5m -o cart.db
  shark dissect outage --store s3://evidence/2026 --publish
  shark dissect outage --store s3://evidence/2026 --share 3/8
  shark dissect outage --keep-parts`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runDissect(cmd.Context(), a, args, o) },
	}
	o.windowOptions.addFlags(cmd)
	o.packetOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.file, "output", "o", "", "write the database to this file")
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.BoolVar(&o.force, "force", false, "dissect even if it has been done")
	f.BoolVar(&o.publish, "publish", false, "put the database beside the snapshot, for others to ask")
	f.BoolVar(&o.keep, "keep-parts", false, "keep what is found of each part of the snapshot, for when it is dissected again")
	f.StringVar(&o.share, "share", "", "dissect one of several shares, as 3/8, and put it beside the snapshot")
	estimateFlag(cmd, &o.estimate)
	return cmd
}

func runDissect(ctx context.Context, a *app, args []string, o dissectOptions) error {
	if o.publish && (o.file != "" || o.force || o.keep || o.some() != (workbench.Export{})) {
		return usagef("--publish: what is published is the database of the cache, of all packets: it goes without --output, --force and --keep-parts, and without a choice of packets")
	}
	number, among, err := o.parseShare()
	if err != nil {
		return err
	}
	if err := checkDatabase(o.file); err != nil {
		return err
	}
	e, err := a.open(ctx, args, o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	if o.estimate {
		return a.printEstimate(o.estimated(ctx, e))
	}
	if among > 0 {
		return a.dissectShare(ctx, e, number, among)
	}
	d, published, err := o.dissect(ctx, e)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(a.out, d.Path); err != nil {
		return err
	}
	what := workbench.Count(d.Entries, "entries")
	switch {
	case published:
		what += ", published with the snapshot"
	case d.Fetched || o.publish:
		what += ", published before"
	case d.Cached:
		what += ", dissected before"
	case d.Taken > 0:
		what += fmt.Sprintf("; %d of %s had been dissected before", d.Taken, workbench.Count(int64(d.Parts), "parts"))
	}
	return a.footer(what, d.Coverage, nil)
}

// parseShare reads --share; among is 0 without it.
func (o *dissectOptions) parseShare() (number, among int, err error) {
	if o.share == "" {
		return 0, 0, nil
	}
	k, n, ok := strings.Cut(o.share, "/")
	number, err = strconv.Atoi(k)
	if err == nil {
		among, err = strconv.Atoi(n)
	}
	if !ok || err != nil || number < 1 || number > among {
		return 0, 0, usagef("--share %s: a share is its number and how many there are, as 3/8", o.share)
	}
	if o.publish || o.estimate || o.file != "" || o.force || o.keep || o.some() != (workbench.Export{}) {
		return 0, 0, usagef("--share: a share is of all packets and is put beside the snapshot: it goes without --publish, --estimate, --output, --force and --keep-parts, and without a choice of packets")
	}
	return number, among, nil
}

// dissectShare dissects a share and says what became of it.
func (a *app) dissectShare(ctx context.Context, e *workbench.Evidence, number, among int) error {
	d, err := e.DissectShare(ctx, number, among)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("share %d of %d: ", number, among)
	switch {
	case d.Whole:
		what += "nothing to do, the whole was published before"
	case d.Parts == 0:
		what += "nothing to do, the snapshot has fewer parts"
	case d.Before:
		what += workbench.Count(int64(d.Parts), "parts") + ", published before"
	default:
		what += workbench.Count(d.Entries, "entries") + " of " + workbench.Count(int64(d.Parts), "parts") + ", published with the snapshot"
	}
	if d.Path != "" {
		if _, err := fmt.Fprintln(a.out, d.Path); err != nil {
			return err
		}
	}
	return a.footer(what, workbench.Coverage{}, nil)
}

// some says which packets are dissected, if not all.
func (o *dissectOptions) some() workbench.Export { return o.export(o.windowOptions) }

// estimated tells what the dissection would take.
func (o *dissectOptions) estimated(ctx context.Context, e *workbench.Evidence) (*workbench.Estimate, error) {
	if q := o.some(); q != (workbench.Export{}) {
		return e.EstimateExport(ctx, q) // which reads the same
	}
	return e.EstimateDissect(ctx)
}

// dissect makes the index, and publishes it if it should.
func (o *dissectOptions) dissect(ctx context.Context, e *workbench.Evidence) (d *workbench.Dissected, published bool, err error) {
	if o.publish {
		return e.Publish(ctx)
	}
	d, err = e.Dissect(ctx, workbench.DissectOptions{Output: o.file, Force: o.force, KeepParts: o.keep, Packets: o.some()})
	return d, false, err
}

// checkDatabase refuses to write a database over what is none, such as a capture
// that was named by mistake.
func checkDatabase(file string) error {
	if file == "" || index.Is(file) {
		return nil
	}
	if _, err := os.Stat(file); err == nil {
		return usagef("--output %s: it is there already, and no index database", file)
	}
	return nil
}
