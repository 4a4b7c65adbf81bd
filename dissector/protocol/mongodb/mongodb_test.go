package mongodb

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
)

// said gives what one side says to a parser of its own and returns the last message.
func said(t *testing.T, from dissector.Side, s string, detail bool) *dissector.Message {
	t.Helper()
	var last *dissector.Message
	dissectortest.Feed(t, Protocol.New(dissector.TCP), from, []byte(s), len(s), func() *dissector.Message {
		last = &dissector.Message{Detail: detail, From: from}
		return last
	})
	if last == nil {
		t.Fatal("no message")
	}
	return last
}

// show writes the fields of a message, but for those that every message has.
func show(m *dissector.Message) string {
	var b strings.Builder
	for f, v := range m.All() {
		switch f {
		case RequestID.Field, Opcode.Field, dissector.Operation.Field:
			continue
		}
		name := strings.TrimPrefix(f.Name, "mongodb_")
		if f.Kind == field.Text {
			fmt.Fprintf(&b, "%s=%s ", name, v.Bytes)
		} else {
			fmt.Fprintf(&b, "%s=%d ", name, v.Int)
		}
	}
	if m.Role == dissector.OneWay {
		b.WriteString("one-way ")
	}
	if m.Resumed {
		b.WriteString("resumed ")
	}
	return strings.TrimSpace(b.String())
}

