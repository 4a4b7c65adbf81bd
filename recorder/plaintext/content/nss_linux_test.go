package content_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// TestNSS has a client of NSS, whose functions that read and write are those of files and plain
// sockets as well: of all these, only what was said in TLS is recorded.
func TestNSS(t *testing.T) {
	bpftest.Root(t, "nginx", "tstclnt")
	env, _ := ownSSL(t, "nginx")
	n := startNginx(t, env)
	dir := t.TempDir()
	nspr := own(t, library(t, "tstclnt", "libnspr4.so"), dir)
	request := filepath.Join(dir, "request")
	for _, version := range []string{"tls1.2", "tls1.3"} {
		t.Run(version, func(t *testing.T) {
			r := record(t, content.Options{})
			r.attach(nspr, object.NSS)
			write(t, request, "GET /hello/"+version+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			said := run(t, []string{"LD_LIBRARY_PATH=" + dir}, "", "tstclnt", "-h", "127.0.0.1", "-p", fmt.Sprint(n.port), "-o", "-D", "-V", version+":"+version, "-A", request)
			if !strings.Contains(said, "hello /hello/"+version) {
				t.Fatalf("tstclnt says %q", said)
			}
			told := r.stop()
			got := told.exchanges(t, n.port)
			if len(got) != 1 || got[0].request != "GET /hello/"+version || got[0].recvedSum != digest([]byte("hello /hello/"+version+"\n")) {
				t.Errorf("%+v", got)
			}
			if len(told.streams) != 2 {
				t.Errorf("%d directions: %v", len(told.streams), told.order)
			}
			logged := n.logged(t, 1)
			if s, err := r.Status(); err != nil || r.sink.lost != 0 || len(got) == 1 && !strings.Contains(strings.Join(logged, "\n"), fmt.Sprintf("127.0.0.1 %d ", got[0].client.Port())) {
				t.Errorf("lost %d; %+v, %v; logged %q", r.sink.lost, s, err, logged)
			}
		})
	}
}
