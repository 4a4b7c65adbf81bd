package workbench

import (
	"context"

	"shark/snapshot/identity"
)

// Workloads lists the pods and services that the filter selects, with the
// addresses they had.
func (e *Evidence) Workloads(ctx context.Context, f identity.WorkloadFilter) ([]identity.Workload, error) {
	log, err := e.log(ctx)
	if err != nil {
		return nil, err
	}
	if log == nil {
		return nil, e.nameless()
	}
	found, err := log.Workloads(f)
	if err != nil {
		return nil, usage("%w", err) // nothing but the filter can be wrong
	}
	return found, nil
}

// IPs lists the addresses that the filter selects, with who had them.
func (e *Evidence) IPs(ctx context.Context, f identity.IPFilter) ([]identity.IPInfo, error) {
	log, err := e.log(ctx)
	if err != nil {
		return nil, err
	}
	if log == nil {
		return nil, e.nameless()
	}
	found, err := log.IPs(f)
	if err != nil {
		return nil, usage("%w", err)
	}
	return found, nil
}

func (e *Evidence) nameless() error {
	if e.given != "" {
		return usage("an index database holds no identity log: name the snapshot or the capture files")
	}
	return usage("%s has no identity log: give one with --identity", e.Name)
}
