package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/bpf/drops"
	"shark/snapshot/identity"
)

// fewBytes is a receive buffer that has room for some small datagrams only.
const fewBytes = 8 << 10

// provoke has the kernel drop packets in the thread's network namespace: for want of a socket, and
// for want of room in one. It returns how many of the second kind.
func provoke(nobody, sent int) (crowded int, err error) {
	out, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer in.Close()
	free := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} // nobody listens there in a namespace of the test's own
	for range nobody {
		if _, err := out.WriteTo([]byte("hello"), &free); err != nil {
			return 0, err
		}
	}
	if err := in.SetReadBuffer(fewBytes); err != nil {
		return 0, err
	}
	for range sent {
		if _, err := out.WriteTo([]byte("hello"), in.LocalAddr()); err != nil {
			return 0, err
		}
	}
	received, b := 0, make([]byte, 100)
	if !bpftest.Wait(func() bool {
		if err = in.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			return true
		}
		for ; ; received++ {
			if _, _, none := in.ReadFrom(b); none != nil {
				break
			}
		}
		crowded, err = refusedBy(in.LocalAddr().(*net.UDPAddr).Port)
		return err != nil || received+crowded == sent
	}) {
		err = fmt.Errorf("of %d datagrams %d were received and %d dropped", sent, received, crowded)
	}
	return crowded, err
}

// refusedBy returns how many datagrams found no room in the socket of a port, as the table of
// sockets of the thread's namespace has it.
func refusedBy(port int) (int, error) {
	b, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 12 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			return strconv.Atoi(f[len(f)-1])
		}
	}
	return 0, fmt.Errorf("no socket has port %d", port)
}

// What the kernel drops in a namespace is counted by its reason, to the packet, in the status, the
// metrics and the log; what it drops elsewhere is not.
func TestDrops(t *testing.T) {
	bpftest.Root(t)
	set, err := drops.Open()
	if errors.Is(err, errors.ErrUnsupported) {
		bpftest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	here, there := bpftest.New(t), bpftest.New(t)
	var mu sync.Mutex
	written := make(map[string]string) // packets by reason, as the log has it last
	d := newDropped(set, func(netns uint64) bool { return netns == uint64(here.Inode) }, func(records ...identity.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			if r.Kind != identity.Drops || r.Labels["device"] != "lo" || r.Netns != uint64(here.Inode) || r.Name != r.Labels["reason"]+" on lo" {
				t.Errorf("%+v", r)
			}
			written[r.Labels["reason"]] = r.Labels["packets"]
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	const nobody, sent = 50, 500
	var crowded int
	for _, s := range []*bpftest.Stage{here, there} {
		var n int
		s.Do(func() { n, err = provoke(nobody, sent) })
		if err != nil {
			t.Fatal(err)
		}
		if s == here {
			crowded = n
		}
	}
	if crowded == 0 {
		t.Fatal("the buffer had room for all")
	}
	reported := func(reason string) (packets uint64) {
		details, _ := d.Report().Details.(dropsDetails)
		for _, c := range details.Counts {
			if c.Reason == reason && c.Device == "lo" && c.NetNS == here.Inode {
				packets += c.Packets
			}
		}
		return packets
	}
	bpftest.Until(t, "the drops are in the status", func() bool {
		return reported("NO_SOCKET") >= nobody && reported("SOCKET_RCVBUFF") >= uint64(crowded)
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if a, b := reported("NO_SOCKET"), reported("SOCKET_RCVBUFF"); a != nobody || b != uint64(crowded) {
		t.Errorf("%d without socket, %d without room; want %d, %d: %+v", a, b, nobody, crowded, d.Report().Details)
	}
	mu.Lock()
	defer mu.Unlock()
	if written["NO_SOCKET"] != fmt.Sprint(nobody) || written["SOCKET_RCVBUFF"] != fmt.Sprint(crowded) {
		t.Errorf("the log has %v", written)
	}
	var text strings.Builder
	for _, f := range d.Report().Metrics {
		for _, s := range f.Samples {
			fmt.Fprintln(&text, f.Name, s.Labels, s.Value)
		}
	}
	if want := fmt.Sprintf("shark_recorder_kernel_dropped_packets_total [{reason NO_SOCKET} {device lo} {netns %d} {index 1}] %d\n", here.Inode, nobody); !strings.Contains(text.String(), want) {
		t.Errorf("%s\nhas no %s", text.String(), want)
	}
}

// many says that so many counters have as many packets as their number.
type many int

func (m many) Counts() (all []drops.Count, crowded uint64, err error) {
	for i := range int(m) {
		all = append(all, drops.Count{NetNS: uint32(i), Device: "eth0", Reason: "NO_SOCKET", Packets: uint64(i + 1)})
	}
	return all, 3, nil
}

func (many) Close() error { return nil }

// However many counters there are, the log gets some at a time until it has them all, each once,
// and the status those with most packets. What could not be written is written again.
func TestManyDrops(t *testing.T) {
	const number = 1000
	var records, times int
	broken := errors.New("the disk is full")
	d := newDropped(many(number), func(uint64) bool { return true }, func(r ...identity.Record) error {
		if times++; times == 2 {
			return broken
		}
		if len(r) > maxDropRecords {
			t.Errorf("%d records at once", len(r))
		}
		records += len(r)
		return nil
	})
	for range 2 {
		if err := d.count(maxDropRecords); err != nil {
			t.Fatal(err)
		}
	}
	if r := d.Report(); len(r.Missing) != 2 || r.Missing[0] != broken.Error() {
		t.Errorf("missing: %q", r.Missing)
	}
	for range 10 {
		if err := d.count(maxDropRecords); err != nil {
			t.Fatal(err)
		}
	}
	if want := number + maxDropRecords; records != want { // those before the disk was full are written twice
		t.Errorf("%d records, want %d", records, want)
	}
	r := d.Report()
	details, _ := r.Details.(dropsDetails)
	if len(details.Counts) != maxDropRows || details.Counts[0].Packets != number || details.Packets != number*(number+1)/2 || len(r.Metrics[0].Samples) != maxDropRows || details.Crowded != 3 {
		t.Errorf("%d of %d packets, first %+v", len(details.Counts), details.Packets, details.Counts[0])
	}
}