func TestRequests(t *testing.T) {
	one := doc("a", 1)
	for _, c := range []struct{ name, in, want string }{
		{
			"find", msg(1, 0, 0, doc("find", "c", "filter", doc("a", doc("$gt", 5), "b", "x"), "$db", "d")),
			`command=find collection=c filter={"a": {"$gt": 5}, "b": "x"} database=d summary=d.c {a: {$gt}, b}`,
		},
		{"database in front", msg(1, 0, 0, doc("ping", 1, "$db", "d")), "command=ping database=d summary=d"},
		{"checksum", msg(1, 0, checksumPresent, doc("ping", 1, "$db", "d")), "command=ping database=d summary=d"},
		{
			"exhaust allowed", msg(1, 0, exhaustAllowed, doc("getMore", int64(7), "collection", "c", "$db", "d")),
			"command=getMore cursor_id=7 collection=c database=d summary=d.c",
		},
		{
			"no answer wanted", msg(1, 0, moreToCome, doc("insert", "c", "$db", "d"), sequence("documents", one, one)),
			"command=insert collection=c database=d documents=2 summary=d.c 2 documents one-way",
		},
		{
			"sequence of updates", msg(1, 0, 0, doc("update", "c", "$db", "d"), sequence("updates", doc("q", doc("x", 1), "u", one), one)),
			`command=update collection=c database=d filter={"x": 1} documents=2 summary=d.c {x}`,
		},
		{
			"deletes in the body", msg(1, 0, 0, doc("delete", "c", "deletes", list{doc("q", doc("x", 1))}, "$db", "d")),
			`command=delete collection=c filter={"x": 1} database=d documents=1 summary=d.c {x}`,
		},
		{
			"sequence first", send(1, 0, opMsg, le32(0)+sequence("documents", one)+"\x00"+string(doc("insert", "c", "$db", "d"))),
			"command=insert collection=c database=d documents=1 summary=d.c 1 document",
		},
		{"collection that is none", msg(1, 0, 0, doc("createUser", "anna", "pwd", "geheim", "$db", "d")), "command=createUser database=d summary=d anna"},
		{
			"credentials", msg(1, 0, 0, doc("saslStart", 1, "mechanism", "PLAIN", "payload", raw{typeBinary, le32(6) + "\x00geheim"}, "$db", "d")),
			"command=saslStart database=d summary=d PLAIN",
		},
		{
			"hello", msg(1, 0, 0, doc("hello", 1, "client", doc("application", doc("name", "cart"), "driver", doc("name", "x")), "$db", "admin")),
			"command=hello app=cart database=admin summary=admin cart",
		},
		{
			"driver", msg(1, 0, 0, doc("hello", 1, "client", doc("driver", doc("name", "x", "version", "2")), "$db", "admin")),
			"command=hello database=admin summary=admin x 2",
		},
		{
			"explain", msg(1, 0, 0, doc("explain", doc("find", "c", "filter", one), "$db", "d")),
			`command=explain collection=c filter={"a": 1} database=d summary=d.c {a}`,
		},
		{
			"bulkWrite", msg(1, 0, 0, doc("bulkWrite", 1, "$db", "admin"), sequence("ops", one, one), sequence("nsInfo", one)),
			"command=bulkWrite database=admin documents=2 summary=admin 2 documents",
		},
		{
			"killCursors", msg(1, 0, 0, doc("killCursors", "c", "cursors", list{int64(9), int64(8)}, "$db", "d")),
			"command=killCursors collection=c cursor_id=9 database=d summary=d.c",
		},
		{
			"command in a query", query(1, 0, "d.$cmd", doc("$query", doc("count", "c", "query", one), "$readPreference", one)),
			`database=d command=count collection=c filter={"a": 1} summary=d.c {a}`,
		},
		{
			"query", query(1, 0, "d.c.x", doc("$query", one, "$orderby", one)),
			`database=d collection=c.x command=find filter={"a": 1} summary=d.c.x {a}`,
		},
		{
			"legacy insert", send(1, 0, opInsert, le32(0)+"d.c\x00"+string(one+one+one)),
			"database=d collection=c command=insert documents=3 summary=d.c 3 documents one-way",
		},
		{
			"legacy update", send(1, 0, opUpdate, le32(0)+"d.c\x00"+le32(1)+string(one+doc("$set", one))),
			`database=d collection=c command=update filter={"a": 1} summary=d.c {a} one-way`,
		},
		{
			"legacy delete", send(1, 0, opDelete, le32(0)+"d.c\x00"+le32(1)+string(one)),
			`database=d collection=c command=delete filter={"a": 1} summary=d.c {a} one-way`,
		},
		{
			"legacy getMore", send(1, 0, opGetMore, le32(0)+"d.c\x00"+le32(5)+le64(77)),
			"database=d collection=c command=getMore cursor_id=77 summary=d.c",
		},
		{"legacy killCursors", send(1, 0, opKillCursors, le32(0)+le32(1)+le64(77)), "command=killCursors cursor_id=77 summary= one-way"},
		{
			"OP_COMMAND", send(1, 0, opCommand, "d\x00find\x00"+string(doc("find", "c", "filter", one))+string(doc())),
			`database=d command=find filter={"a": 1} summary=d {a}`,
		},
		{"broken BSON", msg(1, 0, 0, doc("find", "c", "x", raw{0x42, "??"}, "$db", "d")), "command=find collection=c summary=.c resumed"},
		{"string past the end", msg(1, 0, 0, doc("find", "c", "x", raw{typeString, le32(99) + "x"}, "$db", "d")), "command=find collection=c summary=.c resumed"},
	} {
		m := said(t, dissector.Client, c.in, false)
		if got := show(m); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
		for _, v := range m.All() {
			if bytes.Contains(v.Bytes, []byte("geheim")) {
				t.Errorf("%s: a password is kept", c.name)
			}
		}
		if g := probe([]byte(c.in)); g != dissector.Request {
			t.Errorf("%s: probe %d", c.name, g)
		}
	}
}

