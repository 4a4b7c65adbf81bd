// Package proxy reads the header that a load balancer puts before a connection it
// passes on, to say whom it comes from: the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
//
// The header is one one-way message of the client. What comes behind it is another
// protocol, to be found by its own first bytes.
package proxy

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one header may make us do or keep.
const (
	maxLine = 107      // bytes of a header of version 1, with its end (section 2.1)
	maxRest = 16 << 10 // bytes behind the first 16 of one of version 2; the format allows 65535
	maxText = 256      // bytes of a text that is kept
)

// The fields.
var (
	Version   = field.NewInt("proxy_version", "", "Version of the header: 1 is a line of text, 2 is binary.", `proxy_version == 2`)
	Command   = field.NewText("proxy_command", "PROXY for a connection that is passed on, LOCAL for one of the balancer's own, such as a health check.", `proxy_command == "PROXY"`)
	Family    = field.NewText("proxy_family", "Address family and transport of the connection that is passed on: TCP4, TCP6, UDP4, UDP6, UNIX, UNIX_DGRAM or UNKNOWN.", `proxy_family == "TCP4"`)
	Src       = field.NewText("proxy_src", "Address of the client that the balancer serves, or the path of its socket.", `proxy_src == "192.0.2.17"`)
	SrcPort   = field.NewInt("proxy_src_port", "", "Port of that client.", `proxy_src_port > 1024`)
	Dst       = field.NewText("proxy_dst", "Address that this client connected to, or the path of the socket.", `proxy_dst == "198.51.100.7"`)
	DstPort   = field.NewInt("proxy_dst_port", "", "Port that this client connected to.", `proxy_dst_port == 443`)
	ALPN      = field.NewText("proxy_alpn", "Application protocol that this client and the balancer agreed on.", `proxy_alpn == "http/1.1"`)
	Authority = field.NewText("proxy_authority", "Host name that this client asked for, such as in TLS.", `proxy_authority == "shop.example"`)
	UniqueID  = field.NewText("proxy_unique_id", "The balancer's name for the connection, as hexadecimal digits.", `proxy_unique_id.startsWith("0a")`)
	TLS       = field.NewText("proxy_tls_version", "Version of TLS between this client and the balancer; empty without TLS.", `proxy_tls_version == "TLSv1.3"`)
	Name      = field.NewText("proxy_tls_client", "Common name of this client's certificate.", `proxy_tls_client == "billing"`)
)

// Protocol is the PROXY protocol.
var Protocol = &dissector.Protocol{
	Name:      "proxy",
	Label:     "PROXY",
	Doc:       "The header of the PROXY protocol, with which a load balancer says whose connection it passes on.",
	Transport: dissector.TCP,
	Fields:    field.Fields(Version, Command, Family, Src, SrcPort, Dst, DstPort, ALPN, Authority, UniqueID, TLS, Name),
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return parse },
}

var errMalformed = errors.New("malformed PROXY protocol header")

// probe wants a whole line of version 1, or the fixed part of version 2.
func probe(head []byte) dissector.Guess {
	guess := dissector.No
	switch {
	case begins(head, signature):
		guess = probeBinary(head)
	case begins(head, lineStart):
		guess = probeLine(head)
	}
	return guess
}

// begins tells whether b begins with a mark, as far as both go.
func begins(b []byte, mark string) bool {
	n := min(len(b), len(mark))
	return string(b[:n]) == mark[:n]
}

func parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if from != dissector.Client {
		return 0, errMalformed
	}
	var h header
	var n int
	var err error
	if begins(buf, signature) {
		n, err = h.readBinary(buf)
	} else {
		n, err = h.readLine(buf)
	}
	if err != nil {
		return 0, err
	}
	m.Role, m.Next = dissector.OneWay, dissector.Unknown
	h.set(m)
	return int64(n), nil
}

// header is what a header says.
type header struct {
	version  int64
	local    bool
	family   string
	src, dst end
	more     extras
}

// end is one end of the connection that is passed on.
type end struct {
	addr string
	port int64 // 0: a socket's path has none
}

func (h *header) set(m *dissector.Message) {
	v := &m.Values
	command := "PROXY"
	if h.local {
		command = "LOCAL"
	}
	dissector.Operation.SetString(v, command)
	Version.Set(v, h.version)
	Command.SetString(v, command)
	Family.SetString(v, h.family)
	if h.src.addr == "" {
		return
	}
	dissector.Summary.SetString(v, h.src.String()+" to "+h.dst.String())
	Src.SetString(v, h.src.addr)
	Dst.SetString(v, h.dst.addr)
	if h.src.port > 0 || h.dst.port > 0 {
		SrcPort.Set(v, h.src.port)
		DstPort.Set(v, h.dst.port)
	}
	h.more.set(v)
}
