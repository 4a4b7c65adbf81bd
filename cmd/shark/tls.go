package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shark/workbench"
)

func newTLS(a *app) *cobra.Command {
	var o questionOptions
	cmd := &cobra.Command{
		Use:   "tls SNAPSHOT... [KFL]",
		Short: "Tell which connections with TLS could be read, and why the others could not",
		Long: `Tell of the connections with TLS, by the pods and others at their ends and by the TLS
library that told their secrets, how many there are, how many could be read in full
(decrypted with session secrets, or by the plaintext that a library had), and why the
others could not, or only partly. A connection is told with both of its ends. What is
read the least comes first. A KFL expression selects among the connections: ask
for what they spoke with "HTTP" in conn_l7_detected, not with http, which calls are.`,
		Example: `  shark tls outage
  shark tls outage 'dst.namespace == "shop"' -o json
  shark tls outage 'conn_tls_reason == "no secrets"'`,
		Args:              argsAtLeast(1),
		ValidArgsFunction: a.completeQuery,
		RunE:              func(cmd *cobra.Command, args []string) error { return runTLS(cmd.Context(), a, args, o) },
	}
	o.addFlags(cmd, "at most so many ends; 0 for all")
	return cmd
}

func runTLS(ctx context.Context, a *app, args []string, o questionOptions) error {
	_, expr, err := splitQuery(args)
	if err != nil {
		return err
	}
	q, err := o.open(ctx, a, args, nil)
	if err != nil {
		return err
	}
	defer q.e.Close()
	q.KFL = expr // none is all of them
	l, err := q.e.Ledger(ctx, q.Query)
	if err != nil {
		return err
	}
	a.bar.clear()
	what := tlsText(&l.Total)
	more := o.limit > 0 && len(l.Keepers) > o.limit
	if more {
		what += fmt.Sprintf("; the first %s of %s", workbench.Grouped(int64(o.limit)), workbench.Count(int64(len(l.Keepers)), "ends"))
		l.Keepers = l.Keepers[:o.limit]
	}
	switch o.output {
	case "json":
		err = a.writeJSON(struct {
			*workbench.Ledger
			More bool `json:"more,omitempty"`
		}{l, more})
	case "jsonl":
		err = a.ledgerLines(l)
	default:
		err = a.ledgerTable(l, o.output)
	}
	if err != nil {
		return err
	}
	return a.footer(what, l.Coverage, nil)
}

// tlsText says how connections could be read.
func tlsText(r *workbench.Readings) string {
	text := workbench.Count(r.Connections, "connections") + " with TLS"
	if r.Connections > 0 {
		text += fmt.Sprintf(", %s of them readable (%d %%)", workbench.Grouped(r.Readable), 100*r.Readable/r.Connections)
	}
	return text
}

// shareText says how the connections of a snapshot could be read, by what.
func shareText(r *workbench.Readings) string {
	switch {
	case r == nil:
		return "not known yet: shark tls tells, once the snapshot is dissected"
	case r.Readable == 0:
		return tlsText(r)
	}
	return fmt.Sprintf("%s: %s decrypted, %s by plaintext", tlsText(r), workbench.Grouped(r.Decrypted), workbench.Grouped(r.Plaintext))
}

func (a *app) ledgerLines(l *workbench.Ledger) error {
	out := newList(a, "keepers", true)
	for i := range l.Keepers {
		b, err := encodeJSON(&l.Keepers[i], "")
		if err != nil {
			return err
		}
		if err := out.add(b); err != nil {
			return err
		}
	}
	return out.close(false, l.Coverage, nil)
}

func (a *app) ledgerTable(l *workbench.Ledger, form string) error {
	out, err := a.rows(form, []string{"namespace", "name", "workload", "library", "connections", "readable", "decrypted", "plaintext", "partly", "opaque", "why"},
		[]bool{false, false, false, false, true, true, true, true, true, true, false})
	if err != nil {
		return err
	}
	for i := range l.Keepers {
		k := &l.Keepers[i]
		cells := []string{k.Namespace, k.Name, k.Workload, k.Library}
		for _, n := range []int64{k.Connections, k.Readable, k.Decrypted, k.Plaintext, k.Partly, k.Opaque} {
			cells = append(cells, fmt.Sprint(n))
		}
		if err := out.row(append(cells, k.Why())); err != nil {
			return err
		}
	}
	return out.close()
}
