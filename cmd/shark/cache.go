package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"shark/workbench"
)

func newCache(a *app) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show what the cache holds, or clear it",
		Long: `Show what the cache holds: index databases, what was found of parts of snapshots (of which
index databases are made), and what was read of snapshots in buckets.
It stays within --cache-size by what was not used for the longest time. Nothing is lost
with it: what is not there is read or dissected again.`,
		Example: "  shark cache\n  shark cache clear\n  shark query outage http --cache-size 50GiB",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runCache(a, form) },
	}
	cmd.Flags().StringVarP(&form, "output", "o", "table", "form of the answer: table, json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	cmd.AddCommand(newCacheClear(a))
	return cmd
}

func runCache(a *app, form string) error {
	if form != "table" && form != "json" {
		return usagef("--output %q: one of table, json", form)
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	s, err := w.CacheState()
	if err != nil {
		return err
	}
	if form == "json" {
		return a.writeJSON(s)
	}
	fmt.Fprintf(a.out, "folder      %s\nsize        %s of %s\n", sanitize(s.Folder, false), byteText(s.Bytes()), byteText(s.Size))
	fmt.Fprintf(a.out, "indexes     %s, %s\n", workbench.Count(s.Indexes, "databases"), byteText(s.IndexBytes))
	fmt.Fprintf(a.out, "dissected   %s of snapshots, %s\n", workbench.Count(s.Rows, "parts"), byteText(s.RowBytes))
	fmt.Fprintf(a.out, "of buckets  %s, %s\n", workbench.Count(s.Parts, "parts"), byteText(s.PartBytes))
	if s.Left > 0 {
		fmt.Fprintf(a.out, "unfinished  %s\n", byteText(s.LeftBytes))
	}
	if !s.Oldest.IsZero() {
		fmt.Fprintf(a.out, "oldest      %s UTC\n", moment(s.Oldest))
	}
	return nil
}

func newCacheClear(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clear",
		Short: "Remove all that the cache holds",
		Long: `Remove all that the cache holds. Whoever is dissecting into it meanwhile has to begin
again.`,
		Example: "  shark cache clear",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			w, err := a.workbench()
			if err != nil {
				return err
			}
			s, err := w.ClearCache()
			if err == nil && !a.quiet {
				fmt.Fprintf(a.err, "removed %s: %s, %s and %s of buckets\n", byteText(s.Bytes()), workbench.Count(s.Indexes, "databases"), workbench.Count(s.Rows, "dissected parts"), workbench.Count(s.Parts, "parts"))
			}
			return err
		},
	}
}
