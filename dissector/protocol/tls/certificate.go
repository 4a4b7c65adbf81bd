package tls

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"shark/dissector/field"
)

// certificates reads the body of a Certificate message (RFC 5246, section 7.4.2; from TLS 1.3
// on RFC 8446, section 4.4.2): the server's own certificate comes first. Whatever is wrong
// with it is noted and does no harm to the rest.
func certificates(v *field.Values, b []byte, v13 bool) {
	r := newReader(b)
	if v13 {
		r.vector(1) // context
	}
	list := newReader(r.vector(3))
	next := func() []byte {
		c := list.vector(3)
		if v13 {
			list.vector(2) // extensions
		}
		return c
	}
	leaf := next()
	if r.Bad || list.Bad {
		certError.SetString(v, "malformed certificate list")
		return
	}
	n := int64(1)
	for len(list.B) > 0 {
		if next(); !list.Bad {
			n++
		}
	}
	chainLength.Set(v, n)
	sum := sha256.Sum256(leaf)
	certDigest.SetString(v, hex.EncodeToString(sum[:]))
	if len(leaf) > maxCertificate {
		certError.SetString(v, "certificate is too large")
		return
	}
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		certError.SetString(v, clip(err.Error()))
		return
	}
	certSubject.SetString(v, clip(c.Subject.String()))
	certIssuer.SetString(v, clip(c.Issuer.String()))
	certSerial.SetString(v, clip(c.SerialNumber.Text(16)))
	certBefore.SetString(v, c.NotBefore.UTC().Format(time.RFC3339))
	certAfter.SetString(v, c.NotAfter.UTC().Format(time.RFC3339))
	alternativeNames(v, c)
}

func alternativeNames(v *field.Values, c *x509.Certificate) {
	left := maxListed
	add := func(name string) {
		if left--; left >= 0 {
			certNames.AddString(v, clip(name))
		}
	}
	for _, n := range c.DNSNames {
		add(n)
	}
	for _, n := range c.IPAddresses {
		add(n.String())
	}
	for _, n := range c.EmailAddresses {
		add(n)
	}
	for _, n := range c.URIs {
		add(n.String())
	}
}

func clip(s string) string { return s[:min(len(s), maxText)] }
