package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shark/packet/pcapng"
	"shark/workbench"
)

type exportOptions struct {
	windowOptions
	file     string
	format   string
	bpf      string
	node     string
	workload string
	ip       string
	identity string
	force    bool
	dedupe   bool
}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export SNAPSHOT... [KFL] -w FILE",
		Short: "Write packets to a file for Wireshark and its like",
		Long: `Write packets to a capture file, in order of time. A KFL expression selects the
connections of the entries it matches, with all their packets. Every condition that
is given must hold. -w - writes to standard output. A file that is there already is
replaced with --force only, and never when it is read or part of a snapshot.`,
		Example: `  shark export outage.pcap 'http && status_code >= 500' -w errors.pcapng
  shark export outage.pcap --bpf 'tcp port 6379' --from -5m -w redis.pcap
  shark export mysnapshot --workload shop/cart -w - | wireshark -k -i -`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeQuery,
		RunE:              func(cmd *cobra.Command, args []string) error { return runExport(cmd.Context(), a, args, o) },
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.file, "write", "w", "", "file to write, - for standard output")
	f.StringVar(&o.format, "format", "", "pcap or pcapng (default: by the file's name, else pcapng)")
	f.StringVar(&o.bpf, "bpf", "", "pcap-filter(7) expression")
	f.StringVar(&o.node, "node", "", "node that captured the packets")
	f.StringVar(&o.workload, "workload", "", "pod, service or workload at either end, as name or namespace/name")
	f.StringVar(&o.ip, "ip", "", "address or CIDR block at either end")
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.BoolVar(&o.dedupe, "dedupe", false, "write one sighting of each packet that several nodes or interfaces captured")
	f.BoolVar(&o.force, "force", false, "replace the file if it is there already")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"pcap", "pcapng"}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	return cmd
}

// formatOf chooses the format by the flag or the file's name.
func (o *exportOptions) formatOf() (pcapng.Format, error) {
	switch {
	case o.format == "pcap", o.format == "" && strings.HasSuffix(o.file, ".pcap"):
		return pcapng.Pcap, nil
	case o.format == "pcapng", o.format == "":
		return pcapng.Pcapng, nil
	}
	return 0, usagef("--format %q: pcap or pcapng", o.format)
}

func runExport(ctx context.Context, a *app, args []string, o exportOptions) error {
	if o.file == "" {
		return usagef("where to? name a file with -w, or - for standard output")
	}
	format, err := o.formatOf()
	if err != nil {
		return err
	}
	if o.file == "-" && a.terminal {
		return usagef("packets are not for a terminal: send standard output to a file or a program")
	}
	refs, expr, err := splitQuery(args)
	if err != nil {
		return err
	}
	if err := checkTarget(o.file, append(slices.Clone(refs), o.identity), o.force); err != nil {
		return err
	}
	e, err := a.open(ctx, refs, o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	q := workbench.Export{
		KFL: expr, BPF: o.bpf, Node: o.node, Workload: o.workload, IP: o.ip, From: o.from.When, To: o.to.When, Format: format, Dedupe: o.dedupe,
	}
	done, err := exportPackets(ctx, a, e, q, o.file)
	if err != nil {
		return err
	}
	what := workbench.Count(done.Packets, "packets")
	if done.Conns > 0 {
		what += " of " + workbench.Count(int64(done.Conns), "connections")
	}
	if done.OutOfOrder > 0 {
		what += fmt.Sprintf(", %s of them out of order, captured too far from their time", workbench.Grouped(done.OutOfOrder))
	}
	if done.Dropped > 0 {
		what += fmt.Sprintf(", %s more left out", workbench.Count(done.Dropped, "sightings"))
	}
	return a.footer(what+", "+byteText(done.Bytes), done.Coverage, nil)
}
