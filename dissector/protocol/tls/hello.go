package tls

import (
	"bytes"
	"errors"

	"shark/dissector"
)

// Handshake extensions that are read: https://www.iana.org/assignments/tls-extensiontype-values.
const (
	extServerName   = 0
	extGroups       = 10
	extPointFormats = 11
	extSignatures   = 13
	extALPN         = 16
	extEncryptFirst = 22
	extPreSharedKey = 41
	extEarlyData    = 42
	extVersions     = 43
	extKeyShare     = 51
)

var (
	errClientHello = errors.New("malformed client hello")
	errServerHello = errors.New("malformed server hello")
)

// randomSize is the length of a hello's random.
const randomSize = 32

// ClientHello is what a client offers (RFC 8446, section 4.1.2). Its slices
// alias the bytes it was read from.
type ClientHello struct {
	Random       []byte
	Version      uint16 // legacy_version: at most TLS 1.2
	Suites       Numbers
	Extensions   []byte  // the extensions as sent: type, length, content; up to the first that is malformed
	ServerName   []byte  // nil when there is none
	Groups       Numbers // named groups
	PointFormats []byte
	Signatures   Numbers // signature algorithms
	EarlyData    bool    // it goes on with what the server may take before it answered
	Versions     Numbers // supported_versions; empty before TLS 1.3
	ALPN         []byte  // application protocols, each behind its length
}

// ParseClientHello reads the body of a ClientHello, which begins with its
// version: without the four bytes of the handshake header. What it returns
// aliases b.
func ParseClientHello(b []byte) (ClientHello, error) {
	r := newReader(b)
	h := ClientHello{Version: uint16(r.uint(2))}
	h.Random = r.Take(randomSize)
	r.vector(1)
	h.Suites = Numbers(r.vector(2))
	r.vector(1) // compression methods
	if r.Bad || len(h.Suites)%2 != 0 {
		return ClientHello{}, errClientHello
	}
	h.Extensions = extensionList(r.B)
	for e := newReader(h.Extensions); len(e.B) > 0; {
		kind, body := e.uint(2), e.vector(2)
		h.extension(kind, newReader(body))
	}
	return h, nil
}

// extensionList takes the length off a list of extensions, which before TLS 1.2
// may be absent, and cuts it where it is malformed.
func extensionList(b []byte) []byte {
	r := newReader(b)
	n := r.uint(2)
	list := r.B[:min(n, len(r.B))]
	for e := newReader(list); ; {
		whole := len(list) - len(e.B)
		e.uint(2)
		if e.vector(2); e.Bad {
			return list[:whole]
		}
	}
}

// extension reads the content of one extension. One that is malformed is taken
// as empty: the hello is no less worth for it.
func (h *ClientHello) extension(kind int, r reader) {
	switch kind {
	case extServerName:
		h.ServerName = nameOf(r.vector(2))
	case extGroups:
		h.Groups = numbers(r.vector(2))
	case extPointFormats:
		h.PointFormats = r.vector(1)
	case extSignatures:
		h.Signatures = numbers(r.vector(2))
	case extALPN:
		h.ALPN = r.vector(2)
	case extEarlyData:
		h.EarlyData = true
	case extVersions:
		h.Versions = numbers(r.vector(1))
	}
}

// nameOf returns the host name of a server name list (RFC 6066, section 3).
func nameOf(list []byte) []byte {
	for r := newReader(list); len(r.B) > 0; {
		if kind, name := r.uint(1), r.vector(2); kind == 0 && !r.Bad {
			return name
		}
	}
	return nil
}

func numbers(b []byte) Numbers { return Numbers(b[:len(b)&^1]) }

// EachExtension calls f with the type of every extension in the order sent.
func (h *ClientHello) EachExtension(f func(kind uint16)) {
	for r := newReader(h.Extensions); len(r.B) > 0; {
		f(uint16(r.uint(2)))
		r.vector(2)
	}
}

// EachALPN calls f with every application protocol in the order sent.
func (h *ClientHello) EachALPN(f func(name []byte)) {
	for r := newReader(h.ALPN); len(r.B) > 0; {
		if name := r.vector(1); !r.Bad {
			f(name)
		}
	}
}

// firstALPN returns the application protocol the client likes best.
func (h *ClientHello) firstALPN() []byte {
	r := newReader(h.ALPN)
	return r.vector(1)
}

