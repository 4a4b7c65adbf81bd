// Package memcached reads the memcached protocols: text with the meta commands
// (https://github.com/memcached/memcached/blob/master/doc/protocol.txt), binary
// (https://github.com/memcached/memcached/wiki/BinaryProtocolRevamped), and the
// frame that UDP puts around either.
//
// Replies answer commands in order; binary ones by opcode and opaque where the
// client sets one. A command that asks for silence (noreply, the meta flag q, the
// quiet opcodes) is one-way, and so is what the server says to it all the same.
// A quiet get with an opaque of its own is a call where something is found; that
// nothing was, which makes it one-way, is known from the answer to a later request.
// Where it is not certain which command a reply is for, the pairs begin anew.
//
// Values are never buffered. The log that "watch" asks for is not read. Of an
// answer in several UDP datagrams the first is read.
package memcached

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxLine    = 64 << 10       // bytes of a line; memcached itself takes 2048, but more of keys
	maxKey     = 250            // bytes of a key, as memcached has it
	maxName    = 32             // bytes of a command's name
	maxError   = 256            // bytes of an error text
	maxSummary = 256            // bytes of the summary, but in detail
	maxDetail  = 8 << 10        // bytes of the summary in detail
	maxValue   = 1 << 30        // bytes of a value; memcached's own limit is 1 GiB
	maxBody    = 1<<30 + 64<<10 // bytes of a binary message: extras, key and value
	maxProbe   = 4 << 10        // bytes of a line that a probe waits for
)

// The fields.
var (
	Key       = field.NewText("memcached_key", "First key of the command, at most 250 bytes of it; bytes that cannot be shown are escaped.", `memcached_key.startsWith("user:")`)
	Keys      = field.NewInt("memcached_keys", "", "Number of keys the command names.", `memcached_keys > 10`)
	Status    = field.NewText("memcached_status", "First word of the reply (STORED, NOT_FOUND, HD); VALUE or END of a retrieval with or without hits, NUMBER of a counter; of the binary protocol its status, such as KEY_ENOENT.", `memcached_status == "NOT_STORED"`)
	Hits      = field.NewInt("memcached_hits", "", "Number of items a retrieval found.", `memcached && memcached_hits < memcached_keys`)
	Error     = field.NewText("memcached_error", "Error line of the text protocol, error text of the binary one.", `memcached_error.contains("non-numeric")`)
	ValueSize = field.NewInt("memcached_value_size", "bytes", "Size of the values stored or found.", `memcached_value_size > 10000`)
)

// Protocol is memcached. A call has failed when its reply is ERROR, CLIENT_ERROR
// or SERVER_ERROR, or a binary status that says as much: a key that is not found,
// or exists, is no failure.
var Protocol = &dissector.Protocol{
	Name:      "memcached",
	Label:     "Memcached",
	Doc:       "Memcached commands and replies (text, meta and binary).",
	Transport: dissector.TCP | dissector.UDP,
	Ports:     []uint16{11211},
	Fields: field.Fields(
		Key, Keys, Status, Hits, Error, ValueSize,
		field.NewAlias("memcached_command", field.Operation, "Name of the command, such as get, set, mg; binary ones by their opcode, such as getkq.", `memcached_command == "cas"`),
		field.NewAlias("memcached_request_size", field.RequestSize, "Size of the command with its value.", `memcached_request_size > 10000`),
		field.NewAlias("memcached_response_size", field.ResponseSize, "Size of the reply with its values.", `memcached_response_size > 10000`),
		field.NewAlias("memcached_total_size", field.TotalSize, "Size of command and reply.", `memcached && memcached_total_size > 10000`),
	),
	Sync:  "sgadcritmpfvlVSENDTOHC\x80\x81",
	Probe: probe,
	New: func(t dissector.Transport) dissector.Parse {
		p := new(parser)
		if t == dissector.UDP {
			return p.datagram
		}
		return p.parse
	},
}

var errMalformed = errors.New("malformed memcached message")
