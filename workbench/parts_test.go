package workbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/dissector"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
)

// taped is what a node recorded: capture files. Its size is not known, so that a snapshot of it has
// as many partitions as one of much.
type taped struct {
	node  string
	paths []string
}

func (r taped) Node() string { return r.node }

func (r taped) Span() (from, to time.Time, err error) {
	return time.Unix(0, 0), time.Unix(4e9, 0), nil
}

func (r taped) Pin(time.Time, time.Time) (snapshot.Pinned, error) { return r, nil }

func (r taped) Open() packet.Source {
	m, err := pcapng.OpenFiles(r.paths...)
	if err != nil {
		panic(err) // there is no other way to say so, and the files are there
	}
	return m
}

func (r taped) Notes() []string                  { return nil }
func (r taped) Size() int64                      { return 0 }
func (r taped) Identity() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
func (r taped) Release() error                   { return nil }

// seen are what two nodes saw of the same and of other packets, with TLS and its secrets.
func seen(t testing.TB) (a, b taped) {
	return taped{"a", []string{"../testdata/shop/shop.pcapng.zst", large(t, pcapng.Pcapng, 0), "../testdata/tlsx/clear_of_suites.pcapng"}},
		taped{"b", []string{"../testdata/shop/shop.pcapng.zst", "../testdata/http/server.pcap"}}
}

// secretsApart are what one node saw of TLS, and another that has the secrets of it and no packets.
func secretsApart(t testing.TB) (wire, keys taped) {
	const path = "../testdata/tlsx/clear_of_suites.pcapng"
	src := must(pcapng.Open(path))(t)
	defer src.Close()
	var b packet.Batch
	for src.ReadBatch(&b) == nil {
	}
	var list []packet.Record
	for i, p := range packetsOf(t, path) {
		list = append(list, packet.Record{Time: p.Time, OrigLen: p.OrigLen, Link: p.Link, Data: []byte(p.Data), Number: uint64(i + 1)})
	}
	o, eth0 := pcapng.Options{Format: pcapng.Pcapng, Nanosecond: true}, []packet.Interface{{Link: list[0].Link, Name: "eth0"}}
	wire = taped{"wire", []string{write(t, "wire", o, eth0, list, nil)}}
	keys = taped{"keys", []string{write(t, "keys", o, eth0, nil, func(w *pcapng.Writer) error {
		for _, s := range src.Secrets() {
			if err := w.WriteSecrets(s); err != nil {
				return err
			}
		}
		return nil
	})}}
	return wire, keys
}

// recorded makes a snapshot of what nodes recorded.
func recorded(t testing.TB, w *Workbench, nodes ...taped) string {
	t.Helper()
	var o snapshot.CreateOptions
	for _, n := range nodes {
		o.Recordings = append(o.Recordings, n)
	}
	return must(w.CreateSnapshot(t.Context(), o, When{}, When{}))(t).ID
}

// again makes a Workbench of another's store and cache, without its index databases.
func again(t testing.TB, w *Workbench, change ...func(*Config)) *Workbench {
	t.Helper()
	for _, path := range must(filepath.Glob(filepath.Join(w.cfg.Cache, "index", "*.db")))(t) {
		must(0, os.Remove(path))(t)
	}
	return newBench(t, append([]func(*Config){func(c *Config) { c.Store, c.Cache = w.cfg.Store, w.cfg.Cache }}, change...)...)
}

// partFiles are the parts that a cache keeps.
func partFiles(t testing.TB, w *Workbench) []string {
	t.Helper()
	return must(filepath.Glob(filepath.Join(w.cfg.Cache, "index", "*.rows")))(t)
}

// anew is what the index of a snapshot holds that is made of nothing but its packets.
func anew(t *testing.T, w *Workbench, id string) string {
	t.Helper()
	fresh := newBench(t, func(c *Config) { c.Store = w.cfg.Store })
	return contents(t, must(open(t, fresh, id).Dissect(t.Context(), DissectOptions{}))(t).Path)
}

// workers has so many of them.
func workers(n int) func(*Config) { return func(c *Config) { c.Workers = n } }

