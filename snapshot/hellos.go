package snapshot

import (
	"bytes"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// maxHellos is of how many handshakes the randoms are remembered, some 50 bytes each. The secrets
// of more are left out.
const maxHellos = keylog.MaxSessions

// Where a record of TLS that has a client's hello has what tells it (RFC 8446, sections 4.1.2 and
// 5.1).
const (
	helloType   = 5  // of the message, behind the record's header
	helloRandom = 11 // behind the message's header and its version
	helloBytes  = helloRandom + keylog.RandomSize
)

// hellos are the handshakes among the packets that a filter takes: those whose client's hello
// begins a segment of TCP, which is where it has been put by whoever sends one at once.
type hellos struct {
	randoms map[[keylog.RandomSize]byte]struct{}
	left    map[string]struct{} // secrets of others, which may come more than once
}

// see looks for a hello in a packet.
func (h *hellos) see(p *packet.Packet) {
	b := p.Payload
	if p.Kind != packet.Transport || p.Proto != packet.TCP || len(b) < helloBytes || b[0] != 22 || b[1] != 3 || b[helloType] != 1 {
		return
	}
	if h.randoms == nil {
		h.randoms = make(map[[keylog.RandomSize]byte]struct{})
	}
	if len(h.randoms) < maxHellos {
		h.randoms[[keylog.RandomSize]byte(b[helloRandom:])] = struct{}{}
	}
}

// narrow leaves of secrets those of the handshakes that were seen, with the comments before them,
// and counts the others: of handshakes that the filter left out, and of those that cannot be told
// (in QUIC, or from before the window).
func (h *hellos) narrow(all []pcapng.Secret) (kept []pcapng.Secret) {
	h.left = make(map[string]struct{})
	for _, s := range all {
		if s.Type != pcapng.SecretTLS {
			h.left[string(s.Data)] = struct{}{}
			continue
		}
		if s.Data = h.lines(s.Data); len(s.Data) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// lines leaves of the lines of a key log those of the handshakes that were seen.
func (h *hellos) lines(data []byte) (kept []byte) {
	var said []byte // comments, which are on what follows
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, []byte("#")) {
			said = append(said, line...)
			continue
		}
		mine := false
		bad := keylog.Parse(line, func(s keylog.Secret) { _, mine = h.randoms[s.Random] })
		switch {
		case mine:
			kept = append(append(kept, said...), line...)
		case bad > 0 || len(bytes.TrimSpace(line)) > 0:
			h.left[string(line)] = struct{}{}
		}
		said = said[:0]
	}
	return kept
}
