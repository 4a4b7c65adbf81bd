package parts

import (
	"fmt"
	"slices"
	"strings"

	"shark/recorder/watch/kubernetes"
)

// Mode is how TLS is made readable.
type Mode string

// The modes. Auto takes secrets of every new connection, and plaintext only of processes that
// have connections without: those whose library tells no secrets, and those that had
// connections before the recorder began, until these end.
const (
	Auto      Mode = "auto"
	Keys      Mode = "keys"
	Plaintext Mode = "plaintext"
	Both      Mode = "both"
	Off       Mode = "off"
)

// Modes are all of them.
var Modes = []Mode{Auto, Keys, Plaintext, Both, Off}

// ParseMode reads a mode.
func ParseMode(s string) (Mode, error) {
	for _, m := range Modes {
		if string(m) == s {
			return m, nil
		}
	}
	return Off, fmt.Errorf("%q is none of %s", s, Modes)
}

// Policy says how TLS is made readable: that of processes in pods of the Kubernetes namespaces
// that it names as it says there, whatever network they use, and that of all others by Mode. Where
// it names any, a process in a pod that the API has not told of is not read until it has, nor is one
// that is gone before it was asked about.
type Policy struct {
	Mode       Mode
	Namespaces map[string]Mode
}

// ParsePolicy reads a policy: the mode of most, and rules such as bank=off.
func ParsePolicy(mode string, rules []string) (p Policy, err error) {
	if p.Mode, err = ParseMode(mode); err != nil {
		return p, err
	}
	for _, rule := range rules {
		name, way, found := strings.Cut(rule, "=")
		if !found {
			return p, fmt.Errorf("%q is no rule such as bank=off: a Kubernetes namespace, and one of %s", rule, Modes)
		}
		if _, err := kubernetes.ParseTarget([]string{name}, nil, "", ""); err != nil {
			return p, err
		}
		m, err := ParseMode(way)
		if err != nil {
			return p, fmt.Errorf("namespace %s: %w", name, err)
		}
		if before, twice := p.Namespaces[name]; twice && before != m {
			return p, fmt.Errorf("namespace %s is to be read in two ways, %s and %s", name, before, m)
		}
		if p.Namespaces == nil {
			p.Namespaces = make(map[string]Mode)
		}
		p.Namespaces[name] = m
	}
	return p, nil
}

// any tells whether anybody is read in one of these ways.
func (p *Policy) any(modes ...Mode) bool {
	if slices.Contains(modes, p.Mode) {
		return true
	}
	for _, m := range p.Namespaces {
		if slices.Contains(modes, m) {
			return true
		}
	}
	return false
}

// of returns how a process is read.
func (p *Policy) of(known *pods, pid int) Mode {
	if len(p.Namespaces) == 0 {
		return p.Mode
	}
	namespace, told := known.namespace(pid)
	if !told {
		return Off
	}
	if m, named := p.Namespaces[namespace]; named {
		return m
	}
	return p.Mode
}

// TLSStatus is the ledger of what can be read, file by file: a program, or a library that
// programs use.
type TLSStatus struct {
	Files   []TLSFile         `json:"files"`
	Secrets uint64            `json:"secrets"`
	Missing map[string]uint64 `json:"secrets_missing,omitempty"` // by reason
	Reads   uint64            `json:"plaintext_reads"`
	Writes  uint64            `json:"plaintext_writes"`
	Bytes   uint64            `json:"plaintext_bytes"`
	Lost    map[string]uint64 `json:"plaintext_calls_lost,omitempty"` // by reason
	// Crowded processes and Unfollowed connections from before the recorder are not read in clear
	// for want of room in the tables.
	Crowded    int    `json:"plaintext_processes_without_room,omitempty"`
	Unfollowed uint64 `json:"plaintext_connections_without_room,omitempty"`
}

// TLSFile is a file with TLS in it.
type TLSFile struct {
	Path      string `json:"path"`
	Library   string `json:"library"`
	Processes int    `json:"processes"`
	Keys      string `json:"keys"` // attached, or why not
	Secrets   uint64 `json:"secrets"`
	Plaintext string `json:"plaintext"` // attached, or why not
}

// attachedText is what stands for a file that is attached to.
const attachedText = "attached"