// TestCuts gives messages byte by byte, which must change nothing, and cut short.
func TestCuts(t *testing.T) {
	many := list{}
	for i := range 900 {
		many = append(many, doc("q", doc("a", i), "u", doc("$set", doc("b", strings.Repeat("x", i%40)))))
	}
	for _, c := range []struct {
		from dissector.Side
		in   string
	}{
		{dissector.Client, msg(1, 0, checksumPresent, doc("update", "c", "updates", many, "$db", "d"), sequence("updates", doc("q", doc()), doc()))},
		{dissector.Client, query(1, 0, "d.c", doc("a", 1))},
		{dissector.Client, packed(zstdID, msg(1, 0, 0, doc("find", "c", "filter", doc("a", 1), "$db", "d")))},
		{dissector.Server, msg(1, 7, 0, doc("cursor", doc("firstBatch", many, "id", int64(4)), "ok", 1.0))},
		{dissector.Server, replied(1, 7, replyQueryFailure, 0, doc("$err", strings.Repeat("x", 9000), "code", 5))},
	} {
		var m *dissector.Message
		blank := func() *dissector.Message { m = &dissector.Message{From: c.from}; return m }
		dissectortest.Feed(t, Protocol.New(dissector.TCP), c.from, []byte(c.in), 1, blank)
		if got, want := show(m), show(said(t, c.from, c.in, false)); got != want {
			t.Errorf("byte by byte:\ngot  %s\nwant %s", got, want)
		}
		for n := range min(len(c.in), 2000) {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), c.from, []byte(c.in[:n]), 1+n, blank)
			probe([]byte(c.in[:n]))
		}
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"ok", msg(2, 1, 0, doc("n", 3, "ok", 1.0)), "affected=3 status=ok"},
		{"ok as a whole number", msg(2, 1, 0, doc("ok", int64(1))), "status=ok"},
		{"cursor", msg(2, 1, 0, doc("cursor", doc("firstBatch", list{doc(), doc()}, "id", int64(5), "ns", "d.c"), "ok", 1.0)), "cursor_id=5 returned=2 status=ok"},
		{"exhausted cursor", msg(2, 1, 0, doc("cursor", doc("nextBatch", list{}, "id", int64(0)), "ok", 1.0)), "returned=0 status=ok"},
		{"distinct", msg(2, 1, 0, doc("values", list{1, "x"}, "ok", 1.0)), "returned=2 status=ok"},
		{
			"error", msg(2, 1, 0, doc("ok", 0.0, "errmsg", "no\nsuch", "code", 59, "codeName", "CommandNotFound")),
			"failed=1 error_code=59 status_code=59 error_code_name=CommandNotFound error_message=no such status=CommandNotFound",
		},
		{
			"error of an old server", msg(2, 1, 0, doc("ok", 0.0, "errmsg", "x", "code", 26)),
			"failed=1 error_code=26 status_code=26 error_code_name=NamespaceNotFound error_message=x status=NamespaceNotFound",
		},
		{"error without a number", msg(2, 1, 0, doc("ok", false, "errmsg", "x")), "failed=1 error_message=x status=error"},
		{"error of no name", msg(2, 1, 0, doc("ok", 0, "code", 999999)), "failed=1 error_code=999999 status_code=999999 status=error"},
		{
			"write errors", msg(2, 1, 0, doc("n", 1, "writeErrors", list{doc("index", 1, "code", 11000, "errmsg", "E11000"), doc("code", 2)}, "ok", 1.0)),
			"affected=1 failed=1 error_code=11000 status_code=11000 error_code_name=DuplicateKey error_message=E11000 status=DuplicateKey",
		},
		{"no write errors", msg(2, 1, 0, doc("n", 1, "writeErrors", list{}, "ok", 1.0)), "affected=1 status=ok"},
		{
			"write concern", msg(2, 1, 0, doc("n", 1, "writeConcernError", doc("code", 64, "codeName", "WriteConcernFailed", "errmsg", "w"), "ok", 1.0)),
			"affected=1 failed=1 error_code=64 status_code=64 error_code_name=WriteConcernFailed error_message=w status=WriteConcernFailed",
		},
		{
			"bulkWrite", msg(2, 1, 0, doc("cursor", doc("firstBatch", list{doc("ok", 0.0)}, "id", int64(0)), "nErrors", 1, "ok", 1.0)),
			"returned=1 failed=1 status=error",
		},
		{"no word of success", msg(2, 1, 0, doc("x", 1)), ""},
		{
			"query failed", replied(2, 1, replyQueryFailure, 0, doc("$err", "bad", "code", 10107)),
			"failed=1 error_code=10107 status_code=10107 error_code_name=NotWritablePrimary error_message=bad status=NotWritablePrimary",
		},
		{"no cursor", replied(2, 1, replyNoCursor, 0), "failed=1 error_code=43 status_code=43 error_code_name=CursorNotFound status=CursorNotFound"},
		{"documents of an unknown query", replied(2, 1, 0, 6, doc("ok", 0)), "cursor_id=6"},
		{"OP_COMMANDREPLY", send(2, 1, opCommandReply, string(doc("ok", 1.0)+doc())), "status=ok"},
	} {
		if got := show(said(t, dissector.Server, c.in, false)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
		if g := probe([]byte(c.in)); g != dissector.Response {
			t.Errorf("%s: probe %d", c.name, g)
		}
	}
}

