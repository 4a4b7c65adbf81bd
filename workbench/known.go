package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shark/snapshot"
	"shark/snapshot/identity"
)

// The identity log of a snapshot is read when a question needs it: what was dissected has
// the names already, and from afar each object that is read first is waited for.

// know reads who had which address, unless that was done. A snapshot whose log cannot be
// read still has its packets: then nobody is known by name, and answers say so.
func (e *Evidence) know(ctx context.Context) error {
	e.knowing.Lock()
	defer e.knowing.Unlock()
	if e.known || e.snapshot == nil {
		return nil
	}
	log, err := e.snapshot.Identity(ctx)
	switch {
	case errors.Is(err, snapshot.ErrIntegrity) || errors.Is(err, fs.ErrNotExist):
		e.unnamed = err
	case err != nil:
		return err
	default:
		e.identity = log
	}
	e.known = true
	return nil
}

// log is know for what makes no sense without names. It is nil if nothing was recorded of
// them.
func (e *Evidence) log(ctx context.Context) (*identity.Log, error) {
	if err := e.know(ctx); err != nil {
		return nil, err
	}
	return e.identity, e.unnamed
}

// Named tells whether there is a log of who had which address.
func (e *Evidence) Named() bool {
	if e.snapshot == nil {
		return e.identity != nil
	}
	return slices.ContainsFunc(e.snapshot.Manifest.Objects, func(o snapshot.Object) bool { return o.Kind == snapshot.KindIdentity })
}

// identityDamage says what of the log could not be read. It is known after know.
func (e *Evidence) identityDamage() (notes []string) {
	for _, d := range e.identity.Damage() {
		notes = append(notes, d.String())
	}
	if e.unnamed != nil {
		notes = append(notes, fmt.Sprintf("who had which address is not known: %v", e.unnamed))
	}
	return notes
}
