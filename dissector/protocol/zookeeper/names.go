package zookeeper

import "strconv"

// Opcodes that are read in a way of their own (ZooDefs.OpCode).
const (
	opNotification = 0
	opExists       = 3
	opSetData      = 5
	opPing         = 11
	opMulti        = 14
	opMultiRead    = 22
	opAuth         = 100
	opSetWatches   = 101
	opSetWatches2  = 105
	opCloseSession = -11
	opError        = -1

	// Not ZooKeeper's: its connect has no opcode, and its words have none.
	opConnect = 1 << 20
	opWord    = 1<<20 + 1
)

// Xids that are not a client's counter (ClientCnxn).
const (
	xidNotification = -1
	xidPing         = -2
	xidAuth         = -4
	xidSetWatches   = -8
)

// op is an operation: its name, what its request holds behind the header, and what
// its reply does.
type op struct {
	name     string
	request  func(*jute, *request)
	response func(*jute, *response)
}

// ops are the operations by opcode (ZooDefs.OpCode, as of ZooKeeper 3.9), but for
// transactions.
var ops = map[int32]*op{
	1:              {"create", create, created},
	2:              {"delete", versioned, nothing},
	3:              {"exists", watched, stat},
	4:              {"getData", watched, data},
	opSetData:      {"setData", setData, stat},
	6:              {"getACL", pathOnly, acls},
	7:              {"setACL", setACL, stat},
	8:              {"getChildren", watched, children},
	9:              {"sync", pathOnly, synced},
	opPing:         {"ping", empty, nothing},
	12:             {"getChildren2", watched, childrenAndStat},
	13:             {"check", versioned, nothing},
	15:             {"create2", create, createdAndStat},
	16:             {"reconfig", reconfig, data},
	17:             {"checkWatches", typed, nothing},
	18:             {"removeWatches", typed, nothing},
	19:             {"createContainer", create, createdAndStat},
	20:             {"deleteContainer", pathOnly, nothing},
	21:             {"createTTL", createTTL, createdAndStat},
	opAuth:         {"auth", auth, nothing},
	opSetWatches:   {"setWatches", func(j *jute, r *request) { setWatches(j, r, 3) }, nothing},
	102:            {"sasl", token, answerToken},
	103:            {"getEphemerals", pathOnly, children},
	104:            {"getAllChildrenNumber", pathOnly, number},
	opSetWatches2:  {"setWatches2", func(j *jute, r *request) { setWatches(j, r, 5) }, nothing},
	106:            {"addWatch", typed, nothing},
	107:            {"whoAmI", empty, clients},
	opCloseSession: {"closeSession", empty, nothing},
}

// errorNames are the errors of KeeperException.Code.
var errorNames = map[int32]string{
	0: "OK", -1: "SYSTEMERROR", -2: "RUNTIMEINCONSISTENCY", -3: "DATAINCONSISTENCY", -4: "CONNECTIONLOSS", -5: "MARSHALLINGERROR",
	-6: "UNIMPLEMENTED", -7: "OPERATIONTIMEOUT", -8: "BADARGUMENTS", -12: "UNKNOWNSESSION", -13: "NEWCONFIGNOQUORUM", -14: "RECONFIGINPROGRESS",
	-100: "APIERROR", -101: "NONODE", -102: "NOAUTH", -103: "BADVERSION", -108: "NOCHILDRENFOREPHEMERALS", -110: "NODEEXISTS",
	-111: "NOTEMPTY", -112: "SESSIONEXPIRED", -113: "INVALIDCALLBACK", -114: "INVALIDACL", -115: "AUTHFAILED", -118: "SESSIONMOVED",
	-119: "NOTREADONLY", -120: "EPHEMERALONLOCALSESSION", -121: "NOWATCHER", -122: "REQUESTTIMEOUT", -123: "RECONFIGDISABLED",
	-124: "SESSIONCLOSEDREQUIRESASLAUTH", -125: "QUOTAEXCEEDED", -127: "THROTTLEDOP",
}

// Errors of KeeperException.Code that are read in a way of their own.
const (
	errRuntimeInconsistency = -2 // of an operation that another one of its transaction undid
	errNoNode               = -101
	errSessionExpired       = -112
)

// modes are the kinds of nodes (CreateMode).
var modes = map[int32]string{
	0: "PERSISTENT", 1: "EPHEMERAL", 2: "PERSISTENT_SEQUENTIAL", 3: "EPHEMERAL_SEQUENTIAL", 4: "CONTAINER",
	5: "PERSISTENT_WITH_TTL", 6: "PERSISTENT_SEQUENTIAL_WITH_TTL",
}

// events are what a watch tells (Watcher.Event.EventType).
var events = map[int32]string{
	-1: "None", 1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged", 4: "NodeChildrenChanged", 5: "DataWatchRemoved", 6: "ChildWatchRemoved", 7: "PersistentWatchRemoved",
}

// states are those of a session (Watcher.Event.KeeperState).
var states = map[int32]string{
	-112: "Expired", 0: "Disconnected", 3: "SyncConnected", 4: "AuthFailed", 5: "ConnectedReadOnly", 6: "SaslAuthenticated", 7: "Closed",
}

// nameOf returns the name of a number, or the number where it has none.
func nameOf(names map[int32]string, n int32) string {
	if s, ok := names[n]; ok {
		return s
	}
	return strconv.Itoa(int(n))
}

// words are the commands of four letters (ZooKeeper Administrator's Guide, "The Four
// Letter Words").
var words = map[string]bool{
	"conf": true, "cons": true, "crst": true, "dirs": true, "dump": true, "envi": true, "gtmk": true, "hash": true, "isro": true, "mntr": true,
	"obsr": true, "orst": true, "ruok": true, "srst": true, "srvr": true, "stat": true, "stmk": true, "wchc": true, "wchp": true, "wchs": true,
}

// transactions are the operations made of others, by opcode.
var transactions = map[int32]*op{
	opMulti:     {"multi", multi, results},
	opMultiRead: {"multiRead", multi, results},
}

// opOf returns the operation of an opcode, nil of an unknown one.
func opOf(code int32) *op {
	if o := ops[code]; o != nil {
		return o
	}
	return transactions[code]
}
