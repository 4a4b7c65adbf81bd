package main

import "github.com/spf13/cobra"

func newSnapshotCat(a *app) *cobra.Command {
	o := exportOptions{file: "-", format: "pcapng", profile: "portable"}
	cmd := &cobra.Command{
		Use:   "cat SNAPSHOT",
		Short: "Write the packets of a snapshot to standard output, as pcapng",
		Long: `Write the packets of a snapshot to standard output, as pcapng: what shark export
SNAPSHOT -w - does, whose help says more, and whose other flags select packets.`,
		Example:           "  shark snapshot cat outage | tcpdump -nr -\n  shark snapshot cat outage --profile rich --secrets | wireshark -k -i -",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE:              func(cmd *cobra.Command, args []string) error { return runExport(cmd.Context(), a, args, o) },
	}
	o.profileFlags(cmd)
	return cmd
}
