package graphql

import (
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// answered returns the head of a response.
func answered(headers string) *dissector.Message {
	m := &dissector.Message{From: dissector.Server, Ride: newCall(mediaGraphQL)}
	http.SetStatus(m, 200, nil, "HTTP/1.1")
	http.ResponseHeaders.AddLines(&m.Values, []byte(headers))
	return m
}

// TestLongAnswers: errors are found wherever they stand in a response, however it is cut, and
// only those that are the response's.
func TestLongAnswers(t *testing.T) {
	long := `"data":{"a":"` + strings.Repeat(`x\"]}\\`, maxBody/6) + `","errors":[1,2]}`
	failure := `"errors":[{"message":"a \"b\" ]}","extensions":{"code":"C","errors":[3]}}, {"message":"c"}]`
	const mixed = "Content-Type: multipart/mixed;boundary=\"-\";deferSpec=20220824\r\n"
	for _, c := range []struct {
		name, headers, body string
		errors              int64
		cut                 bool
	}{
		{"behind the data", "", "{" + long + "," + failure + "}", 2, false},
		{"before the data", "", "{" + failure + "," + long + "}", 2, false},
		{"none", "", "{" + long + "}", 0, false},
		{"of a batch", "", "[{" + long + "},{" + failure + "},{" + failure + "}]", 4, false},
		{"behind the end", "", "{" + long + "}{" + failure + "}", 0, false},
		{"no JSON", "", "<p>" + long + ",{" + failure + "}", 0, false},
		{"more than are kept", "", "{" + long + `,"errors":[{"message":"a \"b\" ]}","extensions":{"code":"C"}},"` + strings.Repeat("x", maxErrors) + `"]}`, 1, true},
		{"in the first part", mixed, "\r\n---\r\nContent-Type: application/json\r\n\r\n{" + failure + "}\r\n---\r\n\r\n{}\r\n-----\r\n", 2, false},
		{"in later parts", mixed, "---\r\nContent-Type: application/json\r\n\r\n{" + long + ",\"hasNext\":true}\r\n---\r\na:b\r\n\r\n{\"incremental\":[{\"data\":{}},{" + failure + "}],\"completed\":[{" + failure + "}]}\r\n-----\r\n", 4, false},
		{"in a payload", mixed, "---\n\n{\"payload\":{" + failure + ",\"x\":\"--\"}}\n---\n\n{\"data\":{" + failure + "},\"payload\":[{" + failure + "}]}\n-----", 2, false},
		{"in no part", mixed, "{" + failure + "}\r\n-----\r\n{" + failure + "}", 0, false},
		{"without a boundary", "Content-Type: multipart/mixed\r\n", "---\r\n\r\n{" + failure + "}\r\n-----", 0, false},
	} {
		for _, step := range []int{1, 7, 4096, maxBody + 1, len(c.body)} {
			m := answered(c.headers)
			for b := c.body; b != ""; b = b[min(step, len(b)):] {
				body(m, []byte(b[:min(step, len(b))]))
			}
			done(m)
			v := &m.Values
			if Errors.Get(v) != c.errors || dissector.Failed.Get(v) != (c.errors > 0) || Cut.Get(v) != c.cut {
				t.Errorf("%s, %d bytes at a time: %d errors, cut %v", c.name, step, Errors.Get(v), Cut.Get(v))
			}
			if got := fmt.Sprint(string(ErrorCode.Get(v)), " ", string(Error.Get(v))); c.errors > 0 && got != `C a "b" ]}` {
				t.Errorf("%s, %d bytes at a time: %s", c.name, step, got)
			}
		}
	}
}

// TestLongAnswersKeepLittle: what is kept of a response that passes by does not grow with it.
func TestLongAnswersKeepLittle(t *testing.T) {
	for name, front := range map[string]string{
		"of a name": `{"`, "of errors": `{"errors":["`, "of a line": "---\r\n\r\n{\"errors\":[\"", "of brackets": "[[[[[[[[[[[{",
	} {
		m := answered("Content-Type: multipart/mixed; boundary=\"-\"\r\n")
		if name != "of a line" {
			m = answered("")
		}
		body(m, []byte(front))
		for range 4 * maxBody / len(front) {
			body(m, []byte(strings.Repeat(front, 4)))
		}
		c := m.Ride.(*call)
		if c.long == nil || cap(c.body)+cap(c.long.kept)+cap(c.long.line)+cap(c.long.name) > 2*maxBody+2*maxErrors {
			t.Errorf("%s: %+v", name, c.long)
		}
	}
	m := answered("Content-Encoding: gzip\r\n")
	body(m, make([]byte, 2*maxBody))
	if c := m.Ride.(*call); c.long != nil || !c.over {
		t.Error("what is packed is read as if it were not")
	}
}