func TestCompressed(t *testing.T) {
	many := list{}
	for i := range 2000 {
		many = append(many, doc("_id", i, "note", strings.Repeat("x", i%50)))
	}
	for id, name := range compressors {
		small := packed(byte(id), msg(1, 0, 0, doc("find", "c", "filter", doc("a", 1), "$db", "d")))
		if got, want := show(said(t, dissector.Client, small, false)), "compressor="+name+` command=find collection=c filter={"a": 1} database=d summary=d.c {a}`; got != want {
			t.Errorf("%s: got %s", name, got)
		}
		large := packed(byte(id), msg(2, 1, 0, doc("cursor", doc("firstBatch", many, "id", int64(0)), "ok", 1.0)))
		if got, want := show(said(t, dissector.Server, large, false)), "compressor="+name+" returned=2000 status=ok"; got != want {
			t.Errorf("%s: got %s", name, got)
		}
		bomb := packed(byte(id), msg(2, 1, 0, doc("value", strings.Repeat("\x00", 4*maxUnpacked), "ok", 1.0)))
		if m := said(t, dissector.Server, bomb, false); !m.Resumed && id != noop {
			t.Errorf("%s: what lies behind the limit was read: %s", name, show(m))
		}
		for _, s := range []string{small, large} {
			if g := probe([]byte(s)); g != dissector.Request && g != dissector.Response {
				t.Errorf("%s: probe %d", name, g)
			}
			b := []byte(s)
			for i := compressedHeadSize; i < min(len(b), 400); i++ { // broken, it must do no harm
				b[i] ^= 0xff
				said(t, dissector.Client, string(b), false)
				b[i] ^= 0xff
			}
		}
	}
}

// What the small messages of a side may unpack to they share.
func TestUnpackingIsBounded(t *testing.T) {
	const size, number = 60_000, 50
	for _, id := range []byte{snappyID, zlibID, zstdID} {
		one := packed(id, msg(2, 1, 0, doc("value", strings.Repeat("\x00", size), "ok", 1.0)))
		var all []*dissector.Message
		dissectortest.Feed(t, Protocol.New(dissector.TCP), dissector.Server, []byte(strings.Repeat(one, number)), len(one), func() *dissector.Message {
			all = append(all, &dissector.Message{From: dissector.Server})
			return all[len(all)-1]
		})
		n := 0
		for _, m := range all {
			if !m.Resumed {
				n += size
			}
		}
		if most := freeUnpacked + maxRatio*len(one)*number; len(all) != number || all[0].Resumed || n > most {
			t.Errorf("%s: of %d messages of %d bytes, %d bytes were unpacked, more than %d", compressors[id], len(all), len(one), n, most)
		}
	}
}

