package http2_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// oracle is the part of an oracle file that speaks of HTTP/2.
type oracle struct {
	Tables struct {
		Calls []struct {
			Stream     int    `json:"h2_stream"`
			Method     string `json:"method"`
			Path       string `json:"path"`
			Status     string `json:"status"`
			GRPCStatus string `json:"grpc_status"`
		} `json:"http2_calls"`
	} `json:"tables"`
}

// elsewhere are the requests that the tables have no path of, for they came over HTTP/1 and
// asked for the upgrade (stream 1), or in a PUSH_PROMISE.
var elsewhere = map[string]string{
	"arkime/http2-nghttp2.pcap stream 2":                      "/stylesheets/screen.css",
	"suricata-verify/http2-deflate-case__input.pcap stream 1": "/",
	"suricata-verify/http2-keywords2__input.pcap stream 1":    "/robots.txt",
	"suricata-verify/http2-range__http2-range.pcap stream 1":  "/eicar",
}

// Every call that tshark finds in recorded traffic is found, and no other.
func TestCallsOfRecordedTraffic(t *testing.T) {
	root := dissectortest.Public(t)
	for _, name := range []string{
		"live/grpc.pcap", "live/http.pcap", "live/graphql.pcap",
		"arkime/http2-nghttp2.pcap", "deepflow/grpc-segmented.pcap", "deepflow/grpc-service-name.pcap", "deepflow/h2c_ascii.pcap",
		"ndpi/http2.pcapng", "suricata-verify/bug-5929-02__http2_multiple_headers.pcap",
		"suricata-verify/dns-over-http2-post__dns_over_https_POST.pcap", "suricata-verify/http2-continuation__input.pcap",
		"suricata-verify/http2-deflate-case__input.pcap", "suricata-verify/http2-keywords2__input.pcap", "suricata-verify/http2-range__http2-range.pcap",
	} {
		t.Run(name, func(t *testing.T) {
			var o oracle
			dissectortest.Oracle(t, root, name, &o)
			var want []string
			for _, c := range o.Tables.Calls {
				if name == "arkime/http2-nghttp2.pcap" && c.Stream == 13 {
					c.Path = "/" // the table has the path that the server promises on this stream
				}
				if path, ok := elsewhere[fmt.Sprintf("%s stream %d", name, c.Stream)]; ok && c.Path == "" {
					c.Method, c.Path = "GET", path
				}
				want = append(want, callLine(c.Stream, c.Method, c.Path, c.Status, c.GRPCStatus))
			}
			dissectortest.SameLines(t, calls(t, filepath.Join(root, name)), want)
		})
	}
}

// heard collects the calls as the recorded clients write them: method, target, status, and the
// sizes of both bodies, with "cut" behind one that broke off.
type heard []string

func (c *heard) Entry(e *dissector.Entry) error {
	if e.Protocol != http2.Protocol || e.Request == nil {
		return nil
	}
	q := &e.Request.Values
	status, got, cut := "-", int64(0), ""
	if e.Response != nil && dissector.StatusCode.Get(&e.Response.Values) != 0 { // else it was only reset
		v := &e.Response.Values
		status, got = string(dissector.Status.Get(v)), http.ResponseBodySize.Get(v)
		if e.Marks&dissector.MarkTruncated != 0 {
			cut = " cut"
		}
	}
	*c = append(*c, fmt.Sprint(string(http.Method.Get(q)), " ", string(http.URL.Get(q)), " ", status, " ", http.RequestBodySize.Get(q), " ", got, cut))
	return nil
}

// Every call is as the client that made it was told, and there is no other.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "http2/calls", func(t *testing.T, capture string, want []string) {
		var got heard
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http2.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}

func callLine(stream int, method, path, status, grpcStatus string) string {
	return fmt.Sprintf("stream %d: %s %s -> %s grpc %s", stream, method, path, status, grpcStatus)
}

// calls dissects a capture and returns a line for each call over HTTP/2.
func calls(t *testing.T, file string) []string {
	t.Helper()
	var c lines
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, http.Protocol, http2.Protocol, grpc.Protocol)
	return c
}

// lines is a sink that keeps a line for each call.
type lines []string

func (c *lines) Entry(e *dissector.Entry) error {
	if e.Protocol != http2.Protocol && !slices.Contains(e.Carriers, http2.Protocol) {
		return nil
	}
	var stream int64
	var method, path, status, grpcStatus string
	if m := e.Request; m != nil {
		stream = http2.StreamID.Get(&m.Values)
		method, path = string(http.Method.Get(&m.Values)), string(http.URL.Get(&m.Values))
	}
	if m := e.Response; m != nil {
		stream = http2.StreamID.Get(&m.Values)
		if code := dissector.StatusCode.Get(&m.Values); code > 0 {
			status = fmt.Sprint(code)
		}
		if m.Has(grpc.Status) {
			grpcStatus = fmt.Sprint(grpc.Status.Get(&m.Values))
		}
	}
	*c = append(*c, callLine(int(stream), method, path, status, grpcStatus))
	return nil
}
