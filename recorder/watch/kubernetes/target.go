package kubernetes

import (
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/labels"

	"shark/snapshot/identity"
)

// maxPattern bounds the text of a pattern of names, in bytes.
const maxPattern = 4 << 10

// Target says which pods are meant. What is set must all hold; the zero Target is every pod.
type Target struct {
	namespaces, excluded []string
	name                 *regexp.Regexp
	selector             labels.Selector
}

// ParseTarget reads a Target: names of namespaces that pods are in and are not in, a regular
// expression (RE2) found anywhere in their name, and a label selector as kubectl reads it.
func ParseTarget(namespaces, excluded []string, name, selector string) (t Target, err error) {
	for _, ns := range slices.Concat(namespaces, excluded) {
		if len(content.IsDNS1123Label(ns)) > 0 {
			return t, fmt.Errorf("%q is no name of a Kubernetes namespace", ns)
		}
	}
	t.namespaces, t.excluded = namespaces, excluded
	if len(name) > maxPattern {
		return t, fmt.Errorf("pattern of pod names: %d bytes are more than %d", len(name), maxPattern)
	}
	if name != "" {
		if t.name, err = regexp.Compile(name); err != nil {
			return t, fmt.Errorf("pattern of pod names: %w", err)
		}
	}
	if selector != "" {
		if t.selector, err = labels.Parse(selector); err != nil {
			return t, fmt.Errorf("label selector: %w", err)
		}
	}
	return t, nil
}

// All tells whether every pod is meant.
func (t *Target) All() bool {
	return len(t.namespaces) == 0 && len(t.excluded) == 0 && t.name == nil && t.selector == nil
}

// Matches tells whether the pod of a record is meant. One of which the labels are not known, since
// the API did not tell of it, is not where labels are asked for.
func (t *Target) Matches(r *identity.Record) bool {
	switch {
	case len(t.namespaces) > 0 && !slices.Contains(t.namespaces, r.Namespace):
	case slices.Contains(t.excluded, r.Namespace):
	case t.name != nil && !t.name.MatchString(r.Name):
	case t.selector != nil && (r.Source != Source || !t.selector.Matches(labels.Set(r.Labels))):
	default:
		return true
	}
	return false
}
