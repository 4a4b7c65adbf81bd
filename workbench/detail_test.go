package workbench

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What an index has no room for is there when one entry is shown.
func TestShowHasWhatTheIndexHasNot(t *testing.T) {
	w := newBench(t)
	for _, c := range []struct {
		captures, filter, field, shown string
	}{
		{"postgresql", `postgresql_parameters == "2"`, "postgresql_parameters", "$1 = '"},
		{"tds", `tds_parameters == "2"`, "tds_parameters", ", "},
		{"cassandra", `cassandra_parameters == "2"`, "cassandra_parameters", ", "},
	} {
		files, err := filepath.Glob(filepath.Join("..", "testdata", c.captures, "*.pcap"))
		if err != nil || len(files) == 0 {
			t.Fatal(c.captures, err)
		}
		e := open(t, w, files...)
		found := ids(t, e, c.filter)
		if len(found) == 0 {
			t.Errorf("nothing has %s", c.filter)
			continue
		}
		d, err := e.Show(t.Context(), found[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		var shown map[string]any
		if err := json.Unmarshal(d.Entry, &shown); err != nil || !strings.Contains(fmt.Sprint(shown[c.field]), c.shown) {
			t.Errorf("%s is %v in %s, %v", c.field, shown[c.field], d.Entry, err)
		}
	}
}

// notLonger says where what is shown of an entry is neither what is stored nor a text or
// list that is longer; nothing when it is so everywhere.
func notLonger(shown []byte, stored string) string {
	var got, want map[string]any
	if err := json.Unmarshal(shown, &got); err != nil {
		return err.Error()
	}
	if err := json.Unmarshal([]byte(stored), &want); err != nil {
		return err.Error()
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d fields, not %d", len(got), len(want))
	}
	for name, value := range want {
		is := got[name]
		switch stored := value.(type) {
		case string:
			if text, ok := is.(string); ok && len(text) > len(stored) {
				continue
			}
		case []any:
			if list, ok := is.([]any); ok && len(list) > len(stored) {
				continue
			}
		}
		if !reflect.DeepEqual(is, value) {
			return fmt.Sprintf("%s is %v, not %v", name, is, value)
		}
	}
	return ""
}

func TestRewrite(t *testing.T) {
	const object = `{"b":"<1>","a":{"x":[1,2]},"list":["p"],"n":18446744073709551615}`
	keep, err := rewrite([]byte(object), func(string, json.RawMessage) any { return nil })
	if err != nil || string(keep) != object {
		t.Errorf("%s, %v", keep, err)
	}
	got, err := rewrite([]byte(object), func(name string, _ json.RawMessage) any {
		return map[string]any{"b": "a&b", "list": []string{"p", "q"}}[name]
	})
	if want := strings.NewReplacer("<1>", "a&b", `"p"`, `"p","q"`).Replace(object); err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, bad := range []string{"", `{"a"`, `{"a":}`, `{"a":1,,}`} {
		if _, err := rewrite([]byte(bad), func(string, json.RawMessage) any { return nil }); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
