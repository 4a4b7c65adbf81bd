package mongodb

import (
	"bytes"
	"strconv"
	"strings"

	"shark/dissector"
)

// asked is what was read of a request. Its texts are kept here because the pieces of
// a message that has a key are messages of their own.
type asked struct {
	name, database, collection []byte
	subject                    []byte // what the command names that is no collection
	shape                      text   // of the filter
	scrap                      text
	documents                  int64
	carries                    bool // documents were counted
}

func (a *asked) reset() {
	a.name, a.database, a.collection, a.subject = a.name[:0], a.database[:0], a.collection[:0], a.subject[:0]
	a.documents, a.carries = 0, false
	a.shape.Reset(maxSummary)
}

// counts returns where the documents that the request carries are counted.
func (a *asked) counts() *int64 {
	a.carries = true
	return &a.documents
}

// carried are the arrays and document sequences of what a request is about.
var carried = map[string]bool{"documents": true, "updates": true, "deletes": true, "ops": true}

// nameless are the commands, in lower case, whose first value is a text but no
// collection of the database they run in.
var nameless = map[string]bool{
	"addshard": true, "configurefailpoint": true, "createrole": true, "createuser": true, "droprole": true, "dropuser": true,
	"enablesharding": true, "eval": true, "getlog": true, "getparameter": true, "getshardversion": true, "grantprivilegestorole": true,
	"grantrolestorole": true, "grantrolestouser": true, "logmessage": true, "movechunk": true, "moveprimary": true,
	"refinecollectionshardkey": true, "removeshard": true, "renamecollection": true, "replsetheartbeat": true,
	"replsetstepup": true, "replsetsyncfrom": true, "reshardcollection": true, "revokeprivilegesfromrole": true,
	"revokerolesfromrole": true, "revokerolesfromuser": true, "rolesinfo": true, "setfeaturecompatibilityversion": true,
	"shardcollection": true, "split": true, "updaterole": true, "updateuser": true, "usersinfo": true,
}

// called sets what the request asks for.
func (w *walk) called(name []byte) {
	w.asked.name = append(w.asked.name[:0], clip(name, maxName)...)
	Command.Set(&w.m.Values, w.asked.name)
	dissector.Operation.Set(&w.m.Values, w.asked.name)
}

// in sets the database.
func (w *walk) in(database []byte) {
	w.asked.database = append(w.asked.database[:0], clip(database, maxName)...)
	Database.Set(&w.m.Values, w.asked.database)
}

// on sets the collection.
func (w *walk) on(collection []byte) {
	w.asked.collection = append(w.asked.collection[:0], clip(collection, maxName)...)
	Collection.Set(&w.m.Values, w.asked.collection)
}

// about sets what the command is about where that is no collection.
func (w *walk) about(parts ...[]byte) {
	w.asked.subject = append(w.asked.subject[:0], clip(bytes.Join(parts, []byte(" ")), maxName)...)
}

// namespace sets database and collection from a name such as shop.orders.
func (w *walk) namespace(name []byte) {
	database, collection, _ := bytes.Cut(name, []byte("."))
	w.in(database)
	if string(collection) != "$cmd" {
		w.on(collection)
	}
}

// commandElement looks at an element of a command, which its first one names.
func (w *walk) commandElement(e *element) (level, bool) {
	if w.first {
		return w.firstElement(e)
	}
	switch string(e.key) {
	case "$db":
		w.in(e.text())
	case "collection": // of getMore
		if s := e.text(); s != nil && len(w.asked.collection) == 0 {
			w.on(s)
		}
	case "filter", "query", "q", "pipeline":
		w.filter(e)
	case "documents", "updates", "deletes", "ops":
		if e.typ == typeArray {
			if first, ok := find(e.value, "0"); ok {
				w.statement(first.value)
			}
			w.count = w.asked.counts()
			return items, true
		}
	case "cursors": // of killCursors
		if id, ok := find(e.value, "0"); ok {
			w.cursorID(&id)
		}
	case "key":
		if s := e.text(); s != nil && string(w.asked.name) == "distinct" {
			w.about(s)
		}
	case "mechanism":
		if s := e.text(); s != nil && strings.HasPrefix(string(w.asked.name), "sasl") {
			w.about(s)
		}
	case "client":
		w.client(e)
	}
	return 0, false
}

