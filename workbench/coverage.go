package workbench

import (
	"fmt"
	"slices"
	"time"

	"shark/packet"
)

// Coverage says what an answer is about and what of it was not there to be asked.
type Coverage struct {
	From    time.Time       `json:"from"` // of the first packet
	To      time.Time       `json:"to"`   // of the last
	Packets int64           `json:"packets"`
	Bytes   int64           `json:"bytes"`
	Nodes   []string        `json:"nodes,omitempty"`
	Damage  []packet.Damage `json:"damage,omitempty"` // places of the files that could not be read
	Notes   []string        `json:"notes,omitempty"`  // what is missing, in sentences
	// Partial says that something that was recorded is not in the answer.
	Partial bool `json:"partial"`
}

// coverage tells of the dissection that the open index stems from.
func (e *Evidence) coverage() Coverage {
	r := &e.account.Report
	c := Coverage{Packets: r.Packets, Bytes: r.Bytes, Damage: e.account.Damage}
	if r.Packets > 0 {
		c.From, c.To = time.Unix(0, r.First).UTC(), time.Unix(0, r.Last).UTC()
	}
	for _, n := range e.account.Nodes {
		if n != "" && !slices.Contains(c.Nodes, n) {
			c.Nodes = append(c.Nodes, n)
		}
	}
	for _, d := range e.account.Damage {
		c.note(damageText(d))
	}
	c.count(int64(e.account.Dropped), "packets were dropped by the capture itself")
	c.count(r.Cut, "packets were cut short by the capture's snap length")
	c.count(r.Missing, "bytes of TCP streams were never captured")
	c.count(r.Malformed, "packets are malformed or end before their transport header does")
	c.count(r.Fragments, "IP fragments belong to datagrams that never became whole")
	c.count(r.ParseErrors, "times a stream did not parse as its protocol")
	c.count(r.Evicted, "connections or calls were cut short by the memory limit")
	if !e.account.Named {
		c.note("no identity log: addresses have no names")
	}
	c.Partial = len(c.Damage) > 0 || r.Evicted > 0
	return c
}

func (c *Coverage) note(s string) { c.Notes = append(c.Notes, s) }

func (c *Coverage) count(n int64, what string) {
	if n > 0 {
		c.note(fmt.Sprintf("%d %s", n, what))
	}
}

// damageText is one damage as a sentence without its full stop.
func damageText(d packet.Damage) string {
	lost := fmt.Sprintf("%d bytes lost", d.Lost)
	if d.Lost < 0 {
		lost = "the rest is lost"
	}
	return fmt.Sprintf("%s: damaged at byte %d: %s; %s", d.File, d.Offset, d.Reason, lost)
}
