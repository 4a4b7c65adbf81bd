package parts

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/recorder"
	"shark/recorder/watch/kubernetes"
	"shark/snapshot/identity"
)

// shaker is a program with OpenSSL that shakes hands with itself for each line it reads, and keeps
// the secrets itself.
const shaker = `
import ssl, sys
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1])
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.check_hostname, client.verify_mode, client.keylog_filename = False, ssl.CERT_NONE, sys.argv[2]
print("ready", flush=True)
for _ in sys.stdin:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    waiting = [client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    while waiting:
        for side in waiting[:]:
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    print("done", flush=True)
`

// shaking is a shaker that runs.
type shaking struct {
	pid  int
	in   io.Writer
	said *bufio.Reader
	log  string // file of its own secrets
}

func startShaker(t *testing.T, s *bpftest.Stage, cert, cgroup string) *shaking {
	t.Helper()
	h := &shaking{log: filepath.Join(t.TempDir(), "keys")}
	cmd := exec.Command(bpftest.Program(t, "python3"), "-c", shaker, cert, h.log)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t, cmd, cgroup)
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // what it missed it has said
	})
	h.pid, h.in, h.said = cmd.Process.Pid, in, bufio.NewReader(out)
	h.hears(t)
	return h
}

func (h *shaking) hears(t *testing.T) {
	t.Helper()
	if line, err := h.said.ReadString('\n'); err != nil {
		t.Fatalf("a client of TLS says %q: %v", line, err)
	}
}

// shake returns a line of the secrets of a new handshake.
func (h *shaking) shake(t *testing.T) []byte {
	t.Helper()
	if _, err := io.WriteString(h.in, "\n"); err != nil {
		t.Fatal(err)
	}
	h.hears(t)
	b, err := os.ReadFile(h.log)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(b)))
	return []byte(strings.TrimSpace(lines[len(lines)-1]))
}

// selfSigned makes a file with a certificate and its key.
func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, &form, &form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cert.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// taken is the secrets that were.
type taken struct {
	mu   sync.Mutex
	text []byte
}

func (k *taken) secrets(_ time.Time, lines []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text = append(k.text, lines...)
	return nil
}

func (k *taken) has(line []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Contains(k.text, line)
}

// podGroup is the cgroup of a pod's container.
func podGroup(uid string) string {
	return "kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-" + strings.Repeat("e", 64) + ".scope"
}

// TestPolicyByNamespace: secrets are taken of processes as the policy says for the namespaces of
// their pods, and of a pod only once the API has told of it.
func TestPolicyByNamespace(t *testing.T) {
	bpftest.Root(t, "python3")
	s, cert := bpftest.New(t), selfSigned(t)
	const shopUID, bankUID = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
	shop, bank, plain := startShaker(t, s, cert, podGroup(shopUID)), startShaker(t, s, cert, podGroup(bankUID)), startShaker(t, s, cert, "plain.service")
	policy, err := ParsePolicy("keys", []string{"bank=off"})
	if err != nil {
		t.Fatal(err)
	}
	c := &Capture{known: newPods()}
	a := &api{join: kubernetes.NewJoin("node-a", func() bool { return true }, func(*identity.Record) {}), known: c.known}
	c.known.join = a.join
	got := new(taken)
	running, err := TLS(policy, c).Open(t.Context(), recorder.Sinks{Secrets: got.secrets})
	bpftest.Need(t, "the programs for TLS", err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	// What plain did behind another has come when that of the other would have.
	comes := func() {
		t.Helper()
		line := plain.shake(t)
		bpftest.Until(t, "a secret of a process in no pod", func() bool { return got.has(line) })
	}
	bpftest.Until(t, "the library is attached to", func() bool { return got.has(plain.shake(t)) })
	early := [][]byte{shop.shake(t), bank.shake(t)}
	comes()
	for _, line := range early {
		if got.has(line) {
			t.Errorf("of a pod that nobody has told of: %s", line)
		}
	}
	for uid, namespace := range map[string]string{shopUID: "shop", bankUID: "bank"} {
		a.told(&identity.Record{
			Time: time.Now(), Op: identity.Upsert, Source: kubernetes.Source, Kind: identity.Pod, UID: uid, Namespace: namespace,
			Name: "cart", Node: "node-a", HostNetwork: namespace == "shop",
		})
	}
	bpftest.Until(t, "secrets of a pod that is told of", func() bool { return got.has(shop.shake(t)) })
	line := bank.shake(t)
	comes()
	if got.has(line) {
		t.Errorf("of a pod in a namespace that is not to be read: %s", line)
	}
}

// TestPolicyOf: what a policy says of a process, whom nobody knows or who is gone too.
func TestPolicyOf(t *testing.T) {
	bpftest.Root(t, "sleep")
	s := bpftest.New(t)
	start := func(cgroup string) int {
		cmd := exec.Command("sleep", "infinity")
		s.Start(t, cmd, cgroup)
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it says that it was killed
		})
		return cmd.Process.Pid
	}
	const uid, unknown = "cccccccc-cccc-cccc-cccc-cccccccccccc", "dddddddd-dddd-dddd-dddd-dddddddddddd"
	known := newPods()
	known.join = kubernetes.NewJoin("node-a", func() bool { return true }, func(*identity.Record) {})
	known.join.API(&identity.Record{Time: time.Now(), Op: identity.Upsert, Source: kubernetes.Source, Kind: identity.Pod, UID: uid, Namespace: "lab", Name: "x", Node: "node-a"})
	pod, stranger, service := start(podGroup(uid)), start(podGroup(unknown)), start("ntp.service")
	const gone = 1 << 30
	for _, x := range []struct {
		rules string
		pid   int
		want  Mode
	}{
		{"", pod, Auto},
		{"", gone, Auto},
		{"lab=plaintext", pod, Plaintext},
		{"bank=off", pod, Auto},
		{"lab=plaintext", stranger, Off},
		{"lab=plaintext", gone, Off},
		{"lab=plaintext", service, Auto},
	} {
		p, err := ParsePolicy("auto", strings.Fields(x.rules))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.of(known, x.pid); got != x.want {
			t.Errorf("%q: process %d is read by %s, not %s", x.rules, x.pid, got, x.want)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	for rules, want := range map[string]string{
		"bank":              `"bank" is no rule`,
		"Bank=off":          `"Bank" is no name`,
		"bank=some":         `namespace bank: "some" is none of`,
		"bank=off bank=off": "",
		"bank=off bank=key": "is none of",
		"a=keys a=off":      "namespace a is to be read in two ways, keys and off",
	} {
		_, err := ParsePolicy("auto", strings.Fields(rules))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", rules, err)
		}
	}
}
