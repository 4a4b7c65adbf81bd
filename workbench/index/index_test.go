package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
	"shark/snapshot/identity"
)

// The protocols of the tests: a carrier, one that implies and shares it, one with
// aliases and all kinds, DNS, and connections.
var (
	webMethod  = field.NewText("method", "The verb.", `method == "GET"`)
	webURL     = field.NewText("url", "Path and query.", `url == "/"`)
	webHeaders = field.Rarely(field.NewMap("request.headers", "The headers.", `"accept" in request.headers`))
	webSize    = field.NewInt("body_size", "bytes", "Size of the body.", `body_size > 0`)
	webCookies = field.NewDerived(field.Map, "request.cookies", webHeaders.Field, func(s string) any {
		if jar, ok := field.ParseLines(s)["cookie"]; ok {
			return map[string]string{"jar": jar}
		}
		return nil
	}, "The cookies.", `"a" in request.cookies`)
	webPath = field.NewDerived(field.Text, "path", webURL.Field, func(s string) any { p, _, _ := strings.Cut(s, "?"); return p },
		"The path.", `path == "/"`)
	rpcMethod = field.NewText("rpc_method", "The method.", `rpc_method == "Get"`)

	kvReal  = field.NewBool("kv_real", "A truth value.", `kv_real`)
	kvRatio = field.NewFloat("kv_ratio", "", "A fraction.", `kv_ratio > 0.5`)
	kvRaw   = field.NewBytes("kv_raw", "Bytes.", `size(kv_raw) > 0`)
	kvKeys  = field.NewList("kv_keys", "Texts.", `"a" in kv_keys`)
	kvSize  = field.NewAlias("kv_request_size", field.RequestSize, "Size of the request.", `kv_request_size > 0`)
	kvGood  = field.NewAlias("kv_success", field.Succeeded, "It went well.", `kv && !kv_success`)

	dnsQuestions = field.NewList("dns_questions", "Names asked for.", `"a" in dns_questions`)
	dnsAnswers   = field.NewList("dns_answers", "Answers.", `"1.2.3.4" in dns_answers`)

	web = &dissector.Protocol{Name: "http", Label: "HTTP", Doc: "Web.", Fields: field.Fields(webMethod, webURL, webPath, webHeaders, webCookies, webSize)}
	rpc = &dissector.Protocol{Name: "grpc", Label: "gRPC", Doc: "Calls.", Implies: []string{"http"}, Over: "http", Fields: field.Fields(rpcMethod, webMethod, webURL)}
	kv  = &dissector.Protocol{Name: "kv", Label: "Key's value", Doc: "Store.", Implies: []string{"db"}, Fields: field.Fields(kvReal, kvRatio, kvRaw, kvKeys, kvSize, kvGood)}
	dns = &dissector.Protocol{Name: "dns", Label: "DNS", Doc: "Names.", Fields: field.Fields(dnsQuestions, dnsAnswers)}
	con = &dissector.Protocol{Name: "conn", Label: "Connection", Doc: "A conversation.", Fields: field.Fields(field.TCPConn, field.ConnState)}

	protocols = []*dissector.Protocol{web, rpc, kv, dns, con}
)

