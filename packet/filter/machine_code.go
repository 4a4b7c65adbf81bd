package filter

import "fmt"

// Opcodes of the classic BPF machine: an accumulator A, an index X and 16 words M.
const (
	opLoadK   = 0x00 // A = k
	opLoadAbs = 0x20 // A = packet[k]; + 8 for 2 bytes, + 16 for 1
	opLoadInd = 0x40 // A = packet[X+k]
	opLoadM   = 0x60 // A = M[k]
	opLoadLen = 0x80 // A = length
	opLoadXM  = 0x61 // X = M[k]
	opLoadMSH = 0xb1 // X = 4 * (packet[k] & 15)
	opStore   = 0x02 // M[k] = A
	opX       = 0x08 // with X instead of k
	opJump    = 0x05
	opReturn  = 0x06
	opTAX     = 0x07
	opTXA     = 0x87
)

// metaBase is from where on loads are of what is beside the packet (SKF_AD_OFF).
const metaBase = 0xfffff000

// arithmeticOps are the opcodes of arithmetic, with k.
var arithmeticOps = map[exprKind]uint16{
	exprAdd: 0x04, exprSub: 0x14, exprMul: 0x24, exprDiv: 0x34, exprOr: 0x44,
	exprAnd: 0x54, exprShl: 0x64, exprShr: 0x74, exprMod: 0x94, exprXor: 0xa4,
}

// assembler collects instructions whose jumps go to labels.
type assembler struct {
	code    []draft
	labels  []int // where each stands; -1: not placed yet
	scratch int   // words of M in use
	guarded bool  // a load that is out of bounds goes to
	fault   int
	text    string // of the filter, for errors
	err     error
}

// draft is an instruction, or a jump: a conditional one goes to t or f, another one to t.
type draft struct {
	op   uint16
	k    uint32
	t, f int
}

func (a *assembler) label() int {
	a.labels = append(a.labels, -1)
	return len(a.labels) - 1
}

func (a *assembler) place(label int) { a.labels[label] = len(a.code) }

func (a *assembler) emit(op uint16, k uint32) { a.code = append(a.code, draft{op: op, k: k}) }
func (a *assembler) branch(op uint16, k uint32, t, f int) {
	a.code = append(a.code, draft{op, k, t, f})
}
func (a *assembler) jump(label int) { a.branch(opJump, 0, label, label) }
func (a *assembler) ret(k uint32)   { a.emit(opReturn, k) }

func (a *assembler) fail(format string, args ...any) {
	if a.err == nil {
		a.err = &Error{Expr: a.text, Reason: fmt.Sprintf(format, args...)}
	}
}

// take takes a word of M, which the caller gives back by counting scratch down.
func (a *assembler) take() uint32 {
	if a.scratch >= maxRegisters {
		a.fail("too many numbers have to be held at once")
		return 0
	}
	a.scratch++
	return uint32(a.scratch - 1)
}

// value makes what puts e into A.
func (a *assembler) value(e *expr) {
	if a.err != nil {
		return
	}
	switch e.kind {
	case exprConst:
		a.emit(opLoadK, e.k)
	case exprLen:
		a.emit(opLoadLen, 0)
	case exprMeta:
		a.emit(opLoadAbs, metaBase+e.k)
	case exprReg:
		a.emit(opLoadM, e.k)
	case exprMSH:
		a.headerLength(e.k)
		a.emit(opTXA, 0)
	case exprLoad:
		a.load(e)
	case exprNeg:
		a.value(e.l)
		a.emit(arithmeticOps[exprXor], 0xffffffff)
		a.emit(arithmeticOps[exprAdd], 1)
	default:
		a.arithmetic(e)
	}
}

// headerLength makes what puts the length of the IPv4 header at k into X.
func (a *assembler) headerLength(k uint32) {
	if a.guarded {
		a.bound(k, 1, false)
	}
	a.emit(opLoadMSH, k)
}

// load makes what loads from the packet.
func (a *assembler) load(e *expr) {
	size := map[uint8]uint16{4: 0, 2: 8, 1: 16}[e.size]
	anywhere := false // the kernel adds X and k modulo 2^32, and has other things at the end
	k, index := uint64(e.k), e.l
	if index != nil && index.kind == exprAdd && index.r.kind == exprConst && index.l.kind == exprMSH && index.r.k < 1<<31 {
		k, index = k+uint64(index.r.k), index.l // the sum cannot wrap
	}
	switch {
	case index == nil:
	case index.kind == exprConst:
		k, index = k+uint64(index.k), nil
	case index.kind == exprMSH:
		a.headerLength(index.k)
	default:
		anywhere = true
		a.value(index)
		a.emit(opTAX, 0)
	}
	if k > 0x7fffffff { // beyond any packet; the kernel would take it for a place beside
		k = 0x7fffffff
	}
	if a.guarded || anywhere {
		a.bound(uint32(k), uint32(e.size), index != nil)
	}
	if index == nil {
		a.emit(opLoadAbs|size, uint32(k))
	} else {
		a.emit(opLoadInd|size, uint32(k))
	}
}

