package quic

import (
	"encoding/binary"
	"fmt"
)

// version is what differs between the versions of QUIC that are read.
type version struct {
	number uint32
	salt   string // of the keys of Initial packets, RFC 9001 section 5.2
	labels [3]string
	second bool // packet types are numbered as v2 does, RFC 9369 section 3.2
	retry  *integrity

	oldParameters bool // transport parameters are written as before draft-27
}

// integrity is how a Retry is known to be genuine, RFC 9001 section 5.8.
type integrity struct{ key, nonce string }

var (
	labelsV1 = [3]string{"quic key", "quic iv", "quic hp"}       // RFC 9001 section 5.1
	labelsV2 = [3]string{"quicv2 key", "quicv2 iv", "quicv2 hp"} // RFC 9369 section 3.3.2
)

// The salts: RFC 9001 section 5.2, RFC 9369 section 3.3.1, and the drafts' own.
const (
	saltDraft22 = "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
	saltDraft23 = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	saltDraft29 = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	saltV1      = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	saltV2Draft = "\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3"
	saltV2      = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
)

// The keys and nonces of Retry: RFC 9001 section 5.8, RFC 9369 section 3.3.3, and
// those of draft-25 and draft-29.
var (
	retryDraft25 = &integrity{"\x4d\x32\xec\xdb\x2a\x21\x33\xc8\x41\xe4\x04\x3d\xf2\x7d\x44\x30", "\x4d\x16\x11\xd0\x55\x13\xa5\x52\xc5\x87\xd5\x75"}
	retryDraft29 = &integrity{"\xcc\xce\x18\x7e\xd0\x9a\x09\xd0\x57\x28\x15\x5a\x6c\xb9\x6b\xe1", "\xe5\x49\x30\xf9\x7f\x21\x36\xf0\x53\x0a\x8c\x1c"}
	retryV1      = &integrity{"\xbe\x0c\x69\x0b\x9f\x66\x57\x5a\x1d\x76\x6b\x54\xe3\x68\xc8\x4e", "\x46\x15\x99\xd3\x5d\x63\x2b\xf2\x23\x98\x25\xbb"}
	retryV2      = &integrity{"\x8f\xb4\xb0\x1b\x56\xac\x48\xe2\x60\xfb\xcb\xce\xad\x7c\xcc\x92", "\xd8\x69\x69\xbc\x2d\x7c\x6d\x99\x90\xef\xb0\x4a"}
)

// Numbers of versions.
const (
	numberV1      = 1
	numberV2      = 0x6b3343cf
	numberV2Draft = 0x709a50c4
	draftBase     = 0xff000000 // and the draft's number
	firstDraft    = 22
	lastDraft     = 34
)

// mvfst are versions of an implementation that go by a draft's rules.
var mvfst = map[uint32]uint32{0xfaceb001: 22, 0xfaceb002: 27, 0xfaceb00e: 27}

// readable are the versions that can be read, by number.
var readable = makeVersions()

func makeVersions() map[uint32]*version {
	out := map[uint32]*version{
		numberV1:      {number: numberV1, salt: saltV1, labels: labelsV1, retry: retryV1},
		numberV2:      {number: numberV2, salt: saltV2, labels: labelsV2, second: true, retry: retryV2},
		numberV2Draft: {number: numberV2Draft, salt: saltV2Draft, labels: labelsV2, second: true},
	}
	for n := uint32(firstDraft); n <= lastDraft; n++ {
		out[draftBase+n] = draft(draftBase+n, n)
	}
	for number, n := range mvfst {
		out[number] = draft(number, n)
	}
	return out
}

func draft(number, n uint32) *version {
	v := &version{number: number, salt: saltV1, labels: labelsV1, retry: retryV1, oldParameters: n < 27}
	switch {
	case n < 23:
		v.salt, v.retry = saltDraft22, nil
	case n < 25: // a Retry has no tag yet
		v.salt, v.retry = saltDraft23, nil
	case n < 29:
		v.salt, v.retry = saltDraft23, retryDraft25
	case n < 33:
		v.salt, v.retry = saltDraft29, retryDraft29
	}
	return v
}

// isReserved tells whether a version is one that only forces a negotiation (RFC 9000
// section 15).
func isReserved(number uint32) bool { return number&0x0f0f0f0f == 0x0a0a0a0a }

// candidates returns the versions by whose rules a client's Initial packet may be
// protected. That of a reserved version says nothing of it: a client takes the rules of
// a version that it speaks.
func candidates(number uint32) []*version {
	if v := readable[number]; v != nil {
		return []*version{v}
	}
	if !isReserved(number) {
		return nil
	}
	var out []*version
	for _, like := range [...]uint32{numberV1, draftBase + 29, draftBase + 28} {
		v := *readable[like]
		v.number = number
		out = append(out, &v)
	}
	return out
}

// versionName names a version; one that is not known is given as its number.
func versionName(number uint32) string {
	switch {
	case number == numberV1:
		return "v1"
	case number == numberV2:
		return "v2"
	case number == numberV2Draft:
		return "v2 draft"
	case number>>8 == draftBase>>8:
		return fmt.Sprintf("draft-%02d", number&0xff)
	case isGoogle(number):
		return string(binary.BigEndian.AppendUint32(nil, number))
	}
	return fmt.Sprintf("0x%08x", number)
}

// isGoogle tells whether a version is a letter and three digits, as Google's are.
func isGoogle(number uint32) bool {
	letter := number >> 24
	for n := number << 8; n != 0; n <<= 8 {
		if c := n >> 24; c < '0' || c > '9' {
			return false
		}
	}
	return number&0xff != 0 && (letter == 'Q' || letter == 'T')
}
