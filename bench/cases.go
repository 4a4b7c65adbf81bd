package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shark/traffic"
)

// A benchCase is captures and what is measured on them.
type benchCase struct {
	name    string
	what    string
	short   bool // part of the run that is not -full
	recipes []recipe
	rounds  int // at most so many; 0: as many as are asked for
	run     func(b *bench, ctx context.Context, captures []*capture, rounds int) error
}

// cases are all cases, in the order in which they are run.
var cases = []benchCase{
	{
		name: "mix", short: true, recipes: []recipe{mixed("mix", 100)},
		what: "all protocols that exist, beside tshark and others", run: (*bench).mix,
	},
	{
		name: "exports", short: true, recipes: []recipe{mixed("mix", 100)},
		what: "packets alone, beside tcpdump, editcap and mergecap", run: (*bench).exports,
	},
	{
		name: "snapshots", short: true, recipes: []recipe{mixed("mix", 100)},
		what: "snapshots made, dissected and packed, beside zstd", run: (*bench).snapshots,
	},
	{
		name: "sizes", recipes: []recipe{mixed("a tenth of the mix", 10), once(mixed("four times as long", 400))}, rounds: 5,
		what: "snapshots of little and of much", run: (*bench).snapshots,
	},
	{
		name: "far", short: true, rounds: 1, recipes: []recipe{once(recipe{
			name: "500 pods", percent: 400,
			given: []string{"--pods", "500", "--concurrency", "8"},
			own:   with(func(o *traffic.Options) { o.Pods, o.Concurrency = 500, 8 }),
		})},
		what: "a snapshot in a store far away (SHARK_S3_URL), beside tcpdump over the whole", run: (*bench).farAway,
	},
	{
		name: "first", rounds: 3, recipes: []recipe{once(recipe{
			name: "500 pods", percent: 400,
			given: []string{"--pods", "500", "--concurrency", "8"},
			own:   with(func(o *traffic.Options) { o.Pods, o.Concurrency = 500, 8 }),
		})},
		what: "a question about a pod's minute, of a snapshot that was not dissected, beside dissecting it", run: (*bench).firstAnswers,
	},
	{
		name: "stages", short: true, recipes: []recipe{mixed("mix", 100)},
		what: "what each stage costs, beside its budget", run: (*bench).stages,
	},
	{
		name: "protocols", short: true,
		what: "what each protocol costs, from packets to entries, beside HTTP/1", run: (*bench).protocols,
	},
	{
		name: "load", recipes: []recipe{mixed("mix", 20)}, rounds: 1,
		what: "the same calls on a busy machine, with any number of workers", run: (*bench).load,
	},
	{
		name: "memory", recipes: []recipe{mixed("mix", 100), once(mixed("four times as long", 400))}, rounds: 3,
		what: "memory for four times the mix", run: (*bench).memory,
	},
	{
		name: "small", recipes: []recipe{{
			name: "small calls", percent: 20,
			given: []string{"--mix", "redis=60,dns=40"},
			own:   with(func(o *traffic.Options) { o.Mix = traffic.Mix{Redis: 60, DNS: 40} }),
		}},
		what: "Redis and DNS only", run: (*bench).small,
	},
	{
		name: "large", recipes: []recipe{{
			name: "large bodies", percent: 100,
			own: with(func(o *traffic.Options) { o.Mix, o.Body, o.Gzip = traffic.Mix{HTTP: 1}, 1e6, 0 }),
		}},
		what: "HTTP with bodies of 1 MB", run: (*bench).large,
	},
	{
		name: "flows", recipes: []recipe{{
			name: "short connections", callsPerGB: 1e6,
			own: with(func(o *traffic.Options) {
				o.Mix, o.PerConn, o.Concurrency = traffic.Mix{HTTP: 1}, 1, 2000
				o.Gzip, o.IPv6, o.Flaws = 0, 0, traffic.Flaws{}
			}),
		}},
		what: "connections of one HTTP call each, a million for each GB of -size", run: (*bench).flows,
	},
	{
		name: "variants", recipes: []recipe{
			variant("plain", 0, 0, 0), variant("lossy", 0.02, 0, 0), variant("reordered", 0, 0.02, 0), variant("IPv6", 0, 0, 1),
		},
		what: "losses, wrong order and IPv6 beside the plain capture", run: (*bench).variants,
	},
}

// chosen returns the cases that are named, apart by commas; without a name all, or
// those of the short run.
func chosen(names string, full bool) ([]benchCase, error) {
	if names == "" {
		return slices.DeleteFunc(slices.Clone(cases), func(c benchCase) bool { return !full && !c.short }), nil
	}
	var list []benchCase
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no case %q; there are %s", name, caseNames())
		}
		list = append(list, cases[i])
	}
	return list, nil
}

func caseNames() string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// mixed is the capture of all protocols that shark knows.
func mixed(name string, percent int) recipe {
	return recipe{name: name, percent: percent, given: []string{"--mix", givenMix}, own: with(nil)}
}

const givenMix = "http=30,grpc=14,h2json=6,redis=14,kafka=8,dns=20"

// variant is the mix with one thing that is otherwise than in the plain one.
func variant(name string, loss, reorder, ipv6 float64) recipe {
	r := mixed(name, 20)
	r.given = append(r.given,
		"--loss", fmt.Sprint(loss), "--reorder", fmt.Sprint(reorder), "--dup", "0", "--overlap", "0", "--ipv6", fmt.Sprint(ipv6))
	r.own = with(func(o *traffic.Options) { o.Flaws, o.IPv6 = traffic.Flaws{Loss: loss, Reorder: reorder}, ipv6 })
	return r
}

// once has a capture removed when it has been measured.
func once(r recipe) recipe {
	r.once = true
	return r
}

// with returns what the repository's generator is told, with some of it changed.
func with(change func(*traffic.Options)) traffic.Options {
	o := traffic.Options{
		Pods: 120, Concurrency: 200,
		// No duplicates: a datagram that was captured twice is two to anybody who looks.
		Flaws: traffic.Flaws{Loss: 0.002, Reorder: 0.004},
		IPv6:  0.08, Gzip: 0.2, Chunked: 0.2, Pipelined: 0.02, Continue: 0.02, Huffman: true,
	}
	if change != nil {
		change(&o)
	}
	return o
}
