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

// call is what is kept of a message's body. Once it is done it is asked, without a body:
// so a response finds that its request is GraphQL.
type call struct {
	body []byte
	over bool // there was more
	lost int64
}

// asked stands in the Ride of every request that is done.
var asked = new(call)

var calls = sync.Pool{New: func() any { return new(call) }}

func newCall() *call { return calls.Get().(*call) }

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
	if len(chunk) > maxBody-len(c.body) {
		chunk, c.over = chunk[:maxBody-len(c.body)], true
	}
	c.body = append(c.body, chunk...)
}

func done(m *dissector.Message) {
	c, ok := m.Ride.(*call)
	if !ok || c == asked {
		return
	}
	m.Ride = asked
	if m.Lost > c.lost || m.Truncated {
		c.over = true
	}
	limit := min(maxUnpacked, freeUnpacked+maxRatio*len(c.body))
	text, err := http.Content(m, c.body, limit)
	if err != nil || len(text) == limit {
		c.over = true
	}
	if m.From == dissector.Client {
		request(m, text)
	} else {
		response(m, text)
	}
	if c.over {
		Cut.Set(&m.Values, true)
	}
	if cap(c.body) > maxKept {
		c.body = nil
	}
	*c = call{body: c.body[:0]}
	calls.Put(c)
}

// parts are those of a request.
type parts struct {
	Query         string          `json:"query"`
	OperationName string          `json:"operationName"`
	Extensions    json.RawMessage `json:"extensions"`
}

// request sets what a request asks for, in its body or in its target.
func request(m *dissector.Message, text []byte) {
	var all []parts
	contentType, _ := http.ContentType(m)
	switch object := bytes.TrimLeft(text, " \t\r\n"); {
	case string(http.Method.Get(&m.Values)) == "GET":
		all = []parts{inTarget(string(http.URL.Get(&m.Values)))}
	case mediaOf(contentType) == mediaGraphQL && !json.Valid(object):
		all = []parts{{Query: string(text)}}
	default:
		each(object, maxBatch, func(d *json.Decoder) error {
			var one parts
			err := d.Decode(&one)
			if err == nil {
				all = append(all, one)
			}
			return err
		})
		if len(all) > 0 && object[0] == '[' {
			Batch.Set(&m.Values, int64(len(all)))
		}
	}
	if len(all) > 0 {
		setRequest(&m.Values, &all[0])
	}
}

// inTarget reads the parameters of a GET.
func inTarget(target string) parts {
	q, _ := http.QueryString.Derive(target).(map[string]string)
	return parts{Query: q["query"], OperationName: q["operationName"], Extensions: json.RawMessage(q["extensions"])}
}

// each calls f with the values of a JSON array, at most limit of them, or with the one
// value that is none.
func each(text []byte, limit int, f func(*json.Decoder) error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if len(text) == 0 || text[0] != '[' {
		_ = f(d) // what cannot be read says nothing
		return
	}
	if _, err := d.Token(); err != nil {
		return
	}
	for n := 0; n < limit && d.More(); n++ {
		if f(d) != nil {
			return
		}
	}
}

// setRequest sets what one request asks for.
func setRequest(v *field.Values, one *parts) {
	operation := one.OperationName
	if hash := one.hash(); hash != "" {
		Persisted.SetString(v, shorten(hash, maxName))
	}
	summary := operation
	if doc, ok := readDocument(one.Query, operation); ok {
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
	if len(p.Extensions) == 0 || json.Unmarshal(p.Extensions, &ext) != nil {
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

// response counts the errors of a response, or of all of a batch.
func response(m *dissector.Message, text []byte) {
	if !bytes.Contains(text, []byte(`"errors"`)) { // as nearly always: reading it all takes most of the time
		return
	}
	var faults []fault
	n := 0
	each(bytes.TrimLeft(text, " \t\r\n"), maxBatch, func(d *json.Decoder) error {
		var r struct {
			Errors []fault `json:"errors"`
		}
		err := d.Decode(&r)
		if len(r.Errors) > 0 && len(faults) == 0 {
			faults = r.Errors[:1]
		}
		n += len(r.Errors)
		return err
	})
	if n == 0 {
		return
	}
	v := &m.Values
	Errors.Set(v, int64(n))
	dissector.Failed.Set(v, true)
	status := "errors"
	if code := faults[0].code(); code != "" {
		status = code
		ErrorCode.SetString(v, shorten(code, maxName))
	}
	dissector.Status.SetString(v, status)
	if text := faults[0].Message; text != "" {
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
