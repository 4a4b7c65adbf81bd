package workbench

import (
	"fmt"
	"slices"
	"time"

	"shark/packet"
	"shark/snapshot"
)

// Coverage says what an answer is about and what of it was not there to be asked.
type Coverage struct {
	From    time.Time       `json:"from,omitzero"`   // of the first packet; absent without packets
	To      time.Time       `json:"to,omitzero"`     // of the last
	Asked   *Window         `json:"asked,omitempty"` // the part of that time that was asked about; nil: all
	Packets int64           `json:"packets"`
	Bytes   int64           `json:"bytes"`
	Nodes   []string        `json:"nodes,omitempty"`
	Damage  []packet.Damage `json:"damage,omitempty"` // places of the files that could not be read
	Notes   []string        `json:"notes,omitempty"`  // what is missing, in sentences

	// TLS counts the connections with TLS by how they could be read: decrypted, plaintext, and
	// partly or opaque with the reason behind a colon.
	TLS map[string]int64 `json:"tls,omitempty"`

	Sightings *Sightings `json:"sightings,omitempty"` // nil: each packet was captured once

	// Partial says that something that was recorded is not in the answer.
	Partial bool `json:"partial"`

	// Unsound says why: some of the snapshot is not what was written. A capture file has no
	// sums to tell that by; what is damaged of one may have been so from the beginning.
	Unsound bool `json:"unsound,omitempty"`
}

// Window is a time from From on and before To; a zero one is no limit.
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// within returns c as the coverage of an answer about a window only.
func (c Coverage) within(from, to time.Time) Coverage {
	if !from.IsZero() || !to.IsZero() {
		c.Asked = &Window{From: from.UTC(), To: to.UTC()}
	}
	return c
}

// coverage tells of the dissection that an index stems from.
func (e *Evidence) coverage(x *opened) Coverage {
	a, r := &x.account, &x.account.Report
	c := Coverage{Packets: r.Packets, Bytes: r.Bytes}
	if r.Packets > 0 {
		c.From, c.To = time.Unix(0, r.First).UTC(), time.Unix(0, r.Last).UTC()
	}
	if t := a.Sightings; t != nil {
		c.Packets, c.Bytes = c.Packets+t.Merged, c.Bytes+t.Bytes
	}
	c.nodes(a.Nodes)
	c.damage(e.renamed(a))
	c.Unsound = a.Unsound
	c.recorded(a.Notes, a.Partial)
	c.count(int64(a.Dropped), "packets", "that the capture itself dropped")
	c.count(r.Cut, "packets", "cut short by the capture's snap length")
	c.count(r.Missing, "bytes", "of TCP streams that were never captured")
	c.count(r.Malformed, "packets", "malformed or too short for a transport header")
	c.count(r.Other, "packets", "without IP inside, or of a link type that is not known")
	c.count(r.NoTransport, "IP packets", "of transports that are not looked into")
	c.count(r.Fragments, "IP fragments", "whose datagram never became whole")
	c.count(r.Unknown, "connections", "with payload of no protocol that is known here, listed by query conn")
	c.count(r.ParseErrors, "messages", "that did not parse as the connection's protocol")
	c.count(r.Skipped, "bytes", "of streams that made no sense to their protocol")
	c.count(r.Evicted, "conversations or calls", "cut short by the memory limit")
	c.tls(a)
	c.sightings(a.Sightings)
	if a.Choice != "" {
		c.note(a.Choice)
	}
	for _, note := range []string{x.note, a.Shared, e.unusable} {
		if note != "" {
			c.note(note)
		}
	}
	if !a.Named && len(a.Identity) == 0 {
		c.note("no identity log: addresses are not known as pods or services")
	}
	c.recorded(a.Identity, len(a.Identity) > 0)
	c.Partial = c.Partial || r.Evicted > 0
	if a.Excerpt != nil {
		if first, last, ok := e.stated(); ok {
			c.From, c.To = first, last
		}
		a.Excerpt.describe(&c, e.snapshot.PacketBytes())
	}
	if a.Chosen != "" {
		c.Notes = append([]string{a.Chosen}, c.Notes...)
	}
	return c
}

