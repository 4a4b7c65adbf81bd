package ssh

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
)

// The numbers of messages (RFC 4253 section 12, RFC 4419 section 5).
const (
	msgDisconnect = 1
	msgIgnore     = 2
	msgDebug      = 4
	msgKexInit    = 20
	msgKexInitDH  = 30 // also KEX_ECDH_INIT and KEX_DH_GEX_REQUEST_OLD
	msgKexReplyDH = 31 // also KEX_ECDH_REPLY and KEX_DH_GEX_GROUP
	msgGexReply   = 33
	msgGexRequest = 34
)

// The lengths of what they are made of.
const (
	cookie         = 16
	packetHeader   = 6 // length, length of padding, number of the message
	minPadding     = 4
	lists          = 10
	nameLen        = 4 // bytes of a name-list's length
	kexInitTrailer = 5 // first_kex_packet_follows and a reserved number
)

// The name-lists of a KEXINIT, in their order (RFC 4253 section 7.1).
const (
	listKex = iota
	listHostKey
	listCipherUp
	listCipherDown
	listMACUp
	listMACDown
	listCompressionUp
	listCompressionDown
)

// kexInit is what a side offers: its name-lists.
type kexInit [lists][]byte

// ident finds an identification string, which lines may come before (RFC 4253 section
// 4.2), and returns it without its end, and how many bytes all that is.
func ident(b []byte) (id []byte, size int, err error) {
	for size < maxText {
		line := b[size:]
		eol := bytes.IndexByte(line[:min(len(line), maxIdent)], '\n')
		part := line
		if eol >= 0 {
			part = bytes.TrimSuffix(line[:eol], []byte("\r"))
		}
		switch {
		case eol < 0 && (len(line) >= maxIdent || !plain(bytes.TrimSuffix(part, []byte("\r")))):
			return nil, 0, errMalformed
		case eol < 0:
			return nil, 0, dissector.ErrShort
		case !plain(part):
			return nil, 0, errMalformed
		case isIdent(part):
			return part, size + eol + 1, nil
		case bytes.HasPrefix(part, []byte("SSH-")): // of another version
			return nil, 0, errMalformed
		}
		size += eol + 1
	}
	return nil, 0, errMalformed
}

// isIdent tells whether a line is an identification string of SSH 2.
func isIdent(line []byte) bool {
	software, ok := bytes.CutPrefix(line, []byte("SSH-2.0-"))
	if !ok {
		software, ok = bytes.CutPrefix(line, []byte("SSH-1.99-")) // RFC 4253 section 5.1
	}
	return ok && len(software) > 0
}

// plain tells whether a line has only what can be shown in ASCII.
func plain(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// packet reads the header of a packet that is not encrypted yet (RFC 4253 section 6):
// the number of its message, and the payload behind it as far as it is at hand.
func packet(b []byte) (number byte, payload []byte, span int64, err error) {
	if len(b) < packetHeader {
		return 0, nil, 0, dissector.ErrShort
	}
	length, padding := int64(binary.BigEndian.Uint32(b)), int64(b[4])
	if length > maxPacket || padding < minPadding || length < padding+2 || (length+4)%8 != 0 {
		return 0, nil, 0, errMalformed
	}
	span = 4 + length
	return b[5], b[packetHeader:min(int64(len(b)), span-padding)], span, nil
}

// readKexInit reads the payload of a KEXINIT, which must fill its packet.
func readKexInit(payload []byte, whole bool) (k kexInit, err error) {
	short := func() error {
		if whole {
			return errMalformed
		}
		return dissector.ErrShort
	}
	if len(payload) < cookie {
		return k, short()
	}
	b := payload[cookie:]
	for i := range k {
		if len(b) < nameLen {
			return k, short()
		}
		n := int64(binary.BigEndian.Uint32(b))
		if n > maxLists {
			return k, errMalformed
		}
		have := min(n, int64(len(b)-nameLen))
		if !named(b[nameLen:][:have]) {
			return k, errMalformed
		}
		if have < n {
			return k, short()
		}
		k[i], b = b[nameLen:][:n], b[nameLen+n:]
	}
	switch {
	case len(b) < kexInitTrailer:
		return k, short()
	case len(b) > kexInitTrailer || len(k[listKex]) == 0:
		return k, errMalformed
	}
	return k, nil
}

// named tells whether a list has only the characters of names and commas.
func named(list []byte) bool {
	for _, c := range list {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// names returns what a list names.
func names(list []byte) map[string]bool {
	set := make(map[string]bool)
	for name := range bytes.SplitSeq(list, []byte(",")) {
		set[string(name)] = true
	}
	return set
}

// sender tells who sends such a KEXINIT, if it says so: ext-info-c and ext-info-s stand
// for an extension of the client and of the server (RFC 8308 section 2.1), the other two
// for a stricter key exchange (OpenSSH's PROTOCOL, section 1.10).
func (k *kexInit) sender() dissector.Guess {
	client, server := false, false
	for name := range bytes.SplitSeq(k[listKex], []byte(",")) {
		switch string(name) {
		case "ext-info-c", "kex-strict-c-v00@openssh.com":
			client = true
		case "ext-info-s", "kex-strict-s-v00@openssh.com":
			server = true
		}
	}
	switch {
	case client && !server:
		return dissector.Request
	case server && !client:
		return dissector.Response
	}
	return dissector.More
}
