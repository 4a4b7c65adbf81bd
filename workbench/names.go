package workbench

import (
	"strings"

	"shark/snapshot/identity"
)

// Workloads lists the pods and services that the filter selects, with the
// addresses they had.
func (e *Evidence) Workloads(f identity.WorkloadFilter) ([]identity.Workload, error) {
	if e.identity == nil {
		return nil, e.nameless()
	}
	return e.identity.Workloads(f)
}

// IPs lists the addresses that the filter selects, with who had them.
func (e *Evidence) IPs(f identity.IPFilter) ([]identity.IPInfo, error) {
	if e.identity == nil {
		return nil, e.nameless()
	}
	return e.identity.IPs(f)
}

func (e *Evidence) nameless() error {
	if e.given != "" {
		return usage("an index database holds no identity log: name the snapshot or the capture files")
	}
	return usage("%s has no identity log: give one with --identity", e.Name)
}

// cutNamespace splits "namespace/name".
func cutNamespace(s string) (space, name string, ok bool) {
	return strings.Cut(s, "/")
}

// IdentityCoverage says what of the identity log could not be read.
func (e *Evidence) IdentityCoverage() Coverage {
	var c Coverage
	for _, d := range e.identity.Damage() {
		c.note("identity log: " + d.String())
		c.Partial = true
	}
	return c
}
