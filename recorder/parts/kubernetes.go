package parts

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"shark/recorder/metrics"
	"shark/recorder/watch"
	"shark/recorder/watch/kubernetes"
	"shark/snapshot/identity"
)

// apiPatience is how long the log waits for what the API says, before it begins without.
const apiPatience = 5 * time.Second

// pods are those that the identity part knows. Other parts ask it which are recorded.
type pods struct {
	mu    sync.Mutex
	join  *kubernetes.Join     // nil: there is none yet
	taken map[uint64]time.Time // network namespaces that are captured, and when they were last asked about
	swept time.Time

	changed chan struct{} // what the API says of pods has changed since it was last looked at
}

func newPods() *pods { return &pods{changed: make(chan struct{}, 1)} }

// change notes that the API said something.
func (p *pods) change() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// recent is how long a network namespace is taken for captured that is not asked about again,
// which it is each second.
const recent = 5 * time.Second

// take notes that a network namespace is captured.
func (p *pods) take(inode uint64) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = make(map[uint64]time.Time)
	}
	p.taken[inode] = now
	if now.Sub(p.swept) > recent {
		maps.DeleteFunc(p.taken, func(_ uint64, t time.Time) bool { return now.Sub(t) > recent })
		p.swept = now
	}
}

// took tells whether a network namespace is captured.
func (p *pods) took(inode uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.taken[inode]) < recent
}

// chosen tells whether a process is in a pod that is meant, in a network of the pod's own.
func (p *pods) chosen(pid int, t *kubernetes.Target) bool {
	p.mu.Lock()
	join := p.join
	p.mu.Unlock()
	if join == nil || pid == 0 {
		return false
	}
	uid, _ := watch.PodOf(pid)
	if uid == "" {
		return false
	}
	r, known := join.Pod(uid)
	return known && !r.HostNetwork && t.Matches(&r)
}

// namespace returns the Kubernetes namespace of the pod that a process is in, empty where it is in
// none. It is not known of a pod that the API has not told of, or of a process that is gone.
func (p *pods) namespace(pid int) (name string, known bool) {
	uid, known := watch.PodOf(pid)
	if uid == "" {
		return "", known
	}
	p.mu.Lock()
	join := p.join
	p.mu.Unlock()
	if join == nil {
		return "", false
	}
	r, known := join.Pod(uid)
	return r.Namespace, known
}

// api is the Kubernetes API as a source of identity.
type api struct {
	watcher *kubernetes.Watcher // nil: there is none, and err says why
	err     error
	join    *kubernetes.Join
	target  *kubernetes.Target
	known   *pods // nil: nobody asks
}

// openAPI finds the API, if it is to be asked. What the machine itself shows does without.
func openAPI(c *Capture, node string, emit func(*identity.Record)) *api {
	if c.API == nil {
		return nil
	}
	a := &api{target: &c.Pods, known: c.known}
	connected := func() bool { return false }
	if a.watcher, a.err = kubernetes.Open(*c.API); a.err == nil {
		connected = a.watcher.Connected
	}
	a.join = kubernetes.NewJoin(node, connected, emit)
	if c.known != nil {
		c.known.mu.Lock()
		c.known.join = a.join
		c.known.mu.Unlock()
	}
	return a
}

// run follows the API until ctx ends.
func (a *api) run(ctx context.Context) {
	if a.watcher != nil {
		a.watcher.Run(ctx, a.told)
	}
}

// told takes what the API says.
func (a *api) told(r *identity.Record) {
	a.join.API(r)
	if a.known != nil && r.Kind == identity.Pod {
		a.known.change()
	}
}

// settle waits until what there is at the start is told, by the API too if it answers soon.
func (a *api) settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(firstLook):
	}
	if a == nil || a.watcher == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-a.watcher.Synced():
	case <-time.After(apiPatience):
	}
}

