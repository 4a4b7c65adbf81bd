package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// completeSnapshot completes what a SNAPSHOT may be: ids and names of the store,
// then files.
func (a *app) completeSnapshot(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		if names, directive := a.completeField(cmd, args, prefix); len(names) > 0 {
			return names, directive
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
	w, err := a.workbench()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	list, err := w.Snapshots(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var out []string
	for _, l := range list {
		m := l.Manifest
		if m == nil {
			continue
		}
		if strings.HasPrefix(m.ID, prefix) {
			out = append(out, m.ID+"\t"+m.Name)
		}
		if m.Name != "" && strings.HasPrefix(m.Name, prefix) {
			out = append(out, m.Name+"\t"+m.ID)
		}
	}
	return out, cobra.ShellCompDirectiveDefault
}

// completeField completes the name of a field at the end of what was typed.
func (a *app) completeField(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	w, err := a.workbench()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	at := strings.LastIndexFunc(typed, func(r rune) bool { return !isName(r) }) + 1
	names := w.Env().Names(typed[at:])
	out := slices.Clone(names)
	for i := range out {
		out[i] = typed[:at] + out[i] + "\t" + w.Catalogue().Lookup(names[i]).Doc
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func isName(r rune) bool {
	return r == '_' || r == '.' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
}
