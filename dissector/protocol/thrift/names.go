package thrift

import "strconv"

// Types of messages.
const (
	call      = 1
	reply     = 2
	exception = 3
	oneWay    = 4
)

var messageTypes = [...]string{call: "CALL", reply: "REPLY", exception: "EXCEPTION", oneWay: "ONEWAY"}

// applicationErrors are the types of TApplicationException.
var applicationErrors = [...]string{
	"UNKNOWN", "UNKNOWN_METHOD", "INVALID_MESSAGE_TYPE", "WRONG_METHOD_NAME", "BAD_SEQUENCE_ID", "MISSING_RESULT", "INTERNAL_ERROR",
	"PROTOCOL_ERROR", "INVALID_TRANSFORM", "INVALID_PROTOCOL", "UNSUPPORTED_CLIENT_TYPE",
}

func errorName(n int64) string {
	if n >= 0 && n < int64(len(applicationErrors)) {
		return applicationErrors[n]
	}
	return strconv.FormatInt(n, 10)
}

// Protocols.
const (
	binaryProtocol = iota
	oldProtocol
	compactProtocol
)

var protocols = [...]string{"binary", "old binary", "compact"}

// Types of values, by the binary protocol's numbers (thrift-binary-protocol.md).
const (
	tStop   = 0
	tBool   = 2
	tByte   = 3
	tDouble = 4
	tI16    = 6
	tI32    = 8
	tI64    = 10
	tString = 11
	tStruct = 12
	tMap    = 13
	tSet    = 14
	tList   = 15
	tUUID   = 16

	// A truth of the compact protocol in a field: its value is its type.
	tTruth = 17
)

// binarySizes are the bytes of values that have a fixed length, by the binary protocol.
var binarySizes = [...]int64{tBool: 1, tByte: 1, tDouble: 8, tI16: 2, tI32: 4, tI64: 8, tUUID: 16, tTruth: 0}

// compactTypes are the types of the compact protocol as the binary protocol numbers them
// (thrift-compact-protocol.md).
var compactTypes = [...]byte{0, tTruth, tTruth, tByte, tI16, tI32, tI64, tDouble, tString, tList, tSet, tMap, tStruct, tUUID}
