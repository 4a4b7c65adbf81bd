package protocol_test

import (
	"testing"

	"shark/dissector/protocol"
)

// The variables of KFL2 that users have in their filters must exist, by name.
func TestCatalogueHasTheVariablesOfKFL2(t *testing.T) {
	c, err := protocol.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"http", "dns", "redis", "kafka", "icmp", "grpc", "tlsx", "conn", "flow",
		"method", "status_code", "elapsed_time", "src.pod.name", "request.headers",
		"dns_questions", "dns_answers", "dns_question_types", "dns_request", "dns_response",
		"dns_request_length", "dns_response_length", "dns_total_size",
		"icmp_type", "icmp_version", "icmp_length",
		"redis_type", "redis_command", "redis_key", "redis_request_size", "redis_response_size", "redis_total_size",
		"kafka_api_key", "kafka_api_key_name", "kafka_client_id", "kafka_size", "kafka_request", "kafka_response",
		"kafka_request_summary", "kafka_request_size", "kafka_response_size",
		"operation", "summary", "status", "failed",
	} {
		if c.Lookup(name) == nil {
			t.Errorf("no field %s", name)
		}
	}
}

func TestCarriersAndImpliedProtocolsExist(t *testing.T) {
	names := make(map[string]bool)
	for _, p := range protocol.All() {
		if names[p.Name] {
			t.Errorf("%s is listed twice", p.Name)
		}
		names[p.Name] = true
		if (p.Carry == nil) != (p.Over == "") || (p.Carry == nil) != (p.Probe != nil && p.New != nil) {
			t.Errorf("%s neither parses nor rides", p.Name)
		}
	}
	for _, p := range protocol.All() {
		for _, name := range append([]string{p.Over}, p.Implies...) {
			if name != "" && !names[name] {
				t.Errorf("%s names %s, which does not exist", p.Name, name)
			}
		}
	}
}
