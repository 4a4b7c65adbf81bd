package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// completeSnapshot completes what a SNAPSHOT may be: ids and names of the store,
// and files.
func (a *app) completeSnapshot(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
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
			out = append(out, described(m.ID, m.Name))
		}
		if m.Name != "" && strings.HasPrefix(m.Name, prefix) {
			out = append(out, described(m.Name, m.ID))
		}
	}
	return out, cobra.ShellCompDirectiveDefault
}

// completeFirst completes the first argument as a SNAPSHOT, and further ones as files.
func (a *app) completeFirst(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeSnapshot(cmd, args, prefix)
}

// completeQuery completes the first argument as a SNAPSHOT, and further ones as
// expressions, or files where no field begins so.
func (a *app) completeQuery(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeSnapshot(cmd, args, prefix)
	}
	if names, directive := a.completeField(cmd, args, prefix); len(names) > 0 {
		return names, directive
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// completeField completes the name of a field at the end of what was typed, unless
// that is within a text.
func (a *app) completeField(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	w, err := a.workbench()
	if err != nil || strings.Count(typed, `"`)%2 == 1 {
		return nil, directive
	}
	at := strings.LastIndexFunc(typed, func(r rune) bool { return !isName(r) }) + 1
	var out []string
	for _, name := range w.Env().Names(typed[at:]) {
		doc := ""
		if f := w.Catalogue().Lookup(name); f != nil {
			doc = f.Doc
		}
		out = append(out, described(typed[:at]+name, doc))
	}
	return out, directive
}

// described is a completion with what shells show beside it, in one line.
func described(word, doc string) string {
	if doc == "" {
		return sanitize(word, false)
	}
	return sanitize(word, false) + "\t" + sanitize(doc, false)
}

func isName(r rune) bool {
	return r == '_' || r == '.' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
}
