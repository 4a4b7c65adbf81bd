package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shark/packet/pcapng"
	"shark/workbench"
)

// packetOptions are the flags of the commands that choose packets, besides their time.
type packetOptions struct{ bpf, node, workload, ip string }

func (o *packetOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.bpf, "bpf", "", "pcap-filter(7) expression")
	f.StringVar(&o.node, "node", "", "node that captured the packets")
	f.StringVar(&o.workload, "workload", "", "pod, service or workload at either end, as name or namespace/name")
	f.StringVar(&o.ip, "ip", "", "address or CIDR block at either end")
}

// export is what the flags choose of a time.
func (o *packetOptions) export(w windowOptions) workbench.Export {
	return workbench.Export{BPF: o.bpf, Node: o.node, Workload: o.workload, IP: o.ip, From: w.from.When, To: w.to.When}
}

type exportOptions struct {
	windowOptions
	packetOptions
	file      string
	format    string
	profile   string
	secrets   bool
	plaintext string
	identity  string
	fields    []string
	splitBy   string
	splitSize byteSize
	splitTime time.Duration
	splitFlag string // which of these two is given
	dedupe    bool
	force     bool
	estimate  bool
}

// exportFormats are the formats of export: of packets, then of entries.
var exportFormats = []string{"pcapng", "pcap", "jsonl", "csv", "har", "zeek", "parquet"}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export SNAPSHOT... [KFL] -w FILE",
		Short: "Write packets or entries to files for other programs",
		Long: `Write packets to a capture file, in order of time. A KFL expression selects the
connections of the entries it matches, with all their packets. Every condition that
is given must hold. -w - writes to standard output. A file that is there already is
replaced with --force only, and never when it is read or part of a snapshot.

A portable file (default) is for every program: it has one link type, one snap
length, one interface for each node. Where the packets have several link types, all
become Ethernet: Linux cooked, raw IP, loopback, PPP and Cisco HDLC get an Ethernet
header for theirs, with the addresses that are known and else zeros, and what is
behind it stays as it is. What cannot be Ethernet is left out, and said.

A rich file (--profile rich) is for Wireshark: all link types, an interface for each
pod, names of the addresses that one pod, service or node had all the time, on the
first packet of each connection a comment with its ends and entries, packet ids that
all sightings of one packet have in common, and the id of the process that sent a packet,
where it ran on the node that captured it and is known.

What opens TLS is left out unless it is asked for: --secrets puts session secrets
ahead of the packets, --plaintext what TLS libraries sent and received beside them, on
an interface shark-plaintext. Most programs do not tell interfaces apart and take both
for one connection: for those --plaintext=only writes nothing else. A file with either
is for its owner's eyes only.

With --split-by FILE is a pattern: out.pcapng becomes out-KEY.pcapng for each pod,
node, size or time. The files are listed on standard output.

Entries, without their packets, are written as jsonl, csv, har (HTTP Archive 1.2, no
bodies), zeek (a folder of logs: conn, http, dns) or parquet. Without an expression
these are calls and messages; of zeek, connections too. They say what query says, of
calls in TLS that could be read too: !tls leaves those out.`,
		Example: `  shark export outage.pcap 'http && status_code >= 500' -w errors.pcapng
  shark export outage.pcap --bpf 'tcp port 6379' --from -5m -w redis.pcap
  shark export mysnapshot --workload shop/cart -w - | wireshark -k -i -
  shark export mysnapshot --profile rich --secrets -w everything.pcapng
  shark export mysnapshot 'http && failed' --plaintext=only -w clear.pcap
  shark export mysnapshot --split-by pod -w out.pcapng
  shark export mysnapshot 'http && failed' -w failed.har
  shark export mysnapshot --workload shop/cart --from -5m --estimate
  shark export mysnapshot --format zeek -w logs`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeQuery,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"split-size", "split-time"} {
				if cmd.Flags().Changed(name) {
					o.splitFlag = name
				}
			}
			return runExport(cmd.Context(), a, args, o)
		},
	}
	o.windowOptions.addFlags(cmd)
	o.packetOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.file, "write", "w", "", "file to write, - for standard output; of zeek a folder")
	f.StringVar(&o.format, "format", "", strings.Join(exportFormats, ", ")+" (default: by the file's name, else pcapng)")
	o.profileFlags(cmd)
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.StringSliceVar(&o.fields, "fields", nil, "of jsonl, csv and parquet: only these fields")
	f.StringVar(&o.splitBy, "split-by", "", "several files: pod, node, size or time")
	o.splitSize = 100_000_000
	f.Var(&o.splitSize, "split-size", "with --split-by size: begin the next file after so much")
	f.DurationVar(&o.splitTime, "split-time", 5*time.Minute, "with --split-by time: length of a file")
	f.BoolVar(&o.dedupe, "dedupe", false, "write one sighting of each packet that several nodes or interfaces captured")
	f.BoolVar(&o.force, "force", false, "replace the file if it is there already")
	estimateFlag(cmd, &o.estimate)
	for flag, values := range map[string][]string{"format": exportFormats, "split-by": {"pod", "node", "size", "time"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	}
	_ = cmd.RegisterFlagCompletionFunc("fields", a.completeField) // fails only if the flag is missing
	return cmd
}

