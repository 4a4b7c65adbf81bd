package ntp

// The modes (RFC 5905 section 7.3).
const (
	symmetricActive  = 1
	symmetricPassive = 2
	client           = 3
	server           = 4
	broadcast        = 5
	control          = 6
	private          = 7
)

var modes = [8]string{
	symmetricActive: "symmetric active", symmetricPassive: "symmetric passive", client: "client", server: "server",
	broadcast: "broadcast", control: "control", private: "private",
}

// leaps are the leap indicators (RFC 5905 section 7.3).
var leaps = [4]string{"no warning", "61 seconds", "59 seconds", "unsynchronized"}

const unsynchronized = 3 // the last of them

// opcodes are the operations of control messages (RFC 9327 section 2).
var opcodes = [32]string{
	1: "read status", 2: "read variables", 3: "write variables", 4: "read clock variables", 5: "write clock variables",
	6: "set trap", trap: "trap", 8: "runtime configuration", 9: "export configuration", 10: "remote address statistics",
	11: "ordered list", 12: "nonce", 31: "unset trap",
}

// trap is the operation that a server tells by itself.
const trap = 7

// controlErrors are the error codes of control messages (RFC 9327 section 3.4).
var controlErrors = [8]string{
	"unspecified", "authentication failure", "invalid message length or format", "invalid opcode", "unknown association", "unknown variable name",
	"invalid variable value", "administratively prohibited",
}

// requests are the request codes of private messages, as ntp_request.h of ntpd
// numbers them.
var requests = [46]string{
	0: "PEER_LIST", 1: "PEER_LIST_SUM", 2: "PEER_INFO", 3: "PEER_STATS", 4: "SYS_INFO", 5: "SYS_STATS", 6: "IO_STATS", 7: "MEM_STATS",
	8: "LOOP_INFO", 9: "TIMER_STATS", 10: "CONFIG", 11: "UNCONFIG", 12: "SET_SYS_FLAG", 13: "CLR_SYS_FLAG", 14: "MONITOR", 15: "NOMONITOR",
	16: "GET_RESTRICT", 17: "RESADDFLAGS", 18: "RESSUBFLAGS", 19: "UNRESTRICT", 20: "MON_GETLIST", 21: "RESET_STATS", 22: "RESET_PEER",
	23: "REREAD_KEYS", 24: "DO_DIRTY_HACK", 25: "DONT_DIRTY_HACK", 26: "TRUSTKEY", 27: "UNTRUSTKEY", 28: "AUTHINFO", 29: "TRAPS",
	30: "ADD_TRAP", 31: "CLR_TRAP", 32: "REQUEST_KEY", 33: "CONTROL_KEY", 34: "GET_CTLSTATS", 35: "GET_LEAPINFO", 36: "GET_CLOCKINFO",
	37: "SET_CLKFUDGE", 38: "GET_KERNEL", 39: "GET_CLKBUGINFO", 41: "SET_PRECISION", 42: "MON_GETLIST_1", 43: "HOSTNAME_ASSOCID",
	44: "IF_STATS", 45: "IF_RELOAD",
}

// privateErrors are the error codes of private messages, of the same file.
var privateErrors = [8]string{
	"okay", "bad implementation number", "request unknown", "format error", "no data available", "", "", "authentication failure",
}
