package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"shark/dissector/field"
	"shark/workbench"
	"shark/workbench/format"
	"shark/workbench/index"
)

// bench opens captures.
func bench(t *testing.T, paths ...string) (*workbench.Workbench, *workbench.Evidence) {
	t.Helper()
	w, err := workbench.New(workbench.Config{Version: "test", Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Open(t.Context(), paths, workbench.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return w, e
}

// rows calls f with the entries of a query.
func rows(t *testing.T, e *workbench.Evidence, kfl string, f func(*index.Row) error) {
	t.Helper()
	a, err := e.Query(t.Context(), workbench.Query{KFL: kfl})
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range a.Rows {
		if err == nil {
			err = f(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// closed ends a writer that has written.
func closed(t *testing.T, w format.Writer, err error) {
	t.Helper()
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}

// required are the members that the specification of HAR 1.2 does not call optional, by
// the object they are of.
var required = map[string][]string{
	"log":      {"version", "creator", "entries"},
	"creator":  {"name", "version"},
	"entry":    {"startedDateTime", "time", "request", "response", "cache", "timings"},
	"request":  {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"},
	"response": {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize", "bodySize"},
	"content":  {"size", "mimeType"},
	"timings":  {"send", "wait", "receive"},
	"pair":     {"name", "value"},
}

// object checks that a value is an object with what is required.
func object(t *testing.T, v any, kind string) map[string]any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s is %v", kind, v)
	}
	for _, name := range required[kind] {
		if m[name] == nil {
			t.Fatalf("%s has no %s: %v", kind, name, m)
		}
	}
	return m
}

// TestHAR: what HAR 1.2 requires is there, and says what the entries say.
func TestHAR(t *testing.T) {
	w, e := bench(t, "../../testdata/http/server.pcap", "../../testdata/redis/basic.pcap")
	var out bytes.Buffer
	h, err := format.NewHAR(&out, w.Catalogue(), "1.0")
	if err != nil {
		t.Fatal(err)
	}
	calls, others := 0, int64(0)
	rows(t, e, "!conn && !flow", func(r *index.Row) error {
		if r.Value(w.Catalogue().Lookup("http")) == true {
			calls++
		} else {
			others++
		}
		return h.Write(r)
	})
	closed(t, h, nil)
	var archive map[string]any
	if err := json.Unmarshal(out.Bytes(), &archive); err != nil {
		t.Fatal(err)
	}
	log := object(t, archive["log"], "log")
	object(t, log["creator"], "creator")
	list := log["entries"].([]any)
	if log["version"] != "1.2" || len(list) != calls || h.Skipped() != others || others == 0 {
		t.Fatalf("%v: %d entries of %d, %d skipped of %d", log["version"], len(list), calls, h.Skipped(), others)
	}
	found := false
	for _, x := range list {
		entry := object(t, x, "entry")
		if _, err := time.Parse(time.RFC3339, entry["startedDateTime"].(string)); err != nil {
			t.Error(err)
		}
		request, response := object(t, entry["request"], "request"), object(t, entry["response"], "response")
		timings := object(t, entry["timings"], "timings")
		object(t, response["content"], "content")
		for _, pairs := range []any{request["cookies"], request["headers"], request["queryString"], response["cookies"], response["headers"]} {
			for _, p := range pairs.([]any) {
				object(t, p, "pair")
			}
		}
		if sum := timings["send"].(float64) + timings["wait"].(float64) + timings["receive"].(float64); sum-entry["time"].(float64) > 1e-9 || entry["time"].(float64)-sum > 1e-9 {
			t.Errorf("%v adds up to %v, not %v", timings, sum, entry["time"])
		}
		if request["url"] == "http://127.0.0.1:18080/items?q=caf%C3%A9+au+lait&tag=a&tag=b&empty" {
			found = true
			query, _ := json.Marshal(request["queryString"])
			headers, _ := json.Marshal(response["headers"])
			if response["status"] != 200.0 || string(query) != `[{"name":"q","value":"café au lait"},{"name":"tag","value":"a"},{"name":"tag","value":"b"},{"name":"empty","value":""}]` ||
				strings.Count(string(headers), `"set-cookie"`) != 2 {
				t.Errorf("%v\n%s\n%s", response, query, headers)
			}
		}
	}
	if !found {
		t.Error("the first call is not there")
	}
}

// TestHAROfNothing: an archive without entries is one.
func TestHAROfNothing(t *testing.T) {
	w, _ := bench(t, "../../testdata/redis/basic.pcap")
	var out bytes.Buffer
	h, err := format.NewHAR(&out, w.Catalogue(), "1.0")
	closed(t, h, err)
	var archive map[string]any
	if err := json.Unmarshal(out.Bytes(), &archive); err != nil || len(object(t, archive["log"], "log")["entries"].([]any)) != 0 {
		t.Errorf("%v: %s", err, out.String())
	}
}

// logs are the logs that are written, by name.
type logs map[string]*bytes.Buffer

type logFile struct{ *bytes.Buffer }

func (logFile) Close() error { return nil }

func (l logs) create(name string) (io.WriteCloser, error) {
	l[name] = new(bytes.Buffer)
	return logFile{l[name]}, nil
}

// parsed reads a log by what its head says.
func (l logs) parsed(t *testing.T, name string) (list []map[string]string) {
	t.Helper()
	var fields, types []string
	for line := range strings.Lines(l[name].String()) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case row[0] == "#fields":
			fields = row[1:]
		case row[0] == "#types":
			types = row[1:]
		case row[0] == "#path" && row[1]+".log" != name:
			t.Errorf("%s has path %s", name, row[1])
		case !strings.HasPrefix(line, "#"):
			if len(row) != len(fields) || len(types) != len(fields) {
				t.Fatalf("%s: %d values, %d fields, %d types: %s", name, len(row), len(fields), len(types), line)
			}
			m := make(map[string]string)
			for i, v := range row {
				m[fields[i]] = v
				if _, err := strconv.ParseFloat(v, 64); err != nil && v != "-" && slices.Contains([]string{"count", "port", "time", "interval"}, types[i]) {
					t.Errorf("%s: %s is a %s and is %q", name, fields[i], types[i], v)
				}
				if types[i] == "bool" && v != "T" && v != "F" && v != "-" {
					t.Errorf("%s: %s is %q", name, fields[i], v)
				}
			}
			list = append(list, m)
		}
	}
	return list
}

// TestZeek: logs that say what their columns are, and what the entries say.
func TestZeek(t *testing.T) {
	w, e := bench(t, "../../testdata/http/server.pcap", "../../testdata/dns/records.pcap", "../../testdata/redis/basic.pcap")
	l := make(logs)
	z := format.NewZeek(l.create, w.Catalogue(), time.Unix(0, 0))
	want, uids := make(map[string]int), make(map[string]bool)
	rows(t, e, "!flow", func(r *index.Row) error {
		name := "other"
		for _, flag := range []string{"conn", "http", "dns"} {
			if r.Value(w.Catalogue().Lookup(flag)) == true {
				name = flag
			}
		}
		want[name]++
		return z.Write(r)
	})
	closed(t, z, nil)
	for _, name := range []string{"conn", "http", "dns"} {
		list := l.parsed(t, name+".log")
		if len(list) != want[name] {
			t.Errorf("%s: %d lines of %d", name, len(list), want[name])
		}
		for _, row := range list {
			if name == "conn" {
				uids[row["uid"]] = true
			} else if !uids[row["uid"]] {
				t.Errorf("%s: no connection has uid %s", name, row["uid"])
			}
		}
	}
	if int64(want["other"]) != z.Skipped() || len(l) != 3 {
		t.Errorf("%d skipped of %d; %d logs", z.Skipped(), want["other"], len(l))
	}
	conn, http, dns := l.parsed(t, "conn.log")[0], l.parsed(t, "http.log")[0], l.parsed(t, "dns.log")[0]
	for name, c := range map[string]struct{ got, want map[string]string }{
		"conn": {conn, map[string]string{
			"ts": "1795299907.553549", "id.orig_h": "127.0.0.1", "id.orig_p": "40236", "id.resp_p": "18080", "proto": "tcp", "service": "http", "duration": "0.003038",
			"conn_state": "SF", "missed_bytes": "0", "orig_pkts": "22", "resp_pkts": "22", "orig_bytes": "-",
		}},
		"http": {http, map[string]string{
			"trans_depth": "1", "method": "GET", "host": "127.0.0.1:18080", "uri": "/items?q=caf%C3%A9+au+lait&tag=a&tag=b&empty", "version": "1.1", "user_agent": "Go-http-client/1.1",
			"referrer": "-", "request_body_len": "0", "response_body_len": "37", "status_code": "200", "status_msg": "OK",
		}},
		"dns": {dns, map[string]string{
			"proto": "udp", "trans_id": "45443", "rtt": "0.000402", "query": "www.example.test", "qtype": "1", "qtype_name": "A", "rcode": "0", "rcode_name": "NOERROR",
			"AA": "T", "TC": "F", "RD": "T", "answers": "web.example.test,10.0.0.81,10.0.0.80", "rejected": "F",
		}},
	} {
		for field, v := range c.want {
			if c.got[field] != v {
				t.Errorf("%s: %s is %q, and should be %q", name, field, c.got[field], v)
			}
		}
	}
}

// TestParquet: the library reads back the values of all entries, whatever their type, and
// null where there is none.
func TestParquet(t *testing.T) {
	w, e := bench(t, "../../testdata/http/server.pcap", "../../testdata/dns/records.pcap", "../../testdata/kafka/"+filepath.Base(first(t, "../../testdata/kafka/*.pcap")))
	fields, err := e.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(fields, w.Catalogue().Lookup("redis_key")) || !slices.Contains(fields, w.Catalogue().Lookup("dns_answers")) || !slices.Contains(fields, field.ConnID.Field) {
		t.Error("the columns are not those of the protocols that there are")
	}
	var out bytes.Buffer
	p, err := format.NewParquet(&out, fields)
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]any
	rows(t, e, "!flow", func(r *index.Row) error {
		m := make(map[string]any)
		for _, f := range fields {
			if v, has := r.Get(f); has {
				m[f.Name] = v
			}
		}
		want = append(want, m)
		return p.Write(r)
	})
	closed(t, p, nil)
	for range 3 {
		var again bytes.Buffer
		if p, err = format.NewParquet(&again, fields); err != nil {
			t.Fatal(err)
		}
		rows(t, e, "!flow", p.Write)
		if closed(t, p, nil); !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Fatal("the same entries are another file")
		}
	}
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || file.NumRows() != int64(len(want)) {
		t.Fatalf("%v: %d rows of %d", err, file.NumRows(), len(want))
	}
	in := parquet.NewGenericReader[any](file, file.Schema())
	defer in.Close()
	for i := range want {
		row := make([]any, 1)
		if n, err := in.Read(row); n != 1 {
			t.Fatal(n, err)
		}
		for _, f := range fields {
			got, v := leaf(row[0], f.Name), want[i][f.Name]
			if !same(got, v) {
				t.Fatalf("row %d: %s is %v (%T), and should be %v (%T)", i, f.Name, got, got, v, v)
			}
		}
	}
}

func first(t *testing.T, pattern string) string {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatal(pattern, err)
	}
	return paths[0]
}

// leaf finds a value by its name with dots.
func leaf(v any, name string) any {
	for part := range strings.SplitSeq(name, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

// same compares what Parquet gives with a value.
func same(got, want any) bool {
	text := func(v any) string {
		switch v := v.(type) {
		case []byte:
			return string(v)
		case string:
			return v
		}
		return "?"
	}
	switch want := want.(type) {
	case nil:
		return got == nil
	case time.Time:
		return got == want.UnixNano()
	case string, []byte:
		return text(got) == text(want)
	case []string:
		list, ok := got.([]any)
		return ok && len(list) == len(want) && slices.EqualFunc(list, want, func(a any, b string) bool { return text(a) == b }) || got == nil && len(want) == 0
	case map[string]string:
		m, ok := got.(map[string]any)
		for k, v := range want {
			if text(m[k]) != v {
				return false
			}
		}
		return ok && len(m) == len(want) || got == nil && len(want) == 0
	}
	return got == want
}
