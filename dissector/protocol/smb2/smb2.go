// Package smb2 reads SMB 2 and 3 ([MS-SMB2]) over TCP, and the SMB 1 NEGOTIATE
// ([MS-CIFS] section 2.2.4.52) by which older clients come to it.
//
// Responses pair by message id. Each request of a compound is a call of its own.
// STATUS_PENDING is an interim response. What is asked of a file by its id is shown
// with the name that it was opened by, of a tree with its share.
//
// What is encrypted or compressed is one-way and passed over: which response belongs
// to which request can't be seen, nor who sent what after a loss. A connection that
// stays with SMB 1 is not read any further.
package smb2

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message or connection may make us do or keep.
const (
	maxHead   = 4 << 10 // bytes looked at of one message
	maxName   = 512     // bytes of a name
	maxListed = 32      // items of a list
	maxTrees  = 256     // trees whose share is remembered
	maxFiles  = 512     // open files whose name is remembered
	maxAsync  = 1024    // requests without their final response whose interim one is remembered
	maxKept   = 256     // bytes of a name that is remembered
)

// The fields.
var (
	MessageID = field.NewInt("smb2_message_id", "", "Message id, which a response repeats.", `smb2 && smb2_message_id == 7`)
	AsyncID   = field.NewInt("smb2_async_id", "", "Id of a request that the server answered with STATUS_PENDING first.", `smb2 && smb2_async_id != 0`)
	SessionID = field.NewText("smb2_session_id", "Session id, hexadecimal.", `smb2_session_id.startsWith("0x00000000")`)
	TreeID    = field.NewInt("smb2_tree_id", "", "Id of the tree connect that a request goes through.", `smb2 && smb2_tree_id > 0`)
	Share     = field.NewText("smb2_share", `Share, as the client named it in TREE_CONNECT: \\server\share.`, `smb2_share.endsWith("\\files")`)
	File      = field.NewText("smb2_file", "Name of the file, directory or pipe within its share, as it was opened; empty for the share itself.", `smb2_file.endsWith(".txt")`)
	NewName   = field.NewText("smb2_new_name", "Name that a file is given by a SET_INFO.", `smb2_new_name.endsWith(".txt")`)
	Pattern   = field.NewText("smb2_pattern", "Which names a QUERY_DIRECTORY asks for.", `smb2_pattern == "*.txt"`)
	Info      = field.NewText("smb2_info", "Class of information of a QUERY_DIRECTORY, QUERY_INFO or SET_INFO.", `smb2_info == "FileDispositionInformation"`)
	Function  = field.NewText("smb2_function", "Control code of an IOCTL, by name or in hexadecimal.", `smb2_function == "FSCTL_PIPE_TRANSCEIVE"`)
	Action    = field.NewText("smb2_action", "What a CREATE did: opened, created, overwritten or superseded.", `smb2_action == "created"`)
	Offset    = field.NewInt("smb2_offset", "bytes", "Where in the file a READ or WRITE begins.", `smb2_command == "READ" && smb2_offset == 0`)
	Length    = field.NewInt("smb2_length", "bytes", "How much a READ or WRITE asks for.", `smb2_length > 1000`)
	DataSize  = field.NewInt("smb2_data_size", "bytes", "How much a READ or WRITE moved.", `smb2_data_size > 1000`)
	Dialects  = field.NewList("smb2_dialects", "Dialects that a NEGOTIATE offers, such as 3.1.1; of SMB 1 by its names; at most 32, then ....", `"NT LM 0.12" in smb2_dialects`)
	Dialect   = field.NewText("smb2_dialect", "Dialect that the server chose; 2.??? when the client shall ask again.", `smb2_dialect == "3.1.1"`)
	Mechanism = field.NewText("smb2_mechanism", "How a SESSION_SETUP authenticates: NTLM or Kerberos.", `smb2_mechanism == "NTLM"`)
	User      = field.NewText("smb2_user", "User that NTLM authenticates; empty for nobody.", `smb2_user == "games"`)
	Domain    = field.NewText("smb2_domain", "Domain of the user.", `smb2_domain == "SHOP"`)
	Host      = field.NewText("smb2_host", "Name that the client gives itself with NTLM.", `smb2_host == "FILES"`)
	Related   = field.NewBool("smb2_related", "The request belongs to the one before it in a compound.", `smb2_related`)
	Signed    = field.NewBool("smb2_signed", "The message is signed.", `smb2 && !smb2_signed`)
	Encrypted = field.NewBool("smb2_encrypted", "The message is encrypted: nothing but its session is known.", `smb2_encrypted`)
)

// Protocol is SMB 2 and 3. A call has failed when its status is an error by its
// severity ([MS-ERREF] section 2.3), but for STATUS_MORE_PROCESSING_REQUIRED of
// SESSION_SETUP, which asks for the next step ([MS-SMB2] section 3.3.4.4).
var Protocol = &dissector.Protocol{
	Name:      "smb2",
	Label:     "SMB2",
	Doc:       "SMB 2 and 3 file sharing, and the SMB 1 negotiation before it.",
	Transport: dissector.TCP,
	Ports:     []uint16{445, 139},
	Fields: field.Fields(
		field.NewAlias("smb2_command", field.Operation, "Command, such as CREATE; encrypted or compressed where it can't be seen.", `smb2_command == "TREE_CONNECT"`),
		field.NewAlias("smb2_request_size", field.RequestSize, "Size of the request.", `smb2_request_size > 1000`),
		field.NewAlias("smb2_response_size", field.ResponseSize, "Size of the response.", `smb2_response_size > 1000`),
		field.NewAlias("smb2_total_size", field.TotalSize, "Size of both.", `smb2_total_size > 1000`),
		MessageID, AsyncID, SessionID, TreeID, Share, File, NewName, Pattern, Info, Function, Action, Offset, Length, DataSize,
		Dialects, Dialect, Mechanism, User, Domain, Host, Related, Signed, Encrypted,
	),
	Sync:    "\x00",
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed smb message")
