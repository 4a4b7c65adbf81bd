package workbench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
)

// folder holds the files of an export that is split.
type folder struct {
	dir  string
	open int
	most int
	made []string
}

func newFolder(t testing.TB) *folder { return &folder{dir: t.TempDir()} }

func (f *folder) path(part string) string { return filepath.Join(f.dir, "x-"+part) }

// countedFile is a file that counts for its folder while it is open.
type countedFile struct {
	*os.File
	f *folder
}

func (c countedFile) Close() error { c.f.open--; return c.File.Close() }

func (f *folder) file(file *os.File, err error) (io.WriteCloser, error) {
	f.open++
	f.most = max(f.most, f.open)
	return countedFile{file, f}, err
}

func (f *folder) Create(part string) (io.WriteCloser, error) {
	f.made = append(f.made, part)
	return f.file(os.OpenFile(f.path(part), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600))
}

func (f *folder) Append(part string) (io.WriteCloser, error) {
	return f.file(os.OpenFile(f.path(part), os.O_APPEND|os.O_WRONLY, 0o600))
}

func (f *folder) Clear() error {
	for _, part := range f.made {
		if err := os.Remove(f.path(part)); err != nil {
			return err
		}
	}
	f.made = nil
	return nil
}

// split exports to a folder, and returns the packets of each file.
func split(t testing.TB, e *Evidence, q Export, by Split) (*folder, map[string][]pkt, *Exported) {
	t.Helper()
	f := newFolder(t)
	x, err := e.ExportSplit(t.Context(), q, by, f)
	if err != nil {
		t.Fatalf("%+v: %v", by, err)
	}
	parts := make(map[string][]pkt)
	size := int64(0)
	for i, part := range f.made {
		parts[part] = packetsOf(t, f.path(part))
		if i == 0 || i == len(f.made)-1 { // others are as these
			command(t, "tcpdump", "-nr", f.path(part))
			command(t, "tshark", "-n", "-r", f.path(part), "-q")
		}
		size += must(os.Stat(f.path(part)))(t).Size()
	}
	if x.Files != len(f.made) || f.open != 0 || size != x.Bytes {
		t.Errorf("%+v: %d files of %d bytes, %d left open: %+v", by, len(f.made), size, f.open, x)
	}
	return f, parts, x
}

// TestSplitBySize: no file grows much beyond the size, all together have all packets.
func TestSplitBySize(t *testing.T) {
	t.Parallel()
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	for _, format := range []pcapng.Format{pcapng.Pcapng, pcapng.Pcap} {
		f, parts, _ := split(t, e, Export{Format: format}, Split{By: BySize, Size: 5000})
		var got []pkt
		for _, part := range slices.Sorted(slices.Values(f.made)) {
			got = append(got, parts[part]...)
			last := parts[part][len(parts[part])-1]
			if n := must(os.Stat(f.path(part)))(t).Size(); n > 5000+int64(len(last.Data))+40 {
				t.Errorf("%s has %d bytes", part, n)
			}
		}
		if d := differ(got, packetsOf(t, "../testdata/http/server.pcap")); d != "" || len(parts) < 3 {
			t.Errorf("%d files: %s", len(parts), d)
		}
	}
}

// TestSplitByTime: a file has what belongs into its time.
func TestSplitByTime(t *testing.T) {
	t.Parallel()
	e := open(t, newBench(t), "../testdata/dns/records.pcap")
	all := packetsOf(t, "../testdata/dns/records.pcap")
	for _, every := range []time.Duration{2 * time.Second, 300 * time.Millisecond} {
		_, parts, _ := split(t, e, Export{}, Split{By: ByTime, Every: every})
		sum := 0
		for part, list := range parts {
			form := "20060102t150405z"
			if every < time.Second {
				form = "20060102t150405-000000000z"
			}
			at, err := time.Parse(strings.Replace(form, "-", ".", 1), strings.Replace(part, "-", ".", 1))
			if err != nil || at.UnixNano()%int64(every) != 0 {
				t.Errorf("%s: %v", part, err)
			}
			for _, p := range list {
				if p.Time < at.UnixNano() || p.Time >= at.UnixNano()+int64(every) {
					t.Errorf("%s: %s has a packet of %d", every, part, p.Time)
				}
			}
			sum += len(list)
		}
		if sum != len(all) || len(parts) < 2 {
			t.Errorf("%s: %d of %d packets in %d files", every, sum, len(all), len(parts))
		}
	}
}

// TestSplitByNode: names of nodes are no paths.
func TestSplitByNode(t *testing.T) {
	w := newBench(t)
	a, b := "../testdata/http/server.pcap", "../testdata/redis/basic.pcap"
	importSnapshot(t, w, snapshot.ImportOptions{Name: "two", Files: []string{"../../etc/cron.d/x=" + a, "CON=" + b}})
	f, parts, _ := split(t, open(t, w, "two"), Export{}, Split{By: ByNode})
	names := slices.Sorted(slices.Values(f.made))
	if want := []string{"=2e.=2f..=2fetc=2fcron.d=2fx", "=43=4f=4e"}; !slices.Equal(names, want) {
		t.Fatalf("files %q", names)
	}
	for i, path := range []string{a, b} {
		got := parts[names[i]]
		for k := range got {
			got[k].Iface = ""
		}
		if d := differ(got, packetsOf(t, path)); d != "" {
			t.Errorf("%s: %s", names[i], d)
		}
	}
}

