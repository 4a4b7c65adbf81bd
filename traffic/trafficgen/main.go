// Command trafficgen writes a capture of made-up cluster traffic, and the truth
// about it.
//
//	go run ./traffic/trafficgen -size 200M -seed 1 -o x.pcap -truth x.json
//	go run ./traffic/trafficgen -shop testdata/shop
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"shark/packet/pcapng"
	"shark/traffic"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "trafficgen:", err)
		os.Exit(1)
	}
}

// files are where the results go.
type files struct{ capture, truth, calls, shop string }

func run(args []string) error {
	var o traffic.Options
	var f files
	fs := flag.NewFlagSet("trafficgen", flag.ContinueOnError)
	fs.StringVar(&f.capture, "o", "", "capture `file`; - is standard output; .pcapng by its name, else pcap")
	fs.StringVar(&f.truth, "truth", "", "`file` for the counts, as JSON")
	fs.StringVar(&f.calls, "calls", "", "`file` for all calls, as JSON lines")
	fs.StringVar(&f.shop, "shop", "", "write the shop, the bundled demonstration, into this `folder` instead")
	fs.Uint64Var(&o.Seed, "seed", 1, "another seed is another capture")
	fs.Func("size", "stop at about this many `bytes`, such as 200M", func(s string) error { return size(s, &o.Size) })
	fs.Func("n", "stop at this many `calls`", func(s string) error { return size(s, &o.Calls) })
	fs.Func("mix", "weights of the `protocols`, such as http=5,redis=2: of http, http2, grpc, dns, redis, kafka and tls", func(s string) error { return mix(s, &o.Mix) })
	fs.IntVar(&o.Pods, "pods", 0, "number of pods (default 40)")
	fs.IntVar(&o.Nodes, "nodes", 0, "number of nodes, an interface each in pcapng (default 1)")
	fs.IntVar(&o.Concurrency, "concurrency", 0, "conversations at once (default 64)")
	fs.IntVar(&o.Ports, "ports", 0, "client ports of a pod, used in turn (default 28232)")
	fs.IntVar(&o.PerConn, "per-conn", 0, "calls on a connection, on average (default 12)")
	short := fs.Bool("short", false, "very many connections, of one call each")
	fs.Float64Var(&o.Flaws.Loss, "loss", 0, "probability that a segment is lost and sent again")
	fs.Float64Var(&o.Flaws.Reorder, "reorder", 0, "probability that two segments swap places")
	fs.Float64Var(&o.Flaws.Duplicate, "duplicate", 0, "probability that a packet is captured twice")
	fs.Float64Var(&o.Flaws.Drop, "drop", 0, "probability that a packet is not captured")
	fs.Float64Var(&o.Flaws.Midstream, "midstream", 0, "probability that a connection began before the capture")
	fs.Float64Var(&o.IPv6, "ipv6", 0, "share of conversations over IPv6")
	fs.Float64Var(&o.Gzip, "gzip", 0.2, "share of HTTP responses that are packed")
	fs.Float64Var(&o.Chunked, "chunked", 0.2, "share of HTTP messages in chunks")
	fs.Float64Var(&o.Pipelined, "pipelined", 0.02, "share of HTTP requests sent before the last answer came")
	fs.Float64Var(&o.Continue, "continue", 0.02, "share of HTTP uploads that wait for 100 Continue")
	fs.BoolVar(&o.Huffman, "huffman", true, "HPACK strings are Huffman coded")
	var body int64
	fs.Func("body", "`bytes` of each HTTP body, such as 1M, instead of small ones", func(s string) error { return size(s, &body) })
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.Body = int(body)
	if *short {
		o.PerConn = 1
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case f.shop != "":
		return writeShop(f.shop)
	case f.capture == "":
		return errors.New("no capture file: give -o")
	}
	return generate(&o, &f)
}

// size reads a number with K, M or G behind it.
func size(s string, n *int64) error {
	unit := int64(1)
	for i, u := range []string{"K", "M", "G"} {
		if t, ok := strings.CutSuffix(strings.ToUpper(s), u); ok {
			s, unit = t, []int64{1e3, 1e6, 1e9}[i]
			break
		}
	}
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a size such as 500, 64K or 200M", s)
	}
	*n = v * unit
	return nil
}

// mix reads weights.
func mix(s string, m *traffic.Mix) error {
	weights := map[string]*float64{
		"http": &m.HTTP, "http2": &m.HTTP2, "grpc": &m.GRPC, "dns": &m.DNS, "redis": &m.Redis, "kafka": &m.Kafka, "tls": &m.TLS,
	}
	for part := range strings.SplitSeq(s, ",") {
		name, number, ok := strings.Cut(part, "=")
		weight := weights[name]
		if weight == nil {
			return fmt.Errorf("there is no protocol %q", name)
		}
		*weight = 1
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !(v >= 0 && v <= 1e6) {
			return fmt.Errorf("%q is not a weight", number)
		}
		*weight = v
	}
	return nil
}

// generate makes a capture.
func generate(o *traffic.Options, f *files) error {
	o.Format = pcapng.Pcap
	if strings.HasSuffix(f.capture, ".pcapng") {
		o.Format = pcapng.Pcapng
	}
	var truth *traffic.Truth
	err := write(f.capture, func(out io.Writer) (err error) {
		if f.calls == "" {
			truth, err = traffic.Generate(out, *o)
			return err
		}
		return write(f.calls, func(calls io.Writer) error {
			lines := json.NewEncoder(calls)
			o.OnCall = func(c *traffic.Call) error { return lines.Encode(c) }
			truth, err = traffic.Generate(out, *o)
			return err
		})
	})
	if err != nil || f.truth == "" {
		return err
	}
	return write(f.truth, func(out io.Writer) error { return indented(out, truth) })
}

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// write makes a file of what f writes.
func write(name string, f func(io.Writer) error) error {
	if name == "-" {
		return f(os.Stdout)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(file, 1<<20)
	err = f(b)
	return errors.Join(err, b.Flush(), file.Close())
}

// writeShop writes the files of the shop.
func writeShop(folder string) error {
	shop, err := traffic.NewShop()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, data := range shop.Files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
