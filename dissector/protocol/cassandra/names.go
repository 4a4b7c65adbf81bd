package cassandra

import "fmt"

// consistencies are the levels (section 3).
var consistencies = [...]string{"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"}

func consistency(n int) string {
	if n < len(consistencies) {
		return consistencies[n]
	}
	return fmt.Sprintf("0x%04x", n)
}

// batches are the types of a batch (section 4.1.7).
var batches = [...]string{"logged", "unlogged", "counter"}

// kinds are those of a result (section 4.2.5).
const (
	kindVoid = iota + 1
	kindRows
	kindKeyspace
	kindPrepared
	kindSchema
)

var kinds = [...]string{kindVoid: "Void", kindRows: "Rows", kindKeyspace: "Set_keyspace", kindPrepared: "Prepared", kindSchema: "Schema_change"}

// errorNames are those of section 9.
var errorNames = map[int]string{
	0x0000: "Server_error",
	0x000a: "Protocol_error",
	0x0100: "Authentication_error",
	0x1000: "Unavailable",
	0x1001: "Overloaded",
	0x1002: "Is_bootstrapping",
	0x1003: "Truncate_error",
	0x1100: "Write_timeout",
	0x1200: "Read_timeout",
	0x1300: "Read_failure",
	0x1400: "Function_failure",
	0x1500: "Write_failure",
	0x1600: "CDC_write_failure",
	0x1700: "CAS_write_unknown",
	0x2000: "Syntax_error",
	0x2100: "Unauthorized",
	0x2200: "Invalid",
	0x2300: "Config_error",
	0x2400: "Already_exists",
	0x2500: "Unprepared",
}

func errorName(code int) string {
	if name := errorNames[code]; name != "" {
		return name
	}
	return fmt.Sprintf("0x%04x", code)
}

// events are the types of events (section 4.2.6).
var events = map[string]bool{"TOPOLOGY_CHANGE": true, "STATUS_CHANGE": true, "SCHEMA_CHANGE": true}
