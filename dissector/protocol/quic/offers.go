package quic

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"shark/dissector"
	"shark/dissector/protocol/tls"
)

// setOffers sets what a client's hello says beyond TLS: what it is for, and the
// transport parameters. Those of drafts before draft-27 are written in another way.
func setOffers(h *tls.ClientHello, v *version, m *dissector.Message) {
	first := true
	h.EachALPN(func(name []byte) {
		if first {
			if a := application(name); a != "" {
				Application.SetString(&m.Values, a)
			}
		}
		first = false
	})
	if b := parametersOf(h.Extensions); b != nil && !v.oldParameters {
		setParameters(b, m)
	}
}

// applications are the protocols on QUIC by the beginning of their ALPN names, from
// https://www.iana.org/assignments/tls-extensiontype-values: a draft's name goes on with
// its number.
var applications = []struct{ alpn, name string }{
	{"h3", "HTTP/3"},
	{"doq", "DNS over QUIC"},
	{"hq", "HTTP/0.9"},
	{"smb", "SMB over QUIC"},
	{"moq", "Media over QUIC"},
}

// application returns what an ALPN name stands for, empty when that is not known.
func application(alpn []byte) string {
	for _, a := range applications {
		rest, ok := bytes.CutPrefix(alpn, []byte(a.alpn))
		if ok && (len(rest) == 0 || rest[0] == '-') {
			return a.name
		}
	}
	return ""
}

// Extensions with transport parameters: RFC 9001 section 8.2, and that of the drafts
// before draft-33.
const (
	extParameters      = 57
	extParametersDraft = 0xffa5
)

// parametersOf returns the transport parameters among a hello's extensions.
func parametersOf(extensions []byte) []byte {
	for r := newReader(extensions); len(r.B) > 0 && !r.Bad; {
		head := r.Take(4)
		if r.Bad {
			break
		}
		body := r.Take(int(binary.BigEndian.Uint16(head[2:])))
		if kind := binary.BigEndian.Uint16(head); kind == extParameters || kind == extParametersDraft {
			return body
		}
	}
	return nil
}

// Transport parameters that have a field: RFC 9000 section 18.2.
const (
	paramIdleTimeout = 0x01
	paramMaxPayload  = 0x03
	paramMaxData     = 0x04
)

// form is how a parameter's value is shown.
type form uint8

const (
	asHex form = iota
	asNumber
	asFlag
	asVersions
	asText
)

// parameter is what a transport parameter is called and how it is shown.
type parameter struct {
	name string
	form form
}

// parameters are from https://www.iana.org/assignments/quic, QUIC Transport Parameters;
// the last ones are in use without being registered.
var parameters = map[uint64]parameter{
	0x00: {"original_destination_connection_id", asHex}, paramIdleTimeout: {"max_idle_timeout", asNumber},
	0x02: {"stateless_reset_token", asHex}, paramMaxPayload: {"max_udp_payload_size", asNumber},
	paramMaxData: {"initial_max_data", asNumber}, 0x05: {"initial_max_stream_data_bidi_local", asNumber},
	0x06: {"initial_max_stream_data_bidi_remote", asNumber}, 0x07: {"initial_max_stream_data_uni", asNumber},
	0x08: {"initial_max_streams_bidi", asNumber}, 0x09: {"initial_max_streams_uni", asNumber},
	0x0a: {"ack_delay_exponent", asNumber}, 0x0b: {"max_ack_delay", asNumber},
	0x0c: {"disable_active_migration", asFlag}, 0x0d: {"preferred_address", asHex},
	0x0e: {"active_connection_id_limit", asNumber}, 0x0f: {"initial_source_connection_id", asHex},
	0x10: {"retry_source_connection_id", asHex}, 0x11: {"version_information", asVersions},
	0x20: {"max_datagram_frame_size", asNumber}, 0x2ab2: {"grease_quic_bit", asFlag},
	0x17f7586d2cb571: {"reset_stream_at", asFlag}, 0xff04de1b: {"min_ack_delay", asNumber},
	0xff03de1a: {"min_ack_delay_draft", asNumber}, 0xff73db: {"version_information_draft", asVersions},
	0x3128: {"google_connection_options", asText}, 0x3129: {"user_agent", asText}, 0x4752: {"google_version", asHex},
}

// isGrease tells whether a parameter is one that only keeps servers tolerant (RFC 9000
// section 18.1).
func isGrease(id uint64) bool { return id >= 27 && (id-27)%31 == 0 }

// setParameters sets the transport parameters (RFC 9000 section 18), as far as they can
// be read.
func setParameters(b []byte, m *dissector.Message) {
	v := &m.Values
	r := newReader(b)
	for n := 0; len(r.B) > 0 && n < maxParameters; n++ {
		id, value := r.varint(), []byte(nil)
		if value = r.TakeLong(r.varint()); r.Bad {
			return
		}
		if isGrease(id) {
			continue
		}
		known := parameters[id]
		if known.name == "" {
			known.name = "0x" + strconv.FormatUint(id, 16)
		}
		text, number, ok := known.form.show(value)
		if !ok {
			continue
		}
		Parameters.Add(v, []byte(known.name), []byte(text))
		switch id {
		case paramIdleTimeout:
			IdleTimeout.Set(v, number)
		case paramMaxPayload:
			MaxPayload.Set(v, number)
		case paramMaxData:
			MaxData.Set(v, number)
		}
	}
}

// show returns a parameter's value as text and, if it is one, as a number. It is false
// for a value that is not what it should be.
func (f form) show(b []byte) (text string, number int64, ok bool) {
	switch f {
	case asNumber:
		r := newReader(b)
		n := r.varint()
		return strconv.FormatUint(n, 10), int64(n), !r.Bad && len(r.B) == 0
	case asFlag:
		return "true", 0, len(b) == 0
	case asVersions: // the chosen one, then those that would do (RFC 9368 section 3)
		var names []string
		for i := 0; i+4 <= len(b) && len(names) < maxVersions; i += 4 {
			names = append(names, versionName(binary.BigEndian.Uint32(b[i:])))
		}
		return strings.Join(names, " "), 0, len(b)%4 == 0
	case asText:
		return strings.ToValidUTF8(string(b[:min(len(b), maxText)]), "."), 0, true
	}
	return hex.EncodeToString(b[:min(len(b), maxText)]), 0, true
}
