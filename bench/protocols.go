package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"

	"shark/dissector"
	"shark/dissector/protocol"
	"shark/packet"
	"shark/packet/pcapng"
)

const (
	// protocolBytes is how much of a protocol is dissected, in bytes of packets.
	protocolBytes = 16 << 20
	// protocolBatch is how many records a batch has.
	protocolBatch = 512
)

// rehearsal is the traffic of a protocol: the captures that it is tested with, over
// and over, each time between other addresses.
type rehearsal struct {
	name    string
	with    []*dissector.Protocol // that are looked for
	records []packet.Record
	bytes   int64 // of packets
	calls   int   // entries of the protocol
	cpu     []float64
}

// protocols measures what each protocol costs, from packets to entries.
func (b *bench) protocols(ctx context.Context, _ []*capture, rounds int) error {
	var all []*rehearsal
	for _, p := range slices.Concat(protocol.All(), protocol.Transports()) {
		r, err := rehearse(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if r != nil {
			all = append(all, r)
		}
	}
	for range rounds {
		for _, r := range all {
			runtime.GC() // what another one left is not this one's
			begin := processTime()
			if _, err := r.dissect(ctx); err != nil {
				return err
			}
			r.cpu = append(r.cpu, (processTime() - begin).Seconds())
		}
	}
	b.rehearsed(all)
	return nil
}

// rehearsed prints the table. A protocol carried by another one has no captures that
// are its own alone: its figure holds its carrier's work as well.
func (b *bench) rehearsed(all []*rehearsal) {
	i := slices.IndexFunc(all, func(r *rehearsal) bool { return r.name == "http" })
	if i < 0 {
		b.report.pass("protocols: there is no capture of HTTP/1 to compare with")
		return
	}
	http := all[i].speed()
	t := newTable(b.w, "protocol", "MB", "calls", "calls/CPU s", "MB/CPU s", "of HTTP/1")
	for _, r := range all {
		t.row(r.name, fixed(float64(r.bytes)/1e6, 1), fmt.Sprint(r.calls), fixed(float64(r.calls)/r.seconds(), 0), fixed(r.speed(), 0), fixed(r.speed()/http, 2))
	}
	t.print()
	for _, r := range all {
		b.report.limit(r.name, protocolSpeed, r.speed()/http)
	}
}

func (r *rehearsal) seconds() float64 { return median(r.cpu, func(x float64) float64 { return x }) }

func (r *rehearsal) speed() float64 { return float64(r.bytes) / 1e6 / r.seconds() }

// recordings returns the captures of a protocol: of its folder, or, where it shares one, those
// that are named by it.
func recordings(protocol string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join("testdata", protocol, "*.pcap*"))
	if err != nil || len(files) > 0 {
		return files, err
	}
	return filepath.Glob(filepath.Join("testdata", "*", "*_of_"+protocol+".pcap*"))
}

// rehearse makes the traffic of a protocol; nil for one without captures.
func rehearse(ctx context.Context, p *dissector.Protocol) (*rehearsal, error) {
	files, err := recordings(p.Name)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	var once []packet.Record
	size := int64(0)
	for i, file := range files {
		part, err := readWhole(file)
		if err != nil {
			return nil, err
		}
		for _, rec := range part {
			rec.Data = elsewhere(rec.Data, i+1, 0)
			once = append(once, rec)
			size += int64(rec.OrigLen)
		}
	}
	slices.SortStableFunc(once, func(a, b packet.Record) int { return int(a.Time - b.Time) })
	r := &rehearsal{name: p.Name, with: protocols()}
	if slices.Contains(protocol.Transports(), p) {
		r.with = append(r.with, p)
	}
	for copies := 1; r.bytes < protocolBytes && copies < 1<<16; copies++ {
		for _, rec := range once {
			rec.Data = elsewhere(rec.Data, copies>>8, copies&0xff)
			rec.Number = uint64(len(r.records) + 1)
			r.records = append(r.records, rec)
		}
		r.bytes += size
	}
	r.calls, err = r.dissect(ctx)
	return r, err
}

// readWhole reads a capture into memory of its own.
func readWhole(file string) (list []packet.Record, err error) {
	src, err := pcapng.Open(file)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	for {
		var batch packet.Batch
		err := src.ReadBatch(&batch)
		list = append(list, batch.Records...)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Where Ethernet frames have the bytes of addresses that elsewhere changes, in IPv4
// and in IPv6: two of the source, and as far behind these two of the destination.
const (
	etherType  = 12
	ipv4Source = 14 + 12 + 1
	ipv6Source = 14 + 8 + 8
)

// elsewhere copies an Ethernet frame and moves both addresses into another network.
func elsewhere(frame []byte, hi, lo int) []byte {
	frame = slices.Clone(frame)
	if len(frame) < etherType+2 {
		return frame
	}
	at, size := 0, 0
	switch binary.BigEndian.Uint16(frame[etherType:]) {
	case 0x0800:
		at, size = ipv4Source, 4
	case 0x86dd:
		at, size = ipv6Source, 16
	default:
		return frame
	}
	if len(frame) >= at+size+2 {
		for _, off := range []int{at, at + size} {
			frame[off] ^= byte(hi)
			frame[off+1] ^= byte(lo)
		}
	}
	return frame
}

// dissect dissects the traffic with one worker, and counts the calls.
func (r *rehearsal) dissect(ctx context.Context) (int, error) {
	count := &counter{name: r.name}
	_, err := dissector.Run(ctx, &replay{r.records}, dissector.Options{Protocols: r.with, Workers: 1}, func(int) dissector.Sink { return count })
	return count.n, err
}

// replay is a Source of records in memory.
type replay struct{ left []packet.Record }

func (r *replay) ReadBatch(b *packet.Batch) error {
	n := min(len(r.left), protocolBatch)
	b.Records, r.left = r.left[:n:n], r.left[n:]
	if len(r.left) == 0 {
		return io.EOF
	}
	return nil
}

func (*replay) Interfaces() []packet.Interface { return nil }
func (*replay) Damage() []packet.Damage        { return nil }
func (*replay) Close() error                   { return nil }

// counter counts the entries of a protocol.
type counter struct {
	name string
	n    int
}

func (c *counter) Entry(e *dissector.Entry) error {
	if e.Protocol.Name == c.name || slices.ContainsFunc(e.Carriers, func(p *dissector.Protocol) bool { return p.Name == c.name }) {
		c.n++
	}
	return nil
}
