// Package filter compiles packet filter expressions in the language of
// pcap-filter(7) into matchers.
//
// In: an expression such as "tcp port 443 and not net 10.0.0.0/8". Out: a
// Filter that tells for a packet of any supported link type whether it matches.
// Accepted language and meaning are those of libpcap 1.10.3 reading a capture
// file, quirks included, because people paste filters that worked in tcpdump:
//
//   - "vlan", "mpls", "pppoes" and "geneve" move the offsets of everything to
//     their right, whatever the parentheses and operators;
//   - "and" and "or" bind equally tight and group from the left;
//   - "tcp[13]" looks at first fragments of IPv4 only;
//   - a load beyond the captured bytes, or a division by zero, rejects the
//     packet, whatever "not" stands before it.
//
// Names of hosts and networks are not looked up: they are errors.
//
// An expression goes through three forms. The syntax tree (tree.go) knows no
// link type. Lowering it for one link type (lower*.go) gives conditions over
// loads from the packet (cond.go), nothing in them beyond what a classic BPF
// machine can do, protochain's loop excepted. Those are laid out as the steps
// that Match runs (program.go), or assembled for the kernel's classic BPF machine
// (assemble.go).
package filter

import (
	"fmt"
	"strings"
	"sync/atomic"

	"shark/packet"
)

// Limits on expressions, which may come from anyone.
const (
	maxLength    = 64 << 10 // bytes of an expression
	maxDepth     = 500      // nested parentheses, "not" and unary minus
	maxRegisters = 16       // values alive at once in arithmetic; that of a BPF machine
	maxChain     = 1024     // headers followed by one protochain
)

// Filter is a compiled filter expression. It may be used by several goroutines
// at once.
type Filter struct {
	text     string
	tree     node // nil: the empty expression, which matches every packet
	programs [len(links)]atomic.Pointer[program]
}

// Compile parses an expression and checks that at least one supported link type
// can answer it. An error is an *Error and says where the expression is wrong.
func Compile(expr string) (*Filter, error) {
	tree, err := parse(expr)
	if err != nil {
		return nil, err
	}
	f := &Filter{text: expr, tree: tree}
	var first error
	for i := range links {
		p := f.program(i)
		if p.err == nil {
			return f, nil
		}
		if first == nil {
			first = p.err
		}
	}
	return nil, first
}

// Check tells whether the filter can be applied to packets of a link type. Some
// link types have no answer to some questions ("ether host" on raw IP, "inbound"
// on Ethernet): then it returns the *Error that says what and why, and Match is
// false for every packet of that link type.
func (f *Filter) Check(link packet.LinkType) error {
	i := linkIndex(link)
	if i < 0 {
		return &Error{Expr: f.text, Reason: fmt.Sprintf("link type %d is not supported", link)}
	}
	return f.program(i).err
}

// Match tells whether a packet matches. data is what was captured of it, from
// the link-layer header on; origLen its length on the wire, which "len", "less"
// and "greater" test. For a link type that Check refuses it is false.
func (f *Filter) Match(link packet.LinkType, data []byte, origLen uint32) bool {
	i := linkIndex(link)
	if i < 0 {
		return false
	}
	p := f.programs[i].Load()
	if p == nil {
		p = f.program(i)
	}
	return p.match(data, origLen)
}

// program returns the program for links[i], made at first need. Goroutines that
// need it at the same time may each make it; they are all alike.
func (f *Filter) program(i int) *program {
	if p := f.programs[i].Load(); p != nil {
		return p
	}
	c, err := lower(f.text, f.tree, links[i], false)
	if err != nil {
		c = constant(false)
	}
	p := newProgram(c)
	p.err = err
	f.programs[i].Store(p)
	return p
}

// Error is what is wrong with an expression, and where.
type Error struct {
	Expr   string
	Pos    int // byte offset in Expr
	Reason string
}

// Error returns the reason and, below it, the expression around the place with a
// caret under it.
func (e *Error) Error() string {
	const before, after = 50, 25
	from, to := max(0, e.Pos-before), min(len(e.Expr), e.Pos+after)
	shown := []byte(e.Expr[from:to])
	for i, c := range shown {
		if c < ' ' || c > '~' {
			shown[i] = ' '
		}
	}
	return fmt.Sprintf("filter: %s at byte %d\n  %s\n  %s^", e.Reason, e.Pos+1, shown, strings.Repeat(" ", e.Pos-from))
}
