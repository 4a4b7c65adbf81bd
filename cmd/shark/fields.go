package main

import (
	"encoding/json"
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
group or meaning contains PATTERN. Fields of protocols that are not dissected yet
are marked reserved: queries may name them, and no entry has them.`,
		Example: `  shark fields
  shark fields kafka
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
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Unit     string   `json:"unit,omitempty"`
	Groups   []string `json:"groups"`
	Doc      string   `json:"doc"`
	Example  string   `json:"example"`
	Reserved bool     `json:"reserved,omitempty"`
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
	if o.functions {
		return a.writeFunctions(w, pattern, o.output)
	}
	var found []fieldJSON
	for _, f := range w.Catalogue().Fields() {
		j := newFieldJSON(w.Catalogue(), f)
		if strings.Contains(strings.ToLower(j.Name+" "+strings.Join(j.Groups, " ")+" "+j.Doc), pattern) {
			found = append(found, j)
		}
	}
	if o.output == "json" || o.output == "jsonl" {
		return a.fieldsJSON(found, o.output == "jsonl")
	}
	out, err := a.rows(o.output, []string{"name", "type", "unit", "group", "meaning", "example"}, make([]bool, 6))
	if err != nil {
		return err
	}
	for _, j := range found {
		doc := j.Doc
		if j.Reserved {
			doc = "(reserved) " + doc
		}
		if err := out.row([]string{j.Name, j.Type, j.Unit, strings.Join(j.Groups, " "), doc, j.Example}); err != nil {
			return err
		}
	}
	return out.close()
}

func newFieldJSON(c *field.Catalogue, f *field.Field) fieldJSON {
	j := fieldJSON{Name: f.Name, Type: f.Kind.String(), Unit: f.Unit, Doc: f.Doc, Example: f.Example, Reserved: c.Reserved(f)}
	for _, g := range c.GroupsOf(f) {
		j.Groups = append(j.Groups, g.Name)
	}
	return j
}

func (a *app) fieldsJSON(found []fieldJSON, lines bool) error {
	if !lines {
		return a.writeJSON(map[string]any{"fields": found})
	}
	out := newList(a, "fields", true)
	for _, j := range found {
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		if err := out.add(b); err != nil {
			return err
		}
	}
	return out.close(workbench.Coverage{})
}

func (a *app) writeFunctions(w *workbench.Workbench, pattern, form string) error {
	out, err := a.rows(form, []string{"usage", "meaning"}, make([]bool, 2))
	if err != nil {
		return err
	}
	for _, f := range w.Functions() {
		if !strings.Contains(strings.ToLower(f.Usage+" "+f.Doc), pattern) {
			continue
		}
		if err := out.row([]string{f.Usage, f.Doc}); err != nil {
			return err
		}
	}
	return out.close()
}
