// Package identity is the log of who had which address when, and its lookups.
//
// In: JSON lines, one object each, an upsert or a delete with its time. Out: the
// owner of an address at a time. A lookup never guesses: two owners at once, or
// none, is unknown with a reason.
package identity

// Owner is who an address belonged to at a time.
type Owner struct {
	Pod, PodNamespace         string
	Service, ServiceNamespace string
	Node, NodeIP              string // node the pod runs on, or the node itself
	WorkloadKind, Workload    string // owner of the pod: "Deployment", "cart"
	Process                   string // name of the process, where it is known
	Labels, Annotations       map[string]string
	// Unknown says why nobody, or nobody for certain, owned the address: empty
	// when the owner is known.
	Unknown string
}
