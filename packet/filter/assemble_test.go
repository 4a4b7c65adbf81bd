package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"shark/packet"
)

// machineOf loads a program into another one's machine.
func machineOf(t *testing.T, code []Instruction) *bpf.VM {
	t.Helper()
	raw := make([]bpf.RawInstruction, len(code))
	for i, c := range code {
		raw[i] = bpf.RawInstruction{Op: c.Op, Jt: c.JT, Jf: c.JF, K: c.K}
	}
	all, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatalf("not all instructions are known: %v", all)
	}
	vm, err := bpf.NewVM(all)
	if err != nil {
		t.Fatalf("%v: %v", err, all)
	}
	return vm
}

// verdictOf runs a program on a packet that is there as a whole.
func verdictOf(t *testing.T, vm *bpf.VM, data []byte) uint32 {
	t.Helper()
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// Programs run by somebody else's machine say what Match says, of expressions and packets by hand
// and by chance, and first rules say what they say alone.
func TestAssembledIsMatched(t *testing.T) {
	g := newGenerator(7)
	exprs := handPicked()
	for range 600 {
		exprs = append(exprs, g.expression())
	}
	compared, matched, loops := 0, 0, 0
	for i, expr := range exprs {
		f, err := Compile(expr)
		if err != nil {
			continue
		}
		other, err := Compile(exprs[(i*7+1)%len(exprs)])
		if err != nil {
			other = mustCompile(t, "tcp")
		}
		for _, link := range []packet.LinkType{linkEthernet, links[1+i%(len(links)-1)]} {
			if f.Check(link) != nil {
				continue
			}
			code, err := assemble(link, false, []Rule{{f, 1 << 20}})
			if err != nil {
				if !strings.Contains(err.Error(), "protochain") {
					t.Errorf("%s: %v", expr, err)
				}
				loops++
				continue
			}
			vm := machineOf(t, code)
			var two *bpf.VM
			if other.Check(link) == nil {
				if code, err := assemble(link, false, []Rule{{f, 64}, {other, 1 << 20}}); err == nil {
					two = machineOf(t, code)
				}
			}
			for _, r := range randomPackets(g.Rand, link) {
				want := f.Match(link, r, uint32(len(r)))
				if got := verdictOf(t, vm, r) != 0; got != want {
					t.Fatalf("link %d: %s: the program says %v of %x", link, expr, got, r)
				}
				compared++
				if want {
					matched++
				}
				if two == nil {
					continue
				}
				wantLen := uint32(0)
				if want {
					wantLen = 64
				} else if other.Match(link, r, uint32(len(r))) {
					wantLen = 1 << 20
				}
				if got := verdictOf(t, two, r); got != wantLen {
					t.Fatalf("link %d: %s, then %s: %d bytes are kept of %x, want %d", link, f.text, other.text, got, r, wantLen)
				}
			}
		}
	}
	t.Logf("%d comparisons, %d of them matches; %d programs would need loops", compared, matched, loops)
	if compared < 10000 || matched < compared/20 {
		t.Error("that is too little")
	}
}

// randomPackets are the packets of the tests, some of them cut or changed by chance.
func randomPackets(rng *rand.Rand, link packet.LinkType) (out [][]byte) {
	for _, r := range testPackets(link) {
		if len(r.data) == 0 { // an empty packet has no machine run on it
			continue
		}
		b := append([]byte(nil), r.data...)
		switch rng.IntN(4) {
		case 0:
			b = b[:1+rng.IntN(len(b))]
		case 1:
			b[rng.IntN(len(b))] = byte(rng.Uint32())
		}
		out = append(out, b)
	}
	return out
}

// The programs of tcpdump, run by the same machine, say the same.
func TestAssembledAgainstTcpdump(t *testing.T) {
	all := captures(t)
	c := all[0]
	n := 0
	for _, expr := range handPicked() {
		f, err := Compile(expr)
		if err != nil || f.Check(c.link) != nil || strings.Contains(expr, "chain") {
			continue
		}
		theirs, ok := dumped(t, c, expr)
		if !ok {
			continue
		}
		code, err := assemble(c.link, false, []Rule{{f, 262144}})
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		ours, their := machineOf(t, code), machineOf(t, theirs)
		for i, r := range c.recs {
			if len(r.data) == 0 || uint32(len(r.data)) != r.wire {
				continue
			}
			if a, b := verdictOf(t, ours, r.data), verdictOf(t, their, r.data); a != b {
				t.Errorf("%s: packet %d: %d, tcpdump %d", expr, i, a, b)
				break
			}
		}
		n++
	}
	t.Logf("%d programs", n)
	if n < 100 {
		t.Error("that is too little")
	}
}

// dumped is the program that tcpdump makes, not optimised, since that changes what it means.
func dumped(t *testing.T, c capture, expr string) (code []Instruction, ok bool) {
	t.Helper()
	out, err := tcpdumpOutput("-r", c.file, "-O", "-ddd", "--", expr)
	if err != nil {
		return nil, false
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines[1:] {
		var v [4]uint64
		for i, field := range strings.Fields(line) {
			if v[i], err = strconv.ParseUint(field, 10, 32); err != nil {
				t.Fatal(err)
			}
		}
		if v[0] == 0x84 { // A = -A, which the other machine does not know
			return nil, false
		}
		code = append(code, Instruction{uint16(v[0]), uint8(v[1]), uint8(v[2]), uint32(v[3])})
	}
	return code, true
}

// Programs are as long as Linux takes, jumps as far as they have to be, and what is longer is said.
func TestAssembledLength(t *testing.T) {
	hosts := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteString(" or ")
			}
			b.WriteString("ip dst host 10.0." + strconv.Itoa(i/256) + "." + strconv.Itoa(i%256))
		}
		return b.String()
	}
	code, err := Assemble(linkEthernet, Rule{mustCompile(t, hosts(800)), 1})
	if err != nil {
		t.Fatal(err)
	}
	vm := machineOf(t, code)
	for i := range 900 {
		data := join(unhex(macB), unhex(macA), unhex("0800"), ip4("0a010203", "0a000000", 17, 0, nil, udp(1, 2)))
		binary.BigEndian.PutUint16(data[14+18:], uint16(i))
		if got := verdictOf(t, vm, data) == 1; got != (i < 800) {
			t.Fatalf("host %d: %v", i, got)
		}
	}
	if _, err := Assemble(linkEthernet, Rule{mustCompile(t, hosts(1500)), 1}); err == nil || !strings.Contains(err.Error(), "4096") {
		t.Errorf("a program that is too long: %v", err)
	}
	if _, err := Assemble(linkEthernet, Rule{mustCompile(t, "ip protochain 6"), 1}); err == nil || !strings.Contains(err.Error(), "loop") {
		t.Errorf("a loop: %v", err)
	}
	if _, err := Assemble(147); err == nil {
		t.Error("link type 147 is taken")
	}
}
