package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/traffic"
)

// capture is what is measured on, and what its generator says is in it.
type capture struct {
	path        string
	calls       int64
	connections int64 // of TCP
	checks      []check

	// What survey finds.
	bytes       int64 // of the file
	packets     int64
	first, last int64 // times, ns since 1970
}

// mix is what the given generator is asked for: the protocols that shark knows.
const mix = "http=30,grpc=14,h2json=6,redis=14,kafka=8,dns=20"

// makeGiven has the script of a folder make the capture, unless it did before.
func makeGiven(ctx context.Context, folder, dir, size string, seed uint64) (*capture, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(folder, "make_bench_pcap.sh"), size, dir, strconv.FormatUint(seed, 10), "--mix", mix)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	path := strings.TrimPrefix(lines[len(lines)-1], "already there: ")
	return readGiven(path)
}

// makeOwn makes the capture with the generator of this repository.
func makeOwn(dir string, size int64, seed uint64) (*capture, error) {
	path := filepath.Join(dir, fmt.Sprintf("own-%d-s%d.pcap", size, seed))
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	truth, err := traffic.Generate(out, traffic.Options{
		Seed: seed, Size: size, Format: pcapng.Pcap, Pods: 120, Concurrency: 200,
		// No duplicates: a datagram that was captured twice is two to anybody who looks.
		Flaws: traffic.Flaws{Loss: 0.002, Reorder: 0.004},
		IPv6:  0.08, Gzip: 0.2, Chunked: 0.2, Pipelined: 0.02, Continue: 0.02, Huffman: true,
	})
	if err := errors.Join(err, out.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return ownTruth(path, truth), nil
}

// survey reads the capture through.
func (c *capture) survey() error {
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	c.bytes = info.Size()
	c.packets, c.first, c.last, err = countPackets(c.path)
	return err
}

// countPackets returns how many packets a file has and the times of the first
// and the last of them.
func countPackets(path string) (n, first, last int64, err error) {
	err = eachRecord(path, func(r *packet.Record) {
		if n == 0 {
			first = r.Time
		}
		last = max(last, r.Time)
		n++
	})
	return n, first, last, err
}
