package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shark/packet"
	"shark/snapshot/identity"
)

const (
	// farDelay is how long each request to the store takes longer than it does here.
	farDelay = 50 * time.Millisecond
	// farWindow is the time that is asked about.
	farWindow = time.Minute
	// farSize is from how many bytes of the capture on the limits hold: a minute of less
	// is more of it.
	farSize = 39e8
	// farPort and ownPort are where pods of the other generator, and of our own, serve HTTP.
	farPort, ownPort = 8000, 8080
)

// far is a snapshot in a store far away, and what was asked about it.
type far struct {
	*bench
	name     string // of the case
	capture  *capture
	store    string // location, without delay
	id       string
	proxy    *proxy
	size     int64 // bytes of the packets in the snapshot
	addr     packet.Addr
	from, to int64 // [from, to), ns since 1970
	table    *table
}

// farAway measures what of a snapshot has to be read, and how long it takes, to export the
// packets of a pod's minute, and to ask a published index about the pod, when every
// request takes a while.
func (b *bench) farAway(ctx context.Context, captures []*capture, _ int) (err error) {
	location := os.Getenv("SHARK_S3_URL")
	if location == "" {
		b.report.pass("far: SHARK_S3_URL names no bucket of S3 with an endpoint")
		return nil
	}
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	u.Path = "/bench-" + fmt.Sprint(time.Now().UnixNano())
	f := &far{bench: b, name: "far", capture: captures[0], store: u.String()}
	if err := f.choose(); err != nil {
		return err
	}
	if err := f.keep(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.shark(ctx, nil, "snapshot", "delete", "-q", f.id)) }()
	if f.proxy, err = startProxy(f.store, farDelay); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.proxy.close()) }()
	f.table = newTable(b.w, fmt.Sprintf("of pod-%s, %s", f.addr, time.Duration(f.to-f.from).Round(time.Second)), "wall s", "CPU s", "requests", "bytes", "% of the packets", "answer")
	if err := f.exports(ctx); err != nil {
		return err
	}
	return f.queries(ctx)
}

// choose picks the minute in the middle and, of those that serve HTTP/1 in it, the pod that
// is neither busy nor idle.
func (f *far) choose() error {
	span := f.capture.last - f.capture.first
	window := min(int64(farWindow), span/18) // as much as a minute is of the capture of 4 GB
	f.from = f.capture.first + (span-window)/2
	f.to = f.from + window
	port := uint16(farPort)
	if f.generator == "" {
		port = ownPort
	}
	served := make(map[packet.Addr]int)
	dec := packet.NewDecoder()
	var p packet.Packet
	err := eachRecord(f.capture.path, func(r *packet.Record) {
		if r.Time < f.from || r.Time >= f.to {
			return
		}
		if dec.Decode(r, &p); p.Proto == packet.TCP && p.SrcPort == port && len(p.Payload) > 0 {
			served[p.Src]++
		}
	})
	if err != nil {
		return err
	}
	var all []packet.Addr
	for a := range served {
		all = append(all, a)
	}
	if len(all) == 0 {
		return fmt.Errorf("nobody serves HTTP on port %d in the minute in the middle", port)
	}
	slices.SortFunc(all, func(a, b packet.Addr) int {
		return 2*min(max(served[a]-served[b], -1), 1) + strings.Compare(a.String(), b.String())
	})
	f.addr = all[len(all)/2]
	return nil
}

// keep makes the snapshot, with a log that calls every address a pod.
func (f *far) keep(ctx context.Context) error {
	seen := make(map[packet.Addr]bool)
	dec := packet.NewDecoder()
	var p packet.Packet
	if err := eachRecord(f.capture.path, func(r *packet.Record) {
		dec.Decode(r, &p)
		seen[p.Src], seen[p.Dst] = true, true
	}); err != nil {
		return err
	}
	delete(seen, packet.Addr{})
	var text bytes.Buffer
	w := identity.NewWriter(&text)
	for a := range seen {
		record := identity.Record{
			Time: time.Unix(0, f.capture.first).UTC(), Op: identity.Upsert, Kind: identity.Pod, Namespace: "bench", Name: podOf(a), Addresses: []string{a.String()},
		}
		if err := w.Write(&record); err != nil {
			return err
		}
	}
	log := filepath.Join(f.tmp, "identity.jsonl")
	if err := os.WriteFile(log, text.Bytes(), 0o600); err != nil {
		return err
	}
	var id, shown bytes.Buffer
	if err := f.shark(ctx, &id, "snapshot", "import", "-q", "--identity", log, f.capture.path); err != nil {
		return err
	}
	f.id = strings.TrimSpace(id.String())
	if err := f.shark(ctx, &shown, "snapshot", "show", "-o", "json", f.id); err != nil {
		return err
	}
	var err error
	f.size, err = packetBytes(shown.Bytes())
	return err
}

func podOf(a packet.Addr) string { return "pod-" + strings.ReplaceAll(a.String(), ":", "-") }

// shark runs shark on the store without delay.
func (f *far) shark(ctx context.Context, out io.Writer, args ...string) error {
	_, err := measure(ctx, out, f.bench.shark, append([]string{"--store", f.store, "--cache", filepath.Join(f.tmp, "near")}, args...)...)
	return err
}