// TestSplitByPod: a pod's file has all its packets, also when there are more pods than
// files may be open; those of nobody are not lost.
func TestSplitByPod(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	const pods = 3 * maxOpen
	var log strings.Builder
	addr := func(i int) [4]byte { return [4]byte{10, 0, byte(i / 200), byte(1 + i%200)} }
	for i := range pods {
		a := addr(i)
		fmt.Fprintf(&log, `{"time":"2001-01-01T00:00:00Z","op":"upsert","kind":"pod","uid":"%d","namespace":"ns","name":"p%03d","addresses":["%d.%d.%d.%d"]}`+"\n", i, i, a[0], a[1], a[2], a[3])
	}
	identity := filepath.Join(t.TempDir(), "identity.jsonl")
	if err := os.WriteFile(identity, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var list []packet.Record
	want := make(map[string]int)
	for i := range 20 * pods {
		src, dst := addr(i%pods), addr((i*7+1)%pods)
		if i%11 == 0 {
			dst = [4]byte{192, 0, 2, 1}
		}
		if i%50 == 0 {
			src = [4]byte{192, 0, 2, 2}
		}
		data := segment(1000, 80, uint32(i), 1, 0x18, "x")
		copy(data[26:], src[:])
		copy(data[30:], dst[:])
		list = append(list, packet.Record{Time: 1e18 + int64(i)*1000, Link: 1, Data: data, OrigLen: uint32(len(data))})
		ends := make(map[string]bool)
		for _, a := range [][4]byte{src, dst} {
			if a[0] == 10 {
				ends[fmt.Sprintf("ns_p%03d", int(a[2])*200+int(a[3])-1)] = true
			}
		}
		if len(ends) == 0 {
			ends["no-pod"] = true
		}
		for name := range ends {
			want[name]++
		}
	}
	path := write(t, "pods.pcapng", pcapng.Options{}, []packet.Interface{{Link: 1}}, list, nil)
	for _, format := range []pcapng.Format{pcapng.Pcapng, pcapng.Pcap} {
		e := must(w.Open(t.Context(), []string{path}, OpenOptions{Identity: identity}))(t)
		defer e.Close()
		f, parts, x := split(t, e, Export{Format: format}, Split{By: ByPod})
		for name, n := range want {
			if len(parts[name]) != n {
				t.Errorf("%s has %d packets of %d", name, len(parts[name]), n)
			}
			if !slices.IsSortedFunc(parts[name], func(a, b pkt) int { return int(a.Time - b.Time) }) {
				t.Errorf("%s is not in order", name)
			}
		}
		if len(parts) != len(want) || f.most > maxOpen || x.Packets != int64(len(list)) {
			t.Errorf("%d files, and should be %d; %d open at once; %+v", len(parts), len(want), f.most, x)
		}
	}
}

// TestSplitNames: no two files have the same name, whatever those of the cluster are.
func TestSplitNames(t *testing.T) {
	s := &splitter{by: Split{By: ByPod}, names: make(map[string]bool)}
	seen := make(map[string]partKey)
	for _, key := range []partKey{{}, {space: "a", name: "b_c"}, {space: "a_b", name: "c"}, {space: "A", name: "b"}, {space: "a", name: "b"}, {space: "no-pod"}, {name: "no-pod"}, {space: "..", name: ".."}} {
		name := s.name(key)
		if other, taken := seen[name]; taken || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") || name != strings.ToLower(name) {
			t.Errorf("%+v is %q, as is %+v", key, name, other)
		}
		seen[name] = key
	}
}

// TestSplitRefuses: questions that make no sense, more files than there may be; and what
// fails leaves nothing open.
func TestSplitRefuses(t *testing.T) {
	e := open(t, newBench(t), "../testdata/dns/records.pcap")
	for name, by := range map[string]Split{
		"size": {By: BySize}, "time": {By: ByTime}, "way": {By: "color"}, "pods": {By: ByPod}, "many": {By: ByTime, Every: 1},
	} {
		f := newFolder(t)
		x, err := e.ExportSplit(t.Context(), Export{}, by, f)
		if name == "many" { // fewer packets than there may be files
			if err != nil || x.Files < 50 || f.most > maxOpen {
				t.Errorf("%s: %v, %+v", name, err, x)
			}
			continue
		}
		if !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := &splitter{by: Split{By: ByTime, Every: 1}, parts: make(map[partKey]*splitFile)}
	for i := range maxParts {
		s.parts[partKey{n: int64(i)}] = nil
	}
	if _, err := s.part(&exporter{}, partKey{n: -1}); !errors.Is(err, ErrUsage) {
		t.Errorf("one file more than there may be: %v", err)
	}
	broken := errors.New("broken")
	f := &failing{folder: newFolder(t), err: broken}
	if _, err := e.ExportSplit(t.Context(), Export{}, Split{By: BySize, Size: 1000}, f); !errors.Is(err, broken) || f.open != 0 {
		t.Errorf("%v, %d files open", err, f.open)
	}
}

// failing makes two files and no third.
type failing struct {
	*folder
	err error
}

func (f *failing) Create(part string) (io.WriteCloser, error) {
	if len(f.made) == 2 {
		return nil, f.err
	}
	return f.folder.Create(part)
}