// profileFlags are the flags of what a capture file is made for.
func (o *exportOptions) profileFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.profile, "profile", "portable", "portable, for every program, or rich, for Wireshark")
	cmd.Flags().BoolVar(&o.secrets, "secrets", false, "write TLS session secrets, before the packets")
	cmd.Flags().StringVar(&o.plaintext, "plaintext", "", "write what TLS libraries sent and received: beside the packets, or only")
	cmd.Flags().Lookup("plaintext").NoOptDefVal = plaintextBeside
	_ = cmd.RegisterFlagCompletionFunc("plaintext", cobra.FixedCompletions([]string{plaintextBeside, plaintextOnly}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"portable", "rich"}, cobra.ShellCompDirectiveNoFileComp))               // fails only if the flag is missing
}

// The values of --plaintext.
const (
	plaintextBeside = "beside"
	plaintextOnly   = "only"
)

// formatOf chooses the format by the flag or the file's name.
func (o *exportOptions) formatOf() (string, error) {
	form := o.format
	if ext := strings.TrimPrefix(filepath.Ext(o.file), "."); form == "" && slices.Contains(exportFormats, ext) && ext != "zeek" {
		form = ext
	}
	if ext := filepath.Ext(o.file); form == "" && (ext == ".gz" || ext == ".zst") {
		return "", usagef("-w %s: a file is written as it is, not packed: leave %s away, or send standard output (-w - with --format) through a program that packs", o.file, ext)
	}
	form = cmp.Or(form, "pcapng")
	if !slices.Contains(exportFormats, form) {
		return "", usagef("--format %q: one of %s", form, strings.Join(exportFormats, ", "))
	}
	return form, nil
}

