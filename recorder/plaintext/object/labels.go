package object

import "bytes"

// labels begin the lines of a key log. Each is found by one of two texts in it.
var labels = []string{
	"CLIENT_RANDOM",
	"EXPORTER_SECRET",
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	"SERVER_HANDSHAKE_TRAFFIC_SECRET",
	"CLIENT_TRAFFIC_SECRET_0",
	"SERVER_TRAFFIC_SECRET_0",
}

var rare = [][]byte{[]byte("CLIENT_RANDOM"), []byte("_SECRET")}

const longestLabel = 31

// labels returns the addresses of labels that are C strings, and how many others there are: in
// Go and Rust texts do not end with 0.
func (m *image) labels() (map[uint64]string, int, error) {
	at, loose := make(map[uint64]string), 0
	for i := range m.segments {
		s := &m.segments[i]
		if !s.load() || s.written() {
			continue
		}
		err := m.windows(s.off, s.size, longestLabel, func(from uint64, b []byte) bool {
			for _, text := range rare {
				for i := 0; len(at)+loose < maxPlaces; i++ {
					next := bytes.Index(b[i:], text)
					if next < 0 {
						break
					}
					i += next
					loose += label(b, i, func(start int, label string) { at[s.addr+from+uint64(start)] = label })
				}
			}
			return len(at)+loose < maxPlaces
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return at, loose, nil
}

// label gives yield each label in b that has the rare text at i, and returns how many are there
// that do not end.
func label(b []byte, i int, yield func(start int, label string)) (loose int) {
	for _, l := range labels {
		for _, text := range rare {
			start := i - bytes.Index([]byte(l), text)
			if start > i || start < 0 || !bytes.HasPrefix(b[start:], []byte(l)) || !bytes.HasPrefix(b[i:], text) {
				continue
			}
			if end := start + len(l); end < len(b) && b[end] == 0 {
				yield(start, l)
			} else {
				loose++
			}
		}
	}
	return loose
}

// texts that are in a library, wherever it was linked into, in the order to believe them.
var texts = []struct {
	text    []byte
	library Library
}{
	{[]byte("(compatible; BoringSSL)"), BoringSSL},
	{[]byte("(compatible; AWS-LC"), BoringSSL},
	{[]byte("/boringssl/"), BoringSSL},
	{[]byte("OpenSSL 3."), OpenSSL},
	{[]byte("OpenSSL 1."), OpenSSL},
	{[]byte("GnuTLS error: "), GnuTLS},
	{[]byte("gnutls_handshake"), GnuTLS},
	{[]byte("rustls"), Rustls},
}

// library tells by its texts which library a file has in it that defines none of the symbols.
func (m *image) library(labels map[uint64]string, loose int) (Library, error) {
	const few = 3 // labels: who has fewer writes no key log
	if len(labels) < few && loose < few {
		return None, nil
	}
	seen := make([]bool, len(texts))
	for i := range m.segments {
		s := &m.segments[i]
		if !s.load() || s.written() {
			continue
		}
		err := m.windows(s.off, s.size, 64, func(_ uint64, b []byte) bool {
			for i := range texts {
				seen[i] = seen[i] || bytes.Contains(b, texts[i].text)
			}
			return true
		})
		if err != nil {
			return None, err
		}
	}
	for i, t := range texts {
		// Texts of Rust do not end, so its labels are loose.
		if seen[i] && (t.library == Rustls) == (len(labels) < few) {
			return t.library, nil
		}
	}
	if len(labels) < few {
		return None, nil
	}
	return Other, nil
}
