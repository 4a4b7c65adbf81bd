// Package metrics writes counters and gauges in the text format that Prometheus reads
// (exposition format 0.0.4).
//
// In: families of samples, as they are at the moment. Out: their text, in an order that is
// always the same. Nothing is kept, so there is no registry: who counts says so when asked.
package metrics

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is what HTTP calls the format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is what a family's values do.
type Kind string

// A Counter only grows while its process lives. A Gauge goes up and down.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
)

// Family is the samples of one name.
type Family struct {
	Name    string
	Help    string // a sentence
	Kind    Kind
	Samples []Sample
}

// Sample is one value. Its labels tell it from the others of its family.
type Sample struct {
	Labels []Label
	Value  float64
}

// Label is a name and a value, which may be any text.
type Label struct{ Name, Value string }

// One is a family of a single sample without labels.
func One(name string, kind Kind, value float64, help string) Family {
	return Family{name, help, kind, []Sample{{Value: value}}}
}

// Write writes families by name. Those of the same name, which parts of a program may have in
// common, become one, and of samples with the same labels the first counts.
func Write(w io.Writer, families []Family) error {
	out := bufio.NewWriter(w)
	families = slices.Clone(families)
	slices.SortStableFunc(families, func(a, b Family) int { return cmp.Compare(a.Name, b.Name) })
	name, seen := "", map[string]bool{}
	for _, f := range families {
		if f.Name != name {
			name = f.Name
			clear(seen)
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", f.Name, helpEscape.Replace(f.Help), f.Name, f.Kind)
		}
		for _, s := range f.Samples {
			labels := s.text()
			if seen[labels] {
				continue
			}
			seen[labels] = true
			fmt.Fprintf(out, "%s%s %s\n", f.Name, labels, number(s.Value))
		}
	}
	return out.Flush()
}

var (
	helpEscape  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// text returns the labels as they are written.
func (s *Sample) text() string {
	if len(s.Labels) == 0 {
		return ""
	}
	var parts []string
	for _, l := range s.Labels {
		parts = append(parts, l.Name+`="`+valueEscape.Replace(strings.ToValidUTF8(l.Value, "�"))+`"`)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// number returns a value as Prometheus writes it.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
