package field

// Fields of KFL2 that no protocol sets. They are declared so that queries and saved
// filters compile; they never have a value. A protocol that comes to set them takes
// them out of here and declares them in its own folder.

// ReservedGroups returns the groups of fields that never have a value.
func ReservedGroups() []Group {
	return []Group{tlsGroup()}
}

// tlsGroup has what KFL2 keeps of an older dissector. The flag tls itself is one of the
// fields that every entry has.
func tlsGroup() Group {
	return Group{
		Name: "tls_old", Label: "TLS, before tlsx", Doc: "What an older dissector said of TLS handshakes; they are tlsx.",
		Fields: Fields(
			NewText("tls_summary", "Summary of a handshake; tlsx_summary has it.", `tls_summary != ""`),
			NewText("tls_info", "Details of a handshake; tlsx_info has them.", `tls_info != ""`),
			NewInt("tls_request_size", "bytes", "Size of the client's part of a handshake.", `tls_request_size > 512`),
			NewInt("tls_response_size", "bytes", "Size of the server's part of a handshake.", `tls_response_size > 4096`),
			NewInt("tls_total_size", "bytes", "Size of both parts of a handshake.", `tls_total_size > 8192`),
		),
		Reserved: true,
	}
}
