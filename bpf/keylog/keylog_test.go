//go:build linux

package keylog

import (
	"bytes"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// The objects for both kinds of machine have what the loader names, and events the size that is read.
func TestObjectsParse(t *testing.T) {
	for name, object := range map[string]string{"amd64": "keylog_x86_bpfel.o", "arm64": "keylog_arm64_bpfel.o"} {
		spec, err := ebpf.LoadCollectionSpec(object)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range []string{"c_multi", "c_single", "go_multi", "go_single"} {
			if spec.Programs[p] == nil {
				t.Errorf("%s: no program %s", name, p)
			}
		}
		if n := spec.Maps["secrets"].MaxEntries; n != 256<<10 {
			t.Errorf("%s: the ring of secrets has %d bytes", name, n)
		}
	}
}

func TestDecode(t *testing.T) {
	b := make([]byte, dumpSize)
	for i := range b {
		b[i] = byte(i * 7)
	}
	copy(b, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0})
	copy(b[48:], "nginx\x00")
	copy(b[96:], "CLIENT_RANDOM\x00")
	d, ok := decodeDump(b)
	if !ok {
		t.Fatal("not decoded")
	}
	want := Process{TGID: 3, NetNS: 5, Cgroup: 6, Started: 7 * time.Nanosecond}
	if d.Process != want || d.Time != 1 || d.File != 2 || d.TID != 4 || d.Comm != "nginx" || d.Label != "CLIENT_RANDOM" {
		t.Errorf("%+v", d.Event)
	}
	if !bytes.Equal(d.Random[:], b[64:96]) || !bytes.Equal(d.Secret, b[160:208]) || !bytes.Equal(d.Object[:], b[224:1248]) || !bytes.Equal(d.Behind[31][:], b[len(b)-256:]) {
		t.Error("the parts are not where they were put")
	}
	for n := range dumpSize {
		if _, ok := decodeDump(b[:n]); ok {
			t.Fatalf("%d bytes are a dump", n)
		}
	}
	if _, ok := decode(b[:eventSize-1]); ok {
		t.Error("too few bytes are an event")
	}
	b[41] = 255 // a length beyond all
	if e, ok := decode(b); !ok || len(e.Secret) != secretSize {
		t.Errorf("a secret of %d bytes", len(e.Secret))
	}
}
