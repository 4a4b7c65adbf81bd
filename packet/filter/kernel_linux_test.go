package filter

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is Linux' own machine: a pair of sockets of which one has a filter.
type kernel struct {
	t        *testing.T
	in, out  int
	received [1 << 16]byte
}

func newKernel(t *testing.T) *kernel {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	return &kernel{t: t, in: fds[0], out: fds[1]}
}

// attach has a program decide.
func (k *kernel) attach(code []Instruction) error {
	p := unix.SockFprog{Len: uint16(len(code)), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}
	return unix.SetsockoptSockFprog(k.out, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p)
}

// kept is how many bytes of a packet come through.
func (k *kernel) kept(data []byte) int {
	k.t.Helper()
	if err := unix.Send(k.in, data, 0); err != nil {
		k.t.Fatal(err)
	}
	n, _, err := unix.Recvfrom(k.out, k.received[:], 0)
	if errors.Is(err, unix.EAGAIN) {
		return 0
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// Linux takes the programs and runs them to the end that Match comes to.
func TestAssembledForKernel(t *testing.T) {
	g := newGenerator(11)
	exprs := handPicked()
	for range 300 {
		exprs = append(exprs, g.expression())
	}
	k := newKernel(t)
	tcp := mustCompile(t, "tcp")
	compared, matched := 0, 0
	for _, expr := range exprs {
		f, err := Compile(expr)
		if err != nil || f.Check(linkEthernet) != nil {
			continue
		}
		code, err := Assemble(linkEthernet, Rule{f, 20}, Rule{tcp, 30})
		if err != nil {
			if !strings.Contains(err.Error(), "protochain") {
				t.Errorf("%s: %v", expr, err)
			}
			continue
		}
		if err := k.attach(code); err != nil {
			t.Errorf("%s: %v: %v", expr, err, code)
			continue
		}
		if strings.Contains(expr, "vlan") || strings.Contains(expr, "bound") || strings.Contains(expr, "ifindex") {
			continue // it means something else there
		}
		for _, r := range randomPackets(g.Rand, linkEthernet) {
			want := 0
			if f.Match(linkEthernet, r, uint32(len(r))) {
				want = min(20, len(r))
				matched++
			} else if tcp.Match(linkEthernet, r, uint32(len(r))) {
				want = min(30, len(r))
			}
			if got := k.kept(r); got != want {
				t.Fatalf("%s: %d bytes are kept of %x, want %d", expr, got, r, want)
			}
			compared++
		}
	}
	t.Logf("%d comparisons, %d matches", compared, matched)
	if compared < 10000 || matched < 500 {
		t.Error("that is too little")
	}
}

// A tag that is in the packet is found there, too, and what follows stands behind it.
func TestAssembledTagInside(t *testing.T) {
	k := newKernel(t)
	plain := join(unhex(macB), unhex(macA), unhex("0800"), ip4(hostA, hostB, 6, 0, nil, tcp(40000, 80, 2)))
	tagged := join(plain[:12], unhex("8100 0064"), plain[12:])
	twice := join(plain[:12], unhex("88a8 00c8 8100 0064"), plain[12:])
	for _, c := range []struct {
		expr string
		data []byte
		want bool
	}{
		{"vlan", plain, false},
		{"vlan", tagged, true},
		{"vlan 100 and tcp port 80", tagged, true},
		{"vlan 100 and tcp port 81", tagged, false},
		{"vlan 101 and tcp port 80", tagged, false},
		{"vlan 200 and vlan 100 and tcp port 80", twice, true},
		{"vlan and vlan 200", twice, false},
		{"tcp port 80", tagged, false},
		{"tcp port 80 or vlan", tagged, true},
		{"not vlan and tcp port 80", plain, true},
		{"vlan or tcp port 80", plain, true},
	} {
		code, err := Assemble(linkEthernet, Rule{mustCompile(t, c.expr), 1 << 18})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.attach(code); err != nil {
			t.Fatalf("%s: %v", c.expr, err)
		}
		if got := k.kept(c.data) > 0; got != c.want {
			t.Errorf("%s: %v, want %v, of %x", c.expr, got, c.want, c.data)
		}
	}
}