func testSchema(t testing.TB) *Schema {
	t.Helper()
	groups := []field.Group{field.EntryGroup(), {
		Name: "message", Label: "Message", Doc: "Fields of every message.",
		Fields: field.Fields(dissector.Operation, dissector.Summary, dissector.Status, dissector.StatusCode, dissector.Failed),
	}, {Name: "db", Label: "Database", Doc: "A database.", Flag: true}, {
		Name: "ldap", Label: "LDAP", Doc: "Not dissected.", Flag: true,
		Fields: field.Fields(field.NewText("ldap_type", "Not dissected.", `ldap_type == ""`)),
	}}
	for _, p := range protocols {
		groups = append(groups, field.Group{Name: p.Name, Label: p.Label, Doc: p.Doc, Flag: true, Fields: p.Fields})
	}
	c, err := field.NewCatalogue(groups...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSchema(protocols, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRareFieldsComeLast: an entry takes no room for what few others have, even where
// protocols share a table.
func TestRareFieldsComeLast(t *testing.T) {
	var names []string
	for _, table := range testSchema(t).tables {
		if table.name == "http_fields" {
			for _, c := range table.columns {
				names = append(names, c.name)
			}
		}
	}
	if got, want := strings.Join(names, " "), "method url body_size rpc_method request.headers request.headers.steady"; got != want {
		t.Errorf("columns: %s; want %s", got, want)
	}
}

// scaled makes tests smaller where all of SQLite runs 30 times as slow.
func scaled(n int) int {
	if raceEnabled || testing.Short() {
		return n / 15
	}
	return n
}

// start is when the tests' entries begin.
const start = 1_700_000_000_000_000_000

func addr(n int) packet.Addr { return packet.AddrFrom4([]byte{10, 0, byte(n >> 8), byte(n)}) }

// call makes an entry with a request and a response.
func call(p *dissector.Protocol, at int64, number uint64) *dissector.Entry {
	req, rsp := &dissector.Message{Start: at, End: at + 10_000, Size: 100}, &dissector.Message{Start: at + 30_000, End: at + 50_999, Size: 1000}
	return &dissector.Entry{
		Protocol: p, Time: at, End: at + 50_999, Conn: number, Group: number, First: number, Last: number + 3,
		Flow:    packet.Flow{Src: addr(1), Dst: addr(2), SrcPort: 40000, DstPort: 80, Proto: packet.TCP},
		Request: req, Response: rsp,
	}
}

// random makes an entry that uses much of what there is. The same generator in
// the same state makes the same entry.
func random(rng *rand.Rand, number uint64) *dissector.Entry {
	e := call(protocols[rng.IntN(len(protocols))], start+rng.Int64N(1e12), number)
	e.Conn, e.Index, e.Partition = number/3, uint32(rng.IntN(4)), int(number/3%dissector.Partitions)
	e.Flow.Src, e.Flow.Dst = addr(rng.IntN(300)), addr(rng.IntN(20))
	req, rsp := &e.Request.Values, &e.Response.Values
	dissector.Operation.SetString(req, []string{"GET", "POST", "", "\xff\x00"}[rng.IntN(4)])
	dissector.Summary.SetString(req, fmt.Sprintf("/item/%d", rng.IntN(1000)))
	dissector.StatusCode.Set(rsp, int64(200+rng.IntN(400)))
	dissector.Failed.Set(rsp, rng.IntN(5) == 0)
	switch e.Protocol {
	case web, rpc:
		webMethod.SetString(req, "GET")
		webURL.SetString(req, fmt.Sprintf("/item/%d?q=%d", rng.IntN(1000), rng.IntN(9)))
		webHeaders.AddLines(req, []byte("Host: shop\r\nAccept: */*\r\nCookie: a=b\r\n"))
		webHeaders.Add(rsp, []byte("via"), []byte("proxy"))
	case kv:
		kvReal.Set(req, rng.IntN(2) == 0)
		kvRatio.Set(req, rng.Float64())
		kvRaw.Set(req, []byte{0, 255, byte(rng.IntN(256))})
		for range rng.IntN(4) {
			kvKeys.AddString(req, fmt.Sprint("key", rng.IntN(100)))
		}
	case dns:
		dnsQuestions.AddString(req, fmt.Sprintf("host%d.example.", rng.IntN(50)))
		dnsAnswers.AddString(rsp, addr(rng.IntN(20)).String())
	case con:
		e.Response = nil
		field.TCPConn.Set(req, true)
		for i := range uint64(rng.IntN(200)) {
			e.Packets = append(e.Packets, number+i*uint64(1+rng.IntN(3)))
		}
	}
	if rng.IntN(10) == 0 {
		e.Response, e.Marks = nil, dissector.MarkUnpaired|dissector.MarkLost
		e.Request.Lost = 17
	}
	return e
}

// owners is a resolver for which addresses change hands.
type owners struct{ pods [2]identity.Owner }

func newOwners() *owners {
	return &owners{[2]identity.Owner{
		{
			Pod: "cart-1", PodNamespace: "shop", Service: "cart", ServiceNamespace: "shop", Node: "n1", NodeIP: "192.168.0.1", WorkloadKind: "Deployment",
			Workload: "cart", Labels: map[string]string{"app": "cart", "<b>": "\"x\""},
		},
		{Service: "payment", ServiceNamespace: "bank", Process: "java"},
	}}
}

func (o *owners) Owner(e *identity.End, t int64) identity.Owner {
	switch {
	case e.Local[15]%3 == 0:
		return identity.Owner{Unknown: "two owners at once", Process: "curl"}
	case t > start+5e11:
		return o.pods[1]
	}
	return o.pods[0]
}

// build writes entries over some shards and returns the file.
func build(t testing.TB, opts Options, shards int, meta Meta, entries ...*dissector.Entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	if opts.Schema == nil {
		opts.Schema = testSchema(t)
	}
	w, err := Create(filepath.Dir(path), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	var sinks []*Shard
	for range shards {
		sinks = append(sinks, w.Shard())
	}
	for _, e := range entries {
		if err := sinks[e.Partition*7%shards].Entry(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(context.Background(), path, meta); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTest(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path, testSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// dump returns all rows of all tables, by SQLite's own account.
func dump(t testing.TB, path string) string {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var names []string
	collect := func(r *sqlite.Stmt) error { names = append(names, r.ColumnText(0)); return nil }
	if err := query(conn, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`, collect); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintln(&b, n)
		order := ""
		if strings.HasPrefix(n, "sqlite_stat") {
			order = ` ORDER BY tbl` // ANALYZE goes by a hash
		}
		err := query(conn, `SELECT * FROM `+quote(n)+order, func(r *sqlite.Stmt) error {
			for c := range r.ColumnCount() {
				fmt.Fprintf(&b, "%v %q|", r.ColumnType(c), r.ColumnText(c))
			}
			b.WriteString("\n")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names = nil
	if err := query(conn, `PRAGMA integrity_check`, collect); err != nil || len(names) != 1 || names[0] != "ok" {
		t.Fatalf("integrity check: %v %v", names, err)
	}
	return b.String()
}

var _ Resolver = (*identity.Log)(nil)
