package tls

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"hash"
	"slices"

	"shark/dissector"
	"shark/packet/keylog"
)

// keys are those that one side encrypts with, in their order: up to TLS 1.2 one, then those of
// early data, of the handshake, of what is said, and of each update.
type keys struct {
	kind    cipherKind
	secrets [][]byte // of TLS 1.3, nil where they are not known; those done with are nil too
	boxes   []box    // the same of their keys
}

// at returns the i-th key; nil when it is not known.
func (k *keys) at(i int) box {
	for len(k.boxes) <= i {
		n := len(k.boxes)
		if len(k.secrets) == 0 {
			return nil
		}
		if n >= len(k.secrets) {
			last := k.secrets[n-1]
			if last == nil {
				return nil
			}
			k.secrets = append(k.secrets, k.expand(last, "traffic upd", k.kind.hash.Size()))
		}
		k.boxes = append(k.boxes, k.box13(k.secrets[n]))
	}
	return k.boxes[i]
}

// done forgets the keys before the i-th.
func (k *keys) done(i int) {
	for i--; i >= 0 && k.boxes[i] != nil; i-- {
		k.boxes[i] = nil
		if i < len(k.secrets) {
			k.secrets[i] = nil
		}
	}
}

func (k *keys) expand(secret []byte, label string, n int) []byte {
	return ExpandLabel(k.kind.hash, secret, label, n)
}

// ExpandLabel is HKDF-Expand-Label without context (RFC 8446, section 7.1). It is nil where n
// is more than the hash can give.
func ExpandLabel(h crypto.Hash, secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	out, err := hkdf.Expand(h.New, secret, string(append(info, 0)), n)
	if err != nil {
		return nil
	}
	return out
}

// box13 makes the key of a secret of TLS 1.3; nil of one that is none.
func (k *keys) box13(secret []byte) box {
	if len(secret) != k.kind.hash.Size() {
		return nil
	}
	aead, err := k.kind.aead(k.expand(secret, "key", k.kind.key))
	if err != nil {
		return nil
	}
	b := &aeadBox{aead: aead, v13: true}
	copy(b.iv[:], k.expand(secret, "iv", len(b.iv)))
	return b
}

// keys13 makes the keys of both sides of TLS 1.3.
func keys13(kind cipherKind, s *keylog.Session) (both [2]keys, why dissector.Unreadable) {
	if kind.aead == nil {
		return both, dissector.SuiteUnknown
	}
	both[dissector.Client] = keys{kind: kind, secrets: [][]byte{s.Secret(keylog.ClientEarlyTraffic), s.Secret(keylog.ClientHandshake), s.Secret(keylog.ClientTraffic)}}
	both[dissector.Server] = keys{kind: kind, secrets: [][]byte{s.Secret(keylog.ServerHandshake), s.Secret(keylog.ServerTraffic)}}
	if slices.Equal(s.Secret(keylog.ClientTraffic), s.Secret(keylog.ServerTraffic)) { // none
		return both, dissector.SecretsPartly
	}
	return both, ""
}

// keys12 makes the keys of both sides up to TLS 1.2 (RFC 5246, section 6.3).
func keys12(kind cipherKind, h *handshakeSeen, s *keylog.Session) (both [2]keys, why dissector.Unreadable) {
	master := s.Secret(keylog.ClientRandom)
	if len(master) == 0 {
		return both, dissector.SecretsPartly
	}
	mac, iv := 0, kind.iv
	if kind.aead == nil {
		mac = kind.mac().Size()
		if h.version == version10 {
			iv = blockSize(kind)
		}
	}
	n := 2 * (mac + kind.key + iv)
	seed := slices.Concat([]byte("key expansion"), h.serverRandom[:], h.random[:])
	r := newReader(prf(kind, h.version, master, seed, n))
	macs := [2][]byte{r.Take(mac), r.Take(mac)}
	secret := [2][]byte{r.Take(kind.key), r.Take(kind.key)}
	ivs := [2][]byte{r.Take(iv), r.Take(iv)}
	for i := range both {
		b, err := box12(kind, h, macs[i], secret[i], ivs[i])
		if err != nil {
			return both, dissector.SuiteUnknown
		}
		both[i] = keys{kind: kind, boxes: []box{b}}
	}
	return both, ""
}

func blockSize(k cipherKind) int {
	if k.key == 24 {
		return 8
	}
	return 16
}

func box12(kind cipherKind, h *handshakeSeen, mac, key, iv []byte) (box, error) {
	if kind.aead == nil {
		block, err := kind.cbc(key)
		b := &cbcBox{block: block, mac: newMAC(kind.mac, mac), etm: h.etm}
		if len(iv) > 0 {
			b.chain = slices.Clone(iv)
		}
		return b, err
	}
	aead, err := kind.aead(key)
	b := &aeadBox{aead: aead, long: 12 - kind.iv}
	copy(b.iv[:], iv)
	return b, err
}

// prf is the pseudorandom function of a version (RFC 5246, section 5; RFC 2246, section 5).
func prf(kind cipherKind, version uint16, secret, seed []byte, n int) []byte {
	if version >= version12 {
		return pHash(kind.hash.New, secret, seed, n)
	}
	half := (len(secret) + 1) / 2
	out := pHash(md5.New, secret[:half], seed, n)
	subtle.XORBytes(out, out, pHash(sha1.New, secret[len(secret)-half:], seed, n))
	return out
}

func pHash(h func() hash.Hash, secret, seed []byte, n int) (out []byte) {
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(h, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}
