package content_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"shark/bpf/bpftest"
	"shark/bpf/plaintext"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// TestPressure gives the kernel a ring that is far too small: what is lost is counted to the
// byte, and is missing where it was.
func TestPressure(t *testing.T) {
	bpftest.Root(t, "nginx", "curl")
	env, _ := ownSSL(t, "nginx")
	clientEnv, ssl := ownSSL(t, library(t, "curl", "libcurl.so.4"))
	n := startNginx(t, env)
	r := record(t, content.Options{Ring: plaintext.MinRing})
	r.attach(ssl, object.OpenSSL)
	url := fmt.Sprintf("https://127.0.0.1:%d", n.port)
	run(t, []string{clientEnv}, "", "curl", "-sS", "--http1.1", "--cacert", n.cert, "-o", "/dev/null", url+"/big", "-o", "/dev/null", url+"/big", "-o", "/dev/null", url+"/hello/last")
	told := r.stop()
	s, err := r.Status()
	if err != nil {
		t.Fatal(err)
	}
	lost := s.Lost["ring full"]
	if lost.Calls == 0 || r.sink.lost != lost.Calls {
		t.Fatalf("the ring was large enough, or the sink not told of the loss: %d; %+v", r.sink.lost, s)
	}
	var have, missing uint64
	for _, st := range told.streams {
		missing += st.missing
		have += uint64(len(st.data)) - st.missing
	}
	// What is lost at a stream's end leaves no gap: nothing comes behind it but the FIN.
	for _, st := range told.streams {
		missing += st.end
	}
	if missing != lost.Bytes || have+missing != s.Bytes {
		t.Errorf("%d bytes are there, %d missing; counted were %d lost of %d", have, missing, lost.Bytes, s.Bytes)
	}
}

// TestPolicy looks at some processes only.
func TestPolicy(t *testing.T) {
	bpftest.Root(t, "nginx", "curl")
	env, _ := ownSSL(t, "nginx")
	clientEnv, ssl := ownSSL(t, library(t, "curl", "libcurl.so.4"))
	n := startNginx(t, env)
	r := record(t, content.Options{})
	if err := r.Policy().Default(false); err != nil {
		t.Fatal(err)
	}
	r.attach(ssl, object.OpenSSL)
	url := fmt.Sprintf("https://127.0.0.1:%d/hello/", n.port)
	// A shell waits until it is said whether it may be looked at, and becomes curl.
	get := func(what string, say ...func(tgid uint32) error) {
		cmd := exec.Command("sh", "-c", `read go; exec curl -sS --http1.1 --cacert "$1" "$2"`, "sh", n.cert, url+what)
		cmd.Env = append(os.Environ(), clientEnv)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, s := range say {
			if err := s(uint32(cmd.Process.Pid)); err != nil {
				t.Error(err)
			}
		}
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	look := func(tgid uint32) error { return r.Policy().Process(tgid, true) }
	get("outside")
	get("inside", look)
	get("forgotten", look, r.Policy().ForgetProcess)
	got := r.stop().exchanges(t, n.port)
	if len(got) != 1 || got[0].request != "GET /hello/inside" {
		t.Errorf("%+v", got)
	}
	if s, err := r.Status(); err != nil || s.Reads+s.Writes == 0 || s.Unseen != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
