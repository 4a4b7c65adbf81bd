package filter

import (
	"fmt"

	"shark/packet"
)

// Rule says how many bytes are kept of packets that match.
type Rule struct {
	Filter  *Filter // nil: all packets match
	SnapLen uint32  // 0: they are left out
}

// Instruction is one of a classic BPF machine, laid out as struct sock_filter of Linux.
type Instruction struct {
	Op     uint16
	JT, JF uint8
	K      uint32
}

// maxInstructions is how long a program may be that Linux takes.
const maxInstructions = 4096

// Assemble makes a program of rules that Linux runs on each packet of a socket (SO_ATTACH_FILTER),
// for devices of a link type. The first rule that matches says how many bytes are kept; what
// matches none is left out.
//
// Filters mean what they do to Match, of packets as the kernel shows them and as libpcap sees
// them when it captures: the outer VLAN tag is beside the packet, where "vlan" finds it, and all
// else looks behind it, whether or not there is one. "len" is without it. "inbound", "outbound"
// and "ifindex" can be asked of any device. A rule with a load beyond the packet does not match,
// even where it begins with "not"; the next one may.
//
// What needs a loop ("protochain") is an error, and so is a program of more than 4096
// instructions.
func Assemble(link packet.LinkType, rules ...Rule) ([]Instruction, error) {
	return assemble(link, true, rules)
}

// assemble makes the program, for packets as a file has them where they are not the kernel's.
func assemble(link packet.LinkType, kernel bool, rules []Rule) ([]Instruction, error) {
	i := linkIndex(link)
	if i < 0 {
		return nil, fmt.Errorf("filter: link type %d is not supported", link)
	}
	a := &assembler{}
	for n, r := range rules {
		next := a.label()
		if err := a.rule(r, links[i], kernel, n < len(rules)-1, next); err != nil {
			return nil, err
		}
		a.place(next)
	}
	a.ret(0)
	return a.resolve()
}

// rule makes the part of a program that returns if a rule matches, and else goes on to next. The
// last rule needs no guards: what the machine does where a load fails, to leave the packet out,
// is what comes next.
func (a *assembler) rule(r Rule, link packet.LinkType, kernel, guarded bool, next int) error {
	c := constant(true)
	if r.Filter != nil {
		var err error
		if c, err = lower(r.Filter.text, r.Filter.tree, link, kernel); err != nil {
			return err
		}
	}
	a.guarded, a.fault, a.text = guarded, next, ""
	if r.Filter != nil {
		a.text = r.Filter.text
	}
	a.scratch = 0
	if used := registersOf(c); used > 0 { // Linux wants them written before they are read
		a.emit(opLoadK, 0)
		for reg := range used {
			a.emit(opStore, uint32(reg))
		}
		a.scratch = used
	}
	match := a.label()
	a.cond(c, match, next)
	a.place(match)
	a.ret(r.SnapLen)
	return a.err
}

// registersOf is how many registers a condition may touch.
func registersOf(c *cond) int {
	switch c.kind {
	case condAnd, condOr:
		return max(registersOf(c.l), registersOf(c.r))
	case condNot:
		return registersOf(c.l)
	case condTest:
		return max(registersIn(c.a), registersIn(c.b))
	case condSet:
		return max(int(c.reg)+1, registersIn(c.a))
	}
	return 0
}

func registersIn(e *expr) int {
	if e == nil {
		return 0
	}
	n := max(registersIn(e.l), registersIn(e.r))
	if e.kind == exprReg {
		n = max(n, int(e.k)+1)
	}
	return n
}

// cond makes what goes to label t where c holds, else to f. Both are placed later: a program only
// jumps forward. It loops down the right side and recurses into the left.
func (a *assembler) cond(c *cond, t, f int) {
	for a.err == nil {
		switch c.kind {
		case condConst:
			if !c.value {
				t = f
			}
			a.jump(t)
			return
		case condNot:
			c, t, f = c.l, f, t
		case condAnd:
			next := a.label()
			a.cond(c.l, next, f)
			a.place(next)
			c = c.r
		case condOr:
			next := a.label()
			a.cond(c.l, t, next)
			a.place(next)
			c = c.r
		case condTest:
			a.test(c, t, f)
			return
		case condSet:
			a.value(c.a)
			a.emit(opStore, uint32(c.reg))
			a.jump(t)
			return
		default:
			a.fail(`"protochain" follows headers in a loop, and a kernel's filter has none`)
			return
		}
	}
}

// test makes a comparison.
func (a *assembler) test(c *cond, t, f int) {
	op := [...]uint16{cmpEq: 0x15, cmpGt: 0x25, cmpGe: 0x35, cmpSet: 0x45}[c.cmp]
	if c.b.kind == exprConst {
		a.value(c.a)
		a.branch(op, c.b.k, t, f)
		return
	}
	right := a.take()
	a.value(c.b)
	a.emit(opStore, right)
	a.value(c.a)
	a.emit(opLoadXM, right)
	a.branch(op|opX, 0, t, f)
	a.scratch--
}
