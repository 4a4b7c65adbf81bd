package quic_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/quic"
)

// What tshark shows of the same packets, but for the names of what stands in it.
func TestOutline(t *testing.T) {
	const parameters = "    initial_max_stream_data_bidi_local: 524288\n    initial_max_stream_data_bidi_remote: 524288\n    initial_max_stream_data_uni: 524288\n" +
		"    initial_max_data: 786432\n"
	dissectortest.Outlined(t, quic.Protocol, map[string][]string{
		"quic_of_http3.pcap": {
			"packet: Initial\n  version: v1\n  destination connection ID: e5a30d6adc81dc9d5f192998\n  source connection ID: \n  token: 0 bytes\n  protected: 1258 bytes\n" +
				"ClientHello\n  server name: shop.example\n  application protocol: h3\n  TLS version: TLS 1.3\n  transport parameters\n" + parameters +
				"    initial_max_streams_bidi: 0\n    initial_max_streams_uni: 100\n    max_idle_timeout: 30000\n    max_udp_payload_size: 1452\n    max_ack_delay: 26\n" +
				"    active_connection_id_limit: 4\n    initial_source_connection_id: ",
			"packet: Initial\n  version: v1\n  destination connection ID: \n  source connection ID: d1ea3464\n  token: 0 bytes\n  protected: 615 bytes\n" +
				"packet: Handshake\n  version: v1\n  destination connection ID: \n  source connection ID: d1ea3464\n  protected: 547 bytes\npacket: short header\n" +
				"ServerHello\n  TLS version: TLS 1.3\n  cipher suite: TLS_AES_128_GCM_SHA256",
			"    max_datagram_frame_size: 16383",                                                  // of a hello in two datagrams
			"packet: Initial\n  version: v2\n  destination connection ID: f81179ad30be8af885927c", // types are numbered in another way
		},
		"quic_of_negotiation.pcap": {
			"packet: Version Negotiation\n  destination connection ID: 9b360022\n  source connection ID: 5c95c06bea39038aa833a6231a\n  offered: v1\n  offered: 0xfa9a7a3a",
			"CONNECTION_CLOSE\n  error: 1 (INTERNAL_ERROR)\n  reason: connection BUG: unspecified error type (msg: closing connection in order to recreate it)",
		},
		"quic_of_errors.pcap":    {"CONNECTION_CLOSE\n  error: 376 (CRYPTO_ERROR)", "CONNECTION_CLOSE\n  error: 2 (CONNECTION_REFUSED)"},
		"quic_of_again.pcap":     {"  source connection ID: 00ba3d83\n  token: 90 bytes\n  protected: 1050 bytes\npacket: 0-RTT"},
		"quic_of_rebinding.pcap": {"packet: short header\n  destination connection ID: c3b2dcb8"},
	})
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, quic.Protocol, nil) }
