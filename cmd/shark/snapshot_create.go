package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shark/recorder/client"
	"shark/recorder/freeze"
	"shark/snapshot"
	"shark/workbench"
)

type snapshotCreateOptions struct {
	snapshot.CreateOptions
	windowOptions
	rings     []string
	recorders []string
	client    client.Options
	last      time.Duration
	lastSet   bool // 0 is not no time then
}

func newSnapshotCreate(a *app) *cobra.Command {
	var o snapshotCreateOptions
	cmd := &cobra.Command{
		Use:   "create (--ring DIR | --recorder URL)... (--last 15m | --from T --to T)",
		Short: "Keep a window of what recorders hold as a snapshot",
		Long: `Keep a window of what recorders hold as a snapshot. Each --ring is the ring of one node, which
may be recording meanwhile, and each --recorder a node that is asked over its API, with the
token of --recorder-token-file. A recorder that cannot be reached is missing from the snapshot,
which says so. What is asked for cannot be overwritten from the first
moment on. A packet is taken when it suits each kind of condition that is given: by
one of the nodes, and at either end one of the namespaces, of the workloads, of the
addresses. What was not recorded is written down in the snapshot.`,
		Example: `  shark snapshot create --ring /var/lib/shark/ring --last 15m --name outage
  shark snapshot create --ring a --ring b --from 22:00 --to 22:10 --namespace shop --bpf 'tcp port 8080'
  shark snapshot create --recorder https://10.0.0.7:8898 --recorder-ca ca.pem --recorder-token-file token --last 15m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.lastSet = cmd.Flags().Changed("last")
			return runSnapshotCreate(cmd.Context(), a, o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.rings, "ring", nil, "folder of the ring of a node; may be given for several")
	f.StringArrayVar(&o.recorders, "recorder", nil, "address of the recorder of a node, such as https://10.0.0.7:8898; may be given for several")
	f.StringVar(&o.client.Token, "recorder-token-file", os.Getenv("SHARK_RECORDER_TOKEN_FILE"), "file of the recorders' token (default: SHARK_RECORDER_TOKEN_FILE)")
	f.StringVar(&o.client.CA, "recorder-ca", os.Getenv("SHARK_RECORDER_CA"), "file of certificates that vouch for the recorders, or the fingerprint sha256:... that one has logged (default: SHARK_RECORDER_CA, else what the system trusts)")
	f.Lookup("recorder-token-file").DefValue, f.Lookup("recorder-ca").DefValue = "", "" // the help reads the same for everybody
	f.DurationVar(&o.last, "last", 0, "so long before the end of what was recorded, such as 15m")
	f.Var(&o.from, "from", "from this time on: RFC 3339, local (2026-03-14 22:00, or 22:00), or -15m before the end (default: all that is held)")
	f.Var(&o.to, "to", "up to this time, in the same forms")
	f.StringArrayVar(&o.Filter.Nodes, "node", nil, "only of this node; this and the next three may be given several times")
	f.StringArrayVar(&o.Filter.Namespaces, "namespace", nil, "only what a pod or service of this namespace says or hears")
	f.StringArrayVar(&o.Filter.Workloads, "workload", nil, "pod, service or workload at either end, as name or namespace/name")
	f.StringArrayVar(&o.Filter.Addresses, "ip", nil, "address or CIDR block at either end")
	f.StringVar(&o.Filter.Expression, "bpf", "", "pcap-filter(7) expression")
	policyFlags(f, &o.Policy)
	f.StringVar(&o.Name, "name", "", "name of the snapshot, best one that no other has (default: that of the first node)")
	f.StringVar(&o.Note, "note", "", "a note to keep with it")
	f.StringVar(&o.Cluster, "cluster", "", "cluster that the traffic is from")
	_ = cmd.MarkFlagDirname("ring") // fails only if the flag is missing
	return cmd
}

// policyFlags are the flags that leave out what opens TLS.
func policyFlags(f *pflag.FlagSet, p *snapshot.Policy) {
	f.BoolVar(&p.NoPlaintext, "no-plaintext", false, "leave out what TLS libraries sent and received")
	f.BoolVar(&p.NoSecrets, "no-secrets", false, "leave out the secrets of TLS sessions")
}

// window returns the limits that the flags set.
func (o *snapshotCreateOptions) window() (from, to workbench.When, err error) {
	switch {
	case len(o.rings)+len(o.recorders) == 0:
		return from, to, usagef("of what? name the folder of a ring with --ring, or a recorder with --recorder")
	case len(o.recorders) > 0 && o.client.Token == "":
		return from, to, usagef("recorders want their token: name its file with --recorder-token-file")
	case o.last < 0 || o.last == 0 && o.lastSet:
		return from, to, usagef("--last %s: a time such as 15m", o.last)
	case o.last > 0 && !(o.from.IsZero() && o.to.IsZero()):
		return from, to, usagef("--last is in place of --from and --to")
	case o.last > 0:
		return workbench.When{BeforeEnd: o.last}, to, nil
	}
	return o.from.When, o.to.When, nil
}

func runSnapshotCreate(ctx context.Context, a *app, o snapshotCreateOptions) error {
	from, to, err := o.window()
	if err != nil {
		return err
	}
	files := o.rings
	if len(o.recorders) > 0 {
		files = append(files[:len(files):len(files)], o.client.Token)
	}
	if err := checkFiles(files); err != nil {
		return err
	}
	if o.Recordings, err = freeze.Rings(o.rings...); err != nil {
		return err
	}
	remote, err := client.Recordings(ctx, o.client, o.recorders...)
	if err != nil {
		return err
	}
	o.Recordings = append(o.Recordings, remote...)
	w, err := a.workbench()
	if err != nil {
		return err
	}
	m, err := w.CreateSnapshot(ctx, o.CreateOptions, from, to)
	if err != nil {
		return err
	}
	if err = a.made(ctx, w, m); m.Filter != nil && !a.quiet {
		fmt.Fprintln(a.err, "  "+filtered(m))
	}
	return err
}

// filtered says what the filter of a snapshot left out.
func filtered(m *snapshot.Manifest) string {
	packets, plaintext, secrets := int64(0), int64(0), int64(0)
	for _, n := range m.Nodes {
		packets += int64(n.Filtered)
		plaintext += int64(n.FilteredPlaintext)
		secrets += int64(n.FilteredSecrets)
	}
	text := workbench.Count(packets, "packets")
	if plaintext > 0 {
		text += " and " + workbench.Count(plaintext, "segments") + " of TLS plaintext"
	}
	text += " of the window are left out by the filter"
	if secrets > 0 {
		text += ", and " + workbench.Count(secrets, "TLS session secrets") + " of which it took no handshake"
	}
	return text
}
