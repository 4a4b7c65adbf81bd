package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"shark/workbench"
)

// estimateFlag adds --estimate to a command.
func estimateFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "estimate", false, "only say what would be read, and about how long it would take")
}

// printEstimate prints what an answer would take.
func (a *app) printEstimate(x *workbench.Estimate, err error) error {
	if err != nil {
		return err
	}
	if x.Ready {
		text := "packets   none: there is an index database that answers"
		if x.Published {
			text += ", published with the snapshot: what the question needs of it is read"
		}
		_, err := fmt.Fprintln(a.out, text)
		return err
	}
	if x.AllBlocks > 0 {
		fmt.Fprintf(a.out, "packets   %s, in %s of %s\n", workbench.Grouped(int64(x.Packets)), workbench.Grouped(int64(x.Blocks)), workbench.Count(int64(x.AllBlocks), "blocks"))
	}
	fmt.Fprintf(a.out, "bytes     %s", byteText(x.Bytes))
	if x.Cached > 0 {
		fmt.Fprintf(a.out, ", and %s in the cache", byteText(x.Cached))
	}
	fmt.Fprintln(a.out)
	switch {
	case x.Latency > 0:
		fmt.Fprintf(a.out, "requests  %s, of %s each (measured)\n", workbench.Grouped(x.Requests), x.Latency.Round(time.Millisecond))
	case x.AllBlocks > 0:
		fmt.Fprintf(a.out, "requests  %s, which wait for nothing: the snapshot is in a folder\n", workbench.Grouped(x.Requests))
	default:
		fmt.Fprintln(a.out, "requests  none: capture files are read in order")
	}
	_, err = fmt.Fprintf(a.out, "time      about %s (%s)\n", x.Time.Round(10*time.Millisecond), x.Assumed)
	return err
}
