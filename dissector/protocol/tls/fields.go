package tls

import (
	"shark/dissector/field"
)

// The fields of a handshake.
var (
	serverName   = field.NewText("tlsx_sni", "Host name that the client asks for (SNI).", `tlsx && tlsx_sni.endsWith(".shop.example")`)
	offered      = field.NewList("tlsx_cipher_suites", "Cipher suites that the client offers, by their IANA names.", `tlsx && tlsx_cipher_suites.exists(c, c.contains("_CBC_"))`)
	offeredALPN  = field.NewList("tlsx_alpn_offered", "Application protocols that the client offers (ALPN).", `tlsx && "h2" in tlsx_alpn_offered`)
	versions     = field.NewList("tlsx_versions", "Protocol versions that the client offers.", `tlsx && "TLS 1.0" in tlsx_versions`)
	extensions   = field.NewList("tlsx_extensions", "Extensions of the client's hello, by their IANA names.", `tlsx && "session_ticket" in tlsx_extensions`)
	ja3          = field.NewText("tlsx_ja3", "JA3 fingerprint of the client's hello.", `tlsx && tlsx_ja3 == "a295f36108900983995376ba4728f850"`)
	ja4          = field.NewText("tlsx_ja4", "JA4 fingerprint of the client's hello.", `tlsx && tlsx_ja4.startsWith("t12")`)
	version      = field.NewInt("tlsx_version", "", "Negotiated protocol version as its number: 772 (0x0304) is TLS 1.3.", `tlsx && tlsx_version < 771`)
	versionName  = field.NewText("tlsx_version_name", "Negotiated protocol version by its name.", `tlsx && tlsx_version_name == "TLS 1.2"`)
	suite        = field.NewInt("tlsx_cipher_suite", "", "Negotiated cipher suite as its IANA number.", `tlsx && tlsx_cipher_suite == 4865`)
	suiteName    = field.NewText("tlsx_cipher", "Negotiated cipher suite by its IANA name.", `tlsx && tlsx_cipher.contains("CBC")`)
	alpn         = field.NewText("tlsx_alpn", "Negotiated application protocol (ALPN); TLS 1.3 sends it encrypted, which session secrets open.", `tlsx && tlsx_alpn == "http/1.1"`)
	group        = field.NewText("tlsx_group", "Group of the key exchange.", `tlsx && tlsx_group == "X25519MLKEM768"`)
	ja3s         = field.NewText("tlsx_ja3s", "JA3S fingerprint of the server's hello.", `tlsx && tlsx_ja3s == "f4febc55ea12b31ae17cfb7e614afda8"`)
	resumed      = field.NewBool("tlsx_resumed", "An earlier session was resumed.", `tlsx && tlsx_resumed`)
	helloRetry   = field.NewBool("tlsx_hello_retry", "The server answered with the wish for another hello (HelloRetryRequest), which is an entry of its own.", `tlsx && tlsx_hello_retry`)
	clientAuth   = field.NewBool("tlsx_client_auth", "The server asked for a certificate of the client; TLS 1.3 asks encrypted, which session secrets open.", `tlsx && tlsx_client_auth`)
	weak         = field.NewBool("tlsx_weak", "The negotiated version is below TLS 1.2, or the cipher suite uses NULL, RC2, RC4, DES, 3DES, export keys or no authentication.", `tlsx && tlsx_weak`)
	alert        = field.NewText("tlsx_alert", "Alert of the server, by its name.", `tlsx && tlsx_alert == "handshake_failure"`)
	alertLevel   = field.NewText("tlsx_alert_level", `"warning" or "fatal".`, `tlsx && tlsx_alert_level == "fatal"`)
	certSubject  = field.NewText("tlsx_cert_subject", "Subject of the server's certificate; from TLS 1.3 on it is sent encrypted, which session secrets open.", `tlsx && tlsx_cert_subject.contains("CN=shop")`)
	certNames    = field.NewList("tlsx_cert_names", "Subject alternative names of the server's certificate.", `tlsx && "*.shop.example" in tlsx_cert_names`)
	certIssuer   = field.NewText("tlsx_cert_issuer", "Issuer of the server's certificate.", `tlsx && tlsx_cert_issuer.contains("O=Shop")`)
	certSerial   = field.NewText("tlsx_cert_serial", "Serial number of the server's certificate, in hexadecimal.", `tlsx && tlsx_cert_serial == "5eab1e"`)
	certBefore   = field.NewText("tlsx_cert_not_before", "When the server's certificate begins to be valid, RFC 3339 in UTC.", `tlsx && tlsx_cert_not_before > "2026-01-01"`)
	certAfter    = field.NewText("tlsx_cert_not_after", "When the server's certificate ceases to be valid, RFC 3339 in UTC.", `tlsx && tlsx_cert_not_after != "" && timestamp(tlsx_cert_not_after) > timestamp + duration("9600h")`)
	certDigest   = field.NewText("tlsx_cert_sha256", "SHA-256 fingerprint of the server's certificate, in hexadecimal.", `tlsx && tlsx_cert_sha256.startsWith("c5a7")`)
	certError    = field.NewText("tlsx_cert_error", "Why the server's certificate could not be read.", `tlsx && tlsx_cert_error != ""`)
	chainLength  = field.NewInt("tlsx_cert_chain", "", "How many certificates the server sent.", `tlsx && tlsx_cert_chain == 1`)
	summaryAlias = field.NewAlias("tlsx_summary", field.Summary, "Server name, application protocol or cipher suite, the first that is known.", `tlsx && tlsx_summary == "shop.example"`)
	infoAlias    = field.NewAlias("tlsx_info", field.Operation, `"ClientHello", or "ServerHello" when the client's hello was not seen.`, `tlsx && tlsx_info == "ClientHello"`)

	// What older queries call them.
	oldSummary  = field.NewAlias("tls_summary", field.Summary, "Older name of tlsx_summary.", `tlsx && tls_summary == "shop.example"`)
	oldInfo     = field.NewAlias("tls_info", field.Operation, "Older name of tlsx_info.", `tlsx && tls_info == "ClientHello"`)
	oldRequest  = field.NewAlias("tls_request_size", field.RequestSize, "Size of the client's part of a handshake.", `tlsx && tls_request_size > 512`)
	oldResponse = field.NewAlias("tls_response_size", field.ResponseSize, "Size of the server's part of a handshake.", `tlsx && tls_response_size > 1024`)
	oldTotal    = field.NewAlias("tls_total_size", field.TotalSize, "Size of both parts of a handshake.", `tlsx && tls_total_size > 2048`)
)

var fields = field.Fields(
	serverName, offered, offeredALPN, versions, extensions, ja3, ja4,
	version, versionName, suite, suiteName, alpn, group, ja3s,
	resumed, helloRetry, clientAuth, weak, alert, alertLevel,
	certSubject, certNames, certIssuer, certSerial, certBefore, certAfter, certDigest, certError, chainLength,
	summaryAlias, infoAlias, oldSummary, oldInfo, oldRequest, oldResponse, oldTotal,
)
