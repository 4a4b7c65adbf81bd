package workbench

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"shark/dissector"
	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// account is what a dissection says of its input; it is kept in the index.
type account struct {
	Report   dissector.Report `json:"report"`
	Files    []string         `json:"files"` // as they were called then; Damage has these names
	Damage   []packet.Damage  `json:"damage,omitempty"`
	Origins  []pcapng.Origin  `json:"origins,omitempty"`
	Nodes    []string         `json:"nodes,omitempty"`    // of each interface
	Dropped  uint64           `json:"dropped,omitempty"`  // packets, by the capture's own statistics
	Named    bool             `json:"named"`              // an identity log was there
	Identity []string         `json:"identity,omitempty"` // what of it could not be read
	Notes    []string         `json:"notes,omitempty"`    // what the snapshot says is missing
	Partial  bool             `json:"partial,omitempty"`  // some of that was recorded
	Unsound  bool             `json:"unsound,omitempty"`  // something stored was not what was written
	Extras   bool             `json:"extras,omitempty"`   // the input holds secrets, names or comments
	Asides   bool             `json:"asides,omitempty"`   // it holds what else only a rich file has
	Secrets  int              `json:"secrets,omitempty"`  // blocks of TLS secrets that the input has
	Keys     keylog.Stats     `json:"keys,omitzero"`      // what became of the secrets
	Choice   string           `json:"choice,omitempty"`   // which protocols were not looked for
	Excerpt  *excerpt         `json:"excerpt,omitempty"`  // what of the input was dissected; nil: all
	Chosen   string           `json:"chosen,omitempty"`   // which packets were dissected; empty: all
	Shared   string           `json:"shared,omitempty"`   // what of it was found elsewhere; empty: nothing

	Sightings *seenTwice `json:"sightings,omitempty"` // nil: each packet was captured once
}

// findings are what a dissection says of its packets beside their entries.
type findings struct {
	damage  []packet.Damage
	report  *dissector.Report
	twice   *seenTwice
	shared  string   // of that, what was found elsewhere; empty: nothing
	altered []string // notes on inputs that changed meanwhile
}

// describe completes what the index says of itself.
func (e *Evidence) describe(m *index.Meta, src source, of *making, found *findings, keys *keylog.Table) error {
	a := account{
		Report: *found.report, Damage: e.damage(found.damage), Shared: found.shared, Origins: src.Origins(), Nodes: src.Nodes(), Named: e.identity != nil,
		Extras: len(src.Secrets())+len(src.Names())+len(src.Comments()) > 0, Choice: e.w.choice.note,
		Asides: hasAsides(src), Secrets: len(src.Secrets()), Keys: keys.Stats(),
	}
	if found.twice.Merged > 0 {
		found.twice.Clocks = e.clocks()
		a.Sightings = found.twice
	}
	if of != nil {
		a.Excerpt, a.Chosen = of.excerpt, of.chosen.text()
	}
	for _, in := range e.inputs {
		a.Files = append(a.Files, in.label)
	}
	a.Identity = e.identityDamage()
	a.Unsound = e.unsound(found.damage)
	a.Notes, a.Partial = e.manifestNotes()
	a.Notes, a.Partial = append(a.Notes, found.altered...), a.Partial || len(found.altered) > 0
	interfaces := e.interfaces(src, found.report.First)
	for i := range interfaces {
		if n := interfaces[i].Dropped; n != nil {
			a.Dropped += *n
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	m.Version, m.Options, m.Coverage, m.Interfaces = e.w.build(), e.w.optionsText(), text, interfaces
	for _, p := range src.Points() {
		state, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("restart point: %w", err)
		}
		m.Points = append(m.Points, index.Point{File: filepath.Base(e.inputs[p.File].label), Offset: p.Offset, Packet: p.Number, State: state})
	}
	return nil
}

// interfaces are those of src with their nodes, and these with the address that they had at
// a time.
func (e *Evidence) interfaces(src source, at int64) []packet.Interface {
	interfaces, nodes := slices.Clone(src.Interfaces()), src.Nodes()
	for i := range interfaces {
		interfaces[i].Node = nodes[i]
		interfaces[i].NodeIP = e.identity.NodeAddress(nodes[i], at)
	}
	return interfaces
}
