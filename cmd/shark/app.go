package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shark/dissector"
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
	terminal  bool // out is one
	store     string
	cache     string
	cacheSize byteSize
	workers   int
	memory    byteSize
	protocols []string
	keyLog    string
	noFetch   bool
	partial   string
	quiet     bool
	bar       *progressBar
}

// output keeps the first error of what is written to it: whatever was printed and
// did not arrive fails the command.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	if err != nil {
		o.err = fmt.Errorf("writing the answer: %w", err)
	}
	return n, o.err
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	out := &output{w: s.out}
	a := &app{streams: streams{in: s.in, out: out, err: s.err}, terminal: isTerminal(s.out)}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	// What goes wrong before a command runs is wrong with the command line.
	began := false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	err := root.ExecuteContext(ctx)
	if err != nil && !began {
		err = usageError{err}
	}
	if out.err != nil {
		err = out.err
	}
	a.bar.clear()
	code := codeOf(ctx, err)
	switch {
	case code == exitOK, code == exitPartial, errors.Is(err, errUnsound): // of which the footer told
	case code == exitInterrupted:
		fmt.Fprintln(a.err, "shark: interrupted")
	default:
		fmt.Fprintln(a.err, "shark: "+sanitize(message(err), true))
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

Answers go to standard output; what they cover, and what is missing from them,
to standard error.

Exit codes:
` + exitHelp(),
		Example: `  shark query outage.pcap 'http && status_code >= 500'
  shark stats outage.pcap --by dst.name,status
  shark show outage.pcap 1234
  shark export outage.pcap 'redis && elapsed_time > 100000' -w slow.pcapng`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&a.store, "store", envOr("SHARK_STORE", defaultStore()), "snapshot store: a folder, or a bucket such as s3://bucket/prefix?region=... (default: SHARK_STORE, else a folder in the user's data folder)")
	f.StringVar(&a.cache, "cache", os.Getenv("SHARK_CACHE"), "folder of index databases and of what was read of buckets (default: SHARK_CACHE, else in the user's cache folder)")
	f.Var(&a.cacheSize, "cache-size", "how large the cache may get, such as 50GiB (default: SHARK_CACHE_SIZE, else 10GB)")
	f.IntVar(&a.workers, "workers", 0, "processors to dissect with; 0 for all")
	f.Var(&a.memory, "memory", "memory that a dissection's connections may take, such as 512M (default 256M)")
	f.StringSliceVar(&a.protocols, "protocols", nil, "protocols to look for: `names` for these alone, +name to add one (+tcp,+udp: packets of no protocol), -name to leave one out")
	f.StringVar(&a.keyLog, "keylog", os.Getenv("SHARK_KEYLOG"), "`file` with secrets of TLS sessions, as SSLKEYLOGFILE names one, besides those that a capture holds (default: SHARK_KEYLOG)")
	f.BoolVar(&a.noFetch, "no-fetch", false, "do not use an index database that is published with a snapshot: dissect its packets")
	f.StringVar(&a.partial, "partial", workbench.PartialAuto, "dissect of a snapshot only what a question needs: `when` is auto (if that saves much), always or never")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes, except on what is missing from an answer")
	f.Lookup("keylog").DefValue = ""
	for _, name := range []string{"store", "cache"} {
		f.Lookup(name).DefValue = "" // the help reads the same for everybody
		_ = root.MarkPersistentFlagDirname(name)
	}
	_ = root.RegisterFlagCompletionFunc("protocols", cobra.FixedCompletions(workbench.ProtocolNames(), cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	_ = root.RegisterFlagCompletionFunc("partial", cobra.FixedCompletions([]string{workbench.PartialAuto, workbench.PartialAlways, workbench.PartialNever}, cobra.ShellCompDirectiveNoFileComp))
	root.InitDefaultVersionFlag()
	root.AddCommand(commands(a)...)
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.Args, c.RunE = noArgs, root.RunE
	}
	return root
}

// commands is the one list of commands.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newDissect(a), newQuery(a), newShow(a), newStats(a), newTLS(a), newFollow(a),
		newWorkloads(a), newIPs(a), newExport(a), newFields(a), newSnapshot(a), newCache(a), newRecorder(a), newRecord(a), newVersion(a),
	}
}

// newHelp is cobra's help command, except that an unknown command is an error.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Example: "  shark help query\n  shark help snapshot import",
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), prefix) {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return usageError{err}
			}
			if len(rest) > 0 {
				return unknownCommand(cmd, rest[0])
			}
			cmd.InitDefaultHelpFlag() // the help lists --help itself
			return cmd.Help()
		},
	}
}

// workbench makes the service that answers.
func (a *app) workbench() (*workbench.Workbench, error) {
	if a.workers < 0 {
		return nil, usagef("--workers %d: it is how many, or 0 for all", a.workers)
	}
	if size := os.Getenv("SHARK_CACHE_SIZE"); size != "" && a.cacheSize == 0 {
		if err := a.cacheSize.Set(size); err != nil {
			return nil, usagef("SHARK_CACHE_SIZE: %w", err)
		}
	}
	a.bar = newProgressBar(a.err, a.quiet)
	memory := cmp.Or(int64(a.memory), dissector.DefaultMemory)
	gc := newCollector()
	if a.workers > 0 && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(a.workers, runtime.NumCPU())) // reading, hashing and writing run beside the workers
	}
	return workbench.New(workbench.Config{
		Version: version, Build: buildID(), Store: a.store, Cache: a.cache, CacheSize: int64(a.cacheSize), Workers: a.workers, Memory: memory, Protocols: a.protocols, KeyLog: a.keyLog, NoFetch: a.noFetch, Partial: a.partial,
		Progress: func(p workbench.Progress) {
			gc.read(p.Bytes)
			a.bar.update(p)
		},
	})
}

// open opens what the arguments name.
func (a *app) open(ctx context.Context, refs []string, identity string) (*workbench.Evidence, error) {
	w, err := a.workbench()
	if err != nil {
		return nil, err
	}
	return a.openWith(ctx, w, refs, identity)
}

func (a *app) openWith(ctx context.Context, w *workbench.Workbench, refs []string, identity string) (*workbench.Evidence, error) {
	files := []string{identity}
	for _, ref := range refs {
		if len(refs) > 1 && likeFile.MatchString(ref) { // what else is not there may be a snapshot, which goes alone
			files = append(files, ref)
		}
	}
	if err := checkFiles(files); err != nil {
		return nil, err
	}
	o := workbench.OpenOptions{Identity: identity}
	if slices.Contains(refs, "-") {
		if isTerminal(a.in) {
			return nil, usagef("standard input is a terminal: send a capture into it, as in tcpdump -w - | shark query -")
		}
		o.Stdin = a.in
	}
	return w.Open(ctx, refs, o)
}

// missingError is a file that is not there.
type missingError struct{ path string }

func (e missingError) Error() string { return e.path + ": no such file" }

// checkFiles looks whether files are there.
func checkFiles(paths []string) error {
	for _, p := range paths {
		if p == "" || p == "-" {
			continue
		}
		if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
			return missingError{p}
		}
	}
	return nil
}

// likeFile is what cannot be an expression and looks like the name of a file.
var likeFile = regexp.MustCompile(`^[^\s"'=<>&|!(){}\[\]?]*([/\\]|\.(pcap|pcapng|cap|ntar|dmp|db|gz|zst))[^\s"'=<>&|!(){}\[\]?]*$`)

// likeURL is what begins as the URL of a snapshot in a bucket does, and no expression.
var likeURL = regexp.MustCompile(`^[a-z][a-z0-9]*://`)

// splitQuery parts the arguments into snapshots and the expression.
func splitQuery(args []string) (refs []string, expr string, err error) {
	last := args[len(args)-1]
	info, statErr := os.Stat(last)
	switch {
	case likeURL.MatchString(last): // its parameters have signs of expressions
		return args, "", nil
	case len(args) == 1 && statErr != nil && strings.ContainsAny(last, `=<>&|!("`):
		return nil, "", usagef("a SNAPSHOT goes before the expression %s", last)
	case len(args) == 1, last == "-", statErr == nil && !info.IsDir():
		return args, "", nil
	case likeFile.MatchString(last):
		return nil, "", missingError{last}
	}
	return args[:len(args)-1], last, nil
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
