// Package mongodb reads the MongoDB wire protocol
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/): OP_MSG,
// the legacy opcodes before it, and OP_COMPRESSED around any of them. Documents are
// BSON (https://bsonspec.org/spec.html), read in place.
//
// A reply names its request by responseTo. Of a message only what the fields need is
// looked at: the documents that are sent, and those of a cursor's batch, are counted
// and passed over. A message from the client that asks for no answer is one-way, and
// so is each reply that the server goes on with unasked, on a cursor or a hello that
// allows it (exhaust).
//
// Of OP_COMPRESSED the beginning is unpacked, up to limits; what lies behind them is
// unknown, and the message is marked as resumed. So is one whose BSON is broken.
package mongodb

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxMessage   = 48_000_000 + 16<<10 // bytes of a message: maxMessageSizeBytes of the server, and some room
	maxHead      = 16 << 10            // bytes of a message that are waited for at once
	maxValue     = 4 << 10             // bytes of a value that are looked at
	maxDetail    = 16 << 10            // the same, and of mongodb_filter, of an entry that is looked at
	maxKey       = 512                 // bytes of a key, and of what else a zero byte ends
	maxName      = 255                 // bytes of a name that is kept
	maxText      = 512                 // bytes of an error text
	maxFilter    = 256                 // bytes of mongodb_filter
	maxSummary   = 256                 // bytes of the summary
	maxNested    = 16                  // documents in documents that are written out
	maxPacked    = 256 << 10           // bytes of OP_COMPRESSED that are unpacked
	maxUnpacked  = 1 << 20             // bytes that they are unpacked to
	freeUnpacked = 64 << 10            // bytes that all messages of a side may unpack to, and
	maxRatio     = 64                  // for each packed one of all of them these more
	maxWindow    = 8 << 20             // bytes of zstd's window
	maxKept      = 64 << 10            // bytes of memory for unpacking that are kept for the next message
	maxWaiting   = 4096                // requests without a reply that are remembered
)

// The fields.
var (
	Command      = field.NewText("mongodb_command", "Name of the command; of a legacy opcode, that of the command which took its place.", `mongodb && mongodb_command == "find"`)
	Database     = field.NewText("mongodb_database", "Database it runs in.", `mongodb && mongodb_database == "shop"`)
	Collection   = field.NewText("mongodb_collection", "Collection it works on.", `mongodb && mongodb_collection == "orders"`)
	Opcode       = field.NewText("mongodb_opcode", "Opcode of the wire protocol, such as OP_MSG; of a compressed message, that of what is compressed. That of the request, or of the reply if the request was not seen.", `mongodb && mongodb_opcode == "OP_MSG"`)
	RequestID    = field.NewInt("mongodb_request_id", "", "Number by which a reply names its request.", `mongodb && mongodb_request_id == 42`)
	Filter       = field.NewText("mongodb_filter", "Filter, or the pipeline of an aggregation, as relaxed Extended JSON: of several updates or deletes, that of the first; at most 256 bytes of it, then ...; passwords are ***.", `mongodb_filter.contains("\"sku\":")`)
	Documents    = field.NewInt("mongodb_documents", "", "Documents, updates or deletes that the request carries.", `mongodb && mongodb_documents > 10`)
	Returned     = field.NewInt("mongodb_returned", "", "Documents, or distinct values, that the reply holds.", `mongodb && mongodb_returned > 10`)
	Affected     = field.NewInt("mongodb_affected", "", "The n of the reply: documents inserted, matched by updates, deleted or counted.", `mongodb_command == "delete" && mongodb_affected > 0`)
	CursorID     = field.NewInt("mongodb_cursor_id", "", "Cursor that the request goes on with, or that the reply leaves open; 0 when there is none.", `mongodb && mongodb_cursor_id != 0`)
	Compressor   = field.NewText("mongodb_compressor", "Compressor of the request, or of the reply if only that is compressed: snappy, zlib, zstd or noop, which leaves it as it is.", `mongodb_compressor == "zstd"`)
	App          = field.NewText("mongodb_app", "What the client calls its application in its first hello.", `mongodb_app == "cart"`)
	ErrorCode    = field.NewInt("mongodb_error_code", "", "Error number; 0 when there is none. Of write errors, that of the first.", `mongodb && mongodb_error_code == 11000`)
	ErrorMessage = field.NewText("mongodb_error_message", "Error text.", `mongodb && mongodb_error_message.contains("duplicate key")`)
	ErrorName    = field.NewText("mongodb_error_code_name", "Name of the error, from the server's list where the reply has only the number.", `mongodb && mongodb_error_code_name == "DuplicateKey"`)
)

// Protocol is MongoDB. A call has failed when its reply is not ok, or has write
// errors or a write concern error, or, of a legacy OP_QUERY or OP_GET_MORE, says
// that the query failed or that the cursor is not there.
var Protocol = &dissector.Protocol{
	Name:      "mongodb",
	Label:     "MongoDB",
	Doc:       "MongoDB commands and their replies.",
	Transport: dissector.TCP,
	Ports:     []uint16{27017, 27018, 27019},
	Fields: field.Fields(
		Command, Database, Collection, Opcode,
		field.NewAlias("mongodb_success", field.Succeeded, "Answered, and not with an error.", `mongodb && !mongodb_success`),
		ErrorCode, ErrorMessage, ErrorName,
		field.NewAlias("mongodb_request_size", field.RequestSize, "Size of the request.", `mongodb && mongodb_request_size > 1000`),
		field.NewAlias("mongodb_response_size", field.ResponseSize, "Size of the response.", `mongodb && mongodb_response_size > 1000`),
		field.NewAlias("mongodb_total_size", field.TotalSize, "Size of request and response together.", `mongodb && mongodb_total_size > 1000`),
		RequestID, Filter, Documents, Returned, Affected, CursorID, Compressor, App,
	),
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed mongodb message")
