package snapshot

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"shark/snapshot/block"
)

const (
	// FormatVersion is the version of the format that is written, and the newest
	// that is read.
	FormatVersion = 1
	// maxManifest is the largest manifest that is read, in bytes.
	maxManifest = 64 << 20
	// maxThings is how many nodes, interfaces, objects and notes it may have in all: an empty
	// one takes three bytes of text and a hundred of memory. Names with braces count, too.
	maxThings = 1 << 20
	// maxKey bounds the path of an object, in bytes, and maxID an id.
	maxKey = 1024
	maxID  = 64
	// maxNotes is how many coverage notes of one kind a node has; the rest is counted.
	maxNotes = 100
	// maxInterfaces is how many of a node's interfaces a manifest describes.
	maxInterfaces = 1000
)

// Manifest says what a snapshot holds. It is written last and never changed.
type Manifest struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"` // sorts by time of creation; safe as a path anywhere
	Name    string    `json:"name"`
	Note    string    `json:"note,omitempty"`
	Creator string    `json:"creator,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Created time.Time `json:"created"`
	Asked   *Window   `json:"asked,omitempty"`  // for; nil: for all there was
	Filter  *Filter   `json:"filter,omitempty"` // of what was taken; nil: all was
	Nodes   []Node    `json:"nodes"`
	Objects []Object  `json:"objects"`
	// Coverage says what is missing, as far as it is known.
	Coverage []Note `json:"coverage"`
}

// Window is a time, both ends included.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// with returns the time from the first to the last of two windows, which may be nil: empty.
func (w *Window) with(o *Window) *Window {
	switch {
	case w == nil:
		return o
	case o == nil:
		return w
	}
	both := *w
	if o.From.Before(both.From) {
		both.From = o.From
	}
	if o.To.After(both.To) {
		both.To = o.To
	}
	return &both
}

// equal tells whether two windows are the same, nil or not.
func (w *Window) equal(o *Window) bool {
	if w == nil || o == nil {
		return w == o
	}
	return w.From.Equal(o.From) && w.To.Equal(o.To)
}

// Node is what one node contributed.
type Node struct {
	Name       string      `json:"name"`
	Got        *Window     `json:"got,omitempty"` // first to last packet; nil without packets
	Packets    uint64      `json:"packets"`
	Bytes      uint64      `json:"bytes"`                // on the wire
	CutPackets uint64      `json:"cut_packets"`          // that the capture did not take whole
	Filtered   uint64      `json:"filtered,omitempty"`   // packets of the window that the filter left out
	Interfaces []Interface `json:"interfaces,omitempty"` // in the order met
	Inputs     []Input     `json:"inputs,omitempty"`     // files it was imported from

	FilteredPlaintext uint64 `json:"filtered_plaintext,omitempty"` // segments of TLS plaintext that the filter left out
	FilteredSecrets   uint64 `json:"filtered_secrets,omitempty"`   // of TLS sessions that the filter took no handshake of
}

// Interface is one capture interface of a node. Statistics that the capture does
// not state are nil.
type Interface struct {
	Name        string  `json:"name,omitempty"`
	Description string  `json:"description,omitempty"`
	OS          string  `json:"os,omitempty"`
	Filter      string  `json:"filter,omitempty"`
	LinkType    uint16  `json:"link_type"`
	SnapLen     uint32  `json:"snap_len,omitempty"`
	Packets     uint64  `json:"packets"`
	Received    *uint64 `json:"received,omitempty"`
	Dropped     *uint64 `json:"dropped,omitempty"`
}

// Input is a file that was imported.
type Input struct {
	Name   string `json:"name"` // without its folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ObjectKind is what an object holds. Readers pass over kinds they do not know.
type ObjectKind string

// The kinds of objects.
const (
	KindPackets   ObjectKind = "packets"
	KindPlaintext ObjectKind = "plaintext" // packets of what TLS libraries sent and received
	KindBlocks    ObjectKind = "blocks"    // the index of one of these
	KindSecrets   ObjectKind = "secrets"
	KindIdentity  ObjectKind = "identity"
)

// Object is one file of a snapshot.
type Object struct {
	Path    string     `json:"path"` // relative to the manifest, with slashes
	Kind    ObjectKind `json:"kind"`
	Node    string     `json:"node,omitempty"`
	Size    int64      `json:"size"`
	SHA256  string     `json:"sha256"`            // in hex
	Index   string     `json:"index,omitempty"`   // of packets and plaintext: the path of their index
	Blocks  int        `json:"blocks,omitempty"`  // of packets and plaintext
	Groups  int        `json:"groups,omitempty"`  // of addresses, by which these have their partitions
	Packets uint64     `json:"packets,omitempty"` // in them
	Bytes   uint64     `json:"bytes,omitempty"`   // on the wire
	Window  *Window    `json:"window,omitempty"`  // first to last packet
	Records int        `json:"records,omitempty"` // of an identity log
}

// blocked tells whether an object is packets in blocks.
func (o *Object) blocked() bool { return o.Kind == KindPackets || o.Kind == KindPlaintext }

// describes tells whether what it says of packets is true of their index.
func (o *Object) describes(x *block.Index) bool {
	return x.Size() == o.Size && x.Packets() == o.Packets && len(x.Blocks) == o.Blocks && x.Groups == o.Groups
}

// NoteKind is what a coverage note is about.
type NoteKind string

// The kinds of coverage notes.
const (
	NoteNode     NoteKind = "node"     // a node is missing
	NoteDamage   NoteKind = "damage"   // a capture file could not be read in full
	NoteDrops    NoteKind = "drops"    // the capture lost packets
	NoteHole     NoteKind = "hole"     // when it lost them
	NoteCut      NoteKind = "cut"      // packets were not captured whole
	NoteBeside   NoteKind = "beside"   // what stood beside packets could not be kept, or times not as exactly
	NoteTimes    NoteKind = "times"    // times could not be kept
	NoteIdentity NoteKind = "identity" // the identity log could not be read in full
	NoteWindow   NoteKind = "window"   // not all of the window was recorded
	NotePolicy   NoteKind = "policy"   // what was recorded and was not to be kept
	NoteFilter   NoteKind = "filter"   // the filter names what nobody knows
)

// Note is one thing that is missing.
type Note struct {
	Kind NoteKind `json:"kind"`
	Node string   `json:"node,omitempty"`
	Text string   `json:"text"`
}

// encode returns the manifest as it is stored, sealed; its keys always have the same order.
func (m *Manifest) encode() ([]byte, error) {
	text, err := seal(m, "  ")
	if err == nil && len(text) > maxManifest {
		err = fmt.Errorf("the manifest has %d bytes, more than %d", len(text), maxManifest)
	}
	if err == nil {
		err = checkThings(text)
	}
	return text, err
}

// ParseManifest reads a manifest and checks that it is sound in itself: what it
// says can be, and none of its paths leads out of the snapshot.
func ParseManifest(data []byte) (*Manifest, error) {
	var version struct {
		Format *int `json:"format"`
	}
	err := checkThings(data)
	if err == nil {
		err = json.Unmarshal(data, &version)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the manifest is not sound: %w", ErrIntegrity, err)
	case version.Format == nil:
		return nil, fmt.Errorf("%w: the manifest states no format", ErrIntegrity)
	case *version.Format > FormatVersion:
		return nil, fmt.Errorf("the snapshot has format %d, and this program reads up to %d: a newer one is needed", *version.Format, FormatVersion)
	case *version.Format < 1:
		return nil, fmt.Errorf("%w: there is no format %d", ErrIntegrity, *version.Format)
	}
	m := new(Manifest)
	if err = checkSeal(data); err == nil {
		err = json.Unmarshal(data, m)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the manifest is not sound: %w", ErrIntegrity, err)
	}
	return m, nil
}

// checkThings refuses a manifest of too many things before they take memory.
func checkThings(data []byte) error {
	if n := bytes.Count(data, []byte("{")) + bytes.Count(data, []byte("null")); n > maxThings {
		return fmt.Errorf("it has %d things, more than %d", n, maxThings)
	}
	return nil
}

func (m *Manifest) check() error {
	if !validID(m.ID) {
		return fmt.Errorf("%.80q is no id", m.ID)
	}
	nodes := make(map[string]bool, len(m.Nodes))
	for _, n := range m.Nodes {
		if n.Name == "" || nodes[n.Name] {
			return fmt.Errorf("node %.80q is there twice or has no name", n.Name)
		}
		nodes[n.Name] = true
	}
	paths := make(map[string]bool, len(m.Objects))
	for i := range m.Objects {
		o := &m.Objects[i]
		switch {
		case !validKey(o.Path):
			return fmt.Errorf("%.80q cannot be the path of an object", o.Path)
		case paths[o.Path]:
			return fmt.Errorf("%s is there twice", o.Path)
		case o.Kind == "":
			return fmt.Errorf("%s has no kind", o.Path)
		case o.Node != "" && !nodes[o.Node]:
			return fmt.Errorf("%s is of node %.80q, which is not there", o.Path, o.Node)
		case o.Size < 0 || o.Blocks < 0 || o.Records < 0:
			return fmt.Errorf("%s has a size or count below 0", o.Path)
		case !validSum(o.SHA256):
			return fmt.Errorf("%s has no SHA-256", o.Path)
		}
		paths[o.Path] = true
	}
	for i := range m.Objects {
		o := &m.Objects[i]
		if x := m.object(o.Index); o.blocked() && (x == nil || x.Kind != KindBlocks || x.Node != o.Node) {
			return fmt.Errorf("%s has no index", o.Path)
		}
	}
	return m.checkNodes()
}

// checkNodes compares what the manifest says of each node with what it says of its packets: a
// node that has some is not whole without their objects.
func (m *Manifest) checkNodes() error {
	type sums struct {
		packets, bytes uint64
		got            *Window
	}
	of := make(map[string]*sums, len(m.Nodes))
	for i := range m.Objects {
		o := &m.Objects[i]
		if !o.blocked() || o.Node == "" {
			continue
		}
		s := of[o.Node]
		if s == nil {
			s = new(sums)
			of[o.Node] = s
		}
		s.got = s.got.with(o.Window)
		if o.Kind == KindPackets {
			s.packets += o.Packets
			s.bytes += o.Bytes
		}
	}
	for i := range m.Nodes {
		n, s := &m.Nodes[i], of[m.Nodes[i].Name]
		if s == nil {
			s = new(sums)
		}
		switch {
		case n.Packets != s.packets:
			return fmt.Errorf("node %.80q has %d packets, and its objects %d", n.Name, n.Packets, s.packets)
		case n.Bytes != s.bytes:
			return fmt.Errorf("the packets of node %.80q have %d bytes, and those of its objects %d", n.Name, n.Bytes, s.bytes)
		case !n.Got.equal(s.got):
			return fmt.Errorf("the packets of node %.80q are of another time than those of its objects", n.Name)
		}
	}
	return nil
}

// object returns the object with a path; nil when there is none.
func (m *Manifest) object(path string) *Object {
	for i := range m.Objects {
		if m.Objects[i].Path == path {
			return &m.Objects[i]
		}
	}
	return nil
}

// validID tells whether s can be an id: it begins with a digit, as no device of
// Windows does.
func validID(s string) bool {
	if s == "" || len(s) > maxID || s[0] < '0' || s[0] > '9' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validKey tells whether s can be the path of an object: below nodes or
// dissections, in the letters that escape leaves.
func validKey(s string) bool {
	if len(s) > maxKey || !strings.HasPrefix(s, "nodes/") && !strings.HasPrefix(s, "dissections/") {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || part[len(part)-1] == '.' || len(part) > maxPart || reserved(part) {
			return false
		}
		for _, c := range []byte(part) {
			if !plain(c) && c != '=' {
				return false
			}
		}
	}
	return true
}

func validSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}
