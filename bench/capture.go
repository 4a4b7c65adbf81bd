package main

import (
	"bufio"
	"context"
	"encoding/json"
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
	name        string // in tables
	path        string
	calls       int64
	connections int64 // of TCP
	checks      []check
	// Connections that the generator counts though they may have no packet: they began
	// before the capture did, and when it ended nothing more had been said.
	silent int64

	// What survey finds.
	bytes       int64 // of the file
	packets     int64
	first, last int64 // times, ns since 1970
}

// A recipe says how a capture is made.
type recipe struct {
	name string
	// Its bytes are so many percent of -size; or its calls so many for each GB of that,
	// where their number matters.
	percent    int
	callsPerGB int64

	given []string        // what make_bench_pcap.sh is told beside size and seed; nil: it cannot make this
	own   traffic.Options // what the repository's generator is told beside them
	once  bool            // it is removed after it was measured
}

// bytes is about how large the capture gets.
func (r *recipe) bytes(size int64) int64 {
	const perCall = 2000 // with a connection around it
	return size*int64(r.percent)/100 + r.calls(size)*perCall
}

func (r *recipe) calls(size int64) int64 { return int64(float64(r.callsPerGB) * float64(size) / 1e9) }

// errNoRoom says that a capture cannot be made here.
var errNoRoom = errors.New("there is no room on the disk")

// obtain makes a capture, unless it was made before, and reads it once: then it lies in
// the page cache, where memory is large enough.
func (b *bench) obtain(ctx context.Context, r *recipe) (*capture, error) {
	fmt.Fprintf(os.Stderr, "making the capture: %s, %s\n", r.name, formatSize(r.bytes(b.bytes)))
	var c *capture
	var err error
	if b.generator != "" && r.given != nil {
		c, err = b.makeGiven(ctx, r)
	} else {
		c, err = b.makeOwn(r)
	}
	if err != nil {
		return nil, fmt.Errorf("making the capture %s: %w", r.name, err)
	}
	c.name = r.name
	return c, c.survey()
}

// roomFor looks whether there is room for a capture and what is made of it.
func (b *bench) roomFor(bytes int64) error {
	need := bytes + bytes/2
	if free, known := freeDisk(b.dir); known && free < need {
		return fmt.Errorf("%s: %w: %d MB are free, %d MB are needed", b.dir, errNoRoom, free/1e6, need/1e6)
	}
	return nil
}

// makeGiven has the script of a folder make the capture. By itself it keeps one that it
// has made before.
func (b *bench) makeGiven(ctx context.Context, r *recipe) (*capture, error) {
	size := formatSize(r.bytes(b.bytes))
	if r.once {
		if err := b.roomFor(r.bytes(b.bytes)); err != nil {
			return nil, err
		}
	}
	args := append([]string{size, b.dir, strconv.FormatUint(b.seed, 10)}, r.given...)
	cmd := exec.CommandContext(ctx, filepath.Join(b.generator, "make_bench_pcap.sh"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return readGiven(strings.TrimPrefix(lines[len(lines)-1], "already there: "))
}

// ownAccount stands beside a capture of the repository's generator.
type ownAccount struct {
	Options string         `json:"options"`
	Bytes   int64          `json:"bytes"` // of the file
	Truth   *traffic.Truth `json:"truth"`
}

// makeOwn makes the capture with the generator of this repository, unless one of the
// same options is there.
func (b *bench) makeOwn(r *recipe) (*capture, error) {
	o := r.own
	o.Seed, o.Format, o.Calls = b.seed, pcapng.Pcap, r.calls(b.bytes)
	if o.Calls == 0 {
		o.Size = r.bytes(b.bytes)
	}
	want := ownAccount{Options: fmt.Sprintf("%+v", o)}
	path := filepath.Join(b.dir, fmt.Sprintf("own-%s-%s-s%d.pcap", strings.ReplaceAll(r.name, " ", "-"), formatSize(r.bytes(b.bytes)), b.seed))
	if t := ownKept(path, want.Options); t != nil {
		return ownTruth(path, t), nil
	}
	if err := b.roomFor(r.bytes(b.bytes)); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	want.Truth, err = traffic.Generate(out, o)
	if err := errors.Join(err, out.Flush(), f.Close()); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	want.Bytes = info.Size()
	text, err := json.MarshalIndent(&want, "", "  ")
	if err != nil {
		return nil, err
	}
	return ownTruth(path, want.Truth), os.WriteFile(accountOf(path), text, 0o644)
}

// accountOf is the file that says what is in a capture. It is written last: without it
// the capture is not whole.
func accountOf(path string) string { return strings.TrimSuffix(path, ".pcap") + ".json" }

// ownKept returns the truth of a capture that was made before with the same options,
// and nil if there is none.
func ownKept(path, options string) *traffic.Truth {
	var kept ownAccount
	text, err := os.ReadFile(accountOf(path))
	if err != nil || json.Unmarshal(text, &kept) != nil || kept.Options != options {
		return nil
	}
	if info, err := os.Stat(path); err != nil || info.Size() != kept.Bytes {
		return nil
	}
	return kept.Truth
}

// remove removes the capture and its account.
func (c *capture) remove() error { return errors.Join(os.Remove(c.path), os.Remove(accountOf(c.path))) }

// survey reads the capture through.
func (c *capture) survey() error {
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	c.bytes = info.Size()
	if c.packets, c.first, c.last, err = countPackets(c.path); err != nil || c.silent == 0 {
		return err
	}
	seen, err := countConnections(c.path)
	if missing := c.connections - seen; missing > 0 && missing <= c.silent {
		c.expectConnections(seen)
	}
	return err
}

// countConnections returns how many pairs of TCP ports have a packet.
func countConnections(path string) (int64, error) {
	type end struct {
		addr packet.Addr
		port uint16
	}
	seen := make(map[[2]end]bool)
	dec := packet.NewDecoder()
	var p packet.Packet
	err := eachRecord(path, func(r *packet.Record) {
		dec.Decode(r, &p)
		if p.Proto != packet.TCP {
			return
		}
		a, b := end{p.Src, p.SrcPort}, end{p.Dst, p.DstPort}
		if !seen[[2]end{b, a}] {
			seen[[2]end{a, b}] = true
		}
	})
	return int64(len(seen)), err
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

// units are what may stand behind a number of bytes.
var units = []struct {
	name  string
	bytes int64
}{{"G", 1e9}, {"M", 1e6}, {"K", 1e3}}

// parseSize reads a number of bytes with K, M or G behind it.
func parseSize(s string) (int64, error) {
	digits, unit := s, int64(1)
	for _, u := range units {
		if t, ok := strings.CutSuffix(strings.ToUpper(s), u.name); ok {
			digits, unit = t, u.bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a size such as 20M", s)
	}
	return n * unit, nil
}

// formatSize writes a number of bytes as parseSize reads it.
func formatSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