// TestKeptParts: an index that is made of parts that were kept is the one that is made of packets,
// whoever kept them; what is damaged, or of another program or other options, is not taken.
func TestKeptParts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newBench(t, workers(n))
			a, b := seen(t)
			id := recorded(t, w, a, b)
			want := anew(t, w, id)
			dissect := func(w *Workbench, o DissectOptions, taken int) (parts int) {
				t.Helper()
				d := must(open(t, w, id).Dissect(t.Context(), o))(t)
				if got := contents(t, d.Path); got != want && w.build() == "test" && w.cfg.Memory == dissector.DefaultMemory {
					t.Error(firstDifference([]byte(got), []byte(want)))
				}
				if d.Cached || d.Taken != taken {
					t.Errorf("%d of %d parts were taken, and should be %d", d.Taken, d.Parts, taken)
				}
				return d.Parts
			}
			keep := DissectOptions{KeepParts: true}
			parts := dissect(w, keep, 0)
			files := partFiles(t, w)
			if len(files) != parts || parts < 20 {
				t.Fatalf("there are %d of %d parts", len(files), parts)
			}
			for _, k := range []int{1, 8} {
				dissect(again(t, w, workers(k)), DissectOptions{}, parts)
			}
			dissect(w, keep, parts) // though there is an index
			dissect(w, DissectOptions{Force: true}, 0)
			dissect(again(t, w, func(c *Config) { c.Version = "other" }), DissectOptions{}, 0)
			dissect(again(t, w, func(c *Config) { c.Memory = 1 << 20 }), DissectOptions{}, 0)

			whole := must(os.ReadFile(files[0]))(t)
			for name, data := range map[string][]byte{
				"cut":     whole[:len(whole)-1],
				"changed": append(bytes.Clone(whole[:len(whole)/2]), append([]byte{whole[len(whole)/2] ^ 1}, whole[len(whole)/2+1:]...)...),
				"empty":   {},
				"longer":  append(bytes.Clone(whole), whole...),
				"another": must(os.ReadFile(files[1]))(t),
			} {
				must(0, os.WriteFile(files[0], data, 0o600))(t)
				t.Log(name)
				dissect(again(t, w), DissectOptions{}, parts-1)
			}
			dissect(again(t, w), keep, parts-1) // and makes it good
			dissect(again(t, w), DissectOptions{}, parts)
			for _, path := range files[1:] {
				must(0, os.Remove(path))(t)
			}
			dissect(again(t, w), DissectOptions{}, 1)
			if state := must(w.CacheState())(t); state.Rows != 1 || state.RowBytes == 0 || state.Left != 0 {
				t.Errorf("the cache says %+v", state)
			}
		})
	}
}

// TestKeptPartsOfOneNodeMore: of a snapshot that has the packets of a further node only those parts
// are dissected in which it has some, and the index is that of the whole. Where it is named before the
// others, all packets have other numbers, and nothing is taken.
func TestKeptPartsOfOneNodeMore(t *testing.T) {
	t.Parallel()
	a, b := seen(t)
	same := taped{"same", []string{"../testdata/shop/shop.pcapng.zst"}}
	secrets := taped{"secrets", []string{"../testdata/tlsx/clear_of_suites.pcapng"}}
	wire, keys := secretsApart(t)
	few := taped{"few", []string{"../testdata/redis/basic.pcap"}}
	for name, c := range map[string]struct {
		before, after []taped
		least, most   int // parts that are taken, in hundredths
	}{
		"few addresses":       {[]taped{a, b}, []taped{a, b, few}, 50, 99},
		"the only other":      {[]taped{a}, []taped{a, few}, 0, 0}, // packets come in other batches
		"named first":         {[]taped{a, b}, []taped{few, a, b}, 0, 0},
		"sees what others do": {[]taped{a, b}, []taped{a, b, same}, 0, 70},
		"brings secrets":      {[]taped{b, few}, []taped{b, few, secrets}, 50, 99},
		"secrets alone":       {[]taped{a, wire}, []taped{a, wire, keys}, 50, 99},
		"same":                {[]taped{a, b}, []taped{a, b}, 100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t, workers(8))
			must(open(t, w, recorded(t, w, c.before...)).Dissect(t.Context(), DissectOptions{KeepParts: true}))(t)
			id := recorded(t, w, c.after...)
			d := must(open(t, w, id).Dissect(t.Context(), DissectOptions{}))(t)
			if got, want := contents(t, d.Path), anew(t, w, id); got != want {
				t.Error(firstDifference([]byte(got), []byte(want)))
			}
			if share := 100 * d.Taken / d.Parts; share < c.least || share > c.most {
				t.Errorf("%d of %d parts were taken", d.Taken, d.Parts)
			}
		})
	}
}

