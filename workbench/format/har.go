package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"shark/dissector/field"
	"shark/workbench/index"
)

// har writes HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/). Bodies are
// not in it, only their sizes and types: an index has none.
type har struct {
	values
	out     *bufio.Writer
	n       int64
	skipped int64
}

// NewHAR begins an archive. Entries that are no HTTP, and those whose request was not
// captured, have no place in it.
func NewHAR(out io.Writer, c *field.Catalogue, version string) (Writer, error) {
	h := &har{values: newValues(c), out: bufio.NewWriterSize(out, 1<<16)}
	head, err := plainJSON(harCreator{"shark", version})
	if err != nil {
		return nil, err
	}
	h.out.WriteString(`{"log": {"version": "1.2", "creator": `)
	h.out.Write(head)
	h.out.WriteString(`, "pages": [], "entries": [`)
	return h, nil
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harEntry struct {
	Started    string      `json:"startedDateTime"`
	Time       float64     `json:"time"` // ms
	Request    harRequest  `json:"request"`
	Response   harResponse `json:"response"`
	Cache      struct{}    `json:"cache"`
	Timings    harTimings  `json:"timings"`
	ServerIP   string      `json:"serverIPAddress,omitempty"`
	Connection string      `json:"connection,omitempty"`
	Comment    string      `json:"comment,omitempty"`
	ID         string      `json:"_id"`
	Client     string      `json:"_client,omitempty"`
	Server     string      `json:"_server,omitempty"`
}

type harRequest struct {
	Method      string    `json:"method"`
	URL         string    `json:"url"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	QueryString []harPair `json:"queryString"`
	HeadersSize int64     `json:"headersSize"`
	BodySize    int64     `json:"bodySize"`
}

type harResponse struct {
	Status      int64      `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int64      `json:"headersSize"`
	BodySize    int64      `json:"bodySize"`
}

type harContent struct {
	Size     int64  `json:"size"`
	MimeType string `json:"mimeType"`
}

// harTimings are in ms; -1: it does not apply, or is not known.
type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Write implements Writer.
func (h *har) Write(r *index.Row) error {
	if !h.is(r, "http") || !h.is(r, "has_request") {
		h.skipped++
		return nil
	}
	b, err := plainJSON(h.entry(r))
	if err != nil {
		return err
	}
	if h.n++; h.n > 1 {
		h.out.WriteByte(',')
	}
	h.out.WriteString("\n  ")
	_, err = h.out.Write(b)
	return err
}

func (h *har) entry(r *index.Row) harEntry {
	version := h.text(r, "http_version")
	e := harEntry{
		Started:    h.time(r).Format("2006-01-02T15:04:05.000000Z"),
		Time:       millis(h.number(r, "elapsed_time")),
		ServerIP:   h.text(r, "dst.ip"),
		Connection: strconv.FormatInt(h.number(r, "conn_id"), 10),
		ID:         strconv.FormatInt(r.ID(), 10),
		Client:     h.who(r, "src"),
		Server:     h.who(r, "dst"),
		Request: harRequest{
			Method: h.text(r, "method"), URL: h.url(r), HTTPVersion: version,
			Cookies: sortedPairs(h.pairs(r, "request.cookies"), false), Headers: sortedPairs(h.pairs(r, "request.headers"), true), QueryString: query(h.text(r, "url")),
			HeadersSize: h.number(r, "request_headers_size"), BodySize: h.number(r, "request_body_size"),
		},
	}
	if !h.is(r, "has_response") {
		e.Comment = "no response was captured"
		e.Response = harResponse{Cookies: []harPair{}, Headers: []harPair{}, Content: harContent{MimeType: "x-unknown"}, HeadersSize: -1, BodySize: -1}
		return e
	}
	headers := h.pairs(r, "response.headers")
	mime := headers["content-type"]
	if mime == "" {
		mime = "x-unknown" // as browsers write it
	}
	e.Response = harResponse{
		Status: h.number(r, "status_code"), StatusText: h.text(r, "status_text"), HTTPVersion: version,
		Cookies: sortedPairs(h.pairs(r, "response.cookies"), false), Headers: sortedPairs(headers, true),
		Content:     harContent{h.number(r, "response_body_size"), mime},
		RedirectURL: headers["location"],
		HeadersSize: h.number(r, "response_headers_size"), BodySize: h.number(r, "response_body_size"),
	}
	wait := h.number(r, "first_byte_time")
	e.Timings = harTimings{0, millis(wait), millis(max(h.number(r, "elapsed_time")-wait, 0))}
	return e
}

// url makes the request's target absolute. What was read in clear from a TLS library was
// https; of the rest, which was captured as it went over the wire, all is http.
func (h *har) url(r *index.Row) string {
	target := h.text(r, "url")
	if u, err := url.Parse(target); err == nil && u.IsAbs() && u.Host != "" {
		return target
	}
	scheme := "http://"
	if h.text(r, "capture_source") == "ebpf_tls" {
		scheme = "https://"
	}
	host := h.text(r, "host")
	if host == "" {
		host = net.JoinHostPort(h.text(r, "dst.ip"), strconv.FormatInt(h.number(r, "dst.port"), 10))
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + strings.TrimPrefix(target, "*") // OPTIONS *, CONNECT host:port
	}
	return scheme + host + target
}

// query lists the parameters of a request target, in their order.
func query(target string) []harPair {
	out := []harPair{}
	_, text, _ := strings.Cut(target, "?")
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, harPair{unescaped(name), unescaped(value)})
	}
	return out
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// sortedPairs lists a map by name; of headers, each line of a value is one.
func sortedPairs(m map[string]string, lines bool) []harPair {
	out := []harPair{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !lines {
			out = append(out, harPair{name, m[name]})
			continue
		}
		for line := range strings.SplitSeq(m[name], "\n") {
			out = append(out, harPair{name, line})
		}
	}
	return out
}

func millis(us int64) float64 { return float64(us) / float64(time.Millisecond/time.Microsecond) }

// plainJSON leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Skipped implements Writer.
func (h *har) Skipped() int64 { return h.skipped }

// Close implements Writer.
func (h *har) Close() error {
	h.out.WriteString("\n]}}\n")
	return h.out.Flush()
}
