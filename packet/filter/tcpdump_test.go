package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/packet"
)

// capture is a test capture and the file it was written to.
type capture struct {
	link packet.LinkType
	file string
	recs []rec
}

func captures(t *testing.T) (all []capture) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed: nothing to compare with")
	}
	out, _ := exec.Command("tcpdump", "--version").CombinedOutput()
	if !strings.Contains(string(out), "libpcap version 1.10.3") {
		t.Skipf("tcpdump has another libpcap than 1.10.3: %s", out)
	}
	dir := t.TempDir()
	for _, link := range links {
		c := capture{link: link, file: filepath.Join(dir, fmt.Sprintf("%d.pcap", link))}
		c.recs = append(testPackets(link), publicPackets(t, link, 600)...)
		writePcap(t, c.file, link, c.recs)
		all = append(all, c)
	}
	return all
}

// errTimeout is tcpdump that does not end: a protochain that goes round in circles.
var errTimeout = errors.New("tcpdump does not end")

// tcpdumpOutput returns what tcpdump prints.
func tcpdumpOutput(args ...string) (string, error) {
	if os.Geteuid() == 0 {
		args = append([]string{"-Z", "root"}, args...)
	}
	out, err := exec.Command("tcpdump", args...).Output()
	return string(out), err
}

// tcpdump returns the indexes of the packets it selects, or its complaint.
func tcpdump(c capture, expr string, flags ...string) (selected []int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	args := append([]string{"-r", c.file, "-w", "-"}, flags...)
	if os.Geteuid() == 0 {
		args = append(args, "-Z", "root")
	}
	cmd := exec.CommandContext(ctx, "tcpdump", append(args, "--", expr)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, errTimeout
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, errors.New(lines[len(lines)-1])
	}
	for data := stdout.Bytes()[24:]; len(data) >= 16; {
		selected = append(selected, int(binary.LittleEndian.Uint32(data)))
		data = data[16+binary.LittleEndian.Uint32(data[8:]):]
	}
	return selected, nil
}

// ours returns what this package selects.
func ours(c capture, expr string) (selected []int, err error) {
	f, err := Compile(expr)
	if err == nil {
		err = f.Check(c.link)
	}
	if err != nil {
		return nil, err
	}
	for i, r := range c.recs {
		if f.Match(c.link, r.data, r.wire) {
			selected = append(selected, i)
		}
	}
	return selected, nil
}

// verdict is how an expression fared on a capture.
type verdict int

const (
	same         verdict = iota // the same packets
	bothReject                  // an error in both
	never                       // tcpdump has found that nothing can match; nothing does
	unoptimised                 // tcpdump's optimiser changes the result; without it, the same packets
	undecided                   // tcpdump does not end
	disagreement                //
)

func compareOn(c capture, expr string) (verdict, string) {
	got, err := ours(c, expr)
	want, wantErr := tcpdump(c, expr)
	if verdict := judge(got, err, want, wantErr); verdict != disagreement {
		return verdict, ""
	}
	// Without the optimiser it must be the same packets; with it, more: those
	// that a load rejects which the optimiser has found needless or put later.
	// (A negative index it adds up in another order, so that other loads wrap.)
	plain, plainErr := tcpdump(c, expr, "-O")
	more := wantErr != nil || subset(got, want) || strings.Contains(expr, "[-")
	if judge(got, err, plain, plainErr) == same && more {
		return unoptimised, ""
	}
	return disagreement, fmt.Sprintf("link %d: %s\n ours    %v %v\n tcpdump %v %v", c.link, expr, got, err, want, wantErr)
}

func subset(a, b []int) bool {
	return !slices.ContainsFunc(a, func(i int) bool { return !slices.Contains(b, i) })
}

func judge(got []int, err error, want []int, wantErr error) verdict {
	switch {
	case errors.Is(wantErr, errTimeout):
		return undecided
	case wantErr != nil && strings.Contains(wantErr.Error(), "expression rejects all packets") && err == nil && len(got) == 0:
		return never
	case err != nil && wantErr != nil:
		return bothReject
	case err == nil && wantErr == nil && slices.Equal(got, want):
		return same
	}
	return disagreement
}

// compareAll runs expressions on Ethernet and on as many other link types as
// others says, in turn.
func compareAll(t *testing.T, exprs []string, others int) {
	all := captures(t)
	type job struct {
		c    capture
		expr string
	}
	jobs := make(chan job)
	var mu sync.Mutex
	counts := map[verdict]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for j := range jobs {
				v, text := compareOn(j.c, j.expr)
				mu.Lock()
				counts[v]++
				if text != "" {
					t.Error(text)
				}
				mu.Unlock()
			}
		})
	}
	for i, expr := range exprs {
		jobs <- job{all[0], expr}
		for k := range others {
			jobs <- job{all[1+(i*others+k)%(len(all)-1)], expr}
		}
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d expressions: %d times the same packets, %d rejected by both, %d that can match nothing, %d changed by tcpdump's optimiser, %d undecided",
		len(exprs), counts[same], counts[bothReject], counts[never], counts[unoptimised], counts[undecided])
	if total := len(exprs) * (1 + others); counts[unoptimised] > total/20 {
		t.Errorf("tcpdump's optimiser is too easy an excuse: %d of %d comparisons", counts[unoptimised], total)
	}
}

// compareVar asks for a longer comparison: so many random expressions, and every
// expression on every link type.
const compareVar = "SHARK_FILTER_COMPARE"

// effort returns the number of random expressions, and of link types besides
// Ethernet that an expression is tried on.
func effort(t *testing.T) (random, others int) {
	s := os.Getenv(compareVar)
	if s == "" {
		return 500, 1
	}
	random, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", compareVar, err)
	}
	return random, len(links) - 1
}

func TestAgainstTcpdump(t *testing.T) {
	_, others := effort(t)
	compareAll(t, handPicked(), others)
}

func TestRandomAgainstTcpdump(t *testing.T) {
	random, others := effort(t)
	g := newGenerator(1)
	var exprs []string
	for i := range random {
		if i%3 == 2 {
			exprs = append(exprs, g.mangled(handPicked()))
		} else {
			exprs = append(exprs, g.expression())
		}
	}
	compareAll(t, exprs, others)
}

// What tcpdump takes and this package does not, and why.
func TestStricterThanTcpdump(t *testing.T) {
	all := captures(t)
	for _, c := range []struct{ expr, why string }{
		{"host localhost", "names of hosts are not looked up: the answer would depend on the machine and the day"},
		{"net loopback", "nor are names of networks"},
		{"byte 0 & 1", "libpcap forgets to load the byte and tests what a register holds by chance"},
		{"byte 0 | 1", "the same"},
		{"decnet host 1.2", "DECnet addresses are not supported"},
		{`host \10.1.2.3`, "a backslash makes a name of it, and libpcap asks the resolver"},
		{"portrange 80-90x", "libpcap reads the numbers and forgets the rest"},
		{strings.Repeat("(", maxDepth+1) + "tcp" + strings.Repeat(")", maxDepth+1), "nesting is limited"},
	} {
		if _, err := tcpdump(all[0], c.expr); err != nil {
			t.Errorf("%.60s: tcpdump does not take it either: %v", c.expr, err)
		}
		if _, err := Compile(c.expr); err == nil {
			t.Errorf("%.60s is taken, though %s", c.expr, c.why)
		}
	}
}
