//go:build unix && e2e

package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/snapshot/identity"
)

// cluster is a real API server with a node that kwok plays, and a namespace of the test's own.
type cluster struct {
	rest.Interface
	t          *testing.T
	kubeconfig string
	namespace  string
	node       string
}

// realCluster needs SHARK_KUBECONFIG, of a cluster with a node SHARK_NODE (fake-0) where pods "run"
// that tolerate kwok.x-k8s.io/node.
func realCluster(t *testing.T) *cluster {
	t.Helper()
	path := os.Getenv("SHARK_KUBECONFIG")
	if path == "" {
		t.Fatal("SHARK_KUBECONFIG names no cluster")
	}
	c, err := config(&Options{Kubeconfig: path, Program: "shark-test"})
	if err != nil {
		t.Fatal(err)
	}
	c.QPS, c.Burst = 500, 500
	core, _, err := clients(c)
	if err != nil {
		t.Fatal(err)
	}
	x := &cluster{core, t, path, fmt.Sprintf("shark-test-%d", time.Now().UnixNano()), cmp.Or(os.Getenv("SHARK_NODE"), "fake-0")}
	x.create("/api/v1/namespaces", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": x.namespace}})
	t.Cleanup(func() {
		if err := x.Delete().AbsPath("/api/v1/namespaces", x.namespace).Do(context.Background()).Error(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// create posts an object of the namespace, or of none.
func (x *cluster) create(path string, object map[string]any) {
	x.t.Helper()
	body, err := json.Marshal(object)
	if err == nil {
		err = x.Post().AbsPath(strings.ReplaceAll(path, "NS", x.namespace)).SetHeader("Content-Type", "application/json").Body(body).Do(context.Background()).Error()
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *cluster) object(version, kind, name string, spec map[string]any) map[string]any {
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": name, "namespace": x.namespace}, "spec": spec}
}

// template is that of pods on the node that kwok plays.
func (x *cluster) template(app string, more map[string]any) map[string]any {
	spec := map[string]any{
		"nodeSelector": map[string]any{"kubernetes.io/hostname": x.node},
		"tolerations":  []any{map[string]any{"key": "kwok.x-k8s.io/node", "operator": "Exists"}},
		"containers":   []any{map[string]any{"name": "main", "image": "shark.test/none:1"}},
	}
	for k, v := range more {
		spec[k] = v
	}
	return map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": app}, "annotations": map[string]any{"note": "of " + app, "long": strings.Repeat("x", 5000)}},
		"spec":     spec,
	}
}

func (x *cluster) deploy(app string, replicas int) {
	x.t.Helper()
	x.create("/apis/apps/v1/namespaces/NS/deployments", x.object("apps/v1", "Deployment", app, map[string]any{
		"replicas": replicas, "selector": map[string]any{"matchLabels": map[string]any{"app": app}}, "template": x.template(app, nil),
	}))
	x.create("/api/v1/namespaces/NS/services", x.object("v1", "Service", app, map[string]any{
		"selector": map[string]any{"app": app}, "ports": []any{map[string]any{"port": 80}},
	}))
}

// list returns the pods that the API has, by name.
func (x *cluster) list() map[string]corev1.Pod {
	x.t.Helper()
	var list corev1.PodList
	if err := x.Get().Namespace(x.namespace).Resource("pods").Do(context.Background()).Into(&list); err != nil {
		x.t.Fatal(err)
	}
	all := make(map[string]corev1.Pod)
	for _, p := range list.Items {
		all[p.Name] = p
	}
	return all
}

// running waits until an app has so many pods with addresses, and returns them.
func (x *cluster) running(app string, n int) map[string]corev1.Pod {
	x.t.Helper()
	var all map[string]corev1.Pod
	bpftest.Until(x.t, fmt.Sprintf("%d pods of %s run", n, app), func() bool {
		all = x.list()
		count := 0
		for name, p := range all {
			if p.Labels["app"] != app || p.DeletionTimestamp != nil || p.Status.PodIP == "" {
				delete(all, name)
				continue
			}
			count++
		}
		return count == n
	})
	return all
}

func (x *cluster) delete(pods map[string]corev1.Pod, most int) {
	x.t.Helper()
	zero := int64(0)
	for name := range pods {
		if most--; most < 0 {
			return
		}
		err := x.Delete().Namespace(x.namespace).Resource("pods").Name(name).Body(&metav1.DeleteOptions{GracePeriodSeconds: &zero}).Do(context.Background()).Error()
		if err != nil {
			x.t.Fatal(err)
		}
	}
}

// agrees tells whether the log says of now what the API says: every pod at its address, and no other.
func (x *cluster) agrees(f *following, truth map[string]corev1.Pod, app string) (why string) {
	l := f.log(x.t)
	now := time.Now()
	for name, p := range truth {
		o := l.Lookup(packet.AddrFrom(netip.MustParseAddr(p.Status.PodIP)), now.UnixNano())
		if o.Pod != name || o.PodNamespace != x.namespace || o.WorkloadKind != "Deployment" || o.Workload != app || o.Service != app || o.Node != x.node {
			return fmt.Sprintf("%s of %s: %+v", p.Status.PodIP, name, o)
		}
		if o.Labels["app"] != app || o.Annotations["note"] != "of "+app || o.Annotations["long"] != "" {
			return fmt.Sprintf("%s: labels %v, annotations %v", name, o.Labels, o.Annotations)
		}
	}
	pods, err := l.Workloads(identity.WorkloadFilter{Type: identity.Pod, Namespace: x.namespace, Labels: map[string]string{"app": app}, At: now})
	if err != nil || len(pods) != len(truth) {
		return fmt.Sprintf("%d pods where there are %d, %v", len(pods), len(truth), err)
	}
	return ""
}

func (x *cluster) willAgree(f *following, truth map[string]corev1.Pod, app string) {
	x.t.Helper()
	why := ""
	if !bpftest.Wait(func() bool {
		why = x.agrees(f, truth, app)
		return why == ""
	}) {
		x.t.Fatalf("%s; status %+v", why, f.Status())
	}
}

// TestRealPods: hundreds of pods come and go and take each other's addresses; the log says of each
// what the API does, with its Deployment and its service.
func TestRealPods(t *testing.T) {
	x := realCluster(t)
	const many = 100
	x.deploy("early", 3)
	early := x.running("early", 3)
	f := follow(t, Options{Node: x.node, Kubeconfig: x.kubeconfig, Program: "shark-test"})
	f.allSynced(t)
	x.willAgree(f, early, "early")
	x.deploy("shop", many)
	pods := x.running("shop", many)
	x.willAgree(f, pods, "shop")
	for range 3 {
		x.delete(pods, many/2)
		pods = x.running("shop", many)
		x.willAgree(f, pods, "shop")
	}
	x.create("/apis/batch/v1/namespaces/NS/cronjobs", x.object("batch/v1", "CronJob", "nightly", map[string]any{
		"schedule": "0 0 1 1 *", "jobTemplate": map[string]any{"spec": map[string]any{"template": x.template("nightly", map[string]any{"restartPolicy": "Never"})}},
	}))
	cron := x.uid("/apis/batch/v1/namespaces/NS/cronjobs/nightly")
	job := x.object("batch/v1", "Job", "nightly-1", map[string]any{"completions": 5, "parallelism": 5, "template": x.template("nightly", map[string]any{"restartPolicy": "Never"})})
	job["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": cron, "controller": true}}
	x.create("/apis/batch/v1/namespaces/NS/jobs", job)
	bpftest.Until(t, "five pods of the job were told of, as the CronJob's, with their addresses at the time", func() bool {
		all, err := f.log(t).Workloads(identity.WorkloadFilter{Type: identity.Pod, Labels: map[string]string{"app": "nightly"}, Namespace: x.namespace})
		n := 0
		for _, w := range all {
			if w.Workload != nil && *w.Workload == (identity.WorkloadRef{Kind: "CronJob", Name: "nightly"}) && len(w.IPs) > 0 {
				n++
			}
		}
		return err == nil && n == 5
	})
	if s := f.Status(); s.Owners != nil || s.Crowded != 0 {
		t.Errorf("status %+v", s)
	}
}

// uid asks for the uid of an object.
func (x *cluster) uid(path string) string {
	x.t.Helper()
	body, err := x.Get().AbsPath(strings.ReplaceAll(path, "NS", x.namespace)).SetHeader("Accept", metadataOnly).DoRaw(context.Background())
	var m metav1.PartialObjectMetadata
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return string(m.UID)
}

// TestRealAway: the connection to the API breaks, pods come and go, and it is mended: what went is
// gone, what came is there, and the status said so meanwhile.
func TestRealAway(t *testing.T) {
	x := realCluster(t)
	const many = 20
	wire := cutting(t, x.kubeconfig)
	x.deploy("shop", many)
	pods := x.running("shop", many)
	f := follow(t, Options{Node: x.node, Kubeconfig: wire.kubeconfig, Program: "shark-test"})
	f.allSynced(t)
	x.willAgree(f, pods, "shop")
	wire.cut()
	bpftest.Until(t, "the status says that nothing is told", func() bool {
		for _, s := range f.Status().Streams {
			if s.Connected || s.Err == nil {
				return false
			}
		}
		return true
	})
	x.delete(pods, many/2)
	pods = x.running("shop", many)
	wire.mend()
	x.willAgree(f, pods, "shop")
	for _, s := range f.Status().Streams {
		if !s.Connected || s.Reconnects == 0 {
			t.Errorf("status %+v", s)
		}
	}
}

// TestRealHang: an API server that does not answer is noticed, and heard again when it does.
func TestRealHang(t *testing.T) {
	x := realCluster(t)
	run := os.Getenv("SHARK_CLUSTER_RUN")
	if run == "" {
		t.Skip("SHARK_CLUSTER_RUN does not say where the API server's process is noted")
	}
	text, err := os.ReadFile(filepath.Join(run, "pid", "kube-apiserver"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		t.Fatal(err)
	}
	f := follow(t, Options{Node: x.node, Kubeconfig: x.kubeconfig, Program: "shark-test"})
	f.allSynced(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	noticed := bpftest.Within(3*patience, func() bool { return !f.Connected() })
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !noticed {
		t.Errorf("nothing was noticed: %+v", f.Status())
	}
	x.deploy("shop", 5)
	x.willAgree(f, x.running("shop", 5), "shop")
}

// wire is a way to the API server that can be cut.
type wire struct {
	kubeconfig string
	listen     net.Listener
	to         string
	mu         sync.Mutex
	down       bool
	open       map[net.Conn]bool
}

func cutting(t *testing.T, kubeconfig string) *wire {
	t.Helper()
	c, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{open: make(map[net.Conn]bool), kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if w.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Clusters {
		u, err := url.Parse(k.Server)
		if err != nil {
			t.Fatal(err)
		}
		w.to, k.Server = u.Host, "https://"+w.listen.Addr().String()
	}
	if err := clientcmd.WriteToFile(*c, w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := w.listen.Accept()
			if err != nil {
				return
			}
			work.Go(func() { w.carry(in) })
		}
	})
	t.Cleanup(func() {
		_ = w.listen.Close()
		w.cut()
		work.Wait()
	})
	return w
}

func (w *wire) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer out.Close()
	w.mu.Lock()
	down := w.down
	w.open[in], w.open[out] = true, true
	w.mu.Unlock()
	if down {
		return
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(out, in)
		out.Close()
		close(done)
	}()
	_, _ = io.Copy(in, out)
	in.Close()
	<-done
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for c := range w.open {
		_ = c.Close()
		delete(w.open, c)
	}
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}
