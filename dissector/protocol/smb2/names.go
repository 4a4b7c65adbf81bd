package smb2

import "fmt"

// named returns a number's name, the number in hexadecimal when it has none.
func named(names map[uint32]string, n uint32) string {
	if s := names[n]; s != "" {
		return s
	}
	return fmt.Sprintf("0x%08x", n)
}

// The commands that are read in a way of their own (section 2.2.1).
const (
	cmdNegotiate      = 0
	cmdSessionSetup   = 1
	cmdLogoff         = 2
	cmdTreeConnect    = 3
	cmdTreeDisconnect = 4
	cmdCreate         = 5
	cmdClose          = 6
	cmdRead           = 8
	cmdWrite          = 9
	cmdIoctl          = 11
	cmdCancel         = 12
	cmdEcho           = 13
	cmdQueryDirectory = 14
	cmdQueryInfo      = 16
	cmdSetInfo        = 17
	cmdOplockBreak    = 18
	cmdNotification   = 19
)

// sizeOplockBreak tells the OPLOCK_BREAK of an oplock from that of a lease.
const sizeOplockBreak = 24

// commands are the commands: name, StructureSize of the request, and where in it the
// file's id is.
var commands = [...]struct {
	name       string
	size, file int
}{
	{"NEGOTIATE", 36, 0},
	{"SESSION_SETUP", 25, 0},
	{"LOGOFF", 4, 0},
	{"TREE_CONNECT", 9, 0},
	{"TREE_DISCONNECT", 4, 0},
	{"CREATE", 57, 0},
	{"CLOSE", 24, 8},
	{"FLUSH", 24, 8},
	{"READ", 49, 16},
	{"WRITE", 49, 16},
	{"LOCK", 48, 8},
	{"IOCTL", 57, 8},
	{"CANCEL", 4, 0},
	{"ECHO", 4, 0},
	{"QUERY_DIRECTORY", 33, 8},
	{"CHANGE_NOTIFY", 32, 8},
	{"QUERY_INFO", 41, 24},
	{"SET_INFO", 33, 16},
	{"OPLOCK_BREAK", sizeOplockBreak, 8},
	{"SERVER_TO_CLIENT_NOTIFICATION", 4, 0},
}

// dialects are the dialects by revision (section 2.2.4).
var dialects = map[uint32]string{
	0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1", 0x02ff: "2.???",
}

// actions are what a CREATE did (section 2.2.14).
var actions = [...]string{"superseded", "opened", "created", "overwritten"}

// oplocks are the levels of oplocks (section 2.2.23.1).
var oplocks = map[uint32]string{0: "none", 1: "level II", 8: "exclusive", 9: "batch"}

// functions are the control codes ([MS-SMB2] section 2.2.31, [MS-FSCC] section 2.3).
var functions = map[uint32]string{
	0x00060194: "FSCTL_DFS_GET_REFERRALS", 0x000601b0: "FSCTL_DFS_GET_REFERRALS_EX", 0x0011400c: "FSCTL_PIPE_PEEK",
	0x00110018: "FSCTL_PIPE_WAIT", 0x0011c017: "FSCTL_PIPE_TRANSCEIVE", 0x001440f2: "FSCTL_SRV_COPYCHUNK",
	0x001480f2: "FSCTL_SRV_COPYCHUNK_WRITE", 0x00144064: "FSCTL_SRV_ENUMERATE_SNAPSHOTS", 0x00140078: "FSCTL_SRV_REQUEST_RESUME_KEY",
	0x001441bb: "FSCTL_SRV_READ_HASH", 0x001401d4: "FSCTL_LMR_REQUEST_RESILIENCY", 0x001401fc: "FSCTL_QUERY_NETWORK_INTERFACE_INFO",
	0x00140204: "FSCTL_VALIDATE_NEGOTIATE_INFO", 0x000900a4: "FSCTL_SET_REPARSE_POINT", 0x000900a8: "FSCTL_GET_REPARSE_POINT",
	0x00098208: "FSCTL_FILE_LEVEL_TRIM", 0x000900c4: "FSCTL_SET_SPARSE", 0x000980c8: "FSCTL_SET_ZERO_DATA",
	0x000940cf: "FSCTL_QUERY_ALLOCATED_RANGES", 0x000900c0: "FSCTL_CREATE_OR_GET_OBJECT_ID", 0x0009009c: "FSCTL_GET_OBJECT_ID",
	0x00098344: "FSCTL_DUPLICATE_EXTENTS_TO_FILE",
}

// fileInformation is the type of information of files.
const fileInformation = 1

// The classes that hold a new name.
const (
	classRename   = 10
	classLink     = 11
	classRenameEx = 65
)

// infoTypes are the classes of information by type ([MS-FSCC] sections 2.4 and 2.5);
// class 0 names a type without classes.
var infoTypes = [...]map[int]string{
	fileInformation: {
		1: "FileDirectoryInformation", 2: "FileFullDirectoryInformation", 3: "FileBothDirectoryInformation", 4: "FileBasicInformation",
		5: "FileStandardInformation", 6: "FileInternalInformation", 7: "FileEaInformation", 8: "FileAccessInformation",
		9: "FileNameInformation", classRename: "FileRenameInformation", classLink: "FileLinkInformation", 12: "FileNamesInformation",
		13: "FileDispositionInformation", 14: "FilePositionInformation", 15: "FileFullEaInformation", 16: "FileModeInformation",
		17: "FileAlignmentInformation", 18: "FileAllInformation", 19: "FileAllocationInformation", 20: "FileEndOfFileInformation",
		21: "FileAlternateNameInformation", 22: "FileStreamInformation", 23: "FilePipeInformation", 24: "FilePipeLocalInformation",
		28: "FileCompressionInformation", 34: "FileNetworkOpenInformation", 35: "FileAttributeTagInformation",
		37: "FileIdBothDirectoryInformation", 38: "FileIdFullDirectoryInformation", 48: "FileNormalizedNameInformation",
		59: "FileIdInformation", 60: "FileIdExtdDirectoryInformation", 64: "FileDispositionInformationEx", classRenameEx: "FileRenameInformationEx",
	},
	{
		1: "FileFsVolumeInformation", 2: "FileFsLabelInformation", 3: "FileFsSizeInformation", 4: "FileFsDeviceInformation",
		5: "FileFsAttributeInformation", 6: "FileFsControlInformation", 7: "FileFsFullSizeInformation", 8: "FileFsObjectIdInformation",
		11: "FileFsSectorSizeInformation",
	},
	{0: "security"},
	{0: "quota"},
}
