package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aead.dev/minisign"

	"shark/snapshot/bucket"
)

const (
	// signatureName is the name of the signature in the folder of a snapshot.
	signatureName = manifestName + ".minisig"
	// maxMinisig is the largest signature that is read, in bytes: minisign's has at
	// most 8 KiB of trusted and 1 KiB of untrusted comment.
	maxMinisig = 16 << 10
	// maxKeyFile is the largest file of a key that is read, in bytes.
	maxKeyFile = 4 << 10
)

// Errors of keys and signatures that a caller acts upon.
var (
	// ErrKey says that something is no minisign key, or that its password is wrong.
	ErrKey = errors.New("not a minisign key")
	// ErrSigned says that a snapshot has a signature already.
	ErrSigned = errors.New("the snapshot is signed already")
)

// PublicKey is a minisign key that signatures are checked with.
type PublicKey struct{ key minisign.PublicKey }

// ID is the number of the key in hexadecimal, as minisign prints it.
func (k *PublicKey) ID() string { return keyID(k.key.ID()) }

func keyID(n uint64) string { return fmt.Sprintf("%016X", n) }

// ParsePublicKey reads a public key: the file that minisign writes, or its second line
// alone.
func ParsePublicKey(text []byte) (*PublicKey, error) {
	k := new(PublicKey)
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%w: it is too long", ErrKey)
	}
	if err := k.key.UnmarshalText(bytes.TrimSpace(text)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return k, nil
}

// SecretKey is a minisign key that is signed with.
type SecretKey struct {
	key    minisign.PrivateKey
	public minisign.PublicKey
}

// ID is the number of the key in hexadecimal, as minisign prints it.
func (k *SecretKey) ID() string { return keyID(k.key.ID()) }

// ParseSecretKey reads a secret key file of minisign. It asks for the password if the key
// is encrypted; to decrypt it takes seconds and 1 GiB of memory, as minisign has it.
func ParseSecretKey(text []byte, password func() (string, error)) (*SecretKey, error) {
	k := new(SecretKey)
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%w: it is too long", ErrKey)
	}
	text = bytes.TrimSpace(text)
	if minisign.IsEncrypted(text) {
		word, err := password()
		if err != nil {
			return nil, err
		}
		if k.key, err = minisign.DecryptKey(word, text); err != nil {
			return nil, fmt.Errorf("%w: the password is wrong, or the key is damaged", ErrKey)
		}
	} else if err := k.key.UnmarshalText(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, ok := k.key.Public().(minisign.PublicKey)
	if k.public = public; !ok || !minisign.Verify(public, text, minisign.Sign(k.key, text)) {
		return nil, fmt.Errorf("%w: its two halves do not belong together", ErrKey)
	}
	return k, nil
}

// Sign signs the manifest, and with it all of the snapshot, with minisign's format in
// manifest.json.minisig. It reads no more than the manifest: what is damaged is signed as
// it was. If there is a signature the error wraps ErrSigned, unless replace is set: then
// the new one takes its place.
func (s *Snapshot) Sign(ctx context.Context, key *SecretKey, replace bool) error {
	text, err := s.manifestText(ctx)
	if err == nil {
		err = s.writeSignature(ctx, s.sign(key, text, time.Now()), replace)
	}
	if err != nil {
		return fmt.Errorf("sign snapshot %s: %w", s.Manifest.ID, err)
	}
	return nil
}

// sign returns the signature of the manifest.
func (s *Snapshot) sign(key *SecretKey, manifest []byte, now time.Time) []byte {
	r := minisign.NewReader(bytes.NewReader(manifest))
	_, _ = io.Copy(io.Discard, r) // from memory: it does not fail
	trusted := fmt.Sprintf("timestamp:%d\tfile:%s\thashed\tsnapshot:%s\tsha256:%s", now.Unix(), manifestName, s.Manifest.ID, s.Digest)
	return r.SignWithComments(key.key, trusted, "signature of a shark snapshot by key "+key.ID())
}

func (s *Snapshot) writeSignature(ctx context.Context, text []byte, replace bool) error {
	if !replace {
		err := s.files.Publish(ctx, signatureName, text)
		if errors.Is(err, fs.ErrExist) {
			return ErrSigned
		}
		return err
	}
	return s.put(ctx, signatureName, text)
}

// manifestText reads the manifest again, which must be what it was.
func (s *Snapshot) manifestText(ctx context.Context) ([]byte, error) {
	text, err := bucket.ReadAll(ctx, s.files, manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != s.Digest {
		return nil, fmt.Errorf("%w: %s has changed since it was opened", ErrIntegrity, manifestName)
	}
	return text, nil
}

// Signature is what is known of a snapshot's signature.
type Signature struct {
	KeyID   string // of the key that it names, in hexadecimal; empty: it is none
	Checked bool   // it is one of the manifest by the key that was given
	Comment string // what the signer said, if Checked: others could have written it
}

// signature compares the signature with the manifest. It returns what there is, nil when
// there is none, and what is wrong with it. Without a key only what damage does is found: that it
// is no signature, or says itself that it is of another manifest.
func (s *Snapshot) signature(ctx context.Context, key *PublicKey) (*Signature, *Problem, error) {
	text, err := bucket.ReadAll(ctx, s.files, signatureName, maxMinisig)
	switch {
	case errors.Is(err, fs.ErrNotExist) && key == nil:
		return nil, nil, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Problem{signatureName, "it is missing: the snapshot is not signed"}, ctx.Err()
	case err != nil && !errors.Is(err, bucket.ErrTooLarge):
		return nil, nil, fmt.Errorf("%s: %w", signatureName, err)
	}
	var sig *minisign.Signature
	if err == nil {
		sig, err = parseSignature(text)
	}
	found := new(Signature)
	if err == nil {
		found.KeyID = keyID(sig.KeyID)
	}
	switch {
	case err != nil:
		return found, &Problem{signatureName, fmt.Sprintf("it is no signature: %v", err)}, nil
	case key == nil:
		return found, s.disowned(sig), nil
	case sig.KeyID != key.key.ID():
		return found, &Problem{signatureName, fmt.Sprintf("it is a signature by key %s, not by %s", found.KeyID, key.ID())}, nil
	}
	manifest, err := s.manifestText(ctx)
	if err != nil {
		return found, nil, err
	}
	if !minisign.Verify(key.key, manifest, text) {
		return found, &Problem{signatureName, fmt.Sprintf("it is no signature of %s by key %s: one of the two was changed", manifestName, key.ID())}, nil
	}
	found.Checked, found.Comment = true, sig.TrustedComment
	return found, nil, nil
}

// disowned tells whether a signature that sign made says that it is of another manifest.
func (s *Snapshot) disowned(sig *minisign.Signature) *Problem {
	for said := range strings.SplitSeq(sig.TrustedComment, "\t") {
		if sum, ok := strings.CutPrefix(said, "sha256:"); ok && sum != s.Digest {
			return &Problem{signatureName, fmt.Sprintf("it says that it is of a %s with SHA-256 %.64q, and there is one with %q: one of the two was changed", manifestName, sum, s.Digest)}
		}
	}
	return nil
}

// parseSignature reads a signature that is written just as minisign does, so that there
// are no two ways to write one.
func parseSignature(text []byte) (*minisign.Signature, error) {
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }) {
		return nil, errors.New("it is not text")
	}
	sig := new(minisign.Signature)
	if err := sig.UnmarshalText(text); err != nil {
		return nil, err
	}
	if strings.TrimSuffix(sig.String(), "\n") != strings.TrimSuffix(string(text), "\n") {
		return nil, errors.New("it is not written as minisign does")
	}
	return sig, nil
}
