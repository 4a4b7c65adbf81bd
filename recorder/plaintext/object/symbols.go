package object

import (
	"bytes"
	"debug/elf"
	"io"
)

// points are the functions that get secrets, by the names that compilers gave them; all take
// (object, label, secret, length).
var points = []string{
	"ssl_log_secret", // OpenSSL
	"_ZN4bssl14ssl_log_secretEPK6ssl_stPKcNS_4SpanIKhEE", // BoringSSL
	"_ZN4bssl14ssl_log_secretEPK6ssl_stPKcN4absl4SpanIKhEE",
	"_gnutls_call_keylog_func",
}

// accessors are exported functions that give the client's random of (object, ...).
var accessors = []string{"SSL_get_client_random", "gnutls_session_get_random"}

// marks are functions that one library has and the others have not, in the order to ask:
// BoringSSL has OpenSSL's too.
var marks = []struct {
	name    string
	library Library
}{
	{"SSL_CTX_set_grease_enabled", BoringSSL},
	{"SSL_CTX_new", OpenSSL},
	{"gnutls_handshake", GnuTLS},
	{"SSL_ImportFD", NSS},
}

// symbols are the addresses of those names above that a file defines.
type symbols map[string]uint64

func (s symbols) first(names []string) (uint64, bool) {
	for _, name := range names {
		if at, ok := s[name]; ok {
			return at, true
		}
	}
	return 0, false
}

func (s symbols) library() Library {
	for _, m := range marks {
		if _, ok := s[m.name]; ok {
			return m.library
		}
	}
	return None
}

func wanted() []string {
	var all []string
	for _, m := range marks {
		all = append(all, m.name)
	}
	return append(append(all, points...), accessors...)
}

// Functions returns where in a file the functions begin that it defines as symbols, of those
// that are asked for. What it does not define is not in the answer.
func Functions(r io.ReaderAt, size int64, names ...string) (map[string]uint64, error) {
	if size > maxFile {
		return nil, ErrTooLarge
	}
	m, err := open(r, size)
	if err != nil {
		return nil, err
	}
	found, err := m.symbols(names)
	if err != nil {
		return nil, err
	}
	at := make(map[string]uint64, len(found))
	for name, addr := range found {
		if off, ok := m.offset(addr); ok {
			at[name] = off
		}
	}
	return at, nil
}

// symbols looks through the tables of symbols for names.
func (m *image) symbols(wanted []string) (symbols, error) {
	found := make(symbols)
	for _, s := range m.sections {
		if s.kind != uint32(elf.SHT_DYNSYM) && s.kind != uint32(elf.SHT_SYMTAB) || int64(s.link) >= int64(len(m.sections)) {
			continue
		}
		names, err := m.named(m.sections[s.link], wanted)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			continue
		}
		size := s.size - s.size%symbolSize
		// A window is no multiple of symbols: what is left over comes with the next.
		err = m.windows(s.off, size, symbolSize, func(at uint64, b []byte) bool {
			for i := int((symbolSize - at%symbolSize) % symbolSize); i+symbolSize <= len(b); i += symbolSize {
				name, ok := names[order.Uint32(b[i:])]
				value := order.Uint64(b[i+8:])
				if ok && order.Uint16(b[i+6:]) != uint16(elf.SHN_UNDEF) && elf.ST_TYPE(b[i+4]) == elf.STT_FUNC && value != 0 {
					found[name] = value
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// named returns where in a table of strings the names are that are wanted. Linkers let a string
// begin in another.
func (m *image) named(s section, wanted []string) (map[uint32]string, error) {
	at := make(map[uint32]string)
	longest := 0
	for _, name := range wanted {
		longest = max(longest, len(name))
	}
	err := m.windows(s.off, s.size, longest, func(from uint64, b []byte) bool {
		for _, name := range wanted {
			for i := 0; len(at) < maxPlaces; i++ {
				next := bytes.Index(b[i:], []byte(name))
				if next < 0 {
					break
				}
				i += next
				if end := i + len(name); end < len(b) && b[end] == 0 && from+uint64(i) < 1<<32 {
					at[uint32(from)+uint32(i)] = name
				}
			}
		}
		return true
	})
	return at, err
}
