package field

// The fields of connections (one per TCP, UDP, SCTP or ICMP conversation) and
// flows (all connections between the same two addresses and server port), which
// are entries too.
//
// As in every entry, KFL2's local is the client (src) and remote the server
// (dst): conn_local_bytes is what the client sent.

// What every connection has.
var (
	ConnState       = NewText("conn_state", "State: open when its beginning was seen and not its end, in_progress when neither was, closed when its end was seen.", `conn && conn_state == "closed"`)
	ConnEnded       = NewText("conn_ended", "How it ended: fin (SCTP: by shutdown), reset (SCTP: by abort), timeout or open.", `conn && conn_ended == "reset"`)
	ConnLocalPkts   = NewInt("conn_local_pkts", "packets", "Packets that the client sent.", `conn && conn_local_pkts > 100`)
	ConnLocalBytes  = NewInt("conn_local_bytes", "bytes", "Bytes on the wire, headers included, that the client sent.", `conn && conn_local_bytes > 100000`)
	ConnRemotePkts  = NewInt("conn_remote_pkts", "packets", "Packets that the server sent.", `conn && conn_remote_pkts == 0`)
	ConnRemoteBytes = NewInt("conn_remote_bytes", "bytes", "Bytes on the wire, headers included, that the server sent.", `conn && conn_remote_bytes > 100000`)
	ConnL7          = NewList("conn_l7_detected", "Protocols found in it.", `conn && "HTTP" in conn_l7_detected`)
	ConnGroupID     = NewInt("conn_group_id", "", "Number of the flow it belongs to; the same as flow_id.", `conn && conn_group_id == 17`)
	ConnDuration    = NewInt("conn_duration", "µs", "Time from its first to its last packet.", `conn && conn_duration > 60000000`)
	ConnEvicted     = NewBool("conn_evicted", "It was forgotten before its end to stay in the memory limit; what followed is a connection of its own.", `conn && conn_evicted`)
	ConnTLS         = NewText("conn_tls", "How what was said in TLS could be read: decrypted with session secrets, plaintext that was taken from a TLS library, partly, or opaque, which is not at all; empty without TLS, and of what a library had of a connection that is there itself.", `conn && conn_tls == "opaque"`)
	ConnTLSLibrary  = NewText("conn_tls_library", "TLS library that told the secrets with which the connection could be read, such as openssl or go, as a recorder says; empty where nobody does.", `conn && conn_tls_library == "openssl"`)
	ConnTLSReason   = NewText("conn_tls_reason", "Why TLS could not be read, or only partly: no secrets, secrets incomplete, secrets wrong, handshake not seen, handshake failed, nothing said, bytes lost, suite not supported or renegotiated.", `conn && conn_tls_reason == "no secrets"`)
	TCPConn         = NewBool("tcp_conn", "It is a TCP connection.", `tcp_conn`)
	UDPConn         = NewBool("udp_conn", "It is a UDP conversation.", `udp_conn`)
	SCTPConn        = NewBool("sctp_conn", "It is an SCTP association, or one of the paths of one that has several.", `sctp_conn`)
)

// How healthy a TCP connection was. Some of it is told of SCTP associations too.
var (
	ConnCompleteness = NewInt("conn_completeness", "", "What was seen of a TCP connection, added up: SYN 1, SYN-ACK 2, ACK 4, data 8, FIN 16, RST 32.", `tcp_conn && conn_completeness == 33`)
	ConnHandshake    = NewInt("conn_handshake_time", "µs", "Time from SYN to the ACK that ends the handshake (SCTP: from INIT to COOKIE ECHO), which is the round-trip time between the two ends wherever it was captured; 0 when it was not seen.", `tcp_conn && conn_handshake_time > 10000`)
	ConnFirstByte    = NewInt("conn_first_byte_time", "µs", "Time from the client's first payload to the server's first payload; 0 when one is missing.", `tcp_conn && conn_first_byte_time > 500000`)
	ConnRTTMin       = NewInt("conn_rtt_min", "µs", "Shortest time from a segment to its acknowledgement, seen from where it was captured.", `tcp_conn && conn_rtt_min > 10000`)
	ConnRTTAvg       = NewInt("conn_rtt_avg", "µs", "Mean time from a segment to its acknowledgement.", `tcp_conn && conn_rtt_avg > 10000`)
	ConnRTTMax       = NewInt("conn_rtt_max", "µs", "Longest time from a segment to its acknowledgement.", `tcp_conn && conn_rtt_max > 50000`)
	ConnRTTSamples   = NewInt("conn_rtt_samples", "", "Number of times that the three are taken from; 0 makes them 0.", `tcp_conn && conn_rtt_samples > 10 && conn_rtt_avg > 10000`)

	ConnRetransmissions = NewInt("conn_retransmissions", "segments", "Segments, or data chunks of SCTP, sent again, all kinds.", `tcp_conn && conn_retransmissions > 10`)
	ConnFastRetrans     = NewInt("conn_fast_retransmissions", "segments", "Those sent again after duplicate acknowledgements, before a timeout.", `tcp_conn && conn_fast_retransmissions > 0`)
	ConnSpuriousRetrans = NewInt("conn_spurious_retransmissions", "segments", "Those sent again although they had been acknowledged.", `tcp_conn && conn_spurious_retransmissions > 0`)
	ConnLostSegments    = NewInt("conn_lost_segments", "segments", "Segments before which one is missing at that moment: lost, late or not captured.", `tcp_conn && conn_lost_segments > 0`)
	ConnAckedUnseen     = NewInt("conn_acked_unseen", "segments", "Acknowledgements of bytes that were not captured before them.", `tcp_conn && conn_acked_unseen > 0`)
	ConnOutOfOrder      = NewInt("conn_out_of_order", "segments", "Segments that came after later ones and were not sent before.", `tcp_conn && conn_out_of_order > 0`)
	ConnDuplicateAcks   = NewInt("conn_duplicate_acks", "segments", "Acknowledgements that repeat the one before.", `tcp_conn && conn_duplicate_acks > 10`)
	ConnZeroWindows     = NewInt("conn_zero_windows", "segments", "Segments that announce a receive window of 0.", `tcp_conn && conn_zero_windows > 0`)
	ConnWindowFull      = NewInt("conn_window_full", "segments", "Segments that fill the other side's receive window to its end.", `tcp_conn && conn_window_full > 0`)
	ConnKeepAlives      = NewInt("conn_keep_alives", "segments", "Keep-alive probes.", `tcp_conn && conn_keep_alives > 0`)
	ConnResets          = NewInt("conn_resets", "segments", "Segments with RST.", `tcp_conn && conn_resets > 0`)
	ConnFins            = NewInt("conn_fins", "segments", "Segments with FIN.", `tcp_conn && conn_fins == 1`)
	ConnMissingChunks   = NewInt("conn_missing_chunks", "chunks", "Data chunks of SCTP that were sent, by their numbers, and not captured.", `sctp_conn && conn_missing_chunks > 0`)
	ConnMissingBytes    = NewInt("conn_missing_bytes", "bytes", "Payload that was sent, by the sequence numbers, and not captured.", `tcp_conn && conn_missing_bytes > 0`)
	ConnWindowScale     = NewBool("conn_window_scale", "Both sides offered window scaling in the handshake.", `tcp_conn && !conn_window_scale`)
	ConnGoodput         = NewInt("conn_goodput_bytes", "bytes", "Payload of both directions, each byte counted once; of TCP and SCTP.", `tcp_conn && conn_goodput_bytes > 100000`)
)

