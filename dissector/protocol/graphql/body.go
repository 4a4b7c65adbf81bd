package graphql

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// call is what is kept of a message's body. Once it is done and is GraphQL it is asked,
// without a body: so a response finds that its request is.
type call struct {
	as   media
	body []byte
	over bool // there was more
	lost int64
	long *answer // reads a body that is too long to keep
}

// asked stands in the Ride of every message that is done.
var asked = new(call)

var calls = sync.Pool{New: func() any { return new(call) }}

// rooms are where bodies are unpacked: one for each worker that is at it, of little more
// than maxUnpacked at most.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

func newCall(as media) *call {
	c := calls.Get().(*call)
	c.as = as
	return c
}

func body(m *dissector.Message, chunk []byte) {
	c, ok := m.Ride.(*call)
	if !ok || c == asked {
		return
	}
	if m.Lost > c.lost {
		c.over, c.lost = true, m.Lost
	}
	if c.over {
		return
	}
	if c.long == nil && len(chunk) > c.room() {
		c.fill(m)
	}
	if c.long != nil {
		c.long.take(chunk)
		return
	}
	if n := c.room(); len(chunk) > n {
		chunk, c.over = chunk[:n], true
	}
	c.body = append(c.body, chunk...)
}

// room is how many more bytes of the body are kept: of a form, no file.
func (c *call) room() int {
	if c.as == mediaForm {
		return maxForm - len(c.body)
	}
	return maxBody - len(c.body)
}

// fill is called when a body gets too long to keep: a response is read as it passes by, for its
// errors may stand at its end. What is packed has to be kept.
func (c *call) fill(m *dissector.Message) {
	if m.From == dissector.Client || http.Coded(m) {
		return
	}
	c.long = newAnswer(m)
	c.long.take(c.body)
	c.body = c.body[:0]
}

