package http

import (
	"bytes"
	"net/url"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
)

// The fields of an HTTP request and its response, in any version. Together with
// the common ones (operation is the method, summary the path, status and
// status_code the response's status) they are all that HTTP messages set.
var (
	Method  = field.NewText("method", "Request method, as it was sent.", `http && method == "POST"`)
	URL     = field.NewText("url", "Request target, as it was sent: most often path and query.", `http && url.contains("user=")`)
	Path    = field.NewText("path", "Path of the request target, without query; the whole target where it has no path, as in CONNECT.", `http && path.startsWith("/orders/")`)
	Host    = field.NewText("host", "Host, and port if given, that the request is for: from the target, Host or :authority.", `http && host == "shop.example"`)
	Version = field.NewText("http_version", `Protocol version: "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3".`, `http && http_version == "HTTP/1.0"`)
	Reason  = field.NewText("status_text", "Reason phrase of the response; HTTP/2 and HTTP/3 have none.", `http && status_text == "Not Found"`)

	RequestHeaders   = field.NewMap("request.headers", "Request headers, by lower-case name.", `http && "authorization" in request.headers`)
	ResponseHeaders  = field.NewMap("response.headers", "Response headers, by lower-case name.", `http && map_get(response.headers, "server", "").contains("nginx")`)
	RequestTrailers  = field.Rarely(field.NewMap("request.trailers", "Fields sent after the request's body, by lower-case name.", `http && size(request.trailers) > 0`))
	ResponseTrailers = field.NewMap("response.trailers", "Fields sent after the response's body, by lower-case name.", `http && "grpc-status" in response.trailers`)

	RequestHeadersSize  = field.NewInt("request_headers_size", "bytes", "Size of the request's head on the wire: request line and headers, in HTTP/2 packed.", `http && request_headers_size > 8192`)
	RequestBodySize     = field.NewInt("request_body_size", "bytes", "Size of the request's body as sent, without chunk or frame headers.", `http && request_body_size > 10000`)
	ResponseHeadersSize = field.NewInt("response_headers_size", "bytes", "Size of the response's head on the wire: status line and headers, in HTTP/2 packed.", `http && response_headers_size > 200`)
	ResponseBodySize    = field.NewInt("response_body_size", "bytes", "Size of the response's body as sent, without chunk or frame headers.", `http && response_body_size == 0`)

	Anomaly = field.Rarely(field.NewText("http_anomaly", "What is wrong with the way a message is framed, such as two lengths that differ, a sign of request smuggling; or that its head is longer than the 64 KiB which are read of it.", `http && http_anomaly != ""`))
)

// Fields that are worked out from the stored ones when somebody asks for them.
var (
	QueryString = field.NewDerived(field.Map, "query_string", URL.Field,
		func(s string) any { return parseQuery(s) },
		"Parameters of the query, percent-decoded; values of a name that comes again are joined by a comma.", `http && map_get(query_string, "page", "") == "3"`)
	RequestCookies = field.NewDerived(field.Map, "request.cookies", RequestHeaders.Field,
		func(s string) any { return parseCookies(s) },
		"Cookies of the request, by name.", `http && "session" in request.cookies`)
	ResponseCookies = field.NewDerived(field.Map, "response.cookies", ResponseHeaders.Field,
		func(s string) any { return parseSetCookies(s) },
		"Cookies that the response sets, by name, without their attributes.", `http && "session" in response.cookies`)
	UserAgent = field.NewDerived(field.Text, "user_agent", RequestHeaders.Field,
		func(s string) any { return headerLine(s, "user-agent") },
		"User-Agent of the request.", `http && user_agent.startsWith("kube-probe/")`)
	RequestContentType = field.NewDerived(field.Text, "request_content_type", RequestHeaders.Field,
		func(s string) any { return mediaType(headerLine(s, "content-type")) },
		"Media type of the request's body, in lower case and without parameters.", `http && request_content_type == "application/json"`)
	ResponseContentType = field.NewDerived(field.Text, "response_content_type", ResponseHeaders.Field,
		func(s string) any { return mediaType(headerLine(s, "content-type")) },
		"Media type of the response's body, in lower case and without parameters.", `http && response_content_type == "text/html"`)
)

// Fields lists what a message of any HTTP version may set and what is worked
// out from that. Do not change it; add to a copy.
var Fields = field.Fields(
	Method, URL, Path, Host, Version, Reason,
	RequestHeaders, ResponseHeaders, RequestTrailers, ResponseTrailers,
	RequestHeadersSize, RequestBodySize, ResponseHeadersSize, ResponseBodySize,
	Anomaly,
	QueryString, RequestCookies, ResponseCookies, UserAgent, RequestContentType, ResponseContentType,
)

