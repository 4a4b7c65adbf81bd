package kubernetes

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"shark/packet"
	"shark/snapshot/identity"
)

const nodeName = "node-a"

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a number of seconds after the test's beginning.
func at(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }

// recording is a Watcher without API, and what it told.
type recording struct {
	*Watcher
	records []identity.Record
}

func record(t *testing.T) *recording {
	t.Helper()
	w, err := Open(Options{Node: nodeName, Kubeconfig: kubeconfig(t, "https://127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{Watcher: w}
	w.emit = func(x *identity.Record) { r.records = append(r.records, *x) }
	return r
}

// pods is the stream of pods.
func (r *recording) pods() *stream { return r.streams[1] }

// log reads what was told.
func (r *recording) log(t *testing.T) *identity.Log { return logOf(t, r.records) }

func logOf(t *testing.T, records []identity.Record) *identity.Log {
	t.Helper()
	var buf bytes.Buffer
	w := identity.NewWriter(&buf)
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	l, err := identity.Read(&buf)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// who returns the pod or node that had an address; "?" and why if none is known.
func who(l *identity.Log, ip string, t time.Time) string {
	o := l.Lookup(packet.AddrFrom(netip.MustParseAddr(ip)), t.UnixNano())
	switch {
	case o.Unknown != "":
		return "? " + o.Unknown
	case o.Pod != "":
		return o.Pod
	}
	return o.Node
}

// life is what a pod's status says.
type life struct {
	name, uid, ip  string
	started, ended float64 // of its container; 0: not
	phase          corev1.PodPhase
	deleted        bool // it is to end
	host           bool
}

func (x life) pod() *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: x.name, UID: types.UID(x.uid + "uid-" + x.name), CreationTimestamp: metav1.NewTime(began)},
		Spec:       corev1.PodSpec{NodeName: nodeName, HostNetwork: x.host},
		Status:     corev1.PodStatus{Phase: x.phase},
	}
	if x.ip != "" {
		p.Status.PodIP, p.Status.PodIPs = x.ip, []corev1.PodIP{{IP: x.ip}}
	}
	if x.deleted {
		p.DeletionTimestamp = &metav1.Time{Time: began}
	}
	// The API has whole seconds.
	started, ended := metav1.NewTime(at(x.started).Truncate(time.Second)), metav1.NewTime(at(x.ended).Truncate(time.Second))
	s := corev1.ContainerStatus{Name: "main", ContainerID: "containerd://" + x.name}
	switch {
	case x.ended > 0:
		s.State.Terminated = &corev1.ContainerStateTerminated{StartedAt: started, FinishedAt: ended}
	case x.started > 0:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: started}
	}
	if x.started > 0 {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, s)
	}
	return p
}

// TestAddressesHoldFromTheirTimes: who had an address is said for when it was so, and not for when
// the API said it.
func TestAddressesHoldFromTheirTimes(t *testing.T) {
	const ip = "10.0.0.7"
	type step struct {
		seen float64
		life
		gone bool
	}
	update := func(seen float64, x life) step { return step{seen, x, false} }
	gone := func(seen float64, x life) step { return step{seen, x, true} }
	a := func(started, ended float64) life {
		return life{name: "a", ip: ip, started: started, ended: ended, phase: corev1.PodRunning}
	}
	b := func(started float64) life {
		return life{name: "b", ip: ip, started: started, phase: corev1.PodRunning}
	}
	done := a(10, 12)
	done.phase = corev1.PodSucceeded
	ending := a(10, 20)
	ending.deleted = true
	again := a(40, 0)
	again.uid = "second-"
	host := life{name: "h", ip: "192.0.2.1", started: 5, phase: corev1.PodRunning, host: true}
	for _, test := range []struct {
		name  string
		steps []step
		want  map[float64]string
	}{
		{"told late", []step{update(5, life{name: "a"}), update(13, a(10, 0))}, map[float64]string{9: "?", 10.5: "a", 100: "a"}},
		{"ended before it is gone", []step{update(11, a(10, 0)), update(21, ending), gone(30, ending)}, map[float64]string{19: "a", 22: "?"}},
		{"gone without a word", []step{update(11, a(10, 0)), gone(30, a(10, 0))}, map[float64]string{29: "a", 31: "?"}},
		{"over before it was told of", []step{update(15, done)}, map[float64]string{9: "?", 11: "a", 14: "?"}},
		{"over before it was told of, and gone", []step{update(15, done), gone(15, done)}, map[float64]string{9: "?", 11: "a", 14: "?"}},
		{"used again", []step{update(11, a(10, 0)), update(21, ending), gone(21, ending), update(23, b(22))}, map[float64]string{19: "a", 21.5: "?", 22: "b"}},
		{"used again before the end is told", []step{update(11, a(10, 0)), update(33, b(30)), update(34, a(10, 0)), gone(40, ending)}, map[float64]string{29: "a", 30.5: "?", 31.5: "b", 50: "b"}},
		{"the end is told after the next one's", []step{update(33, b(30)), update(34, a(10, 0))}, map[float64]string{29: "a", 30.5: "?", 31.5: "b", 35: "b"}},
		{"the same name again", []step{update(11, a(10, 0)), update(42, again)}, map[float64]string{39: "a", 43: "a"}},
		{"of the node's network", []step{update(11, host)}, map[float64]string{11: "?"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t)
			for _, s := range test.steps {
				if s.gone {
					r.gone(s.pod(), at(s.seen))
				} else {
					r.take(s.pod(), at(s.seen))
				}
			}
			l := r.log(t)
			for when, want := range test.want {
				if got := who(l, ip, at(when)); got != want && !(want == "?" && got[0] == '?') {
					t.Errorf("after %v s: %s, want %s", when, got, want)
				}
			}
		})
	}
}

