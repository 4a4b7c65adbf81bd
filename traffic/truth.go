package traffic

import "net/netip"

// Truth is what a capture holds, counted while it was made.
type Truth struct {
	Seed  uint64 `json:"seed"`
	First int64  `json:"first"` // time of the first packet, ns since 1970
	Last  int64  `json:"last"`

	Packets int64 `json:"packets"`
	Bytes   int64 `json:"bytes"` // of the packets, without what the file adds
	// TCP connections, refused ones too, and UDP conversations: each has one
	// socket of its client, which may have the port of an earlier one.
	Connections int64 `json:"connections"`
	Flows       int64 `json:"flows"`
	Refused     int64 `json:"refused"`
	Calls       int64 `json:"calls"`
	Partial     int64 `json:"partial"` // calls of which payload is missing, or whose connection lacks earlier payload that matters

	Lost          int64 `json:"lost"`          // segments lost on the way and sent again
	Retransmitted int64 `json:"retransmitted"` // those of them that the capture has twice
	Reordered     int64 `json:"reordered"`     // pairs of segments in the wrong order
	Duplicated    int64 `json:"duplicated"`    // packets captured twice
	Dropped       int64 `json:"dropped"`       // packets that the capture lost
	Missed        int64 `json:"missed"`        // packets before the capture began
	Midstream     int64 `json:"midstream"`     // connections whose beginning was not captured

	Protocols map[string]*ProtocolTruth `json:"protocols"`
}

// ProtocolTruth is what a capture holds of one protocol.
type ProtocolTruth struct {
	Connections int64            `json:"connections"`
	Calls       int64            `json:"calls"`
	Partial     int64            `json:"partial"`
	Methods     map[string]int64 `json:"methods"`
	Statuses    map[string]int64 `json:"statuses"`
}

// Call is one request and its response.
type Call struct {
	Protocol string `json:"protocol"`
	Method   string `json:"method"`
	Path     string `json:"path"`   // or what else the call is about: a name, a key, a topic
	Status   string `json:"status"` // in the protocol's own words
	// Start is when the first byte of the request was captured, ns since 1970, and
	// Elapsed the time until the last byte of the response was.
	Start   int64          `json:"start"`
	Elapsed int64          `json:"elapsed"`
	Client  netip.AddrPort `json:"client"`
	Server  netip.AddrPort `json:"server"`
	// Partial: payload of it, or of an earlier part of its connection without
	// which it cannot be read, was not captured.
	Partial bool `json:"partial,omitempty"`
}

// protocol returns the account of a protocol.
func (t *Truth) protocol(name string) *ProtocolTruth {
	p := t.Protocols[name]
	if p == nil {
		p = &ProtocolTruth{Methods: make(map[string]int64), Statuses: make(map[string]int64)}
		t.Protocols[name] = p
	}
	return p
}

func (t *Truth) count(k *Call) {
	p := t.protocol(k.Protocol)
	t.Calls++
	p.Calls++
	p.Methods[k.Method]++
	p.Statuses[k.Status]++
	if k.Partial {
		t.Partial++
		p.Partial++
	}
}

// connection counts one more conversation of a protocol.
func (t *Truth) connection(name string, tcp bool) {
	t.protocol(name).Connections++
	if tcp {
		t.Connections++
	} else {
		t.Flows++
	}
}
