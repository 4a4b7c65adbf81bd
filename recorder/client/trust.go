package client

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"shark/recorder/api"
)

// trust says whose certificates count: those that the system's authorities vouch for, or those
// of a file, or the one of a fingerprint. A certificate that is in the file itself is that of a
// recorder, whatever name it has.
func trust(ca string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return conf, nil
	}
	known := func(*x509.Certificate) bool { return false }
	roots := x509.NewCertPool()
	if strings.HasPrefix(ca, "sha256:") {
		want := strings.ReplaceAll(strings.ToLower(ca[len("sha256:"):]), ":", "")
		if len(want) != 64 {
			return nil, fmt.Errorf("%q is not the fingerprint of a certificate", ca)
		}
		known = func(c *x509.Certificate) bool { return api.Fingerprint(c.Raw) == "sha256:"+want }
	} else {
		data, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("certificates: %w", err)
		}
		if !roots.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s: there is no certificate in it", ca)
		}
		known = func(c *x509.Certificate) bool { return listed(data, c) }
	}
	conf.InsecureSkipVerify = true // since it is verified here
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		leaf := s.PeerCertificates[0]
		if known(leaf) {
			return nil
		}
		if strings.HasPrefix(ca, "sha256:") {
			return errors.New("the recorder has another certificate, " + api.Fingerprint(leaf.Raw))
		}
		o := x509.VerifyOptions{DNSName: s.ServerName, Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := leaf.Verify(o)
		return err
	}
	return conf, nil
}

// untrusted says of a certificate that nobody vouches for what to do about it.
func untrusted(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	if errors.As(err, &unknown) || errors.As(err, &name) {
		return fmt.Errorf("%w: say with --recorder-ca what is to be trusted: a file with the recorder's certificate, or the fingerprint sha256:... that the recorder has logged", err)
	}
	return err
}

// listed tells whether a certificate is among those of a file.
func listed(data []byte, c *x509.Certificate) bool {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return false
		}
		if bytes.Equal(b.Bytes, c.Raw) {
			return true
		}
	}
}
