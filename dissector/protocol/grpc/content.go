package grpc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

var errLost = errors.New("bytes of the messages are missing")

// content writes the messages of a body out, each behind a line that numbers it: those
// of Protocol Buffers as far as they tell without their schema, others as they are.
func content(m *dissector.Message, raw []byte, limit int) ([]byte, error) {
	if m.Lost > 0 {
		return nil, errLost
	}
	kind := contentType(m)
	if formOf(kind) == webText {
		var err error
		if raw, err = binaryOf(raw); err != nil {
			return nil, fmt.Errorf("base64: %w", err)
		}
	}
	_, format, _ := bytes.Cut(kind, []byte("+"))
	text := len(format) > 0 && !bytes.HasPrefix(format, []byte("proto"))
	var out []byte
	for n := 1; len(raw) >= prefixLen && len(out) < limit; n++ {
		flag, size := raw[0], int64(binary.BigEndian.Uint32(raw[1:]))
		body := raw[prefixLen:min(int64(len(raw)), prefixLen+size)]
		raw = raw[prefixLen+len(body):]
		if flag == trailersFlag {
			out = fmt.Appendf(out, "trailers, %d bytes\n%s\n", size, bytes.TrimSpace(body))
			continue
		}
		out = fmt.Appendf(out, "message %d, %d bytes\n", n, size)
		if flag == 1 {
			var err error
			if body, err = http.Unpack([]string{coding(m)}, body, limit); err != nil {
				return out, err
			}
		}
		switch {
		case len(body) == 0:
		case text:
			out = append(append(out, body...), '\n')
		default:
			out = appendProto(out, body, limit)
		}
	}
	return out[:min(len(out), limit)], nil
}

// coding is how the messages are compressed.
func coding(m *dissector.Message) string {
	headers := http.RequestHeaders
	if m.From == dissector.Server {
		headers = http.ResponseHeaders
	}
	v, _ := headers.Get(&m.Values, "grpc-encoding")
	return strings.ToLower(string(v))
}

// binaryOf takes base64 off, four letters at a time: what was sent at one time may be
// padded by itself.
func binaryOf(text []byte) (out []byte, err error) {
	for len(text) >= 4 {
		if out, err = base64.StdEncoding.AppendDecode(out, text[:4]); err != nil {
			return nil, err
		}
		text = text[4:]
	}
	return out, nil
}
