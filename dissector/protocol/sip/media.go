package sip

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// media sets the media of a session description (RFC 8866 section 5): kind, address and
// port, protocol. The address of a medium is its own or else that of the session.
func media(description []byte, m *dissector.Message) {
	var session, kind, port, protocol, own []byte
	count := 0
	add := func() {
		if len(kind) == 0 || count > maxMedia {
			return
		}
		if count++; count > maxMedia {
			Media.AddString(&m.Values, wire.CutMark)
			return
		}
		if len(own) == 0 {
			own = session
		}
		ip := own
		if bytes.IndexByte(ip, ':') >= 0 {
			ip = append(append([]byte("["), ip...), ']')
		}
		Media.Add(&m.Values, clip(bytes.Join([][]byte{kind, []byte(" "), ip, []byte(":"), port, []byte(" "), protocol}, nil)))
	}
	for line := range bytes.Lines(description) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		words := bytes.Fields(line[2:min(len(line), maxText)])
		switch {
		case line[0] == 'm' && len(words) >= 3:
			add()
			kind, port, protocol, own = words[0], words[1], words[2], nil
		case line[0] == 'c' && len(words) >= 3 && len(kind) == 0:
			session = words[2]
		case line[0] == 'c' && len(words) >= 3:
			own = words[2]
		}
	}
	add()
}
