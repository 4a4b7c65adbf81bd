// Package mysql reads the client/server protocol of MySQL and MariaDB
// (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
// https://mariadb.com/kb/en/clientserver-protocol/).
//
// The server's greeting is an interim answer: what it says becomes part of the
// login, which is a call named COM_CONNECT, as the server's own logs have it. Then
// each command is a call. All results of a command are one answer. Files that the
// server asks for (LOCAL INFILE) are one-way, as are the commands that have no
// answer.
//
// After SSLRequest the stream is TLS. What is compressed, and the events of
// replication, are not read.
package mysql

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxPacket     = 1<<24 - 1 // bytes of a packet; one of this length goes on in the next
	maxHead       = 16 << 10  // bytes of a packet that are looked at
	maxDetailHead = 256 << 10 // the same where somebody wants to look at it
	maxQuery      = 2 << 10   // bytes of mysql_query
	maxSummary    = 128       // bytes of the summary
	maxText       = 1 << 10   // bytes of an error's text or of the name of a file
	maxName       = 256       // bytes of a user's or database's name
	maxLogin      = 64 << 10  // bytes of a packet of the login
	maxColumns    = 1 << 16   // columns of a result
	maxStatements = 256       // prepared statements of a connection whose text is kept
	maxPrepared   = 64 << 10  // bytes of all those texts
)

// The fields.
var (
	Command      = field.NewText("mysql_command", "Command, such as COM_QUERY; COM_CONNECT is the login.", `mysql && mysql_command == "COM_QUERY"`)
	Query        = field.NewText("mysql_query", "Text of the statement, also where it was prepared before; at most 2048 bytes, ... where there are more. Passwords that are set are shown as ***. shark show has it at length.", `mysql && mysql_query.contains("orders")`)
	Database     = field.NewText("mysql_database", "Database of the session, or the one that the command chooses.", `mysql && mysql_database == "shop"`)
	User         = field.NewText("mysql_user", "User of the session.", `mysql_user == "app"`)
	StatementID  = field.NewInt("mysql_statement_id", "", "Id of the prepared statement.", `mysql && mysql_statement_id == 1`)
	Columns      = field.NewInt("mysql_columns", "", "Columns of the first result.", `mysql_columns > 5`)
	Rows         = field.NewInt("mysql_rows", "", "Rows of all results.", `mysql_rows > 100`)
	AffectedRows = field.NewInt("mysql_affected_rows", "", "Rows that were changed, by all statements of the command.", `mysql_affected_rows > 5`)
	InsertID     = field.NewInt("mysql_last_insert_id", "", "Id that was generated for the last row.", `mysql_last_insert_id == 5`)
	ErrorCode    = field.NewInt("mysql_error_code", "", "Error number; 0 when there is none.", `mysql && mysql_error_code == 1062`)
	SQLState     = field.NewText("mysql_sqlstate", "SQLSTATE of the error; empty when there is none.", `mysql_sqlstate == "23000"`)
	Compression  = field.NewText("mysql_compression", "How all that comes behind the login is compressed, which is not read: zlib or zstd; of a login only, empty when it is not.", `mysql_compression == "zlib"`)
	ErrorMessage = field.NewText("mysql_error_message", "Error text, at most 1024 bytes.", `mysql && mysql_error_message.contains("Duplicate entry")`)
)

// Protocol is MySQL. A call has failed when its answer is or ends with an error.
var Protocol = &dissector.Protocol{
	Name:      "mysql",
	Label:     "MySQL",
	Doc:       "Commands of MySQL and MariaDB and their results.",
	Transport: dissector.TCP,
	Ports:     []uint16{3306},
	Fields: field.Fields(
		Command, Query, Database, User, StatementID, Columns, Rows, AffectedRows, InsertID, Compression, ErrorCode, SQLState, ErrorMessage,
		field.NewAlias("mysql_success", field.Succeeded, "Answered, and not with an error.", `mysql && !mysql_success`),
		field.NewAlias("mysql_request_size", field.RequestSize, "Size of the command.", `mysql_request_size > 10000`),
		field.NewAlias("mysql_response_size", field.ResponseSize, "Size of the results.", `mysql_response_size > 10000`),
		field.NewAlias("mysql_total_size", field.TotalSize, "Size of command and results.", `mysql && mysql_total_size > 10000`),
	),
	Sync:  "\x01\x07",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed mysql packet")
