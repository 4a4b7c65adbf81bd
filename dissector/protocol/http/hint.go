package http

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

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

// elasticAPI is how a path of Elasticsearch goes on from the segment that names what is asked
// for, and what may be before it: nothing, or the names of indices.
type elasticAPI struct {
	root, index bool
	least, most int      // segments behind it
	next        []string // what the first of them is; nil: anything
}

// elasticAPIs are the segments that name what is asked for, of paths that Elasticsearch has by
// itself. https://www.elastic.co/guide/en/elasticsearch/reference/current/rest-apis.html
var elasticAPIs = map[string]elasticAPI{
	"_aliases": {root: true, index: true},
	"_analyze": {root: true, index: true},
	"_bulk":    {root: true, index: true},
	"_cat": {root: true, most: 4, next: []string{
		"aliases", "allocation", "component_templates", "count", "fielddata", "health", "indices", "master", "ml", "nodeattrs", "nodes",
		"pending_tasks", "plugins", "recovery", "repositories", "segments", "shards", "snapshots", "tasks", "templates", "thread_pool", "transforms",
	}},
	"_cluster": {root: true, least: 1, most: 3, next: []string{
		"allocation", "health", "info", "nodes", "pending_tasks", "reroute", "settings", "state", "stats", "voting_config_exclusions",
	}},
	"_count":           {root: true, index: true},
	"_create":          {index: true, least: 1, most: 1},
	"_delete_by_query": {index: true},
	"_doc":             {index: true, most: 1},
	"_field_caps":      {root: true, index: true},
	"_forcemerge":      {root: true, index: true},
	"_index_template":  {root: true, most: 1},
	"_ingest":          {root: true, least: 1, most: 3, next: []string{"geoip", "ip_location", "pipeline", "processor"}},
	"_mapping":         {root: true, index: true, most: 2, next: []string{"field"}},
	"_mget":            {root: true, index: true},
	"_msearch":         {root: true, index: true, most: 1, next: []string{"template"}},
	"_nodes":           {root: true, most: 3},
	"_refresh":         {root: true, index: true},
	"_reindex":         {root: true},
	"_search":          {root: true, index: true, most: 2, next: []string{"point_in_time", "scroll", "template"}},
	"_settings":        {root: true, index: true, most: 1},
	"_snapshot":        {root: true, most: 4},
	"_tasks":           {root: true, most: 2},
	"_update":          {index: true, least: 1, most: 1},
	"_update_by_query": {index: true},
}

// statements are the words that a query of ClickHouse begins with, and what comes next.
// https://clickhouse.com/docs/sql-reference/statements
var statements = map[string][]string{
	"ALTER":    {"DATABASE", "NAMED", "QUOTA", "ROLE", "ROW", "SETTINGS", "TABLE", "USER"},
	"CREATE":   {"DATABASE", "DICTIONARY", "FUNCTION", "LIVE", "MATERIALIZED", "NAMED", "OR", "QUOTA", "ROLE", "ROW", "SETTINGS", "TABLE", "TEMPORARY", "USER", "VIEW"},
	"DESCRIBE": {"TABLE"},
	"DROP":     {"DATABASE", "DICTIONARY", "FUNCTION", "NAMED", "QUOTA", "ROLE", "ROW", "SETTINGS", "TABLE", "TEMPORARY", "USER", "VIEW"},
	"EXISTS":   {"DATABASE", "DICTIONARY", "TABLE", "TEMPORARY", "VIEW"},
	"EXPLAIN":  {"AST", "ESTIMATE", "PIPELINE", "PLAN", "QUERY", "SELECT", "SYNTAX"},
	"INSERT":   {"INTO"},
	"KILL":     {"MUTATION", "QUERY"},
	"OPTIMIZE": {"TABLE"},
	"RENAME":   {"DATABASE", "DICTIONARY", "TABLE"},
	"SHOW":     {"CLUSTER", "CLUSTERS", "CREATE", "DATABASES", "DICTIONARIES", "FUNCTIONS", "GRANTS", "PROCESSLIST", "ROLES", "SETTINGS", "TABLES", "USERS"},
	"SYSTEM":   {"DROP", "FLUSH", "RELOAD", "RESTART", "START", "STOP", "SYNC"},
	"TRUNCATE": {"DATABASE", "TABLE"},
}

// maxStatement is how many bytes of a parameter are looked at.
const maxStatement = 1 << 10

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
	case target[0] == '/' && bytes.Contains(target, []byte("/_")):
		path, _, _ := strings.Cut(string(target[1:]), "?")
		if isElastic(strings.TrimSuffix(path, "/")) {
			return elasticsearch
		}
	}
	return ""
}

// isElastic tells whether a path is one of Elasticsearch.
func isElastic(path string) bool {
	name, rest, more := strings.Cut(path, "/")
	index := name == "_all" || !strings.HasPrefix(name, "_")
	if index {
		if name == "" || !isIndex(name) {
			return false
		}
		name, rest, more = strings.Cut(rest, "/")
	}
	api, ok := elasticAPIs[name]
	if !ok || index && !api.index || !index && !api.root {
		return false
	}
	if !more {
		return api.least == 0
	}
	next, _, _ := strings.Cut(rest, "/")
	return next != "" && strings.Count(rest, "/") < api.most && (api.next == nil || slices.Contains(api.next, next))
}

// isIndex tells whether a segment may be the names of indices, which have no capitals.
func isIndex(segment string) bool {
	for i := 0; i < len(segment); i++ {
		switch c := segment[i]; {
		case c == '%':
			i += 2
		case c >= 'A' && c <= 'Z', c == '"', c == '|', c == '\\':
			return false
		}
	}
	return true
}

// isStatement tells whether a query has a parameter of its name that is a statement, and not
// just words that a statement might begin with.
func isStatement(query []byte) bool {
	const name = "query="
	i := bytes.Index(query, []byte(name))
	if i < 0 || i > 0 && query[i-1] != '&' {
		return false
	}
	value, _, _ := bytes.Cut(query[i+len(name):], []byte("&"))
	text, err := url.QueryUnescape(string(value[:min(len(value), maxStatement)]))
	if err != nil && len(value) > maxStatement { // it was cut inside of a %xx
		text, err = url.QueryUnescape(string(value[:bytes.LastIndexByte(value[:maxStatement], '%')]))
	}
	words := strings.Fields(strings.ToUpper(text))
	if err != nil || len(words) < 2 {
		return false
	}
	switch words[0] {
	case "SELECT":
		return slices.Contains(words, "FROM") || strings.ContainsAny(words[1], "0123456789('*")
	case "WITH":
		return slices.Contains(words, "AS") && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "SELECT") })
	}
	return slices.Contains(statements[words[0]], words[1])
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
