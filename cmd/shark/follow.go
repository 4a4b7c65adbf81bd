package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shark/workbench"
)

type followOptions struct {
	identity string
	form     string
	side     string
}

func newFollow(a *app) *cobra.Command {
	var o followOptions
	cmd := &cobra.Command{
		Use:   "follow SNAPSHOT... ENTRY",
		Short: "Show what both sides of an entry's connection sent, in order",
		Long: `Show what both sides of an entry's connection sent, put in order, > from the client
and < from the server. Bytes that were never captured are named where they are
missing.`,
		Example: `  shark follow outage.pcap 1234
  shark follow outage.pcap 1234 --form hex
  shark follow outage.pcap 1234 --form raw --side server > reply.bin`,
		Args:              argsAtLeast(2),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runFollow(cmd.Context(), a, args, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.StringVar(&o.form, "form", "text", "text, hex or raw")
	f.StringVar(&o.side, "side", "both", "client, server or both")
	for name, values := range map[string][]string{"form": {"text", "hex", "raw"}, "side": {"both", "client", "server"}} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	}
	return cmd
}

func runFollow(ctx context.Context, a *app, args []string, o followOptions) error {
	if !strings.Contains(" text hex raw ", " "+o.form+" ") {
		return usagef("--form %q: one of text, hex, raw", o.form)
	}
	if !strings.Contains(" both client server ", " "+o.side+" ") {
		return usagef("--side %q: one of both, client, server", o.side)
	}
	id, err := entryID(args[len(args)-1])
	if err != nil {
		return err
	}
	e, err := a.open(ctx, args[:len(args)-1], o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	out := bufio.NewWriter(a.out)
	var ends workbench.Followed
	err = e.Follow(ctx, id, func(f workbench.Followed) error {
		ends = f
		a.bar.clear()
		return nil
	}, func(c workbench.Chunk) error {
		if o.side != "both" && (o.side == "client") != c.Client {
			return nil
		}
		return o.write(out, c)
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return a.footer(ends.Client+" > "+ends.Server, ends.Coverage, nil)
}

// write writes one chunk.
func (o *followOptions) write(out *bufio.Writer, c workbench.Chunk) error {
	arrow := "<"
	if c.Client {
		arrow = ">"
	}
	var err error
	switch {
	case o.form == "raw":
		_, err = out.Write(c.Data)
	case c.Data == nil:
		_, err = fmt.Fprintf(out, "%s (%s never captured)\n", arrow, count(c.Gap, "bytes"))
	case o.form == "hex":
		_, err = fmt.Fprintf(out, "%s %s packet %d\n%s", arrow, c.Time.Format("15:04:05.000000"), c.Packet, hex.Dump(c.Data))
	default:
		for line := range strings.SplitAfterSeq(sanitize(string(bytes.ReplaceAll(c.Data, []byte("\r\n"), []byte("\n"))), true), "\n") {
			if line != "" {
				_, err = fmt.Fprintf(out, "%s %s\n", arrow, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return err
}
