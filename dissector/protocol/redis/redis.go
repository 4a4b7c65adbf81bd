// Package redis reads the Redis protocol: RESP2, RESP3 and inline commands
// (https://redis.io/docs/latest/develop/reference/protocol-spec/).
//
// Replies answer commands in order. Messages of subscriptions, RESP3 pushes and
// the lines of MONITOR are one-way; SUBSCRIBE and its kin are answered once a
// channel, so all of these replies but the last are interim. The stream of a
// replica is not read: after SYNC and PSYNC the connection is opaque.
//
// A value is never buffered: what is not worth seeing is passed over. The
// streamed types that RESP3 describes and no server sends are not read.
package redis

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxSeen    = 512      // bytes looked at of one string
	maxCommand = 1024     // bytes of redis_command
	maxArg     = 48       // bytes of an argument that redis_command shows, but in detail
	maxSummary = 128      // bytes of the summary of a command without a key
	maxKey     = 64       // bytes of redis_key
	maxVerb    = 32       // bytes of a command's name
	maxLine    = 64 << 10 // bytes of a line: an inline command, a simple string, an error
	maxAtomic  = 4 << 10  // a message is read in pieces when it is longer than this
	maxDepth   = 32       // arrays in arrays
	maxCount   = 1 << 32  // elements of an array
	maxString  = 1 << 40  // bytes of a string
	maxArgs    = 64       // arguments searched for a key
)

// The fields.
var (
	Type    = field.NewText("redis_type", "Command name, in capitals.", `redis_type == "GET"`)
	Command = field.NewText("redis_command", "The command line: 48 bytes of each argument, ... where there are more, but scripts at length; at most about 1024 bytes of all; bytes that cannot be shown are escaped. shark show has the arguments at length.", `redis_command.contains("EX 60")`)
	Key     = field.NewText("redis_key", "First key of the command, or its channel, at most 64 bytes of it.", `redis_key.startsWith("session:")`)
	Error   = field.Rarely(field.NewText("redis_error", "Error reply, or the first error inside a reply, such as that of EXEC.", `redis_error.startsWith("WRONGTYPE")`))
	Reply   = field.NewText("redis_reply_type", "Kind of the reply: status, error, integer, string, array, null, map, set, double, boolean, number, push.", `redis_type == "GET" && redis_reply_type == "null"`)
)

// Protocol is Redis. A call has failed when its reply is an error or holds one.
var Protocol = &dissector.Protocol{
	Name:      "redis",
	Label:     "Redis",
	Doc:       "Redis commands and replies (RESP2, RESP3 and inline commands).",
	Transport: dissector.TCP,
	Ports:     []uint16{6379},
	Fields: field.Fields(
		Type, Command, Key, Error, Reply,
		field.NewAlias("redis_request_size", field.RequestSize, "Size of the command.", `redis_request_size > 1000`),
		field.NewAlias("redis_response_size", field.ResponseSize, "Size of the reply.", `redis_response_size > 1000`),
		field.NewAlias("redis_total_size", field.TotalSize, "Size of command and reply.", `redis && redis_total_size > 1000`),
	),
	Sync:  "*$+-:",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed redis message")
