package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"

	"github.com/zeebo/blake3"

	"shark/dissector"
	"shark/dissector/protocol"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// A stage does a part of what shark dissect does, with one worker. It contains
// the stage after, so that the difference of two is what one part costs.
type stage struct {
	name  string
	after string // the stage that it contains; empty for the first
	per   string // what its cost is counted by: packet or call
	run   func(ctx context.Context, capture, dir string, schema *index.Schema) error
}

// stages are all stages, in the order of the work.
var stages = []stage{
	{"start", "", "", func(context.Context, string, string, *index.Schema) error { return nil }},
	{"hash", "start", "packet", hashFile},
	{"pack", "start", "packet", packCapture},
	{"read", "start", "packet", readPackets},
	{"decode", "read", "packet", decodePackets},
	{"dissect", "decode", "packet", dissectPackets},
	{"encode", "dissect", "call", encodeEntries},
	{"write", "encode", "call", writeIndex},
}

func stageNamed(name string) (stage, error) {
	i := slices.IndexFunc(stages, func(s stage) bool { return s.name == name })
	if i < 0 {
		return stage{}, fmt.Errorf("there is no stage %q", name)
	}
	return stages[i], nil
}

// heap is what a stage took from the heap; the process tells the one that
// measures it.
type heap struct {
	Allocations uint64 `json:"allocations"`
	Bytes       uint64 `json:"bytes"`
}

// runStage runs a stage in this process. dir is for its files. Profiles of CPU
// and allocations go to the folder profiles, if that is not empty.
func runStage(ctx context.Context, name, capture, dir, profiles string) (h heap, err error) {
	s, err := stageNamed(name)
	if err != nil {
		return h, err
	}
	catalogue, err := protocol.Catalogue()
	if err != nil {
		return h, err
	}
	schema, err := index.NewSchema(protocols(), catalogue)
	if err != nil {
		return h, err
	}
	if profiles != "" {
		stop, err := profile(filepath.Join(profiles, name))
		if err != nil {
			return h, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = s.run(ctx, capture, dir, schema)
	runtime.ReadMemStats(&after)
	return heap{after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}, err
}

// profile begins to write base.cpu.pprof; what it returns ends that and writes
// base.allocs.pprof.
func profile(base string) (stop func() error, err error) {
	cpu, err := os.Create(base + ".cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(base + ".allocs.pprof")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), cpu.Close())
	}, nil
}

// protocols are what shark dissect looks for.
func protocols() []*dissector.Protocol {
	return append(protocol.All(), dissector.ConnProtocol, dissector.FlowProtocol)
}

// hashFile is how an index knows what it was made from.
func hashFile(_ context.Context, capture, _ string, _ *index.Schema) error {
	f, err := os.Open(capture)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(blake3.New(), struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

func readPackets(_ context.Context, capture, _ string, _ *index.Schema) error {
	return eachRecord(capture, func(*packet.Record) {})
}

func decodePackets(_ context.Context, capture, _ string, _ *index.Schema) error {
	dec := packet.NewDecoder()
	var p packet.Packet
	return eachRecord(capture, func(r *packet.Record) { dec.Decode(r, &p) })
}

// eachRecord reads a capture.
func eachRecord(capture string, f func(*packet.Record)) error {
	src, err := pcapng.Open(capture)
	if err != nil {
		return err
	}
	defer src.Close()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			f(&b.Records[i])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// nowhere is a Sink that drops what it is given.
type nowhere struct{}

func (nowhere) Entry(*dissector.Entry) error { return nil }

func dissectPackets(ctx context.Context, capture, _ string, _ *index.Schema) error {
	return dissect(ctx, capture, func(int) dissector.Sink { return nowhere{} })
}

func dissect(ctx context.Context, capture string, sink func(int) dissector.Sink) error {
	src, err := pcapng.OpenFiles(capture)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = dissector.Run(ctx, src, dissector.Options{Protocols: protocols(), Workers: 1}, sink)
	return err
}

// encodeEntries makes rows of all entries, and runs of those that memory does not
// hold, but no database.
func encodeEntries(ctx context.Context, capture, dir string, schema *index.Schema) error {
	out, err := index.Create(dir, index.Options{Schema: schema})
	if err != nil {
		return err
	}
	err = dissect(ctx, capture, func(int) dissector.Sink { return out.Shard() })
	return errors.Join(err, out.Abort())
}

func writeIndex(ctx context.Context, capture, dir string, schema *index.Schema) error {
	path := filepath.Join(dir, "stage.db")
	out, err := index.Create(filepath.Dir(path), index.Options{Schema: schema})
	if err != nil {
		return err
	}
	if err := dissect(ctx, capture, func(int) dissector.Sink { return out.Shard() }); err != nil {
		return errors.Join(err, out.Abort())
	}
	if err := out.Finish(ctx, path, index.Meta{Coverage: json.RawMessage("{}")}); err != nil {
		return err
	}
	return os.Remove(path)
}
