package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// openTerminal makes a pseudo-terminal: what programs write to tty is read from master.
func openTerminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("no pseudo-terminals: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	var number, unlocked uint32
	for _, call := range []struct {
		request uintptr
		value   *uint32
	}{{syscall.TIOCSPTLCK, &unlocked}, {syscall.TIOCGPTN, &number}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), call.request, uintptr(unsafe.Pointer(call.value))); errno != 0 {
			t.Fatalf("pseudo-terminal: %v", errno)
		}
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, tty
}

// onTerminal runs shark with some of its streams on a terminal, and returns what that
// shows, and the rest.
func onTerminal(t *testing.T, p place, streams string, args ...string) (screen string, r result) {
	t.Helper()
	master, tty := openTerminal(t)
	cmd := p.command("shark", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if strings.Contains(streams, "in") {
		cmd.Stdin = tty
	}
	if strings.Contains(streams, "out") {
		cmd.Stdout = tty
	}
	if strings.Contains(streams, "err") {
		cmd.Stderr = tty
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	shown, _ := io.ReadAll(master) // ends with an error when the last program has closed the terminal
	_ = cmd.Wait()                 // the exit code says it
	return strings.ReplaceAll(string(shown), "\r\n", "\n"), result{code: cmd.ProcessState.ExitCode(), out: out.String(), errors: errs.String()}
}

func testCapture(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// On a terminal there is a limit unless another is set.
func TestTerminalLimit(t *testing.T) {
	p, capture := newPlace(t), testCapture(t, "kafka/versions.pcap")
	for _, c := range []struct {
		args  []string
		lines int
		more  bool
	}{
		{nil, 1 + 100, true},
		{[]string{"--limit", "0"}, 1 + 158, false},
		{[]string{"-n", "3"}, 1 + 3, true},
		{[]string{"-o", "jsonl"}, 100, true},
	} {
		screen, r := onTerminal(t, p, "out", append([]string{"query", capture}, c.args...)...)
		if got := strings.Count(screen, "\n"); r.code != 0 || got != c.lines || strings.Contains(r.errors, "there are more") != c.more {
			t.Errorf("%v: exit code %d, %d lines, %q, want %d lines", c.args, r.code, got, r.errors, c.lines)
		}
		if strings.Contains(screen, "\x1b") {
			t.Errorf("%v: colours or the like: %q", c.args, screen)
		}
	}
}

// A terminal gets no captured byte that it might act upon, in whatever form, and no
// raw bytes at all.
func TestTerminalIsSafe(t *testing.T) {
	p := newPlace(t)
	b, err := os.ReadFile(testCapture(t, "redis/basic.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte("user:1"), []byte("\x1b[2J\u009b"))
	b = bytes.ReplaceAll(b, []byte("nobody"), []byte("\u202eabc"))
	capture := filepath.Join(p.root, "hostile.pcap")
	if err := os.WriteFile(capture, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"query", capture},
		{"query", capture, "-o", "csv"},
		{"query", capture, "-o", "json"},
		{"stats", capture, "--by", "redis_key", "-o", "csv"},
		{"stats", capture, "--by", "redis_key", "-o", "jsonl"},
		{"show", capture, "3"},
		{"show", capture, "5", "-o", "json"},
		{"follow", capture, "3"},
		{"follow", capture, "3", "--form", "hex"},
		{"query", "\x1b[2J.pcap"},
		{"query", capture, "'\u202e"},
	} {
		screen, r := onTerminal(t, p, "out err", args...)
		if screen == "" || strings.ContainsAny(screen, "\x1b\u009b\u202e\x07") {
			t.Errorf("%q: exit code %d, the terminal gets %q", args, r.code, screen)
		}
	}
	for _, args := range [][]string{
		{"show", capture, "3", "--raw"},
		{"follow", capture, "3", "--form", "raw"},
		{"export", capture, "-w", "-"},
		{"query", "-"},
		{"record", "-w", "-"},
		{"record", "-w", "/dev/stdout"},
	} {
		screen, r := onTerminal(t, p, "in out", args...)
		if r.code != 2 || screen != "" || strings.Count(r.errors, "\n") != 1 || !strings.Contains(r.errors, "terminal") {
			t.Errorf("%q: exit code %d, %q and %q", args, r.code, screen, r.errors)
		}
	}
}

// Progress is for a terminal, and leaves no trace on it; with --quiet there is none.
func TestTerminalProgress(t *testing.T) {
	capture := largeCapture(t, t.TempDir())
	for _, args := range [][]string{{"dissect"}, {"snapshot", "import"}, {"export", "-w", "/dev/null"}} {
		p := newPlace(t)
		screen, r := onTerminal(t, p, "err", append(args, capture)...)
		const clear = "\r\x1b[K"
		stays := screen
		if i := strings.LastIndex(screen, clear); i >= 0 {
			stays = screen[i+len(clear):]
		}
		if stays == "" || strings.ContainsAny(stays, "\r\x1b") || r.code != 0 {
			t.Errorf("%v: exit code %d, %q stays on the terminal, of %q", args, r.code, stays, screen)
		}
		if screen, r := onTerminal(t, newPlace(t), "err", append(args, capture, "-q")...); screen != "" || r.code != 0 {
			t.Errorf("%v: exit code %d, quiet, but the terminal shows %q", args, r.code, screen)
		}
	}
}
