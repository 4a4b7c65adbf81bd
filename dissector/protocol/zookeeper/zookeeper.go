// Package zookeeper reads the client protocol of Apache ZooKeeper: records of jute
// (zookeeper.jute in its sources), each with its length before it.
//
// A reply does not say what it answers: it is read with the opcode that its request,
// found by xid, left in its notes. Pings, auth and setWatches have xids that come
// again: they are counted, and after a loss paired again when none can be under way.
// Watch events are one-way. The values of nodes are passed over. Neither the password
// of a session nor what a client proves itself with is kept.
//
// The words that operators and health probes send instead, such as ruok, are calls
// too; the answer lasts until the server hangs up.
package zookeeper

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxSize     = 64 << 20 // bytes of a message; ZooKeeper's own default is 1 MiB
	maxHead     = 16 << 10 // bytes of a message that are looked at
	maxOps      = 64       // operations listed of one transaction
	maxRecords  = 4096     // items of one list that are read
	maxSummary  = 512      // bytes of the summary
	maxPassword = 64       // bytes of a session's password
	maxScheme   = 64       // bytes of the name of a scheme
	maxTimeout  = 1 << 30  // ms of a session's timeout
	idleTime    = 1e9      // ns of silence after which no answer to a ping is due
)

// The fields.
var (
	Opcode     = field.NewInt("zookeeper_opcode", "", "Number of the operation: 1 create, 4 getData, 14 multi and so on.", `zookeeper && zookeeper_opcode == 4`)
	Xid        = field.NewInt("zookeeper_xid", "", "Number by which a reply names its request: -1 watch event, -2 ping, -4 auth, -8 setWatches.", `zookeeper && zookeeper_xid > 0`)
	Zxid       = field.NewInt("zookeeper_zxid", "", "Latest transaction that the server had seen when it answered; of a connect request, that the client had seen.", `zookeeper_zxid > 100`)
	Path       = field.NewText("zookeeper_path", "Path of the node.", `zookeeper_path.startsWith("/shop/")`)
	Created    = field.NewText("zookeeper_created", "Path of the node that was made, with the number of a sequential one.", `zookeeper_created.endsWith("0000000002")`)
	Mode       = field.NewText("zookeeper_mode", "Kind of the node to be made, such as EPHEMERAL or PERSISTENT_SEQUENTIAL.", `zookeeper_mode == "EPHEMERAL"`)
	Version    = field.NewInt("zookeeper_version", "", "Version that the request wants the node to have; -1 is any.", `zookeeper && zookeeper_version >= 0`)
	NodeVer    = field.NewInt("zookeeper_node_version", "", "Version of the node's data, as the answer has it.", `zookeeper_node_version > 3`)
	DataSize   = field.NewInt("zookeeper_data_size", "bytes", "Size of the node's data, in the request or the answer.", `zookeeper_data_size > 10000`)
	Children   = field.NewInt("zookeeper_children", "", "Number of children, or of paths, in the answer.", `zookeeper_children > 5`)
	Watch      = field.NewBool("zookeeper_watch", "The request wants to be told when the node changes.", `zookeeper_watch`)
	Operations = field.NewList("zookeeper_operations", "Operations of a transaction, each with its path.", `"delete /shop/m" in zookeeper_operations`)
	Event      = field.NewText("zookeeper_event", "What a watch event tells, such as NodeDataChanged.", `zookeeper_event == "NodeDeleted"`)
	State      = field.NewText("zookeeper_state", "State of the session that comes with a watch event.", `zookeeper_state == "SyncConnected"`)
	Session    = field.NewText("zookeeper_session", "Session, in hexadecimal as ZooKeeper's log writes it. Of a connect: the one that the server gave, or else the one that the client asked for.", `zookeeper_session == "0x1234"`)
	Timeout    = field.NewInt("zookeeper_timeout", "ms", "Session timeout that the client asks for.", `zookeeper_timeout < 10000`)
	Granted    = field.NewInt("zookeeper_granted_timeout", "ms", "Session timeout that the server grants; 0 when the session has expired.", `zookeeper_granted_timeout == 0`)
	Scheme     = field.NewText("zookeeper_auth_scheme", "Scheme of the client's proof of who it is.", `zookeeper_auth_scheme == "digest"`)
)

// Protocol is ZooKeeper. A call has failed when its reply, or an operation of its
// transaction, has an error, and a connect when the server refuses the session. That
// exists finds no node is an answer like any other.
var Protocol = &dissector.Protocol{
	Name:      "zookeeper",
	Label:     "ZooKeeper",
	Doc:       "Calls of Apache ZooKeeper's clients, and its watch events.",
	Transport: dissector.TCP,
	Ports:     []uint16{2181},
	Fields: field.Fields(
		Opcode, Xid, Zxid, Path, Created, Mode, Version, NodeVer, DataSize, Children, Watch, Operations, Event, State, Session, Timeout, Granted, Scheme,
	),
	Sync:    "\x00", // a length
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed zookeeper message")
