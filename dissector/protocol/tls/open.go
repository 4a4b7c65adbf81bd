package tls

import (
	"bytes"
	"compress/zlib"
	"io"

	"shark/dissector"
	"shark/packet/keylog"
)

// The limits of what is opened.
const (
	maxSealed = 1<<14 + 2048 // a record's content, RFC 5246, section 6.2.3
	maxWrong  = 64           // records in a row that do not open
	maxNexts  = 1024         // sequence numbers that are tried where records are missing
	maxAhead  = 2            // keys that are tried besides the one in use
	maxTried  = 64 << 20     // bytes of each side that are tried in vain
	maxEarly  = 32 << 10     // bytes of early data that wait to be taken
	maxChain  = 128 << 10    // a chain of certificates, unpacked
)

// More handshake message types, RFC 8446, section 4; RFC 8879, section 4.
const (
	hsEncryptedExtensions = 8
	hsFinished            = 20
	hsPackedCertificate   = 25
)

// handshakeSeen is what of a handshake in clear decides on the keys.
type handshakeSeen struct {
	begun, done  bool // by a hello of the client, and of the server
	failed       bool // by an alert
	changed      bool // the server's change to encryption was read
	random       [randomSize]byte
	serverRandom [randomSize]byte
	version      uint16
	suite        uint16
	etm, packed  bool
	alpn         string
}

// answered takes the server's hello.
func (h *handshakeSeen) answered(x *serverHello) {
	if x.retry {
		return
	}
	h.done, h.version, h.suite, h.etm, h.packed = true, x.version, x.suite, x.etm, x.packed
	h.serverRandom = [randomSize]byte(x.random)
	h.alpn = string(x.alpn)
}

// open makes what opens the records behind an answer.
func open(m *dissector.Message, secrets *keylog.Table) (dissector.Opener, dissector.Unreadable) {
	h, _ := m.Ride.(*handshakeSeen)
	switch {
	case h == nil || !h.failed && !(h.begun && h.done):
		return nil, dissector.HandshakeUnseen
	case h.failed:
		return nil, dissector.HandshakeFailed
	case secrets == nil:
		return nil, dissector.NoSecrets
	}
	s := secrets.Find(h.random)
	if s == nil {
		return nil, dissector.NoSecrets
	}
	kind, ok := cipherOf(h.suite)
	if !ok || h.version < version10 || h.version > version13 || h.packed || h.version < version12 && kind.aead != nil {
		return nil, dissector.SuiteUnknown
	}
	o := &opener{version: h.version, alpn: h.alpn, library: s.Library, settled: h.version < version13}
	var both [2]keys
	var why dissector.Unreadable
	if h.version == version13 {
		both, why = keys13(kind, s)
		o.answer = m
	} else {
		both, why = keys12(kind, h, s)
	}
	if why != "" {
		return nil, why
	}
	for i := range o.half {
		x := &o.half[i]
		x.keys, x.tries = both[i], maxTried
		x.sealed = h.version == version13 || h.changed && dissector.Side(i) == dissector.Server
		x.chained = h.version == version10
	}
	return o, ""
}

// opener opens the records of a connection. It implements dissector.Opener.
type opener struct {
	version uint16
	half    [2]half
	alpn    string
	library string // that told the secrets

	answer  *dissector.Message // of TLS 1.3, until it is settled: the rest of the handshake adds to it
	begun   []byte             // a handshake message of the server that goes on
	torn    bool               // bytes of the server's handshake are missing
	settled bool
	whole   bool // it was settled by the end of the handshake
	early   bool // the server took what the client sent before its answer
}

// half is one side's records.
type half struct {
	keys    keys
	now     int // which of them
	seq     uint64
	wrong   int  // records in a row that did not open
	tries   int  // bytes that may still be tried in vain
	sealed  bool // records are encrypted from here on
	chained bool // each record needs the one before
}

// Settled implements dissector.Opener.
func (o *opener) Settled() bool { return o.settled }

// Library implements dissector.Opener.
func (o *opener) Library() string { return o.library }

// Agreed implements dissector.Opener.
func (o *opener) Agreed() string {
	switch o.alpn {
	case "h2":
		return "http2"
	case "http/1.1", "http/1.0":
		return "http"
	case "dot":
		return "dns"
	}
	return o.alpn
}