func runExport(ctx context.Context, a *app, args []string, o exportOptions) error {
	if o.file == "" && !o.estimate {
		return usagef("where to? name a file with -w, or - for standard output")
	}
	form, err := o.formatOf()
	if err != nil {
		return err
	}
	if form != "pcapng" && form != "pcap" {
		if o.estimate {
			return usagef("entries are read of an index: shark dissect --estimate says what it takes to make one")
		}
		return exportEntries(ctx, a, args, form, o)
	}
	q, err := o.packets(form)
	if err != nil {
		return err
	}
	if o.file == "-" && a.terminal && !o.estimate {
		return usagef("packets are not for a terminal: send standard output to a file or a program")
	}
	var refs []string
	if refs, q.KFL, err = splitQuery(args); err != nil {
		return err
	}
	if q.Plaintext == workbench.WithPlaintext && (q.KFL == plaintextBeside || q.KFL == plaintextOnly) {
		return usagef("--plaintext %[1]s: what it is goes behind an equals sign, as in --plaintext=%[1]s", q.KFL)
	}
	read := append(slices.Clone(refs), o.identity)
	if o.splitBy == "" && !o.estimate {
		if err := checkTarget(o.file, read, o.force); err != nil {
			return err
		}
	}
	e, err := a.open(ctx, refs, o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	if o.estimate {
		return a.printEstimate(e.EstimateExport(ctx, q))
	}
	var done *workbench.Exported
	if o.splitBy != "" {
		done, err = exportSplit(ctx, a, e, q, o, read)
	} else {
		done, err = exportPackets(ctx, a, e, q, o.file)
	}
	if err != nil {
		return err
	}
	return a.exported(done)
}

// packets makes the question for packets.
func (o *exportOptions) packets(form string) (workbench.Export, error) {
	q := workbench.Export{BPF: o.bpf, Node: o.node, Workload: o.workload, IP: o.ip, From: o.from.When, To: o.to.When, Secrets: o.secrets, Dedupe: o.dedupe}
	if form == "pcap" {
		q.Format = pcapng.Pcap
	}
	switch o.plaintext {
	case "":
	case plaintextBeside:
		q.Plaintext = workbench.WithPlaintext
	case plaintextOnly:
		q.Plaintext = workbench.PlaintextOnly
	default:
		return q, usagef("--plaintext=%s: %s or %s", o.plaintext, plaintextBeside, plaintextOnly)
	}
	switch o.profile {
	case "portable":
	case "rich":
		q.Profile = workbench.Rich
	default:
		return q, usagef("--profile %q: portable or rich", o.profile)
	}
	switch {
	case len(o.fields) > 0:
		return q, usagef("--fields goes with jsonl, csv and parquet; a capture file has packets")
	case o.splitFlag != "" && o.splitBy != strings.TrimPrefix(o.splitFlag, "split-"):
		return q, usagef("--%s goes with --split-by %s", o.splitFlag, strings.TrimPrefix(o.splitFlag, "split-"))
	case o.splitBy != "" && !slices.Contains([]string{"pod", "node", "size", "time"}, o.splitBy):
		return q, usagef("--split-by %q: pod, node, size or time", o.splitBy)
	case o.splitBy != "" && o.file == "-":
		return q, usagef("several files do not go to standard output: name one with -w, which the others are called after")
	}
	return q, nil
}

// exported says what was written.
func (a *app) exported(done *workbench.Exported) error {
	what := workbench.Count(done.Packets, "packets")
	if done.Conns > 0 {
		what += " of " + workbench.Count(int64(done.Conns), "connections")
	}
	if done.Files != 1 {
		what += " in " + workbench.Count(int64(done.Files), "files")
	}
	if done.OutOfOrder > 0 {
		what += fmt.Sprintf(", %s of them out of order, captured too far from their time", workbench.Grouped(done.OutOfOrder))
	}
	if done.Dropped > 0 {
		what += fmt.Sprintf(", %s more left out", workbench.Count(done.Dropped, "sightings"))
	}
	return a.footer(what+", "+byteText(done.Bytes), done.Coverage, nil)
}

// exportSplit writes several files, and lists them.
func exportSplit(ctx context.Context, a *app, e *workbench.Evidence, q workbench.Export, o exportOptions, read []string) (*workbench.Exported, error) {
	files := newFileSet(o.file, read, o.force, modeOf(q))
	done, err := e.ExportSplit(ctx, q, workbench.Split{By: workbench.SplitBy(o.splitBy), Size: int64(o.splitSize), Every: o.splitTime}, files)
	if err != nil {
		return nil, errors.Join(err, files.Clear())
	}
	paths, err := files.commit()
	if err != nil {
		return nil, errors.Join(err, files.Clear())
	}
	a.bar.clear()
	for _, p := range paths {
		if _, err := fmt.Fprintln(a.out, p); err != nil {
			return nil, err
		}
	}
	return done, nil
}
