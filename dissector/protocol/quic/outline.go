package quic

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/outline"
)

// kindNames are the words for kinds of packets.
var kindNames = [...]string{
	kindInitial: "Initial", kindZeroRTT: "0-RTT", kindHandshake: "Handshake", kindRetry: "Retry", kindVersions: "Version Negotiation",
}

// What a hello says in the fields of TLS that are shown.
var (
	alpnOffered     = field.ListField{Field: shared("tlsx_alpn_offered")[0]}
	versionsOffered = field.ListField{Field: shared("tlsx_versions")[0]}
	chosen          = []struct {
		name string
		is   field.TextField
	}{
		{"TLS version", field.TextField{Field: shared("tlsx_version_name")[0]}},
		{"cipher suite", field.TextField{Field: shared("tlsx_cipher")[0]}},
		{"group", field.TextField{Field: shared("tlsx_group")[0]}},
	}
)

// outlined shows the packets of a datagram by their headers, and what was read in them. A hello
// is in several datagrams, of which the last one is at hand: that is shown from the fields.
func outlined(m, _ *dissector.Message, limit int) []byte {
	o, b := outline.New(limit), m.Raw
	for n := 0; n < maxPackets && len(b) > 0; n++ {
		if shortID(b) != nil {
			o.Group("packet: short header", func() {
				if id := ServerID.Get(&m.Values); n == 0 && len(id) > 0 {
					o.Text("destination connection ID", id)
				}
			})
			break
		}
		p, ok := parsePacket(b)
		if !ok {
			break
		}
		outlinePacket(o, &p)
		b = b[len(p.b):]
	}
	outlineHello(o, m)
	if m.Has(ErrorCode) {
		o.Group("CONNECTION_CLOSE", func() {
			o.Named("error", ErrorCode.Get(&m.Values), string(ErrorName.Get(&m.Values)))
			if reason := Reason.Get(&m.Values); len(reason) > 0 {
				o.Text("reason", reason)
			}
		})
	}
	return o.Bytes()
}

// outlinePacket writes what is not protected in a packet with a long header.
func outlinePacket(o *outline.Writer, p *packet) {
	o.Group("packet: "+kindNames[p.kind], func() {
		if p.kind != kindVersions {
			o.Say("version", versionName(p.version))
		}
		o.Say("destination connection ID", hex.EncodeToString(p.dst.bytes()))
		o.Say("source connection ID", hex.EncodeToString(p.src.bytes()))
		switch p.kind {
		case kindInitial, kindRetry:
			o.Size("token", int64(len(p.token)))
		case kindVersions:
			list := p.b[p.number:]
			for n := 0; n < maxVersions && len(list) >= 4; n++ {
				o.Say("offered", versionName(binary.BigEndian.Uint32(list)))
				list = list[4:]
			}
		}
		if p.kind != kindRetry && p.kind != kindVersions {
			o.Size("protected", int64(len(p.b)-p.number))
		}
	})
}

// outlineHello writes what a hello says of QUIC and of what is on it.
func outlineHello(o *outline.Writer, m *dissector.Message) {
	v := &m.Values
	switch {
	case m.Has(versionsOffered):
		o.Group("ClientHello", func() {
			if name := serverName.Get(v); len(name) > 0 {
				o.Text("server name", name)
			}
			for name := range alpnOffered.Each(v) {
				o.Text("application protocol", name)
			}
			for name := range versionsOffered.Each(v) {
				o.Text("TLS version", name)
			}
			if m.Has(Parameters) {
				o.Group("transport parameters", func() { outlineParameters(o, v) })
			}
		})
	case m.Has(tlsVersion):
		o.Group("ServerHello", func() {
			for _, x := range chosen {
				if value := x.is.Get(v); len(value) > 0 {
					o.Text(x.name, value)
				}
			}
		})
	}
}

// outlineParameters writes the transport parameters (RFC 9000 section 18.2).
func outlineParameters(o *outline.Writer, v *field.Values) {
	for line := range Parameters.Lines(v) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		o.Text(outline.Name(name), value)
	}
}
