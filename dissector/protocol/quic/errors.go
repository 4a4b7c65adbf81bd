package quic

import "fmt"

// cryptoErrors is where the errors begin that are TLS alerts (RFC 9000 section 20.1).
const cryptoErrors = 0x0100

// errorNames are the transport's errors: RFC 9000 section 20.1, RFC 9368 section 8.
var errorNames = map[uint64]string{
	0x00: "NO_ERROR", 0x01: "INTERNAL_ERROR", 0x02: "CONNECTION_REFUSED", 0x03: "FLOW_CONTROL_ERROR",
	0x04: "STREAM_LIMIT_ERROR", 0x05: "STREAM_STATE_ERROR", 0x06: "FINAL_SIZE_ERROR", 0x07: "FRAME_ENCODING_ERROR",
	0x08: "TRANSPORT_PARAMETER_ERROR", 0x09: "CONNECTION_ID_LIMIT_ERROR", 0x0a: "PROTOCOL_VIOLATION",
	0x0b: "INVALID_TOKEN", 0x0c: "APPLICATION_ERROR", 0x0d: "CRYPTO_BUFFER_EXCEEDED", 0x0e: "KEY_UPDATE_ERROR",
	0x0f: "AEAD_LIMIT_REACHED", 0x10: "NO_VIABLE_PATH", 0x11: "VERSION_NEGOTIATION_ERROR",
}

// errorName names an error; one that is not known is given as its number.
func errorName(code uint64) string {
	if code >= cryptoErrors && code < cryptoErrors+256 {
		return "CRYPTO_ERROR"
	}
	if name := errorNames[code]; name != "" {
		return name
	}
	return fmt.Sprintf("0x%x", code)
}
