// Package identity is the log of who had which address when, and its lookups.
//
// In: JSON lines, one object each, an upsert or a delete with its time. Out: the
// owner of an address at a time. A lookup never guesses: two owners at once, or
// none, is unknown with a reason.
package identity

import "errors"

// ErrFormat says that an input is no identity log.
var ErrFormat = errors.New("not an identity log")

// What a log can make grow. Records and maxUnpacked bound the memory of a Log;
// what lies beyond them is not read, and nothing is claimed of the time after.
const (
	// maxLine is the longest line that is read, in bytes. Kubernetes holds an
	// object's annotations under 256 KiB and an object under 1.5 MiB.
	maxLine = 4 << 20
	// maxRecords is how many records a log, or several read together, may have.
	maxRecords = 2 << 20
	// maxUnpacked is how many bytes they may have, packing taken off.
	maxUnpacked = 1 << 30
	// maxDamage is how many places of damage are listed one by one; those after
	// it are counted in the last.
	maxDamage = 1000
	// maxRegex bounds the text of a regular expression of a filter, in bytes.
	maxRegex = 4 << 10
)

// Owner is who an address belonged to at a time.
type Owner struct {
	Pod, PodNamespace         string
	Service, ServiceNamespace string
	Node, NodeIP              string // node the pod runs on, or the node itself
	WorkloadKind, Workload    string // owner of the pod: "Deployment", "cart"
	Process                   string // name of the process, where it is known
	PID                       int64  // its number, where that is known too and it is one
	Labels, Annotations       map[string]string
	// Unknown says why nobody, or nobody for certain, owned the address: empty
	// when the owner is known.
	Unknown string
}
