package object

import (
	"cmp"
	"debug/elf"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// A label that is put into the register of the second argument has its call within so many
// instructions.
const callWithin = 8

// target is a function that labels were seen to go to.
type target struct {
	addr   uint64
	labels map[string]bool
	calls  int // of these with a call, not at the end of a jump
}

// called returns the function that is called with the most labels as second argument, two at
// least, and 0 if there is none or two of them.
func (m *image) called(labels map[uint64]string) (uint64, error) {
	votes := make(map[uint64]*target)
	vote := func(label string) func(uint64, bool) {
		return func(addr uint64, call bool) {
			t := votes[addr]
			if t == nil {
				t = &target{addr: addr, labels: make(map[string]bool)}
				votes[addr] = t
			}
			t.labels[label] = true
			if call {
				t.calls++
			}
		}
	}
	sites := 0
	err := m.references(labels, func(next uint64, label string) bool {
		switch m.machine {
		case elf.EM_X86_64:
			m.follow(next, vote(label))
		case elf.EM_AARCH64:
			m.followARM(next, vote(label))
		}
		sites++
		return sites < maxPlaces
	})
	if err != nil {
		return 0, err
	}
	all := make([]*target, 0, len(votes))
	for _, t := range votes {
		if _, ok := m.offset(t.addr); ok && len(t.labels) > 1 {
			all = append(all, t)
		}
	}
	rank := func(a, b *target) int {
		return cmp.Or(cmp.Compare(len(b.labels), len(a.labels)), cmp.Compare(b.calls, a.calls))
	}
	slices.SortFunc(all, rank)
	if len(all) == 0 || len(all) > 1 && rank(all[0], all[1]) == 0 {
		return 0, nil
	}
	return all[0].addr, nil
}

// references gives f each place in the code behind an instruction that puts the address of a
// label into the register of the second argument. f says whether to go on.
func (m *image) references(labels map[uint64]string, f func(next uint64, label string) bool) error {
	search := m.inX86
	switch m.machine {
	case elf.EM_X86_64:
	case elf.EM_AARCH64:
		search = m.inARM
	default:
		return nil
	}
	for i := range m.segments {
		s := &m.segments[i]
		if !s.code() {
			continue
		}
		more := true
		err := m.windows(s.off, s.size, overlap, func(at uint64, b []byte) bool {
			more = search(s.addr+at, b, labels, f)
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// overlap is how many bytes one search looks at together.
const overlap = 4 * armWithin

// inX86 finds lea rsi, [rip+d], and in a file that runs where it says mov esi, imm32 too.
func (m *image) inX86(addr uint64, b []byte, labels map[uint64]string, f func(uint64, string) bool) bool {
	for i := 0; i+7 <= len(b); i++ {
		var to, next uint64
		switch {
		case b[i] == 0x48 && b[i+1] == 0x8d && b[i+2] == 0x35:
			next = addr + uint64(i) + 7
			to = next + uint64(int64(int32(order.Uint32(b[i+3:]))))
		case b[i] == 0xbe && m.fixed:
			next = addr + uint64(i) + 5
			to = uint64(order.Uint32(b[i+1:]))
		case b[i] == 0x48 && b[i+1] == 0xc7 && b[i+2] == 0xc6 && m.fixed:
			next = addr + uint64(i) + 7
			to = uint64(order.Uint32(b[i+3:]))
		default:
			continue
		}
		if label, ok := labels[to]; ok && !f(next, label) {
			return false
		}
	}
	return true
}

// follow gives vote the functions that are called next from some instruction on: that of the
// next call, and those that jumps before it go to, if rsi is not written meanwhile.
func (m *image) follow(addr uint64, vote func(addr uint64, call bool)) {
	var buf [16]byte
	for range callWithin {
		inst, err := x86asm.Decode(m.bytes(addr, buf[:]), 64)
		if err != nil {
			return
		}
		next := addr + uint64(inst.Len)
		rel, direct := inst.Args[0].(x86asm.Rel)
		switch inst.Op {
		case x86asm.CALL:
			if direct {
				vote(next+uint64(int64(rel)), true)
			}
			return
		case x86asm.JMP:
			if !direct {
				return
			}
			next += uint64(int64(rel))
			vote(next, false)
		case x86asm.RET, x86asm.UD2, x86asm.HLT, x86asm.INT:
			return
		default:
			if writes(&inst, x86asm.RSI) {
				return
			}
		}
		addr = next
	}
}

// writes says whether an instruction may write a register of 64 bits, or half of it.
func writes(inst *x86asm.Inst, reg x86asm.Reg) bool {
	switch inst.Op {
	case x86asm.CMP, x86asm.TEST, x86asm.PUSH, x86asm.NOP:
		return false
	}
	r, ok := inst.Args[0].(x86asm.Reg)
	return ok && (r == reg || r == reg-x86asm.RAX+x86asm.EAX)
}

// Limits of what an accessor may be and of where an object keeps the random.
const (
	accessorSize  = 256
	accessorSteps = 40
	randomSize    = 32
	maxOffset     = 8 << 10
)

// random reads out of an accessor's code where the object in its first argument has the random:
// the first field whose address is taken or that is read. It is nil when the accessor looks at
// something else first, as one that serves several kinds of objects does.
func (m *image) random(addr uint64) (*Random, error) {
	if m.machine != elf.EM_X86_64 {
		return nil, nil
	}
	code := m.bytes(addr, make([]byte, accessorSize))
	for range accessorSteps {
		inst, err := x86asm.Decode(code, 64)
		if err != nil || inst.Op == x86asm.RET || inst.Op == x86asm.CALL || inst.Op == x86asm.JMP {
			return nil, nil
		}
		for i, arg := range inst.Args {
			mem, ok := arg.(x86asm.Mem)
			if !ok || mem.Base != x86asm.RDI {
				continue
			}
			if i == 0 || mem.Index != 0 || mem.Disp < 8 || mem.Disp > maxOffset-randomSize || inst.Op == x86asm.CMP {
				return nil, nil
			}
			return &Random{Offset: uint32(mem.Disp)}, nil
		}
		if writes(&inst, x86asm.RDI) {
			return nil, nil
		}
		code = code[inst.Len:]
	}
	return nil, nil
}