// TestKeptPartsAfterAnInterruption: what was done of a dissection that ended early need not be done
// again, and nothing else is left of it.
func TestKeptPartsAfterAnInterruption(t *testing.T) {
	t.Parallel()
	a, b := seen(t)
	ctx, end := context.WithCancel(t.Context())
	var w *Workbench
	w = newBench(t, workers(2), func(c *Config) {
		c.Progress = func(Progress) {
			if len(partFiles(t, w)) > 3 {
				end()
			}
		}
	})
	id := recorded(t, w, a, b)
	if _, err := open(t, w, id).Dissect(ctx, DissectOptions{KeepParts: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("it ended with %v", err)
	}
	there := len(partFiles(t, w))
	if left := must(os.ReadDir(filepath.Join(w.cfg.Cache, "index")))(t); len(left) != there {
		t.Errorf("left are %v", left)
	}
	d := must(open(t, again(t, w), id).Dissect(t.Context(), DissectOptions{}))(t)
	if d.Taken != there || d.Taken >= d.Parts {
		t.Errorf("%d of %d parts were taken, and %d were there", d.Taken, d.Parts, there)
	}
	if got, want := contents(t, d.Path), anew(t, w, id); got != want {
		t.Error(firstDifference([]byte(got), []byte(want)))
	}
}

// TestKeptPartsOfDamage: what could not be read in full is not kept, and nor is what the cache has no
// room for; the index is there all the same.
func TestKeptPartsOfDamage(t *testing.T) {
	t.Parallel()
	a, b := seen(t)
	w := newBench(t)
	id := recorded(t, w, a, b)
	path := filepath.Join(w.cfg.Store, id, "nodes", "b", "packets.pcapng.zst")
	data := must(os.ReadFile(path))(t)
	data[len(data)/2] ^= 1
	must(0, os.Chmod(path, 0o600))(t)
	must(0, os.WriteFile(path, data, 0o600))(t)
	keep := DissectOptions{KeepParts: true}
	d := must(open(t, w, id).Dissect(t.Context(), keep))(t)
	if kept := len(partFiles(t, w)); len(d.Coverage.Damage) != 1 || kept != d.Parts-1 {
		t.Errorf("%d of %d parts are kept; the damage is %v", kept, d.Parts, d.Coverage.Damage)
	}
	small := newBench(t, func(c *Config) { c.Store, c.CacheSize = w.cfg.Store, 1000 })
	d = must(open(t, small, id).Dissect(t.Context(), keep))(t)
	if kept := len(partFiles(t, small)); kept != 0 || d.Entries == 0 {
		t.Errorf("%d parts are kept, in 1000 bytes", kept)
	}
}

// TestKeptPartsRefused: parts are of whole snapshots.
func TestKeptPartsRefused(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	a, b := seen(t)
	snap := recorded(t, w, a, b)
	for ref, o := range map[string]DissectOptions{
		"../testdata/http/server.pcap": {KeepParts: true},
		snap:                           {KeepParts: true, Output: filepath.Join(t.TempDir(), "some.db"), Packets: Export{Node: "a"}},
	} {
		if _, err := open(t, w, ref).Dissect(t.Context(), o); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if kept := partFiles(t, w); len(kept) > 0 {
		t.Errorf("kept are %q", kept)
	}
}
