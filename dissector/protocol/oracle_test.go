package protocol_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol"
	"shark/dissector/protocol/dns"
	"shark/dissector/protocol/icmp"
	"shark/dissector/protocol/kafka"
)

// differ are the captures in which tshark rightly or wrongly lists other calls.
var differ = map[string]string{
	"arkime/arkime_synthetic.pcap": "two DNS queries without a question, which are no DNS here",
	"arkime/gre-sample.pcap":       "tshark counts the queries that ICMP errors quote",
	"ndpi/doq.pcapng":              "DNS over QUIC is not read",
	"pcap4j/DltRawTest.pcap":       "the table leaves ICMPv6 out",
}

// oracle is what tshark saw in a capture, as far as it is compared here.
type oracle struct {
	Tables map[string][]map[string]any
	Cut    []string `json:"tables_truncated_at_400"`
}

// calls are what two witnesses can agree on of a call, with how often it was.
type calls map[string]int

func (c calls) Entry(e *dissector.Entry) error {
	side := e.Request
	if side == nil {
		side = e.Response
	}
	v, resp := &side.Values, "-"
	switch e.Protocol.Name {
	case "dns":
		if e.Request == nil {
			return nil
		}
		if e.Response != nil {
			resp = fmt.Sprint(dissector.StatusCode.Get(&e.Response.Values) & 15) // tshark leaves out what EDNS adds
		}
		name := ""
		for q := range dns.Questions.Each(v) {
			name = string(q)
			break
		}
		c[fmt.Sprintf("dns %d %s %s", dns.ID.Get(v), plain(name), resp)]++
	case "icmp":
		if string(icmp.TypeName.Get(v)) != "Echo" {
			return nil
		}
		if e.Request != nil { // the tables do not say which ones were answered
			c[fmt.Sprintf("echo %d %d", icmp.ID.Get(v), icmp.Sequence.Get(v))]++
		}
	case "redis":
		if e.Request == nil || e.Request.From == dissector.Server || e.Request.Values.Len() == 0 {
			return nil
		}
		c["redis "+string(dissector.Operation.Get(v))]++
	case "kafka":
		if e.Request == nil {
			return nil
		}
		c[fmt.Sprintf("kafka %d v%d %d %s", kafka.APIKey.Get(v), kafka.APIVersion.Get(v), kafka.Correlation.Get(v), kafka.ClientID.Get(v))]++
	}
	return nil
}

// plain is a name in lower case, if it has only the bytes that both write alike.
func plain(name string) string {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`\",`, c) >= 0 {
			return "?"
		}
	}
	return strings.ToLower(name)
}

// expected turns an oracle's rows into calls.
func (o *oracle) expected() calls {
	c := make(calls)
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	number := func(s string) string {
		if _, after, ok := strings.Cut(s, "("); ok {
			s = strings.TrimSuffix(after, ")")
		}
		return s
	}
	for _, r := range o.Tables["dns_calls"] {
		id, _ := strconv.ParseInt(text(r["id"]), 0, 32)
		resp := "-"
		if r["resp_frame"] != nil {
			resp = text(r["rcode"])
			resp = number(resp[strings.LastIndex(resp, "("):])
		}
		name := text(r["name"])
		if name == "<Root>" {
			name = "."
		}
		c[fmt.Sprintf("dns %d %s %s", id, plain(name), resp)]++
	}
	for _, r := range o.Tables["icmp_echo"] {
		c[fmt.Sprintf("echo %s %s", text(r["ident"]), text(r["seq"]))]++
	}
	for _, r := range o.Tables["redis_calls"] {
		c["redis "+strings.ToUpper(text(r["cmd"]))]++
	}
	for _, r := range o.Tables["kafka_calls"] {
		c[fmt.Sprintf("kafka %s v%s %s %s", number(text(r["api"])), text(r["version"]), text(r["correlation_id"]), text(r["client_id"]))]++
	}
	return c
}

// Every call that tshark lists in the public captures must be found, and no other.
func TestCallsAreThoseOfTshark(t *testing.T) {
	root := dissectortest.Public(t)
	tables := []string{"dns_calls", "icmp_echo", "redis_calls", "kafka_calls"}
	base := filepath.Join(root, "oracle")
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		dec := json.NewDecoder(f)
		dec.UseNumber()
		var o oracle
		if err := dec.Decode(&o); err != nil {
			return err
		}
		wanted := false
		for _, name := range tables {
			wanted = wanted || len(o.Tables[name]) > 0
		}
		if name, _ := filepath.Rel(base, strings.TrimSuffix(path, ".json")); wanted && len(o.Cut) == 0 && differ[filepath.ToSlash(name)] == "" {
			t.Run(name, func(t *testing.T) { compare(t, filepath.Join(root, name), &o) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, capture string, o *oracle) {
	got, want := make(calls), o.expected()
	dissectortest.Dissect(t, dissectortest.Open(t, capture), got, protocol.All()...)
	for call, n := range want {
		if got[call] < n {
			t.Errorf("missing %d of %d: %s", n-got[call], n, call)
		}
	}
	for call, n := range got {
		if n > want[call] {
			t.Errorf("%d too many: %s", n-want[call], call)
		}
	}
}