// TestHostPodsShareTheNode: the address of a node stays its own.
func TestHostPodsShareTheNode(t *testing.T) {
	r := record(t)
	const ip = "192.0.2.1"
	r.take(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "host"}, {Type: corev1.NodeInternalIP, Address: ip},
	}}}, at(0))
	for _, name := range []string{"proxy", "agent"} {
		r.take(life{name: name, ip: ip, started: 1, phase: corev1.PodRunning, host: true}.pod(), at(1))
	}
	if got := who(r.log(t), ip, at(5)); got != nodeName {
		t.Errorf("the node's address is %s's", got)
	}
}

// stay is the truth about a pod of the property test: by the node's clock, to the nanosecond.
type stay struct {
	name, ip   string
	start, end float64
}

// TestNeverWrong plays a node that gives few addresses to many pods, at once where it can, with an
// API that tells late, in whole seconds, and not at all for a while: every address at every
// moment is its pod's, or unknown, and unknown only near the ends or where nothing was told.
func TestNeverWrong(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			away := []float64{30 + 20*rng.Float64(), 0} // the API is not heard from, to
			away[1] = away[0] + 20*rng.Float64()
			stays := stayAround(rng)
			r := record(t)
			heard := play(r, rng, stays, away)
			l := r.log(t)
			known, asked := 0, 0
			for _, s := range stays {
				for range 20 {
					when := s.start + (s.end-s.start)*rng.Float64()
					got := who(l, s.ip, at(when))
					if math.Abs(when-away[0]) < 2 {
						continue // the second that an end is told by may be the one in which all words end
					}
					if got[0] != '?' && got != s.name {
						t.Fatalf("%s at %.3f s: %s, but it was %s's from %.3f to %.3f", s.ip, when, got, s.name, s.start, s.end)
					}
					if heard[s.name] && when > s.start+2.1 && when < s.end-2.1 {
						asked++
						if got == s.name {
							known++
						}
					}
				}
			}
			if asked > 0 && known < asked {
				t.Errorf("%d of %d moments are unknown, of pods that were told of", asked-known, asked)
			}
		})
	}
}

// stayAround makes pods that follow each other on four addresses.
func stayAround(rng *rand.Rand) (all []stay) {
	for a := range 4 {
		now := 1 + 5*rng.Float64()
		for n := 0; now < 90; n++ {
			end := now + 0.2 + 15*rng.Float64()*rng.Float64()
			all = append(all, stay{fmt.Sprintf("pod-%d-%d", a, n), fmt.Sprintf("10.0.0.%d", a+1), now, end})
			now = end + 0.05 + 3*rng.Float64()*rng.Float64()
		}
	}
	return all
}

// play tells the Watcher of pods as an API server would, and returns those whose running was heard
// of and whose end was: not those that went while the API was away.
func play(r *recording, rng *rand.Rand, stays []stay, away []float64) (heard map[string]bool) {
	type event struct {
		when float64
		life
		gone bool
	}
	var events []event
	for _, s := range stays {
		is := life{name: s.name, phase: corev1.PodPending}
		events = append(events, event{s.start - rng.Float64(), is, false})
		is.ip, is.started, is.phase = s.ip, s.start, corev1.PodRunning
		if told := s.start + 2*rng.Float64(); told < s.end {
			events = append(events, event{told, is, false})
		}
		is.ended, is.deleted = s.end, true
		told := s.end + rng.Float64()
		events = append(events, event{told, is, false}, event{told + rng.Float64(), is, true})
	}
	slices.SortStableFunc(events, func(a, b event) int { return at(a.when).Compare(at(b.when)) })
	heard = make(map[string]bool)
	there := make(map[string]life) // what the API would list
	p := r.pods()
	back := false
	p.replace(nil, at(0))
	for _, e := range events {
		if e.when > away[1] && !back {
			back = true
			var list []any
			for _, x := range there {
				list = append(list, x.pod())
				heard[x.name] = true
			}
			p.replace(list, at(away[1]))
		}
		if there[e.name] = e.life; e.gone {
			delete(there, e.name)
		}
		if e.when >= away[0] && e.when <= away[1] {
			if e.gone {
				delete(heard, e.name)
			}
			continue
		}
		p.last = at(e.when)
		if e.gone {
			r.gone(e.pod(), p.last)
			continue
		}
		heard[e.name] = true
		r.take(e.pod(), p.last)
	}
	return heard
}