// kubernetesDetails are what the status says of the API.
type kubernetesDetails struct {
	Server    string            `json:"server"`
	Synced    bool              `json:"synced"`
	Resources []resourceDetails `json:"resources"`
	Records   uint64            `json:"records"`
	Crowded   uint64            `json:"found_no_room"`
	Cut       uint64            `json:"records_cut"`
	Pods      int               `json:"pods_recorded"`
}

type resourceDetails struct {
	Name       string    `json:"name"`
	Connected  bool      `json:"connected"`
	Since      time.Time `json:"since,omitzero"`
	Reason     string    `json:"reason,omitempty"` // why it is not
	Reconnects uint64    `json:"reconnects"`
	Objects    int       `json:"objects"`
}

// report says how it goes, and what is missing for want of the API.
func (a *api) report() (d *kubernetesDetails, missing []string, all []metrics.Family) {
	if a == nil {
		return nil, nil, nil
	}
	if a.watcher == nil {
		return nil, []string{a.err.Error()}, nil
	}
	s := a.watcher.Status()
	d = &kubernetesDetails{Server: s.Server, Synced: s.Synced, Records: s.Records, Crowded: s.Crowded, Cut: s.Cut}
	connected := metrics.Family{Name: "shark_recorder_identity_kubernetes_connected", Kind: metrics.Gauge, Help: "Whether the Kubernetes API tells of changes of a resource: 1 or 0."}
	reconnects := metrics.Family{Name: "shark_recorder_identity_kubernetes_reconnects_total", Kind: metrics.Counter, Help: "How often the Kubernetes API answered again after it had not."}
	objects := metrics.Family{Name: "shark_recorder_identity_kubernetes_objects", Kind: metrics.Gauge, Help: "Objects of the Kubernetes API that are known."}
	reasons := make(map[string][]string)
	var order []string
	for _, x := range s.Streams {
		r := resourceDetails{Name: x.Resource, Connected: x.Connected, Since: x.Since, Reconnects: x.Reconnects, Objects: x.Objects}
		l := []metrics.Label{{Name: "resource", Value: x.Resource}}
		up := 1.0
		if !x.Connected {
			up, r.Reason = 0, x.Err.Error()
			if reasons[r.Reason] == nil {
				order = append(order, r.Reason)
			}
			reasons[r.Reason] = append(reasons[r.Reason], x.Resource)
		}
		d.Resources = append(d.Resources, r)
		connected.Samples = append(connected.Samples, metrics.Sample{Labels: l, Value: up})
		reconnects.Samples = append(reconnects.Samples, metrics.Sample{Labels: l, Value: float64(x.Reconnects)})
		objects.Samples = append(objects.Samples, metrics.Sample{Labels: l, Value: float64(x.Objects)})
	}
	for _, reason := range order {
		missing = append(missing, fmt.Sprintf("the Kubernetes API at %s does not tell of %s: %s; what the node itself shows is recorded", s.Server, strings.Join(reasons[reason], ", "), reason))
	}
	if s.Owners != nil {
		missing = append(missing, s.Owners.Error())
	}
	var host int
	d.Pods, host = a.join.Count(a.target)
	if host > 0 && !a.target.All() {
		missing = append(missing, fmt.Sprintf("%d of the pods that are to be recorded use their node's network, which is everybody's: --netns host records it", host))
	}
	return d, missing, []metrics.Family{
		connected, reconnects, objects,
		metrics.One("shark_recorder_identity_pods", metrics.Gauge, float64(d.Pods), "Pods with a network of their own that are recorded, as far as namespaces, names and labels choose them."),
		metrics.One("shark_recorder_identity_kubernetes_cut_total", metrics.Counter, float64(s.Cut), "Records whose labels, annotations or addresses were too many, and are not all there."),
		metrics.One("shark_recorder_identity_kubernetes_no_room_total", metrics.Counter, float64(s.Crowded), "Objects beyond those that are held, of which nobody is told."),
	}
}