// Set sets the fields of a hello that was sent over a transport: 't' for TCP,
// 'q' for QUIC, 'd' for DTLS.
func (h *ClientHello) Set(m *dissector.Message, transport byte) {
	v := &m.Values
	dissector.Operation.SetString(v, "ClientHello")
	if first := h.firstALPN(); len(h.ServerName) > 0 {
		dissector.Summary.Set(v, h.ServerName)
	} else if len(first) > 0 {
		dissector.Summary.Set(v, first)
	}
	if len(h.ServerName) > 0 {
		serverName.Set(v, h.ServerName)
	}
	left := maxListed
	listed := func() bool { left--; return left >= 0 }
	for i := range h.Suites.Len() {
		if n := h.Suites.At(i); !isGrease(n) && listed() {
			offered.AddString(v, SuiteName(n))
		}
	}
	h.EachALPN(func(name []byte) {
		if listed() {
			offeredALPN.Add(v, name)
		}
	})
	for i := range h.Versions.Len() {
		if n := h.Versions.At(i); !isGrease(n) && listed() {
			versions.AddString(v, VersionName(n))
		}
	}
	if h.Versions.Len() == 0 {
		versions.AddString(v, VersionName(h.Version))
	}
	h.EachExtension(func(kind uint16) {
		if !isGrease(kind) && listed() {
			extensions.AddString(v, extensionName(kind))
		}
	})
	ja3.SetString(v, h.JA3())
	ja4.SetString(v, h.JA4(transport))
}

// serverHello is what a server chose (RFC 8446, section 4.1.3).
type serverHello struct {
	legacy     uint16 // legacy_version
	version    uint16 // the version really chosen
	suite      uint16
	extensions []byte
	alpn       []byte
	group      uint16 // of the key share; 0 when there is none
	random     []byte
	packed     bool // by a compression method, which nobody has any more
	etm        bool // records are encrypted first, then authenticated
	resumed    bool // a pre-shared key was chosen
	retry      bool // it is a HelloRetryRequest
}

// retryRandom is the random of a HelloRetryRequest: the SHA-256 of that word.
var retryRandom = []byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

func parseServerHello(b []byte) (h serverHello, err error) {
	r := newReader(b)
	h.legacy = uint16(r.uint(2))
	h.version = h.legacy
	h.random = r.Take(randomSize)
	h.retry = bytes.Equal(h.random, retryRandom)
	r.vector(1) // session id
	h.suite = uint16(r.uint(2))
	h.packed = r.uint(1) != 0
	if r.Bad {
		return h, errServerHello
	}
	h.extensions = extensionList(r.B)
	for e := newReader(h.extensions); len(e.B) > 0; {
		kind, body := e.uint(2), e.vector(2)
		h.extension(kind, newReader(body))
	}
	return h, nil
}

func (h *serverHello) extension(kind int, r reader) {
	switch kind {
	case extALPN:
		list := newReader(r.vector(2))
		h.alpn = list.vector(1)
	case extEncryptFirst:
		h.etm = true
	case extPreSharedKey:
		h.resumed = true
	case extVersions:
		if v := r.uint(2); !r.Bad {
			h.version = uint16(v)
		}
	case extKeyShare:
		if g := r.uint(2); !r.Bad {
			h.group = uint16(g)
		}
	}
}

func (h *serverHello) set(m *dissector.Message) {
	v, name := &m.Values, SuiteName(h.suite)
	dissector.Operation.SetString(v, "ServerHello")
	dissector.Status.SetString(v, VersionName(h.version))
	version.Set(v, int64(h.version))
	versionName.SetString(v, VersionName(h.version))
	suite.Set(v, int64(h.suite))
	suiteName.SetString(v, name)
	switch {
	case len(h.alpn) > 0:
		alpn.Set(v, h.alpn)
		dissector.Summary.Set(v, h.alpn)
	default:
		dissector.Summary.SetString(v, name)
	}
	if h.group != 0 {
		group.SetString(v, groupName(h.group))
	}
	ja3s.SetString(v, h.ja3s())
	if h.retry {
		helloRetry.Set(v, true)
		dissector.Status.SetString(v, "HelloRetryRequest")
	}
	if h.resumed {
		resumed.Set(v, true)
	}
	if isWeak(h.version, name) {
		weak.Set(v, true)
	}
}
