package nats

import (
	"bytes"
	"encoding/json"
	"strconv"

	"shark/dissector"
	"shark/dissector/wire"
)

// response takes what the server says; payload is what was read of headers and payload.
func (p *parser) response(c *command, payload []byte, m *dissector.Message) {
	v := &m.Values
	switch c.name {
	case "INFO":
		p.info(c, m)
		return
	case "MSG", "HMSG":
		p.deliver(c, payload, m)
		return
	case "PING":
		m.Role = dissector.OneWay
		return
	case "-ERR":
		text := bytes.Trim(c.args, "'")
		text = text[:min(len(text), maxError)]
		Error.Set(v, text)
		dissector.Summary.Set(v, text)
		dissector.Status.SetString(v, "-ERR")
		dissector.Failed.Set(v, true)
	default:
		dissector.Status.SetString(v, c.name)
	}
	if c.name != "PONG" && !p.verbose {
		m.Role = dissector.OneWay
		return
	}
	// PONG answers PING and nothing else, so that a wrong turn shows.
	if peer := m.Peer(); peer != nil && (string(dissector.Operation.Get(&peer.Values)) == "PING") != (c.name == "PONG") {
		m.Role = dissector.OneWay
	}
}

// info reads what the server says of itself. Where it wants TLS, that follows.
func (p *parser) info(c *command, m *dissector.Message) {
	m.Role = dissector.OneWay
	var options struct {
		Name string `json:"server_name"`
		TLS  bool   `json:"tls_required"`
		May  bool   `json:"tls_available"`
	}
	if json.Unmarshal(c.args, &options) != nil {
		return
	}
	if options.Name != "" {
		name := options.Name[:min(len(options.Name), maxName)]
		Name.SetString(&m.Values, name)
		dissector.Summary.SetString(&m.Values, name)
	}
	switch {
	case p.begun:
	case options.TLS:
		m.Next = "tlsx"
	case options.May:
		m.Next = dissector.Unknown
	}
}

// deliver takes a message: the reply that a request waits for, or any other.
func (p *parser) deliver(c *command, payload []byte, m *dissector.Message) {
	p.status(c, payload, m)
	key := p.key(c.subject)
	peer := m.Peer()
	if !p.waiting[key] || peer == nil || p.verbose {
		m.Role = dissector.OneWay
		return
	}
	delete(p.waiting, key)
	if peer.Notes == askedAPI && int64(len(payload)) == c.size {
		apiError(payload[c.header:], m)
	}
}

// status reads the status line of the headers, such as "NATS/1.0 503 No Responders".
func (p *parser) status(c *command, payload []byte, m *dissector.Message) {
	if c.header == 0 {
		return
	}
	line, _, _ := bytes.Cut(payload[:min(int64(len(payload)), c.header)], []byte("\r\n"))
	_, line, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(line) < 3 {
		return
	}
	code, isCode := wire.Digits(line[:3], 10)
	if !isCode {
		return
	}
	v := &m.Values
	dissector.Status.Set(v, line)
	dissector.StatusCode.Set(v, code)
	if code >= 400 {
		dissector.Failed.Set(v, true)
	}
}

// apiError looks for an error in an answer of the JetStream API.
func apiError(b []byte, m *dissector.Message) {
	var answer struct {
		Error *struct {
			Code        int64
			Description string
		}
	}
	v := &m.Values
	switch {
	case json.Unmarshal(b, &answer) != nil:
	case answer.Error == nil:
		dissector.Status.SetString(v, "OK")
	default:
		Error.SetString(v, answer.Error.Description[:min(len(answer.Error.Description), maxError)])
		dissector.Status.SetString(v, strconv.FormatInt(answer.Error.Code, 10))
		dissector.StatusCode.Set(v, answer.Error.Code)
		dissector.Failed.Set(v, true)
	}
}
