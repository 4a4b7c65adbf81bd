package ssh

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"shark/dissector"
	"shark/dissector/field"
)

// exchange is the key of the one call that a connection is.
const exchange = 1

// parser reads one connection.
type parser struct {
	said   [2]bool // what of a side is to be read was read
	offers [2]*kexInit
}

// parse reads an identification string or a packet. A client has said what there is to
// read with its KEXINIT, a server with its host key: then it has seen the client's.
func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if p.said[from] {
		m.Skip = true
		return dissector.UntilClose, nil
	}
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	m.SetKey(exchange)
	if buf[0] != 0 {
		id, size, err := ident(buf)
		if err != nil || p.offers[from] != nil {
			return 0, either(err)
		}
		p.ident(from, id, m)
		m.Open, m.Begins = true, from == dissector.Server
		return int64(size), nil
	}
	number, payload, span, err := packet(buf)
	if err != nil {
		return 0, err
	}
	if int64(len(buf)) < span {
		m.Need = int(span)
		return 0, dissector.ErrShort
	}
	return span, p.packet(from, number, payload, m)
}

// either returns err, or that what was read does not belong there.
func either(err error) error {
	if err != nil {
		return err
	}
	return errMalformed
}

// packet reads a whole packet.
func (p *parser) packet(from dissector.Side, number byte, payload []byte, m *dissector.Message) error {
	begun := p.offers[from] != nil
	switch {
	case number == msgKexInit && !begun:
		return p.kexInit(from, payload, m)
	case number >= msgIgnore && number <= msgDebug && begun: // UNIMPLEMENTED is between them
		m.Open = true
		return nil
	case from == dissector.Client || !begun:
		return errMalformed
	case number == msgDisconnect:
		return p.disconnect(payload, m)
	case number == msgKexReplyDH && p.groups():
		m.Open = true
		return nil
	case number == msgKexReplyDH || number == msgGexReply:
		m.Next = dissector.Opaque
		p.agree(m)
		p.said[from], p.offers = true, [2]*kexInit{}
		return p.hostKey(payload, m)
	}
	return errMalformed
}

// kexInit takes what a side offers.
func (p *parser) kexInit(from dissector.Side, payload []byte, m *dissector.Message) error {
	k, err := readKexInit(payload, true)
	if err != nil {
		return err
	}
	for i := range k {
		k[i] = bytes.Clone(k[i])
	}
	p.offers[from] = &k
	if from == dissector.Client {
		p.said[from] = true
		if !m.Has(dissector.Operation) {
			dissector.Operation.SetString(&m.Values, operation)
		}
		fingerprint(HASSH, m, k[listKex], k[listCipherUp], k[listMACUp], k[listCompressionUp])
	} else {
		m.Open = true
		fingerprint(HASSHServer, m, k[listKex], k[listCipherDown], k[listMACDown], k[listCompressionDown])
	}
	if p.offers[from.Other()] != nil && p.lacks() != "" { // nothing else follows
		p.agree(m)
		p.said[from], m.Open = true, false
	}
	return nil
}

// ident sets the identification string.
func (p *parser) ident(from dissector.Side, id []byte, m *dissector.Message) {
	v := &m.Values
	if from == dissector.Client {
		ClientID.Set(v, id)
		dissector.Operation.SetString(v, operation)
		dissector.Summary.Set(v, id)
		return
	}
	ServerID.Set(v, id)
	version, _, _ := bytes.Cut(bytes.TrimPrefix(id, []byte("SSH-")), []byte("-"))
	Version.Set(v, version)
}

// operation is what a client asks for.
const operation = "KEXINIT"

// fingerprint sets a HASSH: the MD5 of four lists between semicolons.
func fingerprint(f field.TextField, m *dissector.Message, lists ...[]byte) {
	sum := md5.Sum(bytes.Join(lists, []byte(";")))
	f.SetString(&m.Values, hex.EncodeToString(sum[:]))
}