// SetRequest sets what a request line, or the pseudo-headers of HTTP/2, say.
// target is the :path, or for CONNECT the :authority. host is the Host header or
// the :authority and may be nil; an absolute target overrides it (RFC 9112,
// section 3.2.2). version is as in the field Version.
func SetRequest(m *dissector.Message, method, target, host []byte, version string) {
	path, authority := splitTarget(method, target)
	if authority != nil {
		host = authority
	}
	v := &m.Values
	dissector.Operation.Set(v, method)
	dissector.Summary.Set(v, path)
	Method.Set(v, method)
	URL.Set(v, target)
	Path.Set(v, path)
	if len(host) > 0 {
		Host.Set(v, host)
	}
	Version.SetString(v, version)
}

// SetStatus sets what a status line, or the :status of HTTP/2, says. A status
// of 400 or above is a failed call. reason may be nil.
func SetStatus(m *dissector.Message, code int, reason []byte, version string) {
	v := &m.Values
	digits := [3]byte{'0' + byte(code/100%10), '0' + byte(code/10%10), '0' + byte(code%10)}
	dissector.Status.Set(v, digits[:])
	dissector.StatusCode.Set(v, int64(code))
	dissector.Failed.Set(v, code >= 400)
	if len(reason) > 0 {
		Reason.Set(v, reason)
	}
	Version.SetString(v, version)
}

// splitTarget takes a request target (RFC 9112, section 3.2) apart. authority is
// nil unless the target names one.
func splitTarget(method, target []byte) (path, authority []byte) {
	if string(method) == "CONNECT" {
		return target, target
	}
	path = target
	if len(target) > 0 && target[0] != '/' {
		if i := bytes.Index(target, schemeEnd); i > 0 && i <= maxScheme {
			path = target[i+len(schemeEnd):]
			authority = path
			if j := bytes.IndexAny(path, "/?#"); j >= 0 {
				authority, path = path[:j], path[j:]
			} else {
				path = rootPath
			}
			if at := bytes.LastIndexByte(authority, '@'); at >= 0 {
				authority = authority[at+1:]
			}
		}
	}
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	if i := bytes.IndexByte(path, '#'); i >= 0 {
		path = path[:i]
	}
	if len(path) == 0 {
		path = rootPath
	}
	return path, authority
}

// maxScheme is how long the scheme of an absolute target may be.
const maxScheme = 16

var (
	schemeEnd = []byte("://")
	rootPath  = []byte("/")
)

// parseQuery reads the query of a request target. What is not percent-encoded
// rightly is kept as it is.
func parseQuery(target string) map[string]string {
	m := make(map[string]string)
	_, query, ok := strings.Cut(target, "?")
	if !ok {
		return m
	}
	query, _, _ = strings.Cut(query, "#")
	for len(query) > 0 {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, val, _ := strings.Cut(pair, "=")
		name, val = unescape(name), unescape(val)
		if old, again := m[name]; again {
			val = old + "," + val
		}
		m[name] = val
	}
	return m
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// parseCookies reads the Cookie lines of a block of headers (RFC 6265, section 4.2).
func parseCookies(lines string) map[string]string {
	m := make(map[string]string)
	rest := field.ParseLines(lines)["cookie"]
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, ";")
		addCookie(m, pair)
	}
	return m
}

// parseSetCookies reads the Set-Cookie lines of a block of headers (RFC 6265, section 4.1).
func parseSetCookies(lines string) map[string]string {
	m := make(map[string]string)
	rest := field.ParseLines(lines)["set-cookie"]
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		pair, _, _ := strings.Cut(line, ";")
		addCookie(m, pair)
	}
	return m
}

// addCookie adds a cookie to m. Of two with one name the first counts: it has
// the longer path.
func addCookie(m map[string]string, pair string) {
	name, val, ok := strings.Cut(strings.TrimSpace(pair), "=")
	if !ok || name == "" {
		return
	}
	if _, again := m[name]; again {
		return
	}
	if n := len(val); n >= 2 && val[0] == '"' && val[n-1] == '"' {
		val = val[1 : n-1]
	}
	m[name] = val
}

// headerLine returns the first value of a header in a block of lines; name is
// in lower case.
func headerLine(lines, name string) string {
	for len(lines) > 0 {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		k, val, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(val)
		}
	}
	return ""
}

// mediaType returns the type of a Content-Type, in lower case and without
// parameters.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}
