package parts

import (
	"strconv"
	"strings"
	"time"

	"shark/recorder/plaintext/libraries"
	"shark/recorder/procfs"
)

// What is known of connections from before the recorder is bounded, and so is what is read of
// /proc for it at a time.
const (
	maxDescriptors = 4096    // of a process that are looked at
	maxOld         = 1 << 16 // sockets that are remembered, of all processes
	maxTableLines  = 1 << 18 // read of a table of sockets
	maxTables      = 32      // read in a turn
	// A process is asked again after lookAgain, and then each time after twice as long, up to
	// this.
	lastAsk = 10 * time.Minute
)

// oldConnections knows which processes still have connections from before secrets were taken. The
// sockets of a process are read once; whether they are still established is in the table of its
// network namespace, which is read once for all processes in it, and less and less often.
type oldConnections struct {
	sockets func(tgid uint32) (inodes []uint64, whole bool)
	table   func(tgid uint32) (established map[uint64]bool, whole bool)

	known  map[process]*oldProcess
	number int    // of sockets that are remembered
	left   uint64 // connections that are not followed, for want of room

	// Of a turn.
	now    time.Time
	tables map[uint32]oldTable // by network namespace
}

type oldProcess struct {
	sockets map[uint64]bool // by inode; nil: none is left
	again   time.Time       // they are looked for, and
	wait    time.Duration
}

type oldTable struct {
	established map[uint64]bool
	whole       bool
}

func newOldConnections() *oldConnections {
	return &oldConnections{sockets: socketsOf, table: established, known: make(map[process]*oldProcess)}
}

// turn begins a turn: a table is read once in it.
func (o *oldConnections) turn(now time.Time) {
	o.now, o.tables = now, make(map[uint32]oldTable)
}

// has tells whether a process still has such a connection.
func (o *oldConnections) has(p libraries.Process) bool {
	key := process{p.TGID, p.Started}
	q := o.known[key]
	if q == nil {
		return o.meet(key, p)
	}
	if len(q.sockets) == 0 || o.now.Before(q.again) {
		return len(q.sockets) > 0
	}
	t, read := o.read(p)
	if !read {
		return true
	}
	q.wait = min(2*q.wait, lastAsk)
	q.again = o.now.Add(q.wait)
	if !t.whole {
		return true // they may be in what was not read
	}
	for inode := range q.sockets {
		if !t.established[inode] {
			delete(q.sockets, inode)
			o.number--
		}
	}
	return len(q.sockets) > 0
}

// meet takes down the connections that a process has.
func (o *oldConnections) meet(key process, p libraries.Process) bool {
	own, whole := o.sockets(p.TGID)
	q := &oldProcess{wait: lookAgain, again: o.now.Add(lookAgain)}
	if len(own) == 0 && whole {
		o.known[key] = q
		return false
	}
	t, read := o.read(p)
	if !read {
		return false // it is met the next time
	}
	o.known[key] = q
	if !whole || !t.whole {
		o.left++ // at least
	}
	for _, inode := range own {
		if !t.established[inode] {
			continue
		}
		if o.number >= maxOld {
			o.left++
			continue
		}
		if q.sockets == nil {
			q.sockets = make(map[uint64]bool)
		}
		if !q.sockets[inode] {
			q.sockets[inode] = true
			o.number++
		}
	}
	return len(q.sockets) > 0
}

// read returns the table of the namespace that a process is in; false: not in this turn.
func (o *oldConnections) read(p libraries.Process) (oldTable, bool) {
	if t, ok := o.tables[p.NetNS]; ok {
		return t, true
	}
	if len(o.tables) >= maxTables {
		return oldTable{}, false
	}
	established, whole := o.table(p.TGID)
	if established == nil {
		return oldTable{}, false // the process is gone, or not ours to see
	}
	o.tables[p.NetNS] = oldTable{established, whole}
	return o.tables[p.NetNS], true
}

// keep forgets all processes but these.
func (o *oldConnections) keep(there map[process]bool) {
	for p, q := range o.known {
		if !there[p] {
			o.number -= len(q.sockets)
			delete(o.known, p)
		}
	}
}

// socketsOf returns the sockets of a process; not whole, if it has more descriptors than are
// looked at.
func socketsOf(tgid uint32) (inodes []uint64, whole bool) {
	looked := procfs.Sockets(tgid, maxDescriptors, func(inode uint64) { inodes = append(inodes, inode) })
	return inodes, looked < maxDescriptors
}

// established returns the inodes of established TCP sockets in the network namespace that a
// process is in, nil if it cannot be seen; not whole, if there are more.
func established(tgid uint32) (inodes map[uint64]bool, whole bool) {
	found := make(map[uint64]bool)
	whole = true
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		all, err := procfs.Lines(tgid, name, maxTableLines, func(line string) {
			// sl local remote st queues timer retransmissions uid timeout inode
			if w := strings.Fields(line); len(w) > 9 && w[3] == "01" {
				if inode, err := strconv.ParseUint(w[9], 10, 64); err == nil {
					found[inode] = true
				}
			}
		})
		if err != nil {
			continue // there may be no IPv6
		}
		inodes, whole = found, whole && all
	}
	return inodes, whole
}
