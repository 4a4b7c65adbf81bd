package parts

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/recorder/netns"
	"shark/recorder/packets"
	"shark/recorder/watch/kubernetes"
	"shark/snapshot/identity"
)

// TestChosenPods: recorded is what is in the network of a pod that is meant, known by the cgroup of
// a process in it, as long as it is meant; and of the rest only what is named.
func TestChosenPods(t *testing.T) {
	bpftest.Root(t, "sleep")
	target, err := kubernetes.ParseTarget([]string{"shop"}, nil, "", "tier=web")
	if err != nil {
		t.Fatal(err)
	}
	c := &Capture{Pods: target, known: new(pods)}
	c.known.join = kubernetes.NewJoin("node-a", func() bool { return true }, func(*identity.Record) {})
	type place struct {
		inode uint64
		pid   int
	}
	start := func(cgroup string) place {
		s := bpftest.New(t)
		cmd := exec.Command("sleep", "infinity")
		s.Start(t, cmd, cgroup)
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it says that it was killed
		})
		return place{uint64(s.Inode), cmd.Process.Pid}
	}
	pod := func(digit string) (string, place) {
		uid := strings.ReplaceAll("dddddddd-dddd-dddd-dddd-dddddddddddd", "d", digit)
		return uid, start("kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-" + strings.Repeat(digit, 64) + ".scope")
	}
	tell := func(op identity.Op, uid, namespace, tier string, host bool) {
		c.known.join.API(&identity.Record{
			Time: time.Now(), Op: op, Source: kubernetes.Source, Kind: identity.Pod, UID: uid, Namespace: namespace,
			Name: "cart-" + uid, Node: "node-a", Labels: map[string]string{"tier": tier}, HostNetwork: host,
		})
	}
	meant, meantAt := pod("a")
	other, otherAt := pod("b")
	shared, sharedAt := pod("c")
	service := start("system.slice/ntp.service")
	has := func(what string, p place, want bool) {
		t.Helper()
		if got := c.Has(p.inode, p.pid); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	has("a pod that nobody has told of", meantAt, false)
	tell(identity.Upsert, meant, "shop", "web", false)
	tell(identity.Upsert, other, "bank", "web", false)
	tell(identity.Upsert, shared, "shop", "web", true)
	has("a pod that is meant", meantAt, true)
	has("a pod of another namespace", otherAt, false)
	has("a pod in the host's network", sharedAt, false)
	has("no pod", service, false)
	has("a process that is gone", place{meantAt.inode, 0}, false)
	if own, host := c.known.join.Count(&c.Pods); own != 1 || host != 1 {
		t.Errorf("%d pods with a network of their own, %d in the host's", own, host)
	}
	tell(identity.Upsert, meant, "shop", "db", false)
	has("a pod whose labels have changed", meantAt, false)
	tell(identity.Upsert, meant, "shop", "web", false)
	has("and changed back", meantAt, true)
	tell(identity.Delete, meant, "shop", "web", false)
	has("a pod that is gone", meantAt, false)
	o, err := c.Options()
	if err != nil {
		t.Fatal(err)
	}
	tell(identity.Upsert, meant, "shop", "web", false)
	for _, at := range []place{meantAt, otherAt} {
		if of := o.Namespaces(packets.Namespace{Inode: at.inode, PID: at.pid}); of != c.has(at.inode) || of != (at == meantAt) {
			t.Errorf("packets of %v are captured: %v; drops are counted: %v", at, of, c.has(at.inode))
		}
	}
	c.Namespaces = []string{"own"}
	has("what is named", place{netns.Inode(namespacePath("own")), 0}, true)
	has("no pod, beside what is named", service, false)
}

// TestEveryPod: where no pods are chosen all is recorded, or what is named.
func TestEveryPod(t *testing.T) {
	if c := (&Capture{}); !c.Has(1, 1) {
		t.Error("not everything is recorded")
	}
	if c := (&Capture{Namespaces: []string{"/nowhere"}}); c.Has(1, 1) {
		t.Error("more is recorded than is named")
	}
}
