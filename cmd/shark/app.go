package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"shark/workbench"
)

// streams are the standard streams. Data goes to out, talk to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what all commands share.
type app struct {
	streams
	store   string
	cache   string
	workers int
	memory  byteSize
	quiet   bool
	color   bool
	bar     *progressBar
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	a := &app{streams: s}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	a.bar.clear()
	code := codeOf(ctx, err)
	switch code {
	case exitOK, exitPartial:
	case exitInterrupted:
		fmt.Fprintln(s.err, "shark: interrupted")
	default:
		fmt.Fprintln(s.err, "shark: "+sanitize(message(err), true))
	}
	return code.code
}

// newRoot makes the command tree.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "shark",
		Short: "Flight recorder for Kubernetes networks, and the workbench that reads it",
		Long: `shark answers questions about captured traffic: calls, connections, workloads,
packets. A SNAPSHOT is an id or unique name in the store, a snapshot's folder,
capture files (pcap or pcapng, gzip or zstd packed or plain, several are merged),
an index database, or - for standard input. What is not dissected yet is
dissected on first use.

Exit codes:
` + exitHelp(),
		Example: `  shark query outage.pcap 'http && status_code >= 500'
  shark stats outage.pcap --by dst.name,status
  shark show outage.pcap 1234
  shark export outage.pcap 'redis && elapsed_time > 100000' -w slow.pcapng`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; %s --help lists the flags", err, cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&a.store, "store", envOr("SHARK_STORE", defaultStore()), "folder of the snapshot store (SHARK_STORE)")
	f.StringVar(&a.cache, "cache", os.Getenv("SHARK_CACHE"), "folder of index databases (SHARK_CACHE; default: in the user's cache folder)")
	f.IntVar(&a.workers, "workers", 0, "goroutines that dissect (default: one for each CPU)")
	f.Var(&a.memory, "memory", "memory that a dissection's connections may take, such as 512M (default 256M)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes")
	root.AddCommand(commands(a)...)
	root.CompletionOptions.HiddenDefaultCmd = false
	return root
}

// commands is the one list of commands.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newDissect(a), newQuery(a), newShow(a), newStats(a), newFollow(a),
		newWorkloads(a), newIPs(a), newExport(a), newFields(a), newSnapshot(a), newVersion(a),
	}
}

// workbench makes the service that answers.
func (a *app) workbench() (*workbench.Workbench, error) {
	if a.workers < 0 {
		return nil, usagef("--workers %d: there must be at least one", a.workers)
	}
	a.bar = newProgressBar(a.err, a.quiet)
	return workbench.New(workbench.Config{
		Version: version, Store: a.store, Cache: a.cache, Workers: a.workers, Memory: int64(a.memory), Progress: a.bar.update,
	})
}

// open opens what the arguments name.
func (a *app) open(ctx context.Context, refs []string, identity string) (*workbench.Evidence, error) {
	w, err := a.workbench()
	if err != nil {
		return nil, err
	}
	return w.Open(ctx, refs, workbench.OpenOptions{Identity: identity, Stdin: a.in})
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}

// defaultStore is a folder in the user's data folder.
func defaultStore() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "shark", "snapshots")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "shark", "snapshots")
	}
	return filepath.Join(home, ".local", "share", "shark", "snapshots")
}

// noArgs and the like are cobra's checks with our exit code.
func noArgs(cmd *cobra.Command, args []string) error { return argsError(cmd, cobra.NoArgs(cmd, args)) }

func argsBetween(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return argsError(cmd, cobra.RangeArgs(low, high)(cmd, args))
	}
}

func argsAtLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return argsError(cmd, cobra.MinimumNArgs(n)(cmd, args))
	}
}

func argsError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return usagef("%w; usage: %s", err, cmd.UseLine())
}
