package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export SNAPSHOT... [KFL] -w FILE",
		Short: "Write packets to a file for Wireshark and its like",
		Long: `Write packets to a capture file, in order of time. A KFL expression selects the
connections of the entries it matches, with all their packets. Every condition that
is given must hold. -w - writes to standard output.`,
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
	if err := checkTarget(o.file, append(refs, o.identity)); err != nil {
		return err
	}
	e, err := a.open(ctx, refs, o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	q := workbench.Export{
		KFL: expr, BPF: o.bpf, Node: o.node, Workload: o.workload, IP: o.ip, From: o.from.When, To: o.to.When, Format: format,
	}
	var done *workbench.Exported
	if o.file == "-" {
		out := bufio.NewWriterSize(a.out, 1<<16)
		if done, err = e.Export(ctx, q, out); err == nil {
			err = out.Flush()
		}
	} else {
		done, err = exportFile(ctx, e, q, o.file)
	}
	if err != nil {
		return err
	}
	what := count(done.Packets, "packets")
	if done.Conns > 0 {
		what += " of " + count(int64(done.Conns), "connections")
	}
	if done.OutOfOrder > 0 {
		what += fmt.Sprintf(", %d of them out of order: they were captured too far from their time", done.OutOfOrder)
	}
	return a.footer(what+", "+byteText(done.Bytes), done.Coverage, nil)
}

// checkTarget refuses to write over what is to be read.
func checkTarget(file string, refs []string) error {
	to, err := os.Stat(file)
	if err != nil {
		return nil
	}
	for _, r := range refs {
		if from, err := os.Stat(r); err == nil && os.SameFile(from, to) {
			return usagef("%s is what is read: write to another file", file)
		}
	}
	return nil
}

// exportFile writes to a file that appears under its name only when it is whole.
func exportFile(ctx context.Context, e *workbench.Evidence, q workbench.Export, path string) (done *workbench.Exported, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return exportTo(ctx, e, q, path) // a pipe or a device has no name to give
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return nil, writing(path, "", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	done, err = e.Export(ctx, q, f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return nil, writing(path, f.Name(), err)
	}
	return done, os.Rename(f.Name(), path)
}

// exportTo writes to what is there already.
func exportTo(ctx context.Context, e *workbench.Evidence, q workbench.Export, path string) (*workbench.Exported, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, writing(path, "", err)
	}
	done, err := e.Export(ctx, q, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return done, nil
}

// writing names in an error the file that is to be, not the one that was to become it.
func writing(path, part string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && (part == "" || p.Path == part) {
		return fmt.Errorf("writing %s: %w", path, p.Err)
	}
	return err
}
