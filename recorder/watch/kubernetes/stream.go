package kubernetes

import (
	"context"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"shark/snapshot/identity"
)

// stream follows one resource. It is the store that a cache.Reflector fills, which keeps
// records and no objects.
type stream struct {
	w        *Watcher
	kind     identity.Kind
	client   rest.Interface
	resource string
	example  runtime.Object
	only     fields.Selector

	// What follows is under the Watcher's mu.
	status StreamStatus
	synced bool      // all that there was has been told once
	last   time.Time // when the API told something, if only that there is nothing new
}

// run follows the resource until ctx ends. The reflector lists, watches, and begins again after
// failures with growing pauses.
func (s *stream) run(ctx context.Context) {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := s.request(o).Do(ctx).Get()
			s.refused(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			events, err := s.request(o).Watch(ctx)
			s.refused(ctx, err)
			return events, err
		},
	}
	r := cache.NewReflectorWithOptions(lw, s.example, s, cache.ReflectorOptions{Name: s.resource})
	r.RunWithContext(context.WithValue(ctx, asker{}, s))
}

// asker is under what a request's context has the stream that asks.
type asker struct{}

// hearing takes down whether the API answers. The client does not tell all: to it a watch that
// could not begin is one without events.
type hearing struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (h hearing) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := h.RoundTripper.RoundTrip(r)
	if s, ok := r.Context().Value(asker{}).(*stream); ok && (err != nil || answer.StatusCode < 300) {
		s.heard(r.Context(), err)
	}
	return answer, err
}

// refused takes down that the API answered, and why not as it should.
func (s *stream) refused(ctx context.Context, err error) {
	if err != nil {
		s.heard(ctx, err)
	}
}

func (s *stream) request(o metav1.ListOptions) *rest.Request {
	o.FieldSelector = s.only.String()
	return s.client.Get().Resource(s.resource).VersionedParams(&o, metav1.ParameterCodec)
}

// heard takes down whether the API answered.
func (s *stream) heard(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	t := &s.status
	if up := err == nil; up != t.Connected {
		if up && t.Err != nil && s.synced {
			t.Reconnects++
		}
		t.Connected, t.Since = up, time.Now()
	}
	t.Err = err
}

// Add implements cache.ReflectorStore.
func (s *stream) Add(obj any) error { return s.Update(obj) }

// Update implements cache.ReflectorStore.
func (s *stream) Update(obj any) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.last = time.Now()
	s.w.take(obj, s.last)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *stream) Delete(obj any) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.last = time.Now()
	s.w.gone(obj, s.last)
	return nil
}

// Bookmark implements cache.ReflectorBookmarkStore: up to now all is told.
func (s *stream) Bookmark(string) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.last = time.Now()
	return nil
}

// Replace implements cache.ReflectorStore: it takes all there is, and ends what is not among it, at
// the time when it was last known to be there. Pods come in the order of their times, so that
// who got an address last has it.
func (s *stream) Replace(list []any, _ string) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.replace(list, time.Now())
	return nil
}

func (s *stream) replace(list []any, now time.Time) {
	seen := now
	if !s.synced && s.kind != identity.Pod {
		seen = s.w.began // it was there before
	}
	slices.SortStableFunc(list, byStart)
	if s.synced && s.kind == identity.Pod {
		s.w.silence = [2]time.Time{s.last, now}
	}
	there := make(map[key]bool, len(list))
	for _, obj := range list {
		if k, ok := keyOf(obj); ok {
			there[k] = true
		}
	}
	for k, o := range s.w.told {
		if k.kind == s.kind && !there[k] {
			s.w.end(k, o, s.last) // another may have had its addresses since, and be gone too
		}
	}
	for _, obj := range list {
		s.w.take(obj, seen)
	}
	s.last = now
	if !s.synced {
		s.synced = true
		if !slices.ContainsFunc(s.w.streams, func(x *stream) bool { return !x.synced }) {
			close(s.w.synced)
		}
	}
}

// Resync implements cache.ReflectorStore: it is not asked for.
func (s *stream) Resync() error { return nil }

// Transformer implements cache.TransformingStore: of what is listed no more is kept than is told.
func (s *stream) Transformer() cache.TransformFunc { return strip }
