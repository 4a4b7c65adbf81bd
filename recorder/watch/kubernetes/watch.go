// Package kubernetes tells what the Kubernetes API says of addresses: of this node's pods, of
// the node itself, and of the cluster's services and what is behind them.
//
// In: the API, found as kubectl finds it, or as a pod does. Out: records of package
// snapshot/identity, first what there is and then each change. Pods come with their containers,
// labels, annotations and the workload that owns them: a Deployment rather than its ReplicaSet,
// which is asked for by name, once.
//
// A record's time is the API's own where it tells one. A pod has its addresses from when its
// sandbox was ready or its first container started, until its last container ended or it was
// gone; kubelet writes these down by this node's clock, in whole seconds, so that the time is
// up to a second too long at both ends. Whoever of this node's pods had an address last has it:
// the one before is told of without it. What went while the API could not be heard ends when it
// was last heard. All else is of the time it was seen.
//
// The API is asked for little: the pods and the node are this node's, objects are streamed in
// protobuf, nothing is listed again unless a stream broke off, and then with growing pauses.
// Of an object no more is held than its record. Memory is bounded by maxObjects of them, with
// maxText of labels and of annotations each; what is beyond is left out, and counted.
package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"shark/snapshot/identity"
)

const (
	// maxObjects is how many pods, services, endpoint slices and nodes are held.
	maxObjects = 1 << 17
	// maxText is how many bytes of labels, and of annotations, a record has, and maxValue how
	// many one annotation: longer ones are programs' notes to themselves.
	maxText, maxValue = 16 << 10, 1 << 10
	// maxOwners is how many ReplicaSets and Jobs are remembered.
	maxOwners = 1 << 14
	// maxAddresses is how many addresses a record has: endpoint slices have up to 1000.
	maxAddresses = 1000
)

// Source is what records say they come from.
const Source = "kubernetes"

// Options say which API is asked, and for which node.
type Options struct {
	Node string // whose pods are told of
	// Kubeconfig and Context choose the API as kubectl's flags do; both empty: $KUBECONFIG, then
	// ~/.kube/config, then what a pod is given.
	Kubeconfig, Context string
	Program             string // name and version of the program, for the API server's log
}

// Watcher watches the API.
type Watcher struct {
	node    string
	server  string
	core    rest.Interface
	streams []*stream
	owners  *owners
	synced  chan struct{} // closed when all that there was has been told

	mu      sync.Mutex // held while a record is told
	emit    func(*identity.Record)
	began   time.Time
	told    map[key]*object
	holders map[string]key // pods of this node by address
	counts  counts
	silence [2]time.Time // from when until when the API last told nothing of pods
}

// key tells objects apart.
type key struct {
	kind            identity.Kind
	namespace, name string
}

// object is what was told of one.
type object struct {
	rec   identity.Record
	start time.Time // of a pod: from when it has its addresses
	lost  []string  // of a pod: addresses that another one has now
	owner string    // of a pod: uid of what its workload is asked of
}

// counts are those of a status.
type counts struct{ records, crowded, cut uint64 }

// Open finds the API, and does not ask it yet.
func Open(o Options) (*Watcher, error) {
	c, err := config(&o)
	if err != nil {
		return nil, err
	}
	core, discovery, err := clients(c)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %s: %w", c.Host, err)
	}
	w := &Watcher{
		node: o.Node, server: c.Host, core: core, synced: make(chan struct{}),
		told: make(map[key]*object), holders: make(map[string]key),
	}
	w.owners = newOwners(core)
	w.streams = []*stream{
		{w: w, kind: identity.Node, client: core, resource: "nodes", example: &corev1.Node{}, only: fields.OneTermEqualSelector("metadata.name", o.Node)},
		{w: w, kind: identity.Pod, client: core, resource: "pods", example: &corev1.Pod{}, only: fields.OneTermEqualSelector("spec.nodeName", o.Node)},
		{w: w, kind: identity.Service, client: core, resource: "services", example: &corev1.Service{}, only: fields.Everything()},
		{w: w, kind: identity.Endpoints, client: discovery, resource: "endpointslices", example: &discoveryv1.EndpointSlice{}, only: fields.Everything()},
	}
	return w, nil
}

// Run tells first what there is and then each change until the context ends. An API that does
// not answer is asked again. The Record is good for the call only. Run may be called once.
func (w *Watcher) Run(ctx context.Context, emit func(*identity.Record)) {
	ctx = klog.NewContext(ctx, logr.Discard())
	w.mu.Lock()
	w.emit, w.began = emit, time.Now()
	w.mu.Unlock()
	var work sync.WaitGroup
	for _, s := range w.streams {
		work.Go(func() { s.run(ctx) })
	}
	work.Go(func() { w.owners.run(ctx, w.owned) })
	work.Wait()
}

// Synced returns a channel that is closed when all that there was has been told.
func (w *Watcher) Synced() <-chan struct{} { return w.synced }

// Status is how the watch goes.
type Status struct {
	Server  string         // its address
	Synced  bool           // all that there was has been told
	Streams []StreamStatus // always the same ones, in the same order
	Records uint64
	Crowded uint64 // objects beyond those that are held
	Cut     uint64 // records whose labels, annotations or addresses were too many
	Owners  error  // why workloads are not known but for their ReplicaSets and Jobs
}

// StreamStatus is how the watch of a resource goes.
type StreamStatus struct {
	Resource   string // pods, ...
	Connected  bool
	Since      time.Time // that it is connected, or is not
	Err        error     // why it is not
	Reconnects uint64
	Objects    int
}

// Status returns how it goes. It may be called by any goroutine.
func (w *Watcher) Status() Status {
	s := Status{Server: w.server, Owners: w.owners.failure()}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Records, s.Crowded, s.Cut = w.counts.records, w.counts.crowded, w.counts.cut
	objects := make(map[identity.Kind]int)
	for k := range w.told {
		objects[k.kind]++
	}
	s.Synced = true
	for _, x := range w.streams {
		t := x.status
		t.Resource, t.Objects = x.resource, objects[x.kind]
		if !t.Connected {
			t.Err = cmp.Or(t.Err, errWaiting)
		}
		s.Synced = s.Synced && x.synced
		s.Streams = append(s.Streams, t)
	}
	return s
}

var errWaiting = errors.New("it has not answered yet")

// Connected tells whether the API tells of pods.
func (w *Watcher) Connected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		if s.kind == identity.Pod {
			return s.status.Connected && s.synced
		}
	}
	return false
}
