package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shark/dissector/field"
	"shark/workbench"
)

type fieldsOptions struct {
	output    string
	functions bool
}

func newFields(a *app) *cobra.Command {
	var o fieldsOptions
	cmd := &cobra.Command{
		Use:   "fields [PATTERN]",
		Short: "List the fields that queries, columns and JSON have",
		Long: `List all fields with their type, unit, meaning and an example, or those whose name,
group or meaning contains PATTERN.`,
		Example: `  shark fields
  shark fields kafka
  shark fields --functions
  shark fields -o json | jq -r '.fields[].name'`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(_ *cobra.Command, args []string) error { return runFields(a, args, o) },
	}
	outputFlag(cmd, &o.output)
	cmd.Flags().BoolVar(&o.functions, "functions", false, "list the functions of the query language instead")
	return cmd
}

// fieldJSON is a declaration in JSON.
type fieldJSON struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Unit    string   `json:"unit,omitempty"`
	Groups  []string `json:"groups"`
	Doc     string   `json:"doc"`
	Example string   `json:"example"`
}

func runFields(a *app, args []string, o fieldsOptions) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	pattern := ""
	if len(args) > 0 {
		pattern = strings.ToLower(args[0])
	}
	var header []string
	var cells [][]string
	var found []any
	if o.functions {
		header, cells, found = functionRows(w, pattern)
	} else {
		header, cells, found = fieldRows(w.Catalogue(), pattern)
	}
	if len(found) == 0 {
		suggest := w.SuggestField
		if o.functions {
			suggest = w.SuggestFunction
		}
		hint := suggest(pattern)
		if hint != "" {
			hint = "; " + hint
		}
		fmt.Fprintf(a.err, "nothing has %q in its name or meaning%s\n", pattern, sanitize(hint, false))
	}
	if o.output == "json" || o.output == "jsonl" {
		name := "fields"
		if o.functions {
			name = "functions"
		}
		return a.fieldsJSON(name, found, o.output == "jsonl")
	}
	out, err := a.rows(o.output, header, make([]bool, len(header)))
	if err != nil {
		return err
	}
	for _, row := range cells {
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.close()
}

// fieldRows are the fields that have the pattern, as rows and as JSON.
func fieldRows(c *field.Catalogue, pattern string) (header []string, cells [][]string, found []any) {
	for _, f := range c.Fields() {
		j := newFieldJSON(c, f)
		groups := strings.Join(j.Groups, " ")
		if !strings.Contains(strings.ToLower(j.Name+" "+groups+" "+j.Doc), pattern) {
			continue
		}
		cells = append(cells, []string{j.Name, j.Type, j.Unit, groups, j.Doc, j.Example})
		found = append(found, j)
	}
	return []string{"name", "type", "unit", "group", "meaning", "example"}, cells, found
}

// functionRows are the functions that have the pattern.
func functionRows(w *workbench.Workbench, pattern string) (header []string, cells [][]string, found []any) {
	for _, f := range w.Functions() {
		if strings.Contains(strings.ToLower(f.Usage+" "+f.Doc), pattern) {
			cells = append(cells, []string{f.Usage, f.Doc})
			found = append(found, functionJSON{f.Usage, f.Doc})
		}
	}
	return []string{"usage", "meaning"}, cells, found
}

// functionJSON is a function of the query language in JSON.
type functionJSON struct {
	Usage string `json:"usage"`
	Doc   string `json:"doc"`
}

func newFieldJSON(c *field.Catalogue, f *field.Field) fieldJSON {
	j := fieldJSON{Name: f.Name, Type: f.Kind.String(), Unit: f.Unit, Doc: f.Doc, Example: f.Example}
	for _, g := range c.GroupsOf(f) {
		j.Groups = append(j.Groups, g.Name)
	}
	return j
}

func (a *app) fieldsJSON(name string, found []any, lines bool) error {
	if !lines {
		return a.writeJSON(map[string][]any{name: append([]any{}, found...)})
	}
	for _, j := range found {
		b, err := encodeJSON(j, "")
		if err != nil {
			return err
		}
		if _, err := a.out.Write(b); err != nil {
			return err
		}
	}
	return nil
}
