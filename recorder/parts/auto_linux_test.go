package parts

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"shark/bpf/bpftest"
)

// keeper is a program with OpenSSL that has a connection to itself, and another one for each line
// it reads: it closes the one before.
const keeper = `
import socket, ssl, sys
l = socket.create_server(("127.0.0.1", 0))
while True:
    a = socket.create_connection(l.getsockname())
    b, _ = l.accept()
    print("connected", flush=True)
    if not sys.stdin.readline(): break
    a.close(); b.close()
`

// startKeeper starts a keeper and returns its number and what has it connect anew.
func startKeeper(t *testing.T, s *bpftest.Stage, name string) (tgid uint32, anew func()) {
	t.Helper()
	cmd := exec.Command(bpftest.Program(t, "python3"), "-c", keeper)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t, cmd, name)
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	said := bufio.NewReader(out)
	connected := func() {
		t.Helper()
		if line, err := said.ReadString('\n'); err != nil {
			t.Fatalf("%s says %q: %v", name, line, err)
		}
	}
	connected()
	return uint32(cmd.Process.Pid), func() {
		t.Helper()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		connected()
	}
}

// With auto, plaintext is taken of a process as long as it has a connection that is older than the
// recorder, and of none that began later; then nobody runs over a probe any more.
func TestAuto(t *testing.T) {
	bpftest.Root(t, "python3")
	s := bpftest.New(t)
	old, anew := startKeeper(t, s, "old")
	r := &reading{policy: Policy{Mode: Auto}, capture: &Capture{Namespaces: []string{strconv.Itoa(int(old))}}}
	err := r.open()
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	bpftest.Need(t, "the programs for TLS", err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.libraries.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	now := time.Now()
	looked := func() string {
		now = now.Add(lastTry) // connections are asked about ever more rarely
		if err := r.looks.look(now); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(r.looks.attached) > 0, r.looks.allowed)
	}
	only := func(all ...uint32) map[uint32]bool {
		m := make(map[uint32]bool)
		for _, tgid := range all {
			m[tgid] = true
		}
		return m
	}
	if !maps.Equal(r.looks.allowed, only(old)) || len(r.looks.attached) == 0 {
		t.Fatalf("of an old connection's process %d: %s", old, looked())
	}
	late, _ := startKeeper(t, s, "late")
	bpftest.Until(t, "the later process is known", func() bool {
		for _, f := range r.libraries.Files() {
			for _, p := range f.Processes {
				if p.TGID == late {
					return true
				}
			}
		}
		return false
	})
	if got := looked(); !maps.Equal(r.looks.allowed, only(old)) {
		t.Errorf("with a process that began later: %s", got)
	}
	anew() // its connections have keys from now on
	bpftest.Until(t, "the old connection is gone", func() bool { return looked() == fmt.Sprint(false, only()) })
}