// bound makes what goes to the fault unless size bytes at k, or at X+k, are in the packet.
func (a *assembler) bound(k, size uint32, indexed bool) {
	inside := a.label()
	a.emit(opLoadLen, 0)
	a.branch(0x35, k+size, inside, a.fault)
	a.place(inside)
	if indexed {
		a.emit(arithmeticOps[exprSub], k+size)
		reaches := a.label()
		a.branch(0x35|opX, 0, reaches, a.fault)
		a.place(reaches)
	}
}

// arithmetic makes l op r.
func (a *assembler) arithmetic(e *expr) {
	op := arithmeticOps[e.kind]
	shifts := e.kind == exprShl || e.kind == exprShr
	divides := e.kind == exprDiv || e.kind == exprMod
	if e.r.kind == exprConst && !(shifts && e.r.k > 31) && !(divides && e.r.k == 0) {
		a.value(e.l)
		a.emit(op, e.r.k)
		return
	}
	right := a.take()
	a.value(e.r)
	if divides {
		a.nonzero()
	}
	a.emit(opStore, right)
	a.value(e.l)
	a.emit(opLoadXM, right)
	if shifts {
		a.shift(op)
	} else {
		a.emit(op|opX, 0)
	}
	a.scratch--
}

// nonzero makes what goes to the fault if A is 0: the machine would leave the packet out.
func (a *assembler) nonzero() {
	if !a.guarded {
		return
	}
	some := a.label()
	a.branch(0x15, 0, a.fault, some)
	a.place(some)
}

// shift makes what shifts A by X. By more than 31 bits nothing is left; the kernel's machine would
// take the amount modulo 32.
func (a *assembler) shift(op uint16) {
	left := a.take()
	far, near, done := a.label(), a.label(), a.label()
	a.emit(opStore, left)
	a.emit(opTXA, 0)
	a.branch(0x25, 31, far, near)
	a.place(near)
	a.emit(opLoadM, left)
	a.emit(op|opX, 0)
	a.jump(done)
	a.place(far)
	a.emit(opLoadK, 0)
	a.place(done)
	a.scratch--
}

// resolve lays out the instructions. A conditional jump reaches 255 instructions; where a target
// is further, one that reaches any stands behind it.
func (a *assembler) resolve() ([]Instruction, error) {
	if len(a.code) > maxInstructions {
		return nil, a.tooLong(len(a.code))
	}
	farT, farF := make([]bool, len(a.code)), make([]bool, len(a.code))
	at := make([]int, len(a.code)+1)
	for again := true; again; {
		again = false
		for i, d := range a.code {
			n := 1
			if d.conditional() {
				n += count(farT[i]) + count(farF[i])
			}
			at[i+1] = at[i] + n
		}
		for i, d := range a.code {
			if !d.conditional() {
				continue
			}
			from := at[i] + 1
			if !farT[i] && at[a.labels[d.t]]-from > 255 {
				farT[i], again = true, true
			}
			if !farF[i] && at[a.labels[d.f]]-from > 255 {
				farF[i], again = true, true
			}
		}
	}
	out := make([]Instruction, 0, at[len(a.code)])
	for i, d := range a.code {
		from := at[i] + 1
		ins := Instruction{Op: d.op, K: d.k}
		switch {
		case d.op == opJump:
			ins.K = uint32(at[a.labels[d.t]] - from)
		case d.conditional():
			ins.JT, ins.JF = uint8(at[a.labels[d.t]]-from), uint8(at[a.labels[d.f]]-from)
			if farT[i] {
				ins.JT = 0
			}
			if farF[i] {
				ins.JF = uint8(count(farT[i]))
			}
		}
		out = append(out, ins)
		if farT[i] {
			out = append(out, Instruction{Op: opJump, K: uint32(at[a.labels[d.t]] - len(out) - 1)})
		}
		if farF[i] {
			out = append(out, Instruction{Op: opJump, K: uint32(at[a.labels[d.f]] - len(out) - 1)})
		}
	}
	if len(out) > maxInstructions {
		return nil, a.tooLong(len(out))
	}
	return out, nil
}

func (a *assembler) tooLong(n int) error {
	return fmt.Errorf("filter: its program has %d instructions, and Linux takes at most %d: ask for less", n, maxInstructions)
}

// conditional tells whether it jumps to t or f.
func (d *draft) conditional() bool { return d.op&7 == opJump && d.op != opJump }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
