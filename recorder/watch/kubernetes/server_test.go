package kubernetes

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/snapshot/identity"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// following is a Watcher at work, and what it told.
type following struct {
	*Watcher
	mu      sync.Mutex
	records []identity.Record
}

func follow(t *testing.T, o Options) *following {
	t.Helper()
	w, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	f := &following{Watcher: w}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func(r *identity.Record) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.records = append(f.records, *r)
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f
}

func (f *following) log(t *testing.T) *identity.Log {
	f.mu.Lock()
	defer f.mu.Unlock()
	return logOf(t, f.records)
}

// allSynced waits for the first look.
func (f *following) allSynced(t *testing.T) {
	t.Helper()
	select {
	case <-f.Synced():
	case <-time.After(patience):
		t.Fatalf("the API told nothing: %+v", f.Status())
	}
}

// TestUnreachable: an API that is not there is no reason to end, and is said.
func TestUnreachable(t *testing.T) {
	f := follow(t, Options{Node: nodeName, Kubeconfig: kubeconfig(t, "https://127.0.0.1:1")})
	bpftest.Until(t, "every resource says why it is not told of", func() bool {
		for _, s := range f.Status().Streams {
			if s.Connected || s.Err == nil || !strings.Contains(s.Err.Error(), "refused") {
				return false
			}
		}
		return true
	})
	if f.Status().Synced || f.Connected() {
		t.Error("it says that it is connected")
	}
}

// TestFindsTheAPI: as kubectl does.
func TestFindsTheAPI(t *testing.T) {
	a, b := kubeconfig(t, "https://a.test"), kubeconfig(t, "https://b.test")
	for _, test := range []struct {
		name, flag, env, context, want string
	}{
		{"environment", "", a, "", "https://a.test"},
		{"the flag comes first", b, a, "", "https://b.test"},
		{"several files", "", "/nowhere" + string(os.PathListSeparator) + b, "", "https://b.test"},
		{"a context by name", a, "", "c", "https://a.test"},
		{"no such context", a, "", "other", `context "other" does not exist`},
		{"no such file", "/nowhere", "", "", "/nowhere"},
		{"nothing", "", "/nowhere", "", "no API is known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			t.Setenv("KUBECONFIG", test.env)
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			got := ""
			w, err := Open(Options{Node: nodeName, Kubeconfig: test.flag, Context: test.context})
			if err == nil {
				got = w.Status().Server
			} else {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
