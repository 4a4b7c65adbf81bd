package mongodb

import (
	"encoding/binary"

	"shark/dissector"
)

// The opcodes.
const (
	opReply        = 1
	opUpdate       = 2001
	opInsert       = 2002
	opQuery        = 2004
	opGetMore      = 2005
	opDelete       = 2006
	opKillCursors  = 2007
	opCommand      = 2010 // MongoDB 3.2 to 4.0, inside clusters
	opCommandReply = 2011
	opCompressed   = 2012
	opMsg          = 2013
)

// opcodes names them, and tells which sides send them.
var opcodes = map[uint32]struct {
	name  string
	sides string
}{
	opReply:        {"OP_REPLY", "s"},
	opUpdate:       {"OP_UPDATE", "c"},
	opInsert:       {"OP_INSERT", "c"},
	opQuery:        {"OP_QUERY", "c"},
	opGetMore:      {"OP_GET_MORE", "c"},
	opDelete:       {"OP_DELETE", "c"},
	opKillCursors:  {"OP_KILL_CURSORS", "c"},
	opCommand:      {"OP_COMMAND", "c"},
	opCommandReply: {"OP_COMMANDREPLY", "s"},
	opCompressed:   {"OP_COMPRESSED", "cs"},
	opMsg:          {"OP_MSG", "cs"},
}

// header is the MsgHeader that begins each message.
type header struct {
	size                  int64
	requestID, responseTo uint32
	opcode                uint32
}

const headerSize = 16 // bytes

// noRequest is the responseTo of requests of some old drivers; the others have 0.
const noRequest = 1<<32 - 1

// readHeader reads a header, and wants a size and an opcode that there are.
func readHeader(b []byte) (h header, ok bool) {
	h.size = int64(int32(binary.LittleEndian.Uint32(b)))
	h.requestID = binary.LittleEndian.Uint32(b[4:])
	h.responseTo = binary.LittleEndian.Uint32(b[8:])
	h.opcode = binary.LittleEndian.Uint32(b[12:])
	return h, h.size > headerSize && h.size <= maxMessage && opcodes[h.opcode].name != ""
}

// sentBy tells whether a side sends messages with this opcode.
func sentBy(from dissector.Side, opcode uint32) bool {
	sides := opcodes[opcode].sides
	return sides == "cs" || sides == "c" && from == dissector.Client || sides == "s" && from == dissector.Server
}

// The flags of OP_MSG. The server refuses messages with others of the lower 16.
const (
	checksumPresent = 1 << 0
	moreToCome      = 1 << 1
	exhaustAllowed  = 1 << 16
	knownFlags      = checksumPresent | moreToCome | exhaustAllowed
)

// The flags of OP_QUERY and OP_REPLY that matter.
const (
	queryExhaust       = 1 << 6
	queryFlags         = 0xfe
	replyNoCursor      = 1 << 0
	replyQueryFailure  = 1 << 1
	replyFlags         = 0x0f
	checksumSize       = 4 // bytes of the CRC-32C behind an OP_MSG's sections
	compressedHeadSize = headerSize + 9
)
