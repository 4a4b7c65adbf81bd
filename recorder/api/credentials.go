package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// leastToken is how long a token is at least, and maxToken at most, in bytes.
const (
	leastToken = 16
	maxToken   = 4 << 10
)

// reloadTime is how often files with credentials are looked at anew: those who hand them out
// exchange them.
const reloadTime = 10 * time.Second

// token is what clients have to know. Its file is read again now and then.
type token struct {
	path string

	mu   sync.Mutex
	sum  [sha256.Size]byte
	read time.Time
}

func newToken(path string) (*token, error) {
	t := &token{path: path}
	data, err := ReadToken(path)
	if err != nil {
		return nil, err
	}
	t.sum, t.read = sha256.Sum256(data), time.Now()
	return t, nil
}

// ReadToken reads a token from its file. Blanks around it do not count.
func ReadToken(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if data = bytes.TrimSpace(data); len(data) < leastToken || len(data) > maxToken {
		return nil, fmt.Errorf("token %s: it has %d bytes, and may have %d to %d", path, len(data), leastToken, maxToken)
	}
	return data, nil
}

// MakeToken writes a new token to a file that only its owner may read, unless there is a file.
func MakeToken(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	_, err = f.WriteString(rand.Text() + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("token: %w", err), os.Remove(path))
	}
	return nil
}

// MakeCertificate writes a certificate of a node and its key to a file that only its owner may
// read, unless there is a file.
func MakeCertificate(path, node string) error {
	_, err := os.Stat(path)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("certificate: %w", err)
	}
	c, err := selfSigned(node)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	part := path + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return nil
}

// is tells whether given is the token, in a time that does not depend on by how much it is not.
func (t *token) is(given string) bool {
	t.mu.Lock()
	if time.Since(t.read) > reloadTime {
		if data, err := ReadToken(t.path); err == nil { // else the old one is as good as it was
			t.sum = sha256.Sum256(data)
		}
		t.read = time.Now()
	}
	want := t.sum
	t.mu.Unlock()
	got := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// certificate is what the server shows, from files that are read again now and then, or made
// for this run.
type certificate struct {
	cert, key string // files; empty: it was made

	mu   sync.Mutex
	now  *tls.Certificate
	read time.Time
}

func newCertificate(cert, key, node string) (*certificate, error) {
	c := &certificate{cert: cert, key: key, read: time.Now()}
	var err error
	switch {
	case cert == "" && key == "":
		c.now, err = selfSigned(node)
	case cert == "" || key == "":
		return nil, errors.New("a certificate needs its key, and a key its certificate: name the files of both")
	default:
		c.now, err = load(cert, key)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func load(cert, key string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(cert, key)
	return &c, err
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cert != "" && time.Since(c.read) > reloadTime {
		if fresh, err := load(c.cert, c.key); err == nil { // else the old one is as good as it was
			c.now = fresh
		}
		c.read = time.Now()
	}
	return c.now, nil
}

// fingerprint returns the SHA-256 of the certificate, by which a client may know it.
func (c *certificate) fingerprint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Fingerprint(c.now.Certificate[0])
}

// Fingerprint returns by what a client may be told to know a certificate: sha256: and its sum in
// hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// selfSigned makes a certificate of a node that nobody vouches for.
func selfSigned(node string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	name := node
	if len(name) > 64 { // as X.509 has it
		name = name[:64]
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"shark recorder"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
