package kfl_test

import (
	"testing"

	"shark/dissector/field"
	"shark/kfl"
)

// The fields of the protocols that declare their own, as KFL2 names them, and
// those that messages of every protocol may set. The real declarations are the
// protocols'.
var (
	operation  = field.NewText("operation", "What was asked for.", `operation == "GET"`)
	summary    = field.NewText("summary", "What it is about.", `summary.contains("/cart")`)
	status     = field.NewText("status", "How it was answered.", `status == "NXDOMAIN"`)
	statusCode = field.NewInt("status_code", "", "The answer's number.", `http && status_code >= 500`)
	failed     = field.NewBool("failed", "The call failed.", `failed`)

	method         = field.NewText("method", "The verb.", `http && method == "GET"`)
	path           = field.NewText("path", "The path.", `http && path == "/"`)
	requestHeaders = field.NewMap("request.headers", "Headers of the request.", `"authorization" in request.headers`)
	dnsQuestions   = field.NewList("dns_questions", "Names asked for.", `"example.com" in dns_questions`)
)

func group(name, label string, fields ...field.Any) field.Group {
	return field.Group{Name: name, Label: label, Doc: label + " entries.", Flag: true, Fields: field.Fields(fields...)}
}

func text(name string) field.Any { return field.NewText(name, "A text.", name+` == "a"`) }
func num(name string) field.Any  { return field.NewInt(name, "", "A number.", name+" > 1") }
func truth(name string) field.Any {
	return field.NewBool(name, "A truth.", name)
}
func list(name string) field.Any { return field.NewList(name, "A list.", `"a" in `+name) }
func dict(name string) field.Any { return field.NewMap(name, "A map.", `"a" in `+name) }

// groups is everything KFL2 has.
func groups() []field.Group {
	entry := field.EntryGroup()
	entry.Fields = append(entry.Fields, field.Fields(operation, summary, status, statusCode, failed)...)
	return []field.Group{
		entry, field.ConnGroup(), field.FlowGroup(),
		group("http", "HTTP", statusCode, method, text("url"), path, text("http_version"), dict("query_string"), requestHeaders, dict("response.headers"),
			dict("request.cookies"), dict("response.cookies"), num("request_headers_size"), num("request_body_size"), num("response_headers_size"), num("response_body_size")),
		group("grpc", "gRPC", text("grpc_method"), num("grpc_status")),
		group("dns", "DNS", statusCode, dnsQuestions, list("dns_answers"), list("dns_question_types"), truth("dns_request"), truth("dns_response"),
			num("dns_request_length"), num("dns_response_length"), num("dns_total_size")),
		group("tlsx", "TLS", text("tlsx_sni"), num("tlsx_cipher_suite"), list("tlsx_cipher_suites"), text("tlsx_alpn"), num("tlsx_version"), text("tlsx_summary"), text("tlsx_info"),
			text("tls_summary"), text("tls_info"), num("tls_request_size"), num("tls_response_size"), num("tls_total_size")),
		group("icmp", "ICMP", text("icmp_type"), num("icmp_version"), num("icmp_length")),
		group("redis", "Redis", text("redis_type"), text("redis_command"), text("redis_key"), num("redis_request_size"), num("redis_response_size"), num("redis_total_size")),
		group("kafka", "Kafka", num("kafka_api_key"), text("kafka_api_key_name"), text("kafka_client_id"), num("kafka_size"), truth("kafka_request"), truth("kafka_response"),
			text("kafka_request_summary"), num("kafka_request_size"), num("kafka_response_size")),
		group("mysql", "MySQL", text("mysql_command"), text("mysql_query"), text("mysql_database"), num("mysql_statement_id"), field.NewAlias("mysql_success", field.Succeeded, "It succeeded.", "mysql_success"),
			num("mysql_error_code"), text("mysql_error_message"), num("mysql_request_size"), num("mysql_response_size"), num("mysql_total_size")),
		group("postgresql", "PostgreSQL", text("postgresql_command"), text("postgresql_query"), text("postgresql_database"), text("postgresql_user"), field.NewAlias("postgresql_success", field.Succeeded, "It succeeded.", "postgresql_success"),
			text("postgresql_error_code"), text("postgresql_error_message"), num("postgresql_request_size"), num("postgresql_response_size"), num("postgresql_total_size")),
		group("ws", "WebSocket", text("ws_opcode"), truth("ws_request"), truth("ws_response"), text("ws_request_payload_data"), num("ws_request_payload_length"), num("ws_response_payload_length")),
		group("gql", "GraphQL"), group("gqlv1", "GraphQL over HTTP/1"), group("gqlv2", "GraphQL over HTTP/2"),
		group("mongodb", "MongoDB", text("mongodb_command"), text("mongodb_database"), text("mongodb_collection"), text("mongodb_opcode"), field.NewAlias("mongodb_success", field.Succeeded, "It succeeded.", "mongodb_success"),
			num("mongodb_error_code"), text("mongodb_error_message"), text("mongodb_error_code_name"), num("mongodb_request_size"), num("mongodb_response_size"), num("mongodb_total_size")),
		group("ldap", "LDAP", text("ldap_type"), text("ldap_summary"), truth("ldap_request"), truth("ldap_response"),
			num("ldap_request_length"), num("ldap_response_length"), num("ldap_total_size")),
		group("radius", "RADIUS", num("radius_code"), text("radius_code_name"), text("radius_request_authenticator"), truth("radius_request"), truth("radius_response"),
			num("radius_request_length"), num("radius_response_length"), num("radius_total_size")),
		group("amqp", "AMQP", text("amqp_method"), text("amqp_summary"), truth("amqp_request"), truth("amqp_response"),
			num("amqp_request_length"), num("amqp_response_length"), num("amqp_total_size")),
		group("diameter", "Diameter", text("diameter_method"), text("diameter_summary"), truth("diameter_request"), truth("diameter_response"),
			num("diameter_request_length"), num("diameter_response_length"), num("diameter_total_size")),
		group("tcp", "TCP", text("tcp_method"), field.NewBytes("tcp_payload", "Payload.", "tcp"), text("tcp_error_type"), text("tcp_error_message")),
		group("udp", "UDP", num("udp_length"), num("udp_checksum"), field.NewBytes("udp_payload", "Payload.", "udp")),
		group("sctp", "SCTP", num("sctp_checksum"), num("sctp_length"), text("sctp_chunk_type")),
	}
}

func catalogue(t testing.TB) *field.Catalogue {
	t.Helper()
	cat, err := field.NewCatalogue(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// columns gives every field of a comparable kind a column of its name.
type columns struct{}

func (columns) Column(f *field.Field) (string, bool) {
	switch f.Kind {
	case field.Bool, field.Int, field.Text, field.Time:
		return `"` + f.Name + `"`, true
	}
	return "", false
}

func env(t testing.TB, cols kfl.Columns) *kfl.Env {
	t.Helper()
	e, err := kfl.NewEnv(catalogue(t), cols)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