func done(m *dissector.Message) {
	c, ok := m.Ride.(*call)
	if !ok || c == asked {
		return
	}
	if m.Lost > c.lost || m.Truncated {
		c.over = true
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	text := c.text(room, m)
	var is bool
	if m.From == dissector.Client {
		if is = c.bearsOut(m, text); is {
			request(m, text)
		}
	} else if is = c.answersAsked(m); is {
		c.response(m, text)
	}
	m.Ride = other{}
	if is {
		m.Ride = asked
		if c.over {
			Cut.Set(&m.Values, true)
		}
	}
	if cap(c.body) > maxKept {
		c.body = nil
	}
	*c = call{body: c.body[:0]}
	calls.Put(c)
}

// text returns what there is to read of the body, in room if it has to be unpacked.
func (c *call) text(room *[]byte, m *dissector.Message) []byte {
	limit := min(maxUnpacked, freeUnpacked+maxRatio*len(c.body))
	text, err := http.ContentIn(room, m, c.body, limit)
	if err != nil || len(text) == limit {
		c.over = true
	}
	if c.as == mediaForm {
		var whole bool
		text, whole = operations(m, text)
		c.over = !whole
	}
	return text
}

// answersAsked tells whether a response is GraphQL: by its media type, or as its request is. Of
// one that is not over, what was said of it tells.
func (c *call) answersAsked(m *dissector.Message) bool {
	if c.as == mediaGraphQL {
		return true
	}
	req := m.Peer()
	if req == nil {
		return false
	}
	said, ok := req.Ride.(*call)
	if !ok || said == asked {
		return ok
	}
	so := *said
	so.over = true
	return so.bearsOut(req, so.text(new([]byte), req))
}

// parts are those of a request.
type parts struct {
	query, operation string
	extensions       []byte // JSON
	typical          bool   // there is a member that requests have, of the type it has there
}

// request sets what a request asks for, in its body or in its target.
func request(m *dissector.Message, text []byte) {
	contentType, _ := http.ContentType(m)
	switch {
	case string(http.Method.Get(&m.Values)) == "GET":
		setRequest(&m.Values, inTarget(string(http.URL.Get(&m.Values))))
	case mediaOf(contentType) == mediaGraphQL && !json.Valid(text):
		setRequest(&m.Values, parts{query: string(text)})
	default:
		first, n, batch := inBody(text)
		if n > 0 && batch {
			Batch.Set(&m.Values, int64(n))
		}
		if n > 0 {
			setRequest(&m.Values, first)
		}
	}
}

// inBody reads the first operation of a body and counts them.
func inBody(text []byte) (first parts, n int, batch bool) {
	s := scanner{text: text}
	batch = s.each(func() bool {
		var one parts
		ok := one.read(&s)
		if ok && n == 0 {
			first = one
		}
		if ok {
			n++
		}
		return ok && n < maxBatch
	})
	return first, n, batch
}

// read takes one operation.
func (p *parts) read(s *scanner) bool {
	good := true
	ok := s.members(func(name, value []byte) {
		var err error
		switch string(name) {
		case "query":
			err = json.Unmarshal(value, &p.query)
		case "operationName":
			err = json.Unmarshal(value, &p.operation)
		case "extensions":
			p.extensions = value
		}
		p.typical = p.typical || isMember(string(name)) && isTyped(name, value)
		good = good && err == nil
	})
	return ok && good
}

// inTarget reads the parameters of a GET.
func inTarget(target string) parts {
	q, _ := http.QueryString.Derive(target).(map[string]string)
	return parts{query: q["query"], operation: q["operationName"], extensions: []byte(q["extensions"])}
}

// setRequest sets what one request asks for.
func setRequest(v *field.Values, one parts) {
	operation := one.operation
	if hash := one.hash(); hash != "" {
		Persisted.SetString(v, shorten(hash, maxName))
	}
	summary := operation
	if doc, ok := readDocument(one.query, operation); ok {
		operation = doc.name
		Type.SetString(v, doc.kind)
		dissector.Operation.SetString(v, doc.kind)
		for i, f := range doc.fields {
			if !slices.Contains(doc.fields[:i], f) {
				RootFields.AddString(v, shorten(f, maxName))
			}
		}
		if summary = doc.name; summary == "" {
			summary = "{ " + strings.Join(doc.fields, " ") + " }"
		}
	}
	if operation != "" {
		Name.SetString(v, shorten(operation, maxName))
	}
	if summary != "" {
		dissector.Summary.SetString(v, shorten(summary, maxName))
	}
}

// hash returns the hash of a persisted query, as Apollo's clients send it.
func (p *parts) hash() string {
	var ext struct {
		PersistedQuery struct {
			Hash string `json:"sha256Hash"`
		} `json:"persistedQuery"`
	}
	if len(p.extensions) == 0 || json.Unmarshal(p.extensions, &ext) != nil {
		return ""
	}
	return ext.PersistedQuery.Hash
}

// fault is one error of a response (October2021, section 7.1.2).
type fault struct {
	Message    string `json:"message"`
	Extensions struct {
		Code any `json:"code"`
	} `json:"extensions"`
}

// response sets the errors of a response, or of all of a batch.
func (c *call) response(m *dissector.Message, text []byte) {
	a := c.long
	if a == nil {
		if !bytes.Contains(text, []byte(`"errors"`)) { // as nearly always: reading it all takes most of the time
			return
		}
		a = newAnswer(m)
		a.take(text)
	}
	if a.end(); a.over {
		c.over = true
	}
	if a.n == 0 {
		return
	}
	v := &m.Values
	Errors.Set(v, int64(a.n))
	dissector.Failed.Set(v, true)
	status := "errors"
	if code := a.first.code(); code != "" {
		status = code
		ErrorCode.SetString(v, shorten(code, maxName))
	}
	dissector.Status.SetString(v, status)
	if text := a.first.Message; text != "" {
		Error.SetString(v, shorten(text, maxError))
	}
}

// code returns an error's code, which servers put into its extensions.
func (f *fault) code() string {
	switch c := f.Extensions.Code.(type) {
	case string:
		return c
	case float64:
		return strconv.FormatFloat(c, 'f', -1, 64)
	}
	return ""
}

// shorten cuts a text to a length, between characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
