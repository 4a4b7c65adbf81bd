package kubernetes

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"shark/snapshot/identity"
)

// noise are annotations that hold whole objects.
var noise = []string{corev1.LastAppliedConfigAnnotation}

// strip takes away what no record is made of.
func strip(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
		a := o.GetAnnotations()
		for _, name := range noise {
			delete(a, name)
		}
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName, HostNetwork: o.Spec.HostNetwork}
	case *corev1.Node:
		o.Status = corev1.NodeStatus{Addresses: o.Status.Addresses}
	}
	return obj, nil
}

// keyOf returns what an object is told apart by.
func keyOf(obj any) (k key, ok bool) {
	switch o := obj.(type) {
	case *corev1.Pod:
		return key{identity.Pod, o.Namespace, o.Name}, true
	case *corev1.Service:
		return key{identity.Service, o.Namespace, o.Name}, true
	case *discoveryv1.EndpointSlice:
		return key{identity.Endpoints, o.Namespace, o.Name}, true
	case *corev1.Node:
		return key{identity.Node, "", o.Name}, true
	}
	return k, false
}

// record makes the record of an object, but for its time.
func (w *Watcher) record(obj any) identity.Record {
	k, _ := keyOf(obj)
	r := identity.Record{Op: identity.Upsert, Source: Source, Kind: k.kind, Namespace: k.namespace, Name: k.name}
	switch o := obj.(type) {
	case *corev1.Pod:
		w.describe(&r, &o.ObjectMeta)
		r.UID, r.Node, r.HostNetwork = podUID(o), o.Spec.NodeName, o.Spec.HostNetwork
		if !released(o) {
			r.Addresses = podAddresses(o)
		}
		r.Containers = containers(o)
	case *corev1.Service:
		w.describe(&r, &o.ObjectMeta)
		r.Addresses = serviceAddresses(o)
	case *discoveryv1.EndpointSlice:
		w.describeSlice(&r, o)
	case *corev1.Node:
		w.describe(&r, &o.ObjectMeta)
		r.Addresses = nodeAddresses(o)
	}
	if len(r.Addresses) > maxAddresses {
		w.counts.cut++
		r.Addresses = r.Addresses[:maxAddresses]
	}
	return r
}

// describe takes labels and annotations, of which there may be too many.
func (w *Watcher) describe(r *identity.Record, o *metav1.ObjectMeta) {
	var cut, cutToo bool
	r.Labels, cut = bounded(o.Labels, maxText)
	r.Annotations, cutToo = bounded(o.Annotations, maxValue)
	if cut || cutToo {
		w.counts.cut++
	}
}

// bounded returns texts up to maxText bytes, in the order of their names, none of which is longer
// than most.
func bounded(all map[string]string, most int) (some map[string]string, cut bool) {
	some = make(map[string]string, len(all))
	size := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		if slices.Contains(noise, name) {
			continue
		}
		if len(value) > most || size+len(name)+len(value) > maxText {
			cut = true
			continue
		}
		size += len(name) + len(value)
		some[name] = value
	}
	if len(some) == 0 {
		return nil, cut
	}
	return some, cut
}

// podUID returns what the node calls a pod: one of a manifest file has another uid in the API.
func podUID(p *corev1.Pod) string {
	if mirrored, ok := p.Annotations[corev1.MirrorPodAnnotationKey]; ok {
		return mirrored
	}
	return string(p.UID)
}

func podAddresses(p *corev1.Pod) (out []string) {
	for _, ip := range p.Status.PodIPs {
		out = append(out, ip.IP)
	}
	if len(out) == 0 && p.Status.PodIP != "" {
		out = append(out, p.Status.PodIP)
	}
	return out
}

func containers(p *corev1.Pod) (out []identity.Container) {
	for _, s := range statuses(p) {
		_, id, _ := strings.Cut(s.ContainerID, "://")
		out = append(out, identity.Container{Name: s.Name, ID: id, Image: s.Image})
	}
	return out
}

