package field

// Fields of KFL2 whose protocols are not dissected. They are declared so that
// queries and saved filters compile; they never have a value. A protocol that
// comes takes its fields out of here and declares them in its own folder.

// ReservedGroups returns the groups of fields that never have a value.
func ReservedGroups() []Group {
	groups := []Group{
		tlsGroup(), packetGroup("tcp", "TCP", tcpFields()), packetGroup("udp", "UDP", udpFields()), packetGroup("sctp", "SCTP", sctpFields()),
		{Name: "ws", Label: "WebSocket", Doc: "A WebSocket message.", Fields: webSocketFields()},
		{Name: "gql", Label: "GraphQL", Doc: "A GraphQL call, of either version."},
		{Name: "gqlv1", Label: "GraphQL 1", Doc: "A GraphQL call of the first version."},
		{Name: "gqlv2", Label: "GraphQL 2", Doc: "A GraphQL call of the second version."},
		{Name: "diameter", Label: "Diameter", Doc: "A Diameter exchange.", Fields: diameterFields()},
	}
	for i := range groups {
		groups[i].Flag, groups[i].Reserved = true, true
	}
	return groups
}

func packetGroup(name, label string, fields []*Field) Group {
	return Group{Name: name, Label: label, Doc: "One packet with " + label + " payload that belongs to no other entry.", Fields: fields}
}

// tlsGroup has what KFL2 keeps of an older dissector, and the flag tls, which
// says how an entry was captured and not what it is.
func tlsGroup() Group {
	return Group{
		Name: "tls", Label: "TLS plaintext", Doc: "Plaintext taken from a TLS library; a TLS handshake is tlsx.",
		Fields: Fields(
			NewText("tls_summary", "Summary of a handshake; tlsx_summary has it.", `tls_summary != ""`),
			NewText("tls_info", "Details of a handshake; tlsx_info has them.", `tls_info != ""`),
			NewInt("tls_request_size", "bytes", "Size of the client's part of a handshake.", `tls_request_size > 512`),
			NewInt("tls_response_size", "bytes", "Size of the server's part of a handshake.", `tls_response_size > 4096`),
			NewInt("tls_total_size", "bytes", "Size of both parts of a handshake.", `tls_total_size > 8192`),
		),
	}
}

func tcpFields() []*Field {
	return Fields(
		NewText("tcp_method", "What the packet does.", `tcp && tcp_method == "PSH"`),
		NewBytes("tcp_payload", "Payload of the packet.", `tcp && size(tcp_payload) > 0`),
		NewText("tcp_error_type", "Kind of error; empty when there is none.", `tcp && tcp_error_type != ""`),
		NewText("tcp_error_message", "What went wrong; empty when nothing did.", `tcp && tcp_error_message.contains("reset")`),
	)
}

func udpFields() []*Field {
	return Fields(
		NewInt("udp_length", "bytes", "Length of the datagram, header included.", `udp && udp_length > 512`),
		NewInt("udp_checksum", "", "Checksum of the datagram.", `udp && udp_checksum == 0`),
		NewBytes("udp_payload", "Payload of the datagram.", `udp && size(udp_payload) > 0`),
	)
}

func sctpFields() []*Field {
	return Fields(
		NewInt("sctp_checksum", "", "Checksum of the packet.", `sctp && sctp_checksum == 0`),
		NewInt("sctp_length", "bytes", "Length of the packet.", `sctp && sctp_length > 512`),
		NewText("sctp_chunk_type", "Type of the first chunk.", `sctp && sctp_chunk_type == "DATA"`),
	)
}

func webSocketFields() []*Field {
	return Fields(
		NewText("ws_opcode", "Kind of message: text, binary, close, ping or pong.", `ws && ws_opcode == "text"`),
		NewBool("ws_request", "The client sent it.", `ws && ws_request`),
		NewBool("ws_response", "The server sent it.", `ws && ws_response`),
		NewText("ws_request_payload_data", "Beginning of the client's payload.", `ws && ws_request_payload_data.contains("subscribe")`),
		NewInt("ws_request_payload_length", "bytes", "Length of the client's payload.", `ws && ws_request_payload_length > 1000`),
		NewInt("ws_response_payload_length", "bytes", "Length of the server's payload.", `ws && ws_response_payload_length > 1000`),
	)
}

// sides declares what nearly every protocol of KFL2 has under names of its own.
func sides(protocol, size string) []*Field {
	p := protocol + "_"
	return Fields(
		NewAlias(p+"request_"+size, RequestSize, "Size of the request.", protocol+" && "+p+"request_"+size+" > 1000"),
		NewAlias(p+"response_"+size, ResponseSize, "Size of the response.", protocol+" && "+p+"response_"+size+" > 1000"),
		NewAlias(p+"total_size", TotalSize, "Size of request and response together.", protocol+" && "+p+"total_size > 1000"),
	)
}

func seen(protocol string) []*Field {
	p := protocol + "_"
	return Fields(
		NewAlias(p+"request", HasRequest, "The request was captured.", protocol+" && "+p+"request"),
		NewAlias(p+"response", HasResponse, "The response was captured.", protocol+" && !"+p+"response"),
	)
}

func join(lists ...[]*Field) []*Field {
	var out []*Field
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func diameterFields() []*Field {
	return join(Fields(
		NewAlias("diameter_method", Operation, "Name of the command.", `diameter && diameter_method == "Capabilities-Exchange"`),
		NewAlias("diameter_summary", Summary, "What the command is about.", `diameter && diameter_summary != ""`),
	), seen("diameter"), sides("diameter", "length"))
}
