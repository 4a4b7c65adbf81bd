package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"shark/recorder"
	"shark/recorder/parts"
	"shark/recorder/session"
	"shark/recorder/watch"
	"shark/workbench"
)

type recordOptions struct {
	capture   parts.Capture
	pid       int
	container string
	tls       string
	duration  time.Duration
	file      string
	force     bool
}

func newRecord(a *app) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:   "record -w FILE [-i DEVICE | --pid N | --container ID] [-- COMMAND [ARGUMENT...]]",
		Short: "Record a session into one capture file, TLS readable and processes named",
		Long: `Record a session into one capture file: packets, the secrets or the plaintext of TLS, and which
process owned which socket. Wireshark decrypts the file, and shark query asks it. It records until
Ctrl-C, for --duration, or while COMMAND runs. TLS connections are readable whose handshake
comes after the recording began; programs and libraries that nobody used before are found within
a second.

Once the file is complete, it ends with COMMAND's own exit code, or with 128 and the number of the
signal that ended COMMAND. What shark could not do ends with shark's codes.

It needs Linux and root, or the capabilities that shark recorder --help names.`,
		Example: `  shark record -i eth0 -w session.pcapng
  shark record --pid 4711 --filter 'tcp port 443' --duration 1m -w session.pcapng
  shark record --container 3f29 -w pod.pcapng
  shark record -w curl.pcapng -- curl -s https://example.com/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return usagef("%q: a command to record comes after --", args[0])
			}
			if err := notEmpty(cmd.Flags(), "container", "netns", "interface"); err != nil {
				return err
			}
			if cmd.Flags().Changed("pid") && o.pid <= 0 {
				return usagef("--pid %d is no process", o.pid)
			}
			return runRecord(cmd.Context(), a, args, o)
		},
	}
	f := cmd.Flags()
	captureFlags(f, &o.capture, "own")
	f.IntVar(&o.pid, "pid", 0, "record the network namespace of this process")
	f.StringVar(&o.container, "container", "", "record the network namespace of the container whose id begins so")
	tlsFlag(cmd, &o.tls)
	f.DurationVar(&o.duration, "duration", 0, "end after this time, such as 30s")
	f.StringVarP(&o.file, "write", "w", "", "write this file; - for standard output")
	f.BoolVar(&o.force, "force", false, "replace the file if there is one")
	return cmd
}

// namespaces makes of process and container the namespaces that are recorded: by default those of
// the caller.
func (o *recordOptions) namespaces() error {
	given := 0
	for _, is := range []bool{o.pid != 0, o.container != "", len(o.capture.Namespaces) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return usagef("--pid, --container and --netns say the same: give one")
	case o.container != "":
		pid, err := watch.FindContainer(o.container)
		if err != nil {
			return err
		}
		o.pid = pid
	}
	if o.pid > 0 {
		o.capture.Namespaces = []string{strconv.Itoa(o.pid)}
	}
	if len(o.capture.Namespaces) == 0 {
		o.capture.Namespaces = []string{"own"}
	}
	return nil
}

// parts are those that record.
func (o *recordOptions) parts(node string) ([]recorder.Part, error) {
	mode, err := parts.ParseMode(o.tls)
	if err != nil {
		return nil, usagef("--tls: %w", err)
	}
	list, err := parts.List(node, &o.capture, parts.Policy{Mode: mode})
	if err != nil {
		return nil, usageError{err}
	}
	return list, nil
}

func runRecord(ctx context.Context, a *app, args []string, o recordOptions) error {
	if o.file == "" {
		return usagef("into which file? name it with -w")
	}
	if o.duration < 0 {
		return usagef("--duration %s: a time such as 30s", o.duration)
	}
	if err := needsLinux("record"); err != nil {
		return err
	}
	if err := o.namespaces(); err != nil {
		return err
	}
	node := hostName()
	list, err := o.parts(node)
	if err != nil {
		return err
	}
	if err := o.capture.Present(); err != nil {
		return err
	}
	command, err := session.NewCommand(args...) // before there is a file: it may not be found
	if err != nil {
		return err
	}
	out, err := o.create(a)
	if err != nil {
		return err
	}
	command.In, command.Out, command.Err = a.in, a.out, a.err
	if out.stdout {
		command.Out = a.err // where packets go nothing else does
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	bar := newProgressBar(a.err, a.quiet)
	sum, err := session.Run(ctx, session.Options{
		Node: node, Out: out, Parts: list, Needs: parts.PacketsName, Command: command, Log: slog.New(slog.DiscardHandler),
		Progress: func(x session.Summary) { bar.say(recorded(&x)) },
	})
	bar.clear()
	if sum.Parts == nil || errors.Is(err, recorder.ErrNothing) {
		return errors.Join(err, out.discard())
	}
	err = errors.Join(err, out.keep())
	if !a.quiet {
		report(a.err, &sum, out)
	}
	switch {
	case err != nil:
		return err
	case sum.Command != nil:
		return sum.Command
	}
	return errEnded // by Ctrl-C, which is how it ends
}

// recorded says in a line what was recorded so far.
func recorded(s *session.Summary) string {
	text := fmt.Sprintf("%s, %s, in %s", workbench.Count(int64(s.Packets), "packets"), byteText(int64(s.Bytes)), s.Took.Round(time.Second))
	if s.Sessions > 0 {
		text += fmt.Sprintf("; secrets of %s", workbench.Count(int64(s.Sessions), "TLS sessions"))
	}
	if s.Plaintext > 0 {
		text += fmt.Sprintf("; %s of plaintext", workbench.Count(int64(s.Plaintext), "packets"))
	}
	if s.Dropped > 0 {
		text += fmt.Sprintf("; %s dropped", workbench.Grouped(int64(s.Dropped)))
	}
	return text
}

// report says what was recorded, what was not, and how to ask for it.
func report(w io.Writer, s *session.Summary, to *recording) {
	fmt.Fprintf(w, "%s: %s\n", sanitize(to.name, false), recorded(s))
	for i := range s.Parts {
		p := &s.Parts[i]
		missing := slices.Clone(p.Missing)
		if p.Reason != "" {
			missing = append(missing, p.Reason)
		}
		if counts, ok := p.Details.(fmt.Stringer); ok {
			missing = append(missing, counts.String())
		}
		for _, text := range missing {
			fmt.Fprintf(w, "  %s: %s\n", p.Name, sanitize(oneLine(text), false))
		}
	}
	if !to.stdout {
		fmt.Fprintf(w, "  shark query %s\n", sanitize(to.name, false))
	}
}