// statuses are those of all containers of a pod.
func statuses(p *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses)
}

func serviceAddresses(s *corev1.Service) (out []string) {
	all := slices.Clone(s.Spec.ClusterIPs)
	if len(all) == 0 {
		all = append(all, s.Spec.ClusterIP)
	}
	all = append(all, s.Spec.ExternalIPs...)
	for _, in := range s.Status.LoadBalancer.Ingress {
		all = append(all, in.IP)
	}
	for _, ip := range all {
		if ip != "" && ip != corev1.ClusterIPNone && !slices.Contains(out, ip) {
			out = append(out, ip)
		}
	}
	return out
}

func (w *Watcher) describeSlice(r *identity.Record, s *discoveryv1.EndpointSlice) {
	r.Service = s.Labels[discoveryv1.LabelServiceName]
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		return
	}
	for i := range s.Endpoints {
		r.Addresses = append(r.Addresses, s.Endpoints[i].Addresses...)
	}
}

// nodeAddresses returns a node's addresses, the one it is known by in the cluster first.
func nodeAddresses(n *corev1.Node) (out []string) {
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
		for _, a := range n.Status.Addresses {
			if a.Type == kind && !slices.Contains(out, a.Address) {
				out = append(out, a.Address)
			}
		}
	}
	return out
}

// released tells whether a pod has given up its addresses: it has ended, or is to end and
// none of its containers runs.
func released(p *corev1.Pod) bool {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return true
	}
	return p.DeletionTimestamp != nil && len(p.Status.ContainerStatuses) > 0 &&
		!slices.ContainsFunc(statuses(p), func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
}

// started returns from when a pod surely has its addresses; zero: the API does not tell.
func started(p *corev1.Pod) (at time.Time) {
	earlier := func(t metav1.Time) {
		if !t.IsZero() && (at.IsZero() || t.Time.Before(at)) {
			at = t.Time
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers && c.Status == corev1.ConditionTrue {
			earlier(c.LastTransitionTime)
		}
	}
	for _, s := range statuses(p) {
		for _, state := range []corev1.ContainerState{s.State, s.LastTerminationState} {
			if state.Running != nil {
				earlier(state.Running.StartedAt)
			}
			if state.Terminated != nil {
				earlier(state.Terminated.StartedAt)
			}
		}
	}
	return at
}

// second is how exactly the API tells times, which it rounds down.
const second = time.Second

// started returns from when a pod surely has its addresses: in the second that the API tells.
// Whoever had them in its first part is told of, and then nobody is sure; but not after a time
// in which the API could not be heard: then the second is left out.
func (w *Watcher) started(p *corev1.Pod) time.Time {
	at := started(p)
	if !at.IsZero() && w.unheard(at) {
		return at.Add(second)
	}
	return at
}

// ended returns until when a pod had its addresses, likewise; zero: the API does not tell.
func (w *Watcher) ended(p *corev1.Pod) (at time.Time) {
	for _, s := range statuses(p) {
		if s.State.Running != nil {
			return time.Time{}
		}
		for _, state := range []corev1.ContainerState{s.State, s.LastTerminationState} {
			if t := state.Terminated; t != nil && !t.FinishedAt.IsZero() && t.FinishedAt.After(at) {
				at = t.FinishedAt.Time
			}
		}
	}
	if at.IsZero() || w.unheard(at) {
		return at
	}
	return at.Add(second)
}

// unheard tells whether in a second, or in part of it, the API could not be heard.
func (w *Watcher) unheard(at time.Time) bool {
	return at.Add(second).After(w.silence[0]) && !at.After(w.silence[1])
}

// byStart puts pods in the order in which they got their addresses.
func byStart(a, b any) int {
	x, ok := a.(*corev1.Pod)
	y, okToo := b.(*corev1.Pod)
	if !ok || !okToo {
		return 0
	}
	return cmp.Or(started(x).Compare(started(y)), x.CreationTimestamp.Compare(y.CreationTimestamp.Time))
}
