package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/ring"
	"shark/snapshot"
	"shark/workbench/index"
)

// packCapture packs a capture as the blocks of a snapshot are packed, with all processors,
// and does nothing else: what a snapshot cannot be made without. Processors that share what
// they have take longer together than alone, in CPU time too.
func packCapture(_ context.Context, capture, _ string, _ *index.Schema) error {
	f, err := os.Open(capture)
	if err != nil {
		return err
	}
	defer f.Close()
	var reading sync.Mutex
	var all sync.WaitGroup
	errs := make(chan error, runtime.GOMAXPROCS(0))
	for range cap(errs) {
		all.Go(func() { errs <- packPieces(f, &reading) })
	}
	all.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return err
}

// packPieces packs one piece after the other of what others read, too.
func packPieces(f io.Reader, reading *sync.Mutex) error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	raw, packed := make([]byte, 9<<19), []byte(nil)
	for {
		reading.Lock()
		n, err := io.ReadFull(f, raw)
		reading.Unlock()
		packed = z.EncodeAll(raw[:n], packed[:0])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return z.Close()
		}
		if err != nil {
			return errors.Join(err, z.Close())
		}
	}
}

// kept is what a snapshot of a capture took, and what came of it.
type kept struct {
	capture                                          *capture
	create, pack, dissect, plain, zstd, open, frozen series
	dissectAll, plainAll                             series // as dissect and plain, on all processors
	size, other, frozenSize                          int64  // bytes of its packets, of the capture packed by zstd -3, and of what is made of a ring
}

// snapshots measures snapshots: what they take to be made and dissected, and their size.
func (b *bench) snapshots(ctx context.Context, captures []*capture, rounds int) error {
	if _, err := exec.LookPath("zstd"); err != nil {
		b.report.pass(fmt.Sprintf("snapshots: %v", err))
		return nil
	}
	for _, c := range captures {
		k := &kept{capture: c}
		for range rounds {
			if err := b.keep(ctx, k); err != nil {
				return err
			}
		}
		b.tell(k)
	}
	return nil
}

// tell prints what snapshots of a capture took, and holds it against the limits.
func (b *bench) tell(k *kept) {
	mb := float64(k.capture.bytes) / 1e6
	t := newTable(b.w, "snapshots, "+k.capture.name, "CPU s", "wall s", "MB/CPU-s", "peak MiB", "bytes")
	row := func(name string, s series, size int64) {
		text := "-"
		if size > 0 {
			text = fmt.Sprint(size)
		}
		t.row(name, seconds(s.cpu()), seconds(s.wall()), fixed(mb/s.cpu(), 0), mebibytes(s.peak()), text)
	}
	row("snapshot import", k.create, k.size)
	row("snapshot create from a ring", k.frozen, k.frozenSize)
	row("packing alone, the same library", k.pack, 0)
	row("zstd -3", k.zstd, k.other)
	row("dissect the snapshot", k.dissect, 0)
	row("dissect the capture", k.plain, 0)
	row("dissect the snapshot, all processors", k.dissectAll, 0)
	row("dissect the capture, all processors", k.plainAll, 0)
	row("unpack the snapshot, zstd -dc", k.open, 0)
	t.print()
	of := func(what string) string { return what + ", " + k.capture.name }
	b.report.limit(of("snapshot import"), importCost, paired(k.create, k.pack, cpuSeconds))
	b.report.limit(of("snapshot import"), snapshotSize, float64(k.size)/float64(k.other))
	b.report.limit(of("snapshot import"), snapshotPeak, float64(k.create.peak())/(1<<20))
	b.report.limit(of("snapshot create"), snapshotCost, paired(k.frozen, k.pack, cpuSeconds))
	b.report.limit(of("snapshot create"), snapshotSize, float64(k.frozenSize)/float64(k.other))
	b.report.limit(of("snapshot create"), snapshotPeak, float64(k.frozen.peak())/(1<<20))
	busy := func(u usage) float64 { return cpuSeconds(u) / wallSeconds(u) }
	b.report.limit(of("snapshot create"), snapshotBusy, paired(k.frozen, k.pack, busy))
	b.report.limit(of("dissect the snapshot"), snapshotDissect, k.dissect.cpu()/(k.plain.cpu()+k.open.cpu()))
	b.report.limit(of("dissect the snapshot, all processors"), snapshotDissect, k.dissectAll.cpu()/(k.plainAll.cpu()+k.open.cpu()))
}

