package snapshot

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
)

// What minisign 0.11 wrote: a key without and one with the password "secret", and
// signatures of vectorText by the first, prehashed and in the old way.
const (
	vectorText   = "{\"a\": 1}\n"
	vectorSecret = "untrusted comment: minisign encrypted secret key\n" +
		"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/mefz/w8LIL4Zdvov9HMgsS7IMcSo6ndrIbEhZT8Xo//0owNtjtpFZhmaeKlo/Z9VpRQQNKH5+GGeHjdPnxiTOLQN/2Cr46PAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	vectorPublic = "untrusted comment: minisign public key 822C3CFCCF9F67FE\n" +
		"RWT+Z5/P/DwsgphmaeKlo/Z9VpRQQNKH5+GGeHjdPnxiTOLQN/2Cr46P\n"
	vectorHashed = "untrusted comment: signature from minisign secret key\n" +
		"RUT+Z5/P/Dwsgl1Z7I7LRbLoLjR3+zKagXMp4gYrBF5Q+MYfNsG8uSSRvNX8ZOIA1UrSsJN4th0Io8JC9Y5lHAD42kwTO/T1MAk=\n" +
		"trusted comment: a trusted comment\n" +
		"b5kp2i9DvWiKDZXBNcyWqjMFr1TDE5TQV5b/whcjkxvAQSbN/7U/k6uTHzav+jc50lhquSIGsvAbXcx2AiwYAA==\n"
	vectorPlain = "untrusted comment: signature from minisign secret key\n" +
		"RWT+Z5/P/DwsgmfXVXtSnTD1vwaeD0OaZo+tEv4cxdg0HW0nXW0kvocMIXEnXL5SFAB5+5c8Bj3LReRcmjYwX0u4GCP5IhkrgA4=\n" +
		"trusted comment: legacy\n" +
		"r1jkTKS0J8nO3zgBZP8ZM17/L7DVS8lfs0wVhNkyGB5AKXtLIGkHxkOpi2Q425+oiGeZenpmkdNagUZZUprbBQ==\n"
	vectorLocked = "untrusted comment: minisign encrypted secret key\n" +
		"RWRTY0Iy9MeH8CtACBJyTA4Yf2i43Zg1INd7k/T1QhvHLxPcwSsAAAACAAAAAAAAAEAAAAAAM7L2YYxKpAERSUUW2B5vqidyB8E8Qmg+hslDHgvvRBnGfuO1rxIy5JktsPJIwNkd/NtnIfJhAebA9dU2R8AuGIEAmMeSQtAsVVmTT2L2X7JAhPKfPSTB6uQkT4/GvtZZDEiBg1Xfq6s=\n"
	vectorLockedID = "43EDBD834591C52E"
)