// chosen says what is agreed on by which list, in the order in which it is reported that
// nothing is.
var chosen = [...]struct {
	list  int
	field field.TextField
	word  string
}{
	{listKex, Kex, "key exchange method"},
	{listHostKey, HostKey, "host key algorithm"},
	{listCipherUp, CipherUp, "cipher"},
	{listCipherDown, CipherDown, "cipher"},
	{listMACUp, MACUp, "MAC"},
	{listMACDown, MACDown, "MAC"},
	{listCompressionUp, CompressionUp, "compression"},
	{listCompressionDown, CompressionDown, "compression"},
}

// statusAgreed is the status of a connection whose sides agree.
const statusAgreed = "agreed"

// common returns the first name of the client's list that is in the server's, which is
// what is chosen (RFC 4253 section 7.1).
func (p *parser) common(list int) []byte {
	server := names(p.offers[dissector.Server][list])
	for name := range bytes.SplitSeq(p.offers[dissector.Client][list], []byte(",")) {
		if len(name) > 0 && len(name) <= maxNameLen && server[string(name)] {
			return name
		}
	}
	return nil
}

// choose calls f with what is chosen of each list, nil where nothing is.
func (p *parser) choose(f func(i int, name []byte)) {
	var ciphers [lists][]byte
	for i, c := range chosen {
		name := p.common(c.list)
		switch c.list {
		case listCipherUp:
			ciphers[listMACUp] = name
		case listCipherDown:
			ciphers[listMACDown] = name
		}
		if authenticates(ciphers[c.list]) {
			name = implicit
		}
		f(i, name)
	}
}

// implicit is the MAC of a cipher that needs none.
var implicit = []byte("implicit")

// lacks says of what the two offers have nothing in common.
func (p *parser) lacks() (what string) {
	p.choose(func(i int, name []byte) {
		if name == nil && what == "" {
			what = chosen[i].word
		}
	})
	return what
}

// agree sets what is chosen, where both offers are known.
func (p *parser) agree(m *dissector.Message) {
	if p.offers[dissector.Client] == nil || p.offers[dissector.Server] == nil {
		return
	}
	v, status := &m.Values, statusAgreed
	if what := p.lacks(); what != "" {
		status = "no " + what + " in common"
	}
	p.choose(func(i int, name []byte) {
		if name != nil {
			chosen[i].field.Set(v, name)
		}
	})
	dissector.Status.SetString(v, status)
	dissector.Failed.Set(v, status != statusAgreed)
}

// groups tells whether the method is one in which the server sends a group before its
// host key, in a message of the same number (RFC 4419 section 3).
func (p *parser) groups() bool {
	return p.offers[dissector.Client] != nil && bytes.Contains(p.common(listKex), []byte("group-exchange"))
}

// hostKey sets the fingerprint of the key with which a reply begins.
func (p *parser) hostKey(payload []byte, m *dissector.Message) error {
	if len(payload) < nameLen {
		return errMalformed
	}
	n := int64(binary.BigEndian.Uint32(payload))
	if n > int64(len(payload)-nameLen) {
		return errMalformed
	}
	sum := sha256.Sum256(payload[nameLen:][:n])
	Fingerprint.SetString(&m.Values, "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:]))
	return nil
}

// disconnect ends what a server says (RFC 4253 section 11.1).
func (p *parser) disconnect(payload []byte, m *dissector.Message) error {
	if len(payload) < nameLen {
		return errMalformed
	}
	p.said[dissector.Server] = true
	m.Next = dissector.Opaque
	p.agree(m)
	dissector.Status.SetString(&m.Values, "disconnected")
	dissector.StatusCode.Set(&m.Values, int64(binary.BigEndian.Uint32(payload)))
	dissector.Failed.Set(&m.Values, true)
	return nil
}

// authenticates tells whether a cipher needs no MAC of its own: those of OpenSSH's
// PROTOCOL, sections 1.6 and 1.7, and of RFC 5647.
func authenticates(cipher []byte) bool {
	switch string(cipher) {
	case "chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM":
		return true
	}
	return false
}
