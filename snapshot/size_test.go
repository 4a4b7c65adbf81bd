package snapshot

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/packet/packing"
	"shark/packet/pcapng"
	"shark/traffic"
)

// TestSize: what a snapshot stores of packets is no larger than zstd -3 makes of the capture, also
// where there is little to be packed; of next to nothing it may be more by what FORMAT.md says.
func TestSize(t *testing.T) {
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip(err)
	}
	for _, path := range append(smallCaptures(t), mixes(t)...) {
		plain := filepath.Join(t.TempDir(), "plain")
		packets := unpackTo(t, path, plain)
		if packets < 100e3 {
			continue
		}
		var packed bytes.Buffer
		zstd := exec.CommandContext(t.Context(), "zstd", "-3", "-q", "-c", plain)
		zstd.Stdout = &packed
		if err := zstd.Run(); err != nil {
			t.Fatal(err)
		}
		most := int64(packed.Len())
		if most < 200e3 {
			most += 2000
		}
		store := openFolder(t)
		m, err := store.Import(t.Context(), ImportOptions{Files: []string{plain}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		for _, o := range m.Objects {
			size += o.Size
		}
		if size > most {
			t.Errorf("%s of %d bytes takes %d, and zstd -3 makes it %d", path, packets, size, packed.Len())
		}
	}
}

// TestSizeOfPacked: how a snapshot is parted goes by the packets, not by how a capture is packed.
func TestSizeOfPacked(t *testing.T) {
	const packed = "../testdata/shop/shop.pcapng.zst"
	info, err := os.Stat(packed)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	size := unpackTo(t, packed, plain)
	nodes, total, raw, err := gather([]string{"n=" + packed, "n=" + plain})
	if want := info.Size() + size; err != nil || len(nodes) != 1 || total != want || raw < 2*size*9/10 || raw > 2*size*5/4 {
		t.Errorf("%d bytes to read, want %d, and about %d in all, of two captures of %d: %v", total, want, raw, size, err)
	}
}

// smallCaptures lists the project's own captures, which hold nothing but packets.
func smallCaptures(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir("../testdata", func(path string, d fs.DirEntry, err error) error {
		if name := strings.TrimSuffix(path, ".zst"); err == nil && (strings.HasSuffix(name, ".pcap") || strings.HasSuffix(path, "shop.pcapng.zst")) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// mixes makes captures of microservices, some of each way in which they are packed.
func mixes(t *testing.T) (list []string) {
	t.Helper()
	for _, size := range []int64{100e3, 1e6, 6e6, 20e6} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(size))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = traffic.Generate(f, traffic.Options{Seed: 7, Size: size, Format: pcapng.Pcap}); err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, path)
	}
	return list
}

// unpackTo copies a capture that may be packed to a file, and returns its size.
func unpackTo(t *testing.T, path, to string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	r, err := packing.Open(packing.Of(in), in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err == nil {
		err = os.WriteFile(to, out, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(out))
}
