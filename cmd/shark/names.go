package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shark/snapshot/identity"
	"shark/workbench"
)

// namesOptions are the flags that workloads and ips share.
type namesOptions struct {
	output     string
	identity   string
	namespaces []string
	regex      string
	labels     map[string]string
	at         timeFlag
}

func (o *namesOptions) addFlags(cmd *cobra.Command) {
	outputFlag(cmd, &o.output)
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "only of these namespaces")
	f.StringVar(&o.regex, "name-regex", "", "only names in which this regular expression (RE2) is found")
	f.StringToStringVarP(&o.labels, "label", "l", nil, "only with these labels, such as app=cart")
	f.Var(&o.at, "at", "only as it was at this time: RFC 3339 or local")
}

// begin checks the flags and opens what the arguments name.
func (o *namesOptions) begin(ctx context.Context, a *app, args []string) (*workbench.Evidence, error) {
	if err := checkOutput(o.output); err != nil {
		return nil, err
	}
	if o.at.BeforeEnd > 0 || o.at.Clock != nil {
		return nil, usagef("--at %s: name the time itself with its day, RFC 3339 or local", o.at.text)
	}
	return a.open(ctx, args, o.identity)
}

func newWorkloads(a *app) *cobra.Command {
	var o namesOptions
	var name, kind string
	cmd := &cobra.Command{
		Use:   "workloads SNAPSHOT...",
		Short: "List pods and services with the addresses they had, and when",
		Example: `  shark workloads mysnapshot -n shop
  shark workloads mysnapshot --name payment-5d4f --at 2026-03-14T22:00:00Z
  shark workloads outage.pcap --identity identity.jsonl -l app=cart -o json`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWorkloads(cmd.Context(), a, args, o, name, kind)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "only this name")
	cmd.Flags().StringVar(&kind, "type", "", "pod or service (default: both)")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"pod", "service"}, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	return cmd
}

func runWorkloads(ctx context.Context, a *app, args []string, o namesOptions, name, kind string) error {
	if kind != "" && kind != "pod" && kind != "service" {
		return usagef("--type %q: pod or service", kind)
	}
	e, err := o.begin(ctx, a, args)
	if err != nil {
		return err
	}
	defer e.Close()
	found, err := e.Workloads(ctx, identity.WorkloadFilter{
		Name: name, Namespaces: o.namespaces, NameRegex: o.regex, Labels: o.labels, Type: identity.Kind(kind), At: o.at.At,
	})
	if err != nil {
		return err
	}
	if strings.HasPrefix(o.output, "json") {
		err = writeNames(a, "workloads", found, e, o.output == "jsonl")
	} else {
		err = a.workloadTable(found, o.output)
	}
	if err != nil {
		return err
	}
	return a.footer(workbench.Count(int64(len(found)), "workloads"), e.IdentityCoverage(), nil)
}

func (a *app) workloadTable(found []identity.Workload, form string) error {
	out, err := a.rows(form, []string{"namespace", "kind", "name", "workload", "node", "addresses"}, make([]bool, 6))
	if err != nil {
		return err
	}
	for _, w := range found {
		owner := ""
		if w.Workload != nil {
			owner = w.Workload.Kind + "/" + w.Workload.Name
		}
		var ips []string
		for _, l := range w.IPs {
			ips = append(ips, l.IP+span(l.From, l.To))
		}
		if err := out.row([]string{w.Namespace, string(w.Kind), w.Name, owner, w.Node, strings.Join(ips, " ")}); err != nil {
			return err
		}
	}
	return out.close()
}

// span is from when to when, if it ended.
func span(from, to time.Time) string {
	if to.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (%s to %s)", from.UTC().Format("15:04:05"), to.UTC().Format("15:04:05"))
}

func newIPs(a *app) *cobra.Command {
	var o namesOptions
	var ip string
	cmd := &cobra.Command{
		Use:   "ips SNAPSHOT...",
		Short: "List addresses with who had them, and when",
		Example: `  shark ips mysnapshot --ip 10.244.1.7
  shark ips mysnapshot -n payments --at 2026-03-14T22:00:00Z`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIPs(cmd.Context(), a, args, o, ip)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&ip, "ip", "", "only this address")
	return cmd
}

func runIPs(ctx context.Context, a *app, args []string, o namesOptions, ip string) error {
	e, err := o.begin(ctx, a, args)
	if err != nil {
		return err
	}
	defer e.Close()
	found, err := e.IPs(ctx, identity.IPFilter{IP: ip, Namespaces: o.namespaces, NameRegex: o.regex, Labels: o.labels, At: o.at.At})
	if err != nil {
		return err
	}
	if strings.HasPrefix(o.output, "json") {
		err = writeNames(a, "ips", found, e, o.output == "jsonl")
	} else {
		err = a.ipTable(found, o.output)
	}
	if err != nil {
		return err
	}
	return a.footer(workbench.Count(int64(len(found)), "addresses"), e.IdentityCoverage(), nil)
}

func (a *app) ipTable(found []identity.IPInfo, form string) error {
	out, err := a.rows(form, []string{"ip", "kind", "namespace", "name", "from", "to"}, make([]bool, 6))
	if err != nil {
		return err
	}
	for _, i := range found {
		for _, r := range i.Records {
			to := ""
			if !r.To.IsZero() {
				to = r.To.UTC().Format(time.RFC3339)
			}
			if err := out.row([]string{i.IP, string(r.Kind), r.Namespace, r.Name, r.From.UTC().Format(time.RFC3339), to}); err != nil {
				return err
			}
		}
	}
	return out.close()
}

// writeNames writes a list in JSON, with its total.
func writeNames[T any](a *app, name string, found []T, e *workbench.Evidence, lines bool) error {
	if !lines {
		if found == nil {
			found = []T{}
		}
		c := e.IdentityCoverage() // of the log alone: packets and their times say nothing here
		return a.writeJSON(map[string]any{name: found, "total": len(found), "coverage": map[string]any{"notes": append([]string{}, c.Notes...), "partial": c.Partial}})
	}
	for _, f := range found {
		b, err := encodeJSON(f, "")
		if err != nil {
			return err
		}
		if _, err := a.out.Write(b); err != nil {
			return err
		}
	}
	return nil
}