// firstElement looks at the element that names the command.
func (w *walk) firstElement(e *element) (level, bool) {
	key := string(e.key)
	if e.typ == typeDocument && (key == "$query" || key == "query") { // OP_QUERY's way to say more
		return command, true
	}
	w.first = false
	if len(w.asked.name) == 0 {
		w.called(e.key)
	}
	s := e.text()
	switch {
	case e.typ == typeDocument && key == "explain":
		w.first = true
		return command, true
	case key == "getMore":
		w.cursorID(e)
	case s == nil:
	case strings.HasPrefix(key, "_") || strings.HasPrefix(key, "$") || nameless[strings.ToLower(key)]: // inside a cluster the name is qualified
		w.about(s)
	default:
		w.on(s)
	}
	return 0, false
}

func (w *walk) cursorID(e *element) {
	if id, ok := e.number(); ok && e.typ == typeInt64 {
		CursorID.Set(&w.m.Values, id)
	}
}

// client reads what the client says of itself in its first hello (MongoDB
// specifications, handshake).
func (w *walk) client(e *element) {
	if e.typ != typeDocument {
		return
	}
	app, _ := find(e.value, "application", "name")
	if s := app.text(); len(s) > 0 {
		App.Set(&w.m.Values, clip(s, maxName))
		w.about(clip(s, maxName/2))
		return
	}
	name, _ := find(e.value, "driver", "name")
	version, _ := find(e.value, "driver", "version")
	if s := name.text(); len(s) > 0 {
		w.about(clip(s, maxName/2), clip(version.text(), maxName/4))
	}
}

// statement looks at the first of several inserts, updates or deletes: the latter two
// have a filter.
func (w *walk) statement(doc []byte) {
	switch string(w.asked.name) {
	case "update", "delete":
		if q, ok := find(doc, "q"); ok {
			w.filter(&q)
		}
	}
}

// filter sets the filter of the command, or its pipeline.
func (w *walk) filter(e *element) {
	if e.typ != typeDocument && e.typ != typeArray || w.m.Has(Filter) || len(w.asked.shape.B) > 0 {
		return
	}
	w.asked.shape.shape(*e, 0)
	limit := maxFilter
	if w.m.Detail {
		limit = maxDetail
	}
	t := &w.asked.scrap
	t.Reset(limit)
	t.json(*e, 0)
	Filter.Set(&w.m.Values, t.Bytes())
}

// unreadable is the summary of a request of which nothing can be read.
const unreadable = "unreadable"

// askedAll sets what is known when all of a request was seen.
func (w *walk) askedAll() {
	a, v := &w.asked, &w.m.Values
	if len(a.name) == 0 {
		dissector.Operation.SetString(v, opcodes[w.h.opcode].name)
		dissector.Summary.SetString(v, unreadable)
		return
	}
	if a.carries {
		Documents.Set(v, a.documents)
	}
	line := &a.scrap
	line.Reset(maxSummary)
	line.line(a.database)
	if len(a.collection) > 0 {
		line.Add(".")
		line.line(a.collection)
	}
	if len(a.subject) > 0 {
		line.Add(" ")
		line.line(a.subject)
	}
	switch {
	case len(a.shape.B) > 0:
		line.Add(" ")
		line.line(a.shape.Bytes())
	case a.carries && a.documents == 1:
		line.Add(" 1 document")
	case a.carries:
		line.Add(" " + strconv.FormatInt(a.documents, 10) + " documents")
	}
	dissector.Summary.Set(v, bytes.TrimSpace(line.Bytes()))
}

// clip cuts b to n bytes.
func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }
