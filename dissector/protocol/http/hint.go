package http

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
)

// Hint says what an HTTP call is besides. Only HTTP/1 sets it, which these servers speak.
var Hint = field.Rarely(field.NewText("http_hint", "What a call of HTTP/1 is by its path or its headers: elasticsearch (OpenSearch too) or clickhouse.", `http && http_hint == "elasticsearch"`))

// The values of the field Hint.
const (
	elasticsearch = "elasticsearch"
	clickHouse    = "clickhouse"
)

// elasticAPIs are the segments of paths that Elasticsearch has by itself.
// https://www.elastic.co/guide/en/elasticsearch/reference/current/rest-apis.html
var elasticAPIs = map[string]bool{
	"_aliases": true, "_analyze": true, "_bulk": true, "_cat": true, "_cluster": true, "_count": true, "_create": true,
	"_delete_by_query": true, "_doc": true, "_field_caps": true, "_forcemerge": true, "_index_template": true, "_ingest": true,
	"_mapping": true, "_mget": true, "_msearch": true, "_nodes": true, "_refresh": true, "_reindex": true, "_search": true,
	"_settings": true, "_snapshot": true, "_tasks": true, "_update": true, "_update_by_query": true,
}

// statements are the words that a query of ClickHouse begins with.
var statements = map[string]bool{
	"ALTER": true, "CREATE": true, "DESCRIBE": true, "DROP": true, "EXISTS": true, "EXPLAIN": true, "INSERT": true, "KILL": true,
	"OPTIMIZE": true, "RENAME": true, "SELECT": true, "SHOW": true, "SYSTEM": true, "TRUNCATE": true, "WITH": true,
}

// setHint sets what the headers or the target of a message hint at; target is nil in a
// response.
func setHint(m *dissector.Message, h *head, target []byte) {
	hint := h.hint
	if hint == "" {
		if hint = hintOf(target); hint == "" {
			return
		}
	}
	Hint.SetString(&m.Values, hint)
}

// hintOf tells what a request is for by its target.
func hintOf(target []byte) string {
	switch {
	case len(target) < 2:
	case target[1] == '?':
		if isStatement(target[2:]) {
			return clickHouse
		}
	default:
		if i := bytes.Index(target, []byte("/_")); i >= 0 && isElastic(target[i+1:]) {
			return elasticsearch
		}
	}
	return ""
}

// isElastic tells whether a path goes on with an API of Elasticsearch.
func isElastic(path []byte) bool {
	if i := bytes.IndexAny(path, "/?"); i >= 0 {
		path = path[:i]
	}
	return elasticAPIs[string(path)]
}

// isStatement tells whether a query has a parameter of its name that is a statement.
func isStatement(query []byte) bool {
	const name = "query="
	i := bytes.Index(query, []byte(name))
	if i < 0 || i > 0 && query[i-1] != '&' {
		return false
	}
	word := query[i+len(name):]
	if i = bytes.IndexAny(word, "+%&"); i < 0 || i > len("DESCRIBE") || word[i] == '&' {
		return false
	}
	return statements[string(bytes.ToUpper(word[:i]))]
}

// hintAt takes the hint of a header that such a server or its client sends.
func (h *head) hintAt(name []byte) {
	switch {
	case isFold(name, "x-elastic-product"):
		h.hint = elasticsearch
	case isFold(name, "x-clickhouse-user"):
		h.hint = clickHouse
	}
}
