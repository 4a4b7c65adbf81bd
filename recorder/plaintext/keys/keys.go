// Package keys gets the secrets of TLS sessions out of the processes that have them, once a
// handshake, with which recorded packets can be decrypted.
//
// In: the files with TLS that processes map (package libraries), and who may be read. Out: an
// event for each secret, and for each file whether it is attached to, and if not why. A file is
// attached to once, when the first process that may be read maps it, whatever the version of
// the library in it. Where the library keeps the client's random, it is asked for; a build that
// does not tell is calibrated: what the random is of handshakes that go by is looked for in the
// objects that secrets are logged for, and believed when two handshakes agree. Secrets wait
// meanwhile, within limits. Nothing is read, and no probe has a cost, between handshakes.
package keys

import (
	"time"

	"shark/packet/keylog"
	"shark/recorder/plaintext/libraries"
	"shark/recorder/plaintext/object"
)

// Limits.
const (
	maxWaiting  = 64      // dumps of a file that wait for its calibration; they are 9 KiB each
	maxDumps    = 1 << 10 // of all files
	maxHellos   = 256     // randoms that are remembered
	maxSockets  = 64      // network namespaces that are listened to at a time
	maxVerdicts = 1 << 14 // processes of which it is known whether they may be read
	maxResults  = 1 << 12 // calibrations that are remembered, by the digests of files
	generation  = 1 << 12 // events that are remembered at least, to give none twice
)

// Times.
const (
	linger = 10 * time.Second // between the end of a file's last process and the probe's
	again  = 10 * time.Second // until a file is tried again that could not be attached to
)

// Options say what is read.
type Options struct {
	Libraries *libraries.Watcher // which runs beside; its caller runs it

	// Allow says whether a process may be read. It is asked once a process and place (network
	// namespace and cgroup), and again after Reconsider. Without it all may be. It must not call back.
	Allow func(libraries.Process) bool

	// For tests.
	linger     time.Duration // in the constant's place
	calibrate  bool          // even where the library tells
	perfEvents bool          // even where there is uprobe_multi
}

// Event is a secret, and who had it.
type Event struct {
	Secret  keylog.Secret
	Time    time.Time
	TGID    uint32
	TID     uint32
	Comm    string
	Cgroup  uint64
	NetNS   uint32 // inode of the network namespace
	Library object.Library
	Path    string // of the file that has the library
}

// FileStatus is what is known of one file.
type FileStatus struct {
	Path      string
	BuildID   string
	Library   object.Library
	Found     object.Found // how its point was found
	Random    string       // how it is known where the random is: "argument", "accessor", "calibrated", "cached", or "" while it is not
	Processes int
	Attached  bool
	Reason    string // why it is not attached to, or what it waits for
	Secrets   uint64 // given
	Waiting   int    // for the calibration
}

// Status is how the reading goes. All counters but Secrets, Repeated and Denied are of secrets
// that are missing.
type Status struct {
	Files []FileStatus

	Secrets      uint64 // given
	Repeated     uint64 // seen before, and not given again
	Denied       uint64 // of processes that may not be read
	Uncalibrated uint64 // let go because it did not become known where their random is
	Unknown      uint64 // with labels that no key log has, or of files that are gone
	Unreadable   uint64 // label, secret or random could not be read
	Lost         uint64 // found no room in the kernel's rings

	Deaf string // why the hellos of a network namespace could not be heard, to calibrate by
}