// What every flow has.
var (
	FlowState       = NewText("flow_state", "State: closed when all its connections are, else open or in_progress as theirs.", `flow && flow_state == "open"`)
	FlowLocalPkts   = NewInt("flow_local_pkts", "packets", "Packets that the client sent.", `flow && flow_local_pkts > 1000`)
	FlowLocalBytes  = NewInt("flow_local_bytes", "bytes", "Bytes on the wire, headers included, that the client sent.", `flow && flow_local_bytes > 100000`)
	FlowRemotePkts  = NewInt("flow_remote_pkts", "packets", "Packets that the server sent.", `flow && flow_remote_pkts == 0`)
	FlowRemoteBytes = NewInt("flow_remote_bytes", "bytes", "Bytes on the wire, headers included, that the server sent.", `flow && flow_remote_bytes > 100000`)
	FlowLocalPPS    = NewInt("flow_local_pps", "packets/s", "Mean packet rate of the client over the flow's time.", `flow && flow_local_pps > 1000`)
	FlowLocalBPS    = NewInt("flow_local_bps", "bytes/s", "Mean byte rate of the client over the flow's time.", `tcp_flow && flow_local_bps > 5000000`)
	FlowRemotePPS   = NewInt("flow_remote_pps", "packets/s", "Mean packet rate of the server over the flow's time.", `flow && flow_remote_pps > 1000`)
	FlowRemoteBPS   = NewInt("flow_remote_bps", "bytes/s", "Mean byte rate of the server over the flow's time.", `flow && flow_remote_bps > 5000000`)
	FlowL7          = NewList("flow_l7_detected", "Protocols found in its connections.", `flow && "TLS" in flow_l7_detected`)
	FlowGroupID     = NewInt("flow_group_id", "", "Number of the flow; the same as flow_id.", `flow && flow_group_id == 17`)
	TCPFlow         = NewBool("tcp_flow", "It is a flow of TCP connections.", `tcp_flow`)
	UDPFlow         = NewBool("udp_flow", "It is a flow of UDP conversations.", `udp_flow`)
	SCTPFlow        = NewBool("sctp_flow", "It is a flow of SCTP associations.", `sctp_flow`)
)

// ConnGroup returns the group of the fields of connections.
func ConnGroup() Group {
	return Group{
		Name: "conn", Label: "Connection", Flag: true, Doc: "A TCP, UDP, SCTP or ICMP conversation.",
		Fields: Fields(
			TCPConn, UDPConn, SCTPConn, ConnState, ConnEnded, ConnLocalPkts, ConnLocalBytes, ConnRemotePkts, ConnRemoteBytes,
			ConnL7, ConnGroupID, ConnDuration, ConnEvicted, ConnTLS, ConnTLSLibrary, ConnTLSReason, ConnCompleteness,
			ConnHandshake, ConnFirstByte, ConnRTTMin, ConnRTTAvg, ConnRTTMax, ConnRTTSamples,
			ConnRetransmissions, ConnFastRetrans, ConnOutOfOrder, ConnDuplicateAcks, ConnZeroWindows, ConnWindowFull,
			ConnKeepAlives, ConnResets, ConnFins, ConnMissingBytes, ConnMissingChunks, ConnSpuriousRetrans, ConnLostSegments, ConnAckedUnseen, ConnWindowScale, ConnGoodput,
		),
	}
}

// FlowGroup returns the group of the fields of flows.
func FlowGroup() Group {
	return Group{
		Name: "flow", Label: "Flow", Flag: true, Doc: "All connections between the same two addresses and the same server port.",
		Fields: Fields(
			TCPFlow, UDPFlow, SCTPFlow, FlowState, FlowLocalPkts, FlowLocalBytes, FlowRemotePkts, FlowRemoteBytes,
			FlowLocalPPS, FlowLocalBPS, FlowRemotePPS, FlowRemoteBPS, FlowL7, FlowGroupID,
		),
	}
}
