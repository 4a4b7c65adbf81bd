package mongodb

import (
	"strings"

	"shark/dissector"
)

// answered is what was read of a reply.
type answered struct {
	command  []byte // what it answers, where that is known
	judged   bool   // it says whether it is ok
	ok       bool
	err      failure // of the command
	write    failure // the first of its write errors
	concern  failure // its write concern error
	last     failure // what getLastError reports
	returned int64
	holds    bool // documents were counted
}

// failure is an error that a reply reports.
type failure struct {
	set           bool
	code          int64
	name, message []byte
}

func (f *failure) reset() { *f = failure{name: f.name[:0], message: f.message[:0]} }

func (a *answered) reset() {
	a.command, a.judged, a.ok, a.returned, a.holds = a.command[:0], false, false, 0, false
	a.err.reset()
	a.write.reset()
	a.concern.reset()
	a.last.reset()
}

// counts returns where the documents that the reply holds are counted.
func (a *answered) counts() *int64 {
	a.holds = true
	return &a.returned
}

// read takes what a document says of an error.
func (f *failure) read(e *element) {
	switch string(e.key) {
	case "code":
		f.code, _ = e.number()
	case "codeName":
		f.name = append(f.name[:0], clip(e.text(), maxName)...)
	case "errmsg", "$err", "err":
		if s := e.text(); s != nil {
			f.message = append(f.message[:0], clip(s, maxText)...)
			f.set = f.set || e.key[0] != 'e' || string(e.key) == "err"
		}
	}
}

// readAll takes all elements of a document of an error.
func (f *failure) readAll(value []byte) {
	f.set = true
	d := open(value)
	for e, ok := d.next(); ok; e, ok = d.next() {
		f.read(&e)
	}
}

// replyElement looks at an element of a reply.
func (w *walk) replyElement(e *element) (level, bool) {
	a := &w.answered
	switch string(e.key) {
	case "ok":
		if n, ok := e.number(); ok {
			a.judged, a.ok = true, n != 0
		}
	case "code", "codeName", "errmsg", "$err":
		a.err.read(e)
		a.last.read(e)
	case "err":
		a.last.read(e)
	case "n":
		w.affected(e)
	case "nErrors": // of bulkWrite
		if n, ok := e.number(); ok && n > 0 {
			a.write.set = true
		}
	case "writeErrors":
		if first, ok := find(e.value, "0"); ok && e.typ == typeArray {
			a.write.readAll(first.value)
		}
	case "writeConcernError":
		if e.typ == typeDocument {
			a.concern.readAll(e.value)
		}
	case "lastErrorObject":
		if n, ok := find(e.value, "n"); ok {
			w.affected(&n)
		}
	case "value":
		if strings.EqualFold(string(a.command), "findAndModify") {
			if n := a.counts(); e.typ == typeDocument {
				*n = 1
			}
		}
	case "values": // of distinct
		if e.typ == typeArray {
			w.count = a.counts()
			return items, true
		}
	case "cursor":
		return cursor, e.typ == typeDocument
	}
	return 0, false
}

func (w *walk) affected(e *element) {
	if n, ok := e.number(); ok {
		Affected.Set(&w.m.Values, n)
	}
}

// cursorElement looks at an element of a reply's cursor.
func (w *walk) cursorElement(e *element) (level, bool) {
	switch string(e.key) {
	case "id":
		if id, ok := e.number(); ok && id != 0 {
			CursorID.Set(&w.m.Values, id)
		}
	case "firstBatch", "nextBatch":
		if e.typ == typeArray {
			w.count = w.answered.counts()
			return items, true
		}
	}
	return 0, false
}

// answeredAll sets what is known when all of a reply was seen.
func (w *walk) answeredAll() {
	a, v := &w.answered, &w.m.Values
	if a.holds {
		Returned.Set(v, a.returned)
	}
	switch {
	case a.judged && !a.ok || a.err.set && !a.judged:
		w.fail(&a.err)
	case a.write.set:
		w.fail(&a.write)
	case a.concern.set:
		w.fail(&a.concern)
	case a.last.set && len(a.last.message) > 0 && strings.EqualFold(string(a.command), "getLastError"):
		w.fail(&a.last)
	case a.judged:
		dissector.Status.SetString(v, "ok")
	}
}

// fail sets an error.
func (w *walk) fail(f *failure) {
	v := &w.m.Values
	dissector.Failed.Set(v, true)
	name := string(f.name)
	if name == "" {
		name = errorNames[f.code]
	}
	if f.code != 0 {
		ErrorCode.Set(v, f.code)
		dissector.StatusCode.Set(v, f.code)
	}
	if name != "" {
		ErrorName.SetString(v, name)
	}
	if len(f.message) > 0 {
		var t text
		t.Reset(maxText)
		t.line(f.message)
		ErrorMessage.Set(v, t.Bytes())
	}
	switch {
	case name != "":
		dissector.Status.SetString(v, name)
	default:
		dissector.Status.SetString(v, "error")
	}
}
