package http_test

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

func TestHint(t *testing.T) {
	parse := http.Protocol.New(dissector.TCP)
	for in, want := range map[string]string{
		"POST /_bulk HTTP/1.1\r\n\r\n":                                                   "elasticsearch",
		"GET /shop/_search?q=cup HTTP/1.1\r\n\r\n":                                       "elasticsearch",
		"GET /_cluster/health HTTP/1.1\r\n\r\n":                                          "elasticsearch",
		"PUT /shop/_doc/7 HTTP/1.1\r\n\r\n":                                              "elasticsearch",
		"GET /_next/static/x.js HTTP/1.1\r\n\r\n":                                        "",
		"GET /_searching HTTP/1.1\r\n\r\n":                                               "",
		"GET / HTTP/1.1\r\n\r\n":                                                         "",
		"GET /?query=SELECT%201 HTTP/1.1\r\n\r\n":                                        "clickhouse",
		"POST /?database=shop&query=insert+into+t HTTP/1.1\r\n\r\n":                      "clickhouse",
		"GET /?query=selected+works HTTP/1.1\r\n\r\n":                                    "",
		"GET /?query=select HTTP/1.1\r\n\r\n":                                            "",
		"GET /?subquery=SELECT%201 HTTP/1.1\r\n\r\n":                                     "",
		"GET /search?query=SELECT%201 HTTP/1.1\r\n\r\n":                                  "",
		"GET /blog/_search/help HTTP/1.1\r\n\r\n":                                        "",
		"GET /blog/posts/_search HTTP/1.1\r\n\r\n":                                       "",
		"GET /Blog/_search HTTP/1.1\r\n\r\n":                                             "",
		"GET /_doc HTTP/1.1\r\n\r\n":                                                     "",
		"GET /shop/_doc/7/edit HTTP/1.1\r\n\r\n":                                         "",
		"GET /shop/_cat/indices HTTP/1.1\r\n\r\n":                                        "",
		"GET /_cat/pictures HTTP/1.1\r\n\r\n":                                            "",
		"GET /_cluster HTTP/1.1\r\n\r\n":                                                 "",
		"GET /a?next=/_search HTTP/1.1\r\n\r\n":                                          "",
		"GET //_search HTTP/1.1\r\n\r\n":                                                 "",
		"GET /shop/_update HTTP/1.1\r\n\r\n":                                             "",
		"POST /shop/_update/7 HTTP/1.1\r\n\r\n":                                          "elasticsearch",
		"GET /_cat/indices/shop*?v HTTP/1.1\r\n\r\n":                                     "elasticsearch",
		"GET /_cat/ HTTP/1.1\r\n\r\n":                                                    "elasticsearch",
		"POST /_search/scroll HTTP/1.1\r\n\r\n":                                          "elasticsearch",
		"POST /%3Clogs-%7Bnow%2Fd%7D%3E,-x/_search HTTP/1.1\r\n\r\n":                     "elasticsearch",
		"GET /_all/_mapping/field/a HTTP/1.1\r\n\r\n":                                    "elasticsearch",
		"PUT /_snapshot/a/b HTTP/1.1\r\n\r\n":                                            "elasticsearch",
		"GET /?query=show+me+shoes HTTP/1.1\r\n\r\n":                                     "",
		"GET /?query=select+best+shoes HTTP/1.1\r\n\r\n":                                 "",
		"GET /?query=with+love HTTP/1.1\r\n\r\n":                                         "",
		"GET /?query=SELECT+%zz HTTP/1.1\r\n\r\n":                                        "",
		"GET /?query=SELECT+name+FROM+t HTTP/1.1\r\n\r\n":                                "clickhouse",
		"GET /?query=SELECT+1" + strings.Repeat("%20", 500) + " HTTP/1.1\r\n\r\n":        "clickhouse",
		"GET /?query=with%201%20as%20x%20select%20x HTTP/1.1\r\n\r\n":                    "clickhouse",
		"GET /?query=SHOW+TABLES HTTP/1.1\r\n\r\n":                                       "clickhouse",
		"POST / HTTP/1.1\r\nX-ClickHouse-User: default\r\n\r\n":                          "clickhouse",
		"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n\r\n":                    "elasticsearch",
		"HTTP/1.1 200 OK\r\nX-ClickHouse-Summary: {}\r\n\r\n":                            "clickhouse",
		"HTTP/1.1 200 OK\r\nX-Something-Other: {}\r\nTransfer-Encoding: chunked\r\n\r\n": "",
	} {
		m := new(dissector.Message)
		from := dissector.Client
		if in[0] == 'H' {
			from = dissector.Server
		}
		if _, err := parse(from, []byte(in), m); err != nil {
			t.Fatal(err)
		}
		if got := string(http.Hint.Get(&m.Values)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
