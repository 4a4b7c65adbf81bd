//go:build linux

package keys

import (
	"bytes"
	"encoding/binary"
	"testing"

	kernel "shark/bpf/keylog"
)

func hello(n byte) random { return random(bytes.Repeat([]byte{n}, len(random{}))) }

// dumped makes a dump that has randoms at places.
func dumped(places map[kernel.Place]random) *kernel.Dump {
	d := new(kernel.Dump)
	for p, r := range places {
		if p.Deref {
			binary.NativeEndian.PutUint64(d.Object[p.Pointer:], 1)
			copy(d.Behind[p.Pointer/8][p.Offset:], r[:])
		} else {
			copy(d.Object[p.Offset:], r[:])
		}
	}
	return d
}

func TestResultNeedsTwoHandshakesThatAgree(t *testing.T) {
	inside := kernel.Place{Known: true, Offset: 0x160}
	behind := kernel.Place{Known: true, Deref: true, Pointer: 0x30, Offset: 0x30}
	other := kernel.Place{Known: true, Offset: 0x300}
	type dump = map[kernel.Place]random
	for name, c := range map[string]struct {
		dumps []dump
		want  kernel.Place
	}{
		"none":                 {nil, kernel.Place{}},
		"one":                  {[]dump{{inside: hello(1)}}, kernel.Place{}},
		"one, often":           {[]dump{{inside: hello(1)}, {inside: hello(1)}, {inside: hello(1)}}, kernel.Place{}},
		"two":                  {[]dump{{inside: hello(1)}, {inside: hello(2)}}, inside},
		"behind a pointer":     {[]dump{{behind: hello(1)}, {behind: hello(2)}}, behind},
		"two that disagree":    {[]dump{{inside: hello(1)}, {other: hello(2)}}, kernel.Place{}},
		"most":                 {[]dump{{inside: hello(1), other: hello(1)}, {inside: hello(2), other: hello(2)}, {other: hello(3)}}, other},
		"a copy":               {[]dump{{inside: hello(1), other: hello(1), behind: hello(1)}, {inside: hello(2), other: hello(2), behind: hello(2)}}, inside},
		"of another handshake": {[]dump{{inside: hello(9)}, {inside: hello(8)}}, kernel.Place{}},
	} {
		var h hellos
		for n := range byte(3) {
			h.add(hello(n + 1))
		}
		var cal calibration
		for _, d := range c.dumps {
			cal.look(dumped(d), h.have)
		}
		got, ok := cal.result()
		if got != c.want || ok != c.want.Known {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		if ok {
			if r, ok := take(dumped(c.dumps[0]), got); ok && r != hello(1) {
				t.Errorf("%s: takes %x", name, r)
			}
		}
	}
}

func TestTakeStaysInTheDump(t *testing.T) {
	full := new(kernel.Dump)
	for i := range full.Object {
		full.Object[i] = 1
	}
	for _, p := range []kernel.Place{
		{Known: true, Offset: kernel.ObjectSize - 31},
		{Known: true, Deref: true, Pointer: 8 * kernel.Words},
		{Known: true, Deref: true, Offset: kernel.BehindSize - 31},
	} {
		if r, ok := take(full, p); ok {
			t.Errorf("%+v: takes %x", p, r)
		}
	}
	for _, p := range []kernel.Place{{Known: true}, {Known: true, Deref: true}} {
		if _, ok := take(new(kernel.Dump), p); ok {
			t.Errorf("%+v: zeros are taken for a random", p)
		}
	}
}

func TestWaitingAndHellosAreBounded(t *testing.T) {
	var c calibration
	dropped := 0
	for range 3 * maxWaiting {
		dropped += c.add(new(kernel.Dump))
	}
	if len(c.waiting) != maxWaiting || dropped != 2*maxWaiting {
		t.Errorf("%d dumps wait, %d were let go", len(c.waiting), dropped)
	}
	var h hellos
	for i := range 3 * maxHellos {
		r := hello(1)
		binary.NativeEndian.PutUint32(r[:], uint32(i))
		if !h.add(r) || h.add(r) {
			t.Fatalf("hello %d is not new once", i)
		}
	}
	if len(h.have) > maxHellos || h.add(random{}) {
		t.Errorf("%d hellos are remembered, or zeros are one", len(h.have))
	}
}

func TestLabels(t *testing.T) {
	for label, want := range map[string]bool{
		"CLIENT_RANDOM": true, "EXPORTER_SECRET": true, "CLIENT_TRAFFIC_SECRET_0": true, "SERVER_TRAFFIC_SECRET_12": true,
		"CLIENT_EARLY_TRAFFIC_SECRET": true, "SERVER_HANDSHAKE_TRAFFIC_SECRET": true,
		"": false, "client_random": false, "CLIENT_TRAFFIC_SECRET_": false, "CLIENT_TRAFFIC_SECRET_x": false, "RSA": false, "CLIENT_RANDOM x": false,
	} {
		if known(label) != want {
			t.Errorf("%q: %v", label, !want)
		}
	}
}

func TestHelloRandom(t *testing.T) {
	want := hello(7)
	record := append([]byte{0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3}, want[:]...)
	tcp := func(words byte) []byte {
		b := make([]byte, 4*int(words))
		b[12] = words << 4
		return append(b, record...)
	}
	v4 := func(words byte, payload []byte) []byte {
		b := make([]byte, 4*int(words))
		b[0], b[9] = 0x40|words, 6
		return append(b, payload...)
	}
	v6 := append([]byte{0x60, 5: 0, 6: 6, 39: 0}, tcp(8)...)
	for name, b := range map[string][]byte{"IPv4": v4(5, tcp(5)), "options": v4(7, tcp(15)), "IPv6": v6} {
		if r, ok := helloRandom(b); !ok || r != want {
			t.Errorf("%s: %x", name, r)
		}
		for n := range b {
			if _, ok := helloRandom(b[:n]); ok {
				t.Errorf("%s: %d of %d bytes have a random", name, n, len(b))
			}
		}
	}
}
