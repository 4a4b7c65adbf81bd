//go:build linux

package plaintext

import (
	"testing"
	"unsafe"
)

// TestLayout holds the offsets that decode reads by against those of the C compiler.
func TestLayout(t *testing.T) {
	var e PlaintextPlaintextEvent
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"id", unsafe.Offsetof(e.Id), 8},
		{"object", unsafe.Offsetof(e.Object), 16},
		{"cgroup", unsafe.Offsetof(e.Cgroup), 24},
		{"position", unsafe.Offsetof(e.Position), 32},
		{"socket", unsafe.Offsetof(e.Socket), 40},
		{"local", unsafe.Offsetof(e.Socket.Local), 8},
		{"remote", unsafe.Offsetof(e.Socket.Remote), 24},
		{"local port", unsafe.Offsetof(e.Socket.LocalPort), 40},
		{"remote port", unsafe.Offsetof(e.Socket.RemotePort), 42},
		{"family", unsafe.Offsetof(e.Socket.Family), 44},
		{"network namespace", unsafe.Offsetof(e.Socket.Netns), 48},
		{"total", unsafe.Offsetof(e.Total), 96},
		{"offset", unsafe.Offsetof(e.Offset), 100},
		{"captured", unsafe.Offsetof(e.Captured), 104},
		{"size", unsafe.Offsetof(e.Size), 108},
		{"tgid", unsafe.Offsetof(e.Tgid), 112},
		{"tid", unsafe.Offsetof(e.Tid), 116},
		{"file", unsafe.Offsetof(e.File), 120},
		{"kind", unsafe.Offsetof(e.Kind), 124},
		{"joined", unsafe.Offsetof(e.Joined), 125},
		{"random known", unsafe.Offsetof(e.RandomKnown), 126},
		{"random", unsafe.Offsetof(e.Random), 128},
		{"comm", unsafe.Offsetof(e.Comm), 160},
		{"whole", unsafe.Sizeof(e), headSize},
	} {
		if f.got != f.want {
			t.Errorf("%s is at %d, read at %d", f.name, f.got, f.want)
		}
	}
}

func TestDecodeDamaged(t *testing.T) {
	b := make([]byte, headSize+8)
	var e Event
	if err := decode(b[:headSize-1], &e); err == nil {
		t.Error("half a head is an event")
	}
	b[104], b[108] = 9, 9
	if err := decode(b, &e); err == nil {
		t.Error("an event has more payload than bytes")
	}
	b[104] = 8
	if err := decode(b, &e); err != nil || len(e.Payload) != 8 || e.Size != 9 {
		t.Errorf("payload of %d, size %d: %v", len(e.Payload), e.Size, err)
	}
}
