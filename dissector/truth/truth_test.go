package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector/dissectortest"
)

// TestTruth holds the dissector against all captures, as the command does.
func TestTruth(t *testing.T) {
	dir := dissectortest.Public(t)
	// To standard output, so that after a panic it can be told in which capture.
	if err := run(os.Stdout, options{captures: dir, known: "differences.tsv", verbose: true}); err != nil {
		t.Error(err)
	}
}

// No protocol claims what tshark knows to be something else.
func TestConfusion(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	if err := confusion(os.Stdout, options{captures: dir, claims: "claims.tsv"}); err != nil {
		t.Error(err)
	}
}

// Who looked into a difference says who is right, and why.
func TestDifferencesAreJudged(t *testing.T) {
	list, err := readKnown("differences.tsv")
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	for _, k := range list {
		if !k.judged() {
			t.Errorf("%s %s %+d %s: no verdict or reason", k.capture, k.kind, k.n, k.text)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "-",
		"/a?b":                   "/a?b",
		"two  words":             "two?words",
		"tab\tquote\"end":        "tab?quote?end",
		"caf\u00e9":              "caf?",
		strings.Repeat("x", 999): strings.Repeat("x", maxText),
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"": ".", "WWW.Example": "www.example", "a\x01b": "?", `a\001b`: "?"} {
		if got := plainName(in); got != want {
			t.Errorf("plainName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFirstArgument(t *testing.T) {
	for line, want := range map[string]string{
		"PING":                "",
		"GET key":             "key",
		"SET key value":       "key",
		`ECHO "two words" x`:  "two words",
		`ECHO "a \" b" x`:     `a \" b`,
		`ECHO "never closed`:  `"never closed`,
		`SET "" value`:        "",
		"GET cut-in-the-m...": "cut-in-the-m...",
	} {
		if got := firstArgument(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// What an entry says, in the words of the oracles.
func TestWords(t *testing.T) {
	say := func(texts map[string]string, ints map[string]int64) *half {
		h := &half{seen: true, ints: ints, texts: make(map[string][]string)}
		for name, text := range texts {
			h.texts[name] = []string{text}
		}
		return h
	}
	unseen := new(half)
	for _, c := range []struct {
		protocol  string
		req, resp *half
		want      tally
	}{
		{"snmp", say(map[string]string{"operation": "GetRequest"}, nil), unseen, tally{{"snmp", "GetRequest"}: 1}},
		{"snmp", say(map[string]string{"operation": "SNMPv2-Trap"}, nil), unseen, tally{}},
		{"thrift", say(map[string]string{"operation": "add"}, nil), say(nil, nil), tally{{"thrift", "add"}: 2}},
		{"smtp", say(map[string]string{"operation": "STARTTLS"}, nil), unseen, tally{{"smtp", "STAR"}: 1}},
		{"sip", say(map[string]string{"operation": "BYE"}, nil), unseen, tally{{"sip", "BYE"}: 1}},
		{"sip", say(map[string]string{"operation": "BYE"}, map[string]int64{"status_code": 200}), unseen, tally{}},
		{"ws", say(map[string]string{"ws_opcode": "text"}, map[string]int64{"ws_frames": 3}), unseen, tally{{"websocket", "text"}: 1, {"websocket", "continuation"}: 2}},
		{"ws", say(map[string]string{"ws_opcode": "ping"}, nil), say(map[string]string{"ws_opcode": "pong"}, nil), tally{{"websocket", "ping"}: 1, {"websocket", "pong"}: 1}},
		{"unheard-of", say(map[string]string{"operation": "x"}, nil), unseen, tally{}},
	} {
		got := sightings{make(tally)}
		if got.words(c.protocol, c.req, c.resp); !maps.Equal(got.tally, c.want) {
			t.Errorf("%s: %v, want %v", c.protocol, got.tally, c.want)
		}
	}
}

// The same words in an oracle and in an entry make the same item.
func TestOracleItems(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "oracle", "x", "a.pcap.json"), `{"packets": 9, "tcp_streams": 2, "udp_streams": 1,
		"counts": {"icmp": {"echo_replies": 3}, "redis": {"commands": 500}, "snmp_pdu": {"get-request (0)": 2, "get-response (2)": 2}, "smtp_command": {"MAIL": 3, "XCLI": 1}},
		"tables": {
			"http1_calls": [{"req_frame": 4, "resp_frame": 6, "method": "GET", "uri": "/a b", "status": 200}, {"req_frame": 8, "resp_frame": null, "method": "GET", "uri": "/", "status": null}],
			"dns_calls": [{"frame": 1, "id": "0xbc1f", "name": "<Root>", "type": "* (A request for all) (255)", "rcode": "No such name (3)", "resp_frame": 2}],
			"kafka_calls": [{"frame": 1, "api": "Fetch (1)", "version": 4, "correlation_id": 7, "client_id": null, "resp_frame": null}],
			"client_hellos": [{"frame": 3, "transport": "tls", "sni": "a.example", "alpn": ["h2", "http/1.1"], "ja3": "abc"}, {"frame": 4, "transport": "quic", "sni": "b", "ja3": "abc"}],
			"server_hellos": [{"transport": "tls", "cipher": "TLS_X (0x1301)", "ja3s": "def"}, {"transport": "tls"}],
			"mdns_calls": [{"frame": 5, "id": "0x0000", "name": "x.local", "type": "PTR (domain name PoinTeR) (12)", "rcode": "No error (0)", "resp_frame": 6}],
			"cql_queries": [{"frame": 7, "stream_id": "92", "query": "CREATE INDEX\n ON users (lname);"}],
			"redis_calls": [{"frame": 1, "cmd": "GET", "arg": "k", "reply": "bulk_string", "resp_frame": 2}]},
		"tables_truncated_at_400": ["redis_calls"],
		"app_truth": {"h2c GET": 2, "kafka records produced": 50}}`)
	o, err := readOracle(dir, "x/a.pcap")
	if err != nil || o == nil || *o.Packets != 9 {
		t.Fatal(o, err)
	}
	want := o.items()
	if err := o.cut(want, make(tally)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kind, text string
		n          int
	}{
		{"tcp", "", 2},
		{"udp", "", 1},
		{"redis", "", 500},
		{"icmp", "echo reply", 3},
		{"app", "h2c GET", 2},
		{"http1", "GET /a?b 200 @4..6", 1},
		{"http1", "GET / - @8..0", 1},
		{"dns", "ANY . id 48159 code 3 @1..2", 1},
		{"kafka", "1 v4 id 7 by - @1..0", 1},
		{"cql", "stream 92 CREATE?INDEX?ON?users?(lname); @7", 1},
		{"tls", "client a.example ja3 abc alpn h2,http/1.1 @3", 1},
		{"tls", "server 4865 ja3s def alpn -", 1},
		{"quic", "client b alpn -", 1},
		{"snmp", "GetRequest", 2},
		{"smtp", "MAIL", 3},
		{"mdns", "query PTR x.local id 0 @5", 1},
		{"mdns", "response id 0 code 0 @6", 1},
	} {
		if got := want[item{x.kind, x.text}]; got != x.n {
			t.Errorf("%s %q: %d, want %d", x.kind, x.text, got, x.n)
		}
		delete(want, item{x.kind, x.text})
	}
	if len(want) > 0 {
		t.Errorf("more than expected: %v", want)
	}
	if o, err := readOracle(dir, "x/none.pcap"); o != nil || err != nil {
		t.Errorf("a capture without oracle: %v %v", o, err)
	}
}

func TestCompare(t *testing.T) {
	want := tally{{"http1", "GET /a 200 @1..2"}: 2, {"http1", "GET /b 200 @3..9"}: 1, {"dns", "A x id 1 code 0 @5..6"}: 1, {"tcp", ""}: 4, {"app", "grpc calls"}: 2}
	got := tally{{"http1", "GET /a 200 @1..2"}: 1, {"http1", "GET /b 200 @3..7"}: 1, {"dns", "A x id 1 code 3 @5..6"}: 1, {"tcp", ""}: 5, {"app", "grpc calls"}: 9}
	scores, diffs := compare("c", got, want)
	for kind, w := range map[string]score{"http1": {3, 2, 0}, "dns": {1, 0, 1}, "tcp": {4, 4, 1}, "app": {2, 2, 0}} {
		if *scores[kind] != w {
			t.Errorf("%s: %+v, want %+v", kind, *scores[kind], w)
		}
	}
	expect := []difference{
		{"c", item{"tcp", ""}, 1},
		{"c", item{"http1", "GET /a 200 @1..2"}, -1},
		{"c", item{"dns", "A x id 1 code 0 @5..6"}, -1},
		{"c", item{"dns", "A x id 1 code 3 @5..6"}, 1},
		{"c", item{"frames", "http1 GET /b 200 @3..7, not 9"}, -1},
	}
	if !slices.Equal(diffs, expect) {
		t.Errorf("got  %v\nwant %v", diffs, expect)
	}
}

// A line explains just what it says: no more of it, no less, and not twice.
func TestJudge(t *testing.T) {
	one := difference{"c", item{"dns", "A x"}, -1}
	two := difference{"c", item{"dns", "A y"}, -2}
	wide := difference{"c", item{"dns", everything}, -2}
	other := difference{"c", item{"dns", "A z"}, 1}
	line := func(d difference) known { return known{d, "shark", "because"} }
	for name, c := range map[string]struct {
		list             []known
		explained, stale int
		open             []difference
	}{
		"none":              {nil, 0, 0, []difference{one, two, other}},
		"one by one":        {[]known{line(one), line(two), line(other)}, 3, 0, nil},
		"the rest together": {[]known{line(wide), line(one)}, 2, 0, []difference{other}},
		"all together":      {[]known{line(difference{"c", item{"dns", everything}, -3})}, 1, 0, []difference{other}},
		"wrong number":      {[]known{line(wide)}, 0, 1, []difference{one, two, other}},
		"gone":              {[]known{line(one), line(difference{"c", item{"dns", "A w"}, -1}), line(two), line(other)}, 3, 1, nil},
		"twice":             {[]known{line(one), line(one), line(two), line(other)}, 3, 1, nil},
	} {
		v := judge([]difference{one, two, other}, c.list)
		if len(v.explained) != c.explained || len(v.stale) != c.stale || !slices.Equal(v.open, c.open) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// What -update proposes explains everything, but has to be judged by somebody.
func TestProposalsWantAReason(t *testing.T) {
	found := []difference{{"a", item{"tcp", ""}, -3}, {"a", item{"dns", "A x"}, 1}}
	for i := range maxSingle + 1 {
		found = append(found, difference{"b", item{"redis", "GET " + strings.Repeat("k", i+1)}, 1})
	}
	proposed := propose(judge(found, []known{{found[1], "shark", "it is there"}}))
	path := filepath.Join(t.TempDir(), "differences.tsv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeKnown(f, proposed); err != nil {
		t.Fatal(err)
	}
	f.Close()
	list, err := readKnown(path)
	if err != nil || !slices.Equal(list, proposed) || len(list) != 3 {
		t.Fatalf("%v, written %v, read %v", err, proposed, list)
	}
	v := judge(found, list)
	if len(v.open) > 0 || len(v.stale) > 0 {
		t.Errorf("the proposal does not explain all: %+v", v)
	}
	if err := v.err(&strings.Builder{}); err == nil || !strings.Contains(err.Error(), "2 have no verdict") {
		t.Errorf("unjudged lines are taken: %v", err)
	}
}

func TestBadLines(t *testing.T) {
	for _, line := range []string{
		"a\tdns\t-1\tA x\tshark",
		"a\tdns\t0\tA x\tshark\twhy",
		"a\tdns\tfew\tA x\tshark\twhy",
		"a\tgopher\t-1\tA x\tshark\twhy",
	} {
		if k, err := parseKnown(line); err == nil {
			t.Errorf("%q: %+v", line, k)
		}
	}
}

// A run says what is wrong: a difference that is not listed, a listed one that is
// not so, a capture that is not there.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	header := "file\t1\t2\t3\t4\t5\t6\t7\t8\tpackets\n"
	row := func(name, packets string) string { return name + "\t1\t2\t3\t4\t5\t6\t7\t8\t" + packets + "\n" }
	write(t, filepath.Join(dir, "none.pcap"), "this is no capture")
	for name, c := range map[string]struct{ index, known, want string }{
		"nothing to complain of": {row("none.pcap", "0"), "", ""},
		"packets are missing":    {row("none.pcap", "3"), "", "1 differences are not listed"},
		"and that is known":      {row("none.pcap", "3"), "none.pcap\tpackets\t-3\t*\tshark\tit is no capture\n", ""},
		"but not any more":       {row("none.pcap", "0"), "none.pcap\tpackets\t-3\t*\tshark\tit is no capture\n", "1 listed ones are not so"},
		"and not by this name":   {row("none.pcap", "0"), "some.pcap\tpackets\t-3\t*\tshark\tit is no capture\n", "1 listed ones are not so"},
		"nobody judged it":       {row("none.pcap", "3"), "none.pcap\tpackets\t-3\t*\t?\t?\n", "1 have no verdict"},
		"the file is gone":       {row("gone.pcap", "3"), "", "gone.pcap"},
		"the list is broken":     {row("none.pcap", "3"), "none.pcap packets\n", "columns"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(dir, "INDEX.tsv"), header+c.index)
			path := filepath.Join(t.TempDir(), "differences.tsv")
			write(t, path, c.known)
			err := run(&strings.Builder{}, options{captures: dir, known: path})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
