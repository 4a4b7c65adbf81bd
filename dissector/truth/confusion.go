package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"shark/dissector"
	"shark/dissector/protocol"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// tsharkNames are tshark's names of what shark says a packet is, where they are not
// the same or not the only ones.
var tsharkNames = map[string][]string{
	"http":       {"http", "http2", "ssdp"},
	"grpc":       {"grpc", "http2"},
	"tlsx":       {"tls"},
	"redis":      {"resp"},
	"memcached":  {"memcache"},
	"postgresql": {"pgsql"},
	"ldap":       {"ldap", "cldap"},
	"icmp":       {"icmp", "icmpv6"},
	"mongodb":    {"mongo"},
	"cassandra":  {"cql"},
	"dhcp":       {"dhcp", "dhcpv6"},
	"ws":         {"websocket"},
	"smb2":       {"smb2", "smb"}, // the NEGOTIATE that leads to it
}

// claim is that packets of a capture are of a protocol, which tshark calls
// something else.
type claim struct {
	capture, protocol, tshark string
}

// entries is the sink of a dissection: it keeps of each entry the name of its protocol
// and where its messages are.
type entries []entry

type entry struct {
	protocol string
	messages [][2]uint64 // numbers of their first and last packets
}

func (l *entries) Entry(e *dissector.Entry) error {
	if e.Protocol == dissector.ConnProtocol || e.Protocol == dissector.FlowProtocol {
		return nil
	}
	x := entry{protocol: base(e)}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			x.messages = append(x.messages, [2]uint64{m.First, m.Last})
		}
	}
	*l = append(*l, x)
	return nil
}

// claims are the entries of a capture, held against what tshark says of their packets.
type claims struct {
	agreed map[string]int
	differ map[claim]int
}

// compare holds an entry against tshark's protocols by number of the packet, from 1.
func (c *claims) compare(capture string, e *entry, stacks []string) {
	names := tsharkNames[e.protocol]
	if names == nil {
		names = []string{e.protocol}
	}
	innermost := "-"
	for _, m := range e.messages {
		for n := m[0]; n <= m[1] && n <= uint64(len(stacks)); n++ {
			stack := strings.Split(stacks[n-1], ":")
			if slices.ContainsFunc(stack, func(p string) bool { return slices.Contains(names, p) }) {
				c.agreed[e.protocol]++
				return
			}
			innermost = stack[len(stack)-1]
		}
	}
	c.differ[claim{capture, e.protocol, innermost}]++
}

// protocolsByPacket asks tshark what each packet is; as are its decode-as rules.
func protocolsByPacket(file string, as []string) (stacks []string, err error) {
	args := []string{"-n", "-r", file, "-T", "fields", "-e", "frame.protocols"}
	for _, rule := range as {
		args = append(args, "-d", rule)
	}
	cmd := exec.Command("tshark", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		stacks = append(stacks, lines.Text())
	}
	return stacks, errors.Join(lines.Err(), cmd.Wait())
}

// claimsOf dissects a capture and asks tshark, if anything was claimed.
func claimsOf(dir, capture string) (*claims, error) {
	o, err := readOracle(dir, capture)
	if err != nil || o == nil || o.Packets == nil {
		return nil, err
	}
	file := filepath.Join(dir, filepath.FromSlash(capture))
	src, err := pcapng.Open(file)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var found entries
	keys := new(keylog.Table)
	opts := dissector.Options{Protocols: protocol.All(), Workers: 1, Secrets: keys}
	if _, err := dissector.Run(context.Background(), pcapng.Keyed(src, keys), opts, func(int) dissector.Sink { return &found }); err != nil || len(found) == 0 {
		return nil, err
	}
	stacks, err := protocolsByPacket(file, o.DecodeAs)
	if err != nil {
		return nil, err
	}
	c := &claims{make(map[string]int), make(map[claim]int)}
	for i := range found {
		c.compare(capture, &found[i], stacks)
	}
	return c, nil
}

// claimsOfAll looks at the captures that have an oracle, as many at a time as there
// are processors: tshark takes most of the time.
func claimsOfAll(dir string, index []capture) ([]*claims, error) {
	all, errs := make([]*claims, len(index)), make([]error, len(index))
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(index)); i = next.Add(1) - 1 {
				if all[i], errs[i] = claimsOf(dir, index[i].name); errs[i] != nil {
					errs[i] = fmt.Errorf("%s: %w", index[i].name, errs[i])
				}
			}
		})
	}
	group.Wait()
	return slices.DeleteFunc(all, func(c *claims) bool { return c == nil }), errors.Join(errs...)
}

// confusion prints, for each protocol, how many entries tshark calls the same and
// what it calls the others. A claim that claims.tsv does not explain is an error.
func confusion(w io.Writer, o options) error {
	index, err := readIndex(o.captures)
	if err != nil {
		return err
	}
	known, err := readClaims(o.claims)
	if err != nil {
		return err
	}
	index = slices.DeleteFunc(index, func(c capture) bool { return !o.wants(c.name) })
	all, err := claimsOfAll(o.captures, index)
	if err != nil {
		return err
	}
	agreed, differ := make(map[string]int), make(map[claim]int)
	for _, got := range all {
		for name, n := range got.agreed {
			agreed[name] += n
		}
		for k, n := range got.differ {
			differ[k] += n
		}
	}
	return printConfusion(w, agreed, differ, known)
}

func printConfusion(w io.Writer, agreed map[string]int, differ map[claim]int, known map[claim]string) error {
	fmt.Fprintf(w, "%-12s %8s  what tshark calls the others\n", "shark says", "agreed")
	var unexplained []claim
	for _, p := range protocol.All() {
		others := make(map[string]int)
		for k, n := range differ {
			if k.protocol == p.Name {
				others[k.tshark] += n
			}
		}
		if agreed[p.Name] == 0 && len(others) == 0 {
			continue
		}
		fmt.Fprintf(w, "%-12s %8d ", p.Name, agreed[p.Name])
		for _, name := range slices.Sorted(maps.Keys(others)) {
			fmt.Fprintf(w, " %s %d", name, others[name])
		}
		fmt.Fprintln(w)
	}
	for k := range differ {
		if known[k] == "" {
			unexplained = append(unexplained, k)
		}
	}
	slices.SortFunc(unexplained, compareClaims)
	for _, k := range unexplained {
		fmt.Fprintf(w, "not explained: %s\t%s\t%s\t%d entries\n", k.capture, k.protocol, k.tshark, differ[k])
	}
	var stale int
	for k := range known {
		if differ[k] == 0 {
			stale++
			fmt.Fprintf(w, "explained, but not so: %s\t%s\t%s\n", k.capture, k.protocol, k.tshark)
		}
	}
	if len(unexplained)+stale > 0 {
		return fmt.Errorf("%d claims are not explained, %d explained ones are not made", len(unexplained), stale)
	}
	return nil
}

func compareClaims(a, b claim) int {
	return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.capture, b.capture), cmp.Compare(a.tshark, b.tshark))
}

// readClaims reads what was looked into: a line has capture, protocol, tshark's word
// and why shark is right.
func readClaims(path string) (map[claim]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	known := make(map[claim]string)
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) != 4 || len(col[3]) <= len(open) {
			return nil, fmt.Errorf("%s:%d: %d columns of 4, or no reason", path, i+1, len(col))
		}
		known[claim{col[0], col[1], col[2]}] = col[3]
	}
	return known, nil
}