// Open implements dissector.Opener.
func (o *opener) Open(from dissector.Side, buf []byte, missing int64, dst []byte) (dissector.Opened, error) {
	h := &o.half[from]
	if missing > 0 {
		o.torn = o.torn || from == dissector.Server
		if h.chained {
			return dissector.Opened{}, dissector.BytesLost
		}
		return o.search(from, buf, missing, dst)
	}
	span, err := sealed(buf)
	if err != nil {
		return dissector.Opened{Need: span}, err
	}
	if !o.settled && from == dissector.Client && h.now == 0 && h.keys.at(0) != nil && len(buf) < maxEarly {
		return dissector.Opened{}, dissector.ErrShort // whether it is taken, the server says
	}
	out := dissector.Opened{Span: span}
	rec := buf[:span]
	switch {
	case o.version == version13 && rec[0] != recData || !h.sealed:
		return o.clear(h, rec, out)
	case rec[0] == recChange:
		return out, dissector.Renegotiated
	}
	if o.try(from, rec, uint64(h.wrong), dst, &out) {
		return out, nil
	}
	h.wrong++
	out.Wrong = true
	switch {
	case h.wrong <= maxWrong && h.tries > 0 && !h.chained:
		return out, nil
	case o.version == version13 && h.keys.secrets[len(h.keys.secrets)-1] == nil:
		return out, dissector.SecretsPartly
	}
	return out, dissector.WrongSecrets
}

// clear takes a record that is not encrypted.
func (o *opener) clear(h *half, rec []byte, out dissector.Opened) (dissector.Opened, error) {
	switch rec[0] {
	case recChange:
		h.sealed = true
	case recAlert:
		out.End = ends(rec[headerLen:], o.version)
	case recData:
		h.wrong++
		out.Wrong = true
		if h.wrong > maxWrong {
			return out, dissector.HandshakeUnseen
		}
	}
	return out, nil
}

// ends tells whether an alert ends what its sender says.
func ends(alert []byte, version uint16) bool {
	const fatal, closeNotify, userCanceled = 2, 0, 90
	return len(alert) == 2 && (alert[0] == fatal || alert[1] == closeNotify || version == version13 && alert[1] != userCanceled)
}

// try opens a record with the key and number that are due, or a key that comes next, or, where
// records are missing, one of the nexts numbers behind.
func (o *opener) try(from dissector.Side, rec []byte, nexts uint64, dst []byte, out *dissector.Opened) bool {
	h := &o.half[from]
	for i := h.now; i <= h.now+maxAhead; i++ {
		b, seq := h.keys.at(i), uint64(0)
		if b == nil {
			continue
		}
		if i == h.now {
			seq = h.seq
		}
		for end := seq + nexts; seq <= end && h.tries > 0; seq++ {
			plain, kind, at, ok := b.open(dst, seq, rec)
			if !ok {
				h.tries -= len(rec)
				continue
			}
			h.keys.done(i)
			h.now, h.seq, h.wrong, h.sealed = i, seq+1, 0, true
			out.At, out.Proven = at, true
			o.read(from, kind, plain, out)
			return true
		}
	}
	return false
}

// read takes what a record says.
func (o *opener) read(from dissector.Side, kind byte, plain []byte, out *dissector.Opened) {
	h := &o.half[from]
	if !o.settled && from == dissector.Server && h.now > 0 { // behind the handshake
		o.settle()
	}
	switch kind {
	case recAlert:
		out.End = ends(plain, o.version)
	case recData:
		if o.version == version13 && from == dissector.Client && h.now == 0 && !o.early {
			return // the server took no notice of it, as far as is known
		}
		out.Plain = plain
	case recHandshake:
		if !o.settled && from == dissector.Server {
			o.handshake(plain)
		}
	}
}

// settle ends what is added to the answer. What was not seen to its end leaves it truncated.
func (o *opener) settle() {
	if o.answer != nil && !o.whole {
		o.answer.Truncated = true
	}
	o.settled, o.answer, o.begun = true, nil, nil
}

// handshake reads messages of the server's handshake in TLS 1.3.
func (o *opener) handshake(b []byte) {
	if o.torn {
		return
	}
	o.begun = append(o.begun, b...)
	for len(o.begun) >= hsHeaderLen {
		size := hsHeaderLen + size24(o.begun)
		if size > maxHandshake {
			o.torn = true
			return
		}
		if len(o.begun) < size {
			return
		}
		o.message(o.begun[0], o.begun[hsHeaderLen:size])
		if o.settled {
			return
		}
		o.begun = o.begun[size:]
	}
}

