package snmp

import (
	"strconv"

	"shark/dissector"
)

// list takes the variables of a message.
type list struct {
	p          *parser
	m          *dissector.Message
	limit      int
	quiet      bool // a response: it repeats what was asked
	n          int
	exceptions int64
	first      []byte // variable of a response, as text
	about      []byte // what the summary names
	room       [usualText]byte
}

func (p *parser) list(m *dissector.Message) list {
	l := list{p: p, m: m, limit: maxListed}
	if m.Detail {
		l.limit = maxDetail
	}
	return l
}

// variable takes one.
func (l *list) variable(oid []byte, tag byte, value []byte) {
	l.n++
	if exception(tag) != "" {
		l.exceptions++
	}
	name := appendOID(l.p.text[:0], oid)
	l.p.text = name
	if l.n == 1 {
		l.first = append(l.room[:0], name...)
		l.about = l.room[:0] // of a response it is not asked for
	}
	if tag == tagOID && string(name) == snmpTrapOID {
		l.trap(value)
		name = appendOID(l.p.text[:0], oid)
	}
	if l.n > l.limit {
		return
	}
	if !l.quiet {
		OIDs.Add(&l.m.Values, name)
	}
	if l.n <= maxSummary && !l.quiet {
		if l.n > 1 {
			l.about = append(l.about, ", "...)
		}
		l.about = append(l.about, name...)
	}
	if tag != tagNull {
		if secret(name) {
			l.p.text = append(name, " = ***"...)
		} else {
			l.p.text = appendValue(append(name, " = "...), tag, value)
		}
		Values.Add(&l.m.Values, l.p.text)
	}
}

// secrets are the variables whose values are credentials, each with what is below it:
// snmpTrapCommunity and snmpCommunityName (RFC 3584), and the password of Cisco's file
// copies, ccCopyUserPassword.
var secrets = [...]string{"1.3.6.1.6.3.18.1.4.0", "1.3.6.1.6.3.18.1.1.1.2", "1.3.6.1.4.1.9.9.96.1.1.1.1.8"}

// secret tells whether a variable, in dots, is one of them.
func secret(name []byte) bool {
	for _, s := range secrets {
		if len(name) >= len(s) && string(name[:len(s)]) == s && (len(name) == len(s) || name[len(s)] == '.') {
			return true
		}
	}
	return false
}

// trap sets what a trap or inform of version 2 tells.
func (l *list) trap(value []byte) {
	text := appendOID(l.p.text[:0], value)
	l.p.text = text
	if tail := text[min(len(snmpTraps), len(text)):]; len(tail) == 1 && string(text[:len(snmpTraps)]) == snmpTraps {
		if i := int(tail[0]) - '1'; i >= 0 && i < len(trapNames) {
			Trap.SetString(&l.m.Values, trapNames[i])
			return
		}
	}
	Trap.Set(&l.m.Values, text)
}

// summary names what a trap tells, or the first variables.
func (p *parser) summary(l *list, n int, m *dissector.Message) {
	text := p.text[:0]
	if m.Has(Trap) {
		text = append(text, Trap.Get(&m.Values)...)
		if m.Has(AgentAddress) {
			text = append(append(text, " of "...), AgentAddress.Get(&m.Values)...)
		}
	} else if text = append(text, l.about...); n > maxSummary {
		text = append(strconv.AppendInt(append(text, " and "...), int64(n-maxSummary), 10), " more"...)
	}
	p.text = text
	if len(text) > 0 {
		dissector.Summary.Set(&m.Values, text)
	}
}
