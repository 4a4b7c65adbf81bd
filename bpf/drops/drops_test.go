//go:build linux

package drops

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
)

func TestObjectsParse(t *testing.T) {
	for name, object := range map[string]string{"amd64": "drops_x86_bpfel.o", "arm64": "drops_arm64_bpfel.o"} {
		spec, err := ebpf.LoadCollectionSpec(object)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if spec.Programs["on_drop"] == nil || spec.Maps["counts"] == nil || spec.Maps["counts"].MaxEntries != MaxCounts {
			t.Errorf("%s: %v", name, spec)
		}
	}
}

func TestDecode(t *testing.T) {
	s := &Set{names: map[uint32]string{3: "NO_SOCKET"}}
	n := binary.NativeEndian
	var key [16]byte
	var value [24]byte
	n.PutUint32(key[:], 7)
	n.PutUint32(key[4:], 2)
	n.PutUint32(key[8:], 3)
	n.PutUint64(value[:], 99)
	copy(value[8:], "eth0\x00rest")
	if got, want := s.decode(key, value), (Count{7, 2, "eth0", "NO_SOCKET", 99}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	n.PutUint32(key[8:], 2<<16|5)
	copy(value[8:], "an interface\xff of 16")
	if got, want := s.decode(key, value), (Count{7, 2, "an interface\uFFFD of", "SUBSYSTEM_2_5", 99}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
