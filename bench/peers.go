package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// peer is another program that reads a capture.
type peer struct {
	program string
	label   string
	rounds  int // it takes part in so many
	// args are its arguments; it may write into the folder dir. What it prints goes to
	// a file there.
	args func(capture, dir string) []string

	took series
}

// runPeer measures a peer in one round, if it takes part in it.
func (b *bench) runPeer(ctx context.Context, p *peer, c *capture, round int) error {
	if round >= p.rounds {
		return nil
	}
	fmt.Fprintf(os.Stderr, "%s reads %s\n", p.program, filepath.Base(c.path))
	dir, err := os.MkdirTemp(b.tmp, "peer-")
	if err != nil {
		return err
	}
	u, err := measureToFile(ctx, filepath.Join(dir, "printed"), p.program, p.args(c.path, dir)...)
	p.took = append(p.took, u)
	return errors.Join(err, os.RemoveAll(dir))
}

// measureToFile measures a program that prints into a file.
func measureToFile(ctx context.Context, path, name string, args ...string) (usage, error) {
	out, err := os.Create(path)
	if err != nil {
		return usage{}, err
	}
	u, err := measure(ctx, out, name, args...)
	return u, errors.Join(err, out.Close())
}

// tsharkFields are what tshark prints of each frame: what an entry has, and no more.
var tsharkFields = []string{
	"frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
	"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.stream",

	"http.request.method", "http.request.uri", "http.request.version", "http.host", "http.request.line",
	"http.response.version", "http.response.code", "http.response.phrase", "http.response.line",
	"http.user_agent", "http.content_type", "http.time",

	"http2.streamid", "http2.headers.method", "http2.headers.path", "http2.headers.status",
	"http2.header.name", "http2.header.value", "grpc.message_length",

	"dns.id", "dns.qry.name", "dns.qry.type", "dns.flags.rcode", "dns.time",
	"dns.resp.name", "dns.resp.type", "dns.resp.ttl", "dns.a", "dns.aaaa", "dns.cname",

	"resp.bulk_string.value", "resp.error",

	"kafka.request_key", "kafka.response_key", "kafka.api_version", "kafka.correlation_id", "kafka.client_id",
	"kafka.topic_name", "kafka.consumer_group", "kafka.error",
}

// tsharkArgs is tshark's nearest work: the calls' fields, on the ports that the
// generators use. It is told to put segments in order too: by default it does not,
// and misses what comes after one that is late.
func tsharkArgs(capture, _ string) []string {
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

// lesserPeers are programs that do less than shark, for a sense of what that costs:
// those of them that are installed.
func lesserPeers(rounds int) []*peer {
	var there []*peer
	for _, p := range []*peer{
		{program: "ndpiReader", label: "ndpiReader, flows only", args: func(capture, _ string) []string {
			return []string{"-i", capture, "-q", "-v", "0"}
		}},
		{program: "tcpflow", label: "tcpflow, streams only", args: func(capture, dir string) []string {
			return []string{"-r", capture, "-o", filepath.Join(dir, "streams")}
		}},
	} {
		if _, err := exec.LookPath(p.program); err == nil {
			p.rounds = rounds
			there = append(there, p)
		}
	}
	return there
}
