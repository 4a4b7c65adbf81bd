package tls

import (
	"fmt"
	"strings"
)

const (
	version10 = 0x0301
	version12 = 0x0303
	version13 = 0x0304
)

// VersionName names a protocol version; one that is not known is given as its
// number.
func VersionName(n uint16) string {
	switch n {
	case 0x0002:
		return "SSL 2.0"
	case 0x0300:
		return "SSL 3.0"
	case 0x0301:
		return "TLS 1.0"
	case 0x0302:
		return "TLS 1.1"
	case 0x0303:
		return "TLS 1.2"
	case version13:
		return "TLS 1.3"
	case 0xfeff:
		return "DTLS 1.0"
	case 0xfefd:
		return "DTLS 1.2"
	case 0xfefc:
		return "DTLS 1.3"
	}
	if n>>8 == 0x7f { // drafts of TLS 1.3
		return fmt.Sprintf("TLS 1.3 draft %d", n&0xff)
	}
	return hexName(n)
}

// SuiteName names a cipher suite as IANA does; one that is not known is given as
// its number.
func SuiteName(n uint16) string {
	if name, ok := suites[n]; ok {
		return name
	}
	return hexName(n)
}

func hexName(n uint16) string { return fmt.Sprintf("0x%04X", n) }

// isWeak tells whether a choice is one that should not be made any more: RFC
// 7465, RFC 8996, RFC 9325.
func isWeak(version uint16, suite string) bool {
	if version < 0x0303 {
		return true
	}
	for _, part := range [...]string{"NULL", "_RC2_", "_RC4_", "_DES_", "_DES40_", "_3DES_", "EXPORT", "_anon_"} {
		if strings.Contains(suite, part) {
			return true
		}
	}
	return false
}

func extensionName(n uint16) string {
	if name, ok := extensionNames[n]; ok {
		return name
	}
	return hexName(n)
}

// extensionNames are from https://www.iana.org/assignments/tls-extensiontype-values;
// the last ones are in use without being registered.
var extensionNames = map[uint16]string{
	0: "server_name", 1: "max_fragment_length", 2: "client_certificate_url",
	3: "trusted_ca_keys", 4: "truncated_hmac", 5: "status_request", 6: "user_mapping",
	7: "client_authz", 8: "server_authz", 9: "cert_type", 10: "supported_groups",
	11: "ec_point_formats", 12: "srp", 13: "signature_algorithms", 14: "use_srtp",
	15: "heartbeat", 16: "application_layer_protocol_negotiation",
	17: "status_request_v2", 18: "signed_certificate_timestamp",
	19: "client_certificate_type", 20: "server_certificate_type", 21: "padding",
	22: "encrypt_then_mac", 23: "extended_master_secret", 24: "token_binding",
	25: "cached_info", 26: "tls_lts", 27: "compress_certificate",
	28: "record_size_limit", 29: "pwd_protect", 30: "pwd_clear", 31: "password_salt",
	32: "ticket_pinning", 33: "tls_cert_with_extern_psk", 34: "delegated_credential",
	35: "session_ticket", 36: "TLMSP", 41: "pre_shared_key", 42: "early_data",
	43: "supported_versions", 44: "cookie", 45: "psk_key_exchange_modes",
	47: "certificate_authorities", 48: "oid_filters", 49: "post_handshake_auth",
	50: "signature_algorithms_cert", 51: "key_share", 52: "transparency_info",
	54: "connection_id", 55: "external_id_hash", 56: "external_session_id",
	57: "quic_transport_parameters", 58: "ticket_request", 59: "dnssec_chain",
	0xfd00: "ech_outer_extensions", 0xfe0d: "encrypted_client_hello",
	0xff01: "renegotiation_info",
	0x3374: "next_protocol_negotiation", 0x4469: "application_settings",
	0x44cd: "application_settings", 0x754f: "channel_id_old", 0x7550: "channel_id",
	0xffce: "encrypted_server_name",
}

func groupName(n uint16) string {
	if name, ok := groupNames[n]; ok {
		return name
	}
	return hexName(n)
}

// groupNames are from https://www.iana.org/assignments/tls-parameters, TLS
// Supported Groups: those in use today.
var groupNames = map[uint16]string{
	19: "secp192r1", 21: "secp224r1", 22: "secp256k1", 23: "secp256r1", 24: "secp384r1",
	25: "secp521r1", 26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1",
	29: "x25519", 30: "x448", 31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13",
	33: "brainpoolP512r1tls13", 41: "curveSM2",
	256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192",
	0x0200: "MLKEM512", 0x0201: "MLKEM768", 0x0202: "MLKEM1024",
	0x11eb: "SecP256r1MLKEM768", 0x11ec: "X25519MLKEM768", 0x11ed: "SecP384r1MLKEM1024",
	0x6399: "X25519Kyber768Draft00", 0x639a: "SecP256r1Kyber768Draft00",
}

func alertName(n byte) string {
	if name, ok := alertNames[n]; ok {
		return name
	}
	return fmt.Sprintf("alert %d", n)
}

// alertNames are from https://www.iana.org/assignments/tls-parameters, TLS Alerts.
var alertNames = map[byte]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac",
	21: "decryption_failed", 22: "record_overflow", 30: "decompression_failure",
	40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
	46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
	49: "access_denied", 50: "decode_error", 51: "decrypt_error",
	52: "too_many_cids_requested", 60: "export_restriction", 70: "protocol_version",
	71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
	90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 111: "certificate_unobtainable",
	112: "unrecognized_name", 113: "bad_certificate_status_response",
	114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
	116: "certificate_required", 117: "general_error", 120: "no_application_protocol",
	121: "ech_required",
}
