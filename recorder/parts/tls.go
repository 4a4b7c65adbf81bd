package parts

import "fmt"

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