// message reads one message of the server's handshake in TLS 1.3.
func (o *opener) message(kind byte, body []byte) {
	v := &o.answer.Values
	switch kind {
	case hsEncryptedExtensions:
		name, early := EncryptedExtensions(body)
		if len(name) > 0 {
			alpn.Set(v, name)
			o.alpn = string(name)
		}
		o.early = o.early || early
	case hsCertRequest:
		clientAuth.Set(v, true)
	case hsCertificate:
		certificates(v, body, true)
	case hsPackedCertificate:
		if list, ok := unpack(body); ok {
			certificates(v, list, true)
		} else {
			certError.SetString(v, "certificate is compressed in a way that is not read")
		}
	case hsFinished:
		o.whole = true
		o.settle()
	}
}

// EncryptedExtensions returns which application protocol the server chose in such a message, nil
// if none, and whether it takes early data (RFC 8446, section 4.3.1). body is all behind the
// message's length; the name aliases it.
func EncryptedExtensions(body []byte) (alpn []byte, early bool) {
	for e := newReader(extensionList(body)); len(e.B) > 0; {
		switch kind, body := e.uint(2), newReader(e.vector(2)); kind {
		case extALPN:
			list := newReader(body.vector(2))
			alpn = list.vector(1)
		case extEarlyData:
			early = true
		}
	}
	return alpn, early
}

// unpack returns the content of a CompressedCertificate (RFC 8879).
func unpack(b []byte) ([]byte, bool) {
	const byZlib = 1
	r := newReader(b)
	how, size := r.uint(2), r.uint(3)
	packed := r.vector(3)
	if r.Bad || how != byZlib || size > maxChain {
		return nil, false
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, false
	}
	out, err := io.ReadAll(io.LimitReader(z, maxChain))
	return out, err == nil && len(out) == size
}

// search looks for a record where bytes are missing: the first place that has one's header and
// whose content opens.
func (o *opener) search(from dissector.Side, buf []byte, missing int64, dst []byte) (dissector.Opened, error) {
	h := &o.half[from]
	const least = headerLen + 17 // bytes of a record
	nexts := uint64(min(maxNexts, (missing+int64(len(buf)))/least+1+int64(h.wrong)))
	for off := 0; off < len(buf); off++ {
		ok, whole := o.begins(buf[off:])
		switch {
		case !ok:
			continue
		case !whole && off > 0:
			return dissector.Opened{Span: off}, nil // what is before it is done with
		case !whole:
			return dissector.Opened{Need: needOf(buf)}, dissector.ErrShort
		}
		span := spanOf(buf[off:])
		out := dissector.Opened{Span: off + span}
		if o.try(from, buf[off:off+span], nexts, dst, &out) {
			out.At += off
			return out, nil
		}
		if h.tries <= 0 {
			return out, dissector.BytesLost
		}
	}
	return dissector.Opened{Span: len(buf)}, nil
}

// needOf returns how many bytes tell more of the record that may begin at the front of b.
func needOf(b []byte) int {
	if len(b) < headerLen {
		return headerLen
	}
	return spanOf(b)
}

// spanOf returns the length of the record whose header b begins with.
func spanOf(b []byte) int { return headerLen + int(b[3])<<8 + int(b[4]) }

// begins tells whether an encrypted record may begin at the front of b, and whether it is whole.
func (o *opener) begins(b []byte) (ok, whole bool) {
	kind, minor := byte(recData), byte(3)
	if o.version < version13 {
		minor = byte(o.version)
		if b[0] >= recAlert && b[0] <= recData {
			kind = b[0]
		}
	}
	for i, want := range [...]byte{kind, 3, minor} {
		switch {
		case i == len(b):
			return true, false
		case b[i] != want:
			return false, false
		}
	}
	if len(b) < headerLen {
		return true, false
	}
	n := spanOf(b)
	return n >= headerLen+17 && n <= headerLen+maxSealed, len(b) >= n
}

// middle tells whether bytes look like records that are encrypted.
func middle(b []byte) bool {
	if len(b) < headerLen || b[0] != recData || b[1] != 3 || b[2] == 0 || b[2] > 3 {
		return false
	}
	n := spanOf(b)
	if n < headerLen+17 || n > headerLen+maxSealed {
		return false
	}
	next := b[min(n, len(b)):]
	return len(next) < 3 || next[0] >= recChange && next[0] <= recData && next[1] == 3 && next[2] == b[2]
}
