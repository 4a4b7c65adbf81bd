package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Op says what a record does to the object it names.
type Op string

// The two operations.
const (
	// Upsert states the whole of an object: what an earlier record said of it and
	// this one does not holds no longer.
	Upsert Op = "upsert"
	// Delete ends an object. Its uid never comes back.
	Delete Op = "delete"
)

// Kind is what an object is. Kinds this package does not know are passed over.
type Kind string

// The kinds of objects.
const (
	Pod       Kind = "pod"
	Service   Kind = "service"
	Endpoints Kind = "endpoints" // an Endpoints object or one EndpointSlice
	Node      Kind = "node"
	Process   Kind = "process"
	Socket    Kind = "socket"
	// Drops is not one that owns anything: how many packets the kernel dropped for a reason
	// on a device, in Labels.
	Drops Kind = "drops"
	// Cut is not an object: after its record's time the log knows nothing, since
	// its rest is lost.
	Cut Kind = "cut"
)

// Record is one line of the log. Pods, services and endpoints are told apart by
// namespace and name, nodes by name, processes and sockets by node, uid and name.
type Record struct {
	Time      time.Time `json:"time"` // when it began to hold; between the years 1678 and 2262
	Op        Op        `json:"op"`
	Source    string    `json:"source,omitempty"` // "kubernetes", "cgroup", ...
	Kind      Kind      `json:"kind"`
	UID       string    `json:"uid,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	// Addresses are IP addresses: of a pod its own, none once it has finished,
	// since others may have them then; of a service its cluster addresses; of
	// endpoints those of the backends; of a node the one it is known by first.
	Addresses   []string          `json:"addresses,omitempty"`
	Node        string            `json:"node,omitempty"`         // that it runs on
	HostNetwork bool              `json:"host_network,omitempty"` // of a pod: its addresses are its node's
	Service     string            `json:"service,omitempty"`      // of endpoints: the service, when it has another name than they
	Workload    *WorkloadRef      `json:"workload,omitempty"`     // that owns a pod, a Deployment rather than its ReplicaSet
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Containers  []Container       `json:"containers,omitempty"`
	Cgroup      string            `json:"cgroup,omitempty"`
	PID         int64             `json:"pid,omitempty"` // of a process or a socket's

	// Of a process. What it was started with may be cut off.
	Parent     int64  `json:"parent,omitempty"` // its process's number
	Executable string `json:"executable,omitempty"`
	Command    string `json:"command,omitempty"`   // its arguments, quoted where a shell would have it so
	Container  string `json:"container,omitempty"` // id of the one it runs in
	Pod        string `json:"pod,omitempty"`       // uid of that pod
	Netns      uint64 `json:"netns,omitempty"`     // inode of its network namespace; of a socket too

	// Of a socket: Addresses are those at which it can be reached, with Port; Peer, if it has
	// one, is the only other end. Owner is the uid of the process that uses it.
	Protocol string `json:"protocol,omitempty"` // tcp, udp or sctp
	Port     uint16 `json:"port,omitempty"`
	Peer     string `json:"peer,omitempty"`
	PeerPort uint16 `json:"peer_port,omitempty"`
	Process  string `json:"process,omitempty"` // name of the process
	Owner    string `json:"owner,omitempty"`
}

// WorkloadRef names what owns pods.
type WorkloadRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Container is one container of a pod.
type Container struct {
	Name   string `json:"name"`
	ID     string `json:"id,omitempty"`
	Image  string `json:"image,omitempty"`
	Cgroup string `json:"cgroup,omitempty"`
}

// check tells what a record lacks.
func (r *Record) check() error {
	switch {
	case r.Time.IsZero():
		return errors.New("it has no time")
	case !inRange(r.Time):
		return fmt.Errorf("its time %s is out of range", r.Time.Format(time.RFC3339))
	case r.Op != Upsert && r.Op != Delete:
		return fmt.Errorf("its op %q is neither upsert nor delete", clip(string(r.Op)))
	case r.Kind == "":
		return errors.New("it has no kind")
	case r.Name == "":
		return errors.New("it has no name")
	}
	return nil
}

// inRange tells whether t has a number of nanoseconds since 1970.
func inRange(t time.Time) bool {
	const most = math.MaxInt64 / 1_000_000_000
	return t.Unix() < most && t.Unix() > -most
}

// clip shortens text that is quoted in a reason.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// Writer appends records to a log. It is for one goroutine at a time.
type Writer struct {
	w   io.Writer
	buf bytes.Buffer
	enc *json.Encoder
}

// NewWriter returns a Writer to w, which it gives one whole line at a time.
func NewWriter(w io.Writer) *Writer {
	x := &Writer{w: w}
	x.enc = json.NewEncoder(&x.buf)
	x.enc.SetEscapeHTML(false)
	return x
}

// Write appends one record. The keys of a line always have the same order.
func (w *Writer) Write(r *Record) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("identity record of %s %q: %w", r.Kind, clip(r.Name), err)
	}
	line := *r
	line.Time = r.Time.UTC()
	w.buf.Reset()
	if err := w.enc.Encode(&line); err != nil {
		return fmt.Errorf("identity record of %s %q: %w", r.Kind, clip(r.Name), err)
	}
	if w.buf.Len() > maxLine {
		return fmt.Errorf("identity record of %s %q: %d bytes are more than a line holds", r.Kind, clip(r.Name), w.buf.Len())
	}
	_, err := w.w.Write(w.buf.Bytes())
	return err
}
