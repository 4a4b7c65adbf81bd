package snapshot

import (
	"bytes"
	"testing"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// hello begins like a client's hello with a random of one byte again and again.
func hello(b byte) []byte {
	return append([]byte{22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}, bytes.Repeat([]byte{b}, keylog.RandomSize)...)
}

func secretOf(b byte, library string) []byte {
	s := keylog.Secret{Label: keylog.ClientRandom, Random: [keylog.RandomSize]byte(bytes.Repeat([]byte{b}, keylog.RandomSize)), Secret: []byte{b}, Library: library}
	return s.Append(nil)
}

// TestHellos: of secrets those of the handshakes that were seen are left, with what is said of
// them, and the others are counted once each.
func TestHellos(t *testing.T) {
	var h hellos
	see := func(proto packet.Proto, payload []byte) {
		h.see(&packet.Packet{Kind: packet.Transport, Proto: proto, Payload: payload})
	}
	see(packet.TCP, hello(1))
	see(packet.TCP, hello(2)[:helloBytes-1]) // cut too short to tell
	see(packet.UDP, hello(3))
	see(packet.TCP, append([]byte("x"), hello(4)...)) // not at the front
	see(packet.TCP, append(hello(5), 0))
	see(packet.TCP, nil)
	var all []pcapng.Secret
	for i := range byte(7) {
		all = append(all, pcapng.Secret{Type: pcapng.SecretTLS, Data: secretOf(i, "openssl")})
	}
	all = append(all, all[3], pcapng.Secret{Type: 1, Data: []byte("of another kind")})
	all = append(all, pcapng.Secret{Type: pcapng.SecretTLS, Data: bytes.Join([][]byte{secretOf(0, "go"), secretOf(1, ""), []byte("# library go\n"), secretOf(5, "")}, nil)})
	var got, want []byte
	for _, s := range h.narrow(all) {
		got = append(got, s.Data...)
	}
	for _, s := range [][]byte{secretOf(1, "openssl"), secretOf(5, "openssl"), secretOf(1, ""), secretOf(5, "go")} {
		want = append(want, s...)
	}
	if !bytes.Equal(got, want) || len(h.left) != 6 {
		t.Errorf("kept are\n%s, want\n%s; %d are left out", got, want, len(h.left))
	}
	if h.narrow(nil); len(h.left) != 0 {
		t.Errorf("%d of none are left out", len(h.left))
	}
}
