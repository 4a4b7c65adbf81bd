package workbench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
)

// inDetail puts into the JSON object of an entry the texts and lists that are longer when
// it is dissected in detail: an index has no room for all that can be shown of one entry.
func inDetail(object []byte, e *dissector.Entry) ([]byte, error) {
	texts, lists := make(map[string]string), make(map[string][]string)
	e.Each(func(f *field.Field, v field.Value) {
		switch f.Kind {
		case field.Text:
			texts[f.Name] = strings.ToValidUTF8(string(v.Bytes), "\ufffd")
		case field.List:
			lists[f.Name] = append(lists[f.Name], strings.ToValidUTF8(string(v.Bytes), "\ufffd"))
		}
	})
	return rewrite(object, func(name string, value json.RawMessage) any {
		var text string
		var list []string
		switch {
		case len(texts[name]) > 0 && json.Unmarshal(value, &text) == nil && len(texts[name]) > len(text):
			return texts[name]
		case len(lists[name]) > 0 && json.Unmarshal(value, &list) == nil && len(lists[name]) > len(list):
			return lists[name]
		}
		return nil
	})
}

// rewrite returns a JSON object with other values where instead has one, in the order
// that it was in.
func rewrite(object []byte, instead func(name string, value json.RawMessage) any) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("entry as JSON: %w", err)
	}
	out := []byte{'{'}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("entry as JSON: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("entry as JSON: %w", err)
		}
		name, _ := key.(string)
		if other := instead(name, value); other != nil {
			if value, err = marshal(other); err != nil {
				return nil, fmt.Errorf("%s as JSON: %w", name, err)
			}
		}
		quoted, err := marshal(name)
		if err != nil {
			return nil, fmt.Errorf("%s as JSON: %w", name, err)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), value...)
	}
	return append(out, '}'), nil
}

// marshal is json.Marshal, but leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
