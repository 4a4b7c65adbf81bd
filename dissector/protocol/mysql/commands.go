package mysql

// The commands that are more than a name here.
const (
	comQuit            = 1
	comInitDB          = 2
	comQuery           = 3
	comFieldList       = 4
	comCreateDB        = 5
	comDropDB          = 6
	comStatistics      = 9
	comProcessInfo     = 10
	comConnect         = 11 // never sent: our name for the login
	comDebug           = 13
	comPing            = 14
	comChangeUser      = 17
	comBinlogDump      = 18
	comTableDump       = 19
	comStmtPrepare     = 22
	comStmtExecute     = 23
	comStmtLongData    = 24
	comStmtClose       = 25
	comStmtReset       = 26
	comStmtFetch       = 28
	comBinlogDumpGTID  = 30
	comResetConnection = 31
	comStmtBulkExecute = 250 // MariaDB
)

// commands are the names, those of MySQL's enum_server_command first.
var commands = [256]string{
	0: "COM_SLEEP", comQuit: "COM_QUIT", comInitDB: "COM_INIT_DB", comQuery: "COM_QUERY", comFieldList: "COM_FIELD_LIST",
	comCreateDB: "COM_CREATE_DB", comDropDB: "COM_DROP_DB", 7: "COM_REFRESH", 8: "COM_SHUTDOWN", comStatistics: "COM_STATISTICS",
	comProcessInfo: "COM_PROCESS_INFO", comConnect: "COM_CONNECT", 12: "COM_PROCESS_KILL", comDebug: "COM_DEBUG", comPing: "COM_PING",
	15: "COM_TIME", 16: "COM_DELAYED_INSERT", comChangeUser: "COM_CHANGE_USER", comBinlogDump: "COM_BINLOG_DUMP",
	comTableDump: "COM_TABLE_DUMP", 20: "COM_CONNECT_OUT", 21: "COM_REGISTER_SLAVE", comStmtPrepare: "COM_STMT_PREPARE",
	comStmtExecute: "COM_STMT_EXECUTE", comStmtLongData: "COM_STMT_SEND_LONG_DATA", comStmtClose: "COM_STMT_CLOSE",
	comStmtReset: "COM_STMT_RESET", 27: "COM_SET_OPTION", comStmtFetch: "COM_STMT_FETCH", 29: "COM_DAEMON",
	comBinlogDumpGTID: "COM_BINLOG_DUMP_GTID", comResetConnection: "COM_RESET_CONNECTION", 32: "COM_CLONE",
	33: "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM", comStmtBulkExecute: "COM_STMT_BULK_EXECUTE", 254: "COM_MULTI",
}

// silent tells whether a command has no answer.
func silent(cmd byte) bool { return cmd == comQuit || cmd == comStmtLongData || cmd == comStmtClose }

// replication tells whether a command is answered by a stream of events.
func replication(cmd byte) bool {
	return cmd == comBinlogDump || cmd == comTableDump || cmd == comBinlogDumpGTID || cmd == 32 || cmd == 33
}

// The capability flags that change how bytes are read; those from bit 32 on are
// MariaDB's.
const (
	capMySQL            = 1 // not set by MariaDB, which then sends its own flags too
	capConnectWithDB    = 1 << 3
	capCompress         = 1 << 5
	capProtocol41       = 1 << 9
	capSSL              = 1 << 11
	capSecureConnection = 1 << 15
	capAuthLenenc       = 1 << 21
	capSessionTrack     = 1 << 23
	capDeprecateEOF     = 1 << 24
	capOptionalMetadata = 1 << 25
	capZstd             = 1 << 26
	capQueryAttributes  = 1 << 27
	capCacheMetadata    = 1 << 36
)

// The status flags that say what follows.
const (
	statusMoreResults  = 0x0008
	statusCursor       = 0x0040
	statusStateChanged = 0x4000
)
