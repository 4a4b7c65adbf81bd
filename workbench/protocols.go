package workbench

import (
	"slices"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol"
)

// choice is which protocols a dissection looks for.
type choice struct {
	list []*dissector.Protocol
	text string // what tells it from other choices
	note string // what is not looked for; empty when nothing that usually is
}

// choose reads the names of protocols to look for: nothing for the usual ones, names
// for these alone, +name to add one, -name to leave one out. What a protocol rides on is
// looked for with it.
func choose(words []string) (choice, error) {
	usual := protocol.All()
	there := slices.Concat(usual, protocol.Transports())
	chosen := make(map[string]bool)
	if slices.ContainsFunc(words, func(w string) bool { return w != "" && w[0] != '+' && w[0] != '-' }) {
		usual = nil
	}
	for _, p := range usual {
		chosen[p.Name] = true
	}
	for _, word := range words {
		given := word
		if word != "" && (word[0] == '+' || word[0] == '-') {
			given = word[1:]
		}
		name := strings.ToLower(given)
		i := slices.IndexFunc(there, func(p *dissector.Protocol) bool { return p.Name == name })
		if i < 0 {
			return choice{}, usage("--protocols: there is no protocol %q; there are %s", given, strings.Join(ProtocolNames(), ", "))
		}
		chosen[name] = word[0] != '-'
		if chosen[name] {
			carriers(there, there[i], chosen)
		}
	}
	var c choice
	var names []string
	for _, p := range there {
		if chosen[p.Name] {
			c.list, names = append(c.list, p), append(names, p.Name)
		}
	}
	c.describe(names)
	return c, nil
}

const (
	allUsual        = "all"        // text of the usual choice
	protocolsOption = "protocols=" // stands before a choice's text in what an index says of its options
)

// chosenFor returns the choice of an index by what that says of its options; nil if it says
// nothing that this program knows.
func chosenFor(options string) *choice {
	text, _, _ := strings.Cut(strings.TrimPrefix(options, protocolsOption), " ")
	words := strings.Split(text, ",")
	if text == allUsual {
		words = nil
	}
	c, err := choose(words)
	if err != nil {
		return nil
	}
	return &c
}

// carriers chooses what carries a protocol: QUIC, where it is spoken in that, or the one that it
// rides over, and what the messages of that are besides, such as HTTP/2 with those of HTTP.
func carriers(there []*dissector.Protocol, of *dissector.Protocol, chosen map[string]bool) {
	if of.Transport == dissector.QUIC {
		chosen["quic"] = true
	}
	for _, p := range there {
		if of.Over != "" && p.Over == "" && (p.Name == of.Over || slices.Contains(p.Implies, of.Over)) {
			chosen[p.Name] = true
			carriers(there, p, chosen)
		}
	}
}

// describe sets the texts.
func (c *choice) describe(names []string) {
	var left []string
	for _, p := range protocol.All() {
		if !slices.Contains(names, p.Name) {
			left = append(left, p.Name)
		}
	}
	c.text = strings.Join(names, ",")
	switch {
	case len(left) == 0 && len(names) == len(protocol.All()):
		c.text = allUsual
	case len(left) > len(names):
		c.note = "looked for only: " + strings.Join(names, ", ")
	case len(left) > 0:
		c.note = "not looked for: " + strings.Join(left, ", ")
	}
}

// lacks returns the protocols that some fields are of, and that are not looked for. A field that
// one of those looked for has, too, lacks nothing, and neither does one of entries that are always
// there.
func (c *choice) lacks(catalogue *field.Catalogue, fields []*field.Field) (names []string) {
	there := ProtocolNames()
	for _, f := range fields {
		var of []string
		for _, g := range catalogue.GroupsOf(f) {
			if !g.Flag || !slices.Contains(there, g.Name) || slices.ContainsFunc(c.list, func(p *dissector.Protocol) bool { return p.Name == g.Name || slices.Contains(p.Implies, g.Name) }) {
				of = nil
				break
			}
			of = append(of, g.Name)
		}
		for _, name := range of {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// ProtocolNames are the names of all protocols that can be looked for.
func ProtocolNames() (names []string) {
	for _, p := range slices.Concat(protocol.All(), protocol.Transports()) {
		names = append(names, p.Name)
	}
	return names
}