func vectorKeys(t testing.TB) (*SecretKey, *PublicKey) {
	t.Helper()
	secret, err := ParseSecretKey([]byte(vectorSecret), nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey([]byte(vectorPublic))
	if err != nil {
		t.Fatal(err)
	}
	return secret, public
}

func TestVectors(t *testing.T) {
	secret, public := vectorKeys(t)
	if secret.ID() != "822C3CFCCF9F67FE" || public.ID() != secret.ID() {
		t.Errorf("keys %s and %s", secret.ID(), public.ID())
	}
	if line, err := ParsePublicKey([]byte(strings.Split(vectorPublic, "\n")[1])); err != nil || line.ID() != public.ID() {
		t.Errorf("a line alone: %v", err)
	}
	for name, text := range map[string]string{"prehashed": vectorHashed, "plain": vectorPlain} {
		sig, err := parseSignature([]byte(text))
		if err != nil || keyID(sig.KeyID) != public.ID() || !minisign.Verify(public.key, []byte(vectorText), []byte(text)) {
			t.Errorf("%s: %v, %+v", name, err, sig)
		}
		if minisign.Verify(public.key, []byte(vectorText+" "), []byte(text)) {
			t.Errorf("%s: it is a signature of something else too", name)
		}
	}
}

// TestLockedKey takes 1 GiB of memory, as minisign has it.
func TestLockedKey(t *testing.T) {
	asked := errors.New("nobody answers")
	if _, err := ParseSecretKey([]byte(vectorLocked), func() (string, error) { return "", asked }); !errors.Is(err, asked) {
		t.Errorf("without an answer: %v", err)
	}
	secret := func() (string, error) { return "secret", nil }
	for name, cost := range map[string]uint64{"another keystream": 1 << 15, "more memory than there can be": 1 << 40} {
		if _, err := ParseSecretKey(lockedWith(t, cost), secret); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if testing.Short() {
		t.Skip("the rest takes seconds")
	}
	if part > 1 {
		return // a race detector would take four times the memory, and a minute
	}
	if k, err := ParseSecretKey([]byte(vectorLocked), secret); err != nil || k.ID() != vectorLockedID {
		t.Errorf("the right password: %v", err)
	}
}

// lockedWith is the locked key with another cost of its password.
func lockedWith(t *testing.T, cost uint64) []byte {
	t.Helper()
	comment, line, _ := strings.Cut(vectorLocked, "\n")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(raw[38:], cost) // operations
	binary.LittleEndian.PutUint64(raw[46:], cost) // bytes
	return []byte(comment + "\n" + base64.StdEncoding.EncodeToString(raw))
}

func TestHostileKeys(t *testing.T) {
	long := strings.Repeat("A", 1<<20)
	for _, text := range []string{"", "x", long, "untrusted comment: \n", vectorPublic[:80], vectorSecret, "untrusted comment: \n" + strings.Repeat("=", 56), vectorHashed} {
		if _, err := ParsePublicKey([]byte(text)); !errors.Is(err, ErrKey) {
			t.Errorf("public key %.60q: %v", text, err)
		}
	}
	halves := []byte(vectorSecret)
	halves[len(halves)-100] ^= 1
	for _, text := range []string{"", "x", long, vectorPublic, vectorSecret[:150], string(halves)} {
		if _, err := ParseSecretKey([]byte(text), func() (string, error) { return "", nil }); !errors.Is(err, ErrKey) {
			t.Errorf("secret key %.60q: %v", text, err)
		}
	}
}

// TestSign: a snapshot is signed once, or again if that is asked for.
func TestSign(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 100, 60, 0)}})
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret, public := vectorKeys(t)
	verify := func(key *PublicKey) (*Verification, error) { return s.Verify(t.Context(), VerifyOptions{Key: key}) }

	if v, err := verify(public); !errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != signatureName || v.Summary() != "its signature" {
		t.Errorf("unsigned: %+v, %v", v, err)
	}
	if v, err := verify(nil); err != nil || v.Signature != nil {
		t.Errorf("unsigned, without a key: %+v, %v", v.Signature, err)
	}
	if err := s.Sign(t.Context(), secret, false); err != nil {
		t.Fatal(err)
	}
	v, err := verify(public)
	if err != nil || !v.Signature.Checked || v.Signature.KeyID != public.ID() || !strings.Contains(v.Signature.Comment, "\tsnapshot:"+m.ID+"\tsha256:"+s.Digest) {
		t.Errorf("signed: %+v, %v", v.Signature, err)
	}
	if v, err := verify(nil); err != nil || v.Signature.Checked || v.Signature.KeyID != public.ID() || v.Signature.Comment != "" {
		t.Errorf("signed, without a key: %+v, %v", v.Signature, err)
	}
	otherPublic, otherSecret := otherKey(t)
	if err := s.Sign(t.Context(), otherSecret, false); !errors.Is(err, ErrSigned) {
		t.Errorf("signed again: %v", err)
	}
	if err := s.Sign(t.Context(), otherSecret, true); err != nil {
		t.Fatal(err)
	}
	if v, err := verify(public); !errors.Is(err, ErrIntegrity) || !strings.Contains(v.Problems[0].Reason, "by key "+otherPublic.ID()) {
		t.Errorf("signed by another: %+v, %v", v, err)
	}
	if _, err := verify(otherPublic); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sign(ctx, secret, true); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := verify(otherPublic); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func otherKey(t *testing.T) (*PublicKey, *SecretKey) {
	t.Helper()
	public, secret, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &PublicKey{public}, &SecretKey{key: secret}
}

