// Package keylog reads and writes the secrets of TLS sessions in the format that NSS began and
// all now use (SSLKEYLOGFILE; draft-ietf-tls-keylogfile): a line has a label, the client's
// random and the secret, in hexadecimal.
//
// In: the content of Decryption Secrets Blocks, or of such a file. Out: secrets, and how many
// lines were none. The random ties a secret to the handshake that has it. A comment of ours,
// "# library openssl", says on the line after it by which library it was told; others pass over
// comments.
package keylog

import (
	"bytes"
	"encoding/hex"
)

// libraryMark is what a comment begins with that says which library told the secret behind it.
const libraryMark = "# library "

// Limits of a line, in bytes. A secret is as long as the hash of its session: 48 bytes of
// TLS 1.2, up to 64 of TLS 1.3.
const (
	RandomSize = 32
	maxSecret  = 64
	maxLabel   = 64
	maxLibrary = 32
)

// The labels of RFC 8446's key schedule, and of the master secret up to TLS 1.2.
const (
	ClientRandom        = "CLIENT_RANDOM"
	ClientEarlyTraffic  = "CLIENT_EARLY_TRAFFIC_SECRET"
	ClientHandshake     = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
	ServerHandshake     = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
	ClientTraffic       = "CLIENT_TRAFFIC_SECRET_0"
	ServerTraffic       = "SERVER_TRAFFIC_SECRET_0"
	Exporter            = "EXPORTER_SECRET"
	EarlyExporterMaster = "EARLY_EXPORTER_SECRET"
)

// Secret is one line.
type Secret struct {
	Label  string
	Random [RandomSize]byte // of the client's hello
	Secret []byte

	Library string // that told it; empty: nobody says
}

// Append appends the secret's line to b, with its line feed, and before it what says which
// library told it.
func (s *Secret) Append(b []byte) []byte {
	if isLibrary(s.Library) {
		b = append(append(append(b, libraryMark...), s.Library...), '\n')
	}
	b = append(append(b, s.Label...), ' ')
	b = append(hex.AppendEncode(b, s.Random[:]), ' ')
	return append(hex.AppendEncode(b, s.Secret), '\n')
}

// Parse gives each secret of data to yield, which owns it, and returns how many lines were
// neither a secret nor empty nor a comment.
func Parse(data []byte, yield func(Secret)) (bad int) {
	library := ""
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if name, ok := bytes.CutPrefix(line, []byte(libraryMark)); ok && isLibrary(string(name)) {
			library = string(name)
			continue
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		s, ok := parse(line)
		if s.Library, library = library, ""; !ok {
			bad++
			continue
		}
		yield(s)
	}
	return bad
}

// isLibrary tells whether s can be the name of a library: a word of small letters.
func isLibrary(s string) bool {
	for _, c := range []byte(s) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return s != "" && len(s) <= maxLibrary
}

// parse reads one line.
func parse(line []byte) (s Secret, ok bool) {
	words := bytes.Fields(line)
	if len(words) != 3 || len(words[0]) > maxLabel || len(words[1]) != hex.EncodedLen(RandomSize) ||
		len(words[2]) == 0 || len(words[2]) > hex.EncodedLen(maxSecret) {
		return s, false
	}
	if _, err := hex.Decode(s.Random[:], words[1]); err != nil {
		return s, false
	}
	s.Secret = make([]byte, hex.DecodedLen(len(words[2])))
	if _, err := hex.Decode(s.Secret, words[2]); err != nil {
		return s, false
	}
	s.Label = string(words[0])
	return s, true
}
