package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// The limits of a dissection.
const (
	minRatio = 20        // CPU seconds of tshark to one of shark
	maxPeak  = 400 << 20 // bytes of memory
)

// workers are the numbers of workers that shark is measured with.
var workers = []int{1, 2}

// tsharkFields are what tshark prints of each frame: about what an entry has.
var tsharkFields = []string{
	"frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.stream",
	"http.request.method", "http.request.uri", "http.host", "http.response.code",
	"http2.streamid", "http2.headers.method", "http2.headers.path", "http2.headers.status", "grpc.message_length",
	"dns.qry.name", "dns.flags.rcode", "resp.bulk_string.value",
	"kafka.request_key", "kafka.response_key", "kafka.correlation_id",
}

// tsharkArgs is tshark's nearest work: the calls' fields, on the ports that the
// generators use. It is told to put segments in order too: by default it does not,
// and misses what comes after one that is late.
func tsharkArgs(capture string) []string {
	args := []string{"-n", "-r", capture, "-o", "tcp.reassemble_out_of_order:TRUE"}
	for _, port := range []string{"50051", "9555", "7070", "8443", "8081"} {
		args = append(args, "-d", "tcp.port=="+port+",http2")
	}
	for _, port := range []string{"8000", "3000"} {
		args = append(args, "-d", "tcp.port=="+port+",http")
	}
	args = append(args, "-Y", "http or http2 or dns or resp or kafka", "-T", "fields")
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	return args
}

// dissection measures shark dissect beside tshark and checks the limits and what
// is in the index.
func (b *bench) dissection(ctx context.Context) error {
	sharks := make([]series, len(workers))
	var tshark series
	v := verdict{}
	for round := range b.rounds {
		for i, n := range workers {
			db := filepath.Join(b.tmp, "x.db")
			u, err := b.dissect(ctx, n, db)
			if err != nil {
				return err
			}
			sharks[i] = append(sharks[i], u)
			if round == 0 {
				v.same, err = b.capture.verify(ctx, db)
				v.wrong = errors.Join(v.wrong, err)
			}
			if err := os.Remove(db); err != nil {
				return err
			}
		}
		if round < b.tshark {
			fmt.Fprintf(os.Stderr, "tshark reads %s\n", filepath.Base(b.capture.path))
			u, err := measureToFile(ctx, filepath.Join(b.tmp, "tshark.txt"), "tshark", tsharkArgs(b.capture.path)...)
			if err != nil {
				return err
			}
			tshark = append(tshark, u)
		}
	}
	b.speeds(sharks, tshark)
	return b.limits(sharks, tshark, v)
}

// verdict is what came of comparing the index with the generator's truth.
type verdict struct {
	same  int
	wrong error
}

// dissect measures one shark dissect that nothing has been done for before.
func (b *bench) dissect(ctx context.Context, workers int, db string) (usage, error) {
	cache, err := os.MkdirTemp(b.tmp, "cache-")
	if err != nil {
		return usage{}, err
	}
	u, err := measure(ctx, nil, b.shark, "dissect", "--quiet", "--force", "--cache", cache, "--workers", strconv.Itoa(workers), "-o", db, b.capture.path)
	return u, errors.Join(err, os.RemoveAll(cache))
}

// speeds prints the table of the dissection.
func (b *bench) speeds(sharks []series, tshark series) {
	t := newTable(b.w, "dissection", "CPU s", "wall s", "MB/CPU-s", "MB/s", "calls/CPU-s", "calls/s", "peak MiB", "CPU to tshark's")
	mb, calls := float64(b.capture.bytes)/1e6, float64(b.capture.calls)
	row := func(name string, s series) {
		cpu, wall := s.cpu(), s.wall()
		ratio := "-"
		if len(tshark) > 0 {
			ratio = fmt.Sprintf("1 : %.1f", tshark.cpu()/cpu)
		}
		t.row(name, seconds(cpu), seconds(wall), fixed(mb/cpu, 1), fixed(mb/wall, 1), fixed(calls/cpu, 0), fixed(calls/wall, 0), mebibytes(s.peak()), ratio)
	}
	for i, n := range workers {
		row("shark dissect --workers "+strconv.Itoa(n), sharks[i])
	}
	if len(tshark) > 0 {
		row("tshark -T fields", tshark)
	}
	t.print()
}

// limits says of each limit whether it holds, with any number of workers.
func (b *bench) limits(sharks []series, tshark series, v verdict) error {
	var cpu float64
	var peak int64
	for _, s := range sharks {
		cpu, peak = max(cpu, s.cpu()), max(peak, s.peak())
	}
	var failed error
	if len(tshark) == 0 {
		fmt.Fprintln(b.w, "not checked: the ratio to tshark, which did not take part")
	} else {
		ratio := tshark.cpu() / cpu
		failed = b.report(fmt.Sprintf("tshark takes %.1f times the CPU seconds of shark; %d is the least", ratio, minRatio), ratio >= minRatio)
	}
	failed = errors.Join(failed, b.report(fmt.Sprintf("shark takes %s MiB of memory; %d is the most", mebibytes(peak), maxPeak>>20), peak <= maxPeak))
	if v.wrong != nil {
		failed = errors.Join(failed, b.report(fmt.Sprintf("the index is not what the generator wrote:\n%v", v.wrong), false))
	} else {
		failed = errors.Join(failed, b.report(fmt.Sprintf("%d numbers of the generator's are the same in the index", v.same), true))
	}
	fmt.Fprintln(b.w)
	return failed
}

// report prints whether something holds, and is an error where it does not.
func (b *bench) report(what string, holds bool) error {
	if !holds {
		fmt.Fprintln(b.w, "FAILED:", what)
		return errors.New("a limit does not hold")
	}
	fmt.Fprintln(b.w, "ok:", what)
	return nil
}

// measureToFile runs a program that prints into a file, which is removed.
func measureToFile(ctx context.Context, path, name string, args ...string) (usage, error) {
	if _, err := exec.LookPath(name); err != nil {
		return usage{}, err
	}
	out, err := os.Create(path)
	if err != nil {
		return usage{}, err
	}
	u, err := measure(ctx, out, name, args...)
	return u, errors.Join(err, out.Close(), os.Remove(path))
}