// readCoverage tells of packets that were read without an index: the nodes by
// interface, the damage, and what was dropped.
func (e *Evidence) readCoverage(src source) Coverage {
	var c Coverage
	c.nodes(src.Nodes())
	c.damage(e.damage(src.Damage()))
	c.Unsound = e.unsound(c.Damage)
	notes, partial := e.manifestNotes()
	c.recorded(notes, partial)
	var dropped uint64
	for _, i := range src.Interfaces() {
		if i.Dropped != nil {
			dropped += *i.Dropped
		}
	}
	c.count(int64(dropped), "packets", "that the capture itself dropped")
	return c
}

// IdentityCoverage says what of the identity log could not be read.
func (e *Evidence) IdentityCoverage() Coverage {
	var c Coverage
	notes := e.identityDamage()
	c.recorded(notes, len(notes) > 0)
	return c
}

func (c *Coverage) note(s string) { c.Notes = append(c.Notes, s) }

// count notes what is missing, if anything is. about says more of it, in words that
// fit one and many.
func (c *Coverage) count(n int64, what, about string) {
	if n > 0 {
		c.note(Count(n, what) + " " + about)
	}
}

// nodes takes the nodes of the interfaces, each once.
func (c *Coverage) nodes(names []string) {
	for _, n := range names {
		if n != "" && !slices.Contains(c.Nodes, n) {
			c.Nodes = append(c.Nodes, n)
		}
	}
}

// damage adds places, each once.
func (c *Coverage) damage(list []packet.Damage) {
	for _, d := range list {
		if !slices.Contains(c.Damage, d) {
			c.Damage = append(c.Damage, d)
			c.note(damageText(d))
		}
	}
	c.Partial = c.Partial || len(list) > 0
}

// recorded takes notes; partial says that some are of what was recorded.
func (c *Coverage) recorded(notes []string, partial bool) {
	c.Notes = append(c.Notes, notes...)
	c.Partial = c.Partial || partial
}

// met adds the damage that was met when packets were read again for an index, which may be older
// than that.
func (e *Evidence) met(c *Coverage, damage []packet.Damage) {
	c.damage(e.damage(damage))
	c.Unsound = c.Unsound || e.unsound(damage)
}

// damageText is one damage as a sentence without its full stop.
func damageText(d packet.Damage) string {
	lost := Count(d.Lost, "bytes") + " lost"
	if d.Lost < 0 {
		lost = "the rest is lost"
	}
	return fmt.Sprintf("%s: damaged at %s: %s; %s", d.File, d.Place(), d.Reason, lost)
}

// damage calls the files as people know them.
func (e *Evidence) damage(list []packet.Damage) []packet.Damage {
	list = slices.Clone(list)
	for i := range list {
		n := slices.IndexFunc(e.inputs, func(in input) bool { return in.path == list[i].File })
		if n >= 0 {
			list[i].File = e.inputs[n].label
		}
	}
	return list
}

// unsound tells whether something of a snapshot is not what was written: there was damage
// among its packets, or its identity log is damaged or gone. It is asked after know.
func (e *Evidence) unsound(damage []packet.Damage) bool {
	return e.snapshot != nil && (len(damage) > 0 || e.unnamed != nil)
}

// renamed returns the damage of a dissection, its files called as they are now:
// the same content may have had other names then.
func (e *Evidence) renamed(a *account) []packet.Damage {
	if len(a.Files) != len(e.inputs) {
		return a.Damage
	}
	list := slices.Clone(a.Damage)
	for i := range list {
		if n := slices.Index(a.Files, list[i].File); n >= 0 {
			list[i].File = e.inputs[n].label
		}
	}
	return list
}

// manifestNotes returns what a snapshot's manifest says is missing, as far as its
// packets and identity log do not show it themselves, and which inputs are not what
// they were; partial says that some of it had been recorded.
func (e *Evidence) manifestNotes() (notes []string, partial bool) {
	var stated []snapshot.Note
	if e.snapshot != nil {
		stated = e.snapshot.Manifest.Coverage
	}
	for _, n := range stated {
		switch n.Kind {
		case snapshot.NoteDrops, snapshot.NoteCut, snapshot.NoteIdentity:
			continue
		case snapshot.NoteDamage, snapshot.NoteNode:
			partial = true
		}
		text := n.Text
		if n.Node != "" {
			text = n.Node + ": " + text
		}
		notes = append(notes, text)
	}
	return append(notes, e.altered...), partial || len(e.altered) > 0
}
