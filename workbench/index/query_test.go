package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"shark/dissector"
	"shark/dissector/field"
	"shark/kfl"
	"shark/packet"
)

func newEnv(t testing.TB, s *Schema) *kfl.Env {
	t.Helper()
	env, err := kfl.NewEnv(s.catalogue, s)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func compile(t testing.TB, env *kfl.Env, expr string) *kfl.Plan {
	t.Helper()
	p, err := env.Compile(expr, time.Unix(0, start))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return p
}

func ids(t testing.TB, db *DB, p *kfl.Plan, opts QueryOptions) (out []int64) {
	t.Helper()
	for row, err := range db.Query(context.Background(), p, opts) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row.ID())
	}
	return out
}

// TestFiltersAgree asks each question as it is planned, as CEL alone and, where
// it needs no CEL, by counting in SQL.
func TestFiltersAgree(t *testing.T) {
	db := openTest(t, build(t, Options{Resolver: newOwners()}, 3, Meta{}, randomEntries(scaled(1500))...))
	env := newEnv(t, db.Schema())
	all := len(ids(t, db, nil, QueryOptions{}))
	for _, expr := range []string{
		``, `http`, `grpc`, `http && !grpc`, `db`, `kv && !kv_success`, `kv_success`, `!ldap`, `ldap_type == ""`,
		`method == "GET"`, `path == "/item/7"`, `path.startsWith("/item/7")`, `url.contains("q=3") && status_code >= 500`,
		`kv_real`, `!kv_real && kv`, `kv_ratio > 0.5`, `size(kv_raw) == 3 && kv_raw != b"abc"`, `"key7" in kv_keys`, `size(kv_keys) == 0 && kv`,
		`request.headers["host"] == "shop"`, `map_get(request.headers, "via", "") == "proxy"`, `request.cookies["jar"] == "a=b"`,
		`kv_request_size > 0`, `request_size == 100 && total_size > 1000`, `has_response && failed`, `status_code in [200, 300, 404]`,
		`elapsed_time == 50`, `first_byte_time == 20`, `elapsed_time == 0`, `protocol == "Key's value"`, `protocol == "gRPC" || conn`,
		`src.name == "cart-1"`, `dst.name.startsWith("host")`, `dst.dns != "" && dst.name != dst.dns`, `src.unknown != ""`, `src.pod.name == "payment"`,
		`src.pod.namespace == "bank"`, `src.labels["app"] == "cart"`, `map_get(remote_labels, "<b>", "") == "\"x\""`, `"shop" in namespaces && size(namespaces) == 1`,
		`"payment" in services`, `pods.exists(p, p == "cart-1")`, `src.ip.startsWith("10.0.1.")`, `ip_in_range(src.ip, "10.0.0.0/28")`, `src.port == 40000`,
		`transport == "tcp"`, `unpaired`, `complete`, `lost_bytes > 0`, `conn && tcp_conn`, `dns && size(dns_answers) > 0 && dns_answers[0] == dst.ip`,
		`timestamp > timestamp("2023-11-14T22:20:00Z") && id < 1000`, `capture_source == "unspecified"`, `capture_source_code == 0`, `capture["source"] == "unspecified"`,
		`operation.contains("\uFFFD")`, `summary.matches("[13]$")`, `stream == "1f"`, `conn_id == 31`, `index == 0 && flow_id > 10`, `vlan == 0`, `node_name == ""`,
	} {
		p := compile(t, env, expr)
		got := ids(t, db, p, QueryOptions{Fields: []*field.Field{}})
		var want []int64
		for row, err := range db.Query(context.Background(), nil, QueryOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if ok, _ := p.MatchAll(row); ok {
				want = append(want, row.ID())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, CEL alone finds %d\n%s", expr, len(got), len(want), p.Explain())
		}
		if n, err := db.Count(context.Background(), p, QueryOptions{}); err != nil || n != int64(len(got)) {
			t.Errorf("%s: count %d, %v; want %d", expr, n, err, len(got))
		}
		if len(got) == 0 && !strings.Contains(expr, "==") && !raceEnabled || len(got) > all {
			t.Errorf("%s: %d of %d entries", expr, len(got), all)
		}
	}
}

func TestUndecidedEntriesAreTold(t *testing.T) {
	db := openTest(t, build(t, Options{}, 1, Meta{}, call(web, start, 1), call(kv, start+1, 2)))
	p := compile(t, newEnv(t, db.Schema()), `request.headers["host"] == "shop"`)
	var told []int64
	got := ids(t, db, p, QueryOptions{Undecided: func(id int64, _ error) { told = append(told, id) }})
	if len(got) != 0 || !slices.Equal(told, []int64{1, 2}) {
		t.Errorf("got %v, told %v", got, told)
	}
}

func TestOrderRangeAndLimit(t *testing.T) {
	var entries []*dissector.Entry
	for i := range int64(100) {
		entries = append(entries, call(web, start+i/2*10, uint64(100-i))) // two at a time
	}
	db := openTest(t, build(t, Options{}, 3, Meta{}, entries...))
	span := func(from, to int64) (out []int64) {
		for ; from != to; from += cmpTo(from, to) {
			out = append(out, from)
		}
		return out
	}
	for _, tc := range []struct {
		name string
		opts QueryOptions
		want []int64
	}{
		{"all", QueryOptions{}, span(1, 101)},
		{"newest", QueryOptions{Newest: true}, span(100, 0)},
		{"limit", QueryOptions{Limit: 3}, span(1, 4)},
		{"newest three", QueryOptions{Newest: true, Limit: 3}, span(100, 97)},
		{"from", QueryOptions{From: start + 480}, span(97, 101)},
		{"from between", QueryOptions{From: start + 471}, span(97, 101)},
		{"to", QueryOptions{To: start + 10}, span(1, 3)},
		{"from and to", QueryOptions{From: start + 10, To: start + 20}, span(3, 5)},
		{"past", QueryOptions{From: start + 1e9}, nil},
		{"before", QueryOptions{To: 1}, nil},
		{"after", QueryOptions{After: 98}, span(99, 101)},
		{"older than", QueryOptions{After: 3, Newest: true}, span(2, 0)},
		{"ids", QueryOptions{IDs: []int64{50, 2, 2, 1000, -1}}, []int64{2, 50}},
		{"no ids", QueryOptions{IDs: []int64{}}, nil},
	} {
		if got := ids(t, db, nil, tc.opts); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
		n, err := db.Count(context.Background(), nil, tc.opts)
		if err != nil || n != int64(len(tc.want)) {
			t.Errorf("%s: count %d, %v", tc.name, n, err)
		}
	}
	first := int64(0)
	for row := range db.Query(context.Background(), nil, QueryOptions{}) {
		n := row.Value(field.FirstPacket.Field).(int64)
		if row.ID()%2 == 0 && n < first {
			t.Errorf("entries of one time are not in the order of their packets")
		}
		first = n
	}
}

func cmpTo(from, to int64) int64 {
	if from < to {
		return 1
	}
	return -1
}

// golden is a call with all that an entry may have.
func golden() *dissector.Entry {
	e := call(rpc, start+1, 7)
	e.Carriers = []*dissector.Protocol{web}
	e.VLAN, e.Tunnel = 101, packet.Tunnel{Kind: packet.VXLAN, ID: 4096}
	q, a := &e.Request.Values, &e.Response.Values
	dissector.Operation.SetString(q, "Get")
	dissector.Status.SetString(a, "OK\x00\xfe")
	dissector.StatusCode.Set(a, 200)
	dissector.Failed.Set(a, false)
	webMethod.SetString(q, "POST")
	webMethod.SetString(a, "the response's does not count")
	webURL.SetString(q, "/a?b=\u2028\x1b")
	webHeaders.AddLines(q, []byte("Host: shop\r\nX: 1\r\nx: 2\r\n"))
	webHeaders.Add(a, []byte("Via"), []byte("b"))
	webSize.Set(q, 0)
	rpcMethod.SetString(q, "Get")
	return e
}

func TestEntryAsJSON(t *testing.T) {
	k := call(kv, start+2, 8)
	k.Response = nil
	kvRatio.Set(&k.Request.Values, 0.25)
	kvRaw.Set(&k.Request.Values, []byte{0, 1})
	kvKeys.AddString(&k.Request.Values, "a\"b")
	kvKeys.AddString(&k.Request.Values, "")
	db := openTest(t, build(t, Options{Resolver: newOwners()}, 1, Meta{}, golden(), k))
	want := []string{
		`{"id":"1","timestamp":"2023-11-14T22:13:20.000000001Z","protocol":"gRPC",` +
			`"src":{"ip":"10.0.0.1","port":40000,"name":"cart-1","namespace":"shop","pod":{"name":"cart-1","namespace":"shop"},` +
			`"service":{"name":"cart","namespace":"shop"},"workload":{"name":"cart","kind":"Deployment"},"labels":{"<b>":"\"x\"","app":"cart"}},` +
			`"dst":{"ip":"10.0.0.2","port":80,"name":"cart-1","namespace":"shop","pod":{"name":"cart-1","namespace":"shop"},` +
			`"service":{"name":"cart","namespace":"shop"},"workload":{"name":"cart","kind":"Deployment"},"labels":{"<b>":"\"x\"","app":"cart"}},` +
			`"transport":"tcp","elapsed_time":50,"first_byte_time":20,"request_size":100,"response_size":1000,"total_size":1100,"has_request":true,"has_response":true,` +
			`"complete":true,"local_labels":{"<b>":"\"x\"","app":"cart"},"remote_labels":{"<b>":"\"x\"","app":"cart"},` +
			`"namespaces":["shop"],"pods":["cart-1"],"services":["cart"],"local_node_name":"n1","remote_node_name":"n1",` +
			`"index":0,"stream":"7","conn_id":"7","flow_id":"7","first_packet":7,"last_packet":10,"vlan":100,"tunnel":"vxlan","tunnel_id":4096,` +
			`"has_pcap":true,"capture_source":"unspecified","capture":{"backend":"","source":"unspecified"},` +
			`"operation":"Get","status":"OK` + "\uFFFD\uFFFD" + `","status_code":200,"failed":false,"http":true,"method":"POST","url":"/a?b=\u2028\u001b","path":"/a",` +
			`"request":{"headers":{"host":"shop","via":"b","x":"1, 2"}},"body_size":0,"grpc":true,"rpc_method":"Get"}`,
	}
	enc := db.Schema().JSON()
	var got []string
	for row, err := range db.Query(context.Background(), nil, QueryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := enc.Append(nil, row)
		if err != nil || !json.Valid(b) {
			t.Fatalf("%s: %v", b, err)
		}
		got = append(got, string(b))
	}
	if got[0] != want[0] {
		t.Errorf("got  %s\nwant %s", got[0], want[0])
	}
	const tail = `"db":true,"kv":true,"kv_ratio":0.25,"kv_raw":"AAE=","kv_keys":["a\"b",""],"kv_request_size":100,"kv_success":false}`
	if !strings.HasSuffix(got[1], tail) {
		t.Errorf("got %s\nwant an end of %s", got[1], tail)
	}
	for _, absent := range []string{"elapsed_time", "response_size", "method", "vlan"} {
		if strings.Contains(got[1], `"`+absent+`"`) {
			t.Errorf("%s is there: %s", absent, got[1])
		}
	}
}

func TestJSONOfSomeFields(t *testing.T) {
	db := openTest(t, build(t, Options{}, 1, Meta{}, golden()))
	c := db.Schema().catalogue
	enc := db.Schema().JSON(c.Lookup("dst.port"), c.Lookup("path"), c.Lookup("conn_id"))
	err := db.Entry(context.Background(), 1, func(r *Row) error {
		b, err := enc.Append(nil, r)
		if want := `{"dst":{"port":80},"path":"/a","conn_id":"7"}`; string(b) != want {
			t.Errorf("got %s, want %s", b, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Entry(context.Background(), 2, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("entry that is not there: %v", err)
	}
}

// TestRowsGiveWhatTheEntriesHad compares values with those of the entries.
func TestRowsGiveWhatTheEntriesHad(t *testing.T) {
	entries := randomEntries(500)
	db := openTest(t, build(t, Options{}, 2, Meta{}, entries...))
	byFirst := make(map[int64]*dissector.Entry)
	for _, e := range entries {
		byFirst[int64(e.First)] = e
	}
	for row, err := range db.Query(context.Background(), nil, QueryOptions{Fields: field.Fields(field.FirstPacket, kvRatio)}) {
		if err != nil {
			t.Fatal(err)
		}
		e := byFirst[row.Value(field.FirstPacket.Field).(int64)]
		q := &e.Request.Values
		want := map[*field.Field]any{
			field.Timestamp: time.Unix(0, e.Time).UTC(), field.ConnID.Field: int64(e.Conn), field.Index.Field: int64(e.Index),
			field.SrcIP.Field: e.Flow.Src.String(), field.DstPort.Field: int64(80), field.Protocol.Field: e.Protocol.Label,
			dissector.Summary.Field: string(dissector.Summary.Get(q)), webURL.Field: string(webURL.Get(q)),
			kvReal.Field: kvReal.Get(q), kvKeys.Field: list(kvKeys, q), field.TCPConn.Field: e.Protocol == con,
			field.ResponseSeen: e.Response != nil, kvGood: e.Protocol == kv && e.Response != nil && !dissector.Failed.Get(&e.Response.Values),
		}
		if raw := kvRaw.Get(q); raw != nil {
			want[kvRaw.Field] = raw
		}
		for f, v := range want {
			if got := row.Value(f); !reflect.DeepEqual(got, v) {
				t.Fatalf("entry %d: %s is %#v, want %#v", row.ID(), f.Name, got, v)
			}
		}
	}
}

func list(f field.ListField, v *field.Values) []string {
	out := []string{}
	for b := range f.Each(v) {
		out = append(out, string(b))
	}
	return out
}

func TestNamesFromDNS(t *testing.T) {
	entry := func(at int64, n uint64) *dissector.Entry { return call(web, start+at, n) }
	ask := func(at int64, n uint64, name, answer string) *dissector.Entry {
		e := call(dns, start+at, n)
		dnsQuestions.AddString(&e.Request.Values, name)
		dnsAnswers.AddString(&e.Response.Values, "alias.example")
		dnsAnswers.AddString(&e.Response.Values, answer)
		return e
	}
	db := openTest(t, build(t, Options{}, 2, Meta{},
		entry(0, 1), ask(10, 2, "shop.example.", "10.0.0.2"), entry(20, 3), // not answered yet
		entry(60_000, 4), ask(70_000, 5, "new.example", "10.0.0.2"), entry(900_000, 6)))
	var got []string
	for row, err := range db.Query(context.Background(), nil, QueryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Value(db.Schema().catalogue.Lookup("http")) == true {
			got = append(got, row.Value(field.DstDNS.Field).(string)+" "+row.Value(field.DstName.Field).(string))
		}
	}
	if want := []string{" ", " ", "shop.example shop.example", "new.example new.example"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestViewsAnswerInSQL(t *testing.T) {
	k := call(kv, start+5, 8)
	kvKeys.AddString(&k.Request.Values, "a")
	path := build(t, Options{Resolver: newOwners()}, 1, Meta{}, golden(), call(web, start+3, 3), k)
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tc := range []struct{ sql, want string }{
		{`SELECT method, status_code, url FROM http`, "POST|200|/a?b=\u2028\x1b\n|0|\n"},
		{`SELECT id, timestamp, "src.name", "dst.port", rpc_method FROM grpc`, "1|2023-11-14T22:13:20.000000001Z|cart-1|80|Get\n"},
		{`SELECT kv_keys, kv_request_size, elapsed_time, protocol FROM kv`, "[\"a\"]|100|50|Key's value\n"},
		{`SELECT count(*) FROM conn`, "0\n"},
		{`SELECT name, type, stored_in FROM fields WHERE name IN ('path', 'url', 'kv_success', 'src.ip') ORDER BY id`, "src.ip|string|entries\nurl|string|http_fields\npath|string|\nurl|string|http_fields\nkv_success|bool|entries\n"},
		{`SELECT group_concat(name) FROM protocols`, "http,grpc,kv,dns,conn\n"},
	} {
		var b strings.Builder
		err := query(conn, tc.sql, func(r *sqlite.Stmt) error {
			for c := range r.ColumnCount() {
				if c > 0 {
					b.WriteString("|")
				}
				b.WriteString(r.ColumnText(c))
			}
			b.WriteString("\n")
			return nil
		})
		if err != nil || b.String() != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.sql, b.String(), err, tc.want)
		}
	}
}

func TestPacketsOfConnections(t *testing.T) {
	conv := func(n uint64, packets ...uint64) *dissector.Entry {
		e := call(con, start, n)
		e.Packets = packets
		return e
	}
	db := openTest(t, build(t, Options{}, 2, Meta{}, conv(1, 1, 3, 500, 1<<40), conv(2, 2, 3, 4), call(web, start, 9)))
	got, err := db.Packets(context.Background(), 2, 1, 9)
	if want := []uint64{1, 2, 3, 4, 500, 1 << 40}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestStats(t *testing.T) {
	var entries []*dissector.Entry
	for i := range int64(200) {
		e := call(web, start+i, uint64(i+1))
		e.Response.End = e.Time + (i+1)*1000
		dissector.Failed.Set(&e.Response.Values, i < 20)
		dissector.Operation.SetString(&e.Request.Values, []string{"GET", "PUT"}[i/150])
		entries = append(entries, e)
	}
	lone := call(kv, start, 999)
	lone.Response = nil
	db := openTest(t, build(t, Options{}, 2, Meta{}, append(entries, lone)...))
	got, err := db.Stats(context.Background(), compile(t, newEnv(t, db.Schema()), `request_size == 100`), QueryOptions{}, field.Protocol.Field, dissector.Operation.Field)
	want := []Group{
		{Key: []any{"HTTP", "GET"}, Count: 150, Failed: 20, Timed: 150, P50: 75, P95: 143, P99: 149, Max: 150},
		{Key: []any{"HTTP", "PUT"}, Count: 50, Timed: 50, P50: 175, P95: 198, P99: 200, Max: 200},
		{Key: []any{"Key's value", ""}, Count: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	one, err := db.Stats(context.Background(), nil, QueryOptions{})
	if err != nil || len(one) != 1 || one[0].Count != 201 {
		t.Errorf("all as one: %+v, %v", one, err)
	}
}

func TestPercentileIsNearAndNotLow(t *testing.T) {
	for _, v := range []int64{0, 1, 2047, 2048, 2049, 123_456, 99_999_999, 1 << 40} {
		if h := highest(bucket(v)); h < v || h-v > v/1000 {
			t.Errorf("%d is counted as %d", v, h)
		}
	}
}

func TestMetaIsKept(t *testing.T) {
	n := uint64(3)
	want := Meta{
		Source: "sha256:1", Version: "v1", Options: "a=b", Coverage: json.RawMessage(`{"lost":1}`),
		Interfaces: []packet.Interface{{Link: 1, Name: "eth0", Received: &n}, {SnapLen: 96}},
		Points:     []Point{{File: "a.pcap", Offset: 24, Packet: 1, Time: start, State: []byte{1}}, {Packet: 1 << 40}},
	}
	db := openTest(t, build(t, Options{}, 1, want, call(web, start, 1), call(web, start+9, 2)))
	want.Entries, want.First, want.Last = 2, start, start+9
	if got := db.Meta(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEmptyIndex(t *testing.T) {
	db := openTest(t, build(t, Options{}, 1, Meta{}))
	if got := ids(t, db, nil, QueryOptions{From: 5, Newest: true}); got != nil {
		t.Errorf("entries %v of nothing", got)
	}
}

func TestManyReadersAtOnce(t *testing.T) {
	db := openTest(t, build(t, Options{}, 1, Meta{}, randomEntries(300)...))
	p := compile(t, newEnv(t, db.Schema()), `path.startsWith("/item/1") || kv`)
	want := fmt.Sprint(ids(t, db, p, QueryOptions{}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				var got []int64
				for row, err := range db.Query(context.Background(), p, QueryOptions{}) {
					if err != nil {
						t.Error(err)
						return
					}
					// A query inside a query has a connection of its own.
					if err := db.Entry(context.Background(), row.ID(), func(r *Row) error { got = append(got, r.ID()); return nil }); err != nil {
						t.Error(err)
					}
				}
				if fmt.Sprint(got) != want {
					t.Error("another answer")
				}
			}
		})
	}
	wg.Wait()
}

func TestCancelledQueryEnds(t *testing.T) {
	db := openTest(t, build(t, Options{}, 1, Meta{}, randomEntries(300)...))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range db.Query(ctx, nil, QueryOptions{}) {
		last = err
		if n++; n == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n > 20 {
		t.Errorf("%d rows, then %v", n, last)
	}
	if got := ids(t, db, nil, QueryOptions{}); len(got) != 300 {
		t.Errorf("the next query has %d rows", len(got))
	}
}
