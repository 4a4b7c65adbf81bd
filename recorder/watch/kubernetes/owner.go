package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"shark/snapshot/identity"
)

// version is a version of the API and a kind in it.
type version struct{ version, kind string }

// between are the kinds that stand between pods and what people call a workload, and how the
// API names them.
var between = map[version]string{
	{"apps/v1", "ReplicaSet"}: "/apis/apps/v1/namespaces/%s/replicasets/%s",
	{"batch/v1", "Job"}:       "/apis/batch/v1/namespaces/%s/jobs/%s",
}

const (
	// metadataOnly asks for an object's metadata alone.
	metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	// askTimeout bounds one question, and the others the pause after one that had no answer.
	askTimeout           = 10 * time.Second
	firstPause, maxPause = time.Second, 30 * time.Second
)

// owners knows which workloads own ReplicaSets and Jobs. It asks for each once.
type owners struct {
	client rest.Interface
	more   chan struct{} // there is one to be asked of

	mu     sync.Mutex
	known  map[string]*identity.WorkloadRef // by uid
	asking map[string]owner                 // by uid
	err    error
}

// owner is one whose own owner is asked for.
type owner struct {
	uid, namespace string
	path           string // of the API
	ref            identity.WorkloadRef
}

func newOwners(client rest.Interface) *owners {
	return &owners{client: client, more: make(chan struct{}, 1), known: make(map[string]*identity.WorkloadRef), asking: make(map[string]owner)}
}

// workload returns what owns a pod. If that is not known yet it is nil, and will be told under
// the uid.
func (x *owners) workload(p *corev1.Pod) (ref *identity.WorkloadRef, uid string) {
	c := metav1.GetControllerOf(p)
	if c == nil || c.Kind == "Node" { // a pod of a manifest file is its node's, in the API
		return nil, ""
	}
	own := identity.WorkloadRef{Kind: c.Kind, Name: c.Name}
	path := between[version{c.APIVersion, c.Kind}]
	if path == "" {
		return &own, ""
	}
	uid = string(c.UID)
	x.mu.Lock()
	defer x.mu.Unlock()
	if ref := x.known[uid]; ref != nil {
		return ref, uid
	}
	if len(x.asking) >= maxOwners {
		return &own, ""
	}
	x.asking[uid] = owner{uid, p.Namespace, fmt.Sprintf(path, p.Namespace, c.Name), own}
	select {
	case x.more <- struct{}{}:
	default:
	}
	return nil, uid
}

// run asks until ctx ends. Without an answer it asks again.
func (x *owners) run(ctx context.Context, tell func(uid string, ref *identity.WorkloadRef)) {
	pause := firstPause
	for {
		o, some := x.next()
		if !some {
			select {
			case <-ctx.Done():
				return
			case <-x.more:
			}
			continue
		}
		ref, err := x.ask(ctx, &o)
		if ctx.Err() != nil {
			return
		}
		if x.answered(&o, ref, err); ref != nil {
			tell(o.uid, ref)
			pause = firstPause
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

func (x *owners) next() (o owner, some bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range x.asking {
		return o, true
	}
	return o, false
}

// ask returns the controller of an owner, or itself if it has none, is gone, or may not be
// looked at; nil if there was no answer.
func (x *owners) ask(ctx context.Context, o *owner) (*identity.WorkloadRef, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := x.client.Get().AbsPath(o.path).SetHeader("Accept", metadataOnly).DoRaw(ctx)
	if err != nil {
		err = fmt.Errorf("workload of %s %s/%s: %w", o.ref.Kind, o.namespace, o.ref.Name, err)
		switch {
		case apierrors.IsNotFound(err): // it was deleted, as Jobs are that are done
			return &o.ref, nil
		case apierrors.IsForbidden(err):
			return &o.ref, err
		}
		return nil, err
	}
	var m metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &m); err != nil {
		return &o.ref, fmt.Errorf("workload of %s %s/%s: %w", o.ref.Kind, o.namespace, o.ref.Name, err)
	}
	c := metav1.GetControllerOf(&m)
	if c == nil || string(m.UID) != o.uid {
		return &o.ref, nil
	}
	return &identity.WorkloadRef{Kind: c.Kind, Name: c.Name}, nil
}

// answered takes down an answer.
func (x *owners) answered(o *owner, ref *identity.WorkloadRef, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = err
	if ref == nil {
		return
	}
	delete(x.asking, o.uid)
	if len(x.known) >= maxOwners {
		clear(x.known) // they are asked for again
	}
	x.known[o.uid] = ref
}

func (x *owners) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}