// TestSnappy compares the unpacking with the one of a library, whole and cut short.
func TestSnappy(t *testing.T) {
	var src []byte
	for i := range 30000 {
		src = append(src, fmt.Sprint(i%97*i%1013, "-")...)
	}
	for _, in := range [][]byte{src, bytes.Repeat([]byte("ab"), 9000), []byte("x"), bytes.Repeat([]byte{7}, 300), src[:70]} {
		p := snappy.Encode(nil, in)
		for _, limit := range []int{len(in), len(in) / 2, 1, 0} {
			if got := unsnap(nil, p, limit); !bytes.Equal(got, in[:limit]) {
				t.Fatalf("%d of %d bytes: got %d", limit, len(in), len(got))
			}
		}
		for n := range min(len(p), 3000) {
			if got := unsnap(nil, p[:n], len(in)); !bytes.HasPrefix(in, got) {
				t.Fatalf("of %d packed bytes", n)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	deep := doc("a", 1)
	for range 40 {
		deep = doc("$not", deep)
	}
	oid := raw{typeObjectID, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"}
	for _, c := range []struct {
		d           bson
		json, shape string
	}{
		{doc(), "{}", "{}"},
		{doc("a", oid, "b", true, "c", nil), `{"a": {"$oid": "0102030405060708090a0b0c"}, "b": true, "c": null}`, "{a, b, c}"},
		{doc("a", 1.5, "b", 2.0, "c", 1e300, "d", int64(-3)), `{"a": 1.5, "b": 2.0, "c": 1e+300, "d": -3}`, "{a, b, c, d}"},
		{doc("a", raw{typeDate, le64(1700000000123)}, "b", raw{typeDate, le64(-1)}), `{"a": {"$date": "2023-11-14T22:13:20.123Z"}, "b": {"$date": {"$numberLong": "-1"}}}`, "{a, b}"},
		{doc("a", raw{typeRegex, "^x\x00i\x00"}), `{"a": {"$regularExpression": {"pattern": "^x", "options": "i"}}}`, "{a}"},
		{doc("a", raw{typeBinary, le32(3) + "\x00abc"}), `{"a": {"$binary": {"base64": "YWJj", "subType": "00"}}}`, "{a}"},
		{doc("a", raw{typeBinary, le32(16) + "\x04" + strings.Repeat("\xab", 16)}), `{"a": {"$uuid": "abababab-abab-abab-abab-abababababab"}}`, "{a}"},
		{doc("a", raw{typeTimestamp, le32(2) + le32(1)}), `{"a": {"$timestamp": {"t": 1, "i": 2}}}`, "{a}"},
		{doc("a", raw{typeDecimal, le64(1995) + le64((6176-2)<<49)}), `{"a": {"$numberDecimal": "1995E-2"}}`, "{a}"},
		{doc("a", raw{typeMinKey, ""}, "b", raw{typeMaxKey, ""}, "c", raw{typeUndefined, ""}), `{"a": {"$minKey": 1}, "b": {"$maxKey": 1}, "c": {"$undefined": true}}`, "{a, b, c}"},
		{doc("a", raw{typeCode, text32("f()")}, "b", raw{typeSymbol, text32("s")}), `{"a": {"$code": "f()"}, "b": {"$symbol": "s"}}`, "{a, b}"},
		{doc("a", "q\"\\\n\x00é\xff"), `{"a": "q\"\\\u000a\u0000é` + "\uFFFD" + `"}`, "{a}"},
		{doc("PassWord", "geheim", "u", doc("token", 1)), `{"PassWord": "***", "u": {"token": "***"}}`, "{PassWord, u}"},
		{doc("u.pwd", "geheim", "users.0.Token", "geheim", "a.b", 1), `{"u.pwd": "***", "users.0.Token": "***", "a.b": 1}`, "{u.pwd, users.0.Token, a.b}"},
		{doc("$or", list{doc("a", 1), doc("b", doc("$in", list{1, 2}))}, "c", doc("d", 1)), `{"$or": [{"a": 1}, {"b": {"$in": [1, 2]}}], "c": {"d": 1}}`, "{$or: [{a}, {b: {$in}}], c}"},
		{deep, strings.Repeat(`{"$not": `, maxNested) + "...", strings.Repeat("{$not: ", maxNested) + "{$not" + strings.Repeat("}", maxNested+1)},
		{doc("a", strings.Repeat("é", 400)), `{"a": "` + strings.Repeat("é", (maxFilter-7)/2) + "...", "{a}"},
	} {
		m := said(t, dissector.Client, msg(1, 0, 0, doc("find", "c", "filter", c.d, "$db", "d")), false)
		if got := string(Filter.Get(&m.Values)); got != c.json {
			t.Errorf("got  %s\nwant %s", got, c.json)
		}
		if got := strings.TrimPrefix(string(dissector.Summary.Get(&m.Values)), "d.c "); got != c.shape {
			t.Errorf("got  %s\nwant %s", got, c.shape)
		}
	}
	long := msg(1, 0, 0, doc("find", "c", "filter", doc("a", strings.Repeat("x", 3000)), "$db", "d"))
	if got := Filter.Get(&said(t, dissector.Client, long, true).Values); len(got) != 3009 {
		t.Errorf("%d bytes of the filter for who looks at it", len(got))
	}
}

// TestPassedOver wants a message of any size to be read in pieces of a bounded size,
// with nothing but what is passed over between them.
func TestPassedOver(t *testing.T) {
	many := list{}
	for i := range 3000 {
		many = append(many, doc("_id", i, "note", strings.Repeat("x", 300)))
	}
	for _, c := range []struct {
		from dissector.Side
		in   string
		want string
	}{
		{dissector.Client, msg(1, 0, 0, doc("insert", "c", "documents", many, "$db", "d")), "3000"},
		{dissector.Server, msg(1, 7, 0, doc("cursor", doc("firstBatch", many, "id", int64(0)), "ok", 1.0)), "3000"},
		{dissector.Server, msg(1, 7, 0, doc("value", doc("a", strings.Repeat("x", 3000000)), "ok", 0.0)), "0"},
	} {
		for _, piece := range []int{700, 1448, len(c.in)} {
			parse := Protocol.New(dissector.TCP)
			var all field.Values
			var used, held int
			for have := 0; used < len(c.in); {
				have = min(len(c.in), max(have, used)+piece)
				for used < have {
					m := &dissector.Message{From: c.from}
					span, err := parse(c.from, []byte(c.in[used:have]), m)
					if err == dissector.ErrShort {
						held = max(held, have-used)
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					all.Merge(&m.Values)
					used += int(span)
				}
			}
			got := Documents.Get(&all) + Returned.Get(&all)
			if fmt.Sprint(got) != c.want || piece < maxHead && held > maxHead+piece {
				t.Errorf("%d documents, %d bytes held", got, held)
			}
		}
	}
}

func TestExchanges(t *testing.T) {
	hello := doc("hello", 1, "$db", "admin")
	ok := doc("ok", 1.0)
	find := doc("find", "c", "filter", doc(), "$db", "d")
	batch := doc("cursor", doc("nextBatch", list{doc()}, "id", int64(9)), "ok", 1.0)
	large := doc("insert", "c", "documents", list{strings.Repeat("x", 40000)}, "$db", "d")
	for _, c := range []struct {
		name string
		s    *dissectortest.Script
		want []string
	}{
		{
			"crossed", dissectortest.NewScript().Client(msg(1, 0, 0, hello) + msg(2, 0, 0, find)).Server(msg(8, 2, 0, ok) + msg(9, 1, 0, doc("ok", 0.0))),
			[]string{"find d.c {} > ok", "hello admin > error"},
		},
		{
			"exhaust", dissectortest.NewScript().Client(msg(1, 0, exhaustAllowed, doc("getMore", int64(9), "collection", "c", "$db", "d"))).
				Server(msg(50, 1, moreToCome, batch), msg(51, 50, moreToCome, batch), msg(52, 51, 0, batch)).Client(msg(2, 0, 0, find)).Server(msg(53, 2, 0, ok)),
			[]string{"getMore d.c > ok", "getMore d.c one-way", "getMore d.c one-way", "find d.c {} > ok"},
		},
		{"exhaust begun unseen", dissectortest.NewScript().Server(msg(51, 50, moreToCome, batch), msg(52, 51, 0, batch)), []string{"- > ok", "- > ok"}},
		{
			"legacy exhaust", dissectortest.NewScript().Client(query(1, queryExhaust, "d.c", doc())).
				Server(replied(50, 1, 0, 5, ok), replied(51, 50, 0, 5, ok), replied(52, 51, 0, 0, ok)),
			[]string{"find d.c {} > ok", "find d.c one-way", "find d.c one-way"},
		},
		{
			"exhaust, packed", dissectortest.NewScript().Client(packed(zlibID, msg(1, 0, exhaustAllowed, hello))).
				Server(packed(zstdID, msg(50, 1, moreToCome, ok)), packed(snappyID, msg(51, 50, moreToCome, ok))),
			[]string{"hello admin > ok", "hello admin one-way"},
		},
		{
			"a lost reply", dissectortest.NewScript().Client(msg(1, 0, 0, hello)).Lose().Server(msg(8, 1, 0, ok)).Client(msg(2, 0, 0, find)).Server(msg(9, 2, 0, ok)).Close(),
			[]string{"find d.c {} > ok resumed", "hello admin > -"},
		},
		{
			"an id again whose reply is lost", dissectortest.NewScript().Client(msg(1, 0, 0, hello)).Lose().Server(msg(8, 1, 0, ok)).Client(msg(1, 0, 0, find)).Server(msg(9, 1, 0, ok)).Close(),
			[]string{"find d.c {} > ok resumed", "hello admin > -"},
		},
		{
			"an id again, with a reply and a request lost", dissectortest.NewScript().Client(msg(1, 0, 0, hello)).Server(msg(7, 1, 0, ok)).Client(msg(1, 0, 0, hello)).Lose().Server(msg(8, 1, 0, ok)).
				Lose().Client(msg(1, 0, 0, find)).Server(msg(9, 1, 0, ok)).Close(),
			[]string{"hello admin > ok", "- > ok resumed", "hello admin > -"},
		},
		{
			"getLastError", dissectortest.NewScript().Client(send(1, 0, opInsert, le32(0)+"d.c\x00"+string(doc())) + query(2, 0, "d.$cmd", doc("getlasterror", 1))).
				Server(replied(9, 2, 0, 0, doc("err", "dup", "code", 11000, "n", 0, "ok", 1.0))),
			[]string{"insert d.c 1 document one-way", "getlasterror d > DuplicateKey"},
		},
		{"getLastError without one", dissectortest.NewScript().Client(query(2, 0, "d.$cmd", doc("getLastError", 1))).
			Server(replied(9, 2, 0, 0, doc("err", nil, "n", 1, "ok", 1.0))), []string{"getLastError d > ok"}},
		{"documents that say ok", dissectortest.NewScript().Client(query(2, 0, "d.c", doc())).Server(replied(9, 2, 0, 0, doc("ok", 0.0))), []string{"find d.c {} > ok"}},
		{"in pieces", dissectortest.NewScript().Client(msg(1, 0, 0, large)[:20000], msg(1, 0, 0, large)[20000:]).Server(msg(8, 1, 0, ok)), []string{"insert d.c 1 document > ok"}},
		{
			"broken inside", dissectortest.NewScript().Client(msg(1, 0, 0, doc("find", "c", "x", raw{0x42, "??"}))).Server(msg(8, 1, 0, ok)).Client(msg(2, 0, 0, find)).Server(msg(9, 2, 0, ok)),
			[]string{"find .c > ok resumed", "find d.c {} > ok"},
		},
	} {
		if got := c.s.Calls(t, Protocol); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestProbeRefuses(t *testing.T) {
	good := msg(1, 0, 0, doc("ping", 1, "$db", "d"))
	for i := range good {
		want := dissector.More
		if i >= 31 { // the first element is there
			want = dissector.Request
		}
		if g := probe([]byte(good[:i])); g != want {
			t.Errorf("%d bytes: %d", i, g)
		}
	}
	change := func(at int, s string) string { return good[:at] + s + good[at+len(s):] }
	for name, s := range map[string]string{
		"size":       change(0, le32(15)),
		"huge":       change(0, le32(maxMessage+1)),
		"opcode":     change(12, le32(2003)),
		"flags":      change(16, le32(4)),
		"kind":       change(20, "\x02"),
		"document":   change(21, le32(500)),
		"element":    change(25, "\x42"),
		"key":        change(26, "\x01"),
		"namespace":  query(1, 0, "none", doc()),
		"query flag": query(1, 1, "d.$cmd", doc()),
		"cursors":    send(1, 0, opKillCursors, le32(0)+le32(3)+le64(1)),
		"snappy":     strings.Replace(packed(snappyID, good), le32(len(good)-headerSize), le32(7), 1),
		"HTTP":       "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"zeros":      strings.Repeat("\x00", 64),
	} {
		if g := probe([]byte(s)); g != dissector.No {
			t.Errorf("%s: %d", name, g)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(msg(1, 0, checksumPresent, doc("update", "c", "$db", "d"), sequence("updates", doc("q", doc("$or", list{doc("a", 1)}))))+msg(2, 0, 2, doc("ping", 1))), byte(3))
	f.Add([]byte(msg(2, 1, moreToCome, doc("cursor", doc("firstBatch", list{doc()}, "id", int64(5)), "writeErrors", list{doc("code", 1)}, "ok", 1.0))+msg(3, 2, 0, doc("ok", 0.0))), byte(9))
	f.Add([]byte(query(1, 64, "d.c", doc("$query", doc("x", raw{typeRegex, "a\x00\x00"})))+send(2, 0, opInsert, le32(0)+"d.c\x00"+string(doc()+doc()))), byte(0))
	f.Add([]byte(replied(2, 1, 2, 0, doc("$err", "bad"))+replied(3, 2, 0, 4, doc())), byte(1))
	for id := range compressors {
		f.Add([]byte(packed(byte(id), msg(1, 0, 0, doc("find", "c", "filter", doc("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "$db", "d")))), byte(id))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message {
				return &dissector.Message{Detail: cut&1 != 0, From: from}
			})
		}
		if len(b) > headerSize {
			unsnap(nil, b, 1<<16)
			unpackWith(zlibID, b, 1<<10)
			unpackWith(zstdID, b, 1<<10)
		}
	})
}