// TestHostileSignatures: whatever lies there instead of a signature is no signature.
func TestHostileSignatures(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 10, 60, 0)}})
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret, public := vectorKeys(t)
	manifest, err := s.manifestText(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := string(s.sign(secret, manifest, time.Unix(1_800_000_000, 0)))
	lines := strings.SplitAfter(good, "\n")
	for name, c := range map[string]struct {
		text   string
		good   bool
		seemly bool // without a key nothing is wrong with it
	}{
		"the signature":      {good, true, true},
		"no last newline":    {strings.TrimSuffix(good, "\n"), true, true},
		"other first line":   {"untrusted comment: other\n" + strings.Join(lines[1:], ""), true, true},
		"empty":              {"", false, false},
		"of another text":    {vectorHashed, false, true},
		"oversized":          {strings.Replace(good, "trusted comment: signature", "trusted comment: "+strings.Repeat("x", maxMinisig), 1), false, false},
		"huge":               {strings.Repeat("untrusted comment: \n", 1<<18), false, false},
		"not UTF-8":          {strings.Replace(good, "signature of", "\xff\xfe", 1), false, false},
		"escapes":            {strings.Replace(good, "signature of", "\x1b[2J", 1), false, false},
		"NUL":                {good + "\x00", false, false},
		"more behind":        {good + "more\n", false, false},
		"twice":              {good + good, false, false},
		"carriage returns":   {strings.ReplaceAll(good, "\n", "\r\n"), false, false},
		"no comments":        {lines[1] + lines[3], false, false},
		"comments exchanged": {lines[2] + lines[1] + lines[0] + lines[3], false, false},
		"other comment":      {strings.Replace(good, "sha256:", "sha256:0", 1), false, false},
		"comment of another": {lines[0] + lines[1] + strings.SplitAfter(vectorHashed, "\n")[2] + strings.SplitAfter(vectorHashed, "\n")[3], false, true},
		"binary":             {string(bytes.Repeat([]byte{0, 1, 2, 3}, 99)), false, false},
	} {
		put(t, store, m.ID+"/"+signatureName, c.text)
		v, err := s.Verify(t.Context(), VerifyOptions{Key: public})
		if c.good != (err == nil) || !c.good && (!errors.Is(err, ErrIntegrity) || len(v.Problems) != 1 || v.Problems[0].Path != signatureName || v.Signature.Checked || len(err.Error()) > 1000) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Verify(t.Context(), VerifyOptions{}); c.seemly != (err == nil) || !c.seemly && !errors.Is(err, ErrIntegrity) {
			t.Errorf("%s, without a key: %v", name, err)
		}
	}
}

// TestMinisign: the minisign program reads our signatures, and we its keys and its
// signatures of either kind.
func TestMinisign(t *testing.T) {
	if _, err := exec.LookPath("minisign"); err != nil {
		t.Skip(err)
	}
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + capture(t, "a.pcapng", 10, 60, 0)}})
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	keys := t.TempDir()
	public, secret := filepath.Join(keys, "k.pub"), filepath.Join(keys, "k.key")
	manifest := filepath.Join(store.files.String(), m.ID, manifestName)
	program := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("minisign", args...).CombinedOutput(); err != nil {
			t.Fatalf("minisign %q: %v: %s", args, err, out)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	program("-G", "-W", "-s", secret, "-p", public)
	key, err := ParsePublicKey(read(public))
	if err != nil {
		t.Fatal(err)
	}
	own, err := ParseSecretKey(read(secret), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(t.Context(), own, false); err != nil {
		t.Fatal(err)
	}
	program("-V", "-H", "-p", public, "-m", manifest)
	for _, way := range [][]string{{"-S"}, {"-S", "-l"}} {
		program(append(way, "-s", secret, "-m", manifest, "-t", "by hand")...)
		v, err := s.Verify(t.Context(), VerifyOptions{Key: key})
		if err != nil || v.Signature.Comment != "by hand" {
			t.Errorf("%v: %+v, %v", way, v.Signature, err)
		}
	}
}