// keep makes a snapshot of the capture and dissects both.
func (b *bench) keep(ctx context.Context, k *kept) (err error) {
	dir, err := os.MkdirTemp(b.tmp, "snapshots-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	kept, rings := filepath.Join(dir, "created"), filepath.Join(dir, "ring")
	if err := fillRing(ctx, k.capture, rings); err != nil {
		return err
	}
	steps := []struct {
		to   *series
		name string
		args func() []string
	}{
		{&k.create, b.shark, func() []string { return []string{"--store", dir, "snapshot", "import", "--quiet", k.capture.path} }},
		{&k.pack, self, func() []string { return []string{"-stage", "pack", "-dir", b.tmp, k.capture.path} }},
		{&k.frozen, b.shark, func() []string { return []string{"--store", kept, "snapshot", "create", "--quiet", "--ring", rings} }},
		{&k.zstd, "zstd", func() []string {
			return []string{"-3", "-T1", "-q", k.capture.path, "-o", filepath.Join(dir, "whole.zst")}
		}},
		{&k.open, "zstd", func() []string { return []string{"-dqq", "-o", os.DevNull, "-f", packetsOf(dir)} }},
		{&k.dissect, b.shark, func() []string { return dissecting(dir, "1", filepath.Dir(filepath.Dir(filepath.Dir(packetsOf(dir))))) }},
		{&k.plain, b.shark, func() []string { return dissecting(dir, "1", k.capture.path) }},
		{&k.dissectAll, b.shark, func() []string { return dissecting(dir, "0", filepath.Dir(filepath.Dir(filepath.Dir(packetsOf(dir))))) }},
		{&k.plainAll, b.shark, func() []string { return dissecting(dir, "0", k.capture.path) }},
	}
	for _, s := range steps {
		u, err := measure(ctx, nil, s.name, s.args()...)
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitPartial) {
			return err
		}
		*s.to = append(*s.to, u)
	}
	for path, size := range map[string]*int64{packetsOf(dir): &k.size, packetsOf(kept): &k.frozenSize, filepath.Join(dir, "whole.zst"): &k.other} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		*size = info.Size()
	}
	return nil
}

// dissecting are the arguments to dissect something with some workers, 0 for one a processor, into a file of
// the folder.
func dissecting(dir, workers, what string) []string {
	return []string{"--cache", dir, "dissect", "--quiet", "--force", "--workers", workers, "-o", filepath.Join(dir, "index.db"), what}
}

// fillRing records a capture in a ring that has room for all of it.
func fillRing(ctx context.Context, c *capture, dir string) (err error) {
	in, err := pcapng.Open(c.path)
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := ring.Create(dir, ring.Options{Node: "bench", Bytes: 2*c.bytes + 256<<20, SegmentBytes: 64 << 20, Flush: time.Hour})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var batch packet.Batch
	for {
		err := in.ReadBatch(&batch)
		w.Write(batch.Records, in.Interfaces())
		if e := w.Flush(ctx); e != nil { // faster than the disk, packets would be dropped
			return e
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// packetsOf returns the packets of the only node of the only snapshot of a store.
func packetsOf(dir string) string {
	list, err := filepath.Glob(filepath.Join(dir, "*", "nodes", "*", "packets.pcapng.zst"))
	if err != nil || len(list) == 0 {
		return ""
	}
	return list[0]
}

// packetBytes returns how many bytes the packets of a snapshot have, by what shark shows of its
// manifest.
func packetBytes(shown []byte) (n int64, err error) {
	var m snapshot.Manifest
	if err := json.Unmarshal(shown, &m); err != nil {
		return 0, err
	}
	for _, o := range m.Objects {
		if o.Kind == snapshot.KindPackets || o.Kind == snapshot.KindPlaintext {
			n += o.Size
		}
	}
	return n, nil
}