// ask runs shark on the store far away and adds a row of what it took.
func (f *far) ask(ctx context.Context, what, cache string, out io.Writer, answer func() (string, error), args ...string) (usage, int64, error) {
	f.proxy.take()
	u, err := measure(ctx, out, f.bench.shark, append([]string{"--store", f.proxy.location, "--cache", filepath.Join(f.tmp, cache), "-q"}, args...)...)
	if err != nil && !partial(err) {
		return u, 0, err
	}
	requests, n := f.proxy.take()
	text, err := answer()
	if err != nil {
		return u, n, err
	}
	f.table.row(what, seconds(u.wall.Seconds()), seconds(u.cpu.Seconds()), fmt.Sprint(requests), fmt.Sprint(n), fixed(100*float64(n)/float64(f.size), 2), text)
	return u, n, nil
}

// exports compares the packets of the pod's minute with those that tcpdump selects.
func (f *far) exports(ctx context.Context) error {
	ours, theirs := filepath.Join(f.tmp, "ours.pcap"), filepath.Join(f.tmp, "theirs.pcap")
	args := []string{"export", f.id, "--workload", "bench/" + podOf(f.addr), "--from", clock(f.from), "--to", clock(f.to), "-w", ours, "--force"}
	var got []packetSum
	count := func() (text string, err error) {
		got, err = f.packetsOf(ours)
		return fmt.Sprintf("%d packets", len(got)), err
	}
	cold, read, err := f.ask(ctx, "export, cold", "exports", nil, count, args...)
	if err != nil {
		return err
	}
	if _, _, err := f.ask(ctx, "export, warm", "exports", nil, count, args...); err != nil {
		return err
	}
	peer, err := measure(ctx, nil, "tcpdump", "-n", "-r", f.capture.path, "-w", theirs, "host "+f.addr.String())
	if err != nil {
		return err
	}
	want, err := f.packetsOf(theirs)
	if err != nil {
		return err
	}
	f.table.row("tcpdump over the whole, here", seconds(peer.wall.Seconds()), seconds(peer.cpu.Seconds()), "-", fmt.Sprint(f.capture.bytes), "-", fmt.Sprintf("%d packets", len(want)))
	f.report.say(len(want) > 0 && slices.Equal(got, want), fmt.Sprintf("far: %d packets of the minute, and the same as tcpdump's %d", len(got), len(want)))
	f.limit(farBytes, 100*float64(read)/float64(f.size))
	f.limit(farExport, cold.wall.Seconds())
	return errors.Join(os.Remove(ours), os.Remove(theirs))
}

// limit holds a figure against a limit if the capture is as large as the limits mean.
func (f *far) limit(l limit, figure float64) {
	if f.capture.bytes < farSize {
		f.report.pass(fmt.Sprintf("%s: %s %s; of %d MB, and the limit is for 4 GB", f.name, fixed(figure, 2), l.what, f.capture.bytes/1e6))
		return
	}
	f.report.limit(f.name, l, figure)
}

// packetSum is what tells a packet from others.
type packetSum struct {
	time int64
	sum  [sha256.Size]byte
}

// packetsOf reads the packets of the minute, in an order of their own.
func (f *far) packetsOf(path string) (list []packetSum, err error) {
	err = eachRecord(path, func(r *packet.Record) {
		if r.Time >= f.from && r.Time < f.to {
			list = append(list, packetSum{r.Time, sha256.Sum256(r.Data)})
		}
	})
	slices.SortFunc(list, func(a, b packetSum) int {
		return 2*int(min(max(a.time-b.time, -1), 1)) + bytes.Compare(a.sum[:], b.sum[:])
	})
	return list, err
}

// queries asks a published index, and one that was made here.
func (f *far) queries(ctx context.Context) error {
	args := []string{"query", f.id, fmt.Sprintf("http && dst.pod.name == %q", podOf(f.addr)), "--from", clock(f.from), "--to", clock(f.to), "-o", "jsonl"}
	if err := f.shark(ctx, nil, "dissect", f.id, "--publish", "-q"); err != nil && !partial(err) {
		return err
	}
	var want, got bytes.Buffer
	if err := f.shark(ctx, &want, append([]string{"-q"}, args...)...); err != nil && !partial(err) {
		return err
	}
	rows := func() (string, error) { return fmt.Sprintf("%d rows", bytes.Count(got.Bytes(), []byte("\n"))), nil }
	var took [2]usage
	for i, name := range []string{"query of the published index, cold", "query of the published index, warm"} {
		got.Reset()
		var err error
		if took[i], _, err = f.ask(ctx, name, "queries", &got, rows, args...); err != nil {
			return err
		}
		f.report.say(want.Len() > 0 && bytes.Equal(got.Bytes(), want.Bytes()), name+": the rows are those of an index made here")
	}
	f.table.print()
	f.limit(farCold, took[0].wall.Seconds())
	f.limit(farWarm, took[1].wall.Seconds())
	return nil
}

// partial tells whether a program has given an answer that is not complete.
func partial(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == exitPartial
}
